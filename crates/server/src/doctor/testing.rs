//! Settings for tests.

use countersign::core::Secret;
use countersign::core::origin::PublicUrl;
use countersign::settings::{Database, SecretWithFallbacks, Secrets, Settings};

/// The defaults at a public URL.
pub(super) fn settings(public_url: &str) -> Settings {
    let secret = |byte| SecretWithFallbacks::new(Secret::new(vec![byte; 32]));
    let secrets = Secrets { root: secret(1), refresh_token: secret(2), access: None };
    Settings::new(PublicUrl::parse(public_url).unwrap(), Database::Sqlite("unused.db".into()), secrets)
}

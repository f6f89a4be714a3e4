//! What the tests of several modules here share.

use countersign_core::Secret;
use countersign_core::origin::PublicUrl;

use crate::settings::{Database, SecretWithFallbacks, Secrets, Settings};

/// The default settings of a server at this public URL. They are valid for https and loopback.
pub(crate) fn settings_at(public_url: &str) -> Settings {
    let secret = |start: u8| SecretWithFallbacks::new(Secret::new((start..start + 32).collect::<Vec<_>>()));
    let secrets = Secrets { root: secret(0), refresh_token: secret(64), access: None };
    let database = Database::Sqlite("countersign.db".into());
    Settings::new(PublicUrl::parse(public_url).unwrap(), database, secrets)
}

//! What the tests of several modules here share.

use countersign_core::origin::PublicUrl;
use countersign_core::{Seconds, Secret};
use tempfile::TempDir;

use super::App;
use crate::Countersign;
use crate::service::password::Password;
use crate::service::users::UserToCreate;
use crate::settings::{Database, SecretWithFallbacks, Secrets, Settings};

/// The one allowed origin of [`app`].
pub(crate) const PAGE: &str = "http://localhost:3000";
/// The one user of [`app`].
pub(crate) const USER: &str = "alice";
/// Their password.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The default settings of a server at this public URL. They are valid for https and loopback.
pub(crate) fn settings_at(public_url: &str) -> Settings {
    let secret = |start: u8| SecretWithFallbacks::new(Secret::new((start..start + 32).collect::<Vec<_>>()));
    let secrets = Secrets { root: secret(0), refresh_token: secret(64), access: None };
    let database = Database::Sqlite("countersign.db".into());
    Settings::new(PublicUrl::parse(public_url).unwrap(), database, secrets)
}

/// A server with one user, [`USER`], and nothing that runs beside the requests. The folder is its database's.
pub(crate) async fn app() -> (App, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    // Nobody reads the news, and no test is so slow that the last ones are too old to be trusted.
    let builder = Countersign::builder()
        .data_dir(folder.path().join("data"))
        .configure(|settings| settings.liveness_max_age = Seconds(60));
    let countersign = builder.allowed_origin(PAGE).unwrap().build().await.unwrap();
    let service = countersign.service().clone();
    // It takes the background with it.
    drop(countersign);
    let user = UserToCreate {
        username: USER.to_owned(),
        email: String::new(),
        password: Password::new(PASSWORD).unwrap(),
        is_superuser: false,
        fields: serde_json::Map::new(),
    };
    service.create_user(user).await.unwrap();
    (App::new(service), folder)
}

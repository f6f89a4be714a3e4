//! The first superuser, where there is none: by a link that the server prints at its start.
//!
//! There is no default account and no default password. Whoever can read what the server prints can make the first
//! superuser; the link counts once, for a quarter of an hour, until the next start, and never beside a superuser.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::secret::sha256;
use countersign_core::{Seconds, Secret, Timestamp};
use countersign_store::{SetUpError, User};
use zeroize::Zeroizing;

use super::users::UserToCreate;
use super::{Error, Service, audit};

/// How long the link counts.
const LIFETIME: Seconds = Seconds(15 * 60);

/// Where the store keeps it: its hash, and until when it counts.
const META: &str = "setup_link";

impl Service {
    /// A new set-up token, if there is no active superuser. The one before it counts no more.
    pub async fn new_setup_token(&self) -> Result<Option<Zeroizing<String>>, Error> {
        if self.store.has_superuser().await? {
            return Ok(None);
        }
        let token = self.new_token()?;
        self.store.set_meta(META, kept(&token, self.now() + LIFETIME)).await?;
        Ok(Some(token))
    }

    /// Whether a set-up token counts at this moment.
    pub async fn setup_token_counts(&self, token: &str) -> Result<bool, Error> {
        Ok(self.counting_setup(token).await?.is_some())
    }

    /// Makes the first superuser.
    pub async fn set_up(&self, token: &str, new: UserToCreate) -> Result<User, Error> {
        let kept = self.counting_setup(token).await?.ok_or(Error::LinkInvalid)?;
        let new = self.new_user(UserToCreate { is_superuser: true, ..new }).await?;
        let event = audit::set_up(&new, self.now());
        // What the store kept is compared once more with the change: of two who try at once, one wins.
        let user = match self.store.set_up(META, kept, new, event.clone()).await {
            Ok(user) => user,
            Err(SetUpError::NoLonger) => return Err(Error::LinkInvalid),
            Err(SetUpError::User(error)) => return Err(error.into()),
            Err(SetUpError::Store(error)) => return Err(error.into()),
        };
        audit::log(&countersign_store::AuditEvent { user: Some(user.id), ..event });
        Ok(user)
    }

    /// What the store keeps of the link, if this token is it and counts.
    async fn counting_setup(&self, token: &str) -> Result<Option<String>, Error> {
        let Some(stored) = self.store.meta(META).await? else { return Ok(None) };
        let until = stored.split_once(' ').and_then(|(_, until)| until.parse().ok());
        let until = until.map(Timestamp::from_millis).unwrap_or_default();
        let same = Secret::new(kept(token, until)) == Secret::new(stored.as_bytes());
        if !same || self.now() >= until || self.store.has_superuser().await? {
            return Ok(None);
        }
        Ok(Some(stored))
    }
}

fn kept(token: &str, until: Timestamp) -> String {
    format!("{} {}", URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())), until.millis())
}

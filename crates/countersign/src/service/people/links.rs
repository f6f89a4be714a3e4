//! Links with which users set a password: nobody chooses the password of another, or ever sees it.
//!
//! A link has a token of 256 random bits, kept as its hash; it is good once, for a day. It leads to the configured
//! public URL, whatever a request said of the host. A newer link, a password that was set otherwise, another address, more
//! rights or being switched off end it; and it counts only as long as who made it might make it. Whoever uses it ends all sessions of the account.

use std::fmt;

use countersign_core::secret::sha256;
use countersign_core::{BuiltIn, Client, Seconds, Timestamp, UserId};
use countersign_store::{AuditEvent, EventKind, LinkHash, PasswordLink, User};
use serde_json::Map;

use super::People;
use crate::service::password::Password;
use crate::service::{Error, Service, audit};

/// Where the page of such links lies: the token follows, after a slash.
pub const PATH: &str = "/accounts/set-password";

/// How long a link is good.
pub const LIFETIME: Seconds = Seconds(24 * 60 * 60);

/// A link that was made. `Debug` shows no token.
pub struct Link {
    /// The whole address.
    pub url: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl People<'_> {
    /// Makes a link with which an active user sets a password; one that was made before is good no more. Needs
    /// `users.link`.
    pub async fn make_password_link(&self, user: UserId) -> Result<Link, Error> {
        self.actor.needs(BuiltIn::UsersLink)?;
        let token = self.service.new_token()?;
        let expires_at = self.service.now() + LIFETIME;
        let link =
            PasswordLink { user, hash: sha256(token.as_bytes()), expires_at, made_by: self.actor.user() };
        let event = self.done_to(user, EventKind::PasswordLinkMade);
        self.service.store.make_password_link(link, self.actor.reach(), event.clone()).await?;
        audit::log(&event);
        let url = format!("{}{PATH}/{}", self.service.settings.public_url.as_str(), *token);
        Ok(Link { url, expires_at })
    }
}

impl Service {
    /// Whose link this token is of, for the page that asks for the new password. [`Error::LinkInvalid`] where it is
    /// good no more, or never was.
    pub async fn password_link_owner(&self, token: &str) -> Result<User, Error> {
        let hash = link_hash(token)?;
        self.timed("password_link", self.store.password_link(hash, self.now()))
            .await?
            .ok_or(Error::LinkInvalid)
    }

    /// Uses a link up: its user's password is set, and all their sessions end. A password that won't do leaves the link
    /// as it is.
    pub async fn set_password_by_link(
        &self,
        token: &str,
        password: Password,
        client: &Client,
    ) -> Result<User, Error> {
        let user = self.password_link_owner(token).await?;
        self.check_policy(&password, &user)?;
        let password = self.hash_password(client.network(), password).await?;
        let event = AuditEvent {
            detail: Map::from_iter([("by".to_owned(), "link".into())]),
            ..audit::own(EventKind::PasswordSet, user.id, client, self.now())
        };
        self.outbox.forget_failures(user.id).await;
        let set = self.store.use_password_link(link_hash(token)?, password, event.clone());
        let user = self.timed("use_password_link", set).await?.ok_or(Error::LinkInvalid)?;
        self.unlock_shared(user.id).await;
        self.told(true, &event).await?;
        Ok(user)
    }
}

/// What the store knows a token by.
fn link_hash(token: &str) -> Result<LinkHash, Error> {
    if token.len() == 43 { Ok(sha256(token.as_bytes())) } else { Err(Error::LinkInvalid) }
}

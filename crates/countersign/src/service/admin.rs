//! Sessions of the admin site: a staff member's password becomes one, and proves who they are again later.
//!
//! A sign-in is a login in all that touches guessing: the same limits, the same hashing, the same floor. A user who isn't
//! staff gets the answer of a wrong password, and is counted with one, so that nobody learns here whose password is
//! right.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::Client;
use countersign_core::admin::{AdminSession, AdminSessionId};
use countersign_core::csrf::CsrfToken;
use countersign_core::guess::Outcome;
use countersign_core::name::NameKey;
use countersign_store::{AdminLogin, AuditEvent, EventKind, User, UserSelector};
use zeroize::Zeroizing;

use super::derive::CryptoFailure;
use super::login::TRIES;
use super::metrics::LoginResult;
use super::password::Password;
use super::users::to_store;
use super::{Error, Service, audit};

/// What is typed into the admin site's sign-in form.
#[derive(Debug)]
pub struct AdminAttempt {
    /// The user name, or the e-mail address.
    pub username: String,
    /// The password.
    pub password: Password,
    /// The token of this browser's session until now, which ends.
    pub replaces: Option<AdminSessionId>,
}

/// Somebody who is signed in to the admin site: their session, and the user as they are now.
#[derive(Clone, Debug)]
pub struct AdminUser {
    /// The session.
    pub session: AdminSession,
    /// The user: active, and staff.
    pub user: User,
}

impl Service {
    /// Starts a session of the admin site; its token, for the cookie.
    pub async fn admin_sign_in(
        &self,
        attempt: AdminAttempt,
        client: &Client,
    ) -> Result<Zeroizing<String>, Error> {
        let mut result = Err(Error::Overloaded);
        for _ in 0..TRIES {
            result = match self.check_and_sign_in(&attempt, client).await {
                Ok(None) => continue,
                Ok(Some(token)) => Ok(token),
                Err(error) => Err(error),
            };
            break;
        }
        self.metrics.login(LoginResult::of(&result));
        result
    }

    /// `None`: the user changed between the check and the sign-in, so what was checked no longer counts.
    async fn check_and_sign_in(
        &self,
        attempt: &AdminAttempt,
        client: &Client,
    ) -> Result<Option<Zeroizing<String>>, Error> {
        let who = UserSelector::Name(NameKey::of_any(&attempt.username));
        let guess = self.guess(who, attempt.password.clone(), client, may_enter).await?;
        let found = guess.found.as_ref().filter(|found| may_enter(&found.user));
        let (Some(found), true) = (found, guess.checked.right) else {
            self.settle(guess, false, client).await;
            return Err(Error::InvalidCredentials);
        };
        let token = self.new_token()?;
        let now = self.now();
        let id = AdminSessionId::of(token.as_bytes());
        let session = AdminSession::start(id, found.user.id, client.clone(), now);
        let login = AdminLogin {
            checked: found.hash.clone(),
            upgraded: guess.checked.upgraded.as_ref().map(to_store),
            replaces: attempt.replaces,
            network: client.network(),
        };
        let event = audit::own(EventKind::AdminSignIn, found.user.id, client, now);
        self.outbox.forget_failures(found.user.id).await;
        let start = self.store.start_admin_session(session, login, event.clone());
        match self.timed("start_admin_session", start).await {
            Ok(Some(_)) => {
                self.settle(guess, true, client).await;
                audit::log(&event);
                Ok(Some(token))
            }
            Ok(None) => {
                self.settle_guess(guess.leave, Outcome::NotChecked).await;
                Ok(None)
            }
            Err(error) => {
                self.settle_guess(guess.leave, Outcome::NotChecked).await;
                Err(error.into())
            }
        }
    }

    /// Who is signed in with this token, if it still counts: the session lives, and its user is active staff now.
    pub async fn admin_session(&self, id: AdminSessionId) -> Result<Option<AdminUser>, Error> {
        let found = self.timed("admin_session", self.store.admin_session(id)).await?;
        let now = self.now();
        let live =
            |(session, user): &(AdminSession, User)| session.is_live(now) && user.is_active && user.is_staff;
        let Some((session, user)) = found.filter(live) else { return Ok(None) };
        if session.is_to_be_touched(now) {
            self.store.touch_admin_session(id, false, now).await?;
        }
        Ok(Some(AdminUser { session, user }))
    }

    /// Takes the password of somebody who is signed in to the admin site again. Counted as any guess is.
    pub async fn admin_prove(
        &self,
        staff: &AdminUser,
        password: Password,
        client: &Client,
    ) -> Result<(), Error> {
        self.check_own_password(staff.user.id, password, client).await?;
        Ok(self.store.touch_admin_session(staff.session.id, true, self.now()).await?)
    }

    /// Whether the password of a session was given lately enough for what can't be undone.
    pub fn admin_is_proved(&self, staff: &AdminUser) -> bool {
        staff.session.is_proved(self.now())
    }

    /// Ends a session of the admin site.
    pub async fn admin_sign_out(&self, staff: &AdminUser, client: &Client) -> Result<(), Error> {
        let event: AuditEvent = audit::own(EventKind::AdminSignOut, staff.user.id, client, self.now());
        if self.store.end_admin_session(staff.session.id, event.clone()).await? {
            audit::log(&event);
        }
        Ok(())
    }

    /// What every form of a session of the admin site carries.
    pub fn admin_csrf(&self, staff: &AdminUser) -> Option<CsrfToken> {
        self.roots.first().map(|root| root.admin_csrf.admin_token(&staff.session.id))
    }

    /// Whether a form was given to this very session. In constant time.
    pub fn admin_csrf_is_right(&self, staff: &AdminUser, sent: &str) -> bool {
        let is_token_of = |key: &countersign_core::csrf::CsrfKey| {
            key.admin_token(&staff.session.id).csh().countersigned_by(sent.as_bytes())
        };
        // A form that was given before `root_secret` was changed still counts.
        self.roots.iter().any(|root| is_token_of(&root.admin_csrf))
    }

    /// 256 random bits, as a cookie or a link carries them.
    pub(super) fn new_token(&self) -> Result<Zeroizing<String>, Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.random.fill(&mut *bytes).map_err(CryptoFailure::from)?;
        Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
    }
}

fn may_enter(user: &User) -> bool {
    user.is_active && user.is_staff
}

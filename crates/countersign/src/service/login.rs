//! Login: a password becomes a session.
//!
//! An unknown user, a wrong password and an inactive user get the same answer in the same time: one hash is computed
//! for each, and none is answered before the floor ([`Floor`](super::password::Floor)). Whether a guess may be made at
//! all is decided before anything is hashed, so that a right password doesn't get through a throttle either.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::guess::{Ceiling, Limit, Outcome, Standing};
use countersign_core::name::NameKey;
use countersign_core::secret::sha256;
use countersign_core::session::{Delivery, NewSession, Session};
use countersign_core::{Client, Network, Seconds, SessionId, Timestamp, UserId};
use countersign_store::{
    AuditEvent, EventKind, Failures, Login, LoginUser, PasswordHash, StartOutcome, User, UserSelector,
};
use serde_json::{Map, Value};

use super::guesses::{Leave, NoLeave};
use super::metrics::LoginResult;
use super::password::{Checked, HashingError, Password, StoredHash};
use super::refresh::Presented;
use super::tokens::{SignedIn, Subject};
use super::users::to_store;
use super::{Error, Service, audit};

/// After a day without a failure, an account's ceiling starts again.
const CEILING_MEMORY: Seconds = Seconds(24 * 60 * 60);

/// How often a password is checked where the user changes between the check and what it is for.
pub(super) const TRIES: usize = 2;

/// What a client sends to log in.
#[derive(Debug)]
pub struct Attempt {
    /// The user name, or the e-mail address.
    pub username: String,
    /// The password.
    pub password: Password,
    /// How the tokens are to reach the client.
    pub delivery: Delivery,
    /// Whether the cookies may outlive the browser's window.
    pub remember: bool,
}

impl Service {
    /// Starts a new session, always, and ends those whose refresh cookie came along.
    pub async fn login(
        &self,
        attempt: Attempt,
        old: &Presented<'_>,
        client: &Client,
    ) -> Result<SignedIn, Error> {
        let result = self.try_login(&attempt, old, client).await;
        self.metrics.login(LoginResult::of(&result));
        result
    }

    async fn try_login(
        &self,
        attempt: &Attempt,
        old: &Presented<'_>,
        client: &Client,
    ) -> Result<SignedIn, Error> {
        for _ in 0..TRIES {
            if let Some(signed_in) = self.check_and_start(attempt, old, client).await? {
                return Ok(signed_in);
            }
        }
        Err(Error::Overloaded)
    }

    /// One check, and the session if it is right. `None`: the user changed between the two (another login may just
    /// have upgraded the hash), so what was checked no longer counts.
    async fn check_and_start(
        &self,
        attempt: &Attempt,
        old: &Presented<'_>,
        client: &Client,
    ) -> Result<Option<SignedIn>, Error> {
        let who = UserSelector::Name(NameKey::of_any(&attempt.username));
        let guess = self.guess(who, attempt.password.clone(), client, is_active).await?;
        let active = guess.found.as_ref().is_some_and(|found| found.user.is_active);
        let (Some(found), true, true) = (&guess.found, active, guess.checked.right) else {
            self.settle(guess, false, client).await;
            return Err(Error::InvalidCredentials);
        };

        let now = self.now();
        let new = NewSession {
            id: self.new_session_id(now)?,
            user: found.user.id,
            delivery: attempt.delivery,
            remember: attempt.remember,
            client: client.clone(),
            lifetime: self.settings.session_lifetime,
        };
        let session = Session::start(new, &self.settings.rotation_policy(), now);
        let login = Login {
            checked: found.hash.clone(),
            upgraded: guess.checked.upgraded.as_ref().map(to_store),
            replaces: self.sessions_in(old),
            network: client.network(),
            wants_rights: self.tokens.room(),
        };
        let event = AuditEvent {
            session: Some(session.id),
            detail: Map::from_iter([("delivery".to_owned(), Value::from(attempt.delivery.as_str()))]),
            ..audit::own(EventKind::Login, found.user.id, client, now)
        };
        let logged = event.clone();
        self.outbox.forget_failures(found.user.id).await;
        let start = self.store.start_session(session.clone(), login, event);
        match self.timed("start_session", start).await {
            Ok(StartOutcome::Started { user, rights, ended }) => {
                self.settle(guess, true, client).await;
                audit::log(&logged);
                if !ended.is_empty() {
                    self.catch_up().await;
                }
                let csrf = self.tokens.new_csrf(&session);
                Ok(Some(self.tokens.issue(session, Subject { user, rights }, csrf, &*self.random, now)?))
            }
            Ok(StartOutcome::TooManyRights) => {
                let user = session.user;
                self.settle(guess, true, client).await;
                Err(too_many_rights(user))
            }
            Ok(StartOutcome::NoLonger) => {
                self.settle_guess(guess.leave, Outcome::NotChecked).await;
                Ok(None)
            }
            Err(error) => {
                self.settle_guess(guess.leave, Outcome::NotChecked).await;
                Err(error.into())
            }
        }
    }

    /// Checks the password of a signed-in user, who is asked for it again. Counted as any guess is.
    pub(super) async fn check_own_password(
        &self,
        user: UserId,
        password: Password,
        client: &Client,
    ) -> Result<PasswordHash, Error> {
        let guess = self.guess(UserSelector::Id(user), password, client, is_active).await?;
        let hash = guess.found.as_ref().map(|found| found.hash.clone());
        let right = guess.checked.right;
        self.settle(guess, right, client).await;
        hash.filter(|_| right).ok_or(Error::WrongPassword)
    }

    /// Checks a password, if one more guess is allowed. Of a user who isn't `usable` none is right, and the work is that
    /// for an unknown one: the time must not tell whose password it would be.
    pub(super) async fn guess(
        &self,
        who: UserSelector,
        password: Password,
        client: &Client,
        usable: fn(&User) -> bool,
    ) -> Result<Guess, Error> {
        let now = self.now();
        let network = client.network();
        let by_email = self.settings.login_with_email;
        let mut found =
            self.timed("user_for_login", self.store.user_for_login(who.clone(), by_email, network)).await?;
        if let Some(found) = &mut found {
            found.ceiling = self.outbox.ceiling(found.user.id, found.ceiling);
        }
        let name = match (&who, &found) {
            (UserSelector::Name(name), _) => name.clone(),
            (UserSelector::Id(_), Some(found)) => NameKey::of_any(&found.user.username),
            (UserSelector::Id(user), None) => NameKey::of_any(&user.to_string()),
        };
        let leave = match self.leave_to_guess(&name, network, standing(found.as_ref()), now).await {
            Ok(leave) => leave,
            Err(NoLeave::Throttled(throttled)) => {
                self.outbox.push(&throttled_event(&name, found.as_ref(), throttled.by, client, now));
                return Err(Error::Throttled(throttled.retry_after));
            }
            Err(NoLeave::Store(error)) => return Err(error.into()),
        };
        let usable = found.as_ref().filter(|found| usable(&found.user));
        let stored = usable.map(|found| StoredHash::new(found.hash.expose()));
        match self.hashing.verify(network, stored, password).await {
            Ok(checked) => Ok(Guess { name, found, leave, checked }),
            Err(error) => {
                self.settle_guess(leave, Outcome::NotChecked).await;
                Err(error.into())
            }
        }
    }

    /// Counts how a guess went. A failed one waits for the floor, so that its time tells nothing.
    pub(super) async fn settle(&self, guess: Guess, right: bool, client: &Client) {
        let now = self.now();
        self.settle_guess(guess.leave, if right { Outcome::Right } else { Outcome::Wrong }).await;
        if right {
            return;
        }
        let user = guess.found.as_ref().map(|found| found.user.id);
        if let Some(user) = user {
            let forget_before = now - CEILING_MEMORY;
            self.outbox.failed(Failures { user, count: 1, last_at: now, forget_before });
        }
        self.outbox.push(&AuditEvent {
            user,
            ip: client.ip,
            bucket: Some(bucket("failed", &format!("{}\0{}", client.network(), guess.name.as_str()), now)),
            ..AuditEvent::new(EventKind::LoginFailed, now)
        });
        tokio::time::sleep_until(self.floor().await.until(guess.checked.started).into()).await;
    }

    /// The sessions whose refresh cookies came along, whatever generation they are.
    fn sessions_in(&self, old: &Presented<'_>) -> Vec<SessionId> {
        let Presented::Cookies(cookies) = old else { return Vec::new() };
        let verifier = &self.tokens.refresh_verifier;
        let read =
            |token: &&[u8]| verifier.verify(*token, self.now()).ok().filter(|claims| claims.csh.is_some());
        cookies.iter().filter_map(read).map(|claims| claims.session).collect()
    }

    /// A new session's id.
    pub(super) fn new_session_id(&self, now: Timestamp) -> Result<SessionId, Error> {
        let mut random = [0; 10];
        self.random.fill(&mut random).map_err(super::derive::CryptoFailure::from)?;
        Ok(SessionId::new(now, random))
    }

    /// A new password's hash, for the store.
    pub(super) async fn hash_password(
        &self,
        network: Network,
        password: Password,
    ) -> Result<countersign_store::Password, Error> {
        Ok(to_store(&self.hashing.hash(network, password).await?))
    }
}

/// What the one who runs the server reads in the log, and the client in the answer.
pub(super) fn too_many_rights(user: UserId) -> Error {
    tracing::error!(
        user = user.0,
        "claims_include: what this user may do doesn't fit into an access token of 6 KiB, so none was made; give them \
         fewer groups and permissions, or leave one of the two out of claims_include"
    );
    Error::TooManyRights
}

/// A password that was checked.
pub(super) struct Guess {
    name: NameKey,
    pub(super) found: Option<LoginUser>,
    pub(super) leave: Leave,
    pub(super) checked: Checked,
}

fn is_active(user: &User) -> bool {
    user.is_active
}

fn standing(found: Option<&LoginUser>) -> Standing {
    let Some(found) = found else { return Standing::NoAccount };
    let ceiling = Ceiling {
        failures: found.ceiling.failures,
        last_failure: found.ceiling.last_failure_at.unwrap_or_default(),
    };
    Standing::Account { user: found.user.id, ceiling, here_before: found.network_known }
}

/// One row for each count that is over and minute. What isn't counted doesn't stand in it: a client could vary that to
/// make rows without end.
fn throttled_event(
    name: &NameKey,
    found: Option<&LoginUser>,
    by: Limit,
    client: &Client,
    now: Timestamp,
) -> AuditEvent {
    let user = found.map(|found| found.user.id);
    let account = user.map_or_else(|| name.as_str().to_owned(), |user| user.to_string());
    let network = client.network().to_string();
    let (limit, user, ip, counted) = match by {
        Limit::Name => ("name", user, client.ip, format!("{network}\0{}", name.as_str())),
        Limit::Network => ("network", None, client.ip, network),
        Limit::Ceiling => ("ceiling", user, None, account),
    };
    AuditEvent {
        user,
        ip,
        detail: Map::from_iter([("limit".to_owned(), Value::from(limit))]),
        bucket: Some(bucket(limit, &counted, now)),
        ..AuditEvent::new(EventKind::LoginThrottled, now)
    }
}

/// One row a kind, minute and what is counted. That is hashed: what was typed as a name may be a password.
fn bucket(kind: &str, counted: &str, now: Timestamp) -> String {
    let minute = now.secs().div_euclid(60);
    let hash = sha256(format!("{kind}\0{counted}").as_bytes());
    format!("{kind}/{minute}/{}", URL_SAFE_NO_PAD.encode(hash.split_at(12).0))
}

impl From<HashingError> for Error {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded => Self::Overloaded,
            HashingError::Failed => Self::Internal(error.into()),
        }
    }
}

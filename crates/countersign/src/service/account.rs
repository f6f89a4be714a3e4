//! What a signed-in user does: the profile, the password, the list of sessions.

use std::sync::Arc;

use countersign_core::fields::Editor;
use countersign_core::jwt::AccessClaims;
use countersign_core::name::Email;
use countersign_core::session::{Delivery, EndReason, NewSession, Session};
use countersign_core::{Client, Rights, SessionId, UserId};
use countersign_store::{EndOutcome, EventKind, ProfileChange, StartOutcome, User, UserSelector};
use serde_json::{Map, Value};

use super::error::FieldErrors;
use super::login::{TRIES, too_many_rights};
use super::password::Password;
use super::tokens::{SignedIn, Subject};
use super::{Error, Service, audit};

/// The longest first or last name, in characters.
const NAME_MAX: usize = 150;

/// What a user wants changed, as it was sent.
#[derive(Debug, Default)]
pub struct ProfilePatch {
    /// A new address.
    pub email: Option<String>,
    /// A new first name.
    pub first_name: Option<String>,
    /// A new last name.
    pub last_name: Option<String>,
    /// New values of custom fields, as they were sent; `null` clears one.
    pub fields: Map<String, Value>,
    /// The password, which a change of address needs.
    pub password: Option<Password>,
}

/// The user who calls, and what they may do.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub user: Arc<User>,
    /// What they may do.
    pub rights: Arc<Rights>,
}

impl Caller {
    /// Whether they have this permission. A superuser has all.
    pub fn allows(&self, permission: &(impl AsRef<str> + ?Sized)) -> bool {
        self.rights.allows(permission)
    }
}

impl Service {
    /// The user of an access token: as the store has them, but for changes that another node made within the last
    /// second, and for `last_login_at`, which may lag by a minute.
    pub async fn profile(&self, claims: &AccessClaims) -> Result<Arc<User>, Error> {
        let now = self.now();
        let Some(known) = self.liveness.users(now) else { return self.read_user(claims.user).await };
        let reading = match known.recall(claims.user, now) {
            Ok(user) => return Ok(user),
            Err(reading) => reading,
        };
        let user = self.read_user(claims.user).await?;
        known.keep(&reading, Arc::clone(&user));
        Ok(user)
    }

    /// What the user of an access token may do: as the store has it, but for changes that another node made within the
    /// last second. Never by news that are older than that.
    pub async fn rights(&self, claims: &AccessClaims) -> Result<Arc<Rights>, Error> {
        let now = self.now();
        let Some(known) = self.liveness.rights(now) else { return self.read_rights(claims.user).await };
        let reading = match known.recall(claims.user, now) {
            Ok(rights) => return Ok(rights),
            Err(reading) => reading,
        };
        let rights = self.read_rights(claims.user).await?;
        known.keep(&reading, Arc::clone(&rights));
        Ok(rights)
    }

    /// The user and what they may do, if both are known without asking the store.
    pub(crate) fn known_caller(&self, claims: &AccessClaims) -> Option<Caller> {
        let now = self.now();
        let user = self.liveness.users(now)?.recall(claims.user, now).ok()?;
        let rights = self.liveness.rights(now)?.recall(claims.user, now).ok()?;
        Some(Caller { user, rights })
    }

    /// The user and what they may do.
    pub(crate) async fn caller(&self, claims: &AccessClaims) -> Result<Caller, Error> {
        Ok(Caller { user: self.profile(claims).await?, rights: self.rights(claims).await? })
    }

    async fn read_rights(&self, user: UserId) -> Result<Arc<Rights>, Error> {
        let found = self.timed("rights", self.store.rights(user)).await?;
        found.map(Arc::new).ok_or(Error::UserInactive)
    }

    async fn read_user(&self, user: UserId) -> Result<Arc<User>, Error> {
        let found = self.timed("user", self.store.user(UserSelector::Id(user))).await?;
        found.map(Arc::new).ok_or(Error::UserInactive)
    }

    /// Changes the user's own profile. A new address needs the password beside it, since whoever has the address may
    /// get the account.
    pub async fn update_profile(
        &self,
        claims: &AccessClaims,
        patch: ProfilePatch,
        client: &Client,
    ) -> Result<Arc<User>, Error> {
        let before = self.read_user(claims.user).await?;
        let mut errors = FieldErrors::new();
        let mut change = ProfileChange {
            first_name: checked_name("first_name", patch.first_name, &mut errors),
            last_name: checked_name("last_name", patch.last_name, &mut errors),
            ..ProfileChange::default()
        };
        match self.user_fields().change(&patch.fields, &before.fields, Editor::User) {
            Ok(fields) => change.fields = fields,
            Err(wrong) => errors.extend(wrong),
        }
        if let Some(email) = patch.email.filter(|email| *email != before.email) {
            match parse_email(&email) {
                Ok(parsed) => change.email = Some(parsed),
                Err(sentence) => {
                    errors.insert("email".into(), vec![sentence]);
                }
            }
        }
        if !errors.is_empty() {
            return Err(Error::InvalidFields(errors));
        }
        if change.email.is_some() {
            let password = patch.password.ok_or(Error::WrongPassword)?;
            self.check_own_password(claims.user, password, client).await?;
        }
        let event = audit::own(EventKind::ProfileChanged, claims.user, client, self.now());
        let event = countersign_store::AuditEvent { detail: what_changes(&change), ..event };
        let logged = event.clone();
        let user = self
            .timed("update_profile", self.store.update_profile(claims.user, change, event))
            .await?
            .ok_or(Error::UserInactive)?;
        self.liveness.user_changed(claims.user);
        audit::log(&logged);
        Ok(Arc::new(user))
    }

    /// Changes the user's own password: every session of theirs ends, and this client gets a new one.
    pub async fn change_password(
        &self,
        claims: &AccessClaims,
        old: Password,
        new: Password,
        client: &Client,
    ) -> Result<SignedIn, Error> {
        let mut checked = self.check_own_password(claims.user, old.clone(), client).await?;
        let user = self.read_user(claims.user).await?;
        self.check_policy(&new, &user)?;
        let rights = self.rights_for_token(claims.user).await?;
        let password = self.hash_password(client.network(), new).await?;
        let before = self.timed("session", self.store.session(claims.session)).await?;
        let now = self.now();
        let next = NewSession {
            id: self.new_session_id(now)?,
            user: claims.user,
            delivery: if claims.csh.is_some() { Delivery::Cookie } else { Delivery::Body },
            remember: before.is_none_or(|(session, _)| session.remember),
            client: client.clone(),
            lifetime: self.settings.session_lifetime,
        };
        let next = Session::start(next, &self.settings.rotation_policy(), now);
        let event = audit::own(EventKind::PasswordChanged, claims.user, client, now);
        for _ in 0..TRIES {
            self.outbox.forget_failures(claims.user).await;
            let change = self.store.change_password(checked, password.clone(), next.clone(), event.clone());
            if let StartOutcome::Started { user, .. } = self.timed("change_password", change).await? {
                audit::log(&event);
                self.catch_up().await;
                let csrf = self.tokens.new_csrf(&next);
                return Ok(self.tokens.issue(
                    next,
                    Subject { user, rights: rights.clone() },
                    csrf,
                    &*self.random,
                    now,
                )?);
            }
            // The stored hash has changed since the check: a login elsewhere may just have upgraded it.
            checked = self.check_own_password(claims.user, old.clone(), client).await?;
        }
        Err(Error::Overloaded)
    }

    /// What is to stand in the tokens of a user of what they may do; refuses where there is no room for it.
    async fn rights_for_token(&self, user: UserId) -> Result<Option<Rights>, Error> {
        let Some(room) = self.tokens.room() else { return Ok(None) };
        let rights = self.timed("rights", self.store.rights(user)).await?.ok_or(Error::UserInactive)?;
        if room.holds(&rights) { Ok(Some(rights)) } else { Err(too_many_rights(user)) }
    }

    /// The user's live sessions, newest first.
    pub async fn sessions(&self, claims: &AccessClaims) -> Result<Vec<Session>, Error> {
        Ok(self.timed("sessions_of", self.store.sessions_of(claims.user, self.now())).await?)
    }

    /// Ends one of the user's own sessions; another user's is [`Error::NotFound`].
    pub async fn end_own_session(
        &self,
        claims: &AccessClaims,
        session: SessionId,
        client: &Client,
    ) -> Result<(), Error> {
        let reason = EndReason::EndedByUser;
        let event = countersign_store::AuditEvent {
            session: Some(session),
            detail: audit::reason(reason),
            ..audit::own(EventKind::SessionEnded, claims.user, client, self.now())
        };
        let logged = event.clone();
        match self
            .timed("end_session", self.store.end_session(session, Some(claims.user), reason, event))
            .await?
        {
            EndOutcome::Ended(_) => {
                audit::log(&logged);
                self.catch_up().await;
                Ok(())
            }
            EndOutcome::AlreadyEnded(_) => Ok(()),
            EndOutcome::Unknown => Err(Error::NotFound),
        }
    }

    /// Ends all of the user's sessions, or all but the current one.
    pub async fn end_own_sessions(
        &self,
        claims: &AccessClaims,
        also_current: bool,
        client: &Client,
    ) -> Result<(), Error> {
        let reason = EndReason::EndedByUser;
        let event = countersign_store::AuditEvent {
            detail: audit::reason(reason),
            ..audit::own(EventKind::SessionEnded, claims.user, client, self.now())
        };
        let logged = event.clone();
        let except = (!also_current).then_some(claims.session);
        if self.timed("end_sessions", self.store.end_sessions(claims.user, except, reason, event)).await? > 0
        {
            audit::log(&logged);
        }
        self.catch_up().await;
        Ok(())
    }
}

/// An address that may be stored, with the form that a login is compared with; an empty one is none.
pub(super) fn parse_email(text: &str) -> Result<(String, countersign_core::name::NameKey), String> {
    if text.is_empty() {
        return Ok((String::new(), countersign_core::name::NameKey::of_any("")));
    }
    let email = Email::parse(text).map_err(|error| error.to_string())?;
    Ok((email.as_str().to_owned(), email.key()))
}

/// Whether a text may be somebody's first or last name.
pub(super) fn name_fits(name: &str) -> bool {
    name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control)
}

pub(super) fn checked_name(field: &str, name: Option<String>, errors: &mut FieldErrors) -> Option<String> {
    let name = name?;
    if !name_fits(&name) {
        let sentence = format!("Write at most {NAME_MAX} characters, without control characters.");
        errors.insert(field.to_owned(), vec![sentence]);
    }
    Some(name)
}

/// Which fields change; their values are nobody's business in the audit of a user's own change.
fn what_changes(change: &ProfileChange) -> Map<String, Value> {
    let named = [
        ("email", change.email.is_some()),
        ("first_name", change.first_name.is_some()),
        ("last_name", change.last_name.is_some()),
    ];
    let named = named.into_iter().filter(|(_, changes)| *changes).map(|(field, _)| field);
    let fields: Vec<&str> = named.chain(change.fields.keys().map(String::as_str)).collect();
    Map::from_iter([("fields".to_owned(), Value::from(fields))])
}

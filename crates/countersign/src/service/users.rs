//! What the one who runs the server does to users: from the command line, the admin site, or the embedder's code.

use std::collections::BTreeSet;

use countersign_core::Client;
use countersign_core::name::{NameKey, Username};
use countersign_core::session::{EndReason, Session};
use countersign_core::{SessionId, UserId};
use countersign_store::{AuditEvent, EndOutcome, EventKind, NewUser, Reach, User, UserSelector};
use serde_json::{Map, Value};

use super::account::parse_email;
use super::error::FieldErrors;
use super::password::{Password, StoredHash};
use super::{Error, Service, audit};

/// A user to be made, as it was typed.
#[derive(Debug)]
pub struct UserToCreate {
    /// The user name.
    pub username: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The password.
    pub password: Password,
    /// Whether the user has every right and may enter the admin site.
    pub is_superuser: bool,
    /// The values of custom fields.
    pub fields: Map<String, Value>,
}

impl Service {
    /// Makes a user. All that is wrong is told at once.
    pub async fn create_user(&self, new: UserToCreate) -> Result<User, Error> {
        let user = self.new_user(new).await?;
        let detail = audit::as_made(&user);
        let event = AuditEvent { detail, ..AuditEvent::new(EventKind::UserCreated, self.now()) };
        let user = self.store.create_user(user, event.clone()).await?;
        audit::log(&AuditEvent { user: Some(user.id), ..event });
        Ok(user)
    }

    /// What the store is to make of a user who was typed.
    pub(super) async fn new_user(&self, new: UserToCreate) -> Result<NewUser, Error> {
        let mut errors = FieldErrors::new();
        let username = Username::parse(&new.username)
            .map_err(|error| errors.insert("username".into(), vec![error.to_string()]))
            .ok();
        let email =
            parse_email(&new.email).map_err(|sentence| errors.insert("email".into(), vec![sentence])).ok();
        let fields = self.user_fields().new_user(&new.fields).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Map::new()
        });
        if let Err(reasons) = self.policy.check(&new.password, &[&new.username, &new.email]) {
            errors.insert("password".into(), reasons.iter().map(ToString::to_string).collect());
        }
        let (Some(username), Some((email, email_key)), true) = (username, email, errors.is_empty()) else {
            return Err(Error::InvalidFields(errors));
        };
        let password = self.hash_password(Client::default().network(), new.password).await?;
        Ok(NewUser {
            username_key: username.key(),
            username: username.as_str().to_owned(),
            email,
            email_key,
            first_name: String::new(),
            last_name: String::new(),
            password,
            is_active: true,
            is_staff: new.is_superuser,
            is_superuser: new.is_superuser,
            groups: BTreeSet::new(),
            permissions: BTreeSet::new(),
            fields,
        })
    }

    /// A user, by the name that they were given.
    pub async fn find_user(&self, username: &str) -> Result<User, Error> {
        self.timed("user", self.store.user(UserSelector::Name(NameKey::of_any(username))))
            .await?
            .ok_or(Error::NotFound)
    }

    /// Sets a user's password and ends all their sessions.
    pub async fn set_password(&self, user: &User, password: Password) -> Result<(), Error> {
        self.check_policy(&password, user)?;
        let password = self.hash_password(Client::default().network(), password).await?;
        let event = self.done_to(user.id, EventKind::PasswordSet);
        self.outbox.forget_failures(user.id).await;
        let done = self.store.set_password(user.id, password, event.clone()).await?;
        self.unlock_shared(user.id).await;
        self.told(done, &event).await
    }

    /// Lets a user log in again.
    pub async fn activate_user(&self, user: UserId) -> Result<(), Error> {
        let event = self.done_to(user, EventKind::UserActivated);
        let done = self.store.set_active(user, true, event.clone()).await?;
        self.told(done, &event).await
    }

    /// Switches a user off, and ends all their sessions.
    pub async fn deactivate_user(&self, user: UserId) -> Result<(), Error> {
        let event = self.done_to(user, EventKind::UserDeactivated);
        let done = self.store.set_active(user, false, event.clone()).await?;
        self.told(done, &event).await
    }

    /// Deletes a user, and ends all their sessions.
    pub async fn delete_user(&self, user: UserId) -> Result<(), Error> {
        let event = self.done_to(user, EventKind::UserDeleted);
        let done = self.store.delete_user(user, Reach::Anyone, event.clone()).await?;
        self.told(done, &event).await
    }

    /// Forgets the failed guesses at a user's password.
    pub async fn unlock_user(&self, user: UserId) -> Result<(), Error> {
        let event = self.done_to(user, EventKind::UserUnlocked);
        self.outbox.forget_failures(user).await;
        let done = self.store.unlock(user, event.clone()).await?;
        self.unlock_shared(user).await;
        self.told(done, &event).await
    }

    /// A user's live sessions, newest first.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, Error> {
        Ok(self.timed("sessions_of", self.store.sessions_of(user, self.now())).await?)
    }

    /// Ends any session.
    pub async fn end_session(&self, session: SessionId) -> Result<(), Error> {
        let reason = EndReason::EndedByStaff;
        let event = AuditEvent {
            session: Some(session),
            detail: audit::reason(reason),
            ..AuditEvent::new(EventKind::SessionEnded, self.now())
        };
        match self.timed("end_session", self.store.end_session(session, None, reason, event.clone())).await? {
            EndOutcome::Ended(_) => self.told(true, &event).await,
            EndOutcome::AlreadyEnded(_) => Ok(()),
            EndOutcome::Unknown => Err(Error::NotFound),
        }
    }

    /// Ends all sessions of a user; how many.
    pub async fn end_sessions_of(&self, user: UserId) -> Result<u64, Error> {
        let reason = EndReason::EndedByStaff;
        let event = self.done_to(user, EventKind::SessionEnded);
        let event = AuditEvent { detail: audit::reason(reason), ..event };
        let ended =
            self.timed("end_sessions", self.store.end_sessions(user, None, reason, event.clone())).await?;
        self.told(true, &event).await?;
        Ok(ended)
    }

    /// Refuses a password that won't do for this user.
    pub(super) fn check_policy(&self, password: &Password, user: &User) -> Result<(), Error> {
        let attributes = [&*user.username, &*user.email, &*user.first_name, &*user.last_name];
        self.policy
            .check(password, &attributes)
            .map_err(|reasons| Error::InvalidPassword(reasons.iter().map(ToString::to_string).collect()))
    }

    fn done_to(&self, user: UserId, kind: EventKind) -> AuditEvent {
        AuditEvent { user: Some(user), ..AuditEvent::new(kind, self.now()) }
    }

    /// Tells of what was done, and lets it count from now on.
    pub(super) async fn told(&self, done: bool, event: &AuditEvent) -> Result<(), Error> {
        if !done {
            return Err(Error::NotFound);
        }
        if let Some(user) = event.user {
            self.liveness.user_changed(user);
        }
        audit::log(event);
        self.catch_up().await;
        Ok(())
    }
}

/// A hash, as the store keeps it.
pub(super) fn to_store(hash: &StoredHash) -> countersign_store::Password {
    countersign_store::Password {
        hash: countersign_store::PasswordHash::new(hash.as_str()),
        cost: hash.cost(),
    }
}

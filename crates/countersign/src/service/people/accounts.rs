//! Users: found, shown, made, changed, switched off and on, deleted.

use std::collections::BTreeSet;

use countersign_core::fields::Editor;
use countersign_core::name::Username;
use countersign_core::session::EndReason;
use countersign_core::{BuiltIn, Client, GroupId, PermissionName, SessionId, UserId};
use countersign_store::{AuditEvent, EndOutcome, EventKind, NewUser, User, UserChange};
use serde_json::{Map, Value};

use super::{Denied, PAGE_MAX, People, Person, UserDetail, UserFilter, UserPage, Wanted};
use crate::service::account::{checked_name, parse_email};
use crate::service::error::FieldErrors;
use crate::service::password::Password;
use crate::service::{Error, audit};

/// A user to be made, as it was typed.
#[derive(Debug, Default)]
pub struct PersonToCreate {
    /// The user name.
    pub username: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// The password, which only an operator may give; `None`: one is set by a link.
    pub password: Option<Password>,
    /// Whether the user may not log in yet.
    pub is_inactive: bool,
    /// Whether the user may enter the admin site.
    pub is_staff: bool,
    /// Whether the user has every right.
    pub is_superuser: bool,
    /// The groups that the user is in.
    pub groups: BTreeSet<GroupId>,
    /// The permissions that the user has directly.
    pub permissions: BTreeSet<PermissionName>,
    /// The values of custom fields.
    pub fields: Map<String, Value>,
}

/// What is to change of a user, as it was typed; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct PersonChange {
    /// A new user name.
    pub username: Option<String>,
    /// A new address; may be empty.
    pub email: Option<String>,
    /// A new first name.
    pub first_name: Option<String>,
    /// A new last name.
    pub last_name: Option<String>,
    /// Whether the user may log in. Switching them off ends their sessions.
    pub is_active: Option<bool>,
    /// Whether the user may enter the admin site.
    pub is_staff: Option<bool>,
    /// Whether the user has every right.
    pub is_superuser: Option<bool>,
    /// The groups that the user is in.
    pub groups: Wanted<GroupId>,
    /// The permissions that the user has directly.
    pub permissions: Wanted<PermissionName>,
    /// New values of custom fields; others stay.
    pub fields: Map<String, Value>,
}

impl People<'_> {
    /// A page of users. Needs `users.view`.
    pub async fn users(&self, filter: UserFilter) -> Result<UserPage, Error> {
        self.actor.needs(BuiltIn::UsersView)?;
        let filter = UserFilter { limit: filter.limit.min(PAGE_MAX), ..filter };
        Ok(self.service.timed("users", self.service.store.users(filter)).await?)
    }

    /// A user and all there is to show of them. Needs `users.view`.
    pub async fn user(&self, id: UserId) -> Result<UserDetail, Error> {
        self.actor.needs(BuiltIn::UsersView)?;
        self.detail(id).await
    }

    /// Makes a user. All that is wrong is told at once. Needs `users.create`.
    pub async fn create_user(&self, new: PersonToCreate) -> Result<User, Error> {
        self.actor.needs(BuiltIn::UsersCreate)?;
        if new.is_staff || new.is_superuser {
            self.actor.needs_superuser()?;
        }
        self.actor.gives(&new.permissions)?;
        self.gives_groups(&new.groups).await?;
        if new.password.is_some() && *self.actor != super::Actor::Operator {
            return Err(Denied::NotYourPassword.into());
        }
        let mut errors = FieldErrors::new();
        let username = read_username(&new.username, &mut errors);
        let email = read_email(&new.email, &mut errors);
        let fields = self.service.user_fields().new_user(&new.fields).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Map::new()
        });
        checked_name("first_name", Some(new.first_name.clone()), &mut errors);
        checked_name("last_name", Some(new.last_name.clone()), &mut errors);
        if let Some(password) = &new.password
            && let Err(reasons) = self
                .service
                .policy
                .check(password, &[&*new.username, &*new.email, &*new.first_name, &*new.last_name])
        {
            errors.insert("password".into(), reasons.iter().map(ToString::to_string).collect());
        }
        let (Some(username), Some((email, email_key)), true) = (username, email, errors.is_empty()) else {
            return Err(Error::InvalidFields(errors));
        };
        let password = match new.password {
            Some(password) => self.service.hash_password(Client::default().network(), password).await?,
            None => countersign_store::Password::unusable(),
        };
        let user = NewUser {
            username_key: username.key(),
            username: username.as_str().to_owned(),
            email,
            email_key,
            first_name: new.first_name,
            last_name: new.last_name,
            password,
            is_active: !new.is_inactive,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
            groups: new.groups,
            permissions: new.permissions,
            fields,
        };
        let event = AuditEvent {
            detail: audit::as_made(&user),
            ..self.actor.event(EventKind::UserCreated, self.service.now())
        };
        let user = self.service.store.create_user(user, event.clone()).await?;
        audit::log(&AuditEvent { user: Some(user.id), ..event });
        Ok(user)
    }

    /// Changes a user. Needs `users.change`; the flags of staff and superusers need a superuser.
    pub async fn change_user(&self, id: UserId, change: PersonChange) -> Result<Person, Error> {
        self.actor.needs(BuiltIn::UsersChange)?;
        let before = self.detail(id).await?.person;
        let mut errors = FieldErrors::new();
        let new = |wanted: Option<String>, old: &str| wanted.filter(|wanted| *wanted != old);
        let username = new(change.username, &before.user.username);
        let email = new(change.email, &before.user.email);
        let differs = |wanted: Option<bool>, old: bool| wanted.filter(|wanted| *wanted != old);
        let fields = self.service.user_fields().change(&change.fields, &before.user.fields, Editor::Staff);
        let fields = fields.unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Map::new()
        });
        let held = before.groups.keys().copied().collect();
        let change = UserChange {
            username: username
                .and_then(|name| read_username(&name, &mut errors))
                .map(|name| (name.as_str().to_owned(), name.key())),
            email: email.and_then(|email| read_email(&email, &mut errors)),
            first_name: checked_name("first_name", change.first_name, &mut errors),
            last_name: checked_name("last_name", change.last_name, &mut errors),
            is_active: differs(change.is_active, before.user.is_active),
            is_staff: differs(change.is_staff, before.user.is_staff),
            is_superuser: differs(change.is_superuser, before.user.is_superuser),
            groups: change.groups.edit(&held),
            permissions: change.permissions.edit(&before.permissions),
            fields,
        };
        if change.is_staff.is_some() || change.is_superuser.is_some() {
            self.actor.needs_superuser()?;
        }
        self.actor.gives(&change.permissions.add)?;
        self.gives_groups(&change.groups.add).await?;
        if !errors.is_empty() {
            return Err(Error::InvalidFields(errors));
        }
        self.carry_out(id, change, EventKind::UserChanged).await
    }

    /// Switches a user on, or off, which ends their sessions. Needs `users.change`.
    pub async fn set_active(&self, id: UserId, active: bool) -> Result<Person, Error> {
        self.actor.needs(BuiltIn::UsersChange)?;
        let kind = if active { EventKind::UserActivated } else { EventKind::UserDeactivated };
        self.carry_out(id, UserChange { is_active: Some(active), ..UserChange::default() }, kind).await
    }

    /// Deletes a user, and ends their sessions. Needs `users.delete`.
    pub async fn delete_user(&self, id: UserId) -> Result<(), Error> {
        self.actor.needs(BuiltIn::UsersDelete)?;
        let user = self.detail(id).await?.person.user;
        let event = AuditEvent {
            detail: Map::from_iter([("username".to_owned(), user.username.into())]),
            ..self.done_to(id, EventKind::UserDeleted)
        };
        let done = self.service.store.delete_user(id, self.actor.reach(), event.clone()).await?;
        self.service.told(done, &event).await
    }

    /// Forgets the failed guesses at a user's password. Needs `users.unlock`.
    pub async fn unlock(&self, id: UserId) -> Result<(), Error> {
        self.actor.needs(BuiltIn::UsersUnlock)?;
        self.within_reach(id).await?;
        let event = self.done_to(id, EventKind::UserUnlocked);
        self.service.outbox.forget_failures(id).await;
        let done = self.service.store.unlock(id, event.clone()).await?;
        self.service.unlock_shared(id).await;
        self.service.told(done, &event).await
    }

    /// Ends any session. Needs `sessions.end`.
    pub async fn end_session(&self, session: SessionId) -> Result<(), Error> {
        self.actor.needs(BuiltIn::SessionsEnd)?;
        let found = self.service.timed("session", self.service.store.session(session)).await?;
        let (found, owner) = found.ok_or(Error::NotFound)?;
        if owner.is_some() {
            self.within_reach(found.user).await?;
        }
        let reason = EndReason::EndedByStaff;
        let event = AuditEvent {
            session: Some(session),
            detail: audit::reason(reason),
            ..self.done_to(found.user, EventKind::SessionEnded)
        };
        match self.service.store.end_session(session, None, reason, event.clone()).await? {
            EndOutcome::Ended(_) => self.service.told(true, &event).await,
            EndOutcome::AlreadyEnded(_) => Ok(()),
            EndOutcome::Unknown => Err(Error::NotFound),
        }
    }

    /// Ends all sessions of a user; how many. Needs `sessions.end`.
    pub async fn end_sessions_of(&self, id: UserId) -> Result<u64, Error> {
        self.actor.needs(BuiltIn::SessionsEnd)?;
        self.within_reach(id).await?;
        let reason = EndReason::EndedByStaff;
        let event = self.done_to(id, EventKind::SessionEnded);
        let event = AuditEvent { detail: audit::reason(reason), ..event };
        let ended = self.service.store.end_sessions(id, None, reason, event.clone()).await?;
        self.service.told(true, &event).await?;
        Ok(ended)
    }

    pub(super) async fn detail(&self, id: UserId) -> Result<UserDetail, Error> {
        self.service.timed("user_detail", self.service.store.user_detail(id)).await?.ok_or(Error::NotFound)
    }

    /// Refuses where the user is not there, or may more than who acts.
    async fn within_reach(&self, id: UserId) -> Result<(), Error> {
        let rights = self.service.timed("rights", self.service.store.rights(id)).await?;
        let rights = rights.ok_or(Error::NotFound)?;
        if self.actor.may_touch(&rights) { Ok(()) } else { Err(Denied::OutOfReach.into()) }
    }

    async fn gives_groups(&self, groups: &BTreeSet<GroupId>) -> Result<(), Error> {
        if self.actor.is_superuser() {
            return Ok(());
        }
        for id in groups {
            let group =
                self.service.store.group(*id).await?.ok_or(countersign_store::PeopleError::NoSuchGroup)?;
            if !self.actor.may_give_group(&group.name) {
                return Err(Denied::NotYourGroup(group.name).into());
            }
        }
        Ok(())
    }

    async fn carry_out(&self, id: UserId, change: UserChange, kind: EventKind) -> Result<Person, Error> {
        let event = self.actor.event(kind, self.service.now());
        let change = self.service.store.change_user(id, change, self.actor.reach(), event);
        let changed = self.service.timed("change_user", change).await?;
        if let Some(event) = &changed.event {
            self.service.told(true, event).await?;
        }
        Ok(changed.person)
    }

    pub(super) fn done_to(&self, user: UserId, kind: EventKind) -> AuditEvent {
        AuditEvent { user: Some(user), ..self.actor.event(kind, self.service.now()) }
    }
}

fn read_username(text: &str, errors: &mut FieldErrors) -> Option<Username> {
    let complain = |error: countersign_core::name::UsernameError| {
        errors.insert("username".into(), vec![error.to_string()]);
    };
    Username::parse(text).map_err(complain).ok()
}

fn read_email(text: &str, errors: &mut FieldErrors) -> Option<(String, countersign_core::name::NameKey)> {
    parse_email(text).map_err(|sentence| errors.insert("email".into(), vec![sentence])).ok()
}

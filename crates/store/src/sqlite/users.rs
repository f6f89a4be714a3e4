//! Users, and what changes them. Checking passwords and starting sessions is in `login`.

use std::collections::BTreeSet;

use countersign_core::fields::UserFields;
use countersign_core::name::NameKey;
use countersign_core::session::EndReason;
use countersign_core::{Timestamp, UserId};
use rusqlite::Connection;

use super::Sqlite;
use super::people::{self, Changed};
use super::sql::{self, Result};
use super::{audit, fields, import, links, news, sessions};
use crate::fields::apply;
use crate::row::{self, user_columns};
use crate::{
    AuditEvent, Edit, NewUser, NewsItem, Password, PasswordHash, PeopleError, ProfileChange, ProfileError,
    Reach, User, UserSelector,
};

impl Sqlite {
    pub(crate) async fn user(&self, who: UserSelector) -> Result<Option<User>> {
        self.read_now(move |db| match &who {
            UserSelector::Id(id) => by_id(db, *id),
            UserSelector::Name(key) => {
                let query = concat!("SELECT ", user_columns!(), " FROM users WHERE username_key = $1");
                sql::first(db, query, [key.as_str()], |row| row::user(row, 0))
            }
        })
        .await
    }

    pub(crate) async fn create_user(&self, new: NewUser, event: AuditEvent) -> Changed<User> {
        let declared = self.declared();
        self.write_or_refuse(move |db| create(db, &declared, &new, event)).await
    }

    pub(crate) async fn update_profile(
        &self,
        id: UserId,
        change: ProfileChange,
        event: AuditEvent,
    ) -> std::result::Result<Option<User>, ProfileError> {
        let declared = self.declared();
        self.write(move |db| {
            let Some(mut user) = by_id(db, id)? else { return Ok(Ok(None)) };
            if let Some(field) = fields::taken(db, &declared, Some(id), &change.fields)? {
                return Ok(Err(ProfileError::FieldTaken(field)));
            }
            fields::keep(db, &declared, id, &change.fields)?;
            if let Some((email, key)) = change.email {
                set_email(db, id, &email, &key)?;
                links::drop_of(db, id)?;
                user.email = email;
            }
            user.first_name = change.first_name.unwrap_or(user.first_name);
            user.last_name = change.last_name.unwrap_or(user.last_name);
            apply(&mut user.fields, change.fields);
            set_names_and_fields(db, &user)?;
            changed(db, id, &event)?;
            Ok(Ok(Some(user)))
        })
        .await?
    }

    pub(crate) async fn set_password(
        &self,
        id: UserId,
        password: Password,
        event: AuditEvent,
    ) -> Result<bool> {
        self.write(move |db| set_password(db, id, &password, &event)).await
    }

    pub(crate) async fn set_active(&self, id: UserId, active: bool, event: AuditEvent) -> Changed<bool> {
        self.write_or_refuse(move |db| {
            let Some(user) = by_id(db, id)? else { return Ok(false) };
            if !active {
                people::keep_last_superuser(db, &user)?;
                sessions::end_all(db, id, None, EndReason::UserDeactivated, event.at)?;
                links::drop_of(db, id)?;
            }
            sql::run(db, "UPDATE users SET is_active = $1 WHERE id = $2", (active, id.0))?;
            changed(db, id, &event)?;
            Ok(true)
        })
        .await
    }

    pub(crate) async fn delete_user(&self, id: UserId, reach: Reach, event: AuditEvent) -> Changed<bool> {
        self.write_or_refuse(move |db| {
            let user = match people::within_reach(db, id, &reach) {
                Ok(person) => person.user,
                Err(PeopleError::NoSuchUser) => return Ok(false),
                Err(error) => return Err(error),
            };
            people::keep_last_superuser(db, &user)?;
            sql::run(db, "DELETE FROM users WHERE id = $1", [id.0])?;
            sessions::end_all(db, id, None, EndReason::UserDeleted, event.at)?;
            changed(db, id, &event)?;
            Ok(true)
        })
        .await
    }

    pub(crate) async fn unlock(&self, id: UserId, event: AuditEvent) -> Result<bool> {
        self.write(move |db| {
            let found = forget_failures(db, id)?;
            if found {
                audit::append(db, &event)?;
            }
            Ok(found)
        })
        .await
    }

    pub(crate) async fn password_samples(&self) -> Result<Vec<PasswordHash>> {
        self.read(|db| {
            // Steps from cost to cost along the index, instead of reading every user.
            let query = "WITH RECURSIVE costs (cost) AS (
                    SELECT MIN(password_cost) FROM users
                    UNION ALL
                    SELECT (SELECT MIN(password_cost) FROM users WHERE password_cost > costs.cost)
                    FROM costs WHERE costs.cost IS NOT NULL
                )
                SELECT (SELECT password FROM users WHERE password_cost = costs.cost LIMIT 1)
                FROM costs WHERE costs.cost IS NOT NULL";
            sql::all(db, query, [], |row| Ok(PasswordHash::new(row.get::<_, String>(0)?)))
        })
        .await
    }
}

/// Makes a user, in the transaction of whatever asks for it. A refusal changes nothing.
pub(super) fn create(
    db: &Connection,
    declared: &UserFields,
    new: &NewUser,
    event: AuditEvent,
) -> Changed<User> {
    if let Some(field) = fields::taken(db, declared, None, &new.fields)? {
        return Err(PeopleError::FieldTaken(field));
    }
    let id = insert(db, new, event.at)?.ok_or(PeopleError::UsernameTaken)?;
    fields::keep(db, declared, id, &new.fields)?;
    people::edit_groups(db, id, &Edit { add: new.groups.clone(), remove: BTreeSet::new() })?;
    people::edit_permissions(db, id, &Edit { add: new.permissions.clone(), remove: BTreeSet::new() })?;
    let event = AuditEvent { user: event.user.or(Some(id)), ..event };
    audit::append(db, &event)?;
    Ok(row::known(by_id(db, id)?, "the new user")?)
}

pub(super) fn by_id(db: &Connection, id: UserId) -> Result<Option<User>> {
    let query = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
    sql::first(db, query, [id.0], |row| row::user(row, 0))
}

/// Sets a password from outside: every session of the user ends. `false`: no such user.
pub(super) fn set_password(
    db: &Connection,
    id: UserId,
    password: &Password,
    event: &AuditEvent,
) -> Result<bool> {
    if !store_password(db, id, password)? {
        return Ok(false);
    }
    import::password_is_ours(db, id)?;
    forget_failures(db, id)?;
    links::drop_of(db, id)?;
    sessions::end_all(db, id, None, EndReason::PasswordChanged, event.at)?;
    changed(db, id, event)?;
    Ok(true)
}

pub(super) fn set_email(db: &Connection, id: UserId, email: &str, key: &NameKey) -> Result<()> {
    sql::run(db, "UPDATE users SET email = $1, email_key = $2 WHERE id = $3", (email, key.as_str(), id.0))?;
    Ok(())
}

pub(super) fn set_names_and_fields(db: &Connection, user: &User) -> Result<()> {
    let update = "UPDATE users SET first_name = $1, first_name_key = $2, last_name = $3, last_name_key = $4,
            fields = $5 WHERE id = $6";
    let (first, last) = (NameKey::of_any(&user.first_name), NameKey::of_any(&user.last_name));
    let fields = row::json(&user.fields)?;
    let params = (&user.first_name, first.as_str(), &user.last_name, last.as_str(), fields, user.id.0);
    sql::run(db, update, params)?;
    Ok(())
}

/// `false`: no such user.
pub(super) fn store_password(db: &Connection, id: UserId, password: &Password) -> Result<bool> {
    let update = "UPDATE users SET password = $1, password_cost = $2 WHERE id = $3";
    Ok(sql::run(db, update, (password.hash.expose(), &password.cost, id.0))? > 0)
}

/// `false`: no such user.
pub(super) fn forget_failures(db: &Connection, id: UserId) -> Result<bool> {
    let update = "UPDATE users SET failures = 0, last_failure_at = NULL WHERE id = $1";
    Ok(sql::run(db, update, [id.0])? > 0)
}

/// Tells every node, and the audit.
pub(super) fn changed(db: &Connection, id: UserId, event: &AuditEvent) -> Result<()> {
    news::add(db, event.at, NewsItem::UserChanged(id))?;
    audit::append(db, event)
}

/// `None`: the name is taken.
fn insert(db: &Connection, new: &NewUser, now: Timestamp) -> Result<Option<UserId>> {
    let insert = "INSERT INTO users (username, username_key, email, email_key, first_name, first_name_key,
            last_name, last_name_key, password, password_cost, is_active, is_staff, is_superuser, joined_at, fields)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (username_key) DO NOTHING RETURNING id";
    let (first, last) = (NameKey::of_any(&new.first_name), NameKey::of_any(&new.last_name));
    let params = rusqlite::params![
        new.username,
        new.username_key.as_str(),
        new.email,
        new.email_key.as_str(),
        new.first_name,
        first.as_str(),
        new.last_name,
        last.as_str(),
        new.password.hash.expose(),
        new.password.cost,
        new.is_active,
        new.is_staff,
        new.is_superuser,
        now.millis(),
        row::json(&new.fields)?,
    ];
    sql::first(db, insert, params, |row| Ok(UserId(row.get(0)?)))
}

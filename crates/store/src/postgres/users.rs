//! Users, and what changes them. Checking passwords and starting sessions is in `login`.

use std::collections::BTreeSet;

use countersign_core::fields::UserFields;
use countersign_core::name::NameKey;
use countersign_core::session::EndReason;
use countersign_core::{Timestamp, UserId};

use super::Postgres;
use super::people::{self, Changed, or_refuse};
use super::sql::{self, Db, Result, params};
use super::{audit, fields, import, links, news, sessions};
use crate::fields::apply;
use crate::row::{self, Columns, user_columns};
use crate::{
    AuditEvent, Edit, NewUser, NewsItem, Password, PasswordHash, PeopleError, ProfileChange, ProfileError,
    Reach, StoreError, User, UserSelector,
};

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn user(&self, who: UserSelector) -> Answer<Option<User>> {
        self.read(who, |db, who| async move {
            match &*who {
                UserSelector::Id(id) => by_id(&db, *id).await,
                UserSelector::Name(key) if key.as_str().contains('\0') => Ok(None),
                UserSelector::Name(key) => {
                    let query = concat!("SELECT ", user_columns!(), " FROM users WHERE username_key = $1");
                    db.first(query, params![key.as_str()], |row| row::user(row, 0)).await
                }
            }
        })
        .await
    }

    pub(crate) async fn create_user(&self, new: NewUser, event: AuditEvent) -> Changed<User> {
        self.write((self.declared(), new, event), |db, args| async move {
            let (declared, new, event) = &*args;
            create(&db, declared, new, event).await
        })
        .await?
    }

    pub(crate) async fn update_profile(
        &self,
        id: UserId,
        change: ProfileChange,
        event: AuditEvent,
    ) -> std::result::Result<Option<User>, ProfileError> {
        self.write((self.declared(), id, change, event), |db, args| async move {
            let (declared, id, change, event) = &*args;
            let Some(mut user) = locked(&db, *id).await? else { return Ok(Ok(None)) };
            if let Some(field) = fields::taken(&db, declared, Some(*id), &change.fields).await? {
                return Ok(Err(ProfileError::FieldTaken(field)));
            }
            fields::keep(&db, declared, *id, &change.fields).await?;
            if let Some((email, key)) = &change.email {
                set_email(&db, *id, email, key).await?;
                links::drop_of(&db, *id).await?;
                user.email.clone_from(email);
            }
            let kept = |name: &String| sql::without_nul(name).into_owned();
            user.first_name = change.first_name.as_ref().map_or(user.first_name, kept);
            user.last_name = change.last_name.as_ref().map_or(user.last_name, kept);
            apply(&mut user.fields, change.fields.clone());
            set_names_and_fields(&db, &user).await?;
            changed(&db, *id, event).await?;
            Ok(Ok(Some(user)))
        })
        .await?
    }

    pub(crate) async fn set_password(
        &self,
        id: UserId,
        password: Password,
        event: AuditEvent,
    ) -> Answer<bool> {
        self.write((id, password, event), |db, args| async move {
            let (id, password, event) = &*args;
            set_password_of(&db, *id, password, event).await
        })
        .await
    }

    pub(crate) async fn set_active(&self, id: UserId, active: bool, event: AuditEvent) -> Changed<bool> {
        self.write((id, active, event), |db, args| async move {
            let (id, active, event) = &*args;
            if !active {
                people::lock_superusers(&db).await?;
            }
            let Some(user) = locked(&db, *id).await? else { return Ok(Ok(false)) };
            if !active {
                or_refuse!(people::keep_last_superuser(&db, &user).await?);
                links::drop_of(&db, *id).await?;
            }
            db.run("UPDATE users SET is_active = $1 WHERE id = $2", params![*active, id.0]).await?;
            if !active {
                sessions::end_all(&db, *id, None, EndReason::UserDeactivated, event.at).await?;
            }
            changed(&db, *id, event).await?;
            Ok(Ok(true))
        })
        .await?
    }

    pub(crate) async fn delete_user(&self, id: UserId, reach: Reach, event: AuditEvent) -> Changed<bool> {
        self.write((id, reach, event), |db, args| async move {
            let (id, reach, event) = &*args;
            people::lock_superusers(&db).await?;
            let user = match people::within_reach(&db, *id, reach).await? {
                Ok(person) => person.user,
                Err(PeopleError::NoSuchUser) => return Ok(Ok(false)),
                Err(refused) => return Ok(Err(refused)),
            };
            or_refuse!(people::keep_last_superuser(&db, &user).await?);
            db.run("DELETE FROM users WHERE id = $1", params![id.0]).await?;
            sessions::end_all(&db, *id, None, EndReason::UserDeleted, event.at).await?;
            changed(&db, *id, event).await?;
            Ok(Ok(true))
        })
        .await?
    }

    pub(crate) async fn unlock(&self, id: UserId, event: AuditEvent) -> Answer<bool> {
        self.write((id, event), |db, args| async move {
            let (id, event) = &*args;
            let found = forget_failures(&db, *id).await?;
            if found {
                audit::append(&db, event).await?;
            }
            Ok(found)
        })
        .await
    }

    pub(crate) async fn password_samples(&self) -> Answer<Vec<PasswordHash>> {
        self.read((), |db, _| async move {
            // Steps from cost to cost along the index, instead of reading every user.
            let query = "WITH RECURSIVE costs (cost) AS (
                    SELECT MIN(password_cost) FROM users
                    UNION ALL
                    SELECT (SELECT MIN(password_cost) FROM users WHERE password_cost > costs.cost)
                    FROM costs WHERE costs.cost IS NOT NULL
                )
                SELECT (SELECT password FROM users WHERE password_cost = costs.cost LIMIT 1)
                FROM costs WHERE costs.cost IS NOT NULL";
            db.all(query, &[], |row| Ok(PasswordHash::new(row.text_there(0)?))).await
        })
        .await
    }
}

/// Makes a user, in the transaction of whatever asks for it. A refusal changes nothing.
pub(super) async fn create(
    db: &Db,
    declared: &UserFields,
    new: &NewUser,
    event: &AuditEvent,
) -> Result<Changed<User>> {
    if let Some(field) = fields::taken(db, declared, None, &new.fields).await? {
        return Ok(Err(PeopleError::FieldTaken(field)));
    }
    or_refuse!(people::may_have(db, &new.groups, &new.permissions).await?);
    let Some(user) = insert(db, new, event.at).await? else { return Ok(Err(PeopleError::UsernameTaken)) };
    fields::keep(db, declared, user.id, &new.fields).await?;
    let (groups, permissions) = (new.groups.clone(), new.permissions.clone());
    people::edit_groups(db, user.id, &Edit { add: groups, remove: BTreeSet::new() }).await?;
    people::edit_permissions(db, user.id, &Edit { add: permissions, remove: BTreeSet::new() }).await?;
    let event = AuditEvent { user: event.user.or(Some(user.id)), ..event.clone() };
    audit::append(db, &event).await?;
    Ok(Ok(user))
}

pub(super) async fn by_id(db: &Db, id: UserId) -> Result<Option<User>> {
    let query = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1");
    db.first(query, params![id.0], |row| row::user(row, 0)).await
}

/// The user, whom nobody else changes until the transaction ends.
pub(super) async fn locked(db: &Db, id: UserId) -> Result<Option<User>> {
    let query = concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1 FOR UPDATE");
    db.first(query, params![id.0], |row| row::user(row, 0)).await
}

/// Sets a password from outside: every session of the user ends. `false`: no such user.
pub(super) async fn set_password_of(
    db: &Db,
    id: UserId,
    password: &Password,
    event: &AuditEvent,
) -> Result<bool> {
    if !store_password(db, id, password).await? {
        return Ok(false);
    }
    import::password_is_ours(db, id).await?;
    forget_failures(db, id).await?;
    links::drop_of(db, id).await?;
    sessions::end_all(db, id, None, EndReason::PasswordChanged, event.at).await?;
    changed(db, id, event).await?;
    Ok(true)
}

pub(super) async fn set_email(db: &Db, id: UserId, email: &str, key: &NameKey) -> Result<()> {
    let update = "UPDATE users SET email = $1, email_key = $2 WHERE id = $3";
    db.run(update, params![email, key.as_str(), id.0]).await.map(drop)
}

pub(super) async fn set_names_and_fields(db: &Db, user: &User) -> Result<()> {
    let update = "UPDATE users SET first_name = $1, first_name_key = $2, last_name = $3, last_name_key = $4,
            fields = $5 WHERE id = $6";
    let (first, last) = (sql::without_nul(&user.first_name), sql::without_nul(&user.last_name));
    let (first_key, last_key) = (NameKey::of_any(&first), NameKey::of_any(&last));
    let fields = row::json(&user.fields)?;
    let params = params![&*first, first_key.as_str(), &*last, last_key.as_str(), fields, user.id.0];
    db.run(update, params).await.map(drop)
}

/// `false`: no such user.
pub(super) async fn store_password(db: &Db, id: UserId, password: &Password) -> Result<bool> {
    let update = "UPDATE users SET password = $1, password_cost = $2 WHERE id = $3";
    Ok(db.run(update, params![password.hash.expose(), password.cost, id.0]).await? > 0)
}

/// `false`: no such user.
pub(super) async fn forget_failures(db: &Db, id: UserId) -> Result<bool> {
    let update = "UPDATE users SET failures = 0, last_failure_at = NULL WHERE id = $1";
    Ok(db.run(update, params![id.0]).await? > 0)
}

/// Tells every node, and the audit.
pub(super) async fn changed(db: &Db, id: UserId, event: &AuditEvent) -> Result<()> {
    news::add(db, event.at, NewsItem::UserChanged(id)).await?;
    audit::append(db, event).await
}

/// `None`: the name is taken.
async fn insert(db: &Db, new: &NewUser, now: Timestamp) -> Result<Option<User>> {
    let insert = concat!(
        "INSERT INTO users (username, username_key, email, email_key, first_name, first_name_key,
            last_name, last_name_key, password, password_cost, is_active, is_staff, is_superuser, joined_at, fields)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (username_key) DO NOTHING RETURNING ",
        user_columns!()
    );
    let (first_name, last_name) = (sql::without_nul(&new.first_name), sql::without_nul(&new.last_name));
    let (first_key, last_key) = (NameKey::of_any(&first_name), NameKey::of_any(&last_name));
    let params = params![
        new.username,
        new.username_key.as_str(),
        new.email,
        new.email_key.as_str(),
        &*first_name,
        first_key.as_str(),
        &*last_name,
        last_key.as_str(),
        new.password.hash.expose(),
        new.password.cost,
        new.is_active,
        new.is_staff,
        new.is_superuser,
        now.millis(),
        row::json(&new.fields)?,
    ];
    db.first(insert, params, |row| row::user(row, 0)).await
}

//! Looking after people: lists, what they may do, and changes of both.

use countersign_core::fields::UserFields;
use countersign_core::name::NameKey;
use countersign_core::session::EndReason;
use countersign_core::{ClaimsRoom, GroupId, PermissionName, Rights, UserId};
use rusqlite::Connection;
use serde_json::Value;

use super::sql::{self, Result};
use super::users;
use super::{Sqlite, admin, audit, fields, links, news, sessions};
use crate::listing::Statement;
use crate::listing::users::{self as users_list, Candidates, Sorted};
use crate::people::{DETAIL, MEMBERSHIPS, link_is_doubtful, page_of_users};
use crate::row::{self, user_columns};
use crate::told::changes;
use crate::{
    AuditEvent, ChangedUser, Edit, NewsItem, Page, PeopleError, Person, Reach, User, UserChange, UserCursor,
    UserDetail, UserFilter, UserPage,
};

/// What a change of people returns.
pub(super) type Changed<T> = std::result::Result<T, PeopleError>;

impl Sqlite {
    pub(crate) async fn users(&self, filter: UserFilter) -> Result<UserPage> {
        self.read(move |db| page(db, &filter)).await
    }

    pub(crate) async fn user_detail(&self, id: UserId) -> Result<Option<UserDetail>> {
        self.read(move |db| {
            let account = sql::first(db, DETAIL, [id.0], |row| row::account(row))?;
            let (Some((has_password, ceiling, link_expires_at)), Some(person)) = (account, person(db, id)?)
            else {
                return Ok(None);
            };
            Ok(Some(UserDetail { person, ceiling, has_password, link_expires_at }))
        })
        .await
    }

    pub(crate) async fn rights(&self, id: UserId) -> Result<Option<Rights>> {
        self.read(move |db| Ok(person(db, id)?.map(|person| person.rights()))).await
    }

    pub(crate) async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        reach: Reach,
        event: AuditEvent,
    ) -> Changed<ChangedUser> {
        let declared = self.declared();
        self.write_or_refuse(move |db| change_user(db, &declared, (id, &change), &reach, event)).await
    }
}

/// A page of users, as `listing` says.
fn page(db: &Connection, filter: &UserFilter) -> Result<UserPage> {
    for candidates in users_list::candidates(filter) {
        let is_whole =
            Candidates::is_whole(sql::value(db, &candidates.count().text, sql::values(&candidates.count()))?);
        if is_whole || candidates.is_search {
            let mut rows = sorted(db, &candidates.page(filter, user_columns!()))?;
            let next = users_list::next_after(&mut rows, filter.limit);
            return Ok(UserPage { page: page_of_users(rows, next), cut: !is_whole });
        }
    }
    let page = if users_list::is_filtered(filter) {
        in_stretches(db, filter)?
    } else {
        let mut rows = sorted(db, &users_list::walk(filter, user_columns!()))?;
        let next = users_list::next_after(&mut rows, filter.limit);
        page_of_users(rows, next)
    };
    Ok(UserPage { page, cut: false })
}

fn in_stretches(db: &Connection, filter: &UserFilter) -> Result<Page<User, UserCursor>> {
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX).saturating_add(1);
    let (mut rows, mut after) = (Vec::new(), filter.after.clone());
    for _ in 0..users_list::STRETCHES {
        let end = users_list::stretch_end(filter, after.as_ref());
        let end = sql::first(db, &end.text, sql::values(&end), |row| {
            Ok(UserCursor { key: row.get(0)?, id: UserId(row.get(1)?) })
        })?;
        let missing = i64::try_from(wanted - rows.len()).unwrap_or(i64::MAX);
        let between = (after.as_ref(), end.as_ref());
        rows.extend(sorted(db, &users_list::stretch(filter, user_columns!(), between, missing))?);
        if rows.len() >= wanted {
            let next = users_list::next_after(&mut rows, filter.limit);
            return Ok(page_of_users(rows, next));
        }
        after = end;
        if after.is_none() {
            break;
        }
    }
    Ok(page_of_users(rows, after))
}

fn sorted(db: &Connection, statement: &Statement) -> Result<Vec<Sorted>> {
    sql::all(db, &statement.text, sql::values(statement), |row| row::sorted_user(row))
}

/// A user and what they may do.
pub(super) fn person(db: &Connection, id: UserId) -> Result<Option<Person>> {
    let Some(user) = users::by_id(db, id)? else { return Ok(None) };
    let mut person = Person::bare(user);
    sql::all(db, MEMBERSHIPS, [id.0], |row| row::membership(row, &mut person))?;
    Ok(Some(person))
}

/// What a user may do, if it is asked for; and whether there is room for it.
pub(super) fn rights_within(
    db: &Connection,
    room: Option<ClaimsRoom>,
    user: UserId,
) -> Result<(Option<Rights>, bool)> {
    let Some(room) = room else { return Ok((None, true)) };
    let rights = person(db, user)?.map(|person| person.rights());
    let fits = rights.as_ref().is_none_or(|rights| room.holds(rights));
    Ok((rights, fits))
}

pub(super) fn change_user(
    db: &Connection,
    declared: &UserFields,
    (id, change): (UserId, &UserChange),
    reach: &Reach,
    event: AuditEvent,
) -> Changed<ChangedUser> {
    if let Some(field) = fields::taken(db, declared, Some(id), &change.fields)? {
        return Err(PeopleError::FieldTaken(field));
    }
    let changed = carry_out(db, id, change, reach, event)?;
    fields::keep(db, declared, id, &change.fields)?;
    Ok(changed)
}

fn carry_out(
    db: &Connection,
    id: UserId,
    change: &UserChange,
    reach: &Reach,
    mut event: AuditEvent,
) -> Changed<ChangedUser> {
    let before = within_reach(db, id, reach)?;
    let user = change.applied_to(&before.user);
    if !(user.is_active && user.is_superuser) {
        keep_last_superuser(db, &before.user)?;
    }
    if let Some((username, key)) = &change.username {
        rename(db, id, username, key)?;
    }
    if let Some((email, key)) = &change.email {
        users::set_email(db, id, email, key)?;
    }
    users::set_names_and_fields(db, &user)?;
    let update = "UPDATE users SET is_active = $1, is_staff = $2, is_superuser = $3 WHERE id = $4";
    sql::run(db, update, (user.is_active, user.is_staff, user.is_superuser, id.0))?;
    edit_groups(db, id, &change.groups)?;
    edit_permissions(db, id, &change.permissions)?;

    let after = person(db, id)?.ok_or(PeopleError::NoSuchUser)?;
    let changes = changes(&before, &after);
    if changes.is_empty() {
        return Ok(ChangedUser { person: after, event: None });
    }
    if before.user.is_active && !after.user.is_active {
        sessions::end_all(db, id, None, EndReason::UserDeactivated, event.at)?;
    }
    if before.user.is_staff && !after.user.is_staff {
        admin::end_all(db, id)?;
    }
    if link_is_doubtful(&before, &after) {
        links::drop_of(db, id)?;
    }
    event.user = Some(id);
    event.detail.insert("changes".to_owned(), Value::Object(changes));
    users::changed(db, id, &event)?;
    Ok(ChangedUser { person: after, event: Some(event) })
}

/// The user, if they are there and those who act may touch them.
pub(super) fn within_reach(db: &Connection, id: UserId, reach: &Reach) -> Changed<Person> {
    let person = person(db, id)?.ok_or(PeopleError::NoSuchUser)?;
    if reach.covers(&person.rights()) { Ok(person) } else { Err(PeopleError::OutOfReach) }
}

/// Refuses to go on where this user is the last active superuser.
pub(super) fn keep_last_superuser(db: &Connection, user: &User) -> Changed<()> {
    if !(user.is_active && user.is_superuser) {
        return Ok(());
    }
    let query = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser AND is_active AND id <> $1)";
    if sql::value(db, query, [user.id.0])? { Ok(()) } else { Err(PeopleError::LastSuperuser) }
}

fn rename(db: &Connection, id: UserId, username: &str, key: &NameKey) -> Changed<()> {
    let query = "SELECT EXISTS (SELECT 1 FROM users WHERE username_key = $1 AND id <> $2)";
    if sql::value(db, query, (key.as_str(), id.0))? {
        return Err(PeopleError::UsernameTaken);
    }
    sql::run(
        db,
        "UPDATE users SET username = $1, username_key = $2 WHERE id = $3",
        (username, key.as_str(), id.0),
    )
    .map_err(crate::StoreError::from)?;
    Ok(())
}

pub(super) fn edit_groups(db: &Connection, id: UserId, edit: &Edit<GroupId>) -> Changed<()> {
    for group in &edit.add {
        if !sql::value(db, "SELECT EXISTS (SELECT 1 FROM groups WHERE id = $1)", [group.0])? {
            return Err(PeopleError::NoSuchGroup);
        }
        let insert = "INSERT INTO user_groups (user_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sql::run(db, insert, (id.0, group.0))?;
    }
    for group in &edit.remove {
        sql::run(db, "DELETE FROM user_groups WHERE user_id = $1 AND group_id = $2", (id.0, group.0))?;
    }
    Ok(())
}

pub(super) fn edit_permissions(db: &Connection, id: UserId, edit: &Edit<PermissionName>) -> Changed<()> {
    for name in &edit.add {
        let insert = "INSERT INTO user_permissions (user_id, permission_id) VALUES ($1, $2)
            ON CONFLICT DO NOTHING";
        sql::run(db, insert, (id.0, permission_id(db, name)?))?;
    }
    for name in &edit.remove {
        let delete = "DELETE FROM user_permissions WHERE user_id = $1
            AND permission_id = (SELECT id FROM permissions WHERE name = $2)";
        sql::run(db, delete, (id.0, name.as_str()))?;
    }
    Ok(())
}

pub(super) fn permission_id(db: &Connection, name: &PermissionName) -> Changed<i64> {
    let query = "SELECT id FROM permissions WHERE name = $1";
    sql::first(db, query, [name.as_str()], |row| Ok(row.get(0)?))?
        .ok_or_else(|| PeopleError::NoSuchPermission(name.clone()))
}

/// Tells every node that many users' rights changed, and the audit why.
pub(super) fn rights_changed(db: &Connection, event: &AuditEvent) -> Result<()> {
    news::add(db, event.at, NewsItem::RightsChanged)?;
    audit::append(db, event)
}

/// What SQLite refuses within a change of people.
impl From<rusqlite::Error> for PeopleError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

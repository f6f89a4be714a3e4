//! Looking after people: lists, what they may do, and changes of both.
//!
//! Whatever can refuse a change is asked before anything is changed, with the rows locked that the answer is about. Those
//! who might take the last superuser's place lock all of them first, in one order, so that of two who demote each other
//! one sees what the other did.

use std::collections::BTreeSet;

use countersign_core::{ClaimsRoom, GroupId, PermissionName, Rights, UserId};
use serde_json::Value;

use super::sql::{self, Db, Result, params};
use super::{Postgres, admin, audit, fields, links, news, sessions, users};
use crate::listing::Statement;
use crate::listing::users::{self as users_list, Candidates, Sorted};
use crate::people::{DETAIL, MEMBERSHIPS, link_is_doubtful, page_of_users};
use crate::row::{self, Columns, user_columns};
use crate::told::changes;
use crate::{
    AuditEvent, ChangedUser, Edit, NewsItem, Page, PeopleError, Person, Reach, StoreError, User, UserChange,
    UserCursor, UserDetail, UserFilter, UserPage,
};
use countersign_core::fields::UserFields;
use countersign_core::session::EndReason;

type Answer<T> = std::result::Result<T, StoreError>;

/// What a change of people returns: what refuses it is no error of the statements, and nothing was changed before.
pub(super) type Changed<T> = std::result::Result<T, PeopleError>;

/// Goes on with what was found, or tells why not.
macro_rules! or_refuse {
    ($checked:expr) => {
        match $checked {
            Ok(value) => value,
            Err(refused) => return Ok(Err(refused)),
        }
    };
}
pub(super) use or_refuse;

impl Postgres {
    pub(crate) async fn users(&self, filter: UserFilter) -> Answer<UserPage> {
        self.read(filter, |db, filter| async move { page(&db, &filter).await }).await
    }

    pub(crate) async fn user_detail(&self, id: UserId) -> Answer<Option<UserDetail>> {
        self.read(id, |db, id| async move {
            let account = db.first(DETAIL, params![id.0], row::account).await?;
            let (Some((has_password, ceiling, link_expires_at)), Some(person)) =
                (account, person(&db, *id).await?)
            else {
                return Ok(None);
            };
            Ok(Some(UserDetail { person, ceiling, has_password, link_expires_at }))
        })
        .await
    }

    pub(crate) async fn rights(&self, id: UserId) -> Answer<Option<Rights>> {
        self.read(id, |db, id| async move { Ok(person(&db, *id).await?.map(|person| person.rights())) }).await
    }

    pub(crate) async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        reach: Reach,
        event: AuditEvent,
    ) -> Changed<ChangedUser> {
        self.write((self.declared(), (id, change, reach, event)), |db, args| async move {
            let (declared, (id, change, reach, event)) = &*args;
            change_user(&db, declared, (*id, change), reach, event.clone()).await
        })
        .await?
    }
}

/// A change that is refused has changed nothing.
pub(super) async fn change_user(
    db: &Db,
    declared: &UserFields,
    (id, change): (UserId, &UserChange),
    reach: &Reach,
    event: AuditEvent,
) -> Result<Changed<ChangedUser>> {
    if demotes(change) {
        lock_superusers(db).await?;
    }
    let before = or_refuse!(within_reach(db, id, reach).await?);
    if let Some(field) = fields::taken(db, declared, Some(id), &change.fields).await? {
        return Ok(Err(PeopleError::FieldTaken(field)));
    }
    or_refuse!(may_change(db, &before, change).await?);
    fields::keep(db, declared, id, &change.fields).await?;
    carry_out(db, before, change, event).await.map(Ok)
}

/// A page of users, as `listing` says.
async fn page(db: &Db, filter: &UserFilter) -> Result<UserPage> {
    for candidates in users_list::candidates(filter) {
        let count = db.rows(&candidates.count(), |row| row.number_there(0)).await?;
        let is_whole = count.first().is_some_and(|count| Candidates::is_whole(*count));
        if is_whole || candidates.is_search {
            let mut rows = sorted(db, &candidates.page(filter, user_columns!())).await?;
            let next = users_list::next_after(&mut rows, filter.limit);
            return Ok(UserPage { page: page_of_users(rows, next), cut: !is_whole });
        }
    }
    let page = if users_list::is_filtered(filter) {
        in_stretches(db, filter).await?
    } else {
        let mut rows = sorted(db, &users_list::walk(filter, user_columns!())).await?;
        let next = users_list::next_after(&mut rows, filter.limit);
        page_of_users(rows, next)
    };
    Ok(UserPage { page, cut: false })
}

async fn in_stretches(db: &Db, filter: &UserFilter) -> Result<Page<User, UserCursor>> {
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX).saturating_add(1);
    let (mut rows, mut after) = (Vec::new(), filter.after.clone());
    for _ in 0..users_list::STRETCHES {
        let end = users_list::stretch_end(filter, after.as_ref());
        let end =
            db.rows(&end, |row| Ok(UserCursor { key: row.text_there(0)?, id: UserId(row.number_there(1)?) }));
        let end = end.await?.pop();
        let missing = i64::try_from(wanted - rows.len()).unwrap_or(i64::MAX);
        let between = (after.as_ref(), end.as_ref());
        rows.extend(sorted(db, &users_list::stretch(filter, user_columns!(), between, missing)).await?);
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

async fn sorted(db: &Db, statement: &Statement) -> Result<Vec<Sorted>> {
    db.rows(statement, row::sorted_user).await
}

/// A user and what they may do.
pub(super) async fn person(db: &Db, id: UserId) -> Result<Option<Person>> {
    filled_in(db, users::by_id(db, id).await?).await
}

async fn filled_in(db: &Db, user: Option<User>) -> Result<Option<Person>> {
    let Some(user) = user else { return Ok(None) };
    let id = user.id;
    let mut person = Person::bare(user);
    db.all(MEMBERSHIPS, params![id.0], |row| row::membership(row, &mut person)).await?;
    Ok(Some(person))
}

/// What a user may do, if it is asked for; and whether there is room for it.
pub(super) async fn rights_within(
    db: &Db,
    room: Option<ClaimsRoom>,
    user: UserId,
) -> Result<(Option<Rights>, bool)> {
    let Some(room) = room else { return Ok((None, true)) };
    let rights = person(db, user).await?.map(|person| person.rights());
    let fits = rights.as_ref().is_none_or(|rights| room.holds(rights));
    Ok((rights, fits))
}

/// The user, whom nobody else changes from here on, if they are there and those who act may touch them.
pub(super) async fn within_reach(db: &Db, id: UserId, reach: &Reach) -> Result<Changed<Person>> {
    let Some(person) = filled_in(db, users::locked(db, id).await?).await? else {
        return Ok(Err(PeopleError::NoSuchUser));
    };
    Ok(if reach.covers(&person.rights()) { Ok(person) } else { Err(PeopleError::OutOfReach) })
}

/// Takes all active superusers, in the order of their ids, until the transaction ends. Before any other user.
pub(super) async fn lock_superusers(db: &Db) -> Result<()> {
    let query = "SELECT id FROM users WHERE is_superuser AND is_active ORDER BY id FOR UPDATE";
    db.run(query, &[]).await.map(drop)
}

/// Refuses to go on where this user is the last active superuser. All of them are locked.
pub(super) async fn keep_last_superuser(db: &Db, user: &User) -> Result<Changed<()>> {
    if !(user.is_active && user.is_superuser) {
        return Ok(Ok(()));
    }
    let query = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser AND is_active AND id <> $1)";
    let others = db.first(query, params![user.id.0], |row| row.flag(0)).await?;
    Ok(if others == Some(true) { Ok(()) } else { Err(PeopleError::LastSuperuser) })
}

fn demotes(change: &UserChange) -> bool {
    change.is_active == Some(false) || change.is_superuser == Some(false)
}

/// Whatever else can refuse a change.
async fn may_change(db: &Db, before: &Person, change: &UserChange) -> Result<Changed<()>> {
    if demotes(change) {
        or_refuse!(keep_last_superuser(db, &before.user).await?);
    }
    if let Some((_, key)) = &change.username {
        let query = "SELECT EXISTS (SELECT 1 FROM users WHERE username_key = $1 AND id <> $2)";
        if db.first(query, params![key.as_str(), before.user.id.0], |row| row.flag(0)).await? == Some(true) {
            return Ok(Err(PeopleError::UsernameTaken));
        }
    }
    may_have(db, &change.groups.add, &change.permissions.add).await
}

/// Whether these groups and permissions are there; they stay until the transaction ends.
pub(super) async fn may_have(
    db: &Db,
    groups: &BTreeSet<GroupId>,
    permissions: &BTreeSet<PermissionName>,
) -> Result<Changed<()>> {
    for group in groups {
        let query = "SELECT id FROM groups WHERE id = $1 FOR KEY SHARE";
        if db.first(query, params![group.0], |_| Ok(())).await?.is_none() {
            return Ok(Err(PeopleError::NoSuchGroup));
        }
    }
    for name in permissions {
        let query = "SELECT id FROM permissions WHERE name = $1 FOR KEY SHARE";
        if db.first(query, params![name.as_str()], |_| Ok(())).await?.is_none() {
            return Ok(Err(PeopleError::NoSuchPermission(name.clone())));
        }
    }
    Ok(Ok(()))
}

async fn carry_out(
    db: &Db,
    before: Person,
    change: &UserChange,
    mut event: AuditEvent,
) -> Result<ChangedUser> {
    let id = before.user.id;
    if let Some((username, key)) = &change.username {
        let update = "UPDATE users SET username = $1, username_key = $2 WHERE id = $3";
        db.run(update, params![username, key.as_str(), id.0]).await.map_err(sql::lost_if_taken)?;
    }
    if let Some((email, key)) = &change.email {
        users::set_email(db, id, email, key).await?;
    }
    let user = change.applied_to(&before.user);
    users::set_names_and_fields(db, &user).await?;
    let update = "UPDATE users SET is_active = $1, is_staff = $2, is_superuser = $3 WHERE id = $4";
    db.run(update, params![user.is_active, user.is_staff, user.is_superuser, id.0]).await?;
    edit_groups(db, id, &change.groups).await?;
    edit_permissions(db, id, &change.permissions).await?;

    let after = row::known(person(db, id).await?, "the changed user")?;
    let changes = changes(&before, &after);
    if changes.is_empty() {
        return Ok(ChangedUser { person: after, event: None });
    }
    if link_is_doubtful(&before, &after) {
        links::drop_of(db, id).await?;
    }
    if before.user.is_active && !after.user.is_active {
        sessions::end_all(db, id, None, EndReason::UserDeactivated, event.at).await?;
    }
    if before.user.is_staff && !after.user.is_staff {
        admin::end_all(db, id).await?;
    }
    event.user = Some(id);
    event.detail.insert("changes".to_owned(), Value::Object(changes));
    users::changed(db, id, &event).await?;
    Ok(ChangedUser { person: after, event: Some(event) })
}

/// The groups that are added are there ([`may_have`]).
pub(super) async fn edit_groups(db: &Db, id: UserId, edit: &Edit<GroupId>) -> Result<()> {
    for group in &edit.add {
        let insert = "INSERT INTO user_groups (user_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        db.run(insert, params![id.0, group.0]).await?;
    }
    for group in &edit.remove {
        let delete = "DELETE FROM user_groups WHERE user_id = $1 AND group_id = $2";
        db.run(delete, params![id.0, group.0]).await?;
    }
    Ok(())
}

/// The permissions that are added are there ([`may_have`]).
pub(super) async fn edit_permissions(db: &Db, id: UserId, edit: &Edit<PermissionName>) -> Result<()> {
    for name in &edit.add {
        let insert = "INSERT INTO user_permissions (user_id, permission_id)
            SELECT $1, id FROM permissions WHERE name = $2 ON CONFLICT DO NOTHING";
        db.run(insert, params![id.0, name.as_str()]).await?;
    }
    for name in &edit.remove {
        let delete = "DELETE FROM user_permissions WHERE user_id = $1
            AND permission_id = (SELECT id FROM permissions WHERE name = $2)";
        db.run(delete, params![id.0, name.as_str()]).await?;
    }
    Ok(())
}

/// Tells every node that many users' rights changed, and the audit why.
pub(super) async fn rights_changed(db: &Db, event: &AuditEvent) -> Result<()> {
    news::add(db, event.at, NewsItem::RightsChanged).await?;
    audit::append(db, event).await
}

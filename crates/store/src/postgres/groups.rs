//! Groups and permissions.

use std::collections::BTreeSet;

use countersign_core::name::NameKey;
use countersign_core::{GroupId, GroupName, PermissionName};
use serde_json::Value;

use super::people::{Changed, may_have, or_refuse, rights_changed};
use super::sql::{self, Db, Result, params};
use super::{Postgres, audit, links};
use crate::listing::{cut, one_more};
use crate::row::{self, Columns, group_name, permission_name};
use crate::told::{about_group, about_whole_group, group_changes};
use crate::{
    AuditEvent, ChangedGroup, Edit, Group, GroupChange, GroupFilter, Page, PeopleError, Permission, Reach,
    StoreError,
};

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn groups(&self, filter: GroupFilter) -> Answer<Page<Group, GroupName>> {
        self.read(filter, |db, filter| async move {
            let prefix = NameKey::of_any(&sql::without_nul(&filter.search));
            let after = filter.after.as_ref().map(GroupName::key);
            let after = after.as_ref().map_or("", NameKey::as_str);
            let query = "SELECT id, name FROM groups
                WHERE name_key >= $1 AND name_key < $2 AND name_key > $3 ORDER BY name_key LIMIT $4";
            let end = format!("{}\u{10ffff}", prefix.as_str());
            let params = params![prefix.as_str(), end, after, one_more(filter.limit)];
            let mut found = db.all(query, params, id_and_name).await?;
            let more = cut(&mut found, filter.limit);
            let mut rows = Vec::with_capacity(found.len());
            for (id, name) in found {
                rows.push(complete(&db, id, name).await?);
            }
            let next = if more { rows.last().map(|group| group.name.clone()) } else { None };
            Ok(Page { rows, next })
        })
        .await
    }

    pub(crate) async fn group(&self, id: GroupId) -> Answer<Option<Group>> {
        self.read(id, |db, id| async move { by_id(&db, *id, "").await }).await
    }

    pub(crate) async fn create_group(
        &self,
        name: GroupName,
        permissions: BTreeSet<PermissionName>,
        event: AuditEvent,
    ) -> Changed<Group> {
        self.write((name, permissions, event), |db, args| async move {
            let (name, permissions, event) = &*args;
            create(&db, name, permissions, event.clone()).await
        })
        .await?
    }

    pub(crate) async fn change_group(
        &self,
        id: GroupId,
        change: GroupChange,
        event: AuditEvent,
    ) -> Changed<ChangedGroup> {
        self.write((id, change, event), |db, args| async move {
            let (id, change, event) = &*args;
            self::change(&db, *id, change, event.clone()).await
        })
        .await?
    }

    pub(crate) async fn delete_group(
        &self,
        id: GroupId,
        reach: Reach,
        event: AuditEvent,
    ) -> Changed<Option<AuditEvent>> {
        self.write((id, reach, event), |db, args| async move {
            let (id, reach, event) = &*args;
            // Locked, and read after that: whoever gives it more waits, or was before.
            if by_id(&db, *id, " FOR UPDATE").await?.is_none() {
                return Ok(Ok(None));
            }
            let group = row::known(by_id(&db, *id, "").await?, "the group to delete")?;
            or_refuse!(reach.may_delete(&group));
            db.run("DELETE FROM groups WHERE id = $1", params![id.0]).await?;
            let event = about_whole_group(event.clone(), &group);
            rights_changed(&db, &event).await?;
            Ok(Ok(Some(event)))
        })
        .await?
    }

    pub(crate) async fn permissions(&self) -> Answer<Vec<Permission>> {
        self.read((), |db, _| async move {
            let query = "SELECT name, description, built_in FROM permissions ORDER BY name";
            db.all(query, &[], row::permission).await
        })
        .await
    }

    pub(crate) async fn create_permission(
        &self,
        name: PermissionName,
        description: String,
        event: AuditEvent,
    ) -> Changed<()> {
        self.write((name, description, event), |db, args| async move {
            let (name, description, event) = &*args;
            let insert = "INSERT INTO permissions (name, description, built_in) VALUES ($1, $2, FALSE)
                ON CONFLICT (name) DO NOTHING";
            if db.run(insert, params![name.as_str(), &*sql::without_nul(description)]).await? == 0 {
                return Ok(Err(PeopleError::PermissionExists));
            }
            let mut event = event.clone();
            event.detail.insert("permission".to_owned(), name.as_str().into());
            audit::append(&db, &event).await.map(Ok)
        })
        .await?
    }

    pub(crate) async fn delete_permission(&self, name: PermissionName, event: AuditEvent) -> Changed<bool> {
        self.write((name, event), |db, args| async move {
            let (name, event) = &*args;
            let query = "SELECT built_in FROM permissions WHERE name = $1 FOR UPDATE";
            match db.first(query, params![name.as_str()], |row| row.flag(0)).await? {
                None => return Ok(Ok(false)),
                Some(true) => return Ok(Err(PeopleError::BuiltIn)),
                Some(false) => {}
            }
            db.run("DELETE FROM permissions WHERE name = $1", params![name.as_str()]).await?;
            let mut event = event.clone();
            event.detail.insert("permission".to_owned(), name.as_str().into());
            rights_changed(&db, &event).await?;
            Ok(Ok(true))
        })
        .await?
    }
}

pub(super) async fn create(
    db: &Db,
    name: &GroupName,
    permissions: &BTreeSet<PermissionName>,
    event: AuditEvent,
) -> Result<Changed<Group>> {
    or_refuse!(may_have(db, &BTreeSet::new(), permissions).await?);
    let insert = "INSERT INTO groups (name, name_key) VALUES ($1, $2)
        ON CONFLICT (name_key) DO NOTHING RETURNING id";
    let key = name.key();
    let params = params![name.as_str(), key.as_str()];
    let made = db.first(insert, params, |row| row.number_there(0)).await?;
    let Some(id) = made.map(GroupId) else { return Ok(Err(PeopleError::GroupNameTaken)) };
    edit_permissions(db, id, &Edit { add: permissions.clone(), remove: BTreeSet::new() }).await?;
    let group = complete(db, id, name.clone()).await?;
    audit::append(db, &about_whole_group(event, &group)).await?;
    Ok(Ok(group))
}

pub(super) async fn change(
    db: &Db,
    id: GroupId,
    change: &GroupChange,
    event: AuditEvent,
) -> Result<Changed<ChangedGroup>> {
    let Some(before) = by_id(db, id, " FOR UPDATE").await? else {
        return Ok(Err(PeopleError::NoSuchGroup));
    };
    or_refuse!(may_have(db, &BTreeSet::new(), &change.permissions.add).await?);
    if let Some(name) = &change.name {
        or_refuse!(rename(db, id, name).await?);
    }
    edit_permissions(db, id, &change.permissions).await?;
    let after = row::known(by_id(db, id, "").await?, "the changed group")?;
    let changes = group_changes(&before, &after);
    if changes.is_empty() {
        return Ok(Ok(ChangedGroup { group: after, event: None }));
    }
    if !after.permissions.is_subset(&before.permissions) {
        links::drop_of_group(db, id).await?;
    }
    let mut event = about_group(event, id, &before.name);
    event.detail.insert("changes".to_owned(), Value::Object(changes));
    rights_changed(db, &event).await?;
    Ok(Ok(ChangedGroup { group: after, event: Some(event) }))
}

async fn by_id(db: &Db, id: GroupId, locking: &str) -> Result<Option<Group>> {
    let query = format!("SELECT id, name FROM groups WHERE id = $1{locking}");
    match db.first(&query, params![id.0], id_and_name).await? {
        Some((id, name)) => complete(db, id, name).await.map(Some),
        None => Ok(None),
    }
}

async fn complete(db: &Db, id: GroupId, name: GroupName) -> Result<Group> {
    let query = "SELECT permissions.name FROM group_permissions
        JOIN permissions ON permissions.id = group_permissions.permission_id WHERE group_id = $1";
    let permissions = db.all(query, params![id.0], |row| permission_name(row, 0)).await?;
    let count = "SELECT count(*) FROM (SELECT 1 FROM user_groups WHERE group_id = $1 LIMIT $2) AS members";
    let members =
        db.first(count, params![id.0, i64::from(Group::COUNTED)], |row| row.number_there(0)).await?;
    let members = members.unwrap_or(0).unsigned_abs();
    Ok(Group { id, name, permissions: permissions.into_iter().collect(), members })
}

/// To be asked before anything else is changed.
async fn rename(db: &Db, id: GroupId, name: &GroupName) -> Result<Changed<()>> {
    let key = name.key();
    let query = "SELECT EXISTS (SELECT 1 FROM groups WHERE name_key = $1 AND id <> $2)";
    if db.first(query, params![key.as_str(), id.0], |row| row.flag(0)).await? == Some(true) {
        return Ok(Err(PeopleError::GroupNameTaken));
    }
    let update = "UPDATE groups SET name = $1, name_key = $2 WHERE id = $3";
    db.run(update, params![name.as_str(), key.as_str(), id.0]).await.map_err(sql::lost_if_taken)?;
    Ok(Ok(()))
}

/// The permissions that are added are there ([`may_have`]).
async fn edit_permissions(db: &Db, id: GroupId, edit: &Edit<PermissionName>) -> Result<()> {
    for name in &edit.add {
        let insert = "INSERT INTO group_permissions (group_id, permission_id)
            SELECT $1, id FROM permissions WHERE name = $2 ON CONFLICT DO NOTHING";
        db.run(insert, params![id.0, name.as_str()]).await?;
    }
    for name in &edit.remove {
        let delete = "DELETE FROM group_permissions WHERE group_id = $1
            AND permission_id = (SELECT id FROM permissions WHERE name = $2)";
        db.run(delete, params![id.0, name.as_str()]).await?;
    }
    Ok(())
}

fn id_and_name(row: &tokio_postgres::Row) -> Answer<(GroupId, GroupName)> {
    Ok((GroupId(row.number_there(0)?), group_name(row, 1)?))
}

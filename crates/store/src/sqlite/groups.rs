//! Groups and permissions.

use std::collections::BTreeSet;

use countersign_core::name::NameKey;
use countersign_core::{GroupId, GroupName, PermissionName};
use rusqlite::{Connection, Row};
use serde_json::Value;

use super::people::{Changed, permission_id, rights_changed};
use super::sql::{self, Result};
use super::{Sqlite, audit, links};
use crate::row::{self, group_name, permission_name};
use crate::told::{about_group, about_whole_group, group_changes};
use crate::{
    AuditEvent, ChangedGroup, Edit, Group, GroupChange, GroupFilter, Page, PeopleError, Permission, Reach,
};

impl Sqlite {
    pub(crate) async fn groups(&self, filter: GroupFilter) -> Result<Page<Group, GroupName>> {
        self.read(move |db| {
            let prefix = NameKey::of_any(&filter.search);
            let after = filter.after.as_ref().map(GroupName::key);
            let after = after.as_ref().map_or("", NameKey::as_str);
            let query = "SELECT id, name FROM groups
                WHERE name_key >= $1 AND name_key < $2 AND name_key > $3 ORDER BY name_key LIMIT $4";
            let params = (
                prefix.as_str(),
                format!("{}\u{10ffff}", prefix.as_str()),
                after,
                i64::from(filter.limit) + 1,
            );
            let found = sql::all(db, query, params, id_and_name)?;
            let mut rows = Vec::with_capacity(found.len());
            for (id, name) in found.iter().take(usize::try_from(filter.limit).unwrap_or(usize::MAX)) {
                rows.push(complete(db, *id, name.clone())?);
            }
            let next =
                if found.len() > rows.len() { rows.last().map(|group| group.name.clone()) } else { None };
            Ok(Page { rows, next })
        })
        .await
    }

    pub(crate) async fn group(&self, id: GroupId) -> Result<Option<Group>> {
        self.read(move |db| by_id(db, id)).await
    }

    pub(crate) async fn create_group(
        &self,
        name: GroupName,
        permissions: BTreeSet<PermissionName>,
        event: AuditEvent,
    ) -> Changed<Group> {
        self.write_or_refuse(move |db| create(db, &name, permissions, event)).await
    }

    pub(crate) async fn change_group(
        &self,
        id: GroupId,
        change: GroupChange,
        event: AuditEvent,
    ) -> Changed<ChangedGroup> {
        self.write_or_refuse(move |db| self::change(db, id, &change, event)).await
    }

    pub(crate) async fn delete_group(
        &self,
        id: GroupId,
        reach: Reach,
        event: AuditEvent,
    ) -> Changed<Option<AuditEvent>> {
        self.write_or_refuse(move |db| {
            let Some(group) = by_id(db, id)? else { return Ok(None) };
            reach.may_delete(&group)?;
            sql::run(db, "DELETE FROM groups WHERE id = $1", [id.0])?;
            let event = about_whole_group(event, &group);
            rights_changed(db, &event)?;
            Ok(Some(event))
        })
        .await
    }

    pub(crate) async fn permissions(&self) -> Result<Vec<Permission>> {
        self.read(|db| {
            let query = "SELECT name, description, built_in FROM permissions ORDER BY name";
            sql::all(db, query, [], |row| row::permission(row))
        })
        .await
    }

    pub(crate) async fn create_permission(
        &self,
        name: PermissionName,
        description: String,
        mut event: AuditEvent,
    ) -> Changed<()> {
        self.write_or_refuse(move |db| {
            let insert = "INSERT INTO permissions (name, description, built_in) VALUES ($1, $2, FALSE)
                ON CONFLICT (name) DO NOTHING";
            if sql::run(db, insert, (name.as_str(), &description))? == 0 {
                return Err(PeopleError::PermissionExists);
            }
            event.detail.insert("permission".to_owned(), name.as_str().into());
            Ok(audit::append(db, &event)?)
        })
        .await
    }

    pub(crate) async fn delete_permission(
        &self,
        name: PermissionName,
        mut event: AuditEvent,
    ) -> Changed<bool> {
        self.write_or_refuse(move |db| {
            let query = "SELECT built_in FROM permissions WHERE name = $1";
            match sql::first(db, query, [name.as_str()], |row| Ok(row.get(0)?))? {
                None => return Ok(false),
                Some(true) => return Err(PeopleError::BuiltIn),
                Some(false) => {}
            }
            sql::run(db, "DELETE FROM permissions WHERE name = $1", [name.as_str()])?;
            event.detail.insert("permission".to_owned(), name.as_str().into());
            rights_changed(db, &event)?;
            Ok(true)
        })
        .await
    }
}

pub(super) fn create(
    db: &Connection,
    name: &GroupName,
    permissions: BTreeSet<PermissionName>,
    event: AuditEvent,
) -> Changed<Group> {
    let insert = "INSERT INTO groups (name, name_key) VALUES ($1, $2)
        ON CONFLICT (name_key) DO NOTHING RETURNING id";
    let id = sql::first(db, insert, (name.as_str(), name.key().as_str()), |row| Ok(GroupId(row.get(0)?)))?
        .ok_or(PeopleError::GroupNameTaken)?;
    edit_permissions(db, id, &Edit { add: permissions, remove: BTreeSet::new() })?;
    let group = by_id(db, id)?.ok_or(PeopleError::NoSuchGroup)?;
    audit::append(db, &about_whole_group(event, &group))?;
    Ok(group)
}

pub(super) fn change(
    db: &Connection,
    id: GroupId,
    change: &GroupChange,
    mut event: AuditEvent,
) -> Changed<ChangedGroup> {
    let before = by_id(db, id)?.ok_or(PeopleError::NoSuchGroup)?;
    if let Some(name) = &change.name {
        rename(db, id, name)?;
    }
    edit_permissions(db, id, &change.permissions)?;
    let after = by_id(db, id)?.ok_or(PeopleError::NoSuchGroup)?;
    let changes = group_changes(&before, &after);
    if changes.is_empty() {
        return Ok(ChangedGroup { group: after, event: None });
    }
    if !after.permissions.is_subset(&before.permissions) {
        links::drop_of_group(db, id)?;
    }
    event.detail.insert("changes".to_owned(), Value::Object(changes));
    let event = about_group(event, id, &before.name);
    rights_changed(db, &event)?;
    Ok(ChangedGroup { group: after, event: Some(event) })
}

fn by_id(db: &Connection, id: GroupId) -> Result<Option<Group>> {
    let found = sql::first(db, "SELECT id, name FROM groups WHERE id = $1", [id.0], id_and_name)?;
    found.map(|(id, name)| complete(db, id, name)).transpose()
}

fn complete(db: &Connection, id: GroupId, name: GroupName) -> Result<Group> {
    let query = "SELECT permissions.name FROM group_permissions
        JOIN permissions ON permissions.id = group_permissions.permission_id WHERE group_id = $1";
    let permissions = sql::all(db, query, [id.0], |row| permission_name(row, 0))?;
    let count = "SELECT count(*) FROM (SELECT 1 FROM user_groups WHERE group_id = $1 LIMIT $2) AS members";
    let members: i64 = sql::value(db, count, (id.0, i64::from(Group::COUNTED)))?;
    Ok(Group { id, name, permissions: permissions.into_iter().collect(), members: members.unsigned_abs() })
}

fn rename(db: &Connection, id: GroupId, name: &GroupName) -> Changed<()> {
    let key = name.key();
    let query = "SELECT EXISTS (SELECT 1 FROM groups WHERE name_key = $1 AND id <> $2)";
    if sql::value(db, query, (key.as_str(), id.0))? {
        return Err(PeopleError::GroupNameTaken);
    }
    let update = "UPDATE groups SET name = $1, name_key = $2 WHERE id = $3";
    sql::run(db, update, (name.as_str(), key.as_str(), id.0))?;
    Ok(())
}

fn edit_permissions(db: &Connection, id: GroupId, edit: &Edit<PermissionName>) -> Changed<()> {
    for name in &edit.add {
        let insert = "INSERT INTO group_permissions (group_id, permission_id) VALUES ($1, $2)
            ON CONFLICT DO NOTHING";
        sql::run(db, insert, (id.0, permission_id(db, name)?))?;
    }
    for name in &edit.remove {
        let delete = "DELETE FROM group_permissions WHERE group_id = $1
            AND permission_id = (SELECT id FROM permissions WHERE name = $2)";
        sql::run(db, delete, (id.0, name.as_str()))?;
    }
    Ok(())
}

fn id_and_name(row: &Row<'_>) -> Result<(GroupId, GroupName)> {
    Ok((GroupId(row.get(0)?), group_name(row, 1)?))
}

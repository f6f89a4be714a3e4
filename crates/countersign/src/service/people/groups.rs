//! Groups and permissions.

use std::collections::BTreeSet;

use countersign_core::{BuiltIn, GroupId, GroupName, PermissionName};
use countersign_store::{AuditEvent, EventKind, GroupChange};
use serde_json::{Map, Value};

use super::{Group, GroupFilter, PAGE_MAX, Page, People, Permission, Wanted};
use crate::service::{Error, audit};

/// The longest description of a permission, in characters.
const DESCRIPTION_MAX: usize = 200;

/// What is to change of a group, as it was typed; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupEdit {
    /// A new name. Only a superuser may give one: programs may go by it.
    pub name: Option<String>,
    /// What its members may do.
    pub permissions: Wanted<PermissionName>,
}

impl People<'_> {
    /// A page of groups, by name. Needs `groups.view`.
    pub async fn groups(&self, filter: GroupFilter) -> Result<Page<Group, GroupName>, Error> {
        self.actor.needs(BuiltIn::GroupsView)?;
        let filter = GroupFilter { limit: filter.limit.min(PAGE_MAX), ..filter };
        Ok(self.service.timed("groups", self.service.store.groups(filter)).await?)
    }

    /// A group. Needs `groups.view`.
    pub async fn group(&self, id: GroupId) -> Result<Group, Error> {
        self.actor.needs(BuiltIn::GroupsView)?;
        self.service.timed("group", self.service.store.group(id)).await?.ok_or(Error::NotFound)
    }

    /// Makes a group whose members have these permissions. Needs `groups.change`.
    pub async fn create_group(
        &self,
        name: &str,
        permissions: BTreeSet<PermissionName>,
    ) -> Result<Group, Error> {
        self.actor.needs(BuiltIn::GroupsChange)?;
        self.actor.gives(&permissions)?;
        let name = read_name(name)?;
        let event = self.actor.event(EventKind::GroupCreated, self.service.now());
        let group = self.service.store.create_group(name, permissions, event.clone()).await?;
        let detail = Map::from_iter([("group".to_owned(), group.name.as_str().into())]);
        audit::log(&AuditEvent { detail, ..event });
        Ok(group)
    }

    /// Changes a group. Needs `groups.change`; a new name needs a superuser. Staff add and remove only permissions that
    /// they have.
    pub async fn change_group(&self, id: GroupId, edit: GroupEdit) -> Result<Group, Error> {
        self.actor.needs(BuiltIn::GroupsChange)?;
        let before = self.service.store.group(id).await?.ok_or(Error::NotFound)?;
        let name = edit.name.map(|name| read_name(&name)).transpose()?;
        let change = GroupChange {
            name: name.filter(|name| *name != before.name),
            permissions: edit.permissions.edit(&before.permissions),
        };
        if change.name.is_some() {
            self.actor.needs_superuser()?;
        }
        self.actor.gives(&change.permissions.add)?;
        self.actor.takes(&change.permissions.remove)?;
        let event = self.actor.event(EventKind::GroupChanged, self.service.now());
        let changed = self.service.store.change_group(id, change, event).await.map_err(or_gone)?;
        if let Some(event) = &changed.event {
            self.service.told(true, event).await?;
        }
        Ok(changed.group)
    }

    /// Deletes a group; its members lose what they had through it. Needs `groups.change`, and that who acts is in it and
    /// has all its permissions.
    pub async fn delete_group(&self, id: GroupId) -> Result<(), Error> {
        self.actor.needs(BuiltIn::GroupsChange)?;
        let event = self.actor.event(EventKind::GroupDeleted, self.service.now());
        let deleted = self.service.store.delete_group(id, self.actor.reach(), event).await?;
        self.service.told(true, &deleted.ok_or(Error::NotFound)?).await
    }

    /// All permissions, by name. Needs `groups.view` or `users.view`: who shows a user, shows what they may do.
    pub async fn permissions(&self) -> Result<Vec<Permission>, Error> {
        if !self.actor.may(BuiltIn::UsersView) {
            self.actor.needs(BuiltIn::GroupsView)?;
        }
        Ok(self.service.timed("permissions", self.service.store.permissions()).await?)
    }

    /// Makes a permission. Needs `groups.change`.
    pub async fn create_permission(&self, name: &str, description: &str) -> Result<PermissionName, Error> {
        self.actor.needs(BuiltIn::GroupsChange)?;
        let name = PermissionName::parse(name).map_err(|error| Error::field("name", error.to_string()))?;
        let description = description.trim();
        if description.chars().count() > DESCRIPTION_MAX || description.chars().any(char::is_control) {
            let sentence = format!("Write at most {DESCRIPTION_MAX} characters, without control characters.");
            return Err(Error::field("description", sentence));
        }
        let event = AuditEvent {
            detail: named(&name),
            ..self.actor.event(EventKind::PermissionCreated, self.service.now())
        };
        let made = self.service.store.create_permission(name.clone(), description.to_owned(), event.clone());
        made.await?;
        audit::log(&event);
        Ok(name)
    }

    /// Deletes a permission that isn't built in, and takes it from all who have it. Needs `groups.change`, and a
    /// superuser: it takes from everyone at once, however much they may.
    pub async fn delete_permission(&self, name: &PermissionName) -> Result<(), Error> {
        self.actor.needs(BuiltIn::GroupsChange)?;
        self.actor.needs_superuser()?;
        let event = AuditEvent {
            detail: named(name),
            ..self.actor.event(EventKind::PermissionDeleted, self.service.now())
        };
        let done = self.service.store.delete_permission(name.clone(), event.clone()).await?;
        self.service.told(done, &event).await
    }
}

/// What an event says of a permission.
fn named(permission: &PermissionName) -> Map<String, Value> {
    Map::from_iter([("permission".to_owned(), permission.as_str().into())])
}

fn read_name(name: &str) -> Result<GroupName, Error> {
    GroupName::parse(name).map_err(|error| Error::field("name", error.to_string()))
}

/// A group that went while it was being changed is not found, and no mistake in a field.
fn or_gone(error: countersign_store::PeopleError) -> Error {
    match error {
        countersign_store::PeopleError::NoSuchGroup => Error::NotFound,
        other => other.into(),
    }
}

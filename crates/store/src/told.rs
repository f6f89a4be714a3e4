//! What the store itself tells the audit, once for both engines: the ends and answers that it decides, and what was
//! before and after a change.

use std::collections::BTreeSet;

use countersign_core::session::{EndReason, Session};
use countersign_core::{GroupId, GroupName, PermissionName, SessionId, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::{AuditEvent, EventKind, Group, Person, Rotate};

/// A session that a login replaced.
pub(crate) fn replaced(session: SessionId, owner: UserId, login: &AuditEvent) -> AuditEvent {
    let reason = EndReason::Replaced.as_str().into();
    AuditEvent {
        kind: EventKind::SessionEnded,
        user: Some(owner),
        session: Some(session),
        detail: Map::from_iter([("reason".to_owned(), reason)]),
        bucket: None,
        ..login.clone()
    }
}

/// A session that ended when its refresh token was used.
pub(crate) fn ended(rotate: &Rotate, reason: EndReason, now: Timestamp) -> AuditEvent {
    let kind = if reason == EndReason::Theft { EventKind::Theft } else { EventKind::SessionEnded };
    let mut event = brought(kind, rotate, now);
    event.detail.insert("reason".to_owned(), reason.as_str().into());
    event
}

/// An answer without a rotation to another network and another user agent.
///
/// One row however often it happens: whoever can repeat it must not fill the disk.
pub(crate) fn grace_elsewhere(rotate: &Rotate, session: &Session, now: Timestamp) -> AuditEvent {
    let kind = EventKind::GraceElsewhere;
    let bucket = format!("{}/{}/{}", kind.as_str(), session.id, session.generation.0);
    AuditEvent { bucket: Some(bucket), ..brought(kind, rotate, now) }
}

/// A use of a refresh token: who brought which.
fn brought(kind: EventKind, rotate: &Rotate, now: Timestamp) -> AuditEvent {
    let user_agent = rotate.client.user_agent.clone().map_or(Value::Null, Value::from);
    AuditEvent {
        user: Some(rotate.user),
        session: Some(rotate.session),
        ip: rotate.client.ip,
        detail: Map::from_iter([
            ("generation".to_owned(), rotate.generation.0.into()),
            ("user_agent".to_owned(), user_agent),
        ]),
        ..AuditEvent::new(kind, now)
    }
}

/// What the audit says of a change: for each thing that changed, `[before, after]`; of sets, what came and went.
pub(crate) fn changes(before: &Person, after: &Person) -> Map<String, Value> {
    let mut changes = Map::new();
    let (old, new) = (&before.user, &after.user);
    let mut compare = |name: &str, old: Value, new: Value| {
        if old != new {
            changes.insert(name.to_owned(), Value::from(vec![old, new]));
        }
    };
    compare("username", old.username.as_str().into(), new.username.as_str().into());
    compare("email", old.email.as_str().into(), new.email.as_str().into());
    compare("first_name", old.first_name.as_str().into(), new.first_name.as_str().into());
    compare("last_name", old.last_name.as_str().into(), new.last_name.as_str().into());
    compare("is_active", old.is_active.into(), new.is_active.into());
    compare("is_staff", old.is_staff.into(), new.is_staff.into());
    compare("is_superuser", old.is_superuser.into(), new.is_superuser.into());
    let none = Value::Null;
    let names: BTreeSet<&String> = old.fields.keys().chain(new.fields.keys()).collect();
    for name in names {
        let value = |fields: &Map<String, Value>| fields.get(name).unwrap_or(&none).clone();
        compare(&format!("fields.{name}"), value(&old.fields), value(&new.fields));
    }
    let groups = |person: &Person| person.groups.values().map(|name| name.as_str().to_owned()).collect();
    came_and_went(&mut changes, "groups", &groups(before), &groups(after));
    came_and_went(&mut changes, "permissions", &names_of(&before.permissions), &names_of(&after.permissions));
    changes
}

/// What the audit says of a change of a group.
pub(crate) fn group_changes(before: &Group, after: &Group) -> Map<String, Value> {
    let mut changes = Map::new();
    if before.name != after.name {
        let names = vec![Value::from(before.name.as_str()), Value::from(after.name.as_str())];
        changes.insert("name".to_owned(), names.into());
    }
    came_and_went(&mut changes, "permissions", &names_of(&before.permissions), &names_of(&after.permissions));
    changes
}

/// The event, with which group it is about.
pub(crate) fn about_group(mut event: AuditEvent, id: GroupId, name: &GroupName) -> AuditEvent {
    event.detail.insert("group".to_owned(), name.as_str().into());
    event.detail.insert("group_id".to_owned(), id.0.into());
    event
}

/// The event of a group that was made or deleted, with what its members could do.
pub(crate) fn about_whole_group(event: AuditEvent, group: &Group) -> AuditEvent {
    let mut event = about_group(event, group.id, &group.name);
    let names: Vec<_> = group.permissions.iter().map(PermissionName::as_str).collect();
    event.detail.insert("permissions".to_owned(), names.into());
    event
}

fn names_of(permissions: &BTreeSet<PermissionName>) -> BTreeSet<String> {
    permissions.iter().map(|name| name.as_str().to_owned()).collect()
}

fn came_and_went(
    changes: &mut Map<String, Value>,
    what: &str,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
) {
    let mut tell = |how: &str, names: Vec<&String>| {
        if !names.is_empty() {
            changes.insert(format!("{what}.{how}"), names.into_iter().cloned().collect::<Vec<_>>().into());
        }
    };
    tell("added", after.difference(before).collect());
    tell("removed", before.difference(after).collect());
}

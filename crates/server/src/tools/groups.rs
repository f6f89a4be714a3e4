//! `countersign groups` and `permissions`: what people may do, given to many at once.

use countersign::core::PermissionName;
use countersign::service::Service;
use countersign::service::people::{Actor, GroupEdit, People, Wanted};
use countersign::store::{Edit, Group};
use serde_json::{Value, json};

use super::columns;
use super::people::{all_groups, is_named, permissions};
use crate::cli::people::{Form, GroupRights, ListGroups, NewGroup, NewPermission, RenameGroup, ShowGroup};
use crate::outcome::{Failure, say};
use crate::text::escape;

/// Lists groups.
pub(crate) async fn list(service: &Service, list: &ListGroups) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let mut filter = all_groups(&list.search);
    let mut rows = vec![["GROUP", "MEMBERS", "PERMISSIONS"].map(str::to_owned).to_vec()];
    loop {
        let page = people.groups(filter.clone()).await?;
        for group in &page.rows {
            if list.form.json {
                say(&as_json(group).to_string());
            } else {
                rows.push(vec![
                    escape(group.name.as_str()),
                    members(group),
                    names(group).collect::<Vec<_>>().join(", "),
                ]);
            }
        }
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    if !list.form.json {
        say(&columns(&rows));
    }
    Ok(())
}

/// Shows a group.
pub(crate) async fn show(service: &Service, show: &ShowGroup) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let group = people.group(find(&people, &show.group).await?.id).await?;
    if show.form.json {
        say(&as_json(&group).to_string());
        return Ok(());
    }
    let mut rows = vec![
        vec!["group".to_owned(), escape(group.name.as_str())],
        vec!["members".to_owned(), members(&group)],
    ];
    rows.extend(names(&group).map(|name| vec!["permission".to_owned(), name.to_owned()]));
    say(&columns(&rows));
    Ok(())
}

/// Makes a group.
pub(crate) async fn create(service: &Service, new: &NewGroup) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let group = people.create_group(&new.group, permissions(&new.permissions)?).await?;
    say(&format!("The group {} was created.", escape(group.name.as_str())));
    Ok(())
}

/// Gives a group another name.
pub(crate) async fn rename(service: &Service, rename: &RenameGroup) -> Result<(), Failure> {
    let edit = GroupEdit { name: Some(rename.name.clone()), ..GroupEdit::default() };
    changed(service, &rename.group, edit).await
}

/// Deletes a group.
pub(crate) async fn delete(service: &Service, group: &str) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let group = find(&people, group).await?;
    people.delete_group(group.id).await?;
    say(&format!("The group {} was deleted.", escape(group.name.as_str())));
    Ok(())
}

/// Gives permissions to a group.
pub(crate) async fn grant(service: &Service, rights: &GroupRights) -> Result<(), Failure> {
    let add = permissions(&rights.permissions)?;
    let edit =
        GroupEdit { permissions: Wanted::Edit(Edit { add, ..Edit::default() }), ..GroupEdit::default() };
    changed(service, &rights.group, edit).await
}

/// Takes permissions from a group.
pub(crate) async fn revoke(service: &Service, rights: &GroupRights) -> Result<(), Failure> {
    let remove = permissions(&rights.permissions)?;
    let edit =
        GroupEdit { permissions: Wanted::Edit(Edit { remove, ..Edit::default() }), ..GroupEdit::default() };
    changed(service, &rights.group, edit).await
}

/// Lists permissions.
pub(crate) async fn list_permissions(service: &Service, form: &Form) -> Result<(), Failure> {
    let found = service.people(&Actor::Operator).permissions().await?;
    if form.json {
        for permission in found {
            let (name, description) = (permission.name.as_str(), permission.description);
            say(&json!({"name": name, "description": description, "built_in": permission.built_in})
                .to_string());
        }
        return Ok(());
    }
    let mut rows = vec![["PERMISSION", "", "WHAT IT LETS ONE DO"].map(str::to_owned).to_vec()];
    rows.extend(found.iter().map(|permission| {
        let kind = if permission.built_in { "built in" } else { "" };
        vec![permission.name.as_str().to_owned(), kind.to_owned(), escape(&permission.description)]
    }));
    say(&columns(&rows));
    Ok(())
}

/// Makes a permission.
pub(crate) async fn create_permission(service: &Service, new: &NewPermission) -> Result<(), Failure> {
    let name = service.people(&Actor::Operator).create_permission(&new.name, &new.description).await?;
    say(&format!("The permission {} was created.", name.as_str()));
    Ok(())
}

/// Deletes a permission.
pub(crate) async fn delete_permission(service: &Service, name: &str) -> Result<(), Failure> {
    let parsed = PermissionName::parse(name).map_err(|error| Failure::Misused(format!("{name}: {error}")))?;
    service.people(&Actor::Operator).delete_permission(&parsed).await?;
    say(&format!("The permission {} was deleted.", parsed.as_str()));
    Ok(())
}

/// The group of this name.
pub(super) async fn find(people: &People<'_>, name: &str) -> Result<Group, Failure> {
    let mut filter = all_groups(name);
    loop {
        let page = people.groups(filter.clone()).await?;
        if let Some(group) = page.rows.into_iter().find(|group| is_named(group.name.as_str(), name)) {
            return Ok(group);
        }
        filter.after = page.next;
        if filter.after.is_none() {
            return Err(Failure::Refused(format!(
                "there is no group {name}; countersign groups create makes one"
            )));
        }
    }
}

async fn changed(service: &Service, group: &str, edit: GroupEdit) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let group = people.change_group(find(&people, group).await?.id, edit).await?;
    say(&format!("The group {} is as you said.", escape(group.name.as_str())));
    Ok(())
}

fn names(group: &Group) -> impl Iterator<Item = &str> {
    group.permissions.iter().map(PermissionName::as_str)
}

/// Beyond a number nobody counts on.
fn members(group: &Group) -> String {
    let most = u64::from(Group::COUNTED);
    if group.members > most { format!("over {most}") } else { group.members.to_string() }
}

fn as_json(group: &Group) -> Value {
    let permissions: Vec<&str> = names(group).collect();
    json!({"id": group.id.0, "name": group.name.as_str(), "members": group.members, "permissions": permissions})
}

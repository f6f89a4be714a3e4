//! The list of groups, and that of permissions.

use askama::Template;
use axum::extract::State;
use countersign::core::{BuiltIn, GroupName};
use countersign::service::people::{Group, GroupFilter};

use crate::answer::{Answer, page as page_of};
use crate::app::App;
use crate::form::Fields;
use crate::guard::Visit;
use crate::list::{Pager, ROWS};
use crate::shell::{Frame, Section};

const PATH: &str = "/admin/groups";

#[derive(Template)]
#[template(path = "groups/list.html")]
struct GroupsPage {
    frame: Frame,
    search: String,
    rows: Vec<Row>,
    permissions: Vec<PermissionRow>,
    may_change: bool,
    /// Whether permissions: it takes them from everyone.
    may_delete: bool,
    pager: Pager,
}

struct Row {
    id: i64,
    name: String,
    members: String,
    permissions: Vec<String>,
}

struct PermissionRow {
    name: String,
    description: String,
    built_in: bool,
}

/// `GET /admin/groups`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let people = visit.people(&app);
    let after = fields.text("after");
    let filter =
        GroupFilter { search: fields.text("q").to_owned(), after: GroupName::parse(after).ok(), limit: ROWS };
    let groups = people.groups(filter).await?;
    let rows = groups.rows.iter().map(|group| Row {
        id: group.id.0,
        name: group.name.to_string(),
        members: members(group),
        permissions: group.permissions.iter().map(ToString::to_string).collect(),
    });
    let permissions = people.permissions().await?.into_iter().map(|permission| PermissionRow {
        name: permission.name.to_string(),
        description: permission.description,
        built_in: permission.built_in,
    });
    let shown = GroupsPage {
        frame: Frame::new(&visit, Section::Groups),
        search: fields.text("q").to_owned(),
        rows: rows.collect(),
        permissions: permissions.collect(),
        may_change: visit.may(BuiltIn::GroupsChange),
        may_delete: visit.actor.is_superuser(),
        pager: Pager::new(PATH, &[("q", fields.text("q"))], after, groups.next),
    };
    Ok(page_of(&shown))
}

/// How many members a group has: above a bound they aren't counted.
pub(crate) fn members(group: &Group) -> String {
    match group.members {
        many if many >= u64::from(Group::COUNTED) => format!("{} or more", Group::COUNTED),
        few => few.to_string(),
    }
}

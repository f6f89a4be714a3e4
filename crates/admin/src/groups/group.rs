//! One group, and a new one.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign::core::{BuiltIn, GroupId, PermissionName};
use countersign::service::people::{Group, GroupEdit};
use countersign::service::{Error, FieldErrors};
use http::StatusCode;

use crate::answer::{Answer, Refused, page_as, see_other};
use crate::app::App;
use crate::form::{Fields, Named};
use crate::groups::list::members;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::Notice;
use crate::users::rights::edit;

#[derive(Template)]
#[template(path = "groups/group.html")]
struct GroupPage {
    frame: Frame,
    /// None where it is to be made.
    id: Option<i64>,
    title: String,
    name: String,
    members: String,
    ticks: Vec<Tick>,
    errors: FieldErrors,
    may_change: bool,
    may_delete: bool,
    /// A name is what programs may go by.
    may_rename: bool,
}

struct Tick {
    name: String,
    description: String,
    is_on: bool,
    is_open: bool,
}

impl GroupPage {
    fn errors_of(&self, field: &str) -> &[String] {
        self.errors.get(field).map_or(&[], Vec::as_slice)
    }

    fn action(&self) -> String {
        self.id.map_or_else(|| "/admin/groups/new".to_owned(), |id| format!("/admin/groups/{id}"))
    }
}

/// `GET /admin/groups/new`.
pub(crate) async fn new(State(app): State<App>, visit: Visit) -> Answer {
    shown(&app, &visit, None, String::new(), FieldErrors::new()).await
}

/// `POST /admin/groups/new`.
pub(crate) async fn create(State(app): State<App>, visit: Visit, form: Fields) -> Answer {
    let permissions: Result<BTreeSet<PermissionName>, _> = form.all("permission").map(str::parse).collect();
    let permissions = permissions.map_err(|_| Refused::NotFound)?;
    match visit.people(&app).create_group(form.text("name"), permissions).await {
        Ok(group) => {
            Ok(see_other(&format!("/admin/groups/{}", group.id), app.cookies(), Some(Notice::GroupMade)))
        }
        Err(Error::InvalidFields(errors)) => {
            shown(&app, &visit, None, form.text("name").to_owned(), errors).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /admin/groups/{id}`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    let group = visit.people(&app).group(GroupId(id)).await?;
    let name = group.name.to_string();
    let page = shown(&app, &visit, Some(group), name, FieldErrors::new()).await?;
    Ok(page)
}

/// `POST /admin/groups/{id}`.
pub(crate) async fn change(
    State(app): State<App>,
    visit: Visit,
    Named(id): Named<i64>,
    form: Fields,
) -> Answer {
    let name = Some(form.text("name")).filter(|name| !name.is_empty()).map(ToOwned::to_owned);
    let permissions = edit(&form, "permission", "shown_permission", |text| text.parse().ok())?;
    match visit.people(&app).change_group(GroupId(id), GroupEdit { name, permissions }).await {
        Ok(_) => Ok(see_other(&format!("/admin/groups/{id}"), app.cookies(), Some(Notice::Saved))),
        Err(Error::InvalidFields(errors)) => {
            let group = visit.people(&app).group(GroupId(id)).await?;
            shown(&app, &visit, Some(group), form.text("name").to_owned(), errors).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /admin/groups/{id}/delete`.
pub(crate) async fn delete(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    visit.people(&app).delete_group(GroupId(id)).await?;
    Ok(see_other("/admin/groups", app.cookies(), Some(Notice::GroupDeleted)))
}

async fn shown(
    app: &App,
    visit: &Visit,
    group: Option<Group>,
    name: String,
    errors: FieldErrors,
) -> Result<Response, Refused> {
    // One who may change groups and not see them makes a new one without a list to choose from.
    let known = match visit.people(app).permissions().await {
        Ok(known) => known,
        Err(Error::Denied(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    // What one couldn't give, one doesn't take.
    let ticks = known.into_iter().map(|permission| {
        let is_on = group.as_ref().is_some_and(|group| group.permissions.contains(&permission.name));
        Tick {
            is_open: visit.actor.may_give(&permission.name),
            is_on,
            name: permission.name.to_string(),
            description: permission.description,
        }
    });
    let may_change = visit.may(BuiltIn::GroupsChange);
    let page = GroupPage {
        frame: Frame::new(visit, Section::Groups),
        id: group.as_ref().map(|group| group.id.0),
        title: group.as_ref().map_or_else(|| "New group".to_owned(), |group| group.name.to_string()),
        name,
        members: group.as_ref().map(members).unwrap_or_default(),
        ticks: ticks.collect(),
        may_change,
        may_delete: may_change && group.as_ref().is_some_and(|group| visit.actor.may_delete_group(group)),
        may_rename: may_change && (group.is_none() || visit.actor.is_superuser()),
        errors,
    };
    Ok(page_as(if page.errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page))
}

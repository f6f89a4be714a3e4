//! Permissions, made and deleted.

use axum::extract::State;
use countersign::core::PermissionName;

use crate::answer::{Answer, Refused, see_other};
use crate::app::App;
use crate::form::Fields;
use crate::guard::Visit;
use crate::texts::Notice;

const BACK: &str = "/admin/groups";

/// `POST /admin/permissions/new`.
pub(crate) async fn create(State(app): State<App>, visit: Visit, form: Fields) -> Answer {
    visit.people(&app).create_permission(form.text("name"), form.text("description")).await?;
    Ok(see_other(BACK, app.cookies(), Some(Notice::PermissionMade)))
}

/// `POST /admin/permissions/delete`.
pub(crate) async fn delete(State(app): State<App>, visit: Visit, form: Fields) -> Answer {
    let name = PermissionName::parse(form.text("name")).map_err(|_| Refused::NotFound)?;
    visit.people(&app).delete_permission(&name).await?;
    Ok(see_other(BACK, app.cookies(), Some(Notice::PermissionDeleted)))
}

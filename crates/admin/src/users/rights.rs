//! What a user may do, changed.
//!
//! Only what the form showed is changed: a group that was made meanwhile, or that the one who acts may not give, stays as
//! it is.

use std::collections::BTreeSet;
use std::str::FromStr;

use axum::extract::State;
use countersign::core::{GroupId, PermissionName, UserId};
use countersign::service::people::{Edit, PersonChange, Wanted};

use crate::answer::{Answer, Refused, see_other};
use crate::app::App;
use crate::form::{Fields, Named};
use crate::guard::Visit;
use crate::texts::Notice;
use crate::users::path;

/// `POST /admin/users/{id}/rights`.
pub(crate) async fn change(
    State(app): State<App>,
    visit: Visit,
    Named(id): Named<i64>,
    form: Fields,
) -> Answer {
    let id = UserId(id);
    let change = PersonChange {
        is_staff: flag(&form, "is_staff"),
        is_superuser: flag(&form, "is_superuser"),
        groups: edit(&form, "group", "shown_group", |text| i64::from_str(text).ok().map(GroupId))?,
        permissions: edit(&form, "permission", "shown_permission", |text| {
            text.parse::<PermissionName>().ok()
        })?,
        ..PersonChange::default()
    };
    visit.people(&app).change_user(id, change).await?;
    Ok(see_other(&path(id), app.cookies(), Some(Notice::Saved)))
}

/// A flag that was shown, if it was ticked or unticked: a page that was loaded before somebody was demoted doesn't promote
/// them again.
fn flag(form: &Fields, name: &str) -> Option<bool> {
    let was_on = form.all("was").any(|flag| flag == name);
    Some(form.is_on(name)).filter(|is_on| form.is_on("flags") && *is_on != was_on)
}

/// What was ticked comes; what was shown and isn't ticked goes.
pub(crate) fn edit<T: Ord + Clone>(
    form: &Fields,
    ticked: &str,
    shown: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Wanted<T>, Refused> {
    let all = |name: &str| -> Result<BTreeSet<T>, Refused> {
        form.all(name).map(|text| read(text).ok_or(Refused::NotFound)).collect()
    };
    let (add, shown) = (all(ticked)?, all(shown)?);
    let remove = shown.difference(&add).cloned().collect();
    Ok(Wanted::Edit(Edit { add, remove }))
}

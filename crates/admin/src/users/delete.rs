//! Deleting a user: a page that says what goes, and the act.

use askama::Template;
use axum::extract::State;
use countersign::core::UserId;

use crate::answer::{Answer, page as page_of, see_other};
use crate::app::App;
use crate::form::Named;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::{Notice, minute};

#[derive(Template)]
#[template(path = "users/delete.html")]
struct DeletePage {
    frame: Frame,
    id: i64,
    username: String,
    email: String,
    joined: String,
    groups: Vec<String>,
    permissions: usize,
    fields: Vec<String>,
}

/// `GET /admin/users/{id}/delete`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    let person = visit.people(&app).user(UserId(id)).await?.person;
    let declared = app.service().user_fields();
    let fields = declared.iter().filter(|spec| person.user.fields.contains_key(&spec.name));
    Ok(page_of(&DeletePage {
        frame: Frame::new(&visit, Section::Users),
        id,
        joined: minute(person.user.joined_at),
        groups: person.groups.values().map(ToString::to_string).collect(),
        permissions: person.permissions.len(),
        fields: fields.map(|spec| spec.label.clone()).collect(),
        username: person.user.username,
        email: person.user.email,
    }))
}

/// `POST /admin/users/{id}/delete`.
pub(crate) async fn delete(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    visit.people(&app).delete_user(UserId(id)).await?;
    Ok(see_other("/admin/users", app.cookies(), Some(Notice::UserDeleted)))
}

//! A new user. No password is asked for: a link lets them set it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign::service::people::PersonToCreate;
use countersign::service::{Error, FieldErrors};
use http::StatusCode;

use crate::answer::{Answer, page_as, see_other};
use crate::app::App;
use crate::fields::{self, FieldInput};
use crate::form::Fields;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::Notice;
use crate::users::path;

#[derive(Template)]
#[template(path = "users/create.html")]
struct CreatePage {
    frame: Frame,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    custom: Vec<FieldInput>,
    errors: FieldErrors,
}

impl CreatePage {
    fn errors_of(&self, field: &str) -> &[String] {
        self.errors.get(field).map_or(&[], Vec::as_slice)
    }
}

/// `GET /admin/users/new`.
pub(crate) async fn page(State(app): State<App>, visit: Visit) -> Answer {
    Ok(shown(&app, &visit, &Fields::default(), FieldErrors::new()))
}

/// `POST /admin/users/new`.
pub(crate) async fn create(State(app): State<App>, visit: Visit, form: Fields) -> Answer {
    let custom = app.service().user_fields().read_texts(fields::texts(&form), None);
    let (custom, mut errors) = match custom {
        Ok(custom) => (custom, FieldErrors::new()),
        Err(errors) => (serde_json::Map::default(), errors),
    };
    let text = |name: &str| form.text(name).to_owned();
    let new = PersonToCreate {
        username: text("username"),
        email: text("email"),
        first_name: text("first_name"),
        last_name: text("last_name"),
        fields: custom,
        ..PersonToCreate::default()
    };
    // Where a text of a custom field can't even be read, nothing is tried.
    let made = if errors.is_empty() {
        visit.people(&app).create_user(new).await
    } else {
        Err(Error::InvalidFields(errors.clone()))
    };
    match made {
        Ok(user) => Ok(see_other(&path(user.id), app.cookies(), Some(Notice::UserMade))),
        Err(Error::InvalidFields(more)) => {
            errors.extend(more);
            Ok(shown(&app, &visit, &form, errors))
        }
        Err(error) => Err(error.into()),
    }
}

fn shown(app: &App, visit: &Visit, form: &Fields, errors: FieldErrors) -> Response {
    let is_new = form.iter().next().is_none();
    let custom = app.service().user_fields().iter().map(|spec| {
        let default = spec.default.as_ref().map(|value| spec.text(value)).unwrap_or_default();
        let text = if is_new { default } else { fields::text(form, spec).to_owned() };
        FieldInput::new(spec, text, &errors)
    });
    let page = CreatePage {
        frame: Frame::new(visit, Section::Users),
        username: form.text("username").to_owned(),
        email: form.text("email").to_owned(),
        first_name: form.text("first_name").to_owned(),
        last_name: form.text("last_name").to_owned(),
        custom: custom.collect(),
        errors,
    };
    page_as(if page.errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page)
}

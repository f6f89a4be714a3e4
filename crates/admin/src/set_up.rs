//! The page of the set-up link: the first superuser is made.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use countersign::service::password::Password;
use countersign::service::users::UserToCreate;
use countersign::service::{Error, FieldErrors};
use http::{HeaderValue, StatusCode, header};

use crate::answer::{Answer, page_as, see_other};
use crate::app::App;
use crate::fields::{self as custom_fields, FieldInput};
use crate::form::Fields;
use crate::routes::SIGN_IN;
use crate::shell::Outside;
use crate::texts::Notice;

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUpPage {
    outside: Outside,
    /// Whether the link counts.
    counts: bool,
    token: String,
    username: String,
    email: String,
    min_length: usize,
    /// Those that every user must have.
    custom: Vec<FieldInput>,
    errors: FieldErrors,
}

impl SetUpPage {
    fn errors_of(&self, field: &str) -> &[String] {
        self.errors.get(field).map_or(&[], Vec::as_slice)
    }
}

/// `GET /admin/set-up/{token}`.
pub(crate) async fn page(State(app): State<App>, Path(token): Path<String>) -> Answer {
    let counts = app.service().setup_token_counts(&token).await?;
    Ok(shown(&app, counts, token, &Fields::default(), FieldErrors::new()))
}

/// `POST /admin/set-up/{token}`.
pub(crate) async fn set_up(State(app): State<App>, Path(token): Path<String>, mut fields: Fields) -> Answer {
    let (password, again) = (fields.take("password").unwrap_or_default(), fields.take("again"));
    let mut errors = FieldErrors::new();
    if again.as_deref() != Some(&*password) {
        errors.insert("again".into(), vec!["The two passwords differ.".into()]);
    }
    let password = match Password::new(password) {
        Ok(password) if errors.is_empty() => password,
        Ok(_) => return Ok(shown(&app, true, token, &fields, errors)),
        Err(error) => {
            errors.insert("password".into(), vec![error.to_string()]);
            return Ok(shown(&app, true, token, &fields, errors));
        }
    };
    let settings = app.service().settings();
    let custom = match settings.user_fields.read_texts(custom_fields::texts(&fields), None) {
        Ok(custom) => custom,
        Err(errors) => return Ok(shown(&app, true, token, &fields, errors)),
    };
    let new = UserToCreate {
        username: fields.text("username").to_owned(),
        email: fields.text("email").to_owned(),
        password,
        is_superuser: true,
        fields: custom,
    };
    match app.service().set_up(&token, new).await {
        Ok(_) => Ok(see_other(SIGN_IN, app.cookies(), Some(Notice::SetUp))),
        Err(Error::LinkInvalid) => Ok(shown(&app, false, token, &fields, FieldErrors::new())),
        Err(Error::InvalidFields(errors)) => Ok(shown(&app, true, token, &fields, errors)),
        Err(error) => Err(error.into()),
    }
}

fn shown(app: &App, counts: bool, token: String, fields: &Fields, errors: FieldErrors) -> Response {
    let status = match (counts, errors.is_empty()) {
        (false, _) => StatusCode::NOT_FOUND,
        (true, true) => StatusCode::OK,
        (true, false) => StatusCode::BAD_REQUEST,
    };
    let settings = app.service().settings();
    let must = settings.user_fields.iter().filter(|spec| spec.required && spec.default.is_none());
    let custom = must
        .map(|spec| FieldInput::new(spec, custom_fields::text(fields, spec).to_owned(), &errors))
        .collect();
    let page = SetUpPage {
        outside: Outside::new(None),
        counts,
        token: if counts { token } else { String::new() },
        username: fields.text("username").to_owned(),
        email: fields.text("email").to_owned(),
        min_length: settings.password_min_length,
        custom,
        errors,
    };
    without_path(page_as(status, &page))
}

/// For pages whose path is a secret: `strict-origin` sends no path to anyone, ourselves included, and yet lets the form
/// say which origin it comes from.
pub(crate) fn without_path(mut response: Response) -> Response {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

//! The page of a link with which a user sets their password.
//!
//! It lies beside the admin site, and not in it: a proxy may well keep `/admin` to a few networks, while these links go to
//! everyone. The token stands in the path, since a form must work without script; it is no use to whoever finds it in a
//! history, for it counts once; the page tells its path to nobody (`Referrer-Policy: strict-origin`), is kept by nobody,
//! and our own log names the route and never the path. To open the page changes nothing, so that a mail program that
//! looks at links uses none up.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use countersign::core::Client;
use countersign::service::Error;
use countersign::service::password::Password;
use http::StatusCode;

use crate::answer::{Answer, page_as};
use crate::app::App;
use crate::form::Fields;
use crate::set_up::without_path;
use crate::shell::Outside;

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    outside: Outside,
    step: Step,
    token: String,
    username: String,
    min_length: usize,
    errors: Vec<String>,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A password is asked for.
    Asked,
    /// It is set.
    Set,
    /// The link doesn't count.
    Over,
}

impl PasswordPage {
    fn is_asked(&self) -> bool {
        self.step == Step::Asked
    }

    fn is_set(&self) -> bool {
        self.step == Step::Set
    }
}

/// `GET /accounts/set-password/{token}`.
pub(crate) async fn page(State(app): State<App>, Path(token): Path<String>) -> Answer {
    match app.service().password_link_owner(&token).await {
        Ok(user) => Ok(shown(&app, Step::Asked, &token, &user.username, Vec::new())),
        Err(Error::LinkInvalid) => Ok(shown(&app, Step::Over, "", "", Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// `POST /accounts/set-password/{token}`.
pub(crate) async fn set(
    State(app): State<App>,
    Path(token): Path<String>,
    client: Option<Extension<Client>>,
    mut form: Fields,
) -> Answer {
    let client = client.map(|Extension(client)| client).unwrap_or_default();
    let service = app.service();
    let user = match service.password_link_owner(&token).await {
        Ok(user) => user,
        Err(Error::LinkInvalid) => return Ok(shown(&app, Step::Over, "", "", Vec::new())),
        Err(error) => return Err(error.into()),
    };
    let (password, again) = (form.take("password").unwrap_or_default(), form.take("again"));
    let differ = again.as_deref() != Some(&*password);
    let errors = match Password::new(password) {
        Ok(_) if differ => vec!["The two passwords differ.".to_owned()],
        Ok(password) => match service.set_password_by_link(&token, password, &client).await {
            Ok(user) => return Ok(shown(&app, Step::Set, "", &user.username, Vec::new())),
            Err(Error::InvalidPassword(reasons)) => reasons,
            Err(Error::LinkInvalid) => return Ok(shown(&app, Step::Over, "", "", Vec::new())),
            Err(error) => return Err(error.into()),
        },
        Err(error) => vec![error.to_string()],
    };
    Ok(shown(&app, Step::Asked, &token, &user.username, errors))
}

fn shown(app: &App, step: Step, token: &str, username: &str, errors: Vec<String>) -> Response {
    let status = match step {
        Step::Over => StatusCode::NOT_FOUND,
        Step::Asked if !errors.is_empty() => StatusCode::BAD_REQUEST,
        Step::Asked | Step::Set => StatusCode::OK,
    };
    let page = PasswordPage {
        outside: Outside::of_links(),
        step,
        token: token.to_owned(),
        username: username.to_owned(),
        min_length: app.service().settings().password_min_length,
        errors,
    };
    without_path(page_as(status, &page))
}

//! The small acts on one user: on and off, sessions, guesses, and the link with which they set a password.

use askama::Template;
use axum::extract::State;
use countersign::core::UserId;

use crate::answer::{Answer, page, see_other};
use crate::app::App;
use crate::form::{Fields, Named};
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::{Notice, minute};
use crate::users::path;

/// `POST /admin/users/{id}/active`.
pub(crate) async fn set_active(
    State(app): State<App>,
    visit: Visit,
    Named(id): Named<i64>,
    form: Fields,
) -> Answer {
    let active = form.text("active") == "on";
    visit.people(&app).set_active(UserId(id), active).await?;
    let notice = if active { Notice::UserOn } else { Notice::UserOff };
    Ok(see_other(&path(UserId(id)), app.cookies(), Some(notice)))
}

/// `POST /admin/users/{id}/unlock`.
pub(crate) async fn unlock(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    visit.people(&app).unlock(UserId(id)).await?;
    Ok(see_other(&path(UserId(id)), app.cookies(), Some(Notice::Unlocked)))
}

/// `POST /admin/users/{id}/sessions`.
pub(crate) async fn end_sessions(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    visit.people(&app).end_sessions_of(UserId(id)).await?;
    Ok(see_other(&path(UserId(id)), app.cookies(), Some(Notice::SessionsEnded)))
}

#[derive(Template)]
#[template(path = "users/link.html")]
struct LinkPage {
    frame: Frame,
    id: i64,
    url: String,
    until: String,
}

/// `POST /admin/users/{id}/link`. The link is shown this once, since nobody can look it up again.
pub(crate) async fn make_link(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    let link = visit.people(&app).make_password_link(UserId(id)).await?;
    Ok(page(&LinkPage {
        frame: Frame::new(&visit, Section::Users),
        id,
        url: link.url,
        until: minute(link.expires_at),
    }))
}

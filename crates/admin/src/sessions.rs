//! Sessions over all users, and their end.

use askama::Template;
use axum::extract::State;
use countersign::core::{BuiltIn, SessionId, Timestamp, UserId};
use countersign::service::people::{SessionFilter, SessionRow};

use crate::answer::{Answer, Refused, page as page_of, see_other};
use crate::app::App;
use crate::form::{Fields, Named};
use crate::guard::Visit;
use crate::list::{Choice, Pager, ROWS};
use crate::shell::{Frame, Section};
use crate::sign_in::own_path;
use crate::texts::{Notice, browser, minute};

const PATH: &str = "/admin/sessions";

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    user: String,
    state: Vec<Choice>,
    /// Where to come back to.
    here: String,
    rows: Vec<SessionView>,
    may_end: bool,
    pager: Pager,
}

/// A session as a page shows it.
pub(crate) struct SessionView {
    pub(crate) id: SessionId,
    pub(crate) user: i64,
    pub(crate) username: Option<String>,
    pub(crate) ip: String,
    pub(crate) browser: String,
    pub(crate) user_agent: String,
    pub(crate) since: String,
    pub(crate) used: String,
    /// When and why it ended, or that its time is over.
    pub(crate) end: Option<String>,
}

impl SessionView {
    pub(crate) fn new(row: &SessionRow, now: Timestamp) -> Self {
        let session = &row.session;
        let user_agent = session.client.user_agent.clone().unwrap_or_default();
        let is_over = now >= session.refresh_expires_at || now >= session.ends_at;
        let end = match session.ended {
            Some(ended) => Some(format!("{}, {}", ended.reason.as_str().replace('_', " "), minute(ended.at))),
            None if is_over => Some("its time is over".to_owned()),
            None => None,
        };
        Self {
            id: session.id,
            user: session.user.0,
            username: row.username.clone(),
            ip: session.client.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            browser: if user_agent.is_empty() {
                "an unnamed client".to_owned()
            } else {
                browser(&user_agent)
            },
            user_agent,
            since: minute(session.created_at),
            used: minute(session.rotated_at),
            end,
        }
    }
}

/// `GET /admin/sessions`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let asked = ["user", "state"].map(|name| (name, fields.text(name)));
    let after = fields.text("after");
    let now = app.service().now();
    let user = match fields.text("user") {
        "" => None,
        text => Some(
            text.parse()
                .map(UserId)
                .map_err(|_| Refused::Misfit("Write the id of a user: a number.".to_owned()))?,
        ),
    };
    let filter = SessionFilter {
        user,
        live_at: (fields.text("state") != "all").then_some(now),
        after: match after {
            "" => None,
            text => Some(text.parse().map_err(|_| Refused::NotFound)?),
        },
        limit: ROWS,
    };
    let sessions = visit.people(&app).sessions(filter).await?;
    let shown = SessionsPage {
        frame: Frame::new(&visit, Section::Sessions),
        user: fields.text("user").to_owned(),
        state: Choice::of([("", "Live"), ("all", "Ended ones too")], fields.text("state")),
        here: crate::list::address(PATH, &asked),
        rows: sessions.rows.iter().map(|row| SessionView::new(row, now)).collect(),
        may_end: visit.may(BuiltIn::SessionsEnd),
        pager: Pager::new(PATH, &asked, after, sessions.next),
    };
    Ok(page_of(&shown))
}

/// `POST /admin/sessions/{id}/end`.
pub(crate) async fn end(
    State(app): State<App>,
    visit: Visit,
    Named(id): Named<SessionId>,
    form: Fields,
) -> Answer {
    visit.people(&app).end_session(id).await?;
    let back = match form.text("back") {
        "" => PATH.to_owned(),
        back => own_path(back),
    };
    Ok(see_other(&back, app.cookies(), Some(Notice::SessionEnded)))
}

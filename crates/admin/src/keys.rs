//! The signing keys: what each does, a new one, and the removal of dead ones.

use askama::Template;
use axum::extract::State;
use countersign::core::BuiltIn;
use countersign::service::keys::KeyState;

use crate::answer::{Answer, page as page_of, see_other};
use crate::app::App;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::{Notice, minute};

const PATH: &str = "/admin/keys";

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    rows: Vec<Row>,
    has_dead: bool,
    may_change: bool,
}

struct Row {
    kid: String,
    algorithm: String,
    state: &'static str,
    look: &'static str,
    created: String,
    signs_from: String,
}

/// `GET /admin/keys`.
pub(crate) async fn page(State(app): State<App>, visit: Visit) -> Answer {
    let keys = visit.people(&app).keys().await?;
    let has_dead = keys.iter().any(|listed| listed.state == KeyState::Dead);
    let rows = keys.into_iter().rev().map(|listed| {
        let (state, look) = match listed.state {
            KeyState::Upcoming => ("signs later", "ochre"),
            KeyState::Active => ("signs", "good"),
            KeyState::Retiring => ("its tokens still live", "blue"),
            KeyState::Dead => ("its last token has died", ""),
        };
        Row {
            kid: listed.key.kid,
            algorithm: listed.key.algorithm,
            state,
            look,
            created: minute(listed.key.created_at),
            signs_from: minute(listed.key.signs_from),
        }
    });
    let shown = KeysPage {
        frame: Frame::new(&visit, Section::Keys),
        rows: rows.collect(),
        has_dead,
        may_change: visit.may(BuiltIn::KeysChange),
    };
    Ok(page_of(&shown))
}

/// `POST /admin/keys/rotate`: a key that is published at once, and signs once all verifiers have seen it.
pub(crate) async fn rotate(State(app): State<App>, visit: Visit) -> Answer {
    visit.people(&app).rotate_keys(false).await?;
    Ok(see_other(PATH, app.cookies(), Some(Notice::KeyMade)))
}

/// `POST /admin/keys/prune`: dead keys alone. One that leaked is removed by the command line, by its name.
pub(crate) async fn prune(State(app): State<App>, visit: Visit) -> Answer {
    let removed = visit.people(&app).prune_keys(&[]).await?;
    let notice = if removed.is_empty() { Notice::NothingToRemove } else { Notice::KeysRemoved };
    Ok(see_other(PATH, app.cookies(), Some(notice)))
}

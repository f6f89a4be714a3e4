//! The first page.

use askama::Template;
use axum::extract::State;

use crate::Warning;
use crate::answer::{Answer, page};
use crate::app::App;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::sign_in::told_once;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: Frame,
    warnings: &'a [Warning],
}

/// `GET /admin/`.
pub(crate) async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let warnings = if visit.user().is_superuser { app.warnings() } else { &[] };
    let shown = OverviewPage { frame: Frame::new(&visit, Section::Overview), warnings };
    Ok(told_once(&app, visit.notice, page(&shown)))
}

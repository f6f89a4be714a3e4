//! The audit as CSV (RFC 4180), sent as it is read: page by page, never whole in memory.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula, and some of what is
//! audited was typed by strangers. Such a cell gets an apostrophe in front, which a spreadsheet shows as text.

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use countersign::service::people::{AuditFilter, AuditRow, PAGE_MAX};
use http::{HeaderValue, header};
use http_body_util::channel::Channel;

use crate::answer::Answer;
use crate::app::App;
use crate::audit::{detail, filter};
use crate::form::Fields;
use crate::guard::Visit;

const HEAD: &str = "time,event,count,by_user,to_user,address,detail\r\n";

/// `GET /admin/audit.csv`.
pub(crate) async fn export(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let filter = AuditFilter { limit: PAGE_MAX, ..filter(&fields)? };
    // The first page before anything is sent, so that a refusal is an answer.
    let first = visit.people(&app).audit(filter.clone()).await?;
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
    let export = async move {
        let (mut rows, mut next) = (first.rows, first.next);
        let mut text = HEAD.to_owned();
        loop {
            for row in &rows {
                write(&mut text, row);
            }
            // Whoever went away needs no more of it.
            if sender.send_data(std::mem::take(&mut text).into()).await.is_err() {
                return;
            }
            let Some(after) = next else { return };
            let more = AuditFilter { after: Some(after), ..filter.clone() };
            match visit.people(&app).audit(more).await {
                Ok(page) => (rows, next) = (page.rows, page.next),
                Err(error) => {
                    tracing::warn!(%error, "the export of the audit broke off");
                    // The client sees that it is not whole.
                    sender.abort(std::io::Error::other("the export broke off"));
                    return;
                }
            }
        }
    };
    tokio::spawn(export);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"audit.csv\"")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::new(body)).into_response())
}

fn write(text: &mut String, row: &AuditRow) {
    let event = &row.event;
    let id = |user: Option<countersign::core::UserId>| user.map(|id| id.to_string()).unwrap_or_default();
    let cells = [
        event.at.to_string(),
        event.kind.as_str().to_owned(),
        event.count.to_string(),
        id(event.actor),
        id(event.user),
        event.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        detail(event),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A cell that no spreadsheet takes for a formula, quoted.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 75
    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        for text in ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert!(cell(text).starts_with("\"'"), "{text:?}");
        }
        assert_eq!(cell("say \"hi\", 1"), "\"say \"\"hi\"\", 1\"");
    }
}

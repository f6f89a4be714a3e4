//! `countersign audit`: what happened, to whom, by whom, from where.

use countersign::core::{Timestamp, UserId};
use countersign::service::Service;
use countersign::service::people::Actor;
use countersign::store::{AuditFilter, AuditRow, EventKind};
use serde_json::{Value, json};

use super::columns;
use super::people::{PAGE, find, short, tell};
use crate::cli::people::ListAudit;
use crate::outcome::{Failure, say};
use crate::text::escape;

/// Lists the audit, newest first.
pub(crate) async fn list(service: &Service, list: &ListAudit) -> Result<(), Failure> {
    let named = async |user: &Option<String>| match user {
        Some(user) => find(service, user).await.map(Some),
        None => Ok(None),
    };
    let mut filter = AuditFilter {
        kinds: list.kinds.iter().map(|kind| read(kind)).collect::<Result<_, _>>()?,
        actor: named(&list.actor).await?,
        user: named(&list.user).await?,
        from: list.since,
        until: list.until,
        after: None,
        limit: PAGE,
    };
    let people = service.people(&Actor::Operator);
    let mut left = if list.limit == 0 { u64::MAX } else { list.limit };
    let heads = ["WHEN", "WHAT", "USER", "BY", "FROM", "COUNT", "MORE"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    loop {
        filter.limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = people.audit(filter.clone()).await?;
        left = left.saturating_sub(page.rows.len() as u64);
        for row in &page.rows {
            if list.form.json {
                say(&as_json(row).to_string());
            } else {
                rows.push(cells(row));
            }
        }
        filter.after = page.next;
        if filter.after.is_none() || left == 0 {
            break;
        }
    }
    if !list.form.json {
        say(&columns(&rows));
        if filter.after.is_some() {
            tell("There is more: --limit 0 lists all.");
        }
    }
    Ok(())
}

/// Lists the kinds of events.
pub(crate) fn kinds() {
    for kind in EventKind::ALL {
        say(kind.as_str());
    }
}

fn read(kind: &str) -> Result<EventKind, Failure> {
    EventKind::parse(kind).ok_or_else(|| {
        Failure::Misused(format!("{kind} is no kind of event; countersign audit kinds lists them"))
    })
}

fn cells(row: &AuditRow) -> Vec<String> {
    let event = &row.event;
    let id = |user: Option<UserId>| user.map_or_else(|| "-".to_owned(), |user| format!("id:{user}"));
    let more =
        if event.detail.is_empty() { String::new() } else { Value::Object(event.detail.clone()).to_string() };
    vec![
        short(event.at),
        event.kind.as_str().to_owned(),
        id(event.user),
        id(event.actor),
        event.ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string()),
        event.count.to_string(),
        escape(&more),
    ]
}

fn as_json(row: &AuditRow) -> Value {
    let event = &row.event;
    let moment = |at: Timestamp| at.to_string();
    json!({
        "seq": row.seq, "at": moment(event.at), "kind": event.kind.as_str(),
        "user": event.user.map(|user| user.0), "actor": event.actor.map(|actor| actor.0),
        "session": event.session.map(|session| session.to_string()), "ip": event.ip.map(|ip| ip.to_string()),
        "count": event.count, "detail": event.detail,
    })
}

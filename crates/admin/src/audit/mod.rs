//! The audit: what happened, by whom, to whom, in pages and as a file.

pub(crate) mod csv;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use countersign::core::{BuiltIn, Seconds, Timestamp, UserId};
use countersign::service::people::{AuditFilter, AuditRow};
use countersign::store::EventKind;

use crate::answer::{Answer, Refused, page as page_of};
use crate::app::App;
use crate::form::Fields;
use crate::guard::Visit;
use crate::list::{Choice, Pager, ROWS, address};
use crate::shell::{Frame, Section};
use crate::texts::minute;

const PATH: &str = "/admin/audit";
const DAY: Seconds = Seconds(24 * 60 * 60);

#[derive(Template)]
#[template(path = "audit/page.html")]
struct AuditPage {
    frame: Frame,
    kinds: Vec<Choice>,
    user: String,
    actor: String,
    from: String,
    until: String,
    csv: String,
    rows: Vec<Row>,
    links_users: bool,
    pager: Pager,
}

struct Row {
    at: String,
    kind: String,
    look: &'static str,
    count: u64,
    actor: Option<Named>,
    user: Option<Named>,
    ip: String,
    detail: String,
}

/// A user by id, and by name where that is known.
struct Named {
    id: i64,
    name: String,
}

/// `GET /admin/audit`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let asked: Vec<(&str, &str)> =
        ["kind", "user", "actor", "from", "until"].map(|name| (name, fields.text(name))).into();
    let after = fields.text("after");
    let mut filter = filter(&fields)?;
    filter.limit = ROWS;
    let audit = visit.people(&app).audit(filter).await?;
    let names = names(&app, &visit, &audit.rows).await?;
    let any = std::iter::once((String::new(), "Any".to_owned()));
    let kinds = EventKind::ALL.iter().map(|kind| (kind.as_str().to_owned(), words(*kind)));
    let shown = AuditPage {
        frame: Frame::new(&visit, Section::Audit),
        kinds: Choice::of(any.chain(kinds), fields.text("kind")),
        user: fields.text("user").to_owned(),
        actor: fields.text("actor").to_owned(),
        from: fields.text("from").to_owned(),
        until: fields.text("until").to_owned(),
        csv: address("/admin/audit.csv", &asked),
        rows: audit.rows.iter().map(|row| Row::new(row, &names)).collect(),
        links_users: visit.may(BuiltIn::UsersView),
        pager: Pager::new(PATH, &asked, after, audit.next),
    };
    Ok(page_of(&shown))
}

/// What a query asks for, but for how many rows.
fn filter(fields: &Fields) -> Result<AuditFilter, Refused> {
    let user = |name: &str| match fields.text(name) {
        "" => Ok(None),
        text => text
            .parse()
            .map(|id| Some(UserId(id)))
            .map_err(|_| Refused::Misfit("Write the id of a user: a number.".to_owned())),
    };
    let day = |name: &str| match fields.text(name) {
        "" => Ok(None),
        text => beginning_of(text)
            .map(Some)
            .ok_or_else(|| Refused::Misfit("Write a day as 2026-01-31.".to_owned())),
    };
    let kind = match fields.text("kind") {
        "" => None,
        text => Some(
            EventKind::parse(text)
                .ok_or_else(|| Refused::Misfit("There is no such kind of event.".to_owned()))?,
        ),
    };
    let after = match fields.text("after") {
        "" => None,
        text => Some(text.parse().map_err(|_| Refused::NotFound)?),
    };
    Ok(AuditFilter {
        kinds: kind.into_iter().collect(),
        actor: user("actor")?,
        user: user("user")?,
        from: day("from")?,
        // The day itself is meant too.
        until: day("until")?.map(|day| day + DAY),
        after,
        limit: 0,
    })
}

/// The first moment of a day in UTC.
fn beginning_of(day: &str) -> Option<Timestamp> {
    let is_day = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let moment = serde_json::Value::String(format!("{day}T00:00:00Z"));
    if is_day { serde_json::from_value(moment).ok() } else { None }
}

/// The names of those who stand in the rows, for who may see users.
async fn names(app: &App, visit: &Visit, rows: &[AuditRow]) -> Result<BTreeMap<UserId, String>, Refused> {
    let mut names = BTreeMap::new();
    if !visit.may(BuiltIn::UsersView) {
        return Ok(names);
    }
    let ids: BTreeSet<UserId> = rows.iter().flat_map(ids_in).flatten().collect();
    for id in ids {
        let name = match visit.people(app).user(id).await {
            Ok(detail) => detail.person.user.username,
            Err(countersign::service::Error::NotFound) => format!("#{id}, deleted"),
            Err(error) => return Err(error.into()),
        };
        names.insert(id, name);
    }
    Ok(names)
}

fn ids_in(row: &AuditRow) -> [Option<UserId>; 2] {
    [row.event.actor, row.event.user]
}

impl Row {
    fn new(row: &AuditRow, names: &BTreeMap<UserId, String>) -> Self {
        let event = &row.event;
        let named = |id: Option<UserId>| {
            id.map(|id| Named { id: id.0, name: names.get(&id).cloned().unwrap_or_else(|| format!("#{id}")) })
        };
        let look = match event.kind {
            EventKind::Theft | EventKind::LoginThrottled | EventKind::GraceElsewhere => "bad",
            EventKind::LoginFailed => "ochre",
            _ => "",
        };
        Self {
            at: minute(event.at),
            kind: words(event.kind),
            look,
            count: event.count,
            actor: named(event.actor),
            user: named(event.user),
            ip: event.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            detail: detail(event),
        }
    }
}

/// The name of a kind in words.
fn words(kind: EventKind) -> String {
    kind.as_str().replace('_', " ")
}

/// What else is told of an event, as JSON.
fn detail(event: &countersign::store::AuditEvent) -> String {
    if event.detail.is_empty() {
        String::new()
    } else {
        serde_json::Value::Object(event.detail.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_from_its_first_moment() {
        assert_eq!(beginning_of("2027-01-15"), Some(Timestamp::from_secs(1_799_971_200)));
        for text in ["", "2027-1-15", "2027-13-01", "15.01.2027", "2027-01-15T00:00:00Z", "aaaa-bb-cc"] {
            assert_eq!(beginning_of(text), None, "{text}");
        }
    }
}

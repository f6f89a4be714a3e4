//! The statements that read the audit, newest first.

use std::collections::BTreeSet;

use super::{Arg, Statement};
use crate::row::audit_columns;
use crate::{AuditCounts, AuditFilter, EventKind};

/// So many rows. Where several kinds are asked for, each has a statement of its own: the newest of them all are among the
/// newest of each.
pub(crate) fn rows(filter: &AuditFilter) -> Statement {
    let kinds: BTreeSet<_> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
    let each = if kinds.is_empty() { vec![None] } else { kinds.into_iter().map(Some).collect() };
    let mut rows = Statement::default();
    for (number, kind) in each.into_iter().enumerate() {
        rows.push(if number > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" });
        rows.append(&newest(filter, kind));
        rows.push(&format!(") AS part_{number}"));
    }
    rows.push(" ORDER BY at DESC, seq DESC LIMIT ");
    rows.bind(Arg::Int(filter.limit.into()));
    rows
}

/// The newest rows of one kind, or of any.
fn newest(filter: &AuditFilter, kind: Option<&str>) -> Statement {
    let mut newest = Statement::default();
    newest.push(concat!("SELECT ", audit_columns!(), " FROM audit WHERE TRUE"));
    let conditions = [
        ("kind =", kind.map(|kind| Arg::Text(kind.to_owned()))),
        ("user_id =", filter.user.map(|user| Arg::Int(user.0))),
        ("actor_id =", filter.actor.map(|actor| Arg::Int(actor.0))),
        ("at >=", filter.from.map(|from| Arg::Int(from.millis()))),
        ("at <", filter.until.map(|until| Arg::Int(until.millis()))),
        // The next condition says it too, but an index doesn't see it there.
        ("at <=", filter.after.map(|after| Arg::Int(after.at.millis()))),
    ];
    for (condition, arg) in conditions {
        if let Some(arg) = arg {
            newest.and(condition, arg);
        }
    }
    if let Some(after) = filter.after {
        newest.and("(at, seq) < (", Arg::Int(after.at.millis()));
        newest.push(", ");
        newest.bind(Arg::Int(after.seq));
        newest.push(")");
    }
    newest.push(" ORDER BY at DESC, seq DESC LIMIT ");
    newest.bind(Arg::Int(filter.limit.into()));
    newest
}

/// How often something happened, by the number of the step, nothing where it didn't: one short walk along the index for each.
pub(crate) fn counts(counts: &AuditCounts, kind: EventKind) -> Statement {
    let (from, until, step) = (counts.from.millis(), counts.until.millis(), step(counts));
    let last = until.saturating_sub(from).saturating_sub(1).div_euclid(step);
    let mut count = Statement::default();
    count.push(
        "WITH RECURSIVE steps (number) AS (
            SELECT CAST(0 AS BIGINT) UNION ALL SELECT number + 1 FROM steps WHERE number < ",
    );
    count.bind(Arg::Int(last));
    count.push(") SELECT number, (SELECT CAST(SUM(count) AS BIGINT) FROM audit WHERE TRUE");
    count.and("kind =", Arg::Text(kind.as_str().to_owned()));
    count.and("at >=", Arg::Int(from));
    count.push(" + number * ");
    count.bind(Arg::Int(step));
    count.and("at <", Arg::Int(from));
    count.push(" + (number + 1) * ");
    count.bind(Arg::Int(step));
    count.and("at <", Arg::Int(until));
    count.push(") FROM steps");
    count
}

/// The length of a step, in milliseconds; at least a second.
pub(crate) fn step(counts: &AuditCounts) -> i64 {
    counts.step.millis().max(1000)
}

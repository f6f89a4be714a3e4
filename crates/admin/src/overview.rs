//! The first page: how things are at a glance.

use askama::Template;
use axum::extract::State;
use countersign::core::{BuiltIn, Seconds, Timestamp};
use countersign::service::people::{AuditCount, AuditCounts};
use countersign::store::EventKind;

use crate::Warning;
use crate::answer::{Answer, Refused, page};
use crate::app::App;
use crate::form::Fields;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::minute;

const HOUR: Seconds = Seconds(60 * 60);
const DAY: Seconds = Seconds(24 * 60 * 60);

/// The chart's size in its own units, and the room below it for the times.
const WIDTH: u32 = 720;
const HEIGHT: u32 = 160;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: Frame,
    live_sessions: Option<u64>,
    chart: Option<Chart>,
    warnings: &'a [Warning],
    may_nothing: bool,
}

/// Logins and refusals over time, as bars.
struct Chart {
    span: &'static str,
    is_week: bool,
    logins: u64,
    refusals: u64,
    steps: Vec<Step>,
    top: u64,
}

/// One step of time: what happened in it, and where its bars stand.
struct Step {
    start: String,
    label: Option<String>,
    logins: u64,
    refusals: u64,
    x: u32,
    right: Bar,
    wrong: Bar,
}

struct Bar {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// `GET /admin/`.
pub(crate) async fn show(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let people = visit.people(&app);
    let live_sessions =
        if visit.may(BuiltIn::SessionsView) { Some(people.live_sessions().await?) } else { None };
    let chart = if visit.may(BuiltIn::AuditView) {
        Some(chart(&app, &visit, fields.text("span") == "week").await?)
    } else {
        None
    };
    let shown = OverviewPage {
        may_nothing: BuiltIn::ALL.iter().all(|right| !visit.may(*right)),
        frame: Frame::new(&visit, Section::Overview),
        live_sessions,
        chart,
        warnings: if visit.actor.is_superuser() { app.warnings() } else { &[] },
    };
    Ok(page(&shown))
}

async fn chart(app: &App, visit: &Visit, is_week: bool) -> Result<Chart, Refused> {
    let (step, steps) = if is_week { (Seconds(6 * HOUR.0), 28_u32) } else { (HOUR, 24) };
    // Whole steps, the one that has begun included.
    let now = app.service().now();
    let until = Timestamp::from_millis((now.millis().div_euclid(step.millis()) + 1) * step.millis());
    let from = until - Seconds(step.0 * steps);
    let kinds = vec![
        EventKind::Login,
        EventKind::AdminSignIn,
        EventKind::LoginFailed,
        EventKind::LoginThrottled,
        EventKind::Theft,
    ];
    let counts = visit.people(app).audit_counts(AuditCounts { kinds, from, until, step }).await?;
    Ok(drawn(&counts, is_week, from, step, steps))
}

/// Where everything stands.
fn drawn(counts: &[AuditCount], is_week: bool, from: Timestamp, step: Seconds, steps: u32) -> Chart {
    let is_login = |kind| matches!(kind, EventKind::Login | EventKind::AdminSignIn);
    let of = |start: Timestamp, logins: bool| -> u64 {
        let here = counts.iter().filter(|count| count.start == start && is_login(count.kind) == logins);
        here.map(|count| count.count).sum()
    };
    let moments: Vec<Timestamp> = (0..steps).map(|n| from + Seconds(step.0 * n)).collect();
    let values: Vec<(u64, u64)> = moments.iter().map(|start| (of(*start, true), of(*start, false))).collect();
    let top = values.iter().map(|(logins, refusals)| *logins.max(refusals)).max().unwrap_or(0).max(1);
    let pitch = WIDTH / steps;
    let width = (pitch - 4) / 2;
    let bar = |x: u32, value: u64| {
        // At least a sliver where there is anything at all.
        let height = u32::try_from(value * u64::from(HEIGHT) / top).unwrap_or(HEIGHT);
        let height = if value > 0 { height.max(2) } else { 0 };
        Bar { x, y: HEIGHT - height, width, height }
    };
    let every = if is_week { 4 } else { 3 };
    let drawn = (0_u32..).zip(moments.iter().zip(&values)).map(|(n, (start, (logins, refusals)))| {
        let x = n * pitch;
        let text = minute(*start);
        let label = if is_week { text.get(5..10) } else { text.get(11..16) };
        let is_labelled = if is_week { start.secs() % i64::from(DAY.0) == 0 } else { n % every == 0 };
        Step {
            label: label.filter(|_| is_labelled).map(ToOwned::to_owned),
            start: text.clone(),
            logins: *logins,
            refusals: *refusals,
            x,
            right: bar(x + 2, *logins),
            wrong: bar(x + 2 + width, *refusals),
        }
    });
    Chart {
        span: if is_week { "seven days" } else { "24 hours" },
        is_week,
        logins: values.iter().map(|(logins, _)| logins).sum(),
        refusals: values.iter().map(|(_, refusals)| refusals).sum(),
        steps: drawn.collect(),
        top,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn count(kind: EventKind, step: u32, count: u64) -> AuditCount {
        AuditCount { kind, start: FROM + Seconds(step * HOUR.0), count }
    }

    #[test]
    fn bars_stand_for_what_happened_in_their_step() {
        let counts = [
            count(EventKind::Login, 0, 10),
            count(EventKind::AdminSignIn, 0, 10),
            count(EventKind::LoginFailed, 23, 5),
            count(EventKind::LoginThrottled, 23, 5),
        ];
        let chart = drawn(&counts, false, FROM, HOUR, 24);
        assert_eq!((chart.logins, chart.refusals, chart.top, chart.steps.len()), (20, 10, 20, 24));
        assert_eq!((chart.steps[0].right.height, chart.steps[0].wrong.height), (HEIGHT, 0));
        assert_eq!(chart.steps[23].wrong.height, HEIGHT / 2);
        let last = &chart.steps[23].wrong;
        assert!(last.x + last.width <= WIDTH);
    }

    #[test]
    fn where_nothing_happened_nothing_is_drawn() {
        let chart = drawn(&[], true, FROM, Seconds(6 * HOUR.0), 28);
        assert!(chart.steps.iter().all(|step| step.right.height == 0 && step.wrong.height == 0));
    }

    #[test]
    fn little_beside_much_is_still_seen() {
        let counts = [count(EventKind::Login, 0, 1_000_000), count(EventKind::LoginFailed, 1, 1)];
        assert_eq!(drawn(&counts, false, FROM, HOUR, 24).steps[1].wrong.height, 2);
    }
}

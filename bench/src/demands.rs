//! What must hold: ratios of figures of one run, so that they mean the same on any machine.

use crate::contest::{Figures, Outcome, Spread};
use crate::loads::{
    BARE, BARE_ED25519, COMMITS, FLOODED, HASHING, HASHING_C, LOGGED, OURS, QUIET, SEEN, UNSEEN,
};
use crate::plan::{Results, Sized, Start};
use crate::postgres::PGBENCH;
use crate::store::on_postgres;

/// Something that must hold, and whether it does.
pub(crate) struct Demand {
    pub(crate) load: &'static str,
    pub(crate) wanted: String,
    pub(crate) found: String,
    /// None: it is only reported, or was not measured.
    pub(crate) is_met: Option<bool>,
}

const ROTATIONS: f64 = 12_000.0;
/// In MiB.
const REST: f64 = 30.0;
const HASHING_THREAD: f64 = 20.0;
const CACHED_TOKEN: f64 = 150.0 / 1_048_576.0;
/// In milliseconds.
const START: f64 = 50.0;
const FLOODED_P99: f64 = 5.0;

pub(crate) fn all(results: &Results) -> Vec<Demand> {
    vec![
        ratio("profile, EdDSA, token seen before", "bare axum", 0.80, &results.profile, (SEEN, BARE)),
        ratio("the same, a line a request to a file", "bare axum", 0.60, &results.profile, (LOGGED, BARE)),
        ratio(
            "profile, EdDSA, token never seen",
            "bare axum with one Ed25519 check",
            0.85,
            &results.profile,
            (UNSEEN, BARE_ED25519),
        ),
        rotations(results),
        reported("the same, beside a group-commit loop on the same core", &results.refresh, (OURS, COMMITS)),
        ratio("refresh with rotation, PostgreSQL", "pgbench", 0.70, &results.postgres, (OURS, PGBENCH)),
        ratio("login", "Argon2id in Rust", 0.95, &results.login, (OURS, HASHING)),
        reported("login, beside Argon2id in C with AVX2", &results.login, (OURS, HASHING_C)),
        flood("profile p99 under a flood of 200 logins", &results.flood, (QUIET, FLOODED)),
        flood("the same, PostgreSQL", &results.flood, (&on_postgres(QUIET), &on_postgres(FLOODED))),
        at_rest(results),
        after_the_mix(results),
        start("start to the first answer", ours(results).map(|start| start.cold)),
        start("start with 1,000,000 sessions", size(results, 1_000_000).map(|size| size.start.cold)),
        scale(results),
    ]
}

/// A ratio of rates, round by round: what the machine did meanwhile met both.
fn paired(
    outcomes: &[Outcome],
    (over, under): (&str, &str),
    figure: fn(&Figures) -> Option<f64>,
) -> Option<Spread> {
    let named = |name: &str| outcomes.iter().find(|outcome| outcome.name == name && outcome.failed.is_none());
    let rounds = named(over)?.rounds.iter().zip(&named(under)?.rounds);
    Spread::of(rounds.filter_map(|(over, under)| Some(figure(over)? / figure(under)?)).collect())
}

fn ratio(
    load: &'static str,
    of: &str,
    least: f64,
    outcomes: &[Outcome],
    pair: (&'static str, &'static str),
) -> Demand {
    let found = paired(outcomes, pair, |figures| Some(figures.rate));
    // Less processor time is better: the other way round.
    let by_time = paired(outcomes, (pair.1, pair.0), |figures| figures.cpu);
    let by_time = by_time.map(|ratio| format!("; by processor time {:.2}", ratio.middle)).unwrap_or_default();
    Demand {
        load,
        wanted: format!("{least:.2} of {of}"),
        found: found.map_or_else(not_measured, |found| format!("{}{by_time}", shown(found))),
        is_met: found.map(|found| found.middle >= least),
    }
}

fn reported(load: &'static str, outcomes: &[Outcome], pair: (&str, &str)) -> Demand {
    let found = paired(outcomes, pair, |figures| Some(figures.rate));
    Demand { load, wanted: "reported".into(), found: found.map_or_else(not_measured, shown), is_met: None }
}

fn rotations(results: &Results) -> Demand {
    let found = named(&results.refresh, OURS).and_then(Outcome::rate);
    Demand {
        load: "refresh with rotation, SQLite, durable, one core",
        wanted: "12,000/s".into(),
        found: found.map_or_else(not_measured, |found| format!("{:.0}/s", found.middle)),
        is_met: found.map(|found| found.middle >= ROTATIONS),
    }
}

fn flood(load: &'static str, outcomes: &[Outcome], (quiet, flooded): (&str, &str)) -> Demand {
    let p99 = |name| Some(named(outcomes, name)?.spread(|figures| figures.p99)?.middle / 1e3);
    let both = p99(quiet).zip(p99(flooded));
    Demand {
        load,
        wanted: "3 times the quiet p99 or 5 ms".into(),
        found: both
            .map_or_else(not_measured, |(quiet, flooded)| format!("{flooded:.2} ms; quiet {quiet:.2} ms")),
        is_met: both.map(|(quiet, flooded)| flooded <= FLOODED_P99.max(quiet * 3.0)),
    }
}

fn at_rest(results: &Results) -> Demand {
    let found = ours(results).map(|start| start.rest);
    Demand {
        load: "memory at rest",
        wanted: format!("{REST:.0} MiB"),
        found: found.map_or_else(not_measured, |found| format!("{found:.1} MiB")),
        is_met: found.map(|found| found <= REST),
    }
}

/// The mix runs on one core, so there is one hashing thread.
fn after_the_mix(results: &Results) -> Demand {
    let found = named(&results.mix, OURS).and_then(|outcome| outcome.memory);
    let most = REST + HASHING_THREAD + results.mix_tokens * CACHED_TOKEN;
    Demand {
        load: "memory after the mix",
        wanted: format!(
            "{most:.1} MiB: base, 20 MiB a hashing thread, 150 bytes a token of {:.0}",
            results.mix_tokens
        ),
        found: found.map_or_else(not_measured, |found| format!("{found:.1} MiB")),
        is_met: found.map(|found| found <= most),
    }
}

fn start(load: &'static str, found: Option<Spread>) -> Demand {
    Demand {
        load,
        wanted: format!("{START:.0} ms"),
        found: found.map_or_else(not_measured, |found| format!("{:.0} ms", found.middle)),
        is_met: found.map(|found| found.middle <= START),
    }
}

fn scale(results: &Results) -> Demand {
    let rate = |sessions| size(results, sessions)?.refresh.rate();
    let found = rate(10_000_000).zip(rate(10_000)).map(|(most, few)| most.middle / few.middle);
    Demand {
        load: "rotations with 10,000,000 sessions",
        wanted: "0.70 of those with 10,000".into(),
        found: found.map_or_else(not_measured, |found| format!("{found:.2}")),
        is_met: found.map(|found| found >= 0.7),
    }
}

fn ours(results: &Results) -> Option<&Start> {
    results.starts.iter().find(|start| start.name == OURS)
}

fn size(results: &Results, sessions: u32) -> Option<&Sized> {
    results.scale.iter().find(|sized| sized.size.sessions == sessions)
}

fn named<'a>(outcomes: &'a [Outcome], name: &str) -> Option<&'a Outcome> {
    outcomes.iter().find(|outcome| outcome.name == name && outcome.failed.is_none())
}

fn shown(Spread { least, middle, most }: Spread) -> String {
    format!("{middle:.2} ({least:.2} to {most:.2})")
}

fn not_measured() -> String {
    "not measured".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, rates: &[f64]) -> Outcome {
        let round =
            |rate: &f64| Figures { rate: *rate, p50: None, p99: Some(1e6 / rate), cpu: Some(1e6 / rate) };
        Outcome { rounds: rates.iter().map(round).collect(), ..Outcome::new(name) }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let outcomes = [outcome(SEEN, &[80.0, 8.0, 40.0]), outcome(BARE, &[100.0, 10.0, 40.0])];
        let demand = ratio("load", "bare", 0.8, &outcomes, (SEEN, BARE));
        assert_eq!(demand.found, "0.80 (0.80 to 1.00); by processor time 0.80");
        assert_eq!(demand.is_met, Some(true));
    }

    #[test]
    fn what_failed_meets_nothing_and_misses_nothing() {
        let failed = Outcome { failed: Some("wrong answers".into()), ..outcome(SEEN, &[80.0]) };
        let demand = ratio("load", "bare", 0.8, &[failed, outcome(BARE, &[100.0])], (SEEN, BARE));
        assert_eq!((demand.is_met, &*demand.found), (None, "not measured"));
    }

    #[test]
    fn a_flood_may_cost_three_times_the_quiet_p99_or_five_milliseconds() {
        let found = |quiet: f64, flooded: f64| {
            let flood = vec![outcome(QUIET, &[1e3 / quiet]), outcome(FLOODED, &[1e3 / flooded])];
            super::flood("load", &flood, (QUIET, FLOODED)).is_met
        };
        assert_eq!(found(0.5, 4.9), Some(true));
        assert_eq!(found(0.5, 5.1), Some(false));
        assert_eq!(found(2.0, 5.9), Some(true));
    }
}

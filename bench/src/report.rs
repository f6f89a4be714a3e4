//! What is made of the figures: `bench/RESULTS.md` and its charts.

use std::fmt::Write;
use std::fs;

use countersign_core::Timestamp;

use crate::chart::{self, Bar, Group, Kind, number};
use crate::contest::{Figures, Outcome, Spread};
use crate::demands::{self, Demand};
use crate::loads::{BARE, BARE_ED25519, COMMITS, HASHING, HASHING_C, LAYER, OURS};
use crate::plan::{Results, Sized, Start};
use crate::postgres::PGBENCH;
use crate::{Result, machine, now, say, summary};

const PAGE: &str = "bench/RESULTS.md";
const LOADS_CHART: &str = "results-loads.svg";
const SCALE_CHART: &str = "results-scale.svg";

/// Shows the report, and writes it where that was asked for.
pub(crate) fn publish(results: &Results, write: bool) -> Result<()> {
    let page = page(results);
    if !write {
        say(&format!("\n{page}\nNothing was written: this is not the whole of it."));
        return Ok(());
    }
    fs::write(PAGE, page)?;
    fs::write(format!("bench/{LOADS_CHART}"), chart::bars(&loads(results)))?;
    fs::write(format!("bench/{SCALE_CHART}"), chart::bars(&scale(results)))?;
    summary::publish(results)?;
    say(&format!("\n{}\nThe whole report: {PAGE}", met(&demands::all(results))));
    Ok(())
}

fn page(results: &Results) -> String {
    let mut page = format!(
        "# Results\n\nMade by `cargo xtask bench` at {}; how, and how to read it: [README.md](README.md).\n\n",
        Timestamp::from_millis(now())
    );
    if let Some(timing) = results.timing {
        let (rounds, seconds) = (timing.rounds, timing.length.as_secs_f64());
        let _ = writeln!(
            page,
            "Each figure is the median of {rounds} rounds of {seconds:.0} seconds, by turns; the least and the most stand in \
             parentheses.\n"
        );
    }
    page.push_str(&met(&demands::all(results)));
    let _ = write!(page, "\n![Requests a second, by load]({LOADS_CHART})\n");
    let contests = [
        (
            "Authenticated profile",
            "16 connections, one core, on which PostgreSQL is too, where the store is there.",
            &results.profile,
        ),
        (
            "Refresh with rotation, SQLite",
            "64 connections, one core, each rotation on the disk. The article's design does not rotate: its refresh writes nothing.",
            &results.refresh,
        ),
        (
            "Refresh with rotation, PostgreSQL",
            "PostgreSQL on one core; what asks it, and the loader, on the other.",
            &results.postgres,
        ),
        ("Login", "16 connections, both cores.", &results.login),
        (
            "The mix as in life",
            "32 sessions, one core: one login, twelve refreshes, sixty calls each, over and over. Rate: all requests. Percentiles: the calls.",
            &results.mix,
        ),
        (
            "A thousand profiles a second",
            "Alone, and under a flood of 200 logins at once, right and wrong by turns.",
            &results.flood,
        ),
    ];
    for (title, note, outcomes) in contests {
        if !outcomes.is_empty() {
            let _ = write!(page, "\n## {title}\n\n{note}\n\n{}", table(outcomes));
        }
    }
    if !results.starts.is_empty() {
        let _ = write!(page, "\n## Start\n\n{}", starts(&results.starts));
    }
    if !results.scale.is_empty() {
        let _ = write!(
            page,
            "\n## Scale\n\nCountersign, SQLite, one core; sessions from all over the store.\n\n{}\n![By size of the store]({SCALE_CHART})\n",
            sizes(&results.scale)
        );
    }
    if !results.scale_on_postgres.is_empty() {
        let _ = write!(
            page,
            "\n## Scale, PostgreSQL\n\nThe memory is Countersign's. For rotations PostgreSQL has a core of its own, as above.\n\n{}",
            sizes(&results.scale_on_postgres)
        );
    }
    if !results.missing.is_empty() {
        page.push_str("\n## Left out\n\n");
        for (name, reason) in &results.missing {
            let _ = writeln!(page, "- {name}: {reason}");
        }
    }
    page.push_str("\n## The machine\n\n| | |\n| --- | --- |\n");
    for (name, value) in machine::described() {
        let _ = writeln!(page, "| {name} | {value} |");
    }
    let _ = writeln!(page, "| built from | {} |", results.built_from);
    page
}

fn met(demands: &[Demand]) -> String {
    let mut text = String::from("| load | at least | found | |\n| --- | --- | --- | --- |\n");
    for Demand { load, wanted, found, is_met } in demands {
        let met = match is_met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "",
        };
        let _ = writeln!(text, "| {load} | {wanted} | {found} | {met} |");
    }
    text
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| | a second | p50 | p99 | processor time | memory |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for outcome in outcomes {
        let name = &outcome.name;
        let Some(rate) = outcome.rate() else {
            let reason = outcome.failed.as_deref().unwrap_or("it had no round");
            let _ = writeln!(text, "| {name} | failed: {} | | | | |", reason.replace('|', "/"));
            continue;
        };
        let figure = |figure: fn(&Figures) -> Option<f64>| outcome.spread(figure).map(|spread| spread.middle);
        let micros = |value: Option<f64>| value.map(duration).unwrap_or_default();
        let memory = outcome.memory.map(|memory| format!("{memory:.0} MiB")).unwrap_or_default();
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {memory} |",
            spread(rate),
            micros(figure(|figures| figures.p50)),
            micros(figure(|figures| figures.p99)),
            micros(figure(|figures| figures.cpu)),
        );
    }
    text
}

fn starts(starts: &[Start]) -> String {
    let mut text =
        String::from("| | first answer, ms | memory then | memory at rest |\n| --- | ---: | ---: | ---: |\n");
    for Start { name, cold, fresh, rest } in starts {
        let _ = writeln!(text, "| {name} | {} | {fresh:.0} MiB | {rest:.0} MiB |", spread(*cold));
    }
    text
}

fn sizes(sizes: &[Sized]) -> String {
    let mut text = String::from(
        "| sessions | users | disk | first answer, ms | memory at rest | rotations a second | p99 | memory then | profiles a second | p99 |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Sized { size, disk, start, refresh, profile } in sizes {
        let rate = |outcome: &Outcome| {
            outcome.rate().map_or_else(|| outcome.failed.clone().unwrap_or_default(), spread)
        };
        let p99 = |outcome: &Outcome| {
            outcome.spread(|figures| figures.p99).map(|spread| duration(spread.middle)).unwrap_or_default()
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} MiB | {} | {:.0} MiB | {} | {} | {:.0} MiB | {} | {} |",
            number(f64::from(size.sessions)),
            number(f64::from(size.users)),
            number(*disk),
            spread(start.cold),
            start.rest,
            rate(refresh),
            p99(refresh),
            refresh.memory.unwrap_or_default(),
            rate(profile),
            p99(profile),
        );
    }
    text
}

fn spread(Spread { least, middle, most }: Spread) -> String {
    format!("{} ({} to {})", number(middle), number(least), number(most))
}

/// Microseconds as a person reads them.
fn duration(micros: f64) -> String {
    if micros < 1_000.0 { format!("{micros:.0} µs") } else { format!("{} ms", number(micros / 1e3)) }
}

fn loads(results: &Results) -> Vec<Group> {
    let contests = [
        ("Profiles a second, one core", &results.profile),
        ("Refreshes a second, one core, SQLite", &results.refresh),
        ("Refreshes a second, PostgreSQL on a core of its own", &results.postgres),
        ("Logins a second, two cores", &results.login),
        ("Requests a second in the mix, one core", &results.mix),
    ];
    contests.map(|(title, outcomes)| group(title, outcomes)).into()
}

fn group(title: &str, outcomes: &[Outcome]) -> Group {
    const FLOORS: [&str; 7] = [BARE, BARE_ED25519, LAYER, COMMITS, HASHING, HASHING_C, PGBENCH];
    let bars = outcomes.iter().filter_map(|outcome| {
        let kind = if outcome.name.starts_with(OURS) {
            Kind::Ours
        } else if FLOORS.contains(&&*outcome.name) {
            Kind::Floor
        } else {
            Kind::Peer
        };
        Some(Bar { label: outcome.name.clone(), value: outcome.rate()?.middle, kind })
    });
    Group { title: title.to_owned(), bars: bars.collect() }
}

fn scale(results: &Results) -> Vec<Group> {
    let group = |title: &str, sizes: &[Sized], value: &dyn Fn(&Sized) -> Option<f64>| Group {
        title: title.to_owned(),
        bars: sizes
            .iter()
            .filter_map(|sized| {
                let label = format!("{} sessions", number(f64::from(sized.size.sessions)));
                Some(Bar { label, value: value(sized)?, kind: Kind::Ours })
            })
            .collect(),
    };
    let rate = |sized: &Sized| Some(sized.refresh.rate()?.middle);
    let p99 = |sized: &Sized| Some(sized.refresh.spread(|figures| figures.p99)?.middle / 1e3);
    let (ours, on_postgres) = (&*results.scale, &*results.scale_on_postgres);
    vec![
        group("Rotations a second", ours, &rate),
        group("Their p99, ms", ours, &p99),
        group("Rotations a second, PostgreSQL", on_postgres, &rate),
        group("Their p99, ms", on_postgres, &p99),
        group("Profiles a second", ours, &|sized| Some(sized.profile.rate()?.middle)),
        group("First answer after a start, ms", ours, &|sized| Some(sized.start.cold.middle)),
        group("Memory while sessions rotate, MiB", ours, &|sized| sized.refresh.memory),
        group("On the disk, MiB", ours, &|sized| Some(sized.disk)),
    ]
}

//! `countersign check`: the settings in force, and what is to be said about them.

pub(crate) mod deploy;
mod fields;

use countersign::settings::SameSite;

use crate::config::{Config, GROUPS, Row};
use crate::outcome::{Failure, say};
use crate::site::is_same_site;

/// What it is asked for.
pub(crate) struct Arguments {
    /// Whether also what isn't fit for production is told.
    pub(crate) deploy: bool,
    /// Whether all users are listed whose custom fields don't fit.
    pub(crate) all: bool,
}

/// Shows the settings and what is to be said about them.
pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Failure> {
    say(&table(config));
    for warning in warnings(config) {
        say(&format!("warning: {warning}"));
    }
    let misfits = fields::run(config, arguments.all).await;
    if !arguments.deploy {
        say("These settings can be served. `countersign check --deploy` says what isn't fit for production.");
        return Ok(());
    }
    let mut findings = deploy::findings(config);
    findings.extend(misfits);
    for finding in &findings {
        say(&format!("{}: {}\n    {}", finding.setting, finding.problem, finding.remedy));
    }
    match findings.len() {
        0 => {
            say("Nothing here is unfit for production.");
            Ok(())
        }
        1 => Err(Failure::Refused("1 thing is not fit for production".into())),
        more => Err(Failure::Refused(format!("{more} things are not fit for production"))),
    }
}

/// What is told at each start too.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    origins_without_cookies(config)
        .into_iter()
        .map(|origin| {
            format!(
                "allowed_origins: {origin} is on another site than {}, so that browsers send no cookie from there; \
                 serve both below one domain, or set cookie_samesite = \"None\" (on https)",
                config.settings().public_url
            )
        })
        .collect()
}

/// The origins that may call, and whose cookies won't come.
fn origins_without_cookies(config: &Config) -> Vec<String> {
    let settings = config.settings();
    if settings.cookies.same_site == SameSite::None {
        return Vec::new();
    }
    let public = settings.public_url.origin();
    let elsewhere = settings.allowed_origins.iter().filter(|origin| !is_same_site(origin, public));
    elsewhere.map(ToString::to_string).collect()
}

fn table(config: &Config) -> String {
    let width = |longest: fn(&Row) -> usize| config.rows.iter().map(longest).max().unwrap_or_default();
    let names = width(|row| row.setting.name.len());
    let values = width(|row| row.shown().chars().count()).min(40);
    let mut lines = Vec::new();
    for group in GROUPS {
        let heading = group.heading.split(" (").next().unwrap_or_default();
        lines.push(format!("{heading}:"));
        for row in
            config.rows.iter().filter(|row| group.settings.iter().any(|it| it.name == row.setting.name))
        {
            let (name, value, source) = (row.setting.name, row.shown(), row.source.of(row.setting.name));
            lines.push(format!("  {name:names$}  {value:values$}  {source}"));
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

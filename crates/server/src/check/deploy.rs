//! What isn't fit for production. Settings that can't be right anywhere were refused before; these are right on the
//! machine of someone who tries things out, and not where others' accounts are kept.

use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign::settings::{CookiePrefix, Database, HOW_TO_MAKE, Settings};
use tracing_subscriber::filter::LevelFilter;

use super::origins_without_cookies;
use crate::config::{Config, Source};
use crate::text::escape;

const DAY: u32 = 86_400;

/// A setting that isn't fit, why, and what to do.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) setting: &'static str,
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

/// All that isn't fit.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    transport(config, &mut found);
    files(config, &mut found);
    secrets(config, &mut found);
    numbers(config.settings(), &mut found);
    browsers(config, &mut found);
    operations(config, &mut found);
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn when(
        &mut self,
        unfit: bool,
        setting: &'static str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if unfit {
            self.0.push(Finding { setting, problem: problem.into(), remedy: remedy.into() });
        }
    }
}

fn transport(config: &Config, found: &mut Findings) {
    let settings = config.settings();
    let url = &settings.public_url;
    found.when(
        !url.is_https() || url.is_loopback(),
        "public_url",
        format!("{url} is not where the browsers of others reach this server by TLS"),
        "write the https address that they use, such as https://auth.example.com; a proxy in front ends the TLS",
    );
    found.when(
        settings.insecure_http,
        "insecure_http",
        "passwords and tokens may go over the network in plain sight",
        "remove it, and let a proxy in front end the TLS",
    );
    found.when(
        url.is_https() && settings.trusted_proxies.is_empty(),
        "trusted_proxies",
        "something in front ends the TLS, and isn't listed: all users seem to come from its address, and one who \
         guesses passwords locks out all",
        "list the networks of your proxies, such as 10.0.0.0/8",
    );
    for everyone in settings.trusted_proxies.iter().filter(|network| network.prefix_len() == 0) {
        found.when(
            true,
            "trusted_proxies",
            format!("{everyone} is everyone, and whoever is believed can guess passwords from any address"),
            "list the networks of your proxies alone",
        );
    }
}

fn files(config: &Config, found: &mut Findings) {
    match &config.settings().database {
        Database::Sqlite(database) => found.when(
            is_open_to_others(database),
            "database_url",
            format!("{} can be read by other users of this machine", shown(database)),
            format!("run: chmod 600 {}", shown(database)),
        ),
        Database::Postgres(database) => {
            found.when(
                !database.is_verified(),
                "database_url",
                "whoever stands between here and the database can pose as it, and read all that is in it",
                "add ?sslmode=verify-full, and sslrootcert=FILE for an authority of your own",
            );
            found.when(
                config.rows.source("database_url") == &Source::Flag,
                "database_url",
                "it stands on the command line, which every user of this machine can read",
                "give it as COUNTERSIGN_DATABASE_URL, or in the configuration file",
            );
        }
    }
}

fn secrets(config: &Config, found: &mut Findings) {
    for row in config.rows.iter().filter(|row| row.setting.is_secret) {
        let (name, variable) = (row.setting.name, row.setting.variable());
        match &row.source {
            Source::Flag => found.when(
                true,
                name,
                "it stands on the command line, which every user of this machine can read",
                format!("give it as {variable}, or in the configuration file"),
            ),
            Source::File(path) => found.when(
                is_open_to_others(path),
                name,
                format!("it stands in {}, which other users of this machine can read", shown(path)),
                format!("run: chmod 600 {}", shown(path)),
            ),
            Source::Kept(path) => found.when(
                true,
                name,
                format!("it was generated, and is lost with {}", shown(path)),
                format!("keep a copy where your other secrets are kept, and give it as {variable}"),
            ),
            Source::ToBeMade(_) => found.when(
                true,
                name,
                "it would be generated at the first start, and lost with data_dir",
                format!(
                    "{HOW_TO_MAKE}; keep it where your other secrets are kept, and give it as {variable}"
                ),
            ),
            Source::Environment | Source::Default => {}
        }
    }
    for name in config.settings().secrets.guessable() {
        found.when(true, name, "it was typed rather than made, and can be guessed", HOW_TO_MAKE);
    }
}

fn numbers(settings: &Settings, found: &mut Findings) {
    let throttle = &settings.throttle;
    let unusual = |setting, value: u32, usual: RangeInclusive<u32>, because: &str| {
        let remedy = match (usual.contains(&value), value < *usual.start()) {
            (true, _) => return None,
            (false, true) => format!("write {} or more", usual.start()),
            (false, false) => format!("write {} or less", usual.end()),
        };
        Some(Finding { setting, problem: format!("{value} is unusual: {because}"), remedy })
    };
    let access = "a server that only verifies tokens lets an ended session in for that long";
    let refresh = "a lost device stays signed in for that long";
    let session = "a user is asked for the password after that long, not earlier";
    let grace = "with less, tabs that race look like a theft; with more, a theft goes unnoticed";
    let leeway = "each token lives that much longer; keep the clocks in step instead";
    let liveness = "an ended session may be let in for that long";
    let length = "a password that stands alone is to have 15 characters (NIST SP 800-63B)";
    let guesses = "so many passwords may be tried before it is slowed down";
    let window = "failed logins are counted for that long, then forgotten";
    let ceiling = "no more than 100 failures in a row are to go unanswered (NIST SP 800-63B)";
    let audit = "an intruder may be noticed later than that";
    let length_set = u32::try_from(settings.password_min_length).unwrap_or(u32::MAX);
    found.0.extend(
        [
            unusual("access_token_lifetime", settings.access_token_lifetime.0, 1..=900, access),
            unusual("refresh_token_lifetime", settings.refresh_token_lifetime.0, 1..=30 * DAY, refresh),
            unusual("session_lifetime", settings.session_lifetime.0, 1..=90 * DAY, session),
            unusual("rotation_grace", settings.rotation_grace.0, 2..=60, grace),
            unusual("leeway", settings.leeway.0, 0..=60, leeway),
            unusual("liveness_max_age", settings.liveness_max_age.0, 1..=5, liveness),
            unusual("password_min_length", length_set, 15..=1024, length),
            unusual("throttle_name_limit", throttle.name_limit.into(), 1..=30, guesses),
            unusual("throttle_network_limit", throttle.network_limit.into(), 1..=1000, guesses),
            unusual("throttle_window", throttle.window.0, 60..=DAY, window),
            unusual("throttle_ceiling", throttle.ceiling, 1..=100, ceiling),
            unusual("audit_retention", settings.audit_retention.0, 90 * DAY..=u32::MAX, audit),
        ]
        .into_iter()
        .flatten(),
    );
}

fn browsers(config: &Config, found: &mut Findings) {
    let settings = config.settings();
    for origin in origins_without_cookies(config) {
        found.when(
            true,
            "allowed_origins",
            format!(
                "{origin} is on another site than {}, so that no cookie comes from there",
                settings.public_url
            ),
            "serve both below one domain, or write cookie_samesite = \"None\"",
        );
    }
    for origin in settings.allowed_origins.iter().filter(|origin| origin.scheme() == "http") {
        found.when(
            true,
            "allowed_origins",
            format!("{origin} is plain http: whoever is on the way can change that page and act as its user"),
            "serve the page by https, or take it out",
        );
    }
    found.when(
        settings.cookies.prefix == CookiePrefix::Plain,
        "cookie_prefix",
        "without a prefix a sibling host can plant cookies of the same names",
        "write auto, and let the client look for both names",
    );
}

fn operations(config: &Config, found: &mut Findings) {
    let filter = &config.program.log.filter;
    let levels = filter.iter().map(|(_, level)| level).chain(filter.default_level());
    found.when(
        levels.max() > Some(LevelFilter::INFO),
        "log_level",
        "so much is written that what matters is lost, and disks fill",
        "write info",
    );
}

fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}

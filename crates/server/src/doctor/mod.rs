//! `countersign doctor`: what a browser will do with a page and this API, in plain words, before its author loses an
//! afternoon.
//!
//! - [`pair`]: the page and the API, and how they stand to each other.
//! - [`rules`], [`cookies`], [`set_cookie`]: what follows from the settings alone. Pure; each sentence is made here.
//! - [`live`]: what the running server answers, read as a browser reads it.
//! - [`finding`], [`report`]: what is said, and how.
//!
//! It changes nothing, neither here nor at the server that it asks.

mod cookies;
mod finding;
mod live;
mod pair;
mod report;
mod rules;
mod set_cookie;
#[cfg(test)]
mod testing;

use countersign::core::origin::Origin;

use self::pair::{Api, Pair};
use crate::config::Config;
use crate::outcome::{Failure, say};

/// What doctor is told.
pub(crate) struct Arguments {
    /// The origin of the page.
    pub(crate) spa: String,
    /// Where the page finds the API, if not at the public URL.
    pub(crate) api: Option<String>,
    /// For a program.
    pub(crate) json: bool,
}

/// Says what it found; refused where there is a problem.
pub(crate) fn run(config: &Config, arguments: &Arguments) -> Result<(), Failure> {
    let page = Origin::parse(&arguments.spa)
        .map_err(|error| Failure::Misused(format!("--spa: {:?} {error}", arguments.spa)))?;
    let api = arguments.api.as_deref().map(Api::parse).transpose();
    let api = api.map_err(|error| Failure::Misused(format!("--api: {error}")))?;
    let pair = Pair::new(&page, api, config.settings());
    let mut findings = rules::findings(&pair);
    findings.extend(live::findings(&pair));
    say(&if arguments.json {
        report::json(&pair, &findings)
    } else {
        report::text(&pair, &findings, &config.rows)
    });
    match findings.iter().filter(|finding| finding.is_problem()).count() {
        0 => Ok(()),
        1 => Err(Failure::Refused(format!("1 problem: a browser app at {page} won't work"))),
        more => Err(Failure::Refused(format!("{more} problems: a browser app at {page} won't work"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::GROUPS;

    /// What stands in the page between backticks, and in its blocks of TOML.
    fn snippets(page: &str) -> impl Iterator<Item = &str> {
        page.split('`').skip(1).step_by(2).chain(page.lines().map(str::trim))
    }

    #[test]
    fn each_setting_that_the_docs_page_tells_to_write_is_one() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/works-in-postman-not-in-axios.md");
        let page = std::fs::read_to_string(page).unwrap();
        let mut seen = 0;
        for snippet in snippets(&page) {
            let Ok(lines) = toml::from_str::<toml::Table>(snippet) else { continue };
            for name in lines.keys() {
                let is_setting = GROUPS.iter().flat_map(|group| group.settings).any(|it| it.name == name);
                assert!(is_setting, "{snippet}");
                seen += 1;
            }
        }
        assert!(seen >= 15, "{seen}");
    }
}

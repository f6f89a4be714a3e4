//! Who answers: this Countersign, another one, or something else.

use axum::http::Method;
use axum::http::header::{LOCATION, WWW_AUTHENTICATE};

use super::ask::{Answer, Asker, Silence, shown};
use crate::doctor::finding::{Finding, Line, Remedy};
use crate::doctor::pair::{Api, Pair};

/// Whether there is any use in asking on.
pub(super) enum Identity {
    /// A Countersign.
    Ours(Finding),
    /// Nothing that should be sent more.
    NotOurs(Finding),
}

const ABOUT: &str = "server";

/// Asks for what tells the issuer, and harms nobody, whoever it is.
pub(super) fn tell(asker: &Asker, pair: &Pair<'_>) -> Identity {
    let answer = match asker.ask(&Method::GET, "/openapi.json", &[], "") {
        Ok(answer) => answer,
        Err(silence) => return Identity::NotOurs(silent(&silence, pair)),
    };
    if let Some(problem) = in_between(&answer, pair) {
        return Identity::NotOurs(problem);
    }
    if answer.text("/info/title").as_deref() == Some("Countersign") {
        let text = |pointer| shown(&answer.text(pointer).unwrap_or_default());
        return Identity::Ours(known(pair, &text("/servers/0/url"), &text("/info/version")));
    }
    // A proxy may let a few paths through alone.
    match asker.ask(&Method::GET, "/accounts/profile", &[], "") {
        Ok(profile) if is_our_challenge(&profile) => Identity::Ours(Finding::note(
            ABOUT,
            format!(
                "A Countersign answers at {}, but not at /openapi.json, which would tell whether it has these settings.",
                pair.asked.url("")
            ),
        )),
        Ok(_) => Identity::NotOurs(stranger(&answer, pair)),
        Err(silence) => Identity::NotOurs(silent(&silence, pair)),
    }
}

/// Something came back before, and then no more.
pub(super) fn cut_short(silence: &Silence, pair: &Pair<'_>) -> Finding {
    let why = match silence {
        Silence::Nobody(why) | Silence::Untrusted(why) | Silence::NotHttp(why) => shown(why),
        Silence::NoAuthorities => "its certificate changed".to_owned(),
    };
    Finding::problem(
        ABOUT,
        format!("{} answered at first, and then no more ({why}).", pair.asked.url("")),
        Remedy::advice(
            "Look at the log of what stands in front of it: something there drops what a browser sends.",
        ),
    )
}

/// Nothing came back.
fn silent(silence: &Silence, pair: &Pair<'_>) -> Finding {
    let url = pair.asked.url("");
    match silence {
        Silence::Nobody(why) => Finding::note(
            ABOUT,
            format!(
                "The live part was skipped: {url} doesn't answer ({}); start the server, or name it with --api.",
                shown(why)
            ),
        ),
        Silence::Untrusted(why) => Finding::problem(
            ABOUT,
            format!(
                "TLS to {url} fails ({}); a browser with these authorities shows the page a bare Network Error.",
                shown(why)
            ),
            Remedy::advice(
                "Use a certificate for this very host that browsers trust; one of your own authority must be known to \
                 the machine of each browser, and to this one (SSL_CERT_FILE=ca.pem).",
            ),
        ),
        Silence::NoAuthorities => Finding::note(
            ABOUT,
            format!(
                "The live part was skipped: this machine trusts no authority, so {url} can't be judged; install \
                 ca-certificates, or name a file of them in SSL_CERT_FILE."
            ),
        ),
        Silence::NotHttp(why) => Finding::problem(
            ABOUT,
            format!("What answers at {url} speaks no HTTP ({}).", shown(why)),
            Remedy::advice("Look at scheme and port: a listener of TLS wants https://."),
        ),
    }
}

/// What a proxy says by itself.
fn in_between(answer: &Answer, pair: &Pair<'_>) -> Option<Finding> {
    let url = pair.asked.url("");
    if answer.is_redirect() {
        let to = answer.header(&LOCATION).unwrap_or_default();
        let says = format!(
            "{url} redirects to {}; browsers follow no redirect of a preflight, so no call arrives.",
            shown(&to)
        );
        let advice = "Let the page call the address behind the redirect:";
        let there = Api::parse(&to).ok().filter(|there| there.origin != pair.asked.origin);
        let lines: Vec<_> = there.iter().map(|there| Line::text("public_url", &there.origin)).collect();
        return Some(Finding::problem(ABOUT, says, Remedy::set(advice, lines)));
    }
    if matches!(answer.status, 502..=504) && answer.code().is_none() {
        return Some(Finding::problem(
            ABOUT,
            format!(
                "A proxy answers at {url} with {}: it doesn't reach Countersign behind it.",
                answer.status
            ),
            Remedy::advice(
                "Start `countersign serve`, and let the proxy pass requests on to the address of `listen`.",
            ),
        ));
    }
    None
}

fn known(pair: &Pair<'_>, issuer: &str, version: &str) -> Finding {
    let (url, public) = (pair.asked.url(""), &pair.settings.public_url);
    if issuer == public.as_str() {
        return Finding::fine(
            ABOUT,
            format!("At {url} answers the Countersign {version} whose public URL is {public}."),
        );
    }
    Finding::problem(
        ABOUT,
        format!(
            "The Countersign at {url} says that its public URL is {issuer}, and the settings read here say {public}."
        ),
        Remedy::set(
            "Read here the settings that it runs with (--config, environment, flags); in them, where browsers find it:",
            [Line::text("public_url", &pair.api)],
        ),
    )
}

fn stranger(answer: &Answer, pair: &Pair<'_>) -> Finding {
    Finding::problem(
        ABOUT,
        format!(
            "What answers at {} is no Countersign: GET /openapi.json gets {} and none of its documents.",
            pair.asked.url(""),
            answer.status
        ),
        Remedy::advice(
            "Name the API with --api, with the path that the proxy puts in front of its routes, if any: --api \
             https://example.com/api",
        ),
    )
}

fn is_our_challenge(answer: &Answer) -> bool {
    let challenge = answer.header(&WWW_AUTHENTICATE).unwrap_or_default();
    answer.status == 401 && challenge.contains("realm=\"countersign\"")
}

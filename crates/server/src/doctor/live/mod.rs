//! What the running server answers, read as a browser reads it.
//!
//! Nothing that is sent can change anything: preflights, and requests that name no user and no session. Before more
//! than two harmless GETs are sent, it is made sure that a Countersign answers.

mod ask;
mod cors;
mod identity;
mod seen;

use std::collections::BTreeMap;

use axum::http::header::{
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE,
    ORIGIN, VARY,
};
use axum::http::{HeaderName, HeaderValue, Method};

use self::ask::{Answer, Asker, Silence};
use self::cors::Complaint;
use self::identity::Identity;
use super::cookies::allowed_origins;
use super::finding::{Finding, Remedy};
use super::pair::{Pair, Relation};

/// A call of a client, as its preflight announces it.
struct Call {
    name: &'static str,
    method: Method,
    path: &'static str,
    /// In lower case and in order, as browsers send them.
    headers: &'static [&'static str],
}

#[rustfmt::skip]
static CALLS: &[Call] = &[
    Call { name: "login", method: Method::POST, path: "/accounts/login", headers: &["content-type"] },
    Call { name: "refresh", method: Method::POST, path: REFRESH, headers: &["idempotency-key", "x-csrftoken"] },
    Call { name: "profile", method: Method::GET, path: PROFILE, headers: &["authorization"] },
    Call { name: "change of profile", method: Method::PATCH, path: PROFILE,
           headers: &["authorization", "content-type", "x-csrftoken"] },
    Call { name: "end of sessions", method: Method::DELETE, path: "/accounts/sessions",
           headers: &["authorization", "x-csrftoken"] },
    Call { name: "logout", method: Method::POST, path: LOGOUT, headers: &["authorization", "x-csrftoken"] },
];

const CSRF: &str = "/accounts/csrf";
const LOGOUT: &str = "/accounts/logout";
const PROFILE: &str = "/accounts/profile";
const REFRESH: &str = "/accounts/refresh_token";

/// An origin that nobody can have (RFC 6761), and no one lists.
const STRANGER: HeaderValue = HeaderValue::from_static("https://stranger.invalid");

/// All that the running server tells.
pub(super) fn findings(pair: &Pair<'_>) -> Vec<Finding> {
    let asker = Asker::new(&pair.asked);
    let mut found = match identity::tell(&asker, pair) {
        Identity::Ours(finding) => vec![finding],
        Identity::NotOurs(finding) => return vec![finding],
    };
    let Ok(origin) = HeaderValue::from_str(pair.page.as_str()) else { return found };
    let visit = Visit { pair, asker, origin };
    for question in [Visit::preflights, Visit::requests, Visit::cookies, Visit::stranger] {
        match question(&visit) {
            Ok(more) => found.extend(more),
            Err(silence) => {
                found.push(identity::cut_short(&silence, pair));
                break;
            }
        }
    }
    let mut told = Vec::new();
    for finding in found {
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    told
}

/// Complaints, and the calls that each is about.
type Complaints = BTreeMap<Complaint, Vec<String>>;

/// The page's visit to the API.
struct Visit<'a> {
    pair: &'a Pair<'a>,
    asker: Asker,
    origin: HeaderValue,
}

impl Visit<'_> {
    fn preflights(&self) -> Result<Vec<Finding>, Silence> {
        if self.pair.relation() == Relation::SameOrigin {
            return Ok(Vec::new());
        }
        let mut complaints = Complaints::new();
        let mut remembered = None;
        for call in CALLS {
            let answer = self.preflight(call)?;
            let page = self.pair.page.as_str();
            if let Err(complaint) = cors::check_preflight(&answer, page, &call.method, call.headers) {
                complaints.entry(complaint).or_default().push(call.name.to_owned());
            }
            remembered =
                answer.header(&ACCESS_CONTROL_MAX_AGE).and_then(|seconds| seconds.parse::<u32>().ok());
        }
        if !complaints.is_empty() {
            return Ok(self.complain("preflight", "the preflight of ", complaints));
        }
        let names: Vec<_> = CALLS.iter().map(|call| call.name).collect();
        let passed = format!("Each preflight is passed ({})", names.join(", "));
        Ok(vec![match remembered {
            Some(seconds) if seconds > 0 => {
                Finding::fine("preflight", format!("{passed}, and remembered for {seconds} s."))
            }
            _ => Finding::note(
                "preflight",
                format!("{passed}, but none is remembered: every call takes two round trips."),
            ),
        }])
    }

    fn preflight(&self, call: &Call) -> Result<Answer, Silence> {
        let asked_for = HeaderValue::from_str(&call.headers.join(","));
        let mut headers = self.headers(self.origin.clone());
        headers.extend(
            HeaderValue::from_str(call.method.as_str()).map(|method| (ACCESS_CONTROL_REQUEST_METHOD, method)),
        );
        headers.extend(asked_for.map(|asked_for| (ACCESS_CONTROL_REQUEST_HEADERS, asked_for)));
        self.asker.ask(&Method::OPTIONS, call.path, &headers, "")
    }

    /// Requests without any credentials, each of which a Countersign refuses with the same `401`.
    fn requests(&self) -> Result<Vec<Finding>, Silence> {
        let mut complaints = Complaints::new();
        let mut found = Vec::new();
        let mut varies = true;
        for (method, path, body) in
            [(Method::GET, CSRF, ""), (Method::POST, REFRESH, ""), (Method::PATCH, PROFILE, "{}")]
        {
            let mut headers = self.headers(self.origin.clone());
            if !body.is_empty() {
                headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
            }
            let answer = self.asker.ask(&method, path, &headers, body)?;
            varies = varies && varies_by_origin(&answer);
            let request = format!("{method} {path}");
            match self.is_readable(&answer) {
                Err(complaint) => complaints.entry(complaint).or_default().push(request),
                Ok(()) => found.extend(self.refused_otherwise(&answer, &request)),
            }
        }
        found.extend(self.complain("requests", "", complaints));
        if found.is_empty() {
            let says =
                "Calls of this page arrive (GET, POST, PATCH), and it can read what they answer, errors too.";
            found.push(Finding::fine("requests", says));
        }
        if !varies {
            let says = "Vary: Origin is missing, which Countersign sends: a cache in front may hand one origin's answer \
                        to another.";
            found.push(Finding::note("requests", says));
        }
        Ok(found)
    }

    fn is_readable(&self, answer: &Answer) -> Result<(), Complaint> {
        match self.pair.relation() {
            Relation::SameOrigin => Ok(()),
            _ => cors::check(answer, self.pair.page.as_str()),
        }
    }

    fn refused_otherwise(&self, answer: &Answer, request: &str) -> Option<Finding> {
        match (answer.status, answer.code().as_deref()) {
            (401, Some("not_authenticated")) => None,
            (403, Some("origin_not_allowed")) => Some(self.not_allowed("requests")),
            (status, _) => Some(Finding::problem(
                "requests",
                format!(
                    "{request} is answered with {status}, where Countersign answers 401 not_authenticated."
                ),
                Remedy::advice(
                    "Let the proxy (or the firewall in it) pass GET, POST, PATCH and DELETE on unchanged.",
                ),
            )),
        }
    }

    fn cookies(&self) -> Result<Vec<Finding>, Silence> {
        let answer = self.asker.ask(&Method::POST, LOGOUT, &self.headers(self.origin.clone()), "")?;
        // Anything else was told before.
        Ok(if answer.status == 204 { seen::findings(&answer, self.pair) } else { Vec::new() })
    }

    /// A page that isn't listed must be refused: where it isn't, its `Origin` doesn't arrive.
    fn stranger(&self) -> Result<Vec<Finding>, Silence> {
        let answer = self.asker.ask(&Method::POST, REFRESH, &self.headers(STRANGER), "")?;
        if answer.status == 403 || answer.code().as_deref() != Some("not_authenticated") {
            return Ok(Vec::new());
        }
        Ok(vec![Finding::problem(
            "origin-header",
            "A call from an origin that nobody listed is let through to the token checks: the proxy takes the Origin \
             header away or rewrites it, and with it the first wall against forged requests.",
            Remedy::advice("Let the proxy pass Origin and the Sec-Fetch-* headers on unchanged."),
        )])
    }

    /// What a browser adds to a request of a page.
    fn headers(&self, origin: HeaderValue) -> Vec<(HeaderName, HeaderValue)> {
        let fetch_site = match self.pair.relation() {
            _ if origin == STRANGER => "cross-site",
            Relation::SameOrigin => "same-origin",
            Relation::SameSite => "same-site",
            Relation::CrossSite(_) => "cross-site",
        };
        vec![
            (ORIGIN, origin),
            (HeaderName::from_static("sec-fetch-site"), HeaderValue::from_static(fetch_site)),
            (HeaderName::from_static("sec-fetch-mode"), HeaderValue::from_static("cors")),
            (HeaderName::from_static("sec-fetch-dest"), HeaderValue::from_static("empty")),
        ]
    }

    /// Each complaint with the calls that it is about, behind `what`.
    fn complain(&self, about: &'static str, what: &str, complaints: Complaints) -> Vec<Finding> {
        let tell = |(complaint, calls): (Complaint, Vec<String>)| {
            if complaint == Complaint::NotAllowed && !self.pair.is_listed() {
                return self.not_allowed(about);
            }
            let says = format!("The answer to {what}{} {complaint}.", calls.join(", "));
            Finding::problem(about, says, self.remedy(&complaint))
        };
        complaints.into_iter().map(tell).collect()
    }

    fn remedy(&self, complaint: &Complaint) -> Remedy {
        Remedy::advice(match complaint {
            Complaint::NotAllowed => {
                let line = allowed_origins(self.pair.settings, self.pair.page.as_str());
                let advice = "Restart the server with these settings, and let the proxy pass OPTIONS and the \
                              Access-Control-* headers on unchanged:";
                return Remedy::set(advice, [line]);
            }
            Complaint::Redirected(_) => "Let the page call the address behind the redirect.",
            Complaint::Status(_) => {
                "Let the proxy pass OPTIONS on to Countersign, which answers preflights itself."
            }
            Complaint::OtherOrigin(_)
            | Complaint::NoCredentials
            | Complaint::Method(_)
            | Complaint::Headers(_) => {
                "Let the proxy add and change no Access-Control-* header: Countersign sends them all."
            }
        })
    }

    /// The running server refuses the page: no wonder where the settings do.
    fn not_allowed(&self, about: &'static str) -> Finding {
        if !self.pair.is_listed() {
            return Finding::note("origin", "The running server refuses this page, as its settings say.");
        }
        Finding::problem(
            about,
            "The running server refuses this page, which the settings read here list.",
            Remedy::set(
                "Restart it with these settings:",
                [allowed_origins(self.pair.settings, self.pair.page.as_str())],
            ),
        )
    }
}

fn varies_by_origin(answer: &Answer) -> bool {
    let vary = answer.header(&VARY).unwrap_or_default();
    vary.split(',').any(|name| name.trim().eq_ignore_ascii_case("origin") || name.trim() == "*")
}

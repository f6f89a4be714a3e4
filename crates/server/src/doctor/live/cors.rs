//! Reading an answer as a browser reads it (the Fetch standard: "CORS check", "CORS-preflight fetch").

use std::collections::BTreeSet;
use std::fmt;

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, LOCATION,
};
use axum::http::{HeaderName, Method};

use super::ask::{Answer, shown};

/// Why a browser doesn't let a page send its request, or read the answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Complaint {
    /// No redirect is followed after a preflight.
    Redirected(String),
    /// There is no `Access-Control-Allow-Origin`.
    NotAllowed,
    /// It is there, and says something else.
    OtherOrigin(String),
    /// Credentials need an `Access-Control-Allow-Credentials: true`.
    NoCredentials,
    /// A preflight needs a status of success.
    Status(u16),
    /// `Access-Control-Allow-Methods` lacks the method.
    Method(String),
    /// `Access-Control-Allow-Headers` lacks these.
    Headers(BTreeSet<String>),
}

/// Whether the page may read an answer to a request with credentials.
pub(super) fn check(answer: &Answer, page: &str) -> Result<(), Complaint> {
    if answer.is_redirect() {
        return Err(Complaint::Redirected(answer.header(&LOCATION).unwrap_or_default()));
    }
    match answer.header(&ACCESS_CONTROL_ALLOW_ORIGIN) {
        None => return Err(Complaint::NotAllowed),
        Some(origin) if origin == page => {}
        Some(other) => return Err(Complaint::OtherOrigin(other)),
    }
    match answer.header(&ACCESS_CONTROL_ALLOW_CREDENTIALS).as_deref() {
        Some("true") => Ok(()),
        _ => Err(Complaint::NoCredentials),
    }
}

/// Whether a preflight's answer lets a request with this method and these headers go.
pub(super) fn check_preflight(
    answer: &Answer,
    page: &str,
    method: &Method,
    headers: &[&str],
) -> Result<(), Complaint> {
    check(answer, page)?;
    if !(200..300).contains(&answer.status) {
        return Err(Complaint::Status(answer.status));
    }
    // `*` is no wildcard where credentials go along.
    let methods = listed(answer, &ACCESS_CONTROL_ALLOW_METHODS);
    let is_safelisted = matches!(*method, Method::GET | Method::HEAD | Method::POST);
    if !is_safelisted && !methods.iter().any(|it| it == method.as_str()) {
        return Err(Complaint::Method(method.to_string()));
    }
    let allowed = listed(answer, &ACCESS_CONTROL_ALLOW_HEADERS);
    let is_allowed = |name: &str| allowed.iter().any(|it| it.eq_ignore_ascii_case(name));
    let missing: BTreeSet<_> =
        headers.iter().filter(|name| !is_allowed(name)).map(ToString::to_string).collect();
    if missing.is_empty() { Ok(()) } else { Err(Complaint::Headers(missing)) }
}

fn listed(answer: &Answer, name: &HeaderName) -> Vec<String> {
    let value = answer.header(name).unwrap_or_default();
    value.split(',').map(|item| item.trim().to_owned()).collect()
}

/// As the end of a sentence about an answer.
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirected(to) => {
                write!(f, "redirects to {}, and browsers follow no redirect here", shown(to))
            }
            Self::NotAllowed => f.write_str("has no Access-Control-Allow-Origin"),
            Self::OtherOrigin(other) => {
                write!(
                    f,
                    "has Access-Control-Allow-Origin: {}, which is not the page's own origin, once",
                    shown(other)
                )
            }
            Self::NoCredentials => f.write_str("has no Access-Control-Allow-Credentials: true"),
            Self::Status(status) => {
                write!(f, "has the status {status}, and a preflight needs one of success")
            }
            Self::Method(method) => write!(f, "doesn't name {method} in Access-Control-Allow-Methods"),
            Self::Headers(missing) => {
                let missing: Vec<_> = missing.iter().map(String::as_str).collect();
                write!(f, "doesn't name {} in Access-Control-Allow-Headers", missing.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    const PAGE: &str = "https://app.example.com";

    fn answer(status: u16, headers: &[(&'static str, &'static str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Answer { status, headers: map, body: Vec::new() }
    }

    #[test]
    fn a_preflight_is_read_as_the_standard_says() {
        let origin = ("access-control-allow-origin", PAGE);
        let credentials = ("access-control-allow-credentials", "true");
        let methods = ("access-control-allow-methods", "GET, POST,PATCH");
        let headers = ("access-control-allow-headers", "authorization , X-CSRFToken");
        let missing = |names: &[&str]| Complaint::Headers(names.iter().map(ToString::to_string).collect());
        for (status, sent, verdict) in [
            (204, &[origin, credentials, methods, headers][..], Ok(())),
            (
                200,
                &[origin, credentials, methods, ("access-control-allow-headers", "Authorization"), headers],
                Ok(()),
            ),
            (204, &[credentials, methods, headers], Err(Complaint::NotAllowed)),
            (405, &[], Err(Complaint::NotAllowed)),
            (405, &[origin, credentials, methods, headers], Err(Complaint::Status(405))),
            (
                301,
                &[("location", "https://x/"), origin, credentials],
                Err(Complaint::Redirected("https://x/".into())),
            ),
            (
                204,
                &[("access-control-allow-origin", "*"), credentials],
                Err(Complaint::OtherOrigin("*".into())),
            ),
            (
                204,
                &[origin, origin, credentials, methods, headers],
                Err(Complaint::OtherOrigin(format!("{PAGE}, {PAGE}"))),
            ),
            (204, &[origin, methods, headers], Err(Complaint::NoCredentials)),
            (
                204,
                &[origin, ("access-control-allow-credentials", "TRUE"), methods, headers],
                Err(Complaint::NoCredentials),
            ),
            (204, &[origin, credentials, headers], Err(Complaint::Method("PATCH".into()))),
            (
                204,
                &[origin, credentials, ("access-control-allow-methods", "*"), headers],
                Err(Complaint::Method("PATCH".into())),
            ),
            (
                204,
                &[origin, credentials, ("access-control-allow-methods", "patch"), headers],
                Err(Complaint::Method("PATCH".into())),
            ),
            (204, &[origin, credentials, methods], Err(missing(&["authorization", "x-csrftoken"]))),
            (
                204,
                &[origin, credentials, methods, ("access-control-allow-headers", "*, x-csrftoken")],
                Err(missing(&["authorization"])),
            ),
        ] {
            let read = check_preflight(
                &answer(status, sent),
                PAGE,
                &Method::PATCH,
                &["authorization", "x-csrftoken"],
            );
            assert_eq!(read, verdict, "{status} {sent:?}");
        }
    }

    #[test]
    fn a_post_needs_no_method_listed_and_a_simple_request_no_status() {
        let headers = [("access-control-allow-origin", PAGE), ("access-control-allow-credentials", "true")];
        assert_eq!(check_preflight(&answer(204, &headers), PAGE, &Method::POST, &[]), Ok(()));
        assert_eq!(check(&answer(401, &headers), PAGE), Ok(()));
    }

    // attack 117
    #[test]
    fn what_a_stranger_answers_can_t_fool_a_terminal() {
        let redirect = Complaint::Redirected("\x1b[2J".repeat(1000)).to_string();
        assert!(!redirect.contains('\x1b') && redirect.len() < 1000, "{redirect}");
    }
}

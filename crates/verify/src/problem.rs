//! Problem details (RFC 9457): the one form of every error answer, and the answers that a guarded route gives.
//!
//! `type` is always `about:blank`, so `title` is the status's own phrase, as RFC 9457, section 4.2.1 asks; what
//! programs look at is `code`. A type of our own would have to be a URI for life: RFC 9457, section 3.1.1 wants
//! one that can be resolved, or might be one day, and a service that verifies our tokens has no page of ours to
//! point at. Unregistered URN namespaces are no way out (RFC 8141).

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use countersign_core::Seconds;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::csrf::CsrfFailure;

/// An error answer: `application/problem+json`, never cached.
///
/// A `401` carries `WWW-Authenticate` whatever was or wasn't called on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Text,
    errors: BTreeMap<Text, Vec<Text>>,
    retry_after: Option<Seconds>,
    challenge: Challenge,
}

/// The code of a problem, among its response's extensions: for whoever writes the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProblemCode(pub &'static str);

/// The `WWW-Authenticate` header of a `401` (RFC 6750, section 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Challenge {
    /// No token was sent: no error code either.
    #[default]
    Bare,
    /// A token was sent and is not good: `error="invalid_token"`, with this sentence as `error_description`.
    InvalidToken(&'static str),
}

type Text = Cow<'static, str>;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const BARE_CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"countersign\"");

impl Problem {
    /// A problem with its stable `code`, for programs, and a sentence for a person.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Text>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: BTreeMap::new(),
            retry_after: None,
            challenge: Challenge::Bare,
        }
    }

    /// What is wrong with which field: sentences by field name.
    #[must_use]
    pub fn with_errors<F, S>(mut self, errors: impl IntoIterator<Item = (F, S)>) -> Self
    where
        F: Into<Text>,
        S: IntoIterator<Item: Into<Text>>,
    {
        for (field, sentences) in errors {
            self.errors.entry(field.into()).or_default().extend(sentences.into_iter().map(Into::into));
        }
        self
    }

    /// When to try again.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Seconds) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What `WWW-Authenticate` says, if this is a `401`.
    #[must_use]
    pub const fn with_challenge(mut self, challenge: Challenge) -> Self {
        self.challenge = challenge;
        self
    }

    /// The status that it is answered with.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word for programs.
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

/// What a guarded route answers, each with its exact sentence.
impl Problem {
    /// `401`: nothing was sent that says who this is.
    pub fn not_authenticated() -> Self {
        let detail = "Authentication credentials were not provided.";
        Self::new(StatusCode::UNAUTHORIZED, "not_authenticated", detail)
    }

    /// `401`: the `Authorization` header is a single word.
    pub fn token_prefix_missing() -> Self {
        Self::invalid_token("token_prefix_missing", "Token prefix missing")
    }

    /// `401`: the token was good once.
    pub fn token_expired() -> Self {
        Self::invalid_token("token_expired", "access_token expired")
    }

    /// `401`: anything else about the token. The same bytes for every cause.
    pub fn token_invalid() -> Self {
        Self::invalid_token("token_invalid", "access_token invalid")
    }

    /// `401`: the token is good, its session is over.
    pub fn session_ended() -> Self {
        Self::invalid_token("session_ended", "session ended, please login again")
    }

    /// `401`: the session is over since its user was deactivated or deleted.
    pub fn user_inactive() -> Self {
        Self::invalid_token("user_inactive", "user is inactive")
    }

    /// `403`: the countersignature is missing, or not this session's.
    pub fn csrf_failed(failure: CsrfFailure) -> Self {
        let detail = match failure {
            CsrfFailure::Missing => {
                "CSRF token missing: send csrf_token of the login's answer in the X-CSRFTOKEN header; its cookie alone \
                 does not count."
            }
            CsrfFailure::Wrong => {
                "CSRF token of another session: send csrf_token of the latest login's answer, or of GET /accounts/csrf."
            }
            CsrfFailure::Unreadable => {
                "CSRF header unreadable: a token is 43 characters of base64url; send csrf_token of the login's answer \
                 as it is, neither quoted nor encoded."
            }
            CsrfFailure::Conflicting => {
                "CSRF headers contradict each other: send the token in one of X-CSRFTOKEN, X-CSRF-Token and \
                 X-XSRF-TOKEN alone."
            }
        };
        Self::new(StatusCode::FORBIDDEN, "csrf_failed", detail)
    }

    /// `403`: known, and not allowed.
    pub fn permission_denied() -> Self {
        let detail = "You do not have permission to perform this action.";
        Self::new(StatusCode::FORBIDDEN, "permission_denied", detail)
    }

    /// `503`: what can't be checked right now is refused, not let through.
    pub fn unavailable() -> Self {
        let detail = "This can't be checked right now, try again shortly.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).with_retry_after(Seconds(1))
    }

    fn invalid_token(code: &'static str, sentence: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, sentence).with_challenge(Challenge::InvalidToken(sentence))
    }
}

impl Challenge {
    /// The header's value. Characters that RFC 6750, section 3 doesn't allow in a description are left out.
    fn header(self) -> HeaderValue {
        let Self::InvalidToken(description) = self else { return BARE_CHALLENGE };
        let allowed = |c: &char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        let description: String = description.chars().filter(allowed).collect();
        let value = format!(
            "Bearer realm=\"countersign\", error=\"invalid_token\", error_description=\"{description}\""
        );
        HeaderValue::try_from(value).unwrap_or(BARE_CHALLENGE)
    }
}

/// The members of the body, in their order.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: &'a BTreeMap<Text, Vec<Text>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            errors: &self.errors,
        };
        // Text into memory: there is nothing in it that could fail.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let headers = [(header::CONTENT_TYPE, PROBLEM_JSON), (header::CACHE_CONTROL, NO_STORE)];
        let mut response = (self.status, headers, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, self.challenge.header());
        }
        if let Some(Seconds(wait)) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        }
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, then headers, then the body, as a client sees them.
    fn seen(problem: Problem) -> String {
        let (parts, body) = problem.into_response().into_parts();
        let headers =
            parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(axum::body::to_bytes(body, 64 * 1024)).unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        [parts.status.as_u16().to_string()]
            .into_iter()
            .chain(headers)
            .chain([body])
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn each_answer_of_a_guarded_route_has_its_exact_bytes() {
        let cases = [
            (
                Problem::not_authenticated(),
                r#"401
content-type: application/problem+json
cache-control: no-store
www-authenticate: Bearer realm="countersign"
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Authentication credentials were not provided.","code":"not_authenticated"}"#,
            ),
            (
                Problem::token_prefix_missing(),
                r#"401
content-type: application/problem+json
cache-control: no-store
www-authenticate: Bearer realm="countersign", error="invalid_token", error_description="Token prefix missing"
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Token prefix missing","code":"token_prefix_missing"}"#,
            ),
            (
                Problem::token_expired(),
                r#"401
content-type: application/problem+json
cache-control: no-store
www-authenticate: Bearer realm="countersign", error="invalid_token", error_description="access_token expired"
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"access_token expired","code":"token_expired"}"#,
            ),
            (
                Problem::token_invalid(),
                r#"401
content-type: application/problem+json
cache-control: no-store
www-authenticate: Bearer realm="countersign", error="invalid_token", error_description="access_token invalid"
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"access_token invalid","code":"token_invalid"}"#,
            ),
            (
                Problem::session_ended(),
                r#"401
content-type: application/problem+json
cache-control: no-store
www-authenticate: Bearer realm="countersign", error="invalid_token", error_description="session ended, please login again"
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"session ended, please login again","code":"session_ended"}"#,
            ),
            (
                Problem::user_inactive(),
                r#"401
content-type: application/problem+json
cache-control: no-store
www-authenticate: Bearer realm="countersign", error="invalid_token", error_description="user is inactive"
{"type":"about:blank","title":"Unauthorized","status":401,"detail":"user is inactive","code":"user_inactive"}"#,
            ),
            (
                Problem::csrf_failed(CsrfFailure::Missing),
                r#"403
content-type: application/problem+json
cache-control: no-store
{"type":"about:blank","title":"Forbidden","status":403,"detail":"CSRF token missing: send csrf_token of the login's answer in the X-CSRFTOKEN header; its cookie alone does not count.","code":"csrf_failed"}"#,
            ),
            (
                Problem::csrf_failed(CsrfFailure::Wrong),
                r#"403
content-type: application/problem+json
cache-control: no-store
{"type":"about:blank","title":"Forbidden","status":403,"detail":"CSRF token of another session: send csrf_token of the latest login's answer, or of GET /accounts/csrf.","code":"csrf_failed"}"#,
            ),
            (
                Problem::csrf_failed(CsrfFailure::Unreadable),
                r#"403
content-type: application/problem+json
cache-control: no-store
{"type":"about:blank","title":"Forbidden","status":403,"detail":"CSRF header unreadable: a token is 43 characters of base64url; send csrf_token of the login's answer as it is, neither quoted nor encoded.","code":"csrf_failed"}"#,
            ),
            (
                Problem::csrf_failed(CsrfFailure::Conflicting),
                r#"403
content-type: application/problem+json
cache-control: no-store
{"type":"about:blank","title":"Forbidden","status":403,"detail":"CSRF headers contradict each other: send the token in one of X-CSRFTOKEN, X-CSRF-Token and X-XSRF-TOKEN alone.","code":"csrf_failed"}"#,
            ),
            (
                Problem::permission_denied(),
                r#"403
content-type: application/problem+json
cache-control: no-store
{"type":"about:blank","title":"Forbidden","status":403,"detail":"You do not have permission to perform this action.","code":"permission_denied"}"#,
            ),
            (
                Problem::unavailable(),
                r#"503
content-type: application/problem+json
cache-control: no-store
retry-after: 1
{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"This can't be checked right now, try again shortly.","code":"unavailable"}"#,
            ),
        ];
        for (problem, expected) in cases {
            assert_eq!(seen(problem), expected);
        }
    }

    #[test]
    fn field_errors_stand_by_field() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_password", "no good")
            .with_errors([("new_password", vec!["too short", "too common"]), ("email", vec!["no address"])])
            .with_errors(BTreeMap::from([("email".to_owned(), ["taken".to_owned()])]));
        let expected = r#""code":"invalid_password","errors":{"email":["no address","taken"],"new_password":["too short","too common"]}}"#;
        assert!(seen(problem).ends_with(expected));
    }

    #[test]
    fn a_401_carries_a_challenge_whatever_made_it_and_nothing_else_does() {
        let plain = seen(Problem::new(StatusCode::UNAUTHORIZED, "x", "y"));
        assert!(plain.contains("\nwww-authenticate: Bearer realm=\"countersign\"\n"));
        let forbidden = Problem::new(StatusCode::FORBIDDEN, "x", "y");
        assert!(!seen(forbidden.with_challenge(Challenge::InvalidToken("z"))).contains("www-authenticate"));
    }

    #[test]
    fn a_description_keeps_to_the_characters_of_rfc_6750() {
        let value = Challenge::InvalidToken("a\"b\\c\nd\u{e4}\u{7f}!#[]~ e").header();
        assert_eq!(value.to_str().unwrap().split("error_description=").nth(1), Some("\"abcd!#[]~ e\""));
    }
}

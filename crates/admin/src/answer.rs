//! How a page becomes an answer, and what a refusal looks like.
//!
//! A page runs nothing but our own script, loads nothing from elsewhere, can't be framed, and is kept by nobody.
//! `Referrer-Policy` is `same-origin` and not `no-referrer`, since with that one browsers send `Origin: null` with a form,
//! which the origin check rightly takes for nobody.

use askama::Template;
use axum::response::{IntoResponse, Response};
use countersign::core::Seconds;
use countersign::service::Error;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::cookies::Cookies;
use crate::shell::Outside;
use crate::texts::{Notice, sentence};

const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What a handler answers.
pub(crate) type Answer = Result<Response, Refused>;

/// Why a page isn't shown.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There is no such page, or no such thing.
    NotFound,
    /// The path takes another method.
    OtherMethod,
    /// They may not.
    NoRight,
    /// They may not, for a reason that has a sentence.
    Denied(String),
    /// It can't be done, as things stand; why.
    Conflict(String),
    /// Something that was sent won't do; why.
    Misfit(String),
    /// A post that no page of ours can have sent.
    NotFromAPage,
    /// A form of another session.
    OtherForm,
    /// Not at this moment.
    Unavailable(Seconds),
    /// A defect, already logged.
    Defect,
    /// A page that isn't in the table: a defect.
    UnguardedRoute,
}

/// A page with this status.
pub(crate) fn page_as(status: StatusCode, page: &impl Template) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page can't be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (status, headers, html).into_response()
}

/// A page.
pub(crate) fn page(page: &impl Template) -> Response {
    page_as(StatusCode::OK, page)
}

/// The way on after a form, and what the next page says of it.
pub(crate) fn see_other(path: &str, cookies: &Cookies, notice: Option<Notice>) -> Response {
    let location = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/admin/"));
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut response = (StatusCode::SEE_OTHER, headers).into_response();
    if let Some(notice) = notice {
        response.headers_mut().append(header::SET_COOKIE, cookies.set_notice(notice.word()));
    }
    response
}

#[derive(Template)]
#[template(path = "shell/refused.html")]
struct RefusedPage<'a> {
    outside: Outside,
    title: &'a str,
    sentence: &'a str,
}

impl Refused {
    fn told(&self) -> (StatusCode, &'static str, &str) {
        match self {
            Self::Denied(sentence) => (StatusCode::FORBIDDEN, "You may not do this", sentence),
            Self::Conflict(sentence) => (StatusCode::CONFLICT, "This can't be done", sentence),
            Self::Misfit(sentence) => (StatusCode::BAD_REQUEST, "This won't do", sentence),
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "There is nothing here", "It may have been deleted meanwhile.")
            }
            Self::OtherMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This is not a page",
                "It is where a form is sent to. Go to the page that has the form.",
            ),
            Self::NoRight => (
                StatusCode::FORBIDDEN,
                "You may not do this",
                "Somebody who has the right can do it, or give it to you.",
            ),
            Self::NotFromAPage => (
                StatusCode::FORBIDDEN,
                "This did not come from a page of this site",
                "Nothing was changed. Open the page here, and send its form from there.",
            ),
            Self::OtherForm => (
                StatusCode::FORBIDDEN,
                "This form belongs to another session",
                "Nothing was changed. You may have signed in anew since the page was loaded: load it again.",
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not at this moment",
                "The database can't be reached, or is too busy. Try again in a little while.",
            ),
            Self::Defect | Self::UnguardedRoute => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                "The server's log has more, under this answer's X-Request-Id.",
            ),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if matches!(self, Self::UnguardedRoute) {
            tracing::error!("a page of the admin site is not in its table of routes");
        }
        let (status, title, sentence) = self.told();
        let mut response = page_as(status, &RefusedPage { outside: Outside::new(None), title, sentence });
        if let Self::Unavailable(Seconds(wait)) = self {
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
        }
        response
    }
}

/// What no page has an answer of its own for.
impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound | Error::LinkInvalid => Self::NotFound,
            Error::Denied(denied) => Self::Denied(denied.to_string()),
            Error::Conflict(clause) => Self::Conflict(sentence(&clause)),
            Error::InvalidFields(errors) => Self::Misfit(
                errors.into_values().flatten().map(|clause| sentence(&clause)).collect::<Vec<_>>().join(" "),
            ),
            Error::Throttled(wait) => Self::Unavailable(wait),
            Error::Overloaded => Self::Unavailable(Seconds(1)),
            Error::Unavailable(cause) => {
                tracing::warn!(%cause, "the store is not available");
                Self::Unavailable(Seconds(1))
            }
            other => {
                tracing::error!(error = %other, cause = ?std::error::Error::source(&other).map(ToString::to_string), "an internal error");
                Self::Defect
            }
        }
    }
}

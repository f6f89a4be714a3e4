//! What a client sees of each refusal: the one place that turns [`service::Error`](crate::service::Error) into HTTP.

use axum::response::{IntoResponse, Response};
use countersign_core::Seconds;
use countersign_verify::{Challenge, Problem};
use http::StatusCode;

use super::cookies::TooLarge;
use crate::service::Error;

/// A refusal, on its way to a client.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(problem(&error))
    }
}

impl From<TooLarge> for Refusal {
    fn from(too_large: TooLarge) -> Self {
        Self(too_large.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

fn problem(error: &Error) -> Problem {
    use StatusCode as S;
    match error {
        Error::MissingCredentials => Problem::new(S::BAD_REQUEST, "missing_credentials", error.to_string()),
        // No token was sent, so the challenge is bare. The same for every cause: that is the point.
        Error::InvalidCredentials => Problem::new(S::UNAUTHORIZED, "invalid_credentials", error.to_string()),
        Error::Throttled(wait) => {
            let detail = "Too many failed attempts; wait before the next one.";
            Problem::new(S::TOO_MANY_REQUESTS, "throttled", detail).with_retry_after(*wait)
        }
        Error::Overloaded => {
            let detail = error.to_string();
            Problem::new(S::SERVICE_UNAVAILABLE, "overloaded", detail).with_retry_after(Seconds(1))
        }
        Error::NotAuthenticated => Problem::not_authenticated(),
        Error::RefreshTokenInvalid => {
            refused_token("refresh_token_invalid", "invalid refresh token, please login again.")
        }
        Error::RefreshTokenExpired => {
            refused_token("refresh_token_expired", "expired refresh token, please login again.")
        }
        Error::CsrfFailed(failure) => Problem::csrf_failed(*failure),
        Error::SessionEnded => Problem::session_ended(),
        Error::UserInactive => Problem::user_inactive(),
        Error::RefreshTokenReused => refused_token(
            "refresh_token_reused",
            "refresh token used twice: the session was ended, please login again.",
        ),
        Error::WrongPassword => Problem::new(S::FORBIDDEN, "wrong_password", error.to_string()),
        Error::InvalidPassword(reasons) => {
            Problem::new(S::BAD_REQUEST, "invalid_password", error.to_string())
                .with_errors([("new_password", reasons.clone())])
        }
        Error::InvalidFields(errors) => {
            Problem::new(S::BAD_REQUEST, "invalid_fields", error.to_string()).with_errors(errors.clone())
        }
        Error::NotFound => Problem::new(S::NOT_FOUND, "not_found", error.to_string()),
        Error::Unavailable(cause) => {
            tracing::warn!(%cause, "the store is not available");
            Problem::unavailable()
        }
        Error::Keys(cause) => {
            tracing::error!(%cause, "the signing keys can't be used");
            internal_error()
        }
        Error::Internal(cause) => {
            tracing::error!(%cause, "an internal error");
            internal_error()
        }
    }
}

/// What a client sees of a defect: nothing of it. The log has the cause, under the answer's request id.
pub(crate) fn internal_error() -> Problem {
    let detail = "Something went wrong here; the server's log has more, under this answer's X-Request-Id.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
}

fn refused_token(code: &'static str, sentence: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, sentence).with_challenge(Challenge::InvalidToken(sentence))
}

//! What a client sees of each refusal: the one place that turns [`service::Error`](crate::service::Error) into HTTP.

use axum::response::{IntoResponse, Response};
use countersign_core::Seconds;
use countersign_verify::{Challenge, Problem};

use super::code::Code;
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
    match error {
        Error::MissingCredentials => Code::MissingCredentials.problem(error.to_string()),
        // No token was sent, so the challenge is bare. The same for every cause: that is the point.
        Error::InvalidCredentials => Code::InvalidCredentials.problem(error.to_string()),
        Error::Throttled(wait) => {
            let detail = "Too many failed attempts; wait before the next one.";
            Code::Throttled.problem(detail).with_retry_after(*wait)
        }
        Error::Overloaded => {
            let detail = error.to_string();
            Code::Overloaded.problem(detail).with_retry_after(Seconds(1))
        }
        Error::TooManyRights => Code::TooManyRights.problem(error.to_string()),
        Error::NotAuthenticated => Problem::not_authenticated(),
        Error::RefreshTokenInvalid => {
            refused_token(Code::RefreshTokenInvalid, "invalid refresh token, please login again.")
        }
        Error::RefreshTokenExpired => {
            refused_token(Code::RefreshTokenExpired, "expired refresh token, please login again.")
        }
        Error::CsrfFailed(failure) => Problem::csrf_failed(*failure),
        Error::SessionEnded => Problem::session_ended(),
        Error::UserInactive => Problem::user_inactive(),
        Error::RefreshTokenReused => refused_token(
            Code::RefreshTokenReused,
            "refresh token used twice: the session was ended, please login again.",
        ),
        Error::WrongPassword => Code::WrongPassword.problem(error.to_string()),
        Error::InvalidPassword(reasons) => {
            Code::InvalidPassword.problem(error.to_string()).with_errors([("new_password", reasons.clone())])
        }
        Error::InvalidFields(errors) => {
            Code::InvalidFields.problem(error.to_string()).with_errors(errors.clone())
        }
        Error::Denied(_) => Problem::permission_denied(),
        // No route of the API has a use case that ends so; the pages and commands that have one print the sentence.
        Error::Conflict(_) => Code::InvalidRequest.problem(error.to_string()),
        // No route of the API takes a link; its pages say it in their own way.
        Error::LinkInvalid | Error::NotFound => Code::NotFound.problem(error.to_string()),
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
    Code::InternalError.problem(detail)
}

fn refused_token(code: Code, sentence: &'static str) -> Problem {
    code.problem(sentence).with_challenge(Challenge::InvalidToken(sentence))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    // attack 119
    #[tokio::test]
    async fn a_client_sees_nothing_of_a_defect() {
        let cause = "near \"hunter2\": syntax error in SELECT password_hash FROM users";
        let answer = Refusal::from(Error::Internal(cause.into())).into_response();
        assert_eq!(answer.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = format!("{:?}", answer.headers());
        let body = to_bytes(answer.into_body(), 4096).await.unwrap();
        let said = headers + &String::from_utf8_lossy(&body);
        for part in ["hunter2", "SELECT", "users", "syntax", env!("CARGO_PKG_VERSION")] {
            assert!(!said.contains(part), "{part} in {said}");
        }
    }
}

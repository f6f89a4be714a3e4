//! The `code`s of our refusals: the word for programs, its status, and when it is answered. The one list of them;
//! `openapi.json` is made from it.

use std::borrow::Cow;

use countersign_verify::Problem;
use http::StatusCode;

/// Writes the enum and its facts from one row a code. What stands in its doc comment, stands in `openapi.json` too.
macro_rules! codes {
    ($($(#[doc = $when:literal])+ $name:ident = $status:ident $text:literal;)+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(crate) enum Code {
            $($(#[doc = $when])+ $name,)+
        }

        impl Code {
            /// All of them, by status.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The one status that it comes with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// When it is answered, in Markdown.
            pub(crate) const fn when(self) -> &'static str {
                match self { $(Self::$name => concat!($($when),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// The body is not one JSON object, or a member of it has the wrong type.
    MalformedBody = BAD_REQUEST "malformed_body";
    /// The user name or the password is missing, or empty.
    MissingCredentials = BAD_REQUEST "missing_credentials";
    /// The request itself is none: its `Host` header is not one host.
    MalformedRequest = BAD_REQUEST "malformed_request";
    /// The refresh token came twice: in its cookie and in the body.
    InvalidRequest = BAD_REQUEST "invalid_request";
    /// The `Idempotency-Key` is not 22 to 128 printable ASCII characters, or there are several.
    InvalidIdempotencyKey = BAD_REQUEST "invalid_idempotency_key";
    /// Fields are missing, unknown, read-only or won't do; `errors` says which, and why.
    InvalidFields = BAD_REQUEST "invalid_fields";
    /// The new password won't do; `errors.new_password` says why.
    InvalidPassword = BAD_REQUEST "invalid_password";

    /// Nothing was sent that says who calls.
    NotAuthenticated = UNAUTHORIZED "not_authenticated";
    /// The `Authorization` header is a single word.
    TokenPrefixMissing = UNAUTHORIZED "token_prefix_missing";
    /// The access token was good once: refresh, and try again.
    TokenExpired = UNAUTHORIZED "token_expired";
    /// Anything else about the access token.
    TokenInvalid = UNAUTHORIZED "token_invalid";
    /// The session is over: log in again.
    SessionEnded = UNAUTHORIZED "session_ended";
    /// The session is over because its user was deactivated or deleted.
    UserInactive = UNAUTHORIZED "user_inactive";
    /// Unknown user, wrong password or inactive user: never said which.
    InvalidCredentials = UNAUTHORIZED "invalid_credentials";
    /// The refresh token does not verify, or its session was never heard of.
    RefreshTokenInvalid = UNAUTHORIZED "refresh_token_invalid";
    /// The refresh token's time is over: log in again.
    RefreshTokenExpired = UNAUTHORIZED "refresh_token_expired";
    /// The refresh token was used before: it was stolen, and the whole session has ended.
    RefreshTokenReused = UNAUTHORIZED "refresh_token_reused";

    /// The request comes from an origin that is not in `allowed_origins`.
    OriginNotAllowed = FORBIDDEN "origin_not_allowed";
    /// The CSRF header is missing, or is not this session's.
    CsrfFailed = FORBIDDEN "csrf_failed";
    /// The caller is known, and has not the right to do this.
    PermissionDenied = FORBIDDEN "permission_denied";
    /// A browser asked for body delivery from an origin that is not in `native_origins`.
    BodyDeliveryNotForBrowsers = FORBIDDEN "body_delivery_not_for_browsers";
    /// The user has more groups and permissions than fit into an access token (`claims_include`), so none is made. Only
    /// who runs the server can mend it; the session, if there is one, stays as it is.
    TooManyRights = FORBIDDEN "too_many_rights";
    /// The current password, asked for again, is missing or wrong. It counts as a guess.
    WrongPassword = FORBIDDEN "wrong_password";

    /// There is no such thing, or it is someone else's.
    NotFound = NOT_FOUND "not_found";
    /// The path takes other methods; `Allow` names them.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed";
    /// The body was not there whole in time.
    RequestTimeout = REQUEST_TIMEOUT "request_timeout";
    /// The body is over the limit.
    BodyTooLarge = PAYLOAD_TOO_LARGE "body_too_large";
    /// The body is not `application/json`.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type";
    /// Too many failed passwords; `Retry-After` says when to try again.
    Throttled = TOO_MANY_REQUESTS "throttled";
    /// The headers or a cookie are over the limit.
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "headers_too_large";

    /// A defect of the server; its log has more, under the `X-Request-Id`.
    InternalError = INTERNAL_SERVER_ERROR "internal_error";
    /// The hashing queue is full; `Retry-After` says when to try again.
    Overloaded = SERVICE_UNAVAILABLE "overloaded";
    /// This can't be checked right now, so it is refused; `Retry-After` says when to try again.
    Unavailable = SERVICE_UNAVAILABLE "unavailable";
}

impl Code {
    /// A refusal with this code, and a sentence for a person.
    pub(crate) fn problem(self, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(self.status(), self.text(), detail)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use countersign_verify::{CsrfFailure, Denied};

    use super::*;

    #[test]
    fn each_code_has_a_word_and_a_reason_of_its_own() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.when().ends_with('.') && !code.when().starts_with(' '), "{code:?}: {}", code.when());
        }
        assert!(Code::ALL.is_sorted_by_key(|code| code.status()));
    }

    #[test]
    fn what_a_guarded_route_answers_is_on_the_list() {
        let denials = [
            Denied::NotAuthenticated,
            Denied::TokenMissing,
            Denied::TokenPrefixMissing,
            Denied::TokenExpired,
            Denied::TokenInvalid,
            Denied::CsrfFailed(CsrfFailure::Missing),
            Denied::SessionEnded,
            Denied::UserInactive,
            Denied::Unavailable,
        ];
        for problem in denials.into_iter().map(Problem::from).chain([Problem::permission_denied()]) {
            let listed = Code::ALL.iter().find(|code| code.text() == problem.code());
            assert_eq!(listed.map(|code| code.status()), Some(problem.status()), "{}", problem.code());
        }
    }

    // So that no code is answered that isn't on the list: a problem is made from a `Code`, or by `verify`.
    #[test]
    fn no_file_of_http_makes_up_a_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let mut pending = vec![folder.clone()];
        let mut read = 0;
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path != folder.join("code.rs")
            {
                let source = std::fs::read_to_string(&path).unwrap();
                assert!(!source.contains("Problem::new("), "{}: use Code::….problem(…)", path.display());
                read += 1;
            }
        }
        assert!(read > 10);
    }
}

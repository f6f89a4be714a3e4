//! What `openapi.json` says of each route, in the order of the table.

use super::doc::{Answer, Body, Credential, Doc, Parameter, SetsCookies, Tag};
use super::schemas::{KeySet, Status};
use crate::http::account::{PasswordChange, ProfileChange};
use crate::http::answers::{Csrf, Profile, Sessions, Tokens};
use crate::http::code::Code;
use crate::http::session::{Login, RefreshToken};

pub(crate) static LOGIN: Doc = Doc {
    id: "login",
    tag: Tag::Sessions,
    summary: "Log in",
    description: "\
Starts a new session, always. A live refresh cookie that comes along ends its older session.

- `remember: false` gives cookies without `Max-Age`: they end with the browser, and after 12 hours at most.
- `token_delivery: \"body\"` is for mobile and desktop clients with a secure storage of their own: no cookie is set, \
  `refresh_token` is in the body, and there is no CSRF token, nor is one asked for later. A request that carries \
  `Origin` or `Sec-Fetch-Site` can't have it, unless that origin is listed in `native_origins`.
- A failed login is the same answer after the same time for an unknown user, a wrong password and an inactive user. \
  Ten failures in five minutes for one name from one network are too many (`throttled`).",
    takes: &[],
    parameters: &[],
    body: Some(Body::required::<Login>()),
    answer: Answer::json::<Tokens<'static>>("The three tokens: the access token and the CSRF token in the body, the refresh token in its cookie.")
        .and(SetsCookies::Both),
    refusals: &[
        Code::MissingCredentials,
        Code::InvalidCredentials,
        Code::BodyDeliveryNotForBrowsers,
        Code::TooManyRights,
        Code::Throttled,
        Code::Overloaded,
    ],
};

pub(crate) static REFRESH: Doc = Doc {
    id: "refresh",
    tag: Tag::Sessions,
    summary: "Get the next access token",
    description: "\
The credentials are the refresh cookie and the CSRF header, without a body. (With body delivery: `refresh_token` in the \
body, and nothing else.) The answer has the refresh token of the current generation, and the same CSRF token.

- A use of the current refresh token moves the session one generation on, unless it moved less than ten seconds ago. The \
  generation just before stays good for ten seconds, and is answered with the current one: tabs may race.
- A client that sent an `Idempotency-Key` and never saw the answer sends the same key again, at any time within the \
  token's life.
- Anything older is theft: the whole session ends (`refresh_token_reused`).
- A refusal never clears a cookie, and one before `refresh_token_reused` changes nothing.",
    takes: &[&[Credential::RefreshCookie, Credential::CsrfHeader], &[]],
    parameters: &[Parameter::IdempotencyKey],
    body: Some(Body::optional::<RefreshToken>()),
    answer: Answer::json::<Tokens<'static>>("The next access token, and the refresh token of the current generation.")
        .and(SetsCookies::Both),
    refusals: &[
        Code::InvalidRequest,
        Code::InvalidIdempotencyKey,
        Code::NotAuthenticated,
        Code::RefreshTokenInvalid,
        Code::RefreshTokenExpired,
        Code::CsrfFailed,
        Code::SessionEnded,
        Code::UserInactive,
        Code::RefreshTokenReused,
        Code::TooManyRights,
    ],
};

pub(crate) static LOGOUT: Doc = Doc {
    id: "logout",
    tag: Tag::Sessions,
    summary: "Log out",
    description: "\
Ends the session that the request names: by a refresh token of whatever generation and age (the cookie with the CSRF \
header, or `refresh_token` in the body), or by the `Authorization` header. With no token, or one of a session that is \
over already, it is still `204`.",
    takes: &[
        &[Credential::RefreshCookie, Credential::CsrfHeader],
        &[Credential::AccessToken, Credential::CsrfHeader],
        &[Credential::AccessToken],
        &[],
    ],
    parameters: &[],
    body: Some(Body::optional::<RefreshToken>()),
    answer: Answer::nothing("The session has ended, and both cookies are cleared.")
        .and(SetsCookies::ClearsBoth),
    refusals: &[Code::InvalidRequest, Code::CsrfFailed],
};

pub(crate) static CSRF: Doc = Doc {
    id: "csrfToken",
    tag: Tag::Sessions,
    summary: "Get the CSRF token again",
    description: "\
For a page that was reloaded, or that can't read the API's cookies because it is on another domain: it asks here, then \
refreshes, and is signed in again. The refresh cookie may be of whatever generation; nothing is rotated or judged. A \
client that gets `csrf_failed` asks here once and tries once more, and stops if the user is another one.

Although a `GET`, it is answered only to the server's own origin and those of `allowed_origins`.",
    takes: &[&[Credential::RefreshCookie]],
    parameters: &[],
    body: None,
    answer: Answer::json::<Csrf>("The CSRF token of the live session whose refresh cookie came along.")
        .and(SetsCookies::Csrf),
    refusals: &[
        Code::NotAuthenticated,
        Code::RefreshTokenInvalid,
        Code::RefreshTokenExpired,
        Code::SessionEnded,
        Code::UserInactive,
    ],
};

pub(crate) static PROFILE: Doc = Doc {
    id: "profile",
    tag: Tag::Accounts,
    summary: "See who is signed in",
    description: "The user of the access token, as the store has them now.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::json::<Profile<'static>>("The user."),
    refusals: &[],
};

pub(crate) static UPDATE_PROFILE: Doc = Doc {
    id: "updateProfile",
    tag: Tag::Accounts,
    summary: "Change the profile",
    description: "\
What is left out stays. Declared custom fields may stand beside those below; an unknown or a read-only field is \
`invalid_fields`. A change of `email` needs `password` beside it. E-mail addresses need not be unique; one works for \
login only while exactly one user has it and it is nobody's user name.",
    takes: &[],
    parameters: &[],
    body: Some(Body::required::<ProfileChange>()),
    answer: Answer::json::<Profile<'static>>("The user, changed."),
    refusals: &[Code::InvalidFields, Code::WrongPassword, Code::Throttled, Code::Overloaded],
};

pub(crate) static CHANGE_PASSWORD: Doc = Doc {
    id: "changePassword",
    tag: Tag::Accounts,
    summary: "Change the password",
    description: "\
**Every** session of the user ends, this one too, and this client gets a new one: a stolen copy of it dies as well. A \
password is used exactly as received; it is 15 to 1024 characters by default, not a known common one, and not like the \
user's own attributes.",
    takes: &[],
    parameters: &[],
    body: Some(Body::required::<PasswordChange>()),
    answer: Answer::json::<Tokens<'static>>("The three tokens of a new session, as from a login.")
        .and(SetsCookies::Both),
    refusals: &[
        Code::InvalidFields,
        Code::InvalidPassword,
        Code::WrongPassword,
        Code::TooManyRights,
        Code::Throttled,
        Code::Overloaded,
    ],
};

pub(crate) static SESSIONS: Doc = Doc {
    id: "sessions",
    tag: Tag::Sessions,
    summary: "List the user's sessions",
    description: "Those that are alive, newest first. `current` is the one that asks.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::json::<Sessions>("The sessions."),
    refusals: &[],
};

pub(crate) static END_SESSIONS: Doc = Doc {
    id: "endSessions",
    tag: Tag::Sessions,
    summary: "End the user's other sessions",
    description: "All but the current one, or with `?all=true` that one too. They count no more from the next request \
                  on, at every node within one second.",
    takes: &[],
    parameters: &[Parameter::All],
    body: None,
    answer: Answer::nothing("They have ended."),
    refusals: &[],
};

pub(crate) static END_SESSION: Doc = Doc {
    id: "endSession",
    tag: Tag::Sessions,
    summary: "End one of the user's sessions",
    description: "The current one too. Another user's is `not_found`.",
    takes: &[],
    parameters: &[Parameter::SessionId],
    body: None,
    answer: Answer::nothing("It has ended."),
    refusals: &[Code::NotFound],
};

pub(crate) static JWKS: Doc = Doc {
    id: "publicKeys",
    tag: Tag::Tokens,
    summary: "Get the public keys of access tokens",
    description: "\
A JSON Web Key Set (RFC 7517). It may be cached for five minutes: a new key is published for at least twice that before \
it signs. With `HS256` the set is empty.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::json::<KeySet>("The keys."),
    refusals: &[],
};

pub(crate) static HEALTHZ: Doc = Doc {
    id: "healthz",
    tag: Tag::Operations,
    summary: "Ask whether the process lives",
    description: "It asks nobody else, so it says nothing about the store.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::json::<Status>("It lives."),
    refusals: &[],
};

pub(crate) static READYZ: Doc = Doc {
    id: "readyz",
    tag: Tag::Operations,
    summary: "Ask whether requests can be served",
    description: "Whether the store answers, and the news of ended sessions are fresh.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::json::<Status>("They can."),
    refusals: &[],
};

pub(crate) static OPENAPI: Doc = Doc {
    id: "openapi",
    tag: Tag::Operations,
    summary: "Get this document",
    description: "OpenAPI 3.1, made from the code. `/docs` shows it.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::file("This document.", &["application/json"]),
    refusals: &[],
};

pub(crate) static DOCS: Doc = Doc {
    id: "docs",
    tag: Tag::Operations,
    summary: "Read this document",
    description: "A page that shows `/openapi.json`. It loads nothing from any other host.",
    takes: &[],
    parameters: &[],
    body: None,
    answer: Answer::file("The page.", &["text/html"]),
    refusals: &[],
};

pub(crate) static DOCS_ASSET: Doc = Doc {
    id: "docsAsset",
    tag: Tag::Operations,
    summary: "Get what the page is made of",
    description: "The style, the scripts and the pictures of `/docs`.",
    takes: &[],
    parameters: &[Parameter::Asset],
    body: None,
    answer: Answer::file("The file.", &["text/css", "text/javascript", "image/svg+xml"]),
    refusals: &[Code::NotFound],
};

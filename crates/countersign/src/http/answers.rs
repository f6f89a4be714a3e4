//! What our answers hold, as JSON.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use countersign_core::fields::UserFields;
use countersign_core::session::{Delivery, Session};
use countersign_core::{SessionId, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::App;
use super::error::internal_error;
use crate::service::User;
use crate::service::tokens::SignedIn;

/// Nobody between us and the client keeps what carries a token or a user.
pub(crate) const NO_STORE: (HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));

/// Room for an answer's headers and for those that the layers add, so that the map needn't grow on the way.
const HEADERS: usize = 12;

/// Room for most bodies, in bytes.
const BODY: usize = 512;

/// What a login and a refresh answer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Tokens<'a> {
    /// The access token, a JWT: keep it in memory, and send it as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    #[schemars(extend("const" = "Bearer"))]
    token_type: &'static str,
    /// How many seconds the access token lives from now.
    expires_in: u32,
    /// The CSRF token: send it in the `X-CSRFTOKEN` header with every unsafe request. Not with body delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    csrf_token: Option<String>,
    /// The refresh token, with body delivery only: keep it in the platform's secure storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    refresh_token: Option<String>,
    /// The user.
    user: UserBody<'a>,
}

/// A user, as they see themselves. Declared custom fields stand beside these members.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(crate) struct UserBody<'a> {
    /// The id, never used twice.
    id: i64,
    /// The user name.
    username: &'a str,
    /// The e-mail address; may be empty.
    email: &'a str,
    /// The first name; may be empty.
    first_name: &'a str,
    /// The last name; may be empty.
    last_name: &'a str,
    /// Whether the user may log in.
    is_active: bool,
    /// The declared custom fields.
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// The answer to a profile request.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Profile<'a> {
    /// The user.
    user: UserBody<'a>,
}

/// The CSRF token after a reload.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Csrf {
    /// The CSRF token of the session whose refresh cookie came along.
    csrf_token: String,
}

/// A user's live sessions, newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sessions {
    /// The sessions.
    sessions: Vec<SessionBody>,
}

/// A session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(crate) struct SessionBody {
    /// The id, to end it by.
    id: String,
    /// When the user logged in.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it was last refreshed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    last_used_at: Timestamp,
    /// When it ends if it is not used any more.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// Where it was last refreshed from.
    ip: Option<String>,
    /// What the client called itself there.
    user_agent: Option<String>,
    /// Whether it is the session of this very request.
    current: bool,
}

impl SessionBody {
    /// A session, seen from another (or the same) one.
    fn new(session: Session, current: SessionId) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: session.created_at,
            last_used_at: session.rotated_at,
            expires_at: session.refresh_expires_at,
            ip: session.client.ip.map(|ip| ip.to_string()),
            user_agent: session.client.user_agent,
            current: session.id == current,
        }
    }
}

impl<'a> UserBody<'a> {
    /// A user, with the fields that are declared.
    fn new(user: &'a User, declared: &UserFields) -> Self {
        Self {
            fields: declared.shown(&user.fields),
            id: user.id.0,
            username: &user.username,
            email: &user.email,
            first_name: &user.first_name,
            last_name: &user.last_name,
            is_active: user.is_active,
        }
    }
}

/// The tokens of a session, each in its place: the access token in the body, the refresh token in a cookie (or, with
/// body delivery, in the body), the CSRF token in both.
pub(crate) fn signed_in(signed_in: SignedIn, app: &App) -> Response {
    let cookies = &app.cookies;
    let SignedIn { access_token, expires_in, refresh_token, cookie_life, csrf_token, session, user } =
        signed_in;
    let csrf_token = csrf_token.map(|token| token.expose().to_owned());
    let set = csrf_token
        .as_ref()
        .map(|csrf| [cookies.set_refresh(&refresh_token, cookie_life), cookies.set_csrf(csrf, cookie_life)]);
    let body = Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: expires_in.0,
        csrf_token,
        refresh_token: (session.delivery == Delivery::Body).then_some(refresh_token),
        user: UserBody::new(&user, app.service.user_fields()),
    };
    let mut response = json(&body);
    set_cookies(&mut response, set.into_iter().flatten());
    response
}

/// A user's profile.
pub(crate) fn profile(user: &Arc<User>, app: &App) -> Response {
    let declared = app.service.user_fields();
    let write = |user: &User| written(&Profile { user: UserBody::new(user, declared) });
    match app.profiles.of(user, write) {
        Some(text) => answer(text),
        None => internal_error().into_response(),
    }
}

/// A CSRF token, in the body and in its cookie.
pub(crate) fn csrf(csrf_token: String, cookie: HeaderValue) -> Response {
    let mut response = json(&Csrf { csrf_token });
    set_cookies(&mut response, [cookie]);
    response
}

/// A user's sessions, seen from the current one.
pub(crate) fn sessions(sessions: Vec<Session>, current: SessionId) -> Response {
    let sessions = sessions.into_iter().map(|session| SessionBody::new(session, current)).collect();
    json(&Sessions { sessions })
}

/// An answer that nobody keeps.
fn json(body: &impl Serialize) -> Response {
    written(body).map_or_else(|| internal_error().into_response(), answer)
}

/// The text of a body; none where it can't be written, which is a defect.
fn written(body: &impl Serialize) -> Option<Bytes> {
    let mut text = Vec::with_capacity(BODY);
    match serde_json::to_writer(&mut text, body) {
        Ok(()) => Some(text.into()),
        Err(error) => {
            tracing::error!(%error, "an answer can't be written");
            None
        }
    }
}

fn answer(text: Bytes) -> Response {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let (name, value) = NO_STORE;
    headers.insert(name, value);
    let mut response = Response::new(Body::from(text));
    *response.headers_mut() = headers;
    response
}

/// Adds cookies to an answer.
pub(crate) fn set_cookies(response: &mut Response, cookies: impl IntoIterator<Item = HeaderValue>) {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

//! Login, refresh, logout, and the CSRF token after a reload.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_core::session::Delivery;
use countersign_verify::{Denied, Problem, csrf_header};
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use schemars::JsonSchema;

use super::App;
use super::answers::{self, NO_STORE};
use super::body::{JsonBody, OptionalJsonBody};
use super::client::ClientOf;
use super::code::Code;
use super::error::Refusal;
use super::to_the_end::to_the_end;
use crate::service::Error;
use crate::service::login::Attempt;
use crate::service::password::Password;
use crate::service::refresh::{IdempotencyKey, Presented};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a login takes.
#[derive(JsonSchema)]
pub(crate) struct Login {
    /// The user name or, with `login_with_email`, the e-mail address.
    username: String,
    /// The password, exactly as it was chosen.
    password: String,
    /// Whether the cookies may outlive the browser's window. If not, they end with it, and after 12 hours at most.
    #[schemars(extend("default" = true))]
    remember: Option<bool>,
    /// `cookie` for browsers, `body` for clients with a secure storage of their own.
    #[schemars(extend("enum" = ["cookie", "body"], "default" = "cookie"))]
    token_delivery: Option<String>,
}

/// What a refresh and a logout take, with body delivery only.
#[derive(JsonSchema)]
pub(crate) struct RefreshToken {
    /// The refresh token.
    refresh_token: Option<String>,
}

impl Login {
    pub(crate) fn read(body: &mut JsonBody) -> Result<Self, Refusal> {
        Ok(Self {
            username: body.string("username")?.unwrap_or_default(),
            password: body.string("password")?.unwrap_or_default(),
            remember: body.boolean("remember")?,
            token_delivery: body.string("token_delivery")?,
        })
    }
}

impl RefreshToken {
    pub(crate) fn read(body: &mut JsonBody) -> Result<Self, Refusal> {
        Ok(Self { refresh_token: body.string("refresh_token")? })
    }
}

pub(crate) async fn login(
    State(app): State<App>,
    ClientOf(client): ClientOf,
    headers: HeaderMap,
    mut body: JsonBody,
) -> Result<Response, Refusal> {
    let attempt = attempt(&app, &headers, &mut body)?;
    let old = Presented::Cookies(app.cookies.refresh_values(&headers)?);
    let signed_in = app.service.login(attempt, &old, &client).await?;
    Ok(answers::signed_in(signed_in, &app))
}

pub(crate) async fn refresh(
    State(app): State<App>,
    ClientOf(client): ClientOf,
    headers: HeaderMap,
    OptionalJsonBody(mut body): OptionalJsonBody,
) -> Result<Response, Refusal> {
    to_the_end(async move {
        let body = RefreshToken::read(&mut body)?;
        let presented = presented(&app, &headers, body.refresh_token.as_deref())?;
        let key = idempotency_key(&headers)?;
        let signed_in = app.service.refresh(&presented, csrf_header(&headers), key, &client).await?;
        Ok(answers::signed_in(signed_in, &app))
    })
    .await
}

pub(crate) async fn logout(
    State(app): State<App>,
    ClientOf(client): ClientOf,
    method: Method,
    headers: HeaderMap,
    OptionalJsonBody(mut body): OptionalJsonBody,
) -> Result<Response, Refusal> {
    to_the_end(async move {
        let body = RefreshToken::read(&mut body)?;
        let presented = presented(&app, &headers, body.refresh_token.as_deref())?;
        // An access token that is no good names no session; it is no reason to keep anyone signed in.
        let access = match app.service.verifier().authenticate(&headers, &method).await {
            Ok(claims) => Some(Ok(claims)),
            Err(Denied::CsrfFailed(failure)) => Some(Err(failure)),
            Err(denied @ Denied::Unavailable) => return Err(Problem::from(denied).into()),
            Err(_) => None,
        };
        app.service.logout(&presented, csrf_header(&headers), access, &client).await?;
        let mut response = ([NO_STORE], StatusCode::NO_CONTENT).into_response();
        answers::set_cookies(&mut response, app.cookies.clear());
        Ok(response)
    })
    .await
}

pub(crate) async fn csrf(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refusal> {
    let presented = Presented::Cookies(app.cookies.refresh_values(&headers)?);
    let (token, life) = app.service.csrf(&presented, csrf_header(&headers)).await?;
    let cookie = app.cookies.set_csrf(token.expose(), life);
    Ok(answers::csrf(token.expose().to_owned(), cookie))
}

/// Reads a login.
fn attempt(app: &App, headers: &HeaderMap, body: &mut JsonBody) -> Result<Attempt, Refusal> {
    let Login { username, password, remember, token_delivery } = Login::read(body)?;
    let delivery = match token_delivery {
        None => Delivery::Cookie,
        Some(name) => Delivery::parse(&name)
            .ok_or_else(|| JsonBody::malformed("token_delivery", "Write \"cookie\" or \"body\"."))?,
    };
    if delivery == Delivery::Body && is_browser(app, headers) {
        let detail = "Body delivery would put the refresh token within reach of the page's scripts; use cookies, or \
                      list a native shell's origin in native_origins.";
        return Err(Code::BodyDeliveryNotForBrowsers.problem(detail).into());
    }
    if username.is_empty() || password.is_empty() {
        return Err(Error::MissingCredentials.into());
    }
    // No stored password is longer than the maximum, so a longer one is wrong; and it is never hashed.
    let password =
        Password::new(password).map_err(|too_long| JsonBody::malformed("password", &too_long.to_string()))?;
    Ok(Attempt { username, password, delivery, remember: remember.unwrap_or(true) })
}

/// Whether a page of a browser asks, other than that of a native shell: browsers say so themselves.
fn is_browser(app: &App, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN) {
        Some(origin) => !app.cross_origin.policy().is_native(origin.as_bytes()),
        None => headers.contains_key(SEC_FETCH_SITE),
    }
}

/// The refresh tokens that came along. Two ways of sending one at once are none.
fn presented<'a>(app: &App, headers: &'a HeaderMap, body: Option<&'a str>) -> Result<Presented<'a>, Refusal> {
    let cookies = app.cookies.refresh_values(headers)?;
    match body {
        None => Ok(Presented::Cookies(cookies)),
        Some(token) if cookies.is_empty() => Ok(Presented::Body(token)),
        Some(_) => {
            let detail = "Send the refresh token in its cookie or in the body, not in both.";
            Err(Code::InvalidRequest.problem(detail).into())
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(first) = sent.next() else { return Ok(None) };
    if let (Some(key), None) = (IdempotencyKey::parse(first.as_bytes()), sent.next()) {
        return Ok(Some(key));
    }
    let detail = "An Idempotency-Key has 22 to 128 printable ASCII characters, made at random.";
    Err(Code::InvalidIdempotencyKey.problem(detail).into())
}

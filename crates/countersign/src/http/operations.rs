//! Health, readiness, the key set and the metrics.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::json;

use super::App;
use super::answers::NO_STORE;
use super::error::Refusal;

/// The public keys of the access tokens. They may be cached for five minutes.
pub(crate) async fn jwks(State(app): State<App>) -> Response {
    let cache = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    ([cache], Json(app.service.public_keys())).into_response()
}

/// The process lives.
pub(crate) async fn healthz() -> Response {
    ([NO_STORE], Json(json!({ "status": "ok" }))).into_response()
}

/// The store answers, and the news of ended sessions are fresh.
pub(crate) async fn readyz(State(app): State<App>) -> Result<Response, Refusal> {
    app.service.is_ready().await?;
    let mut answer = json!({ "status": "ready" });
    if let (Some(ahead), Some(answer)) = (app.service.clock_skew(), answer.as_object_mut()) {
        // Not a reason to take no requests: the database's time counts, and where its clock is off, no node would be left.
        answer.insert("database_clock_ahead_ms".to_owned(), ahead.into());
    }
    Ok(([NO_STORE], Json(answer)).into_response())
}

/// What was counted.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], app.service.render_metrics()).into_response()
}

//! A service of your own with Countersign inside it: three routes of yours beside all of Countersign's.
//!
//! - `GET /hello` is public.
//! - `POST /notes` is private, as everything is that isn't named: it needs an access token and, from a browser, the
//!   CSRF header that countersigns it.
//! - `GET /reports` asks for a right besides: the permission `reports.view`.

use axum::routing::{get, post};
use axum::{Json, Router};
use countersign::{Countersign, CurrentUser, require_permission};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Your routes, guarded, and Countersign's.
pub fn app(countersign: &Countersign) -> Router {
    Router::new()
        .route("/hello", get(hello))
        .route("/notes", post(write_note))
        .route("/reports", get(reports).layer(require_permission("reports.view")))
        .layer(countersign.layer().public(Method::GET, "/hello"))
        .merge(countersign.router())
}

async fn hello() -> &'static str {
    "hello, whoever you are"
}

async fn reports(user: CurrentUser) -> String {
    format!("reports for {}", user.username)
}

async fn write_note(user: CurrentUser, Json(note): Json<Value>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "by": user.username, "note": note })))
}

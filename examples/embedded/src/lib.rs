//! A service of your own with Countersign inside it: two routes of yours beside all of Countersign's.
//!
//! - `GET /hello` is public.
//! - `POST /notes` is private, as everything is that isn't named: it needs an access token and, from a browser, the
//!   CSRF header that countersigns it.

use axum::routing::{get, post};
use axum::{Json, Router};
use countersign::{Countersign, CurrentUser};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Your routes, guarded, and Countersign's.
pub fn app(countersign: &Countersign) -> Router {
    Router::new()
        .route("/hello", get(hello))
        .route("/notes", post(write_note))
        .layer(countersign.layer().public(Method::GET, "/hello"))
        .merge(countersign.router())
}

async fn hello() -> &'static str {
    "hello, whoever you are"
}

async fn write_note(user: CurrentUser, Json(note): Json<Value>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "by": user.username, "note": note })))
}

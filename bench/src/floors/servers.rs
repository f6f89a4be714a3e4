//! Bare axum, on the runtime that Countersign has: what HTTP, JSON and one signature cost by themselves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_verify::{AuthLayer, KeySet, Verifier};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::Result;

const ROUTE: &str = "/accounts/profile";

pub(super) fn json(port: u16) -> Result<()> {
    serve(port, Router::new().route(ROUTE, get(async || Json(profile()))))
}

pub(super) fn ed25519(port: u16, key: &str) -> Result<()> {
    let key = ParsedPublicKey::new(&ED25519, URL_SAFE_NO_PAD.decode(key)?).map_err(|_| "no Ed25519 key")?;
    serve(port, Router::new().route(ROUTE, get(checked)).with_state(Arc::new(key)))
}

pub(super) fn verify(port: u16, jwks: &Path, issuer: &str) -> Result<()> {
    let keys = KeySet::from_jwks(&fs::read(jwks)?)?;
    let verifier = Arc::new(Verifier::new(keys, issuer, issuer));
    let router = Router::new().route(ROUTE, get(async || Json(profile())));
    serve(port, router.layer(AuthLayer::new(verifier)))
}

/// A profile as Countersign answers it.
#[derive(Serialize)]
struct Profile {
    user: User,
}

#[derive(Serialize)]
struct User {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    is_active: bool,
}

/// Made anew each time, as an application would.
fn profile() -> Profile {
    Profile {
        user: User {
            id: 17,
            username: "user-17".to_owned(),
            email: "user-17@example.com".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            is_active: true,
        },
    }
}

/// One raw check, and no other.
async fn checked(State(key): State<Arc<ParsedPublicKey>>, headers: HeaderMap) -> Response {
    let token =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let signed = token.and_then(|token| {
        let dot = token.iter().rposition(|byte| *byte == b'.')?;
        let (signed, signature) = token.split_at_checked(dot)?;
        Some((signed, URL_SAFE_NO_PAD.decode(signature.get(1..)?).ok()?))
    });
    match signed {
        Some((signed, signature)) if key.verify_sig(signed, &signature).is_ok() => {
            Json(profile()).into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn serve(port: u16, router: Router) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, router).await?;
        Ok(())
    })
}

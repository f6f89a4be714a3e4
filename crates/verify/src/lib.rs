//! Guard the routes of any service with Countersign's access tokens.
//!
//! A service that trusts our tokens needs the issuer's public keys, and no database. Every route under the layer is
//! private unless it is named:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use axum::{Router, http::Method, routing::get};
//! use countersign_verify::{AuthLayer, Authenticated, KeySet, Verifier};
//!
//! // As https://login.example.com/.well-known/jwks.json has it.
//! let jwks = br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "2026-11",
//!     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
//! let keys = KeySet::from_jwks(jwks)?;
//! let verifier = Arc::new(Verifier::new(keys, "https://login.example.com", "https://api.example.com"));
//! let app: Router = Router::new()
//!     .route("/hello", get(async |caller: Authenticated| format!("hello, user {}", caller.user)))
//!     .route("/status", get("fine"))
//!     .layer(AuthLayer::new(verifier).public(Method::GET, "/status")); // after the routes: it guards those above
//! # use axum::{body::Body, http::{Request, StatusCode}};
//! # use tower::ServiceExt;
//! # let get = |path| app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
//! # assert_eq!(get("/status").await?.status(), StatusCode::OK);
//! # assert_eq!(get("/hello").await?.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```
//!
//! # What a caller may do
//!
//! [`require_permission`], [`require_staff`] and [`require`] are layers, [`Allowed`] and [`Staff`] extractors; who doesn't
//! meet them gets `403 permission_denied`, after all of the checks below. They need the issuer's `claims_include`.
//!
//! # What is checked
//!
//! In this order; the first that fails answers, as problem details ([`Problem`], RFC 9457) with a stable `code`.
//!
//! | | answer |
//! | --- | --- |
//! | there is one `Authorization` header, `Bearer <token>` (or `Token <token>`) | `401 not_authenticated`, `token_prefix_missing` |
//! | the token is ours: signature, algorithm, type, issuer, audience, times, each claim in its exact form ([`countersign_core::jwt`]) | `401 token_invalid`, `token_expired` |
//! | its session is known, and is its user's, if a [`Liveness`] is there to ask | `401 token_invalid`, `503 unavailable` |
//! | an unsafe method in a cookie session is *countersigned*: a CSRF header whose SHA-256 the token carries | `403 csrf_failed` |
//! | its session is live, if a [`Liveness`] is there to ask | `401 session_ended`, `user_inactive` |
//!
//! The same bytes answer every fault of a token, and no byte that a client can send makes a `500`.
//!
//! Keys change while a service runs: [`Verifier::replace_keys`] takes the new set, and from then on nothing counts that
//! a removed key signed.
//!
//! # What is not
//!
//! - **Rights that changed since the token was made.** [`require_permission`] and its sisters go by the claims; those are
//!   as old as the token, at most its few minutes.
//! - **The end of a session before its token's**, with [`NoLiveness`], the default: a token then counts until it
//!   expires, in minutes, whatever became of its session.
//! - **A stolen access token.** Whoever holds it is its user until it expires. It belongs in memory, in no storage, URL
//!   or log; TLS must end at or before this service, and a cross-site script has what the page has.
//! - **CORS, body limits, slow clients, floods.** They need layers of their own, around this one.
//! - **A route that stands outside of the layer.** axum's [`Router::layer`](axum::Router::layer) guards the routes that
//!   were added before it. [`Authenticated`] as an argument closes a handler wherever it stands.

mod bearer;
mod cache;
mod clock;
mod csrf;
mod denied;
mod layer;
mod liveness;
mod problem;
mod require;
mod verifier;

pub use clock::SystemClock;
pub use countersign_core::jwt::{AccessClaims, KeySet};
pub use csrf::{CSRF_HEADERS, CsrfFailure, CsrfHeader, check_countersignature, csrf_header, is_unsafe};
pub use denied::Denied;
pub use layer::{AuthLayer, Authenticated, Guarded, Guarding};
pub use liveness::{Answer, Liveness, NoLiveness, NotLive};
pub use problem::{Challenge, Problem, ProblemCode};
pub use require::{
    Allowed, Permission, Require, Required, Staff, require, require_permission, require_staff,
};
pub use verifier::Verifier;

//! Countersign: self-hosted authentication for browser apps, mobile and desktop apps, as a library.
//!
//! A login gives three tokens, kept in three places: a short access JWT in the page's memory, a long refresh JWT in an
//! `HttpOnly` cookie, and a CSRF token that *countersigns* both. The program `countersign` serves this; a service of
//! your own can have it inside:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use countersign::{Countersign, CurrentUser};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let countersign = Countersign::builder().data_dir("./data").public_url("http://localhost:8000")?.build().await?;
//!
//! let app = Router::new()
//!     .route("/hello", get(async || "hello, whoever you are"))
//!     .route("/notes", get(async |user: CurrentUser| format!("notes of {}", user.username)))
//!     // Private by default: what isn't named here needs an access token, and its CSRF header if it changes anything.
//!     .layer(countersign.layer().public(http::Method::GET, "/hello"))
//!     .merge(countersign.router());
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! countersign.serve(listener, app, async { let _ = tokio::signal::ctrl_c().await; }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Countersign`]: the whole, with its routes, its layer and its use cases.
//! - [`require_permission`], [`require_staff`], [`require()`]: what callers must be allowed to, route by route.
//! - [`settings`]: what can be set. [`data_dir`]: where the embedded database and generated secrets lie.
//! - [`service`]: the use cases, without HTTP.

pub mod builder;
pub mod data_dir;
mod embed;
pub mod http;
mod require;
pub mod service;
pub mod settings;

pub use builder::{BuildError, Builder, migrate};
pub use countersign_core as core;
pub use countersign_store as store;
pub use countersign_verify as verify;
pub use countersign_verify::{Authenticated, Permission, SystemClock};
pub use embed::{Countersign, CurrentUser, Layer};
pub use require::{Allowed, Require, Required, Staff, require, require_permission, require_staff};
pub use service::account::Caller;

/// The refresh cookie's name, before its prefix.
pub const REFRESH_COOKIE: &str = "refreshtoken";

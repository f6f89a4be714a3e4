//! What callers must be allowed to: layers and extractors behind an [`AuthLayer`](crate::AuthLayer).
//!
//! They go by the token's claims, so the issuer's `claims_include` has to name `permissions` (and `groups`). Rights that
//! changed count here at the token's next refresh, in minutes; a service that can't wait for that asks the issuer.

use std::fmt;
use std::future::ready;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use countersign_core::jwt::AccessClaims;
use http::Request;
use http::request::Parts;
use tower_layer::Layer;
use tower_service::Service;

use crate::layer::{Authenticated, Guarding};
use crate::problem::Problem;

/// Lets only those through who meet a condition; the others get `403 permission_denied`. Made by [`require`] and its
/// shorter sisters.
#[derive(Clone)]
pub struct Require(Arc<dyn Fn(&AccessClaims) -> bool + Send + Sync>);

/// A service behind a [`Require`].
#[derive(Clone)]
pub struct Required<S> {
    condition: Require,
    inner: S,
}

/// A permission, as a type: what [`Allowed`] asks for.
///
/// ```
/// use countersign_verify::{Allowed, Permission};
///
/// struct ReportsView;
///
/// impl Permission for ReportsView {
///     const NAME: &'static str = "reports.view";
/// }
///
/// async fn reports(caller: Allowed<ReportsView>) -> String {
///     format!("reports for user {}", caller.user)
/// }
/// ```
pub trait Permission {
    /// Its name, `scope.action`.
    const NAME: &'static str;
}

/// Who calls, and has this permission: an extractor, which refuses others with `403 permission_denied`.
pub struct Allowed<P> {
    caller: Authenticated,
    permission: PhantomData<fn() -> P>,
}

/// Who calls, and is staff: an extractor, which refuses others with `403 permission_denied`.
#[derive(Clone, PartialEq, Debug)]
pub struct Staff(pub Authenticated);

/// Lets only those through who have this permission. For routes, or a router of them:
///
/// ```
/// use axum::{Router, routing::get};
/// use countersign_verify::require_permission;
///
/// let reports: Router =
///     Router::new().route("/reports", get("reports")).route_layer(require_permission("reports.view"));
/// # drop(reports);
/// ```
pub fn require_permission(name: impl Into<String>) -> Require {
    let name = name.into();
    require(move |claims| claims.allows(&name))
}

/// Lets only staff through.
pub fn require_staff() -> Require {
    require(AccessClaims::is_staff)
}

/// Lets only those through whose claims meet this condition.
pub fn require(condition: impl Fn(&AccessClaims) -> bool + Send + Sync + 'static) -> Require {
    Require(Arc::new(condition))
}

impl Require {
    fn check(&self, caller: Option<&Authenticated>) -> Result<(), Problem> {
        let caller = caller.ok_or_else(Problem::not_authenticated)?;
        if (self.0)(caller) { Ok(()) } else { Err(Problem::permission_denied()) }
    }
}

impl fmt::Debug for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Require(…)")
    }
}

impl<S> Layer<S> for Require {
    type Service = Required<S>;

    fn layer(&self, inner: S) -> Required<S> {
        Required { condition: self.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for Required<S>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Guarding<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.condition.check(request.extensions().get()) {
            Ok(()) => Guarding::Inside { response: self.inner.call(request) },
            Err(problem) => Guarding::Refused { response: ready(Ok(problem.into_response())) },
        }
    }
}

impl<P> Deref for Allowed<P> {
    type Target = Authenticated;

    fn deref(&self) -> &Authenticated {
        &self.caller
    }
}

impl<P: Permission, S: Sync> FromRequestParts<S> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        require_permission(P::NAME).check(Some(&caller))?;
        Ok(Self { caller, permission: PhantomData })
    }
}

impl<S: Sync> FromRequestParts<S> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        require_staff().check(Some(&caller))?;
        Ok(Self(caller))
    }
}

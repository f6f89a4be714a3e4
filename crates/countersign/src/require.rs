//! What callers must be allowed to, for an embedder's own routes: layers and extractors behind
//! [`Countersign::layer`](crate::Countersign::layer).
//!
//! They go by the rights that the store has, not by the token's: a right that is given or taken counts from the next
//! request on at the node that did it, and within a second at the others. No `claims_include` is needed for them.

use std::fmt;
use std::future::ready;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use countersign_core::jwt::AccessClaims;
use countersign_verify::{Authenticated, Guarding, Permission, Problem};
use http::request::Parts;
use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service as TowerService;

use crate::http::error::{Refusal, internal_error};
use crate::service::Service;
use crate::service::account::Caller;

/// Lets only those through who meet a condition; the others get `403 permission_denied`. Made by [`require`] and its
/// shorter sisters.
#[derive(Clone)]
pub struct Require(Arc<dyn Fn(&Caller) -> bool + Send + Sync>);

/// A service behind a [`Require`].
#[derive(Clone)]
pub struct Required<S> {
    condition: Require,
    inner: S,
}

/// The user who calls, and has this permission: an extractor, which refuses others with `403 permission_denied`.
pub struct Allowed<P> {
    caller: Caller,
    permission: PhantomData<fn() -> P>,
}

/// The user who calls, and is staff: an extractor, which refuses others with `403 permission_denied`.
#[derive(Clone, Debug)]
pub struct Staff(pub Caller);

/// Lets only those through who have this permission. For routes, or a router of them:
///
/// ```
/// use axum::{Router, routing::get};
/// use countersign::require_permission;
///
/// # fn app(countersign: &countersign::Countersign) -> Router {
/// Router::new()
///     .route("/reports", get("reports"))
///     .route_layer(require_permission("reports.view"))
///     // Who calls at all, comes first: this guards what stands above it.
///     .layer(countersign.layer())
/// # }
/// ```
pub fn require_permission(name: impl Into<String>) -> Require {
    let name = name.into();
    require(move |caller| caller.allows(&name))
}

/// Lets only staff through.
pub fn require_staff() -> Require {
    require(|caller| caller.rights.may_enter_admin())
}

/// Lets only users through who meet this condition.
pub fn require(condition: impl Fn(&Caller) -> bool + Send + Sync + 'static) -> Require {
    Require(Arc::new(condition))
}

impl Require {
    fn check(&self, caller: &Caller) -> Result<(), Problem> {
        if (self.0)(caller) { Ok(()) } else { Err(Problem::permission_denied()) }
    }
}

/// The use cases and the claims of a request that came through [`Countersign::layer`](crate::Countersign::layer).
fn behind_the_layer(extensions: &Extensions) -> Result<(Arc<Service>, Arc<AccessClaims>), Problem> {
    let Some(service) = extensions.get::<Arc<Service>>() else {
        tracing::error!("a right was asked for on a route that is not behind Countersign::layer()");
        return Err(internal_error());
    };
    let Authenticated(claims) = extensions.get().ok_or_else(Problem::not_authenticated)?;
    Ok((Arc::clone(service), Arc::clone(claims)))
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

impl<S, B> TowerService<Request<B>> for Required<S>
where
    S: TowerService<Request<B>, Response: IntoResponse, Future: Send> + Clone + Send + 'static,
    S::Error: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Guarding<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let refused = |problem: Problem| Guarding::Refused { response: ready(Ok(problem.into_response())) };
        let (service, claims) = match behind_the_layer(request.extensions()) {
            Ok(found) => found,
            Err(problem) => return refused(problem),
        };
        if let Some(caller) = service.known_caller(&claims) {
            return match self.condition.check(&caller) {
                Ok(()) => Guarding::Inside { response: self.inner.call(request) },
                Err(problem) => refused(problem),
            };
        }
        // The service that is ready goes along, its clone stays (tower's rule for `poll_ready`).
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let condition = self.condition.clone();
        Guarding::Asking {
            response: Box::pin(async move {
                let caller = service.caller(&claims).await.map_err(|error| Refusal::from(error).0);
                match caller.and_then(|caller| condition.check(&caller)) {
                    Ok(()) => Ok(inner.call(request).await?.into_response()),
                    Err(problem) => Ok(problem.into_response()),
                }
            }),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Authenticated(claims) =
            <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let (service, _) = behind_the_layer(&parts.extensions)?;
        service.caller(&claims).await.map_err(|error| Refusal::from(error).0)
    }
}

impl<P> Deref for Allowed<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<P: Permission, S: Send + Sync> FromRequestParts<S> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        require_permission(P::NAME).check(&caller)?;
        Ok(Self { caller, permission: PhantomData })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        require_staff().check(&caller)?;
        Ok(Self(caller))
    }
}

//! The tower layer that guards the routes under it, and the extractor that says who calls.
//!
//! Every route is private unless [`AuthLayer::public`] names it. A private route is reached only by a request that
//! [`Verifier::authenticate`] lets through. On a public one nothing is asked, unless the handler does: an
//! `Option<Authenticated>` there looks at the token when it is extracted, and refuses a bad one.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::{FromRequestParts, MatchedPath, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use countersign_core::jwt::AccessClaims;
use http::request::Parts;
use http::{Method, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::denied::Denied;
use crate::problem::Problem;
use crate::verifier::{Decision, Verifier};

/// Guards every route under it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    verifier: Arc<Verifier>,
    public: Arc<HashMap<String, Vec<Method>>>,
}

/// A service behind an [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    layer: AuthLayer,
    inner: S,
}

/// Who calls: the verified claims of the request's access token.
///
/// As an extractor it is there on every private route; where no [`AuthLayer`] ran, it answers `not_authenticated`.
#[derive(Clone, PartialEq, Debug)]
pub struct Authenticated(pub Arc<AccessClaims>);

/// What lets a public route look at the token after all.
#[derive(Clone)]
struct NotAsked(Arc<Verifier>);

impl AuthLayer {
    /// Every route is private.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self { verifier, public: Arc::default() }
    }

    /// Lets this route through without a token. `GET` counts for `HEAD` too.
    ///
    /// `path` is the route's own, as the router has it (`/notes/{id}`). Where the layer stands outside of an axum
    /// router, so that no route is matched yet, the request's path must be `path` to the byte.
    #[must_use]
    pub fn public(mut self, method: Method, path: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.public).entry(path.into()).or_default().push(method);
        self
    }

    fn is_public<B>(&self, request: &Request<B>) -> bool {
        let matched = request.extensions().get::<MatchedPath>();
        let path = matched.map_or_else(|| request.uri().path(), MatchedPath::as_str);
        let Some(methods) = self.public.get(path) else { return false };
        methods.contains(request.method())
            || (request.method() == Method::HEAD && methods.contains(&Method::GET))
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { layer: self.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response: IntoResponse, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Guarding<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.layer.is_public(&request) {
            request.extensions_mut().insert(NotAsked(Arc::clone(&self.layer.verifier)));
            return Guarding::Inside { response: self.inner.call(request) };
        }
        match self.layer.verifier.begin(request.headers(), request.method()) {
            Decision::Made(Ok(claims)) => {
                request.extensions_mut().insert(Authenticated(claims));
                Guarding::Inside { response: self.inner.call(request) }
            }
            Decision::Made(Err(denied)) => {
                Guarding::Refused { response: ready(Ok(Problem::from(denied).into_response())) }
            }
            Decision::Open(open) => {
                // The service that is ready goes along, its clone stays (tower's rule for `poll_ready`).
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                let (mut parts, body) = request.into_parts();
                Guarding::Asking {
                    response: Box::pin(async move {
                        match open.decide(&parts.headers, &parts.method).await {
                            Ok(claims) => {
                                parts.extensions.insert(Authenticated(claims));
                                let response = inner.call(Request::from_parts(parts, body)).await?;
                                Ok(response.into_response())
                            }
                            Err(denied) => Ok(Problem::from(denied).into_response()),
                        }
                    }),
                }
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer to come of a [`Guarded`] service. Only where somebody has to be asked does it lie in a box.
    #[project = Projected]
    pub enum Guarding<F, E> {
        #[doc(hidden)]
        Inside { #[pin] response: F },
        #[doc(hidden)]
        Refused { response: Ready<Result<Response, E>> },
        #[doc(hidden)]
        Asking { response: Pin<Box<dyn Future<Output = Result<Response, E>> + Send>> },
    }
}

impl<F, R, E> Future for Guarding<F, E>
where
    F: Future<Output = Result<R, E>>,
    R: IntoResponse,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Inside { response } => {
                Poll::Ready(ready!(response.poll(cx)).map(IntoResponse::into_response))
            }
            Projected::Refused { response } => Pin::new(response).poll(cx),
            Projected::Asking { response } => response.as_mut().poll(cx),
        }
    }
}

impl Deref for Authenticated {
    type Target = AccessClaims;

    fn deref(&self) -> &AccessClaims {
        &self.0
    }
}

impl Authenticated {
    async fn of(parts: &mut Parts) -> Result<Self, Denied> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let Some(NotAsked(verifier)) = parts.extensions.get::<NotAsked>().cloned() else {
            return Err(Denied::NotAuthenticated);
        };
        let caller = Self(verifier.authenticate(&parts.headers, &parts.method).await?);
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(parts).await?)
    }
}

/// `None` without an `Authorization` header; one that isn't good is refused as on a private route.
impl<S: Sync> OptionalFromRequestParts<S> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        match Self::of(parts).await {
            Ok(caller) => Ok(Some(caller)),
            Err(Denied::NotAuthenticated) => Ok(None),
            Err(denied) => Err(denied.into()),
        }
    }
}

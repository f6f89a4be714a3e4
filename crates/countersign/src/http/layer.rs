//! What guards an embedder's own routes.

use std::sync::Arc;
use std::task::{Context, Poll};

use countersign_verify::{AuthLayer, Guarded};
use http::{Method, Request};
use tower_service::Service as TowerService;

use super::App;
use super::cross_origin::{CrossOrigin, CrossOriginService};
use crate::service::Service;

/// Guards routes as our own are guarded. Every route under it is private, but for those that [`Layer::public`] names.
#[derive(Clone)]
pub struct Layer {
    cross_origin: CrossOrigin,
    auth: AuthLayer,
    service: Arc<Service>,
}

/// A service that lets the extractors reach the use cases.
#[derive(Clone)]
pub struct WithService<S> {
    service: Arc<Service>,
    inner: S,
}

impl Layer {
    pub(crate) fn new(app: &App) -> Self {
        Self {
            cross_origin: app.cross_origin.clone(),
            auth: AuthLayer::new(app.service.verifier().clone()),
            service: app.service.clone(),
        }
    }

    /// Lets pages of allowed origins use these methods too, beside GET, POST, PATCH and DELETE: a preflight asks.
    #[must_use]
    pub fn methods(mut self, more: impl IntoIterator<Item = Method>) -> Self {
        self.cross_origin = self.cross_origin.with_methods(more);
        self
    }

    /// Lets this route through without a token. `path` is the route's own, as the router has it (`/notes/{id}`). `GET`
    /// counts for `HEAD` too.
    #[must_use]
    pub fn public(mut self, method: Method, path: impl Into<String>) -> Self {
        self.auth = self.auth.public(method, path);
        self
    }
}

impl<S> tower_layer::Layer<S> for Layer {
    type Service = CrossOriginService<Guarded<WithService<S>>>;

    fn layer(&self, inner: S) -> Self::Service {
        let inner = WithService { service: self.service.clone(), inner };
        self.cross_origin.layer(self.auth.layer(inner))
    }
}

impl<S, B> TowerService<Request<B>> for WithService<S>
where
    S: TowerService<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(self.service.clone());
        self.inner.call(request)
    }
}

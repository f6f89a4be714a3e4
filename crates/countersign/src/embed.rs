//! The whole: routes, layer, use cases.

use std::future::Future;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use countersign_store::User;
use countersign_verify::{Authenticated, Problem};
use http::request::Parts;
use tokio::net::TcpListener;

use crate::builder::Builder;
use crate::http::error::{Refusal, internal_error};
use crate::http::{self as edge, App};
use crate::service::Service;
use crate::service::background::Background;

pub use crate::http::Layer;

/// A running Countersign.
///
/// Dropped without [`Countersign::shutdown`], it stops its background work at once; what was answered is on disk
/// already.
pub struct Countersign {
    app: App,
    background: Option<Background>,
}

impl Countersign {
    /// Makes one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(service: Arc<Service>, serves: bool) -> Self {
        let background = serves.then(|| Background::start(&service));
        Self { app: App::new(service), background }
    }

    /// The routes of the contract, behind all their layers, to be merged with routes of your own.
    pub fn router(&self) -> Router {
        edge::router(&self.app)
    }

    /// The same as a whole application, where every other path is `404`.
    pub fn whole(&self) -> Router {
        edge::whole(&self.app)
    }

    /// `GET /metrics`, for Prometheus: for a listener of its own, that only the monitoring can reach.
    pub fn metrics_router(&self) -> Router {
        edge::metrics_router(self.app.clone())
    }

    /// Guards routes of your own as ours are guarded: cross-site requests are refused, allowed origins get their CORS
    /// headers, and every route is private but those that [`Layer::public`] names.
    pub fn layer(&self) -> Layer {
        Layer::new(&self.app)
    }

    /// Puts pages that guard themselves behind the layers that all our routes have, but for our own origin alone: no
    /// other one may post to them, whatever `allowed_origins` says. It is how the admin site joins. Their requests carry
    /// the [`Client`](countersign_core::Client) as an extension.
    pub fn pages(&self, router: Router) -> Router {
        edge::pages(router, &self.app)
    }

    /// The use cases, without HTTP.
    pub fn service(&self) -> &Arc<Service> {
        &self.app.service
    }

    /// Serves a router until `stop` is ready, then lets the requests under way finish, and shuts down.
    ///
    /// It has what a server that faces the world needs, and what `axum::serve` leaves out: time limits on headers and
    /// bodies, a bound on connections, and a limit to the farewell.
    pub async fn serve(
        self,
        listener: TcpListener,
        router: Router,
        stop: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let served = edge::serve::serve(listener, router, stop).await;
        self.shutdown().await;
        served
    }

    /// Finishes what runs beside the requests, and closes the database.
    pub async fn shutdown(self) {
        if let Some(background) = self.background {
            background.stop().await;
        }
        self.app.service.close().await;
    }
}

/// The user who calls, as [`Service::profile`] knows them: for routes behind [`Countersign::layer`].
#[derive(Clone, Debug)]
pub struct CurrentUser(pub Arc<User>);

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let claims = <Authenticated as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let Some(service) = parts.extensions.get::<Arc<Service>>() else {
            tracing::error!("CurrentUser was asked for on a route that is not behind Countersign::layer()");
            return Err(internal_error());
        };
        let user = service.profile(&claims).await.map_err(|error| Refusal::from(error).0)?;
        Ok(Self(user))
    }
}

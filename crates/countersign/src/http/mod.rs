//! The use cases over HTTP: routes, cookies, CORS, limits. Each handler extracts, calls `service`, and answers.
//!
//! A request passes these layers, in this order: its envelope (id, log, security headers), the origin check and CORS,
//! what stops a panic, the limits, then the route's own: authentication and CSRF for a private one.

mod account;
mod answers;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod code;
pub(crate) mod cookies;
pub(crate) mod cross_origin;
mod docs;
pub(crate) mod envelope;
pub(crate) mod error;
mod layer;
pub(crate) mod limits;
mod openapi;
mod operations;
mod panics;
mod patience;
mod profiles;
mod request_id;
pub(crate) mod routes;
pub mod serve;
mod session;
mod to_the_end;

#[cfg(test)]
pub(crate) mod testing;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use countersign_core::Client;
use http::HeaderValue;

use self::client::{ClientOf, TrustedProxies};
use self::cookies::Cookies;
use self::cross_origin::CrossOrigin;
use self::docs::Docs;
use self::envelope::{Answered, Envelope};
use self::limits::RequestLimits;
use self::panics::StopPanics;
use self::profiles::Profiles;
use crate::service::Service;
use crate::settings::Settings;

pub use layer::Layer;
pub use request_id::{RequestId, request_id};

/// What the handlers share. Cheap to clone: axum does that several times a request.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) service: Arc<Service>,
    pub(crate) cookies: Cookies,
    pub(crate) cross_origin: CrossOrigin,
    profiles: Profiles,
    docs: Docs,
    proxies: TrustedProxies,
    envelope: Envelope,
}

impl App {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        let settings = service.settings();
        let cookies = Cookies::new(settings);
        Self(Arc::new(Shared {
            profiles: Profiles::new(),
            docs: Docs::new(openapi::document(settings, &cookies)),
            cookies,
            cross_origin: CrossOrigin::new(settings),
            proxies: TrustedProxies::new(settings),
            envelope: envelope(&service),
            service,
        }))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<App> for TrustedProxies {
    fn from_ref(app: &App) -> Self {
        app.proxies.clone()
    }
}

fn envelope(service: &Service) -> Envelope {
    let metrics = Arc::clone(service.metrics());
    let count = move |request: &Answered<'_>| {
        metrics.request(request.method, routes::label(request.route), request.status, request.took);
    };
    Envelope::new(&service.settings().public_url, service.random(), count)
}

/// The `Set-Cookie` headers of a session that ends with the browser, the refresh cookie's and the CSRF cookie's, without
/// their values: for whoever explains what a browser makes of them.
pub fn blank_cookies(settings: &Settings) -> [HeaderValue; 2] {
    let cookies = Cookies::new(settings);
    [cookies.set_refresh("", None), cookies.set_csrf("", None)]
}

/// `GET /metrics`.
pub(crate) fn metrics_router(app: App) -> Router {
    Router::new().route("/metrics", get(operations::metrics)).with_state(app)
}

/// The routes of the contract, behind all their layers. Without an answer for other paths: those may be somebody else's.
pub(crate) fn router(app: &App) -> Router {
    routes::router(app, &around(app, app.cross_origin.clone())).with_state(app.clone())
}

/// The same, as a whole application: any other path is `404`.
pub(crate) fn whole(app: &App) -> Router {
    let around = around(app, app.cross_origin.clone());
    let not_found = routes::not_found.layer(around.clone());
    routes::router(app, &around).fallback(not_found).with_state(app.clone())
}

/// Pages for our own origin alone, which guard themselves. Their requests carry the [`Client`] as an extension.
pub(crate) fn pages(router: Router, app: &App) -> Router {
    let router = router.layer(from_fn_with_state(app.proxies.clone(), name_client));
    router.layer(around(app, CrossOrigin::own(app.service.settings())))
}

/// The layers that are around every route, from the outside in: as one, since axum puts each into a box of its own.
type Around = (Envelope, CrossOrigin, StopPanics, RequestLimits);

fn around(app: &App, cross_origin: CrossOrigin) -> Around {
    (app.envelope.clone(), cross_origin, StopPanics, RequestLimits::new(app.service.settings()))
}

async fn name_client(ClientOf(client): ClientOf, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert::<Client>(client);
    next.run(request).await
}

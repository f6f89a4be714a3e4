//! The routes: one table. Each row says method, path, who may call, what answers, and its documentation.
//!
//! A route is private unless its row says [`Access::Public`]; a test names every public one.

use std::pin::Pin;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use countersign_verify::{AuthLayer, Problem};
use http::Method;

use super::code::Code;
use super::openapi::doc::Doc;
use super::openapi::rows as doc;
use super::{App, Around};
use super::{account, docs, operations, session};

/// A row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    answer: Answer,
    pub(crate) doc: &'static Doc,
}

/// What answers a row's requests: a handler, as the same type for all rows, so that the layers around it are compiled
/// once.
#[derive(Clone, Copy)]
struct Answer(fn(Request, App) -> Answering);

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

impl Handler<(), App> for Answer {
    type Future = Answering;

    fn call(self, request: Request, app: App) -> Answering {
        (self.0)(request, app)
    }
}

/// A handler as an [`Answer`].
macro_rules! answer {
    ($handler:path) => {
        Answer(|request, app| Handler::call($handler, request, app))
    };
}

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Anyone; what it needs, it checks itself.
    Public,
    /// Whoever has an access token.
    Private,
}

use Access::{Private, Public};

/// Every route of the contract.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    row(Method::POST,   "/accounts/login",         Public,  answer!(session::login),           &doc::LOGIN),
    row(Method::POST,   "/accounts/refresh_token", Public,  answer!(session::refresh),         &doc::REFRESH),
    row(Method::POST,   "/accounts/logout",        Public,  answer!(session::logout),          &doc::LOGOUT),
    row(Method::GET,    "/accounts/csrf",          Public,  answer!(session::csrf),            &doc::CSRF),
    row(Method::GET,    "/accounts/profile",       Private, answer!(account::profile),         &doc::PROFILE),
    row(Method::PATCH,  "/accounts/profile",       Private, answer!(account::update_profile),  &doc::UPDATE_PROFILE),
    row(Method::POST,   "/accounts/password",      Private, answer!(account::change_password), &doc::CHANGE_PASSWORD),
    row(Method::GET,    "/accounts/sessions",      Private, answer!(account::sessions),        &doc::SESSIONS),
    row(Method::DELETE, "/accounts/sessions",      Private, answer!(account::end_sessions),    &doc::END_SESSIONS),
    row(Method::DELETE, "/accounts/sessions/{id}", Private, answer!(account::end_session),     &doc::END_SESSION),
    row(Method::GET,    "/.well-known/jwks.json",  Public,  answer!(operations::jwks),         &doc::JWKS),
    row(Method::GET,    "/healthz",                Public,  answer!(operations::healthz),      &doc::HEALTHZ),
    row(Method::GET,    "/readyz",                 Public,  answer!(operations::readyz),       &doc::READYZ),
    row(Method::GET,    "/openapi.json",           Public,  answer!(docs::openapi),            &doc::OPENAPI),
    row(Method::GET,    "/docs",                   Public,  answer!(docs::page),               &doc::DOCS),
    row(Method::GET,    "/docs/{asset}",           Public,  answer!(docs::asset),              &doc::DOCS_ASSET),
];

const fn row(method: Method, path: &'static str, access: Access, answer: Answer, doc: &'static Doc) -> Route {
    Route { method, path, access, answer, doc }
}

impl Route {
    /// The methods that it takes; whoever takes `GET` takes `HEAD`.
    const fn methods(&self) -> MethodFilter {
        match self.method {
            Method::POST => MethodFilter::POST,
            Method::PATCH => MethodFilter::PATCH,
            Method::DELETE => MethodFilter::DELETE,
            // The table has no others.
            _ => MethodFilter::GET,
        }
    }
}

/// The table as a router, behind the layers that are around every route. Each path works with and without a slash at its
/// end; a known path with another method is `405` with `Allow`.
///
/// Each handler has its layers directly around it. A layer around the router as a whole, or around a route, is one more
/// service in a box, which axum clones for each request, and one more future in another.
pub(crate) fn router(app: &App, around: &Around) -> Router<App> {
    let guard = AuthLayer::new(app.service.verifier().clone());
    // What is there so far is the answer to unknown paths.
    let mut router = Router::new().layer(around.clone());
    for route in ROUTES {
        let handler = match route.access {
            Access::Public => on(route.methods(), route.answer.layer(around.clone())),
            Access::Private => on(route.methods(), route.answer.layer(guard.clone()).layer(around.clone())),
        };
        router = router.route(route.path, handler.clone()).route(&format!("{}/", route.path), handler);
    }
    router.method_not_allowed_fallback(method_not_allowed.layer(around.clone()))
}

/// A route's path as the metrics have it: the same with and without a slash at its end; `other` for a route that isn't
/// in the table, such as one of the admin site's; `-` where there is none.
pub(super) fn label(matched: &str) -> &'static str {
    if matched == "-" {
        return "-";
    }
    let path = matched.strip_suffix('/').unwrap_or(matched);
    ROUTES.iter().find(|route| route.path == path).map_or("other", |route| route.path)
}

async fn method_not_allowed() -> Problem {
    let detail = "This path takes other methods; the Allow header names them.";
    Code::MethodNotAllowed.problem(detail)
}

pub(crate) async fn not_found() -> Problem {
    Code::NotFound.problem("There is nothing at this path; see GET /openapi.json.")
}

#[cfg(test)]
mod tests {
    use super::*;

    // A new public route fails here until it is named.
    #[test]
    fn these_routes_are_public_and_no_others() {
        let public: Vec<String> = ROUTES
            .iter()
            .filter(|route| route.access == Access::Public)
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(
            public,
            [
                "POST /accounts/login",
                "POST /accounts/refresh_token",
                "POST /accounts/logout",
                "GET /accounts/csrf",
                "GET /.well-known/jwks.json",
                "GET /healthz",
                "GET /readyz",
                "GET /openapi.json",
                "GET /docs",
                "GET /docs/{asset}",
            ]
        );
    }
}

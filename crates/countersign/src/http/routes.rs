//! The routes: one table. Each row says method, path, who may call, what answers, and its documentation.
//!
//! A route is private unless its row says [`Access::Public`]; a test names every public one.

use axum::Router;
use axum::routing::{MethodRouter, delete, get, patch, post};
use countersign_verify::{AuthLayer, Problem};
use http::Method;

use super::App;
use super::code::Code;
use super::openapi::doc::Doc;
use super::openapi::rows as doc;
use super::{account, docs, operations, session};

/// A row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    handler: fn() -> MethodRouter<App>,
    pub(crate) doc: &'static Doc,
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
    row(Method::POST,   "/accounts/login",         Public,  || post(session::login),           &doc::LOGIN),
    row(Method::POST,   "/accounts/refresh_token", Public,  || post(session::refresh),         &doc::REFRESH),
    row(Method::POST,   "/accounts/logout",        Public,  || post(session::logout),          &doc::LOGOUT),
    row(Method::GET,    "/accounts/csrf",          Public,  || get(session::csrf),             &doc::CSRF),
    row(Method::GET,    "/accounts/profile",       Private, || get(account::profile),          &doc::PROFILE),
    row(Method::PATCH,  "/accounts/profile",       Private, || patch(account::update_profile), &doc::UPDATE_PROFILE),
    row(Method::POST,   "/accounts/password",      Private, || post(account::change_password), &doc::CHANGE_PASSWORD),
    row(Method::GET,    "/accounts/sessions",      Private, || get(account::sessions),         &doc::SESSIONS),
    row(Method::DELETE, "/accounts/sessions",      Private, || delete(account::end_sessions),  &doc::END_SESSIONS),
    row(Method::DELETE, "/accounts/sessions/{id}", Private, || delete(account::end_session),   &doc::END_SESSION),
    row(Method::GET,    "/.well-known/jwks.json",  Public,  || get(operations::jwks),          &doc::JWKS),
    row(Method::GET,    "/healthz",                Public,  || get(operations::healthz),       &doc::HEALTHZ),
    row(Method::GET,    "/readyz",                 Public,  || get(operations::readyz),        &doc::READYZ),
    row(Method::GET,    "/openapi.json",           Public,  || get(docs::openapi),             &doc::OPENAPI),
    row(Method::GET,    "/docs",                   Public,  || get(docs::page),                &doc::DOCS),
    row(Method::GET,    "/docs/{asset}",           Public,  || get(docs::asset),               &doc::DOCS_ASSET),
];

const fn row(
    method: Method,
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<App>,
    doc: &'static Doc,
) -> Route {
    Route { method, path, access, handler, doc }
}

/// The table as a router. Each path works with and without a slash at its end; a known path with another method is
/// `405` with `Allow`.
pub(crate) fn router(app: &App) -> Router<App> {
    let guard = AuthLayer::new(app.service.verifier().clone());
    let mut router = Router::new();
    for route in ROUTES {
        let handler = match route.access {
            Access::Public => (route.handler)(),
            Access::Private => (route.handler)().route_layer(guard.clone()),
        };
        router = router.route(route.path, handler.clone()).route(&format!("{}/", route.path), handler);
    }
    router.method_not_allowed_fallback(method_not_allowed)
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

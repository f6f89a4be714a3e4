//! The routes: one table. Each row says method, path, who may call, and what answers.
//!
//! A route is private unless its row says [`Access::Public`]; a test names every public one.

use axum::Router;
use axum::routing::{MethodRouter, delete, get, patch, post};
use countersign_verify::{AuthLayer, Problem};
use http::{Method, StatusCode};

use super::App;
use super::{account, operations, session};

/// A row of the table.
pub(crate) struct Route {
    #[allow(dead_code, reason = "the test of public routes reads it")]
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    handler: fn() -> MethodRouter<App>,
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
    row(Method::POST,   "/accounts/login",         Public,  || post(session::login)),
    row(Method::POST,   "/accounts/refresh_token", Public,  || post(session::refresh)),
    row(Method::POST,   "/accounts/logout",        Public,  || post(session::logout)),
    row(Method::GET,    "/accounts/csrf",          Public,  || get(session::csrf)),
    row(Method::GET,    "/accounts/profile",       Private, || get(account::profile)),
    row(Method::PATCH,  "/accounts/profile",       Private, || patch(account::update_profile)),
    row(Method::POST,   "/accounts/password",      Private, || post(account::change_password)),
    row(Method::GET,    "/accounts/sessions",      Private, || get(account::sessions)),
    row(Method::DELETE, "/accounts/sessions",      Private, || delete(account::end_sessions)),
    row(Method::DELETE, "/accounts/sessions/{id}", Private, || delete(account::end_session)),
    row(Method::GET,    "/.well-known/jwks.json",  Public,  || get(operations::jwks)),
    row(Method::GET,    "/healthz",                Public,  || get(operations::healthz)),
    row(Method::GET,    "/readyz",                 Public,  || get(operations::readyz)),
];

const fn row(
    method: Method,
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { method, path, access, handler }
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

async fn method_not_allowed() -> Problem {
    let detail = "This path takes other methods; the Allow header names them.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path; see GET /openapi.json.")
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
            ]
        );
    }
}

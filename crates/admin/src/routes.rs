//! The pages: one table. Each row says method, path, who may, and what answers.
//!
//! A page is for those who are signed in unless its row says [`Access::Public`]; a test names every public one.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http::Method;

use crate::answer::Refused;
use crate::app::App;
use crate::guard::{Guard, guard};
use crate::{assets, overview, set_up, sign_in};

/// Where one signs in.
pub(crate) const SIGN_IN: &str = "/admin/sign-in";
/// Where the first superuser is made.
pub(crate) const SET_UP: &str = "/admin/set-up";

/// A row of the table.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, as the router has it.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    handler: fn() -> MethodRouter<App>,
}

/// Who may open a page, or send its form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Anyone; what it needs, it checks itself.
    Public,
    /// Staff who are signed in.
    Staff {
        /// And have this right.
        right: Option<&'static str>,
        /// And have given their password lately.
        proved: bool,
    },
}

use Access::Public;

const ANY_STAFF: Access = Access::Staff { right: None, proved: false };

/// Every page.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    row(Method::GET,  "/admin",                  ANY_STAFF, || get(overview::show)),
    row(Method::GET,  "/admin/sign-in",          Public,    || get(sign_in::page)),
    row(Method::POST, "/admin/sign-in",          Public,    || post(sign_in::sign_in)),
    row(Method::POST, "/admin/sign-out",         ANY_STAFF, || post(sign_in::sign_out)),
    row(Method::GET,  "/admin/set-up/{token}",   Public,    || get(set_up::page)),
    row(Method::POST, "/admin/set-up/{token}",   Public,    || post(set_up::set_up)),
    row(Method::GET,  "/admin/assets/{name}",    Public,    || get(assets::asset)),
];

const fn row(
    method: Method,
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<App>,
) -> Route {
    Route { method, path, access, handler }
}

/// The table as a router. Each path works with and without a slash at its end.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let guarded = from_fn_with_state(Guard { app: app.clone(), access: route.access }, guard);
        let handler = (route.handler)().route_layer(guarded);
        router = router.route(route.path, handler.clone()).route(&format!("{}/", route.path), handler);
    }
    let elsewhere = get(not_found);
    router.route("/admin/{*path}", elsewhere).method_not_allowed_fallback(not_allowed).with_state(app.clone())
}

async fn not_found() -> Response {
    Refused::NotFound.into_response()
}

async fn not_allowed() -> Response {
    Refused::OtherMethod.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    // A new public page fails here until it is named.
    #[test]
    fn these_pages_are_public_and_no_others() {
        let public = ROUTES.iter().filter(|route| route.access == Public);
        let public: Vec<String> = public.map(|route| format!("{} {}", route.method, route.path)).collect();
        assert_eq!(
            public,
            [
                "GET /admin/sign-in",
                "POST /admin/sign-in",
                "GET /admin/set-up/{token}",
                "POST /admin/set-up/{token}",
                "GET /admin/assets/{name}",
            ]
        );
    }
}

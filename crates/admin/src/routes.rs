//! The pages: one table. Each row says method, path, who may, and what answers.
//!
//! A page is for those who are signed in unless its row says [`Access::Public`]; a test names every public one.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use countersign::core::BuiltIn;
use http::Method;

use crate::answer::Refused;
use crate::app::App;
use crate::guard::{Guard, guard};
use crate::{assets, audit, groups, keys, overview, password, sessions, set_up, sign_in, users};

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
        right: Option<BuiltIn>,
        /// And have given their password lately.
        proved: bool,
    },
}

use Access::Public;
use BuiltIn::{
    AuditView, GroupsChange, GroupsView, KeysChange, KeysView, SessionsEnd, SessionsView, UsersChange,
    UsersCreate, UsersDelete, UsersLink, UsersUnlock, UsersView,
};

const ANY_STAFF: Access = Access::Staff { right: None, proved: false };

/// Staff with this right.
const fn staff(right: BuiltIn) -> Access {
    Access::Staff { right: Some(right), proved: false }
}

/// Staff with this right, who have given their password lately: for what can't be undone, or lifts somebody.
const fn proved(right: BuiltIn) -> Access {
    Access::Staff { right: Some(right), proved: true }
}

/// Every page.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    row(Method::GET,  "/admin",                       ANY_STAFF,                     || get(overview::show)),
    row(Method::GET,  "/admin/sign-in",               Public,                        || get(sign_in::page)),
    row(Method::POST, "/admin/sign-in",               Public,                        || post(sign_in::sign_in)),
    row(Method::POST, "/admin/sign-out",              ANY_STAFF,                     || post(sign_in::sign_out)),
    row(Method::GET,  "/admin/set-up/{token}",        Public,                        || get(set_up::page)),
    row(Method::POST, "/admin/set-up/{token}",        Public,                        || post(set_up::set_up)),
    row(Method::GET,  "/admin/assets/{name}",         Public,                        || get(assets::asset)),

    row(Method::GET,  "/admin/users",                 staff(UsersView),              || get(users::list::page)),
    row(Method::POST, "/admin/users/bulk",            proved(UsersView),             || post(users::bulk::carry_out)),
    row(Method::GET,  "/admin/users/new",             staff(UsersCreate),            || get(users::create::page)),
    row(Method::POST, "/admin/users/new",             staff(UsersCreate),            || post(users::create::create)),
    row(Method::GET,  "/admin/users/{id}",            staff(UsersView),              || get(users::user::page)),
    row(Method::POST, "/admin/users/{id}",            staff(UsersChange),            || post(users::user::change)),
    row(Method::POST, "/admin/users/{id}/rights",     proved(UsersChange),           || post(users::rights::change)),
    row(Method::POST, "/admin/users/{id}/active",     staff(UsersChange),            || post(users::acts::set_active)),
    row(Method::POST, "/admin/users/{id}/unlock",     staff(UsersUnlock),            || post(users::acts::unlock)),
    row(Method::POST, "/admin/users/{id}/sessions",   staff(SessionsEnd),            || post(users::acts::end_sessions)),
    row(Method::POST, "/admin/users/{id}/link",       proved(UsersLink),             || post(users::acts::make_link)),
    row(Method::GET,  "/admin/users/{id}/delete",     staff(UsersDelete),            || get(users::delete::page)),
    row(Method::POST, "/admin/users/{id}/delete",     proved(UsersDelete),           || post(users::delete::delete)),

    row(Method::GET,  "/admin/groups",                staff(GroupsView),             || get(groups::list::page)),
    row(Method::GET,  "/admin/groups/new",            staff(GroupsChange),           || get(groups::group::new)),
    row(Method::POST, "/admin/groups/new",            proved(GroupsChange),          || post(groups::group::create)),
    row(Method::GET,  "/admin/groups/{id}",           staff(GroupsView),             || get(groups::group::page)),
    row(Method::POST, "/admin/groups/{id}",           proved(GroupsChange),          || post(groups::group::change)),
    row(Method::POST, "/admin/groups/{id}/delete",    proved(GroupsChange),          || post(groups::group::delete)),
    row(Method::POST, "/admin/permissions/new",       staff(GroupsChange),           || post(groups::permissions::create)),
    row(Method::POST, "/admin/permissions/delete",    proved(GroupsChange),          || post(groups::permissions::delete)),

    row(Method::GET,  "/admin/sessions",              staff(SessionsView),           || get(sessions::page)),
    row(Method::POST, "/admin/sessions/{id}/end",     staff(SessionsEnd),            || post(sessions::end)),

    row(Method::GET,  "/admin/audit",                 staff(AuditView),              || get(audit::page)),
    row(Method::GET,  "/admin/audit.csv",             staff(AuditView),              || get(audit::csv::export)),

    row(Method::GET,  "/admin/keys",                  staff(KeysView),               || get(keys::page)),
    row(Method::POST, "/admin/keys/rotate",           proved(KeysChange),            || post(keys::rotate)),
    row(Method::POST, "/admin/keys/prune",            proved(KeysChange),            || post(keys::prune)),

    row(Method::GET,  "/accounts/set-password/{token}",       Public,                || get(password::page)),
    row(Method::POST, "/accounts/set-password/{token}",       Public,                || post(password::set)),
    row(Method::GET,  "/accounts/set-password/assets/{name}", Public,                || get(assets::asset)),
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
                "GET /accounts/set-password/{token}",
                "POST /accounts/set-password/{token}",
                "GET /accounts/set-password/assets/{name}",
            ]
        );
    }
}

//! Who gets what: every page of the table, with every role.

use countersign::core::BuiltIn;
use countersign_admin::routes::{Access, ROUTES, Route};
use http::{Method, StatusCode};

use crate::support::{Browser, Page, Site};

/// Somebody who tries.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Role {
    Anonymous,
    /// A user who isn't staff any more, with a session from before.
    User,
    /// Staff with these rights.
    Staff(&'static [BuiltIn]),
    Superuser,
}

/// The fields that make each form do what it is for.
fn fields(path: &str) -> Vec<(&'static str, &'static str)> {
    match path {
        "/admin/users/new" | "/admin/users/{id}" => vec![("username", "made")],
        "/admin/users/bulk" => vec![("action", "off"), ("user", "3")],
        "/admin/users/{id}/active" => vec![("active", "on")],
        "/admin/groups/new" => vec![("name", "made")],
        "/admin/permissions/new" => vec![("name", "made.here")],
        "/admin/permissions/delete" => vec![("name", "shop.see")],
        _ => Vec::new(),
    }
}

/// A path of a route that names something that is there: ana, the group `shop`, her session.
fn path(site: &Site, route: &Route) -> String {
    let id = if route.path.starts_with("/admin/users") {
        site.ana().to_string()
    } else if route.path.starts_with("/admin/groups") {
        "1".to_owned()
    } else {
        site.session_of_ana()
    };
    route.path.replace("{id}", &id).replace("{token}", "t").replace("{name}", "nothing")
}

async fn try_it(browser: &mut Browser<'_>, site: &Site, route: &Route) -> Page {
    let path = path(site, route);
    if route.method == Method::GET {
        return browser.get(&path).await;
    }
    let fields = fields(route.path);
    browser.post(&path, &fields).await
}

/// What a role gets: the service has the last word, and some pages show what needs a second right.
fn expected(route: &Route, role: Role) -> StatusCode {
    let is_get = route.method == Method::GET;
    let right = match route.access {
        Access::Staff { right, .. } => right,
        Access::Public => return StatusCode::OK,
    };
    let has = |right: BuiltIn| match role {
        Role::Staff(rights) => rights.contains(&right),
        Role::Superuser => true,
        Role::Anonymous | Role::User => false,
    };
    match role {
        Role::Anonymous | Role::User => StatusCode::SEE_OTHER,
        _ if !right.is_none_or(has) => StatusCode::FORBIDDEN,
        // The page that asks whether a user is to go shows the user.
        _ if is_get && route.path == "/admin/users/{id}/delete" && !has(BuiltIn::UsersView) => {
            StatusCode::FORBIDDEN
        }
        // What may take rights from those who have more.
        _ if matches!(route.path, "/admin/groups/{id}/delete" | "/admin/permissions/delete")
            && role != Role::Superuser =>
        {
            StatusCode::FORBIDDEN
        }
        // What won't do is told to who may see the user; who may not, isn't shown them.
        _ if route.path == "/admin/users/{id}" && !is_get && !has(BuiltIn::UsersView) => {
            StatusCode::FORBIDDEN
        }
        _ if is_get || matches!(route.path, "/admin/users/bulk" | "/admin/users/{id}/link") => StatusCode::OK,
        _ => StatusCode::SEE_OTHER,
    }
}

/// Somebody in this role, on a server where there is something to see and to change.
async fn enter(site: &Site, role: Role) -> Browser<'_> {
    site.fill();
    match role {
        Role::Anonymous => site.browser(),
        Role::User => site.planted("ana").await,
        Role::Staff(rights) => {
            site.give("helper", rights);
            site.planted("helper").await
        }
        Role::Superuser => site.planted("root").await,
    }
}

async fn walk(role: Role) {
    let (reads, changes): (Vec<_>, Vec<_>) = ROUTES
        .iter()
        .filter(|route| route.access != Access::Public)
        .partition(|route| route.method == Method::GET);
    let site = Site::new().await;
    let mut browser = enter(&site, role).await;
    for route in reads {
        walk_to(&site, &mut browser, role, route).await;
    }
    // What is refused changes nothing, so that the next is tried on the same server.
    for route in changes {
        if expected(route, role) != StatusCode::FORBIDDEN && role != Role::Anonymous && role != Role::User {
            let site = Site::new().await;
            let mut browser = enter(&site, role).await;
            walk_to(&site, &mut browser, role, route).await;
        } else {
            walk_to(&site, &mut browser, role, route).await;
        }
    }
}

async fn walk_to(site: &Site, browser: &mut Browser<'_>, role: Role, route: &Route) {
    let before = site.state();
    let page = try_it(browser, site, route).await;
    assert_eq!(page.status, expected(route, role), "{role:?} {} {}: {}", route.method, route.path, page.text);
    let refused = matches!(role, Role::Anonymous | Role::User) || page.status == StatusCode::FORBIDDEN;
    if refused || route.method == Method::GET {
        assert_eq!(site.state(), before, "{role:?} {} {} changed something", route.method, route.path);
        assert!(!page.text.contains("ana@example.com") || !refused);
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_led_to_the_sign_in_and_changes_nothing() {
    walk(Role::Anonymous).await;
    walk(Role::User).await;
}

#[tokio::test]
async fn staff_without_rights_see_the_first_page_alone() {
    walk(Role::Staff(&[])).await;
}

#[tokio::test]
async fn a_superuser_may_everything() {
    walk(Role::Superuser).await;
}

macro_rules! one_right {
    ($($test:ident: $right:ident),* $(,)?) => { $(
        #[tokio::test]
        async fn $test() {
            walk(Role::Staff(&[BuiltIn::$right])).await;
        }
    )* };
}

one_right! {
    users_view_opens_what_it_says: UsersView,
    users_create_opens_what_it_says: UsersCreate,
    users_change_opens_what_it_says: UsersChange,
    users_delete_opens_what_it_says: UsersDelete,
    users_link_opens_what_it_says: UsersLink,
    users_unlock_opens_what_it_says: UsersUnlock,
    groups_view_opens_what_it_says: GroupsView,
    groups_change_opens_what_it_says: GroupsChange,
    sessions_view_opens_what_it_says: SessionsView,
    sessions_end_opens_what_it_says: SessionsEnd,
    audit_view_opens_what_it_says: AuditView,
    keys_view_opens_what_it_says: KeysView,
    keys_change_opens_what_it_says: KeysChange,
}

#[test]
fn every_right_has_its_walk() {
    assert_eq!(BuiltIn::ALL.len(), 13);
}

#[tokio::test]
async fn the_navigation_shows_what_one_may_open() {
    let site = Site::new().await;
    site.give("helper", &[BuiltIn::AuditView]);
    let mut helper = site.signed_in("helper").await;
    let page = helper.get("/admin/").await.expect(StatusCode::OK);
    page.says("href=\"/admin/audit\"")
        .says_nothing_of("href=\"/admin/users\"")
        .says_nothing_of("href=\"/admin/keys\"");
    let mut root = site.signed_in("root").await;
    root.get("/admin/").await.says("href=\"/admin/users\"").says("href=\"/admin/keys\"");
}

#[tokio::test]
async fn rights_that_are_taken_count_no_more_from_the_next_request_on() {
    let site = Site::new().await;
    site.give("helper", &[BuiltIn::UsersView]);
    let mut helper = site.signed_in("helper").await;
    helper.get("/admin/users").await.expect(StatusCode::OK);
    site.take_all("helper");
    helper.get("/admin/users").await.expect(StatusCode::FORBIDDEN);
}

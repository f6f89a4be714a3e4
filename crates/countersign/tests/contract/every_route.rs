//! What holds for every route. The walk goes by `openapi.json`, which lists them all: a new route is walked too, and
//! fails here until it keeps the rules or stands on a list.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, EVIL, World, claims};

/// A row of the document.
struct Route {
    method: Method,
    path: String,
    takes_a_body: bool,
}

/// Every route, with a session's id where its path has a place for one.
async fn routes(actor: &Actor<'_>, world: &World) -> Vec<Route> {
    let document = world.anonymous().get("/openapi.json").await.body;
    let mut routes = Vec::new();
    for (template, operations) in document["paths"].as_object().unwrap() {
        let path = template.replace("{id}", &actor.session().to_string()).replace("{asset}", "page.js");
        assert!(!path.contains('{'), "{path}: say what this test is to put there");
        for (method, operation) in operations.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse() else { continue };
            let takes_a_body = operation.get("requestBody").is_some();
            routes.push(Route { method, path: path.clone(), takes_a_body });
        }
    }
    assert!(routes.len() > 10);
    routes
}

fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The session still stands as it did after its login.
async fn is_as_before(world: &World, actor: &Actor<'_>) {
    let session = world.session(actor.session()).await;
    assert_eq!((session.ended, session.generation.0), (None, 1));
    actor.clone().get("/accounts/profile").await.expect(StatusCode::OK);
}

/// Needs no CSRF header: there is no session yet. A form of another site is stopped by its origin, or by its type.
const WITHOUT_CSRF: [&str; 1] = ["POST /accounts/login"];

// attack 51, attack 68
#[tokio::test(flavor = "multi_thread")]
async fn every_unsafe_route_wants_the_csrf_header_of_the_session() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let mut walked = 0;
    for Route { method, path, .. } in routes(&browser, &world).await {
        let row = format!("{method} {path}");
        if is_unsafe(&method) && !WITHOUT_CSRF.contains(&&*row) {
            let mut copy = browser.clone();
            let answer = copy.request(method, &path).without("x-csrftoken").send().await;
            assert_eq!(answer.refused(403, "csrf_failed").set_cookies(), [], "{row}");
            walked += 1;
        }
    }
    assert!(walked > 5);
    is_as_before(&world, &browser).await;
}

// attack 50, attack 58, attack 61, attack 68
#[tokio::test(flavor = "multi_thread")]
async fn no_unsafe_route_listens_to_another_origin_whatever_else_is_right() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    for Route { method, path, .. } in routes(&browser, &world).await {
        if is_unsafe(&method) {
            let body = serde_json::json!({"username": ALICE, "password": ALICE_PASSWORD});
            let mut copy = browser.clone();
            let call = copy.request(method.clone(), &path).json(&body).header("origin", EVIL);
            let answer = call.send().await.refused(403, "origin_not_allowed");
            assert_eq!(answer.set_cookies(), [], "{method} {path}");
        }
    }
    is_as_before(&world, &browser).await;
}

// attack 58, attack 59, attack 68
#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_takes_a_body_takes_json_alone() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let json = serde_json::json!({"username": ALICE, "password": ALICE_PASSWORD}).to_string();
    let mut walked = 0;
    for Route { method, path, takes_a_body } in routes(&browser, &world).await {
        if !takes_a_body {
            continue;
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
        {
            let mut copy = browser.clone();
            let call = copy.request(method.clone(), &path).body(json.clone());
            let call = if kind.is_empty() { call } else { call.header("content-type", kind) };
            call.send().await.refused(415, "unsupported_media_type");
        }
        walked += 1;
    }
    assert!(walked >= 5);
    is_as_before(&world, &browser).await;
}

// attack 73, attack 93
#[tokio::test(flavor = "multi_thread")]
async fn no_header_says_what_browsers_see() {
    let world = World::new().await;
    let expected = world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let attributes = |answer: &crate::support::Answer| -> Vec<_> {
        answer.set_cookies().into_iter().map(|cookie| (cookie.name, cookie.attributes)).collect()
    };
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-server", "evil.example"),
        ("x-original-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=192.0.2.9;host=evil.example;proto=https"),
        ("x-original-url", "/accounts/logout"),
        ("x-rewrite-url", "/accounts/logout"),
    ] {
        let mut browser = world.browser();
        let body = serde_json::json!({"username": ALICE, "password": ALICE_PASSWORD});
        let answer =
            browser.request(Method::POST, "/accounts/login").json(&body).header(name, value).send().await;
        let answer = answer.expect(StatusCode::OK);
        assert_eq!(attributes(&answer), attributes(&expected), "{name}");
        for token in [browser.access.clone().unwrap(), browser.refresh_token()] {
            assert_eq!(claims(&token)["iss"], "http://localhost:8000", "{name}");
        }
        let said = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.bytes));
        assert!(!said.contains("evil"), "{said}");
    }
    // Nor does a header open the door to an origin of its own.
    let mut page = world.browser();
    let body: Value = serde_json::json!({"username": ALICE, "password": ALICE_PASSWORD});
    let call = page.request(Method::POST, "/accounts/login").json(&body).header("origin", EVIL);
    let call = call.header("host", "evil.example").header("x-forwarded-host", "evil.example");
    call.send().await.refused(403, "origin_not_allowed");
}

//! What callers must be allowed to, by the claims of their tokens.

use axum::Router;
use axum::routing::get;
use countersign_core::jwt::AccessClaims;
use countersign_verify::{Allowed, NotLive, Permission, Staff, require, require_permission, require_staff};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::support::{Answered, KEY, World, claims, layer, request, session};

struct ReportsView;

impl Permission for ReportsView {
    const NAME: &'static str = "reports.view";
}

const GUARDED: [&str; 5] = ["/reports", "/reports-too", "/staff", "/staff-too", "/editors"];

fn routes(world: &World) -> Router {
    let is_editor = |claims: &AccessClaims| claims.in_group("editors");
    Router::new()
        .route("/reports", get("in").layer(require_permission("reports.view")))
        .route("/reports-too", get(async |caller: Allowed<ReportsView>| caller.user.to_string()))
        .route("/staff", get("in").layer(require_staff()))
        .route("/staff-too", get(async |Staff(caller): Staff| caller.user.to_string()))
        .route("/editors", get("in").layer(require(is_editor)))
        .layer(layer(&world.verifier))
}

async fn send(routes: &Router, path: &str, token: &str) -> Answered {
    let request = request(Method::GET, path, format!("Bearer {token}"));
    Answered::read(routes.clone().oneshot(request).await.unwrap()).await
}

/// Which of the guarded routes let a token with these claims in.
async fn let_in(extra: Value) -> Vec<&'static str> {
    let world = World::new();
    let routes = routes(&world);
    let extra: Map<String, Value> = extra.as_object().unwrap().clone();
    let token = KEY.sign_access(&AccessClaims { extra, ..claims(1) }).unwrap();
    let mut passed = Vec::new();
    for path in GUARDED {
        let answered = send(&routes, path, &token).await;
        if answered.status == StatusCode::OK {
            passed.push(path);
        } else {
            answered.is(403, "permission_denied");
        }
    }
    passed
}

#[tokio::test]
async fn a_route_lets_in_whose_token_says_that_they_may() {
    assert_eq!(let_in(json!({})).await, [""; 0]);
    assert_eq!(let_in(json!({"permissions": ["reports.view"]})).await, ["/reports", "/reports-too"]);
    assert_eq!(let_in(json!({"permissions": ["reports.change", "x.y"]})).await, [""; 0]);
    assert_eq!(let_in(json!({"is_superuser": true})).await, ["/reports", "/reports-too"]);
    assert_eq!(let_in(json!({"is_staff": true})).await, ["/staff", "/staff-too"]);
    assert_eq!(let_in(json!({"groups": ["readers", "editors"]})).await, ["/editors"]);
}

#[tokio::test]
async fn what_is_not_in_the_form_that_the_issuer_writes_gives_nothing() {
    for extra in [
        json!({"permissions": "reports.view"}),
        json!({"permissions": {"reports.view": true}}),
        json!({"permissions": [["reports.view"], 1, null, "Reports.View", " reports.view"]}),
        json!({"is_superuser": "true", "is_staff": 1}),
        json!({"is_superuser": [true], "is_staff": {"is_staff": true}}),
        json!({"groups": "editors"}),
    ] {
        assert_eq!(let_in(extra.clone()).await, [""; 0], "{extra}");
    }
}

#[tokio::test]
async fn who_calls_comes_before_what_they_may() {
    let world = World::new();
    let routes = routes(&world);
    let token = KEY.sign_access(&claims(1)).unwrap();
    for path in GUARDED {
        send(&routes, path, "nonsense").await.is(401, "token_invalid");
        send(&routes, path, &token).await.is(403, "permission_denied");
    }
    world.sessions.end(session(1), NotLive::Ended);
    for path in GUARDED {
        send(&routes, path, &token).await.is(401, "session_ended");
    }
}

#[tokio::test]
async fn a_right_that_is_asked_for_outside_of_the_layer_lets_nobody_in() {
    let token = KEY.sign_access(&claims(1)).unwrap();
    let bare = Router::new()
        .route("/reports", get("in").layer(require(|_| true)))
        .route("/reports-too", get(async |_: Allowed<ReportsView>| "in"));
    for path in ["/reports", "/reports-too"] {
        send(&bare, path, &token).await.is(401, "not_authenticated");
    }
}

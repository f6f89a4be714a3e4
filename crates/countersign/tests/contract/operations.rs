//! Health and readiness; and what is answered while the store is away.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Method, Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_process_is_healthy_while_it_lives_and_ready_while_the_store_answers() {
    let world = World::new().await;
    let mut anyone = world.anonymous();
    anyone.get("/healthz").await.expect(StatusCode::OK);
    anyone.get("/readyz").await.expect(StatusCode::OK);
    // News grow old, and a server that has slept catches up when it is asked.
    world.clock.turn(3600);
    anyone.get("/readyz").await.expect(StatusCode::OK);
    world.countersign.service().close().await;
    anyone.get("/healthz").await.expect(StatusCode::OK);
    anyone.get("/readyz").await.refused(503, "unavailable");
    world.clock.turn(3600);
    anyone.get("/readyz").await.refused(503, "unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_store_is_answered_as_ever_without_it() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.countersign.service().close().await;
    let mut nobody = world.anonymous();
    nobody.get("/.well-known/jwks.json").await.expect(StatusCode::OK);
    nobody.get("/accounts/profile").await.refused(401, "not_authenticated");
    nobody.post("/accounts/login", json!({})).await.refused(400, "missing_credentials");
    nobody.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    browser.with_refresh_cookie("a.b.c").refresh().await.refused(401, "refresh_token_invalid");
    let mut careless = browser.clone();
    let call = careless.request(Method::POST, "/accounts/refresh_token").without("x-csrftoken");
    call.send().await.refused(403, "csrf_failed");
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn news_that_are_too_old_are_not_trusted_and_a_token_never_seen_is_not_let_through() {
    let world = World::new().await;
    let route = get(async || "fine");
    let own = Router::new().route("/own", route).layer(world.countersign.layer());
    let call = async |token: &str| {
        let request = Request::get("/own").header("authorization", format!("Bearer {token}"));
        own.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let seen = world.alice_in_a_browser().await.access.unwrap();
    let unseen = world.alice_in_a_browser().await.access.unwrap();
    assert_eq!(call(&seen).await.status(), StatusCode::OK);
    world.countersign.service().close().await;
    assert_eq!(call(&unseen).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Fresh news of no end are enough for a token that was seen.
    assert_eq!(call(&seen).await.status(), StatusCode::OK);
    world.clock.turn(2);
    let refused = call(&seen).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    // Time that is set back makes no news fresh.
    world.clock.turn(-4);
    assert_eq!(call(&seen).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

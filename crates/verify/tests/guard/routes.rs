//! Private by default: which routes the layer lets through, and what it does to those that it guards.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use countersign_verify::{AuthLayer, Authenticated};
use http::{Method, Request, StatusCode};
use tower::{Layer, ServiceExt};

use crate::support::{
    Answered, KEY, World, bare, csrf_token, layer, native_claims, request, router, session, token,
};

#[tokio::test]
async fn every_route_is_private_unless_named() {
    let world = World::new();
    for path in
        ["/me", "/notes", "/", "/nowhere", "/open/", "/Open", "/%6fpen", "//open", "/notes", "/notes/1/2"]
    {
        world.send(bare(Method::GET, path)).await.is(401, "not_authenticated");
    }
}

#[tokio::test]
async fn a_public_route_needs_no_token() {
    let world = World::new();
    for path in ["/open", "/open?a=b", "/notes/1", "/notes/%2e%2e"] {
        assert_eq!(world.send(bare(Method::GET, path)).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_public_route_is_public_for_its_methods_alone_and_get_means_head_too() {
    let world = World::new();
    assert_eq!(world.send(bare(Method::HEAD, "/open")).await.status, StatusCode::OK);
    for path in ["/open", "/notes/1"] {
        world.send(bare(Method::POST, path)).await.is(401, "not_authenticated");
        world.send(bare(Method::OPTIONS, path)).await.is(401, "not_authenticated");
    }
}

#[tokio::test]
async fn a_bad_token_does_not_close_a_public_route() {
    let world = World::new();
    let answer = world.send(request(Method::GET, "/open", "Bearer nonsense")).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "open"));
}

#[tokio::test]
async fn a_public_route_may_look_at_the_token() {
    let world = World::new();
    assert_eq!(world.send(bare(Method::GET, "/whoami")).await.body, "nobody");
    assert_eq!(world.send(request(Method::GET, "/whoami", "")).await.body, "nobody");
    world.send(request(Method::GET, "/whoami", format!("Bearer {}", token(1)))).await.is_let_in();
    world.send(request(Method::GET, "/whoami", "Bearer x")).await.is_token_invalid("a bad token");
    world.send(request(Method::GET, "/whoami", "Bearer")).await.is(401, "token_prefix_missing");
}

#[tokio::test]
async fn a_public_route_that_looks_at_the_token_asks_for_the_countersignature_too() {
    let world = World::new();
    let mut whoami = request(Method::POST, "/whoami", format!("Bearer {}", token(1)));
    world.send(whoami).await.is(403, "csrf_failed");
    whoami = request(Method::POST, "/whoami", format!("Bearer {}", token(1)));
    whoami.headers_mut().insert("x-csrftoken", csrf_token(session(1)).parse().unwrap());
    world.send(whoami).await.is_let_in();
}

#[tokio::test]
async fn a_handler_that_wants_the_caller_is_private_even_where_the_route_is_public() {
    let world = World::new();
    world.send(bare(Method::GET, "/strict")).await.is(401, "not_authenticated");
    world.send(request(Method::GET, "/strict", format!("Bearer {}", token(1)))).await.is_let_in();
}

#[tokio::test]
async fn where_the_layer_did_not_run_nobody_is_authenticated() {
    let request = request(Method::GET, "/me", format!("Bearer {}", token(1)));
    Answered::read(router().oneshot(request).await.unwrap()).await.is(401, "not_authenticated");
}

#[tokio::test]
async fn around_a_router_the_layer_goes_by_the_path_to_the_byte() {
    let world = World::new();
    let service = layer(&world.verifier).layer(router());
    let send = async |request| Answered::read(service.clone().oneshot(request).await.unwrap()).await;
    assert_eq!(send(bare(Method::GET, "/open?a")).await.body, "open");
    for path in ["/notes/1", "/open/", "/%6fpen", "/me"] {
        send(bare(Method::GET, path)).await.is(401, "not_authenticated");
    }
    send(request(Method::GET, "/me", format!("Bearer {}", token(1)))).await.is_let_in();
}

#[tokio::test]
async fn a_nested_router_s_routes_go_by_their_whole_path() {
    let world = World::new();
    let layer = AuthLayer::new(world.verifier.clone()).public(Method::GET, "/api/open");
    let inner = Router::new().route("/open", get("open")).route("/closed", get("closed"));
    let router = Router::new().nest("/api", inner).route("/open", get("private")).layer(layer);
    let send =
        async |path| Answered::read(router.clone().oneshot(bare(Method::GET, path)).await.unwrap()).await;
    assert_eq!(send("/api/open").await.body, "open");
    send("/api/closed").await.is(401, "not_authenticated");
    send("/open").await.is(401, "not_authenticated");
}

#[tokio::test]
async fn the_body_goes_through_untouched_at_first_sight_and_later() {
    let world = World::new();
    let token = KEY.sign_access(&native_claims(1)).unwrap();
    for _ in 0..2 {
        let request = Request::post("/notes").header("authorization", format!("Bearer {token}"));
        let answer = world.send(request.body(Body::from("hello")).unwrap()).await;
        assert_eq!(answer.body, "42 says hello");
    }
    assert_eq!(world.sessions.asked(), 1);
}

#[tokio::test]
async fn the_claims_reach_the_handler() {
    let world = World::new();
    let handler = async |Authenticated(claims): Authenticated| claims.session.to_string();
    let router = Router::new().route("/sid", get(handler)).layer(layer(&world.verifier));
    let request = request(Method::GET, "/sid", format!("Token {}", token(1)));
    assert_eq!(Answered::read(router.oneshot(request).await.unwrap()).await.body, session(1).to_string());
}

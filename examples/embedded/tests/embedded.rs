//! The example does what its page says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use axum::Router;
use axum::body::Body;
use countersign::Countersign;
use countersign::service::password::Password;
use countersign::service::people::{Actor, PersonChange, Wanted};
use countersign::service::users::UserToCreate;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const PAGE: &str = "http://localhost:3000";

async fn call(app: &Router, request: http::request::Builder, body: Value) -> (StatusCode, Value) {
    let request =
        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
}

fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(header::ORIGIN, PAGE)
}

// attack 51
#[tokio::test(flavor = "multi_thread")]
async fn a_route_of_ones_own_is_guarded_as_countersign_s_are() {
    let folder = tempfile::tempdir().unwrap();
    let countersign = Countersign::builder()
        .data_dir(folder.path().join("data"))
        .allowed_origin(PAGE)
        .unwrap()
        .build()
        .await
        .unwrap();
    let password = Password::new("correct horse battery staple").unwrap();
    let alice = UserToCreate {
        username: "alice".into(),
        email: String::new(),
        password,
        is_superuser: false,
        fields: serde_json::Map::new(),
    };
    let alice = countersign.service().create_user(alice).await.unwrap();
    let app = embedded::app(&countersign);

    let (status, body) = call(&app, request(Method::GET, "/hello"), Value::Null).await;
    assert_eq!((status, body), (StatusCode::OK, json!("hello, whoever you are")));

    let (status, body) = call(&app, request(Method::POST, "/notes"), json!("milk")).await;
    assert_eq!((status, &body["code"]), (StatusCode::UNAUTHORIZED, &json!("not_authenticated")));

    let credentials = json!({ "username": "alice", "password": "correct horse battery staple" });
    let (status, tokens) = call(&app, request(Method::POST, "/accounts/login"), credentials).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let csrf = tokens["csrf_token"].as_str().unwrap();

    let without_csrf = request(Method::POST, "/notes").header(header::AUTHORIZATION, &bearer);
    let (status, body) = call(&app, without_csrf, json!("milk")).await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("csrf_failed")));

    let whole =
        request(Method::POST, "/notes").header(header::AUTHORIZATION, &bearer).header("x-csrftoken", csrf);
    let (status, body) = call(&app, whole, json!("milk")).await;
    assert_eq!((status, body), (StatusCode::CREATED, json!({ "by": "alice", "note": "milk" })));

    let from_elsewhere = Request::builder()
        .method(Method::POST)
        .uri("/notes")
        .header(header::ORIGIN, "https://evil.example")
        .header(header::AUTHORIZATION, &bearer)
        .header("x-csrftoken", csrf);
    let (status, body) = call(&app, from_elsewhere, json!("milk")).await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("origin_not_allowed")));

    // A permission counts from the next request on, without a new token.
    let reports = || request(Method::GET, "/reports").header(header::AUTHORIZATION, &bearer);
    let (status, body) = call(&app, reports(), Value::Null).await;
    assert_eq!((status, &body["code"]), (StatusCode::FORBIDDEN, &json!("permission_denied")));
    let people = countersign.service().people(&Actor::Operator);
    let view = people.create_permission("reports.view", "See the reports").await.unwrap();
    let given = PersonChange { permissions: Wanted::Set([view].into()), ..PersonChange::default() };
    people.change_user(alice.id, given).await.unwrap();
    let (status, body) = call(&app, reports(), Value::Null).await;
    assert_eq!((status, body), (StatusCode::OK, json!("reports for alice")));

    countersign.shutdown().await;
}

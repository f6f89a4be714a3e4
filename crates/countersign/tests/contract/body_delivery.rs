//! Accounts, login: body delivery, for mobile and desktop clients with secure storage.

use countersign::core::origin::Origin;
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, World, claims, members};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_its_refresh_token_in_the_body_and_no_cookie_or_csrf_token() {
    let world = World::new().await;
    let mut app = world.native();
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
    let answer = app.post("/accounts/login", body).await.expect(StatusCode::OK);

    assert_eq!(members(&answer.body), ["access_token", "expires_in", "refresh_token", "token_type", "user"]);
    assert!(answer.set_cookies().is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(app.claims().get("csh"), None);
    assert_eq!(claims(app.refresh.as_ref().unwrap()).get("csh"), None);
    // Nor is one asked for later.
    app.patch("/accounts/profile", json!({"first_name": "Alice"})).await.expect(StatusCode::OK);
    let answer = app.refresh().await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["access_token", "expires_in", "refresh_token", "token_type", "user"]);
    assert!(answer.set_cookies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_delivery_is_the_default_and_can_be_said() {
    let world = World::new().await;
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "cookie"});
    let answer = world.native().post("/accounts/login", body).await.expect(StatusCode::OK);
    assert_eq!(answer.set_cookies().len(), 2);
    let answer = world.native().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    assert_eq!(answer.set_cookies().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn body_delivery_is_not_for_browsers() {
    let world = World::new().await;
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
    let sent: &[&[(&str, &str)]] = &[
        &[("origin", "http://localhost:3000")],
        &[("origin", "http://localhost:8000")],
        &[("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ];
    for headers in sent {
        let mut page = world.anonymous();
        let mut call = page.request(Method::POST, "/accounts/login").json(&body);
        for (name, value) in *headers {
            call = call.header(name, value);
        }
        let answer = call.send().await.refused(403, "body_delivery_not_for_browsers");
        assert!(answer.set_cookies().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_shells_origin_may_have_body_delivery() {
    let shell = "capacitor://localhost";
    let world =
        World::with(move |settings| settings.native_origins = vec![Origin::parse(shell).unwrap()]).await;
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
    let mut app = world.native();
    let call = app.request(Method::POST, "/accounts/login").json(&body);
    let call = call.header("origin", shell).header("sec-fetch-site", "cross-site");
    let answer = call.send().await.expect(StatusCode::OK);
    assert!(answer.body["refresh_token"].is_string());
    assert_eq!(answer.header("access-control-allow-origin"), Some(shell));
    // A shell may use cookies too, and a page that is only allowed is no shell.
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD});
    let call = app.request(Method::POST, "/accounts/login").json(&body).header("origin", shell);
    assert_eq!(call.send().await.expect(StatusCode::OK).set_cookies().len(), 2);
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
    world.browser().post("/accounts/login", body).await.refused(403, "body_delivery_not_for_browsers");
}

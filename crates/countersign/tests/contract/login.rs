//! Accounts, login: what is sent, what comes back, and whom a name stands for.

use countersign::core::origin::PublicUrl;
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{
    ALICE, ALICE_PASSWORD, Actor, Answer, BOB, BOB_PASSWORD, World, add_user, claims, members,
};

// What comes back

#[tokio::test(flavor = "multi_thread")]
async fn a_login_answers_with_the_tokens_and_the_user_and_nothing_else() {
    let world = World::new().await;
    let mut browser = world.browser();
    let answer = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);

    assert_eq!(
        members(&answer.body),
        ["access_token", "csrf_token", "expires_in", "token_type", "user"],
        "no refresh token in particular" // attack 70
    );
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 300);
    let user = json!({
        "id": world.alice.id.0, "username": ALICE, "email": "alice@example.com",
        "first_name": "", "last_name": "", "is_active": true,
    });
    assert_eq!(answer.body["user"], user);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store")); // attack 71
    assert_eq!(claims(browser.access.as_ref().unwrap())["user_id"], world.alice.id.0);
}

// attack 55
#[tokio::test(flavor = "multi_thread")]
async fn both_cookies_have_exactly_their_attributes() {
    let world = World::new().await;
    let answer = world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let [refresh, csrf] = <[_; 2]>::try_from(answer.set_cookies()).unwrap();

    assert_eq!(refresh.name, "refreshtoken");
    assert_eq!(sorted(refresh.attributes), ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax"]);
    assert_eq!(csrf.name, "csrftoken");
    assert_eq!(sorted(csrf.attributes), ["Max-Age=604800", "Path=/", "SameSite=Lax"]);
    assert_eq!(csrf.value, answer.body["csrf_token"]);
}

// attack 55
#[tokio::test(flavor = "multi_thread")]
async fn on_https_both_cookies_are_secure_and_bound_to_their_host_by_name() {
    let world =
        World::with(|settings| settings.public_url = PublicUrl::parse("https://auth.example").unwrap()).await;
    let mut browser = world.browser();
    let answer = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    let [refresh, csrf] = <[_; 2]>::try_from(answer.set_cookies()).unwrap();

    assert_eq!(refresh.name, "__Host-refreshtoken");
    assert_eq!(
        sorted(refresh.attributes),
        ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax", "Secure"]
    );
    assert_eq!(csrf.name, "__Host-csrftoken");
    assert_eq!(sorted(csrf.attributes), ["Max-Age=604800", "Path=/", "SameSite=Lax", "Secure"]);
    browser.refresh().await.expect(StatusCode::OK);
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_to_be_remembered_gets_cookies_that_end_with_the_browser_and_twelve_hours_at_most() {
    let world = World::new().await;
    let mut browser = world.browser();
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "remember": false});
    let answer = browser.post("/accounts/login", body).await.expect(StatusCode::OK);
    for cookie in answer.set_cookies() {
        assert!(
            !cookie.attributes.iter().any(|one| one.starts_with("Max-Age") || one.starts_with("Expires"))
        );
    }
    let refresh = claims(&browser.jar["refreshtoken"]);
    assert_eq!(refresh["exp"].as_i64().unwrap() - refresh["iat"].as_i64().unwrap(), 12 * 60 * 60);

    world.clock.turn(12 * 60 * 60 - 60);
    let answer = browser.refresh().await.expect(StatusCode::OK);
    assert!(!answer.set_cookie("refreshtoken").attributes.iter().any(|one| one.starts_with("Max-Age")));
    assert_eq!(answer.body["expires_in"], 60, "nothing outlives the session");
    world.clock.turn(60 + 10);
    browser.refresh().await.refused(401, "refresh_token_expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_a_login_is_remembered() {
    let world = World::new().await;
    for body in [
        json!({"username": ALICE, "password": ALICE_PASSWORD}),
        json!({"username": ALICE, "password": ALICE_PASSWORD, "remember": true}),
    ] {
        let answer = world.browser().post("/accounts/login", body).await.expect(StatusCode::OK);
        assert!(answer.set_cookies().iter().all(|cookie| cookie.has("Max-Age=604800")));
    }
}

// What is sent

#[tokio::test(flavor = "multi_thread")]
async fn a_login_needs_a_name_and_a_password() {
    let world = World::new().await;
    world.at_rest().await;
    let before = world.hashes();
    for body in [
        json!({}),
        json!({"username": ALICE}),
        json!({"password": ALICE_PASSWORD}),
        json!({"username": "", "password": ALICE_PASSWORD}),
        json!({"username": ALICE, "password": ""}),
    ] {
        let answer = world.browser().post("/accounts/login", body).await.refused(400, "missing_credentials");
        assert_eq!(answer.body["detail"], "username and password required");
        assert!(answer.set_cookies().is_empty());
    }
    assert_eq!(world.hashes(), before);
}

// attack 98
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_login_is_malformed_and_counts_for_nothing() {
    let world = World::new().await;
    world.at_rest().await;
    let before = world.hashes();
    let mut browser = world.browser();
    let deep = format!("{{\"username\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let long = json!({"username": ALICE, "password": "x".repeat(1025)}).to_string();
    for body in [
        "",
        "null",
        "[]",
        "\"alice\"",
        "{",
        "{\"username\": \"alice\", \"password\": \"x\"} more",
        "{\"username\": \"alice\", \"username\": \"bob\", \"password\": \"x\"}",
        "{\"username\": \"alice\", \"password\": \"\\ud800\"}",
        "\u{feff}{\"username\": \"alice\", \"password\": \"x\"}",
        "{\"username\": 1, \"password\": \"x\"}",
        "{\"username\": \"alice\", \"password\": null}",
        "{\"username\": \"alice\", \"password\": [\"x\"]}",
        "{\"username\": \"alice\", \"password\": {\"$ne\": \"\"}}",
        "{\"username\": \"alice\", \"password\": \"x\", \"remember\": \"yes\"}",
        "{\"username\": \"alice\", \"password\": \"x\", \"token_delivery\": \"header\"}",
        "{\"username\": \"alice\", \"password\": \"x\", \"token_delivery\": true}",
        &deep,
        &long,
    ] {
        let answer = raw(&mut browser, body).await.refused(400, "malformed_body");
        assert!(answer.set_cookies().is_empty());
    }
    let call = browser.request(Method::POST, "/accounts/login").header("content-type", "application/json");
    let call = call.body(&b"{\"username\": \"alice\", \"password\": \"\xff\"}"[..]);
    call.send().await.refused(400, "malformed_body");
    // attacks 68, 88: more than ten of them, and none was a guess; a password over the maximum isn't even hashed.
    assert_eq!(world.hashes(), before);
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

// attack 88
#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_a_megabyte_is_refused_unread() {
    let world = World::new().await;
    world.at_rest().await;
    let before = world.hashes();
    let body = json!({"username": ALICE, "password": "x".repeat(1 << 20)});
    world.browser().post("/accounts/login", body).await.refused(413, "body_too_large");
    let mut browser = world.alice_in_a_browser().await;
    let body = json!({"old_password": ALICE_PASSWORD, "new_password": "x".repeat(1 << 20)});
    browser.post("/accounts/password", body).await.refused(413, "body_too_large");
    assert_eq!(world.hashes() - before, 1, "her login's");
}

// attacks 58, 59
#[tokio::test(flavor = "multi_thread")]
async fn only_json_is_taken_for_a_login() {
    let world = World::new().await;
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD}).to_string();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/plain; application/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
    ] {
        let mut anonymous = world.anonymous();
        let call = anonymous.request(Method::POST, "/accounts/login").header("content-type", content_type);
        let answer = call.body(body.clone()).send().await.refused(415, "unsupported_media_type");
        assert!(answer.set_cookies().is_empty(), "{content_type}");
    }
    let mut anonymous = world.anonymous();
    let untyped = anonymous.request(Method::POST, "/accounts/login").body(body).send().await;
    untyped.refused(415, "unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_a_post() {
    let world = World::new().await;
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = world.browser().request(method, "/accounts/login").send().await;
        assert_eq!(answer.refused(405, "method_not_allowed").header("allow"), Some("POST"));
    }
}

// attack 95
#[tokio::test(flavor = "multi_thread")]
async fn what_a_login_has_no_use_for_changes_nothing() {
    let world = World::new().await;
    let body = json!({
        "username": ALICE, "password": ALICE_PASSWORD,
        "id": world.bob.id.0, "user_id": world.bob.id.0, "is_active": false, "is_superuser": true,
    });
    let answer = world.browser().post("/accounts/login", body).await.expect(StatusCode::OK);
    assert_eq!(answer.body["user"]["username"], ALICE);
    let users = world.countersign.service().find_user(ALICE).await.unwrap();
    assert!(users.is_active && !users.is_superuser);
}

async fn raw(actor: &mut Actor<'_>, body: &str) -> Answer {
    let call = actor.request(Method::POST, "/accounts/login").header("content-type", "application/json");
    call.body(body.to_owned()).send().await
}

// The name

// attack 85
#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_name_is_that_user() {
    let world = World::new().await;
    for spelling in
        ["alice", "ALICE", "aLiCe", " alice ", "ａｌｉｃｅ", "ALICE@EXAMPLE.COM", "alice@example.com"]
    {
        let answer = world.browser().login(spelling, ALICE_PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(answer.body["user"]["username"], ALICE, "{spelling}");
    }
    // attack 92: what only looks alike is somebody else, or nobody.
    for look_alike in ["аlice", "al\u{200b}ice", "alice\0", "alice\u{202e}", "a lice"] {
        world.browser().login(look_alike, ALICE_PASSWORD).await.refused(401, "invalid_credentials");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_users_have_logs_nobody_in() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let change = json!({"email": "Alice@Example.com", "password": BOB_PASSWORD});
    bob.patch("/accounts/profile", change).await.expect(StatusCode::OK);

    for password in [ALICE_PASSWORD, BOB_PASSWORD] {
        let answer = world.browser().login("alice@example.com", password).await;
        answer.refused(401, "invalid_credentials");
    }
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);

    let change = json!({"email": "bob@example.com", "password": BOB_PASSWORD});
    bob.patch("/accounts/profile", change).await.expect(StatusCode::OK);
    world.browser().login("alice@example.com", ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_somebodys_user_name_is_theirs_alone() {
    let world = World::new().await;
    let password = "the passphrase of a third one";
    add_user(&world.countersign, "Bob@Example.com", password).await;

    world.browser().login("bob@example.com", BOB_PASSWORD).await.refused(401, "invalid_credentials");
    let answer = world.browser().login("bob@example.com", password).await.expect(StatusCode::OK);
    assert_eq!(answer.body["user"]["username"], "Bob@Example.com");
    world.browser().login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_logs_in_only_where_the_setting_lets_it() {
    let world = World::with(|settings| settings.login_with_email = false).await;
    let answer = world.browser().login("alice@example.com", ALICE_PASSWORD).await;
    answer.refused(401, "invalid_credentials");
    world.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

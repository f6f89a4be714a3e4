//! Who may call a private route: through our own private routes, each of them.

use std::time::Duration;

use countersign::core::Seconds;
use countersign::core::session::EndReason;
use countersign::settings::Settings;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, Answer, BOB, BOB_PASSWORD, World};

const BARE: &str = "Bearer realm=\"countersign\"";

/// Every private route. A request that gets through to one is answered by something else than `401` and `403`, and
/// changes nothing but that the user's other sessions end.
const PRIVATE: [(Method, &str); 6] = [
    (Method::GET, "/accounts/profile"),
    (Method::PATCH, "/accounts/profile"),
    (Method::POST, "/accounts/password"),
    (Method::GET, "/accounts/sessions"),
    (Method::DELETE, "/accounts/sessions"),
    (Method::DELETE, "/accounts/sessions/01a1ee56-5e00-7a8d-bbd9-dfd684326547"),
];

/// Calls each private route.
async fn each(actor: &Actor<'_>) -> Vec<(Method, Answer)> {
    let mut answers = Vec::new();
    for (method, path) in PRIVATE {
        let answer = actor.clone().request(method.clone(), path).send().await;
        answers.push((method, answer));
    }
    answers
}

/// Each private route refuses it.
async fn each_refuses(actor: &Actor<'_>, status: u16, code: &str) {
    for (_, answer) in each(actor).await {
        answer.refused(status, code);
    }
}

/// Each private route lets it through.
async fn each_lets_through(actor: &Actor<'_>) {
    for (method, answer) in each(actor).await {
        assert!(!matches!(answer.status.as_u16(), 401 | 403 | 500..), "{method} {answer:?}");
    }
}

fn without_csrf<'w>(actor: &Actor<'w>) -> Actor<'w> {
    Actor { csrf: None, ..actor.clone() }
}

/// The same one with this `Authorization` header.
fn saying<'w>(actor: &Actor<'w>, authorization: &[u8]) -> Actor<'w> {
    let mut actor = Actor { access: None, ..actor.clone() };
    actor.headers.insert("authorization", HeaderValue::from_bytes(authorization).unwrap());
    actor
}

// The token

// attack 25
#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_every_private_route_is_refused() {
    let world = World::new().await;
    let access = world.alice_in_a_browser().await.access.unwrap();
    let mut anonymous = world.anonymous();
    for sent in [anonymous.clone(), saying(&anonymous, b""), saying(&anonymous, b" ")] {
        for (_, answer) in each(&sent).await {
            let answer = answer.refused(401, "not_authenticated");
            assert_eq!(answer.body["detail"], "Authentication credentials were not provided.");
            assert_eq!(answer.header("www-authenticate"), Some(BARE));
        }
    }
    // Nowhere else is one looked for.
    let query = format!("/accounts/profile?access_token={access}");
    anonymous.get(&query).await.refused(401, "not_authenticated");
    let cookie = format!("access_token={access}; Authorization=Bearer {access}");
    let call = anonymous.request(Method::GET, "/accounts/profile").cookie(&cookie);
    call.send().await.refused(401, "not_authenticated");
    let body = json!({"access_token": access});
    anonymous.patch("/accounts/profile", body).await.refused(401, "not_authenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_one_word_lacks_its_prefix() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let access = browser.access.clone().unwrap();
    let challenge = format!("{BARE}, error=\"invalid_token\", error_description=\"Token prefix missing\"");
    for (word, challenge) in [(&*access, &*challenge), ("x", &challenge), ("Bearer", BARE), ("token ", BARE)]
    {
        for (_, answer) in each(&saying(&browser, word.as_bytes())).await {
            let answer = answer.refused(401, "token_prefix_missing");
            assert_eq!(answer.body["detail"], "Token prefix missing");
            assert_eq!(answer.header("www-authenticate"), Some(challenge), "{word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_bearer_or_token_in_any_case() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let access = browser.access.clone().unwrap();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Token", "token", "TOKEN"] {
        each_lets_through(&saying(&browser, format!("{scheme} {access}").as_bytes())).await;
    }
    each_lets_through(&saying(&browser, format!("Bearer   {access} ").as_bytes())).await;
    for scheme in ["Basic", "JWT", "Bearer:", "DPoP", "Bearertoken"] {
        each_refuses(&saying(&browser, format!("{scheme} {access}").as_bytes()), 401, "token_invalid").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_is_wrong_with_a_token_gets_one_answer() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    let access = browser.access.clone().unwrap();
    let (head, signature) = access.rsplit_once('.').unwrap();
    let (header, claims) = head.split_once('.').unwrap();
    let bob = {
        let mut bob = world.browser();
        bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
        bob.access.unwrap()
    };
    let of_bob = bob.split('.').nth(1).unwrap();
    let wrong: Vec<Vec<u8>> = [
        "x".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        format!("{head}."),
        head.to_owned(),
        format!("{head}.{}", "A".repeat(signature.len())),
        format!("{header}.{of_bob}.{signature}"), // another's claims under this signature
        format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}."), // attack 1
        browser.jar["refreshtoken"].clone(),      // attack 15
        app.refresh.clone().unwrap(),
        browser.csrf.clone().unwrap(),
        format!("{access} {access}"),
        format!("{access},"),
        "x".repeat(9000),
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([b"\xff\xfe".to_vec()])
    .collect();
    let first = saying(&browser, b"Bearer x").get("/accounts/profile").await.refused(401, "token_invalid");
    assert!(first.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    for token in wrong {
        let header = [b"Bearer ", &*token].concat();
        each_refuses(&saying(&browser, &header), 401, "token_invalid").await;
        let answer = saying(&browser, &header).get("/accounts/profile").await;
        assert_eq!(answer.all_there_is(), first.all_there_is(), "{}", token.escape_ascii());
    }
    // Two headers are none that counts, even if they agree.
    let call = browser.request(Method::GET, "/accounts/profile");
    let twice = call.also("authorization", &format!("Bearer {access}")).send().await;
    assert_eq!(twice.all_there_is(), first.all_there_is());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_at_its_second_and_the_leeway_later() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let fresh = world.alice_in_an_app().await; // not seen before it expires
    world.clock.turn(300 + 10 - 1);
    each_lets_through(&browser).await;
    world.clock.turn(1);
    for (_, answer) in each(&browser).await.into_iter().chain(each(&fresh).await) {
        let answer = answer.refused(401, "token_expired");
        assert_eq!(answer.body["detail"], "access_token expired");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error_description=\"access_token expired\""), "{challenge}");
    }
}

// The countersignature

// attacks 51, 52, 53
#[tokio::test(flavor = "multi_thread")]
async fn an_unsafe_method_in_a_cookie_session_needs_this_sessions_csrf_token() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let another = world.alice_in_a_browser().await;
    let cookie = Actor { csrf: Some(browser.jar["refreshtoken"].clone()), ..browser.clone() };
    for wrong in [
        without_csrf(&browser),
        Actor { csrf: bob.csrf.clone(), ..browser.clone() },
        Actor { csrf: another.csrf.clone(), ..browser.clone() },
        Actor { csrf: Some(String::new()), ..browser.clone() },
        Actor { csrf: browser.csrf.clone().map(|csrf| csrf.to_lowercase()), ..browser.clone() },
        cookie,
    ] {
        for (method, answer) in each(&wrong).await {
            if method == Method::GET {
                answer.expect(StatusCode::OK);
            } else {
                answer.refused(403, "csrf_failed");
            }
        }
    }
    each_lets_through(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csrf_header_has_three_names() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let csrf = browser.csrf.clone().unwrap();
    for name in ["x-csrftoken", "x-csrf-token", "x-xsrf-token"] {
        let mut sent = without_csrf(&browser);
        sent.headers.insert(name, csrf.parse().unwrap());
        each_lets_through(&sent).await;
    }
    let mut other = without_csrf(&browser);
    other.headers.insert("x-csrf", csrf.parse().unwrap());
    let call = other.request(Method::PATCH, "/accounts/profile");
    call.send().await.refused(403, "csrf_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_delivered_session_needs_no_csrf_token() {
    let world = World::new().await;
    let app = world.alice_in_an_app().await;
    assert_eq!(app.csrf, None);
    each_lets_through(&app).await;
    // One that is sent all the same stands in nobody's way.
    each_lets_through(&Actor { csrf: Some("x".to_owned()), ..app }).await;
}

// The session and its user

// attack 34
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_counts_from_the_next_request_on() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut app = world.alice_in_an_app().await;
    app.get("/accounts/profile").await.expect(StatusCode::OK); // seen, and remembered as good
    world.countersign.service().end_session(app.session()).await.unwrap();
    each_refuses(&app, 401, "session_ended").await;
    app.refresh().await.refused(401, "session_ended");

    each_lets_through(&browser).await;
    let left = browser.clone();
    browser.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    each_refuses(&left, 401, "session_ended").await;
}

// attack 36
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_deactivated_or_deleted_is_out_from_the_next_request_on() {
    for delete in [false, true] {
        let world = World::new().await;
        let service = world.countersign.service();
        let mut bob = world.browser();
        bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
        let unseen = world.alice_in_an_app().await;
        let mut browser = world.alice_in_a_browser().await;
        browser.get("/accounts/profile").await.expect(StatusCode::OK);

        if delete {
            service.delete_user(world.alice.id).await.unwrap();
        } else {
            service.deactivate_user(world.alice.id).await.unwrap();
        }
        for (_, answer) in each(&browser).await.into_iter().chain(each(&unseen).await) {
            assert_eq!(answer.refused(401, "user_inactive").body["detail"], "user is inactive");
        }
        browser.refresh().await.refused(401, "user_inactive");
        browser.login(ALICE, ALICE_PASSWORD).await.refused(401, "invalid_credentials");
        let ended = world.session(browser.session()).await.ended.expect("an end");
        let why = if delete { EndReason::UserDeleted } else { EndReason::UserDeactivated };
        assert_eq!((ended.reason, ended.at), (why, world.now()), "the sessions ended with the user");
        bob.get("/accounts/profile").await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_active_again_has_to_log_in_again() {
    let world = World::new().await;
    let service = world.countersign.service();
    let mut browser = world.alice_in_a_browser().await;
    service.deactivate_user(world.alice.id).await.unwrap();
    service.activate_user(world.alice.id).await.unwrap();
    each_refuses(&browser, 401, "user_inactive").await;
    browser.refresh().await.refused(401, "user_inactive");
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    each_lets_through(&browser).await;
}

// attack 38
#[tokio::test(flavor = "multi_thread")]
async fn what_ended_stays_ended_across_a_restart() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut live = world.alice_in_a_browser().await;
    let gone = world.alice_in_a_browser().await;
    live.delete(&format!("/accounts/sessions/{}", gone.session())).await.expect(StatusCode::NO_CONTENT);
    world.countersign.service().deactivate_user(world.bob.id).await.unwrap();
    let [live, gone, bob] = [live, gone, bob].map(|actor| actor.memory());

    let world = world.restart_with(|_| {}).await;
    each_lets_through(&world.browser_with(&live)).await;
    each_refuses(&world.browser_with(&gone), 401, "session_ended").await;
    each_refuses(&world.browser_with(&bob), 401, "user_inactive").await;
}

// attack 34, attack 113
#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_remembered_for_as_long_as_the_tokens_of_a_node_that_issues_longer_ones_live() {
    const LONGEST: &str = "longest_access_lifetime";
    let world = World::with(|settings| settings.access_token_lifetime = Seconds(900)).await;
    let alice = world.alice_in_a_browser().await.memory();
    // This node knew nothing of such tokens when it started.
    world.store().set_meta(LONGEST, "1".to_owned()).await.unwrap();
    let short = |settings: &mut Settings| {
        (settings.access_token_lifetime, settings.leeway) = (Seconds(1), Seconds(0));
    };
    let world = world.restart_with(short).await;
    world.store().raise_meta(LONGEST, 900).await.unwrap();
    // A change of keys makes a node look each token up anew. None is ahead after this.
    world.turn(60).await;
    let browser = world.browser_with(&alice);
    each_lets_through(&browser).await;
    world.countersign.service().end_session(browser.session()).await.unwrap();

    // By the clock, and as much time as it takes to forget has really passed.
    world.turn(60).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    world.countersign.service().clean_up().await.unwrap();
    each_refuses(&browser, 401, "session_ended").await;
}

// attack 113
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_ends_is_ended_here_within_a_second() {
    let world = World::new().await;
    let tool = world.tool().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let mut browser = world.alice_in_a_browser().await;
    let mut app = world.alice_in_an_app().await;
    for live in [&mut bob, &mut browser, &mut app] {
        live.get("/accounts/profile").await.expect(StatusCode::OK);
    }
    tool.service().end_session(app.session()).await.unwrap();
    tool.service().deactivate_user(world.bob.id).await.unwrap();
    // A node whose news is a second old asks.
    world.clock.turn(2);
    each_refuses(&app, 401, "session_ended").await;
    each_refuses(&bob, 401, "user_inactive").await;
    each_lets_through(&browser).await;
    tool.shutdown().await;
}

// The order

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_the_checks_that_fails_answers() {
    let world = World::new().await;
    let mut bob = world.browser();
    bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let browser = world.alice_in_a_browser().await;
    let access = browser.access.clone().unwrap();
    world.countersign.service().end_session(browser.session()).await.unwrap();
    world.countersign.service().deactivate_user(world.bob.id).await.unwrap();

    // The session has ended, and what else is wrong comes before that.
    for (gone, code) in [(&browser, "session_ended"), (&bob, "user_inactive")] {
        each_refuses(gone, 401, code).await;
        for (method, answer) in each(&without_csrf(gone)).await {
            if method == Method::GET {
                answer.refused(401, code);
            } else {
                answer.refused(403, "csrf_failed");
            }
        }
    }
    let spoilt = without_csrf(&saying(&browser, format!("Bearer {access}x").as_bytes()));
    each_refuses(&spoilt, 401, "token_invalid").await;
    each_refuses(&without_csrf(&saying(&browser, access.as_bytes())), 401, "token_prefix_missing").await;
    world.clock.turn(310);
    each_refuses(&without_csrf(&browser), 401, "token_expired").await;
    each_refuses(&Actor { access: None, ..without_csrf(&browser) }, 401, "not_authenticated").await;
    // And before all of them, where it comes from.
    let attacker = Actor { headers: world.attacker().headers, ..browser.clone() };
    for (method, answer) in each(&attacker).await {
        if method == Method::GET {
            answer.refused(401, "token_expired");
        } else {
            answer.refused(403, "origin_not_allowed");
        }
    }
}

// The paths

#[tokio::test(flavor = "multi_thread")]
async fn a_path_works_with_a_slash_at_its_end_and_is_as_private() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for (method, path) in PRIVATE {
        let slashed = format!("{path}/");
        let call = world.anonymous().request(method.clone(), &slashed).send().await;
        call.refused(401, "not_authenticated");
        let plain = browser.request(method.clone(), path).send().await;
        let answer = browser.request(method, &slashed).send().await;
        assert_eq!(answer.all_there_is(), plain.all_there_is(), "{slashed}");
    }
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD});
    world.browser().post("/accounts/login/", body).await.expect(StatusCode::OK);
    let other = world.alice_in_an_app().await;
    let path = format!("/accounts/sessions/{}/", other.session());
    browser.delete(&path).await.expect(StatusCode::NO_CONTENT);
    each_refuses(&other, 401, "session_ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_path_with_another_method_is_405_and_says_which_it_takes() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for (path, allowed) in [
        ("/accounts/profile", &["GET", "HEAD", "PATCH"][..]),
        ("/accounts/password", &["POST"]),
        ("/accounts/sessions", &["DELETE", "GET", "HEAD"]),
        ("/accounts/sessions/1", &["DELETE"]),
    ] {
        for method in
            [Method::PUT, Method::POST, Method::GET, Method::DELETE, Method::from_bytes(b"BREW").unwrap()]
        {
            if allowed.contains(&method.as_str()) {
                continue;
            }
            let answer = browser.request(method, path).send().await.refused(405, "method_not_allowed");
            let mut allow: Vec<_> =
                answer.header("allow").unwrap().split([',', ' ']).filter(|one| !one.is_empty()).collect();
            allow.sort_unstable();
            assert_eq!(allow, allowed, "{path}");
        }
    }
    browser.get("/accounts/nothing").await.refused(404, "not_found");
}

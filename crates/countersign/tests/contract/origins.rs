//! Origins: the check against forged requests, and CORS, through the real routes.

use countersign::core::origin::{Origin, PublicUrl};
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, Answer, EVIL, PAGE, World};

/// Every unsafe route, and the one safe route that is judged too.
const JUDGED: [(Method, &str); 9] = [
    (Method::POST, "/accounts/login"),
    (Method::POST, "/accounts/refresh_token"),
    (Method::POST, "/accounts/logout"),
    (Method::GET, "/accounts/csrf"),
    (Method::PATCH, "/accounts/profile"),
    (Method::POST, "/accounts/password"),
    (Method::DELETE, "/accounts/sessions"),
    (Method::DELETE, "/accounts/sessions/018c5b4e-0000-7000-8000-000000000000"),
    (Method::PUT, "/nothing/at/all"),
];

/// Whether this answer may be read by the page that asked.
fn may_be_read(answer: &Answer) -> bool {
    answer.headers.contains_key("access-control-allow-origin")
}

/// A call that is right in everything else.
async fn call(actor: &Actor<'_>, (method, path): &(Method, &str), sent: &[(&str, &str)]) -> Answer {
    let mut actor = actor.clone();
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD});
    let mut call =
        actor.request(method.clone(), path).without("origin").without("sec-fetch-site").json(&body);
    for (name, value) in sent {
        call = call.also(name, value);
    }
    call.send().await
}

// attack 61, attack 63, attack 64
#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_not_listed_to_the_byte_is_refused_whatever_else_is_said() {
    let world = World::with(|settings| {
        settings.public_url = PublicUrl::parse("https://auth.example").unwrap();
        settings.allowed_origins.push(Origin::parse("https://app.example").unwrap());
    })
    .await;
    let mut browser = world.browser();
    browser.headers.insert("origin", "https://app.example".parse().unwrap());
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    for origin in [
        EVIL,
        "null",
        "",
        "*",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example:443",
        "https://app.example.evil",
        "https://evilapp.example",
        "https://app.example@evil",
        "https://evil/https://app.example",
        "https://app.example.",
        "https://app.example/",
        "HTTPS://APP.EXAMPLE",
        "https://APP.example",
        "https://[",
        "https://app.example https://app.example",
        "https://app.example, https://evil.example",
        "app.example",
        "file://",
        "https://auth.example.evil",
        "http://localhost:8000",
    ] {
        for judged in &JUDGED {
            for more in
                [&[][..], &[("sec-fetch-site", "same-origin")], &[("referer", "https://app.example/x")]]
            {
                let sent = [&[("origin", origin)], more].concat();
                let answer = call(&browser, judged, &sent).await.refused(403, "origin_not_allowed");
                assert!(!may_be_read(&answer), "{origin} {judged:?}");
            }
        }
    }
    for judged in &JUDGED {
        let twice = [("origin", "https://app.example"), ("origin", "https://app.example")];
        call(&browser, judged, &twice).await.refused(403, "origin_not_allowed");
    }
}

// attack 62, attack 63
#[tokio::test(flavor = "multi_thread")]
async fn without_an_origin_what_a_browser_calls_cross_site_is_refused() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    for judged in &JUDGED[..8] {
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN", "unheard-of", "none, same-origin"] {
            let answer = call(&browser, judged, &[("sec-fetch-site", site)]).await;
            answer.refused(403, "origin_not_allowed");
        }
        let twice = [("sec-fetch-site", "none"), ("sec-fetch-site", "none")];
        call(&browser, judged, &twice).await.refused(403, "origin_not_allowed");
    }
    // Neither excused nor refused by a Referer.
    for referer in ["http://http://www.example.com/", "", "//host/", "https://", "https://[", EVIL, "\u{e9}"]
    {
        let sent = [("referer", referer), ("sec-fetch-site", "cross-site")];
        call(&browser, &JUDGED[3], &sent).await.refused(403, "origin_not_allowed");
        call(&browser, &JUDGED[3], &[("referer", referer)]).await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_browser_calls_its_own_or_that_comes_from_none_goes_on_to_the_token_checks() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    for sent in [&[][..], &[("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")]] {
        call(&browser, &(Method::GET, "/accounts/csrf"), sent).await.expect(StatusCode::OK);
        call(&browser, &(Method::POST, "/accounts/refresh_token"), sent).await.expect(StatusCode::OK);
        let mut careless = Actor { csrf: None, ..browser.clone() };
        careless.headers.clear();
        let answer = call(&careless, &(Method::POST, "/accounts/refresh_token"), sent).await;
        answer.refused(403, "csrf_failed");
        let answer = call(&careless, &(Method::DELETE, "/accounts/sessions"), sent).await;
        answer.refused(403, "csrf_failed");
    }
}

// attack 58
#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_an_origin_still_needs_application_json_which_no_form_can_send() {
    let world = World::new().await;
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD}).to_string();
    let form = format!("username={ALICE}&password={ALICE_PASSWORD}");
    for (kind, body) in [
        ("text/plain", &body),
        ("text/plain; charset=utf-8", &body),
        ("application/x-www-form-urlencoded", &form),
        ("multipart/form-data; boundary=application/json", &body),
        ("text/json", &body),
        ("application/json5", &body),
        ("application/x-json", &body),
    ] {
        let mut old_browser = world.anonymous();
        let call = old_browser.request(Method::POST, "/accounts/login").header("content-type", kind);
        call.body(body.clone()).send().await.refused(415, "unsupported_media_type");
    }
    let mut old_browser = world.anonymous();
    let call = old_browser.request(Method::POST, "/accounts/login").body(body);
    call.send().await.refused(415, "unsupported_media_type");
    old_browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_url_s_own_origin_is_always_allowed_and_so_are_native_ones() {
    let world = World::with(|settings| {
        settings.allowed_origins.clear();
        settings.native_origins = vec![Origin::parse("capacitor://localhost").unwrap()];
    })
    .await;
    for origin in ["http://localhost:8000", "capacitor://localhost"] {
        let mut browser = world.browser();
        browser.headers.insert("origin", origin.parse().unwrap());
        let answer = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    }
    let mut page = world.browser();
    page.login(ALICE, ALICE_PASSWORD).await.refused(403, "origin_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_default_public_url_the_loopback_addresses_at_its_port_count_as_localhost() {
    let world = World::new().await;
    for (origin, counts) in [
        ("http://127.0.0.1:8000", true),
        ("http://[::1]:8000", true),
        ("http://127.0.0.1", false),
        ("http://127.0.0.1:8001", false),
        ("http://127.0.0.2:8000", false),
        ("https://127.0.0.1:8000", false),
        ("http://[::]:8000", false),
        ("http://0.0.0.0:8000", false),
    ] {
        let mut browser = world.browser();
        browser.headers.insert("origin", origin.parse().unwrap());
        let answer = browser.login(ALICE, ALICE_PASSWORD).await;
        let expected = if counts { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, expected, "{origin}");
    }
    let other = World::with(|settings| {
        settings.public_url = PublicUrl::parse("https://auth.example").unwrap();
    })
    .await;
    for origin in ["https://127.0.0.1", "http://127.0.0.1:8000", "http://localhost:8000"] {
        let mut browser = other.browser();
        browser.headers.insert("origin", origin.parse().unwrap());
        browser.login(ALICE, ALICE_PASSWORD).await.refused(403, "origin_not_allowed");
    }
}

// attack 66
#[tokio::test(flavor = "multi_thread")]
async fn a_listed_origin_may_read_every_answer_and_any_other_none() {
    let world = World::with(|settings| {
        settings.max_body = 1024;
        settings.throttle.name_limit = 1;
    })
    .await;
    let page = world.alice_in_a_browser().await;
    let large = "x".repeat(2000);
    let get = |path| (Method::GET, path);
    let post = |path| (Method::POST, path);
    world.browser().login("bob", "wrong").await.refused(401, "invalid_credentials");
    let cases = [
        (200, get("/healthz"), ""),
        (200, get("/.well-known/jwks.json"), ""),
        (200, get("/accounts/profile"), ""),
        (400, post("/accounts/login"), "{}"),
        (401, post("/accounts/login"), r#"{"username": "x", "password": "x"}"#),
        (404, get("/nothing"), ""),
        (405, post("/accounts/profile"), ""),
        (413, post("/accounts/login"), &large),
        (415, post("/accounts/login"), ""),
        (429, post("/accounts/login"), r#"{"username": "bob", "password": "x"}"#),
    ];
    for (status, (method, path), body) in &cases {
        let mut page = page.clone();
        let kind = if *status == 415 { "text/plain" } else { "application/json" };
        let call = page.request(method.clone(), path).header("content-type", kind).body((*body).to_owned());
        let answer = call.send().await;
        assert_eq!(answer.status, *status, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{path}");
    }
    let mut careless = Actor { csrf: None, ..page.clone() };
    assert!(may_be_read(&careless.refresh().await.refused(403, "csrf_failed")));
    assert!(may_be_read(&world.browser().get("/accounts/profile").await.refused(401, "not_authenticated")));
    // Safe requests aren't refused to anyone else; their answers just can't be read.
    for path in ["/healthz", "/accounts/profile", "/nothing"] {
        for origin in [EVIL, "null"] {
            let mut elsewhere = page.clone();
            let answer = elsewhere.request(Method::GET, path).header("origin", origin).send().await;
            assert!(!may_be_read(&answer) && answer.status != StatusCode::FORBIDDEN, "{path}");
        }
    }
    world.countersign.service().close().await;
    assert!(may_be_read(&page.clone().refresh().await.refused(503, "unavailable")));
    assert!(may_be_read(&page.clone().get("/readyz").await.refused(503, "unavailable")));
}

// attack 65
#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_of_a_listed_origin_names_what_is_used_here_for_two_hours() {
    let world = World::with(|settings| settings.cors_allow_headers = vec!["X-Tenant".into()]).await;
    let preflight = async |origin: &'static str, path: &'static str| {
        let mut anyone = world.anonymous();
        let call = anyone.request(Method::OPTIONS, path).header("origin", origin);
        let call = call.header("access-control-request-method", "POST");
        call.header("access-control-request-headers", "authorization,x-csrftoken").send().await
    };
    for path in
        ["/accounts/login", "/accounts/refresh_token", "/accounts/profile", "/accounts/sessions", "/nothing"]
    {
        let answer = preflight(PAGE, path).await.expect(StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, PATCH, DELETE"));
        let headers = "Authorization, Content-Type, Idempotency-Key, X-CSRFTOKEN, X-CSRF-Token, X-XSRF-TOKEN, \
                       X-Request-Id, X-Requested-With, traceparent, X-Tenant";
        assert_eq!(answer.header("access-control-allow-headers"), Some(headers));
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
        for origin in [EVIL, "null", "http://localhost:3001", "*"] {
            let refused = preflight(origin, path).await;
            assert!(!may_be_read(&refused), "{origin}");
            assert_eq!(refused.header("access-control-allow-methods"), None);
        }
    }
}

// attack 65: a list that changes counts from the next start on.
#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_no_longer_listed_is_a_stranger() {
    let world = World::new().await;
    let memory = world.alice_in_a_browser().await.memory();
    let world = world.restart_with(|settings| settings.allowed_origins.clear()).await;
    let mut page = world.browser_with(&memory);
    page.refresh().await.refused(403, "origin_not_allowed");
    assert!(!may_be_read(&page.get("/accounts/profile").await.expect(StatusCode::OK)));
}

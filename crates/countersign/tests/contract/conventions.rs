//! The conventions: what holds for every answer. [`hold`] is asked of each answer in all of these tests.

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Answer, PAGE, World, seconds};

/// Asserts what the contract says of all answers, whatever they are.
pub fn hold(method: &Method, origin: Option<&HeaderValue>, answer: &Answer) {
    let status = answer.status.as_u16();
    let shown =
        || format!("{method} {status} {:?} {}", answer.headers, String::from_utf8_lossy(&answer.bytes));
    let has = |name: &str, value: &str| {
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name}: {}", shown());
        assert_eq!(answer.header(name), Some(value), "{name}: {}", shown());
    };
    has("x-content-type-options", "nosniff");
    has("vary", "Origin");
    has("cross-origin-resource-policy", "same-origin");
    let id = answer.header("x-request-id").expect("an X-Request-Id");
    assert!((1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");

    // No bytes that a client can send make a 500.
    assert!(status < 500 || status == 503, "{}", shown());
    if status >= 400 {
        has("content-type", "application/problem+json");
        has("cache-control", "no-store");
        assert_eq!(answer.set_cookies(), [], "a refusal touches no cookie: {}", shown());
        if *method != Method::HEAD {
            is_problem(answer);
        }
    }
    assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), status == 401, "{}", shown());
    if status == 401 {
        let challenge = answer.header("www-authenticate").unwrap();
        let bare = "Bearer realm=\"countersign\"";
        let with_error = format!("{bare}, error=\"invalid_token\", error_description=\"");
        assert!(
            challenge == bare || challenge.starts_with(&with_error) && challenge.ends_with('"'),
            "{challenge}"
        );
    }
    if status == 429 || status == 503 {
        assert!(
            answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().unwrap() > 0),
            "{}",
            shown()
        );
    }
    if status == 405 {
        assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{}", shown());
    }

    // attack 71
    let carries = ["access_token", "refresh_token", "csrf_token", "user", "sessions"];
    if answer.headers.contains_key(header::SET_COOKIE)
        || carries.iter().any(|name| answer.body.get(name).is_some())
    {
        has("cache-control", "no-store");
    }

    // attack 64: CORS is all or nothing, and for the one who asked.
    if let Some(allowed) = answer.headers.get("access-control-allow-origin") {
        assert_eq!(Some(allowed), origin, "{}", shown());
        assert_ne!(allowed, "*");
        has("access-control-allow-credentials", "true");
        has("access-control-expose-headers", "X-Request-Id, Retry-After, WWW-Authenticate");
    } else {
        let cors = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(cors.count(), 0, "{}", shown());
    }
}

/// RFC 9457, with a `code`, and nothing that isn't for the client.
fn is_problem(answer: &Answer) {
    let body = answer.body.as_object().expect("a problem is an object");
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).expect("a text").to_owned();
    assert!(!text("type").is_empty() && !text("title").is_empty() && text("detail").len() > 10);
    let code = text("code");
    assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    assert_eq!(body["status"], answer.status.as_u16());
    for (name, member) in body {
        match name.as_str() {
            "type" | "title" | "status" | "detail" | "code" => {}
            "errors" => {
                let sentences =
                    |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
                assert!(member.as_object().is_some_and(|fields| fields.values().all(sentences)), "{member}");
            }
            other => assert_eq!(other, "", "a problem has no such member"),
        }
    }
}

/// A path of the server, and the methods that it takes.
const PATHS: [(&str, &[Method]); 11] = [
    ("/accounts/login", &[Method::POST]),
    ("/accounts/refresh_token", &[Method::POST]),
    ("/accounts/logout", &[Method::POST]),
    ("/accounts/csrf", &[Method::GET]),
    ("/accounts/profile", &[Method::GET, Method::PATCH]),
    ("/accounts/password", &[Method::POST]),
    ("/accounts/sessions", &[Method::GET, Method::DELETE]),
    ("/accounts/sessions/018c5b4e-0000-7000-8000-000000000000", &[Method::DELETE]),
    ("/.well-known/jwks.json", &[Method::GET]),
    ("/healthz", &[Method::GET]),
    ("/readyz", &[Method::GET]),
];

// attack 60
#[tokio::test(flavor = "multi_thread")]
async fn a_known_path_with_another_method_is_405_with_allow() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let unknown =
        ["QUERY", "PROPFIND", "get", "Post", "X"].map(|name| Method::from_bytes(name.as_bytes()).unwrap());
    let all = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ];
    for (path, takes) in PATHS {
        for method in all.iter().chain(&unknown) {
            let taken = takes.contains(method) || *method == Method::HEAD && takes.contains(&Method::GET);
            if taken {
                continue;
            }
            let answer = browser.request(method.clone(), path).send().await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let allow = answer.header("allow").unwrap();
            let named: Vec<&str> = allow.split(',').map(str::trim).filter(|name| *name != "HEAD").collect();
            assert_eq!(named, takes.iter().map(Method::as_str).collect::<Vec<_>>(), "{method} {path}");
            assert_eq!(allow.contains("HEAD"), takes.contains(&Method::GET), "{allow}");
        }
    }
}

// attack 60
#[tokio::test(flavor = "multi_thread")]
async fn no_header_and_no_field_overrides_the_method() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let call = browser.request(Method::GET, "/accounts/sessions").header(name, "DELETE");
        assert_eq!(call.send().await.expect(StatusCode::OK).body["sessions"].as_array().unwrap().len(), 1);
        let call = browser.request(Method::GET, "/accounts/logout?_method=POST").header(name, "POST");
        call.send().await.refused(405, "method_not_allowed");
    }
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_work_with_and_without_a_slash_at_the_end() {
    let world = World::new().await;
    let mut browser = world.browser();
    for (path, takes) in PATHS {
        for method in takes {
            let plain = browser.request(method.clone(), path).send().await;
            let slash = browser.request(method.clone(), &format!("{path}/")).send().await;
            assert_ne!(plain.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!((plain.status, plain.body), (slash.status, slash.body), "{method} {path}");
        }
    }
    let login = json!({"username": ALICE, "password": ALICE_PASSWORD});
    browser.post("/accounts/login/", login).await.expect(StatusCode::OK);
    browser.get("/accounts/profile/").await.expect(StatusCode::OK);
    browser.post("/accounts/refresh_token/", json!({})).await.expect(StatusCode::OK);
    browser
        .delete(&format!("/accounts/sessions/{}/", browser.session()))
        .await
        .expect(StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404_whoever_asks_and_however() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for path in [
        "/",
        "//",
        "/accounts",
        "/accounts/",
        "/accounts//login",
        "/accounts/login//",
        "/accounts/Login",
        "/accounts/%6Cogin",
        "/accounts/../healthz",
        "/accounts/login/x",
        "/nothing",
        "/%ff",
        "/accounts/sessions/x/y",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            browser.request(method.clone(), path).send().await.refused(404, "not_found");
        }
        world.anonymous().get(path).await.refused(404, "not_found");
    }
    // A session's id that is none, or can't even be text.
    for id in ["x", "%ff", "%00", "%F0%9F%A6%80", "018c5b4e-0000-7000-8000-00000000000g", &"0".repeat(5000)] {
        browser.delete(&format!("/accounts/sessions/{id}")).await.refused(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_a_body() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for path in ["/accounts/profile", "/accounts/csrf", "/.well-known/jwks.json", "/healthz", "/readyz"] {
        let get = browser.get(path).await.expect(StatusCode::OK);
        let head = browser.request(Method::HEAD, path).send().await.expect(StatusCode::OK);
        assert_eq!(head.bytes, b"");
        for name in ["content-type", "cache-control", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    world
        .anonymous()
        .request(Method::HEAD, "/accounts/profile")
        .send()
        .await
        .expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
    let world = World::new().await;
    let mut anyone = world.anonymous();
    for kept in ["a", "018c5b4e-0000-7000-8000-000000000000", "A-z_0.9", &"x".repeat(128)] {
        for path in ["/healthz", "/accounts/profile", "/nothing"] {
            let answer = anyone.request(Method::GET, path).header("x-request-id", kept).send().await;
            assert_eq!(answer.header("x-request-id"), Some(kept));
        }
    }
    for replaced in ["", "a b", "<script>", "a\"b", "é", "a,b", &"x".repeat(129)] {
        let answer = anyone.request(Method::GET, "/healthz").header("x-request-id", replaced).send().await;
        assert_ne!(answer.header("x-request-id"), Some(replaced));
    }
    let twice =
        anyone.request(Method::GET, "/healthz").header("x-request-id", "one").also("x-request-id", "two");
    let id = twice.send().await.header("x-request-id").unwrap().to_owned();
    assert!(id != "one" && id != "two");
    let (one, two) = (anyone.get("/healthz").await, anyone.get("/healthz").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_names_an_error_only_where_a_token_was_sent() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut challenge = async |authorization: Option<&str>| {
        let call = browser.request(Method::GET, "/accounts/profile").without("authorization");
        let call = match authorization {
            Some(value) => call.header("authorization", value),
            None => call,
        };
        let answer = call.send().await.expect(StatusCode::UNAUTHORIZED);
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        (answer.code().to_owned(), challenge.strip_prefix("Bearer realm=\"countersign\"").unwrap().to_owned())
    };
    let owned = |code: &str, rest: &str| (code.to_owned(), rest.to_owned());
    assert_eq!(challenge(None).await, owned("not_authenticated", ""));
    // The scheme alone brings no token, a token alone brings no scheme.
    assert_eq!(challenge(Some("Bearer")).await, owned("token_prefix_missing", ""));
    let of = |sentence: &str| format!(", error=\"invalid_token\", error_description=\"{sentence}\"");
    let alone = challenge(Some("eyJhbGciOiJIUzI1NiJ9.e30.AAAA")).await;
    assert_eq!(alone, owned("token_prefix_missing", &of("Token prefix missing")));
    for bytes in ["Bearer x", "Token x", "Bearer a b", "Basic YWxpY2U6eA==", "Bearer é", "Bearer \"x\""] {
        assert_eq!(
            challenge(Some(bytes)).await,
            owned("token_invalid", &of("access_token invalid")),
            "{bytes}"
        );
    }
}

// attack 25
#[tokio::test(flavor = "multi_thread")]
async fn two_authorization_headers_are_none_that_is_good() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let bearer = format!("Bearer {}", browser.access.as_ref().unwrap());
    for other in [&*bearer, "Bearer x", "Basic YWxpY2U6eA==", ""] {
        let call = browser.request(Method::GET, "/accounts/profile").also("authorization", other);
        call.send().await.refused(401, "token_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_comes_as_json_and_errors_as_problems_also_of_what_is_over_a_limit() {
    let world = World::with(|settings| {
        settings.max_body = 1024;
        settings.request_timeout = seconds(1);
    })
    .await;
    let mut browser = world.browser();
    let login = browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    assert_eq!(login.header("content-type"), Some("application/json"));
    // attacks 111 and 115
    let large = json!({"username": ALICE, "password": "x".repeat(2000)});
    browser.post("/accounts/login", large).await.refused(413, "body_too_large");
    let endless = futures_body(None);
    let call = browser.request(Method::POST, "/accounts/login").header("content-type", "application/json");
    call.body(endless).send().await.refused(408, "request_timeout");
    let chunked = futures_body(Some(2000));
    let call = browser.request(Method::POST, "/accounts/login").header("content-type", "application/json");
    call.body(chunked).send().await.refused(413, "body_too_large");
    // attack 69
    for cookie in [format!("refreshtoken={}", "x".repeat(8193)), format!("x={}", "x".repeat(40_000))] {
        let call = browser.request(Method::POST, "/accounts/refresh_token").cookie(&cookie);
        call.send().await.refused(431, "headers_too_large");
    }
    let many: Vec<String> = (0..200).map(|n| format!("cookie{n}=x")).collect();
    let many = format!("{}; refreshtoken={}", many.join("; "), browser.refresh_token());
    let call = browser.request(Method::POST, "/accounts/refresh_token").cookie(&many);
    call.send().await.expect(StatusCode::OK);
}

/// A body that says no length: of so many bytes, or one that never comes.
fn futures_body(length: Option<usize>) -> axum::body::Body {
    struct Dribble(Option<usize>);
    impl http_body::Body for Dribble {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
            match &mut self.0 {
                None => std::task::Poll::Pending,
                Some(0) => std::task::Poll::Ready(None),
                Some(left) => {
                    *left -= 1;
                    std::task::Poll::Ready(Some(Ok(http_body::Frame::data(bytes::Bytes::from_static(b"x")))))
                }
            }
        }
    }
    axum::body::Body::new(Dribble(length))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_cached_says_so_and_nothing_else_may() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for path in ["/accounts/profile", "/accounts/sessions", "/accounts/csrf", "/healthz", "/readyz"] {
        assert_eq!(
            browser.get(path).await.expect(StatusCode::OK).header("cache-control"),
            Some("no-store"),
            "{path}"
        );
    }
    let jwks = browser.get("/.well-known/jwks.json").await.expect(StatusCode::OK);
    assert_eq!(jwks.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(jwks.header("access-control-allow-origin"), Some(PAGE));
}

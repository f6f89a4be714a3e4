//! The conventions: what holds for every answer. [`hold`] is asked of each answer in all of these tests.

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Answer, PAGE, World};

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

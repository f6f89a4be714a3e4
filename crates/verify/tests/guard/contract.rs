//! "Who may call a private route", sentence by sentence.

use countersign_core::UserId;
use countersign_verify::NotLive;
use http::{HeaderValue, Method, Request, StatusCode, header};
use proptest::prelude::*;

use crate::support::{
    Answered, KEY, World, bare, claims, csrf_token, native_claims, request, session, signing_key, token,
};

const CSRF_HEADERS: [&str; 3] = ["X-CSRFTOKEN", "X-CSRF-Token", "X-XSRF-TOKEN"];
const UNSAFE: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// `POST /notes` with this token and these CSRF headers.
fn post(token: &str, csrf: &[(&'static str, &str)]) -> Request<axum::body::Body> {
    let mut request = request(Method::POST, "/notes", format!("Bearer {token}"));
    for (name, value) in csrf {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn a_good_token_lets_its_user_in() {
    let world = World::new();
    world.bearer(&token(1)).await.is_let_in();
    world.bearer(&token(1)).await.is_let_in();
}

#[tokio::test]
async fn the_scheme_is_bearer_or_token_in_any_case() {
    let world = World::new();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Token", "token", "TOKEN"] {
        world.get(format!("{scheme} {}", token(1))).await.is_let_in();
    }
}

#[tokio::test]
async fn spaces_around_the_two_words_change_nothing() {
    let world = World::new();
    world.get(format!("  Bearer   {}  ", token(1))).await.is_let_in();
}

// attack 25
#[tokio::test]
async fn no_header_is_not_authenticated() {
    let world = World::new();
    let expected = Answered {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some("Bearer realm=\"countersign\"".into()),
        retry_after: None,
        body: "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\
               \"detail\":\"Authentication credentials were not provided.\",\"code\":\"not_authenticated\"}"
            .into(),
    };
    assert_eq!(world.send(bare(Method::GET, "/me")).await, expected);
    assert_eq!(world.get("").await, expected);
    assert_eq!(world.get("   ").await, expected);
}

// attack 25
#[tokio::test]
async fn one_word_is_token_prefix_missing() {
    let world = World::new();
    for word in [token(1).as_str(), "x", "Bearer:", "Basic", "Bearer\ttoken"] {
        let answer = world.get(word).await;
        answer.is(401, "token_prefix_missing");
        assert_eq!(answer.json()["detail"], "Token prefix missing");
        assert_eq!(
            answer.challenge.unwrap(),
            "Bearer realm=\"countersign\", error=\"invalid_token\", error_description=\"Token prefix missing\""
        );
    }
}

// attack 25
#[tokio::test]
async fn a_scheme_alone_is_token_prefix_missing_and_no_token_was_sent() {
    let world = World::new();
    for word in ["Bearer", "bearer", "Token", "Bearer "] {
        let answer = world.get(word).await;
        answer.is(401, "token_prefix_missing");
        assert_eq!(answer.challenge.unwrap(), "Bearer realm=\"countersign\"");
    }
}

// attack 25
#[tokio::test]
async fn any_other_header_is_token_invalid() {
    let world = World::new();
    let token = token(1);
    for header in [
        format!("Basic {token}"),
        format!("Bearer {token} x"),
        format!("Bearer Bearer {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer, {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer\t{token} x"),
        "Bearer null".into(),
        "Bearer undefined".into(),
        "Token x".into(),
    ] {
        world.get(&header).await.is_token_invalid(&header);
    }
    world.get(b"Bearer \xff\xfe").await.is_token_invalid("bytes that are no text");
}

// attack 25
#[tokio::test]
async fn two_authorization_headers_are_token_invalid_even_if_they_agree() {
    let world = World::new();
    for second in [format!("Bearer {}", token(1)), "Basic x".into(), String::new()] {
        let mut request = request(Method::GET, "/me", format!("Bearer {}", token(1)));
        request.headers_mut().append(header::AUTHORIZATION, second.parse().unwrap());
        world.send(request).await.is_token_invalid(&second);
    }
}

// attack 25
#[tokio::test]
async fn a_token_in_the_query_the_body_or_a_cookie_is_not_looked_at() {
    let world = World::new();
    let token = token(1);
    world.send(bare(Method::GET, &format!("/me?access_token={token}"))).await.is(401, "not_authenticated");
    let form = Request::post("/notes")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("access_token={token}").into());
    world.send(form.unwrap()).await.is(401, "not_authenticated");
    let cookies = Request::get("/me").header(header::COOKIE, format!("access_token={token}; token={token}"));
    world.send(cookies.body("".into()).unwrap()).await.is(401, "not_authenticated");
}

// attack 14
#[tokio::test]
async fn an_expired_token_is_token_expired_to_the_second() {
    let world = World::new();
    world.clock.turn(309);
    world.bearer(&token(1)).await.is_let_in();
    world.clock.turn(1);
    let answer = world.bearer(&token(1)).await;
    answer.is(401, "token_expired");
    assert_eq!(answer.json()["detail"], "access_token expired");
    assert_eq!(
        answer.challenge.unwrap(),
        "Bearer realm=\"countersign\", error=\"invalid_token\", error_description=\"access_token expired\""
    );
}

#[tokio::test]
async fn an_expired_token_of_somebody_else_is_token_invalid() {
    let world = World::new();
    world.clock.turn(1000);
    let forged = signing_key("ours").sign_access(&claims(1)).unwrap();
    world.bearer(&forged).await.is_token_invalid("another key of the same name");
}

#[tokio::test]
async fn a_session_never_heard_of_is_token_invalid() {
    let world = World::new();
    world.bearer(&token(2)).await.is_token_invalid("unknown session");
}

// attack 17
#[tokio::test]
async fn a_session_of_another_user_is_token_invalid() {
    let world = World::new();
    world.sessions.start(session(2), UserId(43));
    world.bearer(&token(2)).await.is_token_invalid("session 2 belongs to user 43");
}

#[tokio::test]
async fn an_ended_session_is_session_ended() {
    let world = World::new();
    world.sessions.end(session(1), NotLive::Ended);
    let answer = world.bearer(&token(1)).await;
    answer.is(401, "session_ended");
    assert_eq!(
        answer.challenge.unwrap(),
        "Bearer realm=\"countersign\", error=\"invalid_token\", \
         error_description=\"session ended, please login again\""
    );
}

// attack 36
#[tokio::test]
async fn a_session_that_a_deactivation_ended_is_user_inactive() {
    let world = World::new();
    world.bearer(&token(1)).await.is_let_in();
    world.sessions.end(session(1), NotLive::UserInactive);
    let answer = world.bearer(&token(1)).await;
    answer.is(401, "user_inactive");
    assert_eq!(answer.json()["detail"], "user is inactive");
}

// attack 102
#[tokio::test]
async fn a_session_that_cannot_be_checked_is_refused_with_503() {
    let world = World::new();
    world.bearer(&token(1)).await.is_let_in();
    world.sessions.end(session(1), NotLive::Unavailable);
    for _ in 0..2 {
        let answer = world.bearer(&token(1)).await;
        answer.is(503, "unavailable");
        assert_eq!(answer.retry_after.as_deref(), Some("1"));
        assert_eq!(answer.challenge, None);
    }
}

// attack 51
#[tokio::test]
async fn an_unsafe_method_in_a_cookie_session_needs_the_csrf_header() {
    let world = World::new();
    for method in UNSAFE {
        let request = request(method, "/notes", format!("Bearer {}", token(1)));
        let answer = world.send(request).await;
        answer.is(403, "csrf_failed");
        assert_eq!(answer.challenge, None);
    }
}

#[tokio::test]
async fn a_made_up_method_needs_the_csrf_header_too() {
    let world = World::new();
    for method in ["PURGE", "get", "Get"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        world.send(request(method, "/me", format!("Bearer {}", token(1)))).await.is(403, "csrf_failed");
    }
}

#[tokio::test]
async fn each_of_the_three_headers_countersigns() {
    let world = World::new();
    for name in CSRF_HEADERS {
        let answer = world.send(post(&token(1), &[(name, &csrf_token(session(1)))])).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "42 says "));
    }
}

// attack 53, attack 57
#[tokio::test]
async fn the_csrf_token_of_another_session_is_csrf_failed() {
    let world = World::new();
    let ours = csrf_token(session(1));
    let others =
        [csrf_token(session(2)), String::new(), ours[1..].into(), format!("{ours}="), ours.to_lowercase()];
    for other in &others {
        world.send(post(&token(1), &[("X-CSRFTOKEN", other)])).await.is(403, "csrf_failed");
    }
}

#[tokio::test]
async fn csrf_failed_says_what_is_wrong_with_the_header() {
    let world = World::new();
    let (ours, other) = (csrf_token(session(1)), csrf_token(session(2)));
    let quoted = format!("\"{ours}\"");
    for (csrf, says) in [
        (&[][..], "CSRF token missing"),
        (&[("X-CSRFTOKEN", other.as_str())], "CSRF token of another session"),
        (&[("X-CSRFTOKEN", "undefined")], "CSRF header unreadable"),
        (&[("X-CSRF-Token", &quoted)], "CSRF header unreadable"),
        (&[("X-CSRFTOKEN", &ours), ("X-XSRF-TOKEN", "stale")], "CSRF headers contradict each other"),
    ] {
        let answer = world.send(post(&token(1), csrf)).await;
        answer.is(403, "csrf_failed");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(says), "{detail}");
        assert!(!csrf.iter().any(|(_, sent)| detail.contains(sent)), "{detail}");
    }
}

// attack 54
#[tokio::test]
async fn csrf_headers_that_differ_are_csrf_failed_in_whatever_order() {
    let world = World::new();
    let (ours, other) = (csrf_token(session(1)), csrf_token(session(2)));
    for csrf in [
        [("X-CSRFTOKEN", ours.as_str()), ("X-CSRFTOKEN", other.as_str())],
        [("X-CSRFTOKEN", &other), ("X-CSRFTOKEN", &ours)],
        [("X-CSRFTOKEN", &ours), ("X-XSRF-TOKEN", &other)],
        [("X-CSRF-Token", &other), ("X-XSRF-TOKEN", &ours)],
        [("X-CSRFTOKEN", &ours), ("X-CSRF-Token", "")],
    ] {
        world.send(post(&token(1), &csrf)).await.is(403, "csrf_failed");
    }
    let agreeing = [("X-CSRFTOKEN", ours.as_str()), ("X-XSRF-TOKEN", &ours)];
    assert_eq!(world.send(post(&token(1), &agreeing)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn get_head_and_options_need_no_csrf_header() {
    let world = World::new();
    for method in [Method::GET, Method::HEAD] {
        let answer = world.send(request(method, "/me", format!("Bearer {}", token(1)))).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let answer = world.send(request(Method::OPTIONS, "/me", format!("Bearer {}", token(1)))).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "the layer let it through to the router");
}

#[tokio::test]
async fn a_body_delivered_session_needs_no_csrf_header() {
    let world = World::new();
    let token = KEY.sign_access(&native_claims(1)).unwrap();
    assert_eq!(world.send(post(&token, &[])).await.status, StatusCode::OK);
    assert_eq!(world.send(post(&token, &[("X-CSRFTOKEN", "whatever")])).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_fault_of_the_token_is_told_before_one_of_the_csrf_header() {
    let world = World::new();
    world.send(post(&token(2), &[])).await.is_token_invalid("unknown session");
    world.clock.turn(310);
    world.send(post(&token(1), &[])).await.is(401, "token_expired");
}

#[tokio::test]
async fn a_fault_of_the_csrf_header_is_told_before_the_end_of_the_session() {
    let world = World::new();
    for end in [NotLive::Ended, NotLive::UserInactive] {
        world.sessions.end(session(1), end);
        world.send(post(&token(1), &[])).await.is(403, "csrf_failed");
    }
    let countersigned = post(&token(1), &[("X-CSRFTOKEN", &csrf_token(session(1)))]);
    world.send(countersigned).await.is(401, "user_inactive");
}

fn header_byte() -> impl Strategy<Value = u8> {
    any::<u8>().prop_filter("no header holds control characters", |byte| {
        *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f)
    })
}

fn is_refused(world: &World, authorization: &[u8]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(world.get(authorization));
    prop_assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{:?}", answer);
    prop_assert!(answer.challenge.unwrap().starts_with("Bearer realm=\"countersign\""));
    Ok(())
}

proptest! {
    // attack 99
    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(header_byte(), 0..200)) {
        is_refused(&World::new(), &bytes)?;
        is_refused(&World::new(), &[b"Bearer ", &bytes[..]].concat())?;
    }

    // attack 57, attack 99
    #[test]
    fn an_arbitrary_csrf_header_countersigns_nothing(bytes in proptest::collection::vec(header_byte(), 0..100)) {
        let mut request = post(&token(1), &[]);
        request.headers_mut().append("X-CSRFTOKEN", HeaderValue::from_bytes(&bytes).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(World::new().send(request));
        prop_assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", answer);
    }

    // attack 22
    #[test]
    fn a_token_with_any_one_byte_changed_is_refused(at in any::<prop::sample::Index>(), byte in b'!'..=b'~') {
        let mut token = token(1).into_bytes();
        let at = at.index(token.len());
        prop_assume!(token[at] != byte);
        token[at] = byte;
        let world = World::new();
        is_refused(&world, &[b"Bearer ", &token[..]].concat())?;
    }

    // attack 4
    #[test]
    fn a_token_cut_anywhere_is_refused(at in any::<prop::sample::Index>()) {
        let token = token(1);
        let at = at.index(token.len());
        is_refused(&World::new(), format!("Bearer {}", &token[..at]).as_bytes())?;
        is_refused(&World::new(), format!("Bearer {}", &token[at + 1..]).as_bytes())?;
    }
}

//! `POST /accounts/refresh_token`: its answer, the order of its checks, and which token counts. What a use of a
//! generation does to the session stands in `rotation`.

use countersign::core::session::Session;
use countersign::core::{Generation, SessionId, UserId};
use countersign::store::EventKind;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{ALICE, ALICE_PASSWORD, Actor, Answer, BOB, BOB_PASSWORD, EVIL, World, claims};

const ROUTE: &str = "/accounts/refresh_token";

/// The names of an object's members.
fn members(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_answers_as_a_login_does_with_the_refresh_token_in_its_cookie_alone() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    let before = browser.clone();
    let answer = browser.refresh().await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["access_token", "csrf_token", "expires_in", "token_type", "user"]);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 300);
    assert_eq!(answer.body["user"]["username"], ALICE);
    assert_eq!(
        members(&answer.body["user"]),
        ["email", "first_name", "id", "is_active", "last_name", "username"]
    );
    let cookie = answer.set_cookie("refreshtoken");
    assert_eq!(cookie.attributes, ["HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=604800"]);
    assert_eq!(claims(&cookie.value)["gen"], 2);
    // attack 70
    let token = cookie.value.rsplit_once('.').unwrap().1;
    assert!(!String::from_utf8_lossy(&answer.bytes).contains(token));
    // The access token is a new one, of the same session and login.
    let (old, new) = (before.claims(), browser.claims());
    assert_ne!(old["jti"], new["jti"]);
    assert_eq!((&old["sid"], &old["auth_time"]), (&new["sid"], &new["auth_time"]));
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_body_delivery_the_refresh_token_comes_and_goes_in_the_body_and_no_csrf_token_is_asked_for() {
    let world = World::new().await;
    let mut app = world.alice_in_an_app().await;
    world.clock.turn(60);
    let answer = app.refresh().await.expect(StatusCode::OK);
    assert_eq!(members(&answer.body), ["access_token", "expires_in", "refresh_token", "token_type", "user"]);
    assert_eq!(answer.set_cookies(), []);
    assert_eq!(claims(&app.refresh_token())["gen"], 2);
    assert_eq!(claims(&app.refresh_token()).get("csh"), None);
    app.patch("/accounts/profile", json!({"first_name": "Al"})).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_needs_no_access_token_and_looks_at_none() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    browser.request(Method::POST, ROUTE).without("authorization").send().await.expect(StatusCode::OK);
    for useless in ["Bearer", "nonsense", "Bearer a.b.c"] {
        browser
            .request(Method::POST, ROUTE)
            .header("authorization", useless)
            .send()
            .await
            .expect(StatusCode::OK);
    }
}

// attack 47
#[tokio::test(flavor = "multi_thread")]
async fn refresh_and_logout_take_post_alone() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    world.clock.turn(60);
    for path in [ROUTE, "/accounts/logout"] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let answer = browser.request(method, path).send().await.expect(StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }
    assert_eq!(world.session(browser.session()).await.generation, Generation::FIRST);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

/// A request with something wrong, or nothing, for each check: in the order of the contract.
#[derive(Clone, Copy, Debug)]
struct Case {
    origin: Where,
    token: Token,
    csrf: Csrf,
    session: State,
}
#[derive(Clone, Copy, PartialEq, Debug)]
enum Where {
    Elsewhere,
    Allowed,
}
#[derive(Clone, Copy, PartialEq, Debug)]
enum Token {
    Absent,
    Forged,
    Expired,
    Good,
}
#[derive(Clone, Copy, PartialEq, Debug)]
enum Csrf {
    Missing,
    Foreign,
    Right,
}
#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    UserInactive,
    LoggedOut,
    Live,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for origin in [Where::Elsewhere, Where::Allowed] {
            for token in [Token::Absent, Token::Forged, Token::Expired, Token::Good] {
                for csrf in [Csrf::Missing, Csrf::Foreign, Csrf::Right] {
                    for session in [State::UserInactive, State::LoggedOut, State::Live] {
                        all.push(Self { origin, token, csrf, session });
                    }
                }
            }
        }
        all
    }

    /// What the first check that fails answers; nothing where all but the last are passed.
    fn refusal(self) -> Option<(u16, &'static str)> {
        match (self.origin, self.token, self.csrf, self.session) {
            (Where::Elsewhere, ..) => Some((403, "origin_not_allowed")),
            (_, Token::Absent, ..) => Some((401, "not_authenticated")),
            (_, Token::Forged, ..) => Some((401, "refresh_token_invalid")),
            (_, Token::Expired, ..) => Some((401, "refresh_token_expired")),
            (_, _, Csrf::Missing | Csrf::Foreign, _) => Some((403, "csrf_failed")),
            (.., State::LoggedOut) => Some((401, "session_ended")),
            (.., State::UserInactive) => Some((401, "user_inactive")),
            (.., State::Live) => None,
        }
    }

    /// Sends it with what this actor holds.
    async fn send(self, world: &World, mut actor: Actor<'_>, foreign_csrf: &str) -> Answer {
        let good = actor.refresh_token();
        let past = world.now().secs() - 60;
        let token = match self.token {
            Token::Absent => String::new(),
            Token::Forged => spoilt(&good),
            Token::Expired => world.sign_refresh(&good, |claims| claims.expires_at = past),
            Token::Good => good,
        };
        let call = actor.request(Method::POST, ROUTE).cookie(&format!("refreshtoken={token}"));
        let call = match self.origin {
            Where::Elsewhere => call.header("origin", EVIL),
            Where::Allowed => call,
        };
        let call = match self.csrf {
            Csrf::Missing => call.without("x-csrftoken"),
            Csrf::Foreign => call.header("x-csrftoken", foreign_csrf),
            Csrf::Right => call,
        };
        call.send().await
    }
}

// attack 30, attack 46, attack 68
#[tokio::test(flavor = "multi_thread")]
async fn the_first_check_that_fails_answers_and_a_refusal_before_the_last_changes_nothing() {
    let world = World::new().await;
    let mut live = world.alice_in_a_browser().await;
    let mut logged_out = world.alice_in_a_browser().await;
    let mut inactive = world.browser();
    inactive.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let foreign = world.alice_in_a_browser().await.csrf.unwrap();
    // Each session is two generations on, and each client holds its first token: used up, which is checked last.
    let late = [live.clone(), logged_out.clone(), inactive.clone()];
    for _ in 0..2 {
        world.clock.turn(60);
        for actor in [&mut live, &mut logged_out, &mut inactive] {
            actor.refresh().await.expect(StatusCode::OK);
        }
    }
    logged_out.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    world.countersign.service().deactivate_user(world.bob.id).await.unwrap();
    let before = Everything::of(&world, &late).await;

    let [of_live, of_logged_out, of_inactive] = &late;
    for case in Case::all() {
        let Some((status, code)) = case.refusal() else { continue };
        let actor = match case.session {
            State::UserInactive => of_inactive,
            State::LoggedOut => of_logged_out,
            State::Live => of_live,
        };
        let answer = case.send(&world, actor.clone(), &foreign).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{case:?}");
        assert_eq!(answer.set_cookies(), [], "a refused refresh never touches a cookie");
    }
    assert_eq!(Everything::of(&world, &late).await, before);
    let answer = of_live.clone().refresh().await.refused(401, "refresh_token_reused");
    assert_eq!(answer.set_cookies(), []);
    assert_ne!(Everything::of(&world, &late).await, before);
}

/// A token whose signature isn't ours.
fn spoilt(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{signed}.{first}{}", &signature[1..])
}

/// All that a refresh could change.
#[derive(PartialEq, Debug)]
struct Everything {
    sessions: Vec<Session>,
    audited: usize,
}

impl Everything {
    async fn of(world: &World, actors: &[Actor<'_>]) -> Self {
        let mut sessions = Vec::new();
        for actor in actors {
            sessions.push(world.session(actor.session()).await);
        }
        let mut audited = 0;
        for kind in EventKind::ALL {
            audited += world.audited(kind).await.len();
        }
        Self { sessions, audited }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusals_have_the_sentences_of_the_contract() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let nothing = browser.request(Method::POST, ROUTE).without_cookies().send().await;
    let nothing = nothing.refused(401, "not_authenticated");
    assert_eq!(nothing.body["detail"], "Authentication credentials were not provided.");
    assert_eq!(nothing.header("www-authenticate"), Some("Bearer realm=\"countersign\""));
    world.clock.turn(604_800 + 10);
    let expired = browser.refresh().await.refused(401, "refresh_token_expired");
    assert_eq!(expired.body["detail"], "expired refresh token, please login again.");
    says_invalid_token(&expired);
}

#[track_caller]
fn says_invalid_token(answer: &Answer) {
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\", error_description=\""), "{challenge}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_expires_at_its_second_and_the_leeway_later() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    world.clock.turn(604_800 + 9);
    browser.clone().refresh().await.expect(StatusCode::OK);
    world.clock.turn(1);
    browser.clone().refresh().await.refused(401, "refresh_token_expired");
}

// attack 25: whatever its bytes, a token was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_can_be_no_token_is_a_token_that_does_not_verify() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let long = "x".repeat(8 * 1024);
    for value in ["x", "a.b.c", "\"quoted\"", "%41", "a b", "ü", "..", &long] {
        let mut browser = browser.clone();
        let call = browser.request(Method::POST, ROUTE).cookie(&format!("refreshtoken={value}"));
        says_invalid_token(&call.send().await.refused(401, "refresh_token_invalid"));
        let mut app = world.native();
        let answer = app.post(ROUTE, json!({ "refresh_token": value })).await;
        says_invalid_token(&answer.refused(401, "refresh_token_invalid"));
    }
    for nothing in ["refreshtoken=", "refreshtoken", "RefreshToken=x", " =refreshtoken", "xrefreshtoken=x"] {
        let mut browser = browser.clone();
        let call = browser.request(Method::POST, ROUTE).cookie(nothing);
        call.send().await.refused(401, "not_authenticated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_session_or_user_never_heard_of_is_invalid() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let unknown_session = SessionId::new(world.now(), [9; 10]);
    for token in [
        world.sign_refresh(&browser.refresh_token(), |claims| claims.session = unknown_session),
        world.sign_refresh(&browser.refresh_token(), |claims| claims.user = world.bob.id),
        world.sign_refresh(&browser.refresh_token(), |claims| claims.user = UserId(999)),
        world.sign_refresh(&browser.refresh_token(), |claims| claims.issued_at += 3600),
    ] {
        browser.with_refresh_cookie(&token).refresh().await.refused(401, "refresh_token_invalid");
    }
    let good = world.sign_refresh(&browser.refresh_token(), |_| {});
    browser.with_refresh_cookie(&good).refresh().await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_s_token_is_refused_in_a_body_and_the_reverse() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    world.clock.turn(60);
    let mut thief = browser.clone();
    let call = thief.request(Method::POST, ROUTE).without_cookies();
    let call = call.json(&json!({ "refresh_token": browser.refresh_token() }));
    call.send().await.refused(401, "refresh_token_invalid");
    let mut carrier = world.native();
    let call = carrier.request(Method::POST, ROUTE).cookie(&format!("refreshtoken={}", app.refresh_token()));
    call.send().await.refused(401, "refresh_token_invalid");
    for actor in [browser, app] {
        assert_eq!(world.session(actor.session()).await.generation, Generation::FIRST);
        actor.clone().refresh().await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_cookie_and_another_in_the_body_are_one_too_many() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let app = world.alice_in_an_app().await;
    world.clock.turn(60);
    let body = json!({ "refresh_token": app.refresh_token() });
    browser.post(ROUTE, body).await.refused(400, "invalid_request");
    for actor in [browser, app] {
        assert_eq!(world.session(actor.session()).await.generation, Generation::FIRST);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_is_json_or_nothing() {
    let world = World::new().await;
    let app = world.alice_in_an_app().await;
    let token = app.refresh_token();
    let form = format!("refresh_token={token}");
    let mut app = world.native();
    app.request(Method::POST, ROUTE).body(form.clone()).send().await.refused(415, "unsupported_media_type");
    for kind in ["application/x-www-form-urlencoded", "text/plain"] {
        let call = app.request(Method::POST, ROUTE).header("content-type", kind).body(form.clone());
        call.send().await.refused(415, "unsupported_media_type");
    }
    for wrong in [json!({"refresh_token": 1}), json!({"refresh_token": null}), json!([token])] {
        app.post(ROUTE, wrong).await.refused(400, "malformed_body");
    }
    app.request(Method::POST, ROUTE).send().await.refused(401, "not_authenticated");
    app.post(ROUTE, json!({})).await.refused(401, "not_authenticated");
}

// attack 54
#[tokio::test(flavor = "multi_thread")]
async fn of_several_refresh_cookies_those_count_that_the_csrf_header_countersigns() {
    let world = World::new().await;
    let mut victim = world.alice_in_a_browser().await;
    let mut attacker = world.browser();
    attacker.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    world.clock.turn(60);
    let (ours, tossed) = (victim.refresh_token(), attacker.refresh_token());
    for cookie in [
        format!("refreshtoken={tossed}; refreshtoken={ours}"),
        format!("refreshtoken={ours}; refreshtoken={tossed}"),
        format!("refreshtoken=junk; refreshtoken={ours}; refreshtoken=\"\"; refreshtoken={tossed}"),
        format!("{}refreshtoken={ours}", "refreshtoken=junk; ".repeat(100)),
    ] {
        let answer = victim.clone().request(Method::POST, ROUTE).cookie(&cookie).send().await;
        assert_eq!(answer.expect(StatusCode::OK).body["user"]["username"], ALICE, "{cookie}");
    }
    // With the other header it is the other one's, and nothing of the first.
    let cookie = format!("refreshtoken={ours}; refreshtoken={tossed}");
    let answer = attacker.request(Method::POST, ROUTE).cookie(&cookie).send().await;
    assert_eq!(answer.expect(StatusCode::OK).body["user"]["username"], BOB);
    victim.refresh().await.expect(StatusCode::OK);
}

// attack 54
#[tokio::test(flavor = "multi_thread")]
async fn of_several_cookies_of_one_session_the_highest_generation_counts() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let mut tokens = vec![browser.refresh_token()];
    for _ in 0..2 {
        world.clock.turn(60);
        browser.refresh().await.expect(StatusCode::OK);
        tokens.push(browser.refresh_token());
    }
    world.clock.turn(60);
    let [first, second, current] = &tokens[..] else { panic!() };
    let cookie = format!("refreshtoken={second}; refreshtoken={current}; refreshtoken={first}");
    let answer = browser.request(Method::POST, ROUTE).cookie(&cookie).send().await.expect(StatusCode::OK);
    assert_eq!(claims(&answer.set_cookie("refreshtoken").value)["gen"], 4);
    assert!(world.audited(EventKind::Theft).await.is_empty());
}

// attack 54
#[tokio::test(flavor = "multi_thread")]
async fn where_no_header_decides_between_two_sessions_there_is_no_token() {
    let world = World::new().await;
    let mut one = world.alice_in_a_browser().await;
    let mut other = world.browser();
    other.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let third = world.alice_in_a_browser().await.csrf.unwrap();
    world.clock.turn(60);
    let cookie = format!("refreshtoken={}; refreshtoken={}", one.refresh_token(), other.refresh_token());
    let (csrf, others_csrf) = (one.csrf.clone().unwrap(), other.csrf.clone().unwrap());
    one.request(Method::POST, ROUTE)
        .cookie(&cookie)
        .without("x-csrftoken")
        .send()
        .await
        .refused(401, "not_authenticated");
    one.request(Method::POST, ROUTE)
        .cookie(&cookie)
        .header("x-csrftoken", &third)
        .send()
        .await
        .refused(401, "not_authenticated");
    let both = one
        .request(Method::POST, ROUTE)
        .cookie(&cookie)
        .header("x-csrftoken", &csrf)
        .also("x-csrf-token", &others_csrf);
    both.send().await.refused(401, "not_authenticated");
    for actor in [&mut one, &mut other] {
        assert_eq!(world.session(actor.session()).await.generation, Generation::FIRST);
        actor.refresh().await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_csrf_header_has_three_names_and_they_may_not_contradict_each_other() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let csrf = browser.csrf.clone().unwrap();
    for name in ["X-CSRFTOKEN", "X-CSRF-Token", "X-XSRF-TOKEN"] {
        let mut browser = browser.clone();
        let call = browser.request(Method::POST, ROUTE).without("x-csrftoken").header(name, &csrf);
        call.send().await.expect(StatusCode::OK);
    }
    let mut browser = browser.clone();
    let agreeing = browser.request(Method::POST, ROUTE).header("X-XSRF-TOKEN", &csrf);
    agreeing.send().await.expect(StatusCode::OK);
    let contradicting = browser.request(Method::POST, ROUTE).header("X-XSRF-TOKEN", "another");
    contradicting.send().await.refused(403, "csrf_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn csrf_failed_says_what_is_wrong_with_the_header() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let others = world.alice_in_a_browser().await.csrf.unwrap();
    for (header, says) in [
        (None, "CSRF token missing"),
        (Some(others.as_str()), "CSRF token of another session"),
        (Some("undefined"), "CSRF header unreadable"),
    ] {
        let mut browser = browser.clone();
        let call = browser.request(Method::POST, ROUTE).without("x-csrftoken");
        let call = header.into_iter().fold(call, |call, value| call.header("x-csrftoken", value));
        let answer = call.send().await.refused(403, "csrf_failed");
        assert!(answer.body["detail"].as_str().unwrap().starts_with(says), "{says}");
    }
}

// attack 52, attack 53, attack 57
#[tokio::test(flavor = "multi_thread")]
async fn only_this_session_s_csrf_token_countersigns() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let own_other_session = world.alice_in_a_browser().await.csrf.unwrap();
    let csrf = browser.csrf.clone().unwrap();
    world.clock.turn(60);
    for wrong in [
        "",
        "x",
        &own_other_session,
        &csrf[1..],
        &format!("{csrf}="),
        &csrf.to_lowercase(),
        claims(&browser.refresh_token())["csh"].as_str().unwrap(),
        &"x".repeat(10_000),
    ] {
        let mut browser = browser.clone();
        let call = browser.request(Method::POST, ROUTE).header("x-csrftoken", wrong);
        call.send().await.refused(403, "csrf_failed");
    }
    // The cookie alone does nothing, whatever it says.
    let mut tossed = browser.clone();
    tossed.jar.insert("csrftoken".into(), "planted".into());
    tossed.request(Method::POST, ROUTE).without("x-csrftoken").send().await.refused(403, "csrf_failed");
    assert_eq!(world.session(browser.session()).await.generation, Generation::FIRST);
    tossed.refresh().await.expect(StatusCode::OK);
}

// attack 67
#[tokio::test(flavor = "multi_thread")]
async fn the_csrf_token_stays_for_a_session_s_life_and_changes_at_every_login() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let first = browser.csrf.clone().unwrap();
    for _ in 0..3 {
        world.clock.turn(86_400);
        let answer = browser.refresh().await.expect(StatusCode::OK);
        assert_eq!(answer.body["csrf_token"], *first);
        assert_eq!(browser.jar["csrftoken"], first);
    }
    browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    assert_ne!(browser.csrf.clone().unwrap(), first);
    browser
        .request(Method::POST, ROUTE)
        .header("x-csrftoken", &first)
        .send()
        .await
        .refused(403, "csrf_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_remembered_has_cookies_without_max_age_at_every_refresh_and_lasts_12_hours() {
    let world = World::new().await;
    let mut browser = world.browser();
    let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "remember": false});
    browser.post("/accounts/login", body).await.expect(StatusCode::OK);
    for hours in [1, 4, 6] {
        world.clock.turn(3600 * hours);
        let answer = browser.refresh().await.expect(StatusCode::OK);
        for cookie in answer.set_cookies() {
            assert!(
                !cookie.attributes.iter().any(|attribute| attribute.starts_with("Max-Age")),
                "{cookie:?}"
            );
        }
        let csrf = browser.get("/accounts/csrf").await.expect(StatusCode::OK).set_cookie("csrftoken");
        assert_eq!(csrf.attributes, ["Path=/", "SameSite=Lax"]);
    }
    let end = world.session(browser.session()).await.created_at.secs() + 12 * 3600;
    assert_eq!(claims(&browser.refresh_token())["exp"], end);
    world.clock.turn(3600 + 9);
    browser.clone().refresh().await.expect(StatusCode::OK);
    world.clock.turn(1);
    browser.refresh().await.refused(401, "refresh_token_expired");
}

// attack 36
#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_deactivated_or_deleted_is_refused_at_once() {
    let world = World::new().await;
    let mut of_alice = [world.alice_in_a_browser().await, world.alice_in_an_app().await];
    let mut of_bob = world.browser();
    of_bob.login(BOB, BOB_PASSWORD).await.expect(StatusCode::OK);
    let service = world.countersign.service();
    service.deactivate_user(world.alice.id).await.unwrap();
    service.delete_user(world.bob.id).await.unwrap();
    let [browser, app] = &mut of_alice;
    for actor in [browser, app, &mut of_bob] {
        let refused = actor.refresh().await.refused(401, "user_inactive");
        assert_eq!(refused.body["detail"], "user is inactive");
        says_invalid_token(&refused);
        actor.get("/accounts/profile").await.refused(401, "user_inactive");
    }
    // Active again, the user still has to log in: an ended session never lives again.
    service.activate_user(world.alice.id).await.unwrap();
    of_alice[0].refresh().await.refused(401, "user_inactive");
    world.alice_in_a_browser().await.refresh().await.expect(StatusCode::OK);
}

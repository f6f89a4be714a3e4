//! No bytes that a client can send make a `500`, and none a hang: properties over whole requests, on all routes. What
//! holds for every answer ([`crate::conventions`]) and what `openapi.json` says of each route are asked of these too.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use countersign::service::password::Password;
use countersign::settings::Settings;
use http::{Method, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{ALICE, ALICE_PASSWORD, Actor, BOB, EVIL, PAGE, World};

/// A request from nobody's pen. What stands in `{braces}` is filled in with what a signed-in client holds.
#[derive(Clone, Debug)]
struct Scribble {
    method: Method,
    target: String,
    headers: Headers,
    body: Vec<u8>,
}

type Headers = Vec<(&'static str, Vec<u8>)>;

/// Any bytes that a header's value may have.
fn header_bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![8 => 0x20..=0x7e_u8, 1 => Just(b'\t'), 1 => 0x80..=0xff_u8], 0..length)
}

/// Something that means something there, or has something changed, or is anything at all.
fn like(meant: &'static [&'static str]) -> BoxedStrategy<Vec<u8>> {
    let meant = proptest::sample::select(meant).prop_map(|text| text.as_bytes().to_vec());
    let changed =
        (meant.clone(), any::<prop::sample::Index>(), header_bytes(4)).prop_map(|(mut text, at, bytes)| {
            let at = at.index(text.len() + 1);
            text.splice(at..(at + bytes.len() / 2).min(text.len()), bytes);
            text
        });
    prop_oneof![3 => meant, 2 => changed, 1 => header_bytes(200)].boxed()
}

/// A route, by its method or by another, and its path with something behind it; or any path at all.
fn routes() -> impl Strategy<Value = (Method, String)> {
    const ROUTES: [(&str, &str); 16] = [
        ("POST", "/accounts/login"),
        ("POST", "/accounts/refresh_token"),
        ("POST", "/accounts/logout"),
        ("GET", "/accounts/csrf"),
        ("GET", "/accounts/profile"),
        ("PATCH", "/accounts/profile"),
        ("POST", "/accounts/password"),
        ("GET", "/accounts/sessions"),
        ("DELETE", "/accounts/sessions"),
        ("DELETE", "/accounts/sessions/{session}"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/docs/page.js"),
    ];
    const METHODS: [&str; 9] =
        ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "CONNECT"];
    let another = prop_oneof![
        3 => proptest::sample::select(&METHODS[..]).prop_map(str::to_owned),
        1 => "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}",
    ];
    let ending = prop_oneof![
        8 => Just(String::new()),
        1 => Just("/".to_owned()),
        1 => "\\?[ -~]{0,30}",
        1 => "(/[!-~]{0,30}){1,3}",
        1 => "(%[0-9a-f]{2}){1,5}",
    ];
    let known = (proptest::sample::select(&ROUTES[..]), prop::option::weighted(0.2, another.clone()), ending);
    let known = known.prop_map(|((method, path), another, ending)| {
        (another.unwrap_or_else(|| method.to_owned()), format!("{path}{ending}"))
    });
    prop_oneof![9 => known, 1 => (another, "/[!-~]{0,60}")]
        .prop_filter("a request's target", |(_, target)| {
            let target = target.replace("{session}", "x").parse::<Uri>();
            target.is_ok_and(|target| target.path().starts_with('/'))
        })
        .prop_map(|(method, target)| (Method::from_bytes(method.as_bytes()).unwrap(), target))
}

/// A header that comes with this probability, and now and then twice.
fn header(
    name: &'static str,
    probability: f64,
    meant: &'static [&'static str],
) -> impl Strategy<Value = Headers> {
    let values = prop_oneof![9 => vec(like(meant), 1), 1 => vec(like(meant), 2)];
    prop::option::weighted(probability, values)
        .prop_map(move |values| values.unwrap_or_default().into_iter().map(|value| (name, value)).collect())
}

fn headers() -> impl Strategy<Value = Headers> {
    let who = (
        header(
            "authorization",
            0.8,
            &["Bearer {access}", "Token {access}", "{access}", "Bearer {refresh}", "Bearer"],
        ),
        header("cookie", 0.6, &["refreshtoken={refresh}", "a=b; refreshtoken={refresh}", "refreshtoken=x"]),
        header("x-csrftoken", 0.8, &["{csrf}"]),
        header("idempotency-key", 0.2, &["0123456789012345678901", "short"]),
    );
    let whence = (
        header("origin", 0.2, &[PAGE, PAGE, EVIL, "null"]),
        header("sec-fetch-site", 0.1, &["same-origin", "cross-site", "none"]),
        header("x-forwarded-for", 0.3, &["198.51.100.1", "::1, 198.51.100.7", "[2001:db8::1]:80, unknown"]),
        header("forwarded", 0.3, &["for=198.51.100.1", "for=\"[2001:db8::1]:1\";proto=https", "for=\"_x\""]),
        header("host", 0.1, &["localhost:8000", "[::1]", "a b"]),
    );
    let what = (
        header("content-type", 0.9, &["application/json", "application/json; charset=utf-8", "text/plain"]),
        header("x-request-id", 0.2, &["an-id", "an id"]),
        header("user-agent", 0.2, &["Browser/1"]),
    );
    (who, whence, what)
        .prop_map(|((a, b, c, d), (e, f, g, h, i), (j, k, l))| [a, b, c, d, e, f, g, h, i, j, k, l].concat())
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e400".to_owned()),
        Just(format!("\"{ALICE}\"")),
        Just(format!("\"{BOB}@example.com\"")),
        Just(format!("\"{ALICE_PASSWORD}\"")),
        Just("\"{refresh}\"".to_owned()),
        Just("\"body\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[^\"\\\\\\p{Cc}]{0,40}".prop_map(|text| format!("\"{text}\"")),
        Just("\"\\u0000\\ud83e\\udd80\"".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            inner.prop_map(|value| format!("{{\"x\":{value}}}")),
        ]
    });
    let name = proptest::sample::select(
        &[
            "username",
            "password",
            "remember",
            "token_delivery",
            "refresh_token",
            "email",
            "first_name",
            "last_name",
            "old_password",
            "new_password",
            "id",
            "is_active",
            "x",
        ][..],
    );
    let object = vec((name, value), 0..5).prop_map(|members| {
        let members: Vec<_> =
            members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    let deep = Just(format!("{{\"x\":{}", "[".repeat(10_000)).into_bytes());
    prop_oneof![6 => object, 2 => Just(Vec::new()), 2 => vec(any::<u8>(), 0..200), 1 => deep]
}

fn scribbles() -> impl Strategy<Value = Scribble> {
    (routes(), headers(), bodies()).prop_map(|((method, target), headers, body)| Scribble {
        method,
        target,
        headers,
        body,
    })
}

/// The bytes with what this client holds in the place of its name.
fn filled(bytes: &[u8], actor: &Actor<'_>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    text.replace("{access}", actor.access.as_ref().unwrap())
        .replace("{refresh}", &actor.refresh_token())
        .replace("{csrf}", actor.csrf.as_deref().unwrap_or_default())
        .replace("{session}", &actor.session().to_string())
        .into_bytes()
}

/// Sends it; the answer is looked at where every answer is.
async fn send(actor: &Actor<'_>, scribble: &Scribble) -> u16 {
    let mut sender = actor.clone();
    sender.headers.clear();
    (sender.access, sender.csrf) = (None, None);
    let target = String::from_utf8(filled(scribble.target.as_bytes(), actor)).unwrap();
    let mut call = sender.request(scribble.method.clone(), &target).without_cookies();
    for (name, value) in &scribble.headers {
        call = call.also_bytes(name, &filled(value, actor));
    }
    let answer = call.body(filled(&scribble.body, actor)).send();
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await;
    answer.expect("an answer in time").status.as_u16()
}

/// The two kinds of client, both signed in: as if for the first time, whatever was scribbled before.
async fn clients(world: &World) -> [Actor<'_>; 2] {
    world.clock.turn(600);
    let password = Password::new(ALICE_PASSWORD).unwrap();
    world.countersign.service().set_password(&world.alice, password).await.unwrap();
    [world.alice_in_a_browser().await, world.alice_in_an_app().await]
}

// attack 99
#[test]
fn no_bytes_that_a_client_can_send_make_a_500_or_a_hang() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let change = |settings: &mut Settings| settings.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
    let world = runtime.block_on(World::with(change));
    let signed_in = RefCell::new(runtime.block_on(clients(&world)));
    let statuses = RefCell::new(BTreeMap::<u16, u32>::new());
    let config = ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() };
    let one = |(scribble, sender): (Scribble, usize)| {
        let actors = &mut *signed_in.borrow_mut();
        runtime.block_on(async {
            let status = send(&actors[sender], &scribble).await;
            *statuses.borrow_mut().entry(status).or_default() += 1;
            // Whoever was logged out comes back, so that the deeper checks are reached.
            if world.session(actors[sender].session()).await.ended.is_some() {
                *actors = clients(&world).await;
            }
        });
        Ok(())
    };
    TestRunner::new(config).run(&(scribbles(), 0..2_usize), one).unwrap();
    let statuses = statuses.into_inner();
    for reached in [200, 204, 400, 401, 403, 404, 405, 415] {
        assert!(statuses.contains_key(&reached), "the scribbles got nowhere: {statuses:?}");
    }
    runtime.block_on(clients(&world));
}

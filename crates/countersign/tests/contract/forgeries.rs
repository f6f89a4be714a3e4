//! Forged tokens, through a private route and through the refresh cookie. Most are signed with the real key and have
//! one flaw; the rules themselves are proven in `core`, here it is that every way in goes through them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::forge::{Forge, encode, mac};
use crate::support::{Actor, Answer, World};

/// What is wrong, and the token that has it wrong.
type Forgeries = Vec<(String, String)>;

/// Flaws, collected.
#[derive(Default)]
struct Flaws(Forgeries);

impl Flaws {
    fn add(&mut self, what: &str, token: String) {
        self.0.push((what.to_owned(), token));
    }
}

/// The flaws that both tokens can have.
fn flaws(good: &str, forge: &Forge) -> Flaws {
    let mut all = Flaws::default();
    algorithms(forge, &mut all);
    structures(good, &mut all);
    extensions(good, forge, &mut all);
    encodings(good, forge, &mut all);
    times(forge, &mut all);
    names(forge, &mut all);
    members(forge, &mut all);
    payloads(good, forge, &mut all);
    all
}

/// The algorithm.
fn algorithms(forge: &Forge, all: &mut Flaws) {
    // attack 1
    for none in ["none", "None", "NONE", "nOnE"] {
        let token = forge.header("alg", &format!("\"{none}\""));
        let unsigned = token.rsplit_once('.').unwrap().0.to_owned();
        all.add(none, token);
        all.add(&format!("{none}, unsigned"), format!("{unsigned}."));
        all.add(&format!("{none}, without a signature"), unsigned);
    }
    // attack 3
    for alg in ["", "hs256", "HS384", "HS512", "ES256", "RS256", "PS256", "eddsa", "EdDSA ", "Ed25519"] {
        all.add("alg", forge.header("alg", &format!("\"{alg}\"")));
    }
    all.add("alg missing", forge.without_header("alg"));
    all.add("alg no text", forge.header("alg", "256"));
}

/// Three parts, and nothing else.
fn structures(good: &str, all: &mut Flaws) {
    let [header, payload, signature] = parts(good);
    // attack 4
    for broken in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{payload}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 4]),
        format!("{header}.{payload}.{}", encode([0; 64])),
    ] {
        all.add("structure", broken);
    }
}

/// Keys and extensions that the header asks for.
fn extensions(good: &str, forge: &Forge, all: &mut Flaws) {
    let [header, payload, signature] = parts(good);
    // attack 6: signed by the key that the token brings
    let theirs = Ed25519KeyPair::generate().unwrap();
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, encode(theirs.public_key()));
    let elsewhere = r#""https://evil.example/key""#;
    for (name, value) in [("jwk", &*jwk), ("jku", elsewhere), ("x5u", elsewhere), ("x5c", r#"["AAAA"]"#)] {
        let named = forge.header(name, value);
        let (signed, _) = named.rsplit_once('.').unwrap();
        all.add(name, format!("{signed}.{}", encode(theirs.sign(signed.as_bytes()))));
    }
    // attack 8, attack 9, attack 12
    for (name, value) in [
        ("crit", r#"["exp"]"#),
        ("crit", "[]"),
        ("crit", "true"),
        ("crit", r#"["b64"]"#),
        ("b64", "false"),
        ("b64", "true"),
        ("zip", "\"DEF\""),
    ] {
        all.add(name, forge.header(name, value));
    }
    all.add("detached", format!("{header}..{signature}"));
    all.add("five parts", format!("{header}.{payload}.{signature}.{payload}.{signature}"));
    let costly = r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483648,"p2s":"AAAA","enc":"A128GCM"}"#;
    all.add("PBES2", forge.of_parts(&encode(costly), payload));
}

/// One spelling.
fn encodings(good: &str, forge: &Forge, all: &mut Flaws) {
    let [header, payload, signature] = parts(good);
    let (_, claims_json) = forge.json();
    // attack 10
    for (what, token) in [
        ("padded", format!("{good}=")),
        ("padded header", format!("{header}=.{payload}.{signature}")),
        ("standard alphabet", forge.of_parts(header, &STANDARD.encode(format!("{claims_json}>>>???")))),
        ("space", format!("{header}. {payload}.{signature}")),
        ("question mark", format!("{header}?.{payload}.{signature}")),
        ("stray bits", stray_bits(good)),
        ("signed padding", forge.of_parts(&format!("{header}="), payload)),
    ] {
        all.add(what, token);
    }
    // attack 11
    let flat = format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#);
    all.add("JSON serialisation", flat);
    all.add("braces", format!("{{{good}}}"));
    all.add("quotes", format!("\"{good}\""));
}

/// Whole seconds.
fn times(forge: &Forge, all: &mut Flaws) {
    // attack 13
    for name in ["exp", "iat", "nbf"] {
        for value in r#""1795000300" 1795000300.5 1795000300.0 1.795e9 -1 true null [] {} 1e308 9223372036854775808 18446744073709551616 """#.split(' ') {
            all.add(name, forge.claim(name, value));
        }
    }
    all.add("exp missing", forge.without_claim("exp"));
    all.add("iat missing", forge.without_claim("iat"));
    // attack 14
    all.add("not yet", forge.claim("nbf", "1795000011"));
    all.add("of the future", forge.claim("iat", "1795000011"));
}

/// Who, where, which session.
fn names(forge: &Forge, all: &mut Flaws) {
    // attack 16
    for value in r#""http://localhost" "http://localhost:8000/" ["http://localhost:8000"] null """#.split(' ')
    {
        all.add("iss", forge.claim("iss", value));
    }
    all.add("iss missing", forge.without_claim("iss"));
    // attack 17
    for value in r#"null 1 {} [] true "" "01" "+1" "-1" "0" "alice" "999" "2""#.split(' ') {
        all.add("sub", forge.claim("sub", value));
    }
    all.add("sub missing", forge.without_claim("sub"));
    for value in
        r#"null 1 "" "x" "00000000-0000-0000-0000-000000000000" "018c5b4e-0000-7000-8000-000000000000""#
            .split(' ')
    {
        all.add("sid", forge.claim("sid", value));
    }
    all.add("sid missing", forge.without_claim("sid"));
    // attack 15
    for value in r#""session" "Access" null 1"#.split(' ') {
        all.add("token_type", forge.claim("token_type", value));
    }
    all.add("token_type missing", forge.without_claim("token_type"));
    all.add("csh", forge.claim("csh", "\"short\""));
    all.add("csh of no text", forge.claim("csh", "null"));
}

/// Each member once, in its type, and of the right kind of token.
fn members(forge: &Forge, all: &mut Flaws) {
    // attack 18
    for name in ["alg", "typ", "exp", "sub", "sid", "iss"] {
        all.add("twice", forge.twice(name));
    }
    // attack 19
    for typ in ["\"JWT\"", "\"jwt\"", "\"\"", "null", "1", "\"id+jwt\"", "\"application/jwt\""] {
        all.add("typ", forge.header("typ", typ));
    }
    all.add("typ missing", forge.without_header("typ"));
}

/// What is no strict JSON object of a bounded size.
fn payloads(good: &str, forge: &Forge, all: &mut Flaws) {
    let [header, payload, _] = parts(good);
    let (header_json, claims_json) = forge.json();
    // attack 20
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(2000), close.repeat(2000));
    all.add("deep claims", forge.claim("x", &deep("[", "]")));
    all.add("over 8 KiB", forge.claim("x", &format!("\"{}\"", "x".repeat(8 * 1024))));
    all.add("dots", ".".repeat(8000));
    all.add("no JSON", forge.of_parts(header, &encode("no JSON")));
    all.add("no object", forge.of_parts(header, &encode("[]")));
    all.add("trailing data", forge.of_parts(header, &encode(format!("{claims_json} {{}}"))));
    all.add("byte order mark", forge.of_parts(&encode(format!("\u{feff}{header_json}")), payload));
    all.add("not UTF-8", forge.of_parts(header, &encode(b"{\"a\":\"\xff\"}")));
}

/// The three parts of a token.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// The same signature with other bits where none count.
fn stray_bits(token: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let at = ALPHABET.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[at | 1]))
}

/// The flaws that only an access token can have.
fn flaws_of_access(world: &World, good: &str, forge: &Forge) -> Forgeries {
    let mut all = flaws(good, forge);
    // attack 7
    for kid in [
        "",
        "../../../../dev/null",
        "/dev/null",
        "|sleep 10",
        "x' UNION SELECT '1';--",
        "\\u0000",
        &"k".repeat(5000),
    ] {
        all.add("kid", forge.header("kid", &format!("\"{kid}\"")));
    }
    all.add("kid missing", forge.without_header("kid"));
    all.add("kid of no text", forge.header("kid", "1"));
    all.add("two kids", forge.twice("kid"));
    // attack 16
    for value in
        r#""http://localhost" "localhost:8000" [] [1] null {} ["http://localhost:8000",1]"#.split(' ')
    {
        all.add("aud", forge.claim("aud", value));
    }
    all.add("aud missing", forge.without_claim("aud"));
    // attack 17
    for value in r#""1" 1.0 null 2 -1 [1]"#.split(' ') {
        all.add("user_id", forge.claim("user_id", value));
    }
    all.add("user_id missing", forge.without_claim("user_id"));
    all.add("typ of the other", forge.header("typ", "\"rt+jwt\""));
    all.add("type of the other", forge.claim("token_type", "\"refresh\""));
    // attack 2
    for secret in public_forms(&world.countersign.service().public_keys()["keys"][0]) {
        let confused = forge.header("alg", "\"HS256\"");
        let (signed, _) = confused.rsplit_once('.').unwrap();
        all.add("algorithm confusion", format!("{signed}.{}", encode(mac(&secret, signed))));
    }
    all.0
}

/// The public key as anybody may have it: PEM in three spellings, DER, raw, JWK, its base64url.
fn public_forms(jwk: &Value) -> Vec<Vec<u8>> {
    let x = jwk["x"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(x).unwrap();
    let der = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), &raw].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    let texts = [pem.clone(), pem.trim_end().to_owned(), format!(" {pem}"), jwk.to_string(), x.to_owned()];
    texts.into_iter().map(String::into_bytes).chain([der, raw]).collect()
}

fn flaws_of_refresh(good: &str, forge: &Forge) -> Forgeries {
    let mut all = flaws(good, forge);
    for value in r#""1" 1.0 null -1 0 1e3 9223372036854775808 true"#.split(' ') {
        all.add("gen", forge.claim("gen", value));
    }
    all.add("gen missing", forge.without_claim("gen"));
    all.add("typ of the other", forge.header("typ", "\"at+jwt\""));
    all.add("type of the other", forge.claim("token_type", "\"access\""));
    for secret in [&b""[..], b"secret", b"changeme", &[0; 32]] {
        let (signed, _) = good.rsplit_once('.').unwrap();
        all.add("guessed secret", format!("{signed}.{}", encode(mac(secret, signed))));
    }
    all.0
}

async fn profile_with(actor: &Actor<'_>, token: &str) -> Answer {
    let mut actor = actor.clone();
    let authorization = format!("Bearer {token}");
    actor.request(Method::GET, "/accounts/profile").header("authorization", &authorization).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_access_token_is_invalid_with_the_same_bytes_whatever_is_wrong() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let good = browser.access.clone().unwrap();
    let forge = Forge::access(&world, &good).await;
    assert_eq!(
        profile_with(&browser, &forge.token()).await.status,
        StatusCode::OK,
        "the forge's own work is good"
    );
    let invalid = profile_with(&browser, "a.b.c").await.refused(401, "token_invalid").bytes;
    for (what, token) in flaws_of_access(&world, &good, &forge) {
        // A blank makes it three words, which is no token either; the scheme alone has another answer.
        if token.is_empty() {
            continue;
        }
        let answer = profile_with(&browser, &token).await;
        assert_eq!(
            (answer.status, &answer.bytes),
            (StatusCode::UNAUTHORIZED, &invalid),
            "{what}: {token:.200}"
        );
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"), "{what}");
    }
    // attack 23: the good ones are still good, and no forgery was remembered for them.
    assert_eq!(profile_with(&browser, &good).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_refresh_token_is_invalid_with_the_same_bytes_whatever_is_wrong() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let good = browser.refresh_token();
    let forge = Forge::refresh(&world, &good);
    let own = browser.with_refresh_cookie(&forge.token()).refresh().await;
    assert_eq!(own.status, StatusCode::OK, "the forge's own work is good");
    let invalid =
        browser.with_refresh_cookie("a.b.c").refresh().await.refused(401, "refresh_token_invalid").bytes;
    for (what, token) in flaws_of_refresh(&good, &forge) {
        if token.is_empty() {
            continue;
        }
        let answer = browser.with_refresh_cookie(&token).refresh().await;
        // A cookie longer than any token is told so.
        let expected = if token.len() > 8 * 1024 { 431 } else { 401 };
        assert_eq!(answer.status.as_u16(), expected, "{what}: {token:.200}");
        assert!(expected == 431 || answer.bytes == invalid, "{what}: {token:.200}");
    }
    assert_eq!(world.session(browser.session()).await.generation, countersign::core::Generation::FIRST);
    browser.with_refresh_cookie(&good).refresh().await.expect(StatusCode::OK);
}

// attack 16, attack 19
#[tokio::test(flavor = "multi_thread")]
async fn what_the_contract_lets_vary_is_good() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let forge = Forge::access(&world, browser.access.as_ref().unwrap()).await;
    for token in [
        forge.claim("aud", r#"["https://api.example","http://localhost:8000"]"#),
        forge.header("typ", "\"AT+JWT\""),
        forge.header("typ", "\"application/at+jwt\""),
        forge.header("jku", "\"https://evil.example/k\""),
        forge.claim("nbf", "1795000010"),
        forge.claim("iat", "1795000010"),
        forge.without_claim("jti"),
        forge.without_claim("auth_time"),
        forge.claim("more", "[1, {\"of\": \"it\"}]"),
    ] {
        let answer = profile_with(&browser, &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{token}");
    }
}

// attack 17
#[tokio::test(flavor = "multi_thread")]
async fn the_first_sight_of_a_token_checks_that_its_session_is_there_and_its_user_s() {
    let world = World::new().await;
    let alice = world.alice_in_a_browser().await;
    let mut bob = world.browser();
    bob.login(crate::support::BOB, crate::support::BOB_PASSWORD).await.expect(StatusCode::OK);
    let forge = Forge::access(&world, alice.access.as_ref().unwrap()).await;
    let of_bob = forge.claim("sid", &format!("\"{}\"", bob.session()));
    profile_with(&alice, &of_bob).await.refused(401, "token_invalid");
    // Both were there once; a user who is gone is no stranger.
    world.countersign.service().delete_user(world.alice.id).await.unwrap();
    profile_with(&alice, &forge.token()).await.refused(401, "user_inactive");
}

// attack 22
#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_any_one_character_changed_is_invalid() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let access = browser.access.clone().unwrap();
    profile_with(&browser, &access).await.expect(StatusCode::OK);
    for at in 0..access.len() {
        let mut spoilt = access.clone().into_bytes();
        spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
        let answer = profile_with(&browser, str::from_utf8(&spoilt).unwrap()).await;
        answer.refused(401, "token_invalid");
    }
    let refresh = browser.refresh_token();
    for at in 0..refresh.len() {
        let mut spoilt = refresh.clone().into_bytes();
        spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(spoilt).unwrap();
        browser.with_refresh_cookie(&spoilt).refresh().await.refused(401, "refresh_token_invalid");
    }
}

// attack 12, attack 20
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_token_costs_no_more_than_its_bytes() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    for huge in [".".repeat(30_000), "a".repeat(30_000), format!("{}.b.c", encode("[".repeat(20_000)))] {
        let started = std::time::Instant::now();
        let call = browser.request(Method::GET, "/accounts/profile").without_cookies();
        call.header("authorization", &format!("Bearer {huge}")).send().await.refused(401, "token_invalid");
        assert!(started.elapsed() < std::time::Duration::from_secs(1));
    }
    let over = format!("Bearer {}", "a".repeat(40_000));
    let answer =
        browser.request(Method::GET, "/accounts/profile").header("authorization", &over).send().await;
    answer.refused(431, "headers_too_large");
}

// attack 25
#[tokio::test(flavor = "multi_thread")]
async fn a_token_anywhere_but_in_the_authorization_header_is_none() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let access = browser.access.clone().unwrap();
    let mut bare = world.anonymous();
    for path in [
        format!("/accounts/profile?access_token={access}"),
        format!("/accounts/profile?token={access}"),
        format!("/accounts/profile?authorization=Bearer%20{access}"),
    ] {
        bare.get(&path).await.refused(401, "not_authenticated");
    }
    let cookie = format!("access_token={access}; authorization=Bearer {access}");
    bare.request(Method::GET, "/accounts/profile")
        .cookie(&cookie)
        .send()
        .await
        .refused(401, "not_authenticated");
    for header in ["x-access-token", "x-authorization", "proxy-authorization"] {
        let call = bare.request(Method::GET, "/accounts/profile").header(header, &format!("Bearer {access}"));
        call.send().await.refused(401, "not_authenticated");
    }
    let form = format!("access_token={access}");
    let call = bare
        .request(Method::PATCH, "/accounts/profile")
        .header("content-type", "application/x-www-form-urlencoded");
    call.body(form).send().await.refused(401, "not_authenticated");
    let body: Value = serde_json::json!({"access_token": access});
    bare.post("/accounts/password", body).await.refused(401, "not_authenticated");
}

//! One service behind the layer, the issuer that it trusts, a clock that can be turned, and a forge.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::csrf::CsrfKey;
use countersign_core::jwt::{AccessClaims, Algorithm, KeyId, SigningKey};
use countersign_core::{Clock, Secret, SessionId, Timestamp, UserId};
use countersign_verify::{Answer, AuthLayer, Authenticated, KeySet, Liveness, NotLive, Verifier};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "https://api.example";

/// The issuer's key.
pub(crate) static KEY: LazyLock<SigningKey> = LazyLock::new(|| signing_key("ours"));

/// The service, and what the tests turn.
pub(crate) struct World {
    pub(crate) clock: Arc<Turned>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) router: Router,
}

/// A clock that stands until it is turned.
pub(crate) struct Turned(AtomicI64);

/// Sessions that live, and news of those that don't.
#[derive(Default)]
pub(crate) struct Sessions {
    owners: Mutex<HashMap<SessionId, UserId>>,
    gone: Arc<Mutex<HashMap<SessionId, NotLive>>>,
    asked: AtomicU32,
}

/// An answer, read whole.
#[derive(Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

impl World {
    /// Session 1 of user 42 is alive, and nothing else.
    pub(crate) fn new() -> Self {
        Self::tuned(|verifier| verifier)
    }

    pub(crate) fn tuned(tune: impl FnOnce(Verifier) -> Verifier) -> Self {
        let clock = Arc::new(Turned(AtomicI64::new(NOW)));
        let sessions = Arc::new(Sessions::default());
        sessions.start(session(1), UserId(42));
        let verifier = Verifier::new(keys([&KEY]), ISSUER, AUDIENCE)
            .with_clock(clock.clone())
            .with_liveness(sessions.clone());
        let verifier = Arc::new(tune(verifier));
        let router = router().layer(layer(&verifier));
        Self { clock, sessions, verifier, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        Answered::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// `GET /me` with this `Authorization` header.
    pub(crate) async fn get(&self, authorization: impl AsRef<[u8]>) -> Answered {
        self.send(request(Method::GET, "/me", authorization)).await
    }

    /// `GET /me` with this token.
    pub(crate) async fn bearer(&self, token: &str) -> Answered {
        self.get(format!("Bearer {token}")).await
    }
}

pub(crate) fn router() -> Router {
    let echo = async |caller: Authenticated, body: String| format!("{} says {body}", caller.user);
    let whoami = async |caller: Option<Authenticated>| caller.map_or("nobody".into(), |c| c.user.to_string());
    Router::new()
        .route("/me", get(async |caller: Authenticated| caller.user.to_string()))
        .route("/notes", post(echo).put(echo).patch(echo).delete(echo))
        .route("/notes/{id}", get("a note").post("changed"))
        .route("/open", get("open").post("open"))
        .route("/whoami", get(whoami).post(whoami))
        .route("/strict", get(async |caller: Authenticated| caller.user.to_string()))
}

pub(crate) fn layer(verifier: &Arc<Verifier>) -> AuthLayer {
    AuthLayer::new(Arc::clone(verifier))
        .public(Method::GET, "/open")
        .public(Method::GET, "/notes/{id}")
        .public(Method::GET, "/whoami")
        .public(Method::POST, "/whoami")
        .public(Method::GET, "/strict")
}

pub(crate) fn request(method: Method, path: &str, authorization: impl AsRef<[u8]>) -> Request<Body> {
    let authorization = HeaderValue::from_bytes(authorization.as_ref()).unwrap();
    let request = Request::builder().method(method).uri(path);
    request.header(header::AUTHORIZATION, authorization).body(Body::empty()).unwrap()
}

pub(crate) fn bare(method: Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

impl Answered {
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        if !parts.status.is_success() && parts.status != StatusCode::METHOD_NOT_ALLOWED {
            assert_eq!(text(header::CONTENT_TYPE).unwrap(), "application/problem+json");
            assert_eq!(text(header::CACHE_CONTROL).unwrap(), "no-store");
        }
        Self {
            status: parts.status,
            challenge: text(header::WWW_AUTHENTICATE),
            retry_after: text(header::RETRY_AFTER),
            body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{self:?}");
    }

    /// The caller was let in, as user 42.
    pub(crate) fn is_let_in(&self) {
        assert_eq!((self.status, self.body.as_str()), (StatusCode::OK, "42"), "{self:?}");
    }

    /// Byte for byte the one answer for every fault of a token.
    pub(crate) fn is_token_invalid(&self, what: &str) {
        let expected = Self {
            status: StatusCode::UNAUTHORIZED,
            challenge: Some(
                "Bearer realm=\"countersign\", error=\"invalid_token\", \
                 error_description=\"access_token invalid\""
                    .into(),
            ),
            retry_after: None,
            body: "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\
                   \"detail\":\"access_token invalid\",\"code\":\"token_invalid\"}"
                .into(),
        };
        assert_eq!(*self, expected, "{what}");
    }
}

impl Turned {
    pub(crate) fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

impl Sessions {
    pub(crate) fn start(&self, session: SessionId, owner: UserId) {
        self.owners.lock().unwrap().insert(session, owner);
    }

    pub(crate) fn end(&self, session: SessionId, why: NotLive) {
        self.gone.lock().unwrap().insert(session, why);
    }

    /// How often a token was seen for the first time.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Liveness for Sessions {
    fn check(&self, claims: &AccessClaims, first_sight: bool) -> Answer {
        let news = Arc::clone(&self.gone);
        let session = claims.session;
        let told = move || news.lock().unwrap().get(&session).map_or(Ok(()), |why| Err(*why));
        if !first_sight {
            return Answer::Now(told());
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let known = self.owners.lock().unwrap().get(&session) == Some(&claims.user);
        Answer::later(async move {
            tokio::task::yield_now().await;
            if known { told() } else { Err(NotLive::Unknown) }
        })
    }
}

pub(crate) fn signing_key(name: &str) -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, KeyId::parse(name).unwrap()).unwrap()
}

pub(crate) fn keys<const N: usize>(keys: [&SigningKey; N]) -> KeySet {
    KeySet::new(keys.map(|key| key.verifying_key().clone()).to_vec()).unwrap()
}

pub(crate) fn session(n: u8) -> SessionId {
    SessionId::new(Timestamp::from_secs(NOW), [n; 10])
}

pub(crate) fn csrf_token(session: SessionId) -> String {
    CsrfKey::new(&Secret::new([3; 32])).token(session).expose().to_owned()
}

/// The claims of a cookie session of user 42, good for five minutes.
pub(crate) fn claims(n: u8) -> AccessClaims {
    AccessClaims {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        user: UserId(42),
        session: session(n),
        jti: Some("an id".into()),
        issued_at: NOW,
        expires_at: NOW + 300,
        auth_time: Some(NOW),
        csh: Some(CsrfKey::new(&Secret::new([3; 32])).token(session(n)).csh()),
        extra: serde_json::Map::new(),
    }
}

/// The same, of a body-delivered session.
pub(crate) fn native_claims(n: u8) -> AccessClaims {
    AccessClaims { csh: None, ..claims(n) }
}

/// A good token of session `n`.
pub(crate) fn token(n: u8) -> String {
    KEY.sign_access(&claims(n)).unwrap()
}

/// A token with the issuer's own signature over this header and these claims, whatever they are.
pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    signed_text(&header.to_string(), &claims.to_string())
}

pub(crate) fn signed_text(header: &str, claims: &str) -> String {
    let text = unsigned(header, claims);
    let pair = Ed25519KeyPair::from_pkcs8(KEY.to_pkcs8().unwrap().expose()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes())))
}

/// A token under HS256 with this key.
pub(crate) fn signed_hs256(header: &Value, claims: &Value, key: &[u8]) -> String {
    let text = unsigned(&header.to_string(), &claims.to_string());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

pub(crate) fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// The header of a good token.
pub(crate) fn good_header() -> Value {
    json!({"alg": "EdDSA", "kid": "ours", "typ": "at+jwt"})
}

/// The claims of a good token, as JSON.
pub(crate) fn good_claims() -> Value {
    let token = token(1);
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// `json` with one member set to something else; removed, if that is `None`.
pub(crate) fn with(mut json: Value, name: &str, value: impl Into<Option<Value>>) -> Value {
    let members = json.as_object_mut().unwrap();
    match value.into() {
        Some(value) => members.insert(name.into(), value),
        None => members.remove(name),
    };
    json
}

//! The log: nothing in it is a secret, at whatever level.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use countersign::service::derive::Derived;
use countersign::store::{AuditFilter, EventKind};
use http::{Method, StatusCode};
use serde_json::json;
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::support::{Actor, Answer, World, add_user};

const NAME: &str = "carol";
const PASSWORD: &str = "seven green otters sing";
const NEW_PASSWORD: &str = "eight blue herons listen";
const WRONG: &str = "six red foxes whistle";
const KEY: &str = "an-idempotency-key-of-carol";

/// All that this process logs while it is listened to.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

static LISTENING: AtomicBool = AtomicBool::new(true);

impl Log {
    /// Listens to every thread: the store and the hashing have their own. What other tests log meanwhile is no harm.
    fn listen() -> Self {
        let log = Self::default();
        let writer = log.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).with_span_events(FmtSpan::FULL);
        let layer = layer.with_filter(dynamic_filter_fn(|_, _| LISTENING.load(Ordering::Relaxed)));
        tracing_subscriber::registry().with(LevelFilter::TRACE).with(layer).init();
        log
    }

    fn text(&self) -> String {
        LISTENING.store(false, Ordering::Relaxed);
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What must be nowhere.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        self.0.push(secret.to_owned());
    }

    /// What a client was given. Of a JWT the claims and the signature: a header is the same for all.
    fn add_those_of(&mut self, actor: &Actor<'_>) {
        let memory = actor.memory();
        let held = memory.jar.into_values().chain(memory.access).chain(memory.refresh).chain(memory.csrf);
        for secret in held {
            self.0.extend(secret.split('.').skip(usize::from(secret.contains('.'))).map(str::to_owned));
        }
        // An id tells nobody anything, but with it a log names a live session.
        self.add(&actor.session().to_string());
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        self.0.extend([STANDARD_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)]);
        self.0.extend(std::str::from_utf8(bytes).map(str::to_owned));
    }

    #[track_caller]
    fn are_not_in(&self, place: &str, text: &str) {
        for secret in &self.0 {
            assert!(secret.len() > 10, "{secret} may be anywhere");
            assert!(!text.contains(secret), "{secret} is in {place}");
        }
    }
}

/// A client's whole story, in acts. What it was told when it was refused is kept.
struct Story<'w> {
    world: &'w World,
    browser: Actor<'w>,
    secrets: Secrets,
    refusals: Vec<String>,
}

impl Story<'_> {
    fn told(&mut self, answer: &Answer) {
        self.refusals.push(format!("{:?} {}", answer.headers, answer.body));
    }

    async fn login_and_refresh(&mut self) {
        let refused = self.browser.login(NAME, WRONG).await.refused(401, "invalid_credentials");
        self.told(&refused);
        let refused = self.browser.login(WRONG, PASSWORD).await.refused(401, "invalid_credentials");
        self.told(&refused);
        self.browser.login(NAME, PASSWORD).await.expect(StatusCode::OK);
        self.secrets.add_those_of(&self.browser);
        self.world.clock.turn(60);
        let call = self.browser.request(Method::POST, "/accounts/refresh_token");
        call.header("idempotency-key", KEY).send().await.expect(StatusCode::OK);
        self.secrets.add_those_of(&self.browser);
    }

    async fn profile(&mut self) {
        for path in ["/accounts/csrf", "/accounts/profile", "/accounts/sessions"] {
            self.browser.get(path).await.expect(StatusCode::OK);
        }
        let email = |password: &str| json!({"email": "c@example.com", "password": password});
        let refused = self.browser.patch("/accounts/profile", email(WRONG)).await;
        self.told(&refused.refused(403, "wrong_password"));
        self.browser.patch("/accounts/profile", email(PASSWORD)).await.expect(StatusCode::OK);
        let refused = self.browser.patch("/accounts/profile", json!({"password": PASSWORD, "x": 1})).await;
        self.told(&refused.refused(400, "invalid_fields"));
    }

    /// What is broken holds secrets too, and in the wrong places.
    async fn broken_requests(&mut self) {
        let body = format!("{{\"username\": \"{NAME}\", \"password\": \"{PASSWORD}\"");
        for (kind, status) in [("application/json", 400), ("text/plain", 415)] {
            let call = self.browser.request(Method::POST, "/accounts/login").header("content-type", kind);
            let answer = call.body(body.clone()).send().await;
            assert_eq!(answer.status, status);
            self.told(&answer);
        }
        let access = self.browser.access.clone().unwrap();
        for authorization in ["", "Basic ", "Bearer x", "Bearer x "].map(|start| format!("{start}{access}")) {
            let call = self.browser.request(Method::GET, "/accounts/profile");
            let answer = call.header("authorization", &authorization).send().await;
            self.told(&answer.expect(StatusCode::UNAUTHORIZED));
        }
        for path in ["/", "/accounts/profile/", "/accounts/sessions/"].map(|start| format!("{start}{access}"))
        {
            let answer = self.browser.delete(&path).await;
            self.told(&answer.refused(404, "not_found"));
        }
        let in_query = PASSWORD.replace(' ', "+");
        self.browser.get(&format!("/accounts/profile?password={in_query}")).await.expect(StatusCode::OK);
        self.secrets.add(&in_query);
        let call = self.browser.request(Method::POST, "/accounts/refresh_token");
        let answer = call.header("x-csrftoken", &access).send().await;
        self.told(&answer.refused(403, "csrf_failed"));
    }

    async fn theft(&mut self) {
        let mut thief = self.browser.clone();
        for _ in 0..2 {
            self.world.clock.turn(60);
            thief.refresh().await.expect(StatusCode::OK);
            self.secrets.add_those_of(&thief);
        }
        let refused = self.browser.refresh().await.refused(401, "refresh_token_reused");
        self.told(&refused);
        let refused = thief.get("/accounts/profile").await.refused(401, "session_ended");
        self.told(&refused);
    }

    async fn new_password(&mut self) {
        self.browser.login(NAME, PASSWORD).await.expect(StatusCode::OK);
        self.secrets.add_those_of(&self.browser);
        for (old, new, status) in
            [(PASSWORD, "carol carol carol", 400), (WRONG, NEW_PASSWORD, 403), (PASSWORD, NEW_PASSWORD, 200)]
        {
            let change = json!({"old_password": old, "new_password": new});
            let answer = self.browser.post("/accounts/password", change).await;
            assert_eq!(answer.status, status);
            if status != 200 {
                self.told(&answer);
            }
        }
        self.secrets.add_those_of(&self.browser);
    }

    async fn app(&mut self) {
        let mut app = self.world.native();
        let login = json!({"username": NAME, "password": NEW_PASSWORD, "token_delivery": "body"});
        app.post("/accounts/login", login).await.expect(StatusCode::OK);
        self.secrets.add_those_of(&app);
        self.world.clock.turn(60);
        app.refresh().await.expect(StatusCode::OK);
        self.secrets.add_those_of(&app);
        app.post("/accounts/logout", json!({})).await.expect(StatusCode::NO_CONTENT);
    }

    async fn new_key(&mut self, old: String) {
        let service = self.world.countersign.service();
        service.rotate_keys(true).await.unwrap();
        service.prune_keys(&[old]).await.unwrap();
        self.browser.refresh().await.expect(StatusCode::OK);
        self.secrets.add_those_of(&self.browser);
    }

    async fn throttled(&mut self) {
        for attempt in 0..12 {
            let answer = self.world.browser().login(NAME, &format!("{WRONG} {attempt}")).await;
            self.told(&answer);
        }
    }

    async fn without_the_store(&mut self) {
        self.world.countersign.service().close().await;
        let refused = self.browser.refresh().await.refused(503, "unavailable");
        self.told(&refused);
        let refused = self.browser.login(NAME, NEW_PASSWORD).await.refused(503, "unavailable");
        self.told(&refused);
    }
}

/// The secrets that are there before anyone comes.
async fn configured(world: &World) -> Secrets {
    let mut secrets = Secrets::default();
    for secret in [PASSWORD, NEW_PASSWORD, WRONG, KEY] {
        secrets.add(secret);
    }
    secrets.add(&STANDARD.encode(format!("{NAME}:{PASSWORD}")));
    let configured = &world.settings().secrets;
    secrets.add_bytes(configured.root.current.expose());
    secrets.add_bytes(configured.refresh_token.current.expose());
    let root = Derived::from_root(&configured.root.current).unwrap();
    for key in world.store().keys().await.unwrap() {
        // The private scalar of an Ed25519 key (RFC 8410).
        secrets.add_bytes(&root.sealing.open(&key.kid, &key.sealed).unwrap().expose()[16..48]);
    }
    secrets
}

// attack 116
#[tokio::test(flavor = "multi_thread")]
async fn no_password_token_cookie_or_key_is_in_the_log_the_refusals_the_audit_or_the_metrics() {
    let log = Log::listen();
    let world = World::new().await;
    add_user(&world.countersign, NAME, PASSWORD).await;
    let key = world.store().keys().await.unwrap().remove(0).kid;
    let secrets = configured(&world).await;
    let mut story = Story { world: &world, browser: world.browser(), secrets, refusals: Vec::new() };
    story.login_and_refresh().await;
    story.profile().await;
    story.broken_requests().await;
    story.theft().await;
    story.new_password().await;
    story.app().await;
    story.new_key(key).await;
    story.throttled().await;
    world.countersign.service().write_outbox().await;
    let audit =
        world.store().audit_rows(AuditFilter { limit: 1000, ..AuditFilter::default() }).await.unwrap();
    let audit: Vec<_> = audit.into_iter().map(|row| (row.event.detail, row.event.bucket)).collect();
    let metrics = world.countersign.service().render_metrics();
    story.without_the_store().await;
    let Story { secrets, refusals, .. } = story;
    world.stop().await;

    let log = log.text();
    for told in [EventKind::Theft, EventKind::LoginFailed, EventKind::PasswordChanged, EventKind::KeysRemoved]
    {
        assert!(log.contains(told.as_str()), "the log tells of {}", told.as_str());
    }
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "it was listened to at every level");
    secrets.are_not_in("the log", &log);
    secrets.are_not_in("a refusal", &refusals.concat());
    secrets.are_not_in("the audit", &format!("{audit:?}"));
    secrets.are_not_in("the metrics", &metrics);
}

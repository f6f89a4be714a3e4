//! A world for tests: a whole Countersign on a real SQLite file with a clock that we turn, and actors who call it.
//!
//! With `COUNTERSIGN_TEST_STORE=postgres` in the environment it is on a real PostgreSQL server instead. Only what looks
//! into files needs the file.
//!
//! - [`World::anonymous`]: a client that sends nothing but what it is told to.
//! - [`World::browser`]: a page of an allowed origin: sends `Origin` and `Sec-Fetch-Site`, keeps cookies, holds the
//!   access token and the CSRF token in memory, and sends them as a client library would.
//! - [`World::native`]: a mobile app: body delivery, no cookies.
//! - [`World::attacker`]: a page of a hostile origin in the victim's browser, or whatever a test makes of it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::builder::{BuildError, DATABASE_FILE};
use countersign::core::csrf::Csh;
use countersign::core::jwt::{RefreshClaims, RefreshSigner};
use countersign::core::name::NameKey;
use countersign::core::session::Session;
use countersign::core::{Clock, Generation, Seconds, SessionId, Timestamp, UserId};
use countersign::service::password::{Password, StoredHash};
use countersign::service::users::UserToCreate;
use countersign::settings::{Database, Settings};
use countersign::store::postgres::{self, Postgres};
use countersign::store::sqlite::{Opening, Sqlite};
use countersign::store::{AuditEvent, AuditFilter, AuditRow, EventKind, NewUser, PasswordHash, Store, User};
use countersign::{Builder, Countersign};
use countersign_testing::Cluster;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::conventions;
use crate::document::assert_documented;

/// The page's origin that every world allows.
pub const PAGE: &str = "http://localhost:3000";
/// An origin that no world allows.
pub const EVIL: &str = "https://evil.example";
/// A user's name in every world, and their password.
pub const ALICE: &str = "alice";
/// Alice's password.
pub const ALICE_PASSWORD: &str = "correct horse battery staple";
/// Another user's name, and their password.
pub const BOB: &str = "bob";
/// Bob's password.
pub const BOB_PASSWORD: &str = "an entirely different pass phrase";

/// A clock that tests turn.
pub struct HandClock(AtomicI64);

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_795_000_000_000)))
    }

    /// Moves it; back, too.
    pub fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A whole Countersign.
pub struct World {
    pub clock: Arc<HandClock>,
    pub countersign: Countersign,
    pub alice: User,
    pub bob: User,
    router: Router,
    place: Place,
}

/// Where a world's data are: the folder of its secrets, and of its database unless that is a server's.
struct Place {
    directory: TempDir,
    url: Option<String>,
}

impl World {
    /// With the defaults, and [`PAGE`] as an allowed origin.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        DirBuilder::new().mode(0o700).create(&data_dir).unwrap();
        for file in std::fs::read_dir(TEMPLATE.place.directory.path().join("data")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), data_dir.join(file.file_name())).unwrap();
        }
        let place =
            Place { directory, url: TEMPLATE.place.url.as_deref().map(|url| Cluster::shared().copy_of(url)) };
        let clock = HandClock::new();
        let countersign = open(&place, &clock, change).await.unwrap();
        let router = countersign.whole();
        let (alice, bob) = (TEMPLATE.alice.clone(), TEMPLATE.bob.clone());
        Self { clock, countersign, alice, bob, router, place }
    }

    /// Stops the server, and starts it again on the same database, with other settings.
    pub async fn restart_with(self, change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        self.stop().await.start_with(change).await.unwrap()
    }

    /// Stops the server.
    pub async fn stop(self) -> Stopped {
        let Self { clock, countersign, alice, bob, place, router } = self;
        drop(router);
        countersign.shutdown().await;
        Stopped { clock, alice, bob, place }
    }

    /// Whether other nodes may be beside this one.
    pub fn has_nodes(&self) -> bool {
        self.place.url.is_some()
    }

    /// The folder with the database and the secrets.
    pub fn data_dir(&self) -> PathBuf {
        self.place.data_dir()
    }

    /// A tool beside the running server, as the command line is.
    pub async fn tool(&self) -> Countersign {
        self.beside().build().await.unwrap()
    }

    /// Such a tool, to be told more.
    pub fn beside(&self) -> Builder {
        self.place.builder().beside_a_server().clock(self.clock.clone())
    }

    /// Turns the clock, and lets the server do what it does a few times a second.
    pub async fn turn(&self, seconds: i64) {
        self.clock.turn(seconds);
        self.countersign.service().follow_news().await;
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        self.countersign.service().settings()
    }

    /// A refresh token that says the same as this one but for a change, under the real key.
    pub fn sign_refresh(&self, token: &str, change: impl FnOnce(&mut RefreshClaims)) -> String {
        let says = claims(token);
        let integer = |name: &str| says[name].as_i64().unwrap();
        let mut claims = RefreshClaims {
            user: UserId(says["sub"].as_str().unwrap().parse().unwrap()),
            session: says["sid"].as_str().unwrap().parse().unwrap(),
            generation: Generation(integer("gen")),
            issued_at: integer("iat"),
            expires_at: integer("exp"),
            csh: says["csh"].as_str().map(|csh| Csh::parse(csh).unwrap()),
        };
        change(&mut claims);
        let issuer = self.settings().public_url.as_str().to_owned();
        RefreshSigner::new(&self.settings().secrets.refresh_token.current, issuer).unwrap().sign(&claims)
    }

    /// A session, as the database has it.
    pub async fn session(&self, id: SessionId) -> Session {
        self.store().session(id).await.unwrap().expect("a session").0
    }

    /// The rows of the audit of this kind, newest first.
    pub async fn audited(&self, kind: EventKind) -> Vec<AuditRow> {
        let filter = AuditFilter { kinds: vec![kind], limit: 1000, ..AuditFilter::default() };
        self.store().audit_rows(filter).await.unwrap()
    }

    /// The store, opened beside the server as the command line does it: for what no request can do or see.
    pub fn store(&self) -> Store {
        match &self.place.url {
            None => {
                let path = self.data_dir().join(DATABASE_FILE);
                Store::Sqlite(Sqlite::open(path, &Opening::tool()).unwrap())
            }
            Some(url) => {
                let config = url.parse().unwrap();
                // In a runtime of its own, since nobody here waits; the store makes new connections in this one.
                let open = move || {
                    let runtime = tokio::runtime::Runtime::new().unwrap();
                    runtime.block_on(Postgres::open(config, &postgres::Opening::usual())).unwrap()
                };
                Store::Postgres(std::thread::spawn(open).join().unwrap())
            }
        }
    }

    /// Puts a user with this stored hash into the store, as an import does.
    pub async fn import_user(&self, username: &str, hash: &str) -> User {
        let email = format!("{username}@example.com");
        let new = NewUser {
            username: username.to_owned(),
            username_key: NameKey::of_any(username),
            email_key: NameKey::of_any(&email),
            email,
            first_name: String::new(),
            last_name: String::new(),
            password: countersign::store::Password {
                hash: PasswordHash::new(hash),
                cost: StoredHash::new(hash).cost(),
            },
            is_active: true,
            is_staff: false,
            is_superuser: false,
            groups: std::collections::BTreeSet::new(),
            permissions: std::collections::BTreeSet::new(),
            fields: serde_json::Map::new(),
        };
        let event = AuditEvent::new(EventKind::UserCreated, self.clock.now());
        self.store().create_user(new, event).await.unwrap()
    }

    /// Waits for what a server hashes by itself: after its start it measures what a check costs, and a failed login
    /// waits for that.
    pub async fn at_rest(&self) {
        self.anonymous()
            .at("203.0.113.255")
            .login("nobody", "nothing")
            .await
            .refused(401, "invalid_credentials");
    }

    /// How many passwords the server has hashed since its start. Exact from [`World::at_rest`] on.
    pub fn hashes(&self) -> u64 {
        let metrics = self.countersign.service().render_metrics();
        let count = metrics.lines().find_map(|line| line.strip_prefix("countersign_hashing_hashes "));
        count.expect("a count of hashes").parse().unwrap()
    }

    /// A client that sends nothing but what it is told to.
    pub fn anonymous(&self) -> Actor<'_> {
        Actor::new(self, &[])
    }

    /// A page of the allowed origin.
    pub fn browser(&self) -> Actor<'_> {
        Actor::new(self, &[("origin", PAGE), ("sec-fetch-site", "same-site"), ("user-agent", "Browser/1")])
    }

    /// The same page with what it held before.
    pub fn browser_with(&self, memory: &Memory) -> Actor<'_> {
        let Memory { jar, access, csrf, refresh } = memory.clone();
        Actor { jar, access, csrf, refresh, ..self.browser() }
    }

    /// A mobile app.
    pub fn native(&self) -> Actor<'_> {
        Actor::new(self, &[("user-agent", "App/1")])
    }

    /// A page of a hostile origin.
    pub fn attacker(&self) -> Actor<'_> {
        Actor::new(self, &[("origin", EVIL), ("sec-fetch-site", "cross-site"), ("user-agent", "Browser/1")])
    }

    /// A browser where Alice is signed in.
    pub async fn alice_in_a_browser(&self) -> Actor<'_> {
        let mut browser = self.browser();
        browser.login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
        browser
    }

    /// An app where Alice is signed in.
    pub async fn alice_in_an_app(&self) -> Actor<'_> {
        let mut app = self.native();
        let body = json!({"username": ALICE, "password": ALICE_PASSWORD, "token_delivery": "body"});
        app.post("/accounts/login", body).await.expect(StatusCode::OK);
        app
    }
}

/// What every world starts from: a database with the two users and no signing key yet, and the secrets. Made once,
/// since passwords take long to hash.
static TEMPLATE: LazyLock<Stopped> = LazyLock::new(|| {
    let make = async {
        let (place, clock) = (Place::new(), HandClock::new());
        let builder = place.builder().clock(clock.clone());
        let countersign = builder.beside_a_server().build().await.unwrap();
        let alice = add_user(&countersign, ALICE, ALICE_PASSWORD).await;
        let bob = add_user(&countersign, BOB, BOB_PASSWORD).await;
        countersign.shutdown().await;
        Stopped { clock, alice, bob, place }
    };
    // On a thread of its own: a test's runtime can't wait for another one.
    let made = std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(make));
    made.join().unwrap()
});

/// A copy of a database.
pub enum Backup {
    /// An SQLite file.
    File(Vec<u8>),
    /// Another database of the server.
    Database(String),
}

impl Backup {
    /// All that is in it.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::File(bytes) => bytes.clone(),
            Self::Database(url) => Cluster::shared().dump(url),
        }
    }
}

/// A world whose server doesn't run.
pub struct Stopped {
    clock: Arc<HandClock>,
    alice: User,
    bob: User,
    place: Place,
}

impl Stopped {
    /// Starts the server on the same database, with the defaults but for these settings.
    pub async fn start_with(
        self,
        change: impl FnOnce(&mut Settings) + Send + 'static,
    ) -> Result<World, BuildError> {
        let Self { clock, alice, bob, place } = self;
        let countersign = open(&place, &clock, change).await?;
        let router = countersign.whole();
        Ok(World { clock, countersign, alice, bob, router, place })
    }

    /// Starts the server again.
    pub async fn start(self) -> World {
        self.start_with(|_| {}).await.unwrap()
    }

    /// A copy of the database.
    pub fn back_up(&self) -> Backup {
        match &self.place.url {
            None => Backup::File(std::fs::read(self.database()).unwrap()),
            Some(url) => Backup::Database(Cluster::shared().copy_of(url)),
        }
    }

    /// Puts a copy in the database's place.
    pub fn restore(&mut self, backup: &Backup) {
        match backup {
            Backup::File(bytes) => std::fs::write(self.database(), bytes).unwrap(),
            Backup::Database(url) => self.place.url = Some(Cluster::shared().copy_of(url)),
        }
    }

    /// The database's file, with everything in it: a tool that a test has just let go may have left the journal behind.
    fn database(&self) -> PathBuf {
        let file = self.place.data_dir().join(DATABASE_FILE);
        let database = Connection::open(&file).unwrap();
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        file
    }
}

impl Place {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment which engine to prove")]
    fn new() -> Self {
        let wished = std::env::var("COUNTERSIGN_TEST_STORE").ok();
        let url = wished.filter(|store| store == "postgres").map(|_| Cluster::shared().database());
        Self { directory: tempfile::tempdir().unwrap(), url }
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn builder(&self) -> Builder {
        let builder = Countersign::builder().data_dir(self.data_dir());
        let Some(url) = &self.url else { return builder };
        let database = Database::Postgres(Box::new(url.parse().unwrap()));
        builder.configure(|settings| settings.database = database)
    }
}

async fn open(
    place: &Place,
    clock: &Arc<HandClock>,
    change: impl FnOnce(&mut Settings) + Send + 'static,
) -> Result<Countersign, BuildError> {
    place
        .builder()
        .allowed_origin(PAGE)
        .unwrap()
        .configure(|settings| settings.hashing_threads = 2)
        .configure(change)
        .clock(clock.clone())
        .build()
        .await
}

/// Carries out all of this at the same time, and gives what came of each, in order.
pub async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut open: Vec<_> = futures.into_iter().map(Box::pin).map(Some).collect();
    let mut done: Vec<Option<F::Output>> = open.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in open.iter_mut().zip(&mut done) {
            if let Some(Poll::Ready(output)) = future.as_mut().map(|future| future.as_mut().poll(context)) {
                *done = Some(output);
                *future = None;
            }
        }
        if open.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().map(Option::unwrap).collect()
}

/// Makes a user. One whose name is an address has no other.
pub async fn add_user(countersign: &Countersign, username: &str, password: &str) -> User {
    let email = if username.contains('@') { String::new() } else { format!("{username}@example.com") };
    let new = UserToCreate {
        username: username.to_owned(),
        email,
        password: Password::new(password).unwrap(),
        is_superuser: false,
        fields: serde_json::Map::new(),
    };
    countersign.service().create_user(new).await.unwrap()
}

/// Somebody who calls.
#[derive(Clone)]
pub struct Actor<'w> {
    /// Where it calls.
    pub world: &'w World,
    /// Headers that go with every request.
    pub headers: HeaderMap,
    /// The cookies that it holds, by name.
    pub jar: BTreeMap<String, String>,
    /// The access token in memory.
    pub access: Option<String>,
    /// The CSRF token in memory.
    pub csrf: Option<String>,
    /// The refresh token of body delivery.
    pub refresh: Option<String>,
    /// Where it calls from.
    pub address: SocketAddr,
}

/// What a client holds: it outlives a server that is restarted.
#[derive(Clone)]
pub struct Memory {
    pub jar: BTreeMap<String, String>,
    pub access: Option<String>,
    pub csrf: Option<String>,
    pub refresh: Option<String>,
}

/// A request that is being put together.
pub struct Call<'a, 'w> {
    actor: &'a mut Actor<'w>,
    method: Method,
    path: String,
    headers: HeaderMap,
    cookies: Cookies,
    body: Body,
}

/// Which cookies go along.
enum Cookies {
    Jar,
    Nothing,
    Text(String),
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// The body as JSON, or null.
    pub body: Value,
}

impl<'w> Actor<'w> {
    fn new(world: &'w World, headers: &[(&'static str, &str)]) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Self {
            world,
            headers: map,
            jar: BTreeMap::new(),
            access: None,
            csrf: None,
            refresh: None,
            address: "192.0.2.1:40000".parse().unwrap(),
        }
    }

    /// The same one, calling from elsewhere.
    pub fn at(mut self, ip: &str) -> Self {
        self.address = SocketAddr::new(ip.parse().unwrap(), 40000);
        self
    }

    /// Logs in.
    pub async fn login(&mut self, username: &str, password: &str) -> Answer {
        self.post("/accounts/login", json!({"username": username, "password": password})).await
    }

    /// Refreshes, as its kind of client does.
    pub async fn refresh(&mut self) -> Answer {
        match self.refresh.clone() {
            Some(token) => self.post("/accounts/refresh_token", json!({ "refresh_token": token })).await,
            None => self.request(Method::POST, "/accounts/refresh_token").send().await,
        }
    }

    /// `GET`, with what it holds.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// `POST` of JSON, with what it holds.
    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path).json(&body).send().await
    }

    /// `PATCH` of JSON, with what it holds.
    pub async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.request(Method::PATCH, path).json(&body).send().await
    }

    /// `DELETE`, with what it holds.
    pub async fn delete(&mut self, path: &str) -> Answer {
        self.request(Method::DELETE, path).send().await
    }

    /// A request with what it holds: cookies, access token, and the CSRF header.
    pub fn request(&mut self, method: Method, path: &str) -> Call<'_, 'w> {
        let mut headers = self.headers.clone();
        if let Some(access) = &self.access {
            headers.insert(header::AUTHORIZATION, format!("Bearer {access}").parse().unwrap());
        }
        if let Some(csrf) = &self.csrf {
            headers.insert("x-csrftoken", csrf.parse().unwrap());
        }
        Call {
            method,
            path: path.to_owned(),
            headers,
            cookies: Cookies::Jar,
            body: Body::empty(),
            actor: self,
        }
    }

    /// The claims of its access token, unverified.
    pub fn claims(&self) -> Value {
        claims(self.access.as_ref().expect("an access token"))
    }

    /// The session of its access token.
    pub fn session(&self) -> SessionId {
        self.claims()["sid"].as_str().unwrap().parse().unwrap()
    }

    /// The refresh token that it holds, wherever it keeps it.
    pub fn refresh_token(&self) -> String {
        self.refresh.clone().unwrap_or_else(|| self.jar["refreshtoken"].clone())
    }

    /// What it holds, to be taken along to another world.
    pub fn memory(&self) -> Memory {
        Memory {
            jar: self.jar.clone(),
            access: self.access.clone(),
            csrf: self.csrf.clone(),
            refresh: self.refresh.clone(),
        }
    }

    /// The same one with another refresh token in its cookie.
    pub fn with_refresh_cookie(&self, token: &str) -> Self {
        let mut other = self.clone();
        other.jar.insert("refreshtoken".into(), token.into());
        other
    }
}

impl<'a, 'w> Call<'a, 'w> {
    /// With a header, which replaces one of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// With one more header of this name.
    pub fn also(mut self, name: &str, value: &str) -> Self {
        self.headers
            .append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// With one more header of this name, whatever its bytes.
    pub fn also_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
        self
    }

    /// Without a header.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// With this `Cookie` header in place of the jar's.
    pub fn cookie(mut self, cookie: &str) -> Self {
        self.cookies = Cookies::Text(cookie.to_owned());
        self
    }

    /// Without cookies.
    pub fn without_cookies(mut self) -> Self {
        self.cookies = Cookies::Nothing;
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// With any body.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it, and keeps what a client keeps: cookies, tokens.
    pub async fn send(self) -> Answer {
        let router = self.actor.world.router.clone();
        let (actor, request) = self.into_request();
        let answer = answer(router, request).await;
        actor.keep(&answer);
        answer
    }

    /// Sends it, and goes on meanwhile. The actor keeps nothing of the answer.
    pub fn spawn(self) -> JoinHandle<Answer> {
        let router = self.actor.world.router.clone();
        let (_, request) = self.into_request();
        tokio::spawn(answer(router, request))
    }

    fn into_request(self) -> (&'a mut Actor<'w>, Request<Body>) {
        let Self { actor, method, path, mut headers, cookies, body } = self;
        let cookie = match cookies {
            Cookies::Text(text) => text,
            Cookies::Nothing => String::new(),
            Cookies::Jar => {
                let pairs = actor.jar.iter().map(|(name, value)| format!("{name}={value}"));
                pairs.collect::<Vec<_>>().join("; ")
            }
        };
        if !cookie.is_empty() {
            headers.insert(header::COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        }
        let mut request = Request::builder().method(method).uri(path).body(body).unwrap();
        *request.headers_mut() = headers;
        request.extensions_mut().insert(ConnectInfo(actor.address));
        (actor, request)
    }
}

/// What the router answers: as the contract says of all answers, and as `openapi.json` knows it.
async fn answer(router: Router, request: Request<Body>) -> Answer {
    let (method, target) = (request.method().clone(), request.uri().to_string());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let answer = Answer { status: parts.status, headers: parts.headers, bytes, body };
    assert_documented(&method, &target, &answer);
    conventions::hold(&method, origin.as_ref(), &answer);
    answer
}

impl Actor<'_> {
    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            if cookie.is_cleared() {
                self.jar.remove(&cookie.name);
            } else {
                self.jar.insert(cookie.name, cookie.value);
            }
        }
        let text = |name: &str| answer.body.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(access) = text("access_token") {
            self.access = Some(access);
            self.refresh = text("refresh_token");
            self.csrf = text("csrf_token");
        } else if let Some(csrf) = text("csrf_token") {
            self.csrf = Some(csrf);
        }
    }
}

/// A `Set-Cookie` header, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    pub name: String,
    pub value: String,
    /// Everything after the value, as it was sent.
    pub attributes: Vec<String>,
}

impl SetCookie {
    /// Whether it clears the cookie.
    pub fn is_cleared(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute == "Max-Age=0")
    }

    /// Whether it has this attribute, as written.
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|has| has == attribute)
    }
}

impl Answer {
    /// Asserts the status, and shows the body where it is another.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    /// Asserts a problem: its status and code, its form, and that a 401 says how to authenticate.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status.as_u16(), self.code()),
            (status, code),
            "{}",
            String::from_utf8_lossy(&self.bytes)
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["status"], status);
        assert!(
            self.body["title"].is_string()
                && self.body["detail"].is_string()
                && self.body["type"].is_string()
        );
        let challenge = self.header("www-authenticate");
        assert_eq!(challenge.is_some(), status == 401, "{challenge:?}");
        if status == 401 {
            assert!(challenge.unwrap().starts_with("Bearer realm=\"countersign\""), "{challenge:?}");
        }
        self
    }

    /// The problem's code, or nothing.
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }

    /// Everything that a client could tell it from another by: all of it, but for its own id and the time.
    pub fn all_there_is(&self) -> (StatusCode, HeaderMap, &[u8]) {
        let mut headers = self.headers.clone();
        headers.remove(header::DATE);
        headers.remove("x-request-id");
        (self.status, headers, &self.bytes)
    }

    /// The seconds of `Retry-After`.
    pub fn retry_after(&self) -> i64 {
        self.header("retry-after").expect("a Retry-After").parse().unwrap()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The cookies that it sets.
    pub fn set_cookies(&self) -> Vec<SetCookie> {
        let parse = |value: &HeaderValue| {
            let mut parts = value.to_str().unwrap().split("; ").map(str::to_owned);
            let pair = parts.next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            SetCookie { name: name.to_owned(), value: value.to_owned(), attributes: parts.collect() }
        };
        self.headers.get_all(header::SET_COOKIE).iter().map(parse).collect()
    }

    /// The cookie of this name that it sets.
    pub fn set_cookie(&self, name: &str) -> SetCookie {
        self.set_cookies().into_iter().find(|cookie| cookie.name == name).expect("a cookie of this name")
    }
}

/// The names of an object's members, sorted.
pub fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token.
pub fn token_header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Seconds, for settings.
pub const fn seconds(seconds: u32) -> Seconds {
    Seconds(seconds)
}

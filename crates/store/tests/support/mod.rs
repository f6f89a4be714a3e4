//! A store of each engine, and short ways to fill it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use countersign_core::fields::UserFields;
use countersign_core::name::NameKey;
use countersign_core::session::{Delivery, EndReason, NewSession, RotationPolicy, Session};
use countersign_core::{Client, Generation, Seconds, SessionId, Timestamp, UserId};
use countersign_store::postgres::{self, Postgres};
use countersign_store::sqlite::{Opening, Sqlite};
use countersign_store::{
    AuditEvent, AuditFilter, AuditRow, Batch, BatchId, EventKind, Failures, Login, NewUser, NewsItem,
    NewsSeq, Password, PasswordHash, Rotate, Rotation, SessionEnd, StartOutcome, Store, User,
};
use countersign_testing::{Cluster, Pooler};
use tempfile::TempDir;

pub(crate) const POLICY: RotationPolicy =
    RotationPolicy { grace: Seconds(10), refresh_lifetime: Seconds(3600), leeway: Seconds(10) };

/// The moment at which everything starts.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A new, empty store of each engine.
pub(crate) fn stores() -> Vec<Fixture> {
    stores_with(UserFields::default())
}

/// The same, with custom fields.
pub(crate) fn stores_with(fields: UserFields) -> Vec<Fixture> {
    if is_behind_a_pooler() { vec![pooled(fields)] } else { vec![sqlite(fields.clone()), postgres(fields)] }
}

fn sqlite(fields: UserFields) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, fields);
    Fixture::new(store, folder)
}

fn open_sqlite(folder: &TempDir, fields: UserFields) -> Store {
    let opening = Opening { fields: Arc::new(fields), ..Opening::server() };
    Store::Sqlite(Sqlite::open(folder.path().join("countersign.db"), &opening).unwrap())
}

/// Whether the environment asks for PostgreSQL behind PgBouncer, and nothing else.
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment which engine to prove")]
fn is_behind_a_pooler() -> bool {
    std::env::var("COUNTERSIGN_TEST_STORE").is_ok_and(|store| store == "pgbouncer")
}

fn pooled(fields: UserFields) -> Fixture {
    static POOLER: LazyLock<Pooler> = LazyLock::new(|| Pooler::in_front_of(Cluster::shared()));
    let url = POOLER.url(&Cluster::shared().database());
    Fixture { store: open_postgres(&url, fields), place: Place::Url(url) }
}

fn postgres(fields: UserFields) -> Fixture {
    let url = Cluster::shared().database();
    Fixture { store: open_postgres(&url, fields), place: Place::Url(url) }
}

/// Opens a database from outside of any runtime. Its first connections end with the runtime of their own that they are
/// made in, and the store makes others.
fn open_postgres(url: &str, fields: UserFields) -> Store {
    let config = url.parse().unwrap();
    let opening = postgres::Opening { fields: Arc::new(fields), ..postgres::Opening::usual() };
    let open = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Postgres::open(config, &opening)).unwrap()
    };
    Store::Postgres(std::thread::spawn(open).join().unwrap())
}

/// A store, and where it is.
pub(crate) struct Fixture {
    store: Store,
    place: Place,
}

enum Place {
    /// It must stay for as long as the store is used.
    Folder(TempDir),
    Url(String),
}

impl Deref for Fixture {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// `secs` seconds after the start.
pub(crate) fn at(secs: u32) -> Timestamp {
    START + Seconds(secs)
}

pub(crate) fn key(name: &str) -> NameKey {
    NameKey::of_any(name)
}

pub(crate) fn password(hash: &str, cost: &str) -> Password {
    Password { hash: PasswordHash::new(hash), cost: cost.to_owned() }
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text)
}

/// A user of this name, whose hash is `hash of NAME`.
pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.to_owned(),
        username_key: key(name),
        email: format!("{name}@example.com"),
        email_key: key(&format!("{name}@example.com")),
        first_name: String::new(),
        last_name: String::new(),
        password: password(&format!("hash of {name}"), "argon2id"),
        is_active: true,
        is_staff: false,
        is_superuser: false,
        groups: BTreeSet::new(),
        permissions: BTreeSet::new(),
        fields: serde_json::Map::new(),
    }
}

/// A batch of failed guesses.
pub(crate) fn failed(failures: Vec<Failures>) -> Batch {
    batch(Vec::new(), failures)
}

pub(crate) fn batch(events: Vec<AuditEvent>, failures: Vec<Failures>) -> Batch {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let id = u128::from(MADE.fetch_add(1, Ordering::Relaxed));
    // Another process that works on the same store has names of its own.
    let id = BatchId((id << 64 | u128::from(std::process::id())).to_le_bytes());
    Batch { id, at: START, events, failures }
}

pub(crate) fn event(kind: EventKind, now: Timestamp) -> AuditEvent {
    AuditEvent::new(kind, now)
}

/// The laptop at home.
pub(crate) fn laptop() -> Client {
    Client::new(Some("192.0.2.1".parse().unwrap()), Some("Firefox"))
}

/// Someone else, elsewhere.
pub(crate) fn stranger() -> Client {
    Client::new(Some("198.51.100.9".parse().unwrap()), Some("curl"))
}

/// A session that starts now, with an id that no other has.
pub(crate) fn new_session(user: UserId, now: Timestamp) -> Session {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let new = NewSession {
        id: SessionId::new(now, random),
        user,
        delivery: Delivery::Cookie,
        remember: true,
        client: laptop(),
        lifetime: Seconds(24 * 3600),
    };
    Session::start(new, &POLICY, now)
}

/// A login from the laptop after a check of this hash.
pub(crate) fn checked(text: &str) -> Login {
    Login {
        checked: hash(text),
        upgraded: None,
        replaces: Vec::new(),
        network: laptop().network(),
        wants_rights: None,
    }
}

/// A use of the session's current refresh token by the laptop.
pub(crate) fn token(session: &Session) -> Rotate {
    Rotate {
        session: session.id,
        user: session.user,
        generation: session.generation,
        key: None,
        client: laptop(),
        wants_rights: None,
    }
}

/// A use of another generation of the same session.
pub(crate) fn token_of(session: &Session, generation: i64) -> Rotate {
    Rotate { generation: Generation(generation), ..token(session) }
}

impl Fixture {
    pub(crate) fn new(store: Store, folder: TempDir) -> Self {
        Self { store, place: Place::Folder(folder) }
    }

    /// Closes the store and opens it again, as after a restart with other custom fields.
    pub(crate) async fn reopened_with(self, fields: UserFields) -> Self {
        let Self { store, place } = self;
        store.close().await;
        drop(store);
        let store = match &place {
            Place::Folder(folder) => open_sqlite(folder, fields),
            Place::Url(url) => open_postgres(url, fields),
        };
        Self { store, place }
    }

    pub(crate) fn handle(&self) -> Store {
        self.store.clone()
    }

    pub(crate) async fn make_user(&self, name: &str) -> User {
        self.create_user(new_user(name), event(EventKind::UserCreated, START)).await.unwrap()
    }

    /// Starts a session of a user that [`new_user`] has made.
    pub(crate) async fn log_in(&self, user: &User, now: Timestamp) -> Session {
        let session = new_session(user.id, now);
        let login = checked(&format!("hash of {}", user.username));
        let outcome = self.start_session(session.clone(), login, event(EventKind::Login, now)).await.unwrap();
        assert!(matches!(outcome, StartOutcome::Started { .. }), "{outcome:?}");
        session
    }

    pub(crate) async fn rotate(&self, rotate: Rotate, now: Timestamp) -> Rotation {
        self.rotate_session(rotate, POLICY, now).await.unwrap()
    }

    /// How a session ended, if it did.
    pub(crate) async fn end_of(&self, session: &Session) -> Option<EndReason> {
        let (session, _) = self.session(session.id).await.unwrap().unwrap();
        session.ended.map(|ended| ended.reason)
    }

    /// The news after this number, without their times.
    pub(crate) async fn news_since(&self, seq: NewsSeq) -> Vec<NewsItem> {
        self.news(seq).await.unwrap().items.into_iter().map(|(_, item)| item).collect()
    }

    /// The audit's rows of this kind, newest first.
    pub(crate) async fn audited(&self, kind: EventKind) -> Vec<AuditRow> {
        let filter = AuditFilter { kinds: vec![kind], limit: 1000, ..AuditFilter::default() };
        self.audit_rows(filter).await.unwrap()
    }
}

pub(crate) fn ended(session: &Session, reason: EndReason) -> NewsItem {
    NewsItem::SessionEnded(SessionEnd { session: session.id, reason })
}

/// The session of a rotation that was done.
pub(crate) fn rotated(rotation: Rotation) -> Session {
    match rotation {
        Rotation::Rotated { session, .. } => session,
        other => panic!("not rotated: {other:?}"),
    }
}

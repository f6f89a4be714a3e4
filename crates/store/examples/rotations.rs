//! How many sessions a store rotates a second, and how long the slowest wait:
//!
//! ```sh
//! cargo run --release -p countersign-store --example rotations -- sqlite 1000000
//! cargo run --release -p countersign-store --example rotations -- postgres 1000000 "$COUNTERSIGN_DATABASE_URL"
//! ```
//!
//! Without a URL, or with its parameters alone (`?prepared_statements=true`), it starts a PostgreSQL of its own, with `fsync = on`, and measures `pgbench`'s same update beside it. The
//! database must be empty.

#![expect(clippy::print_stdout, reason = "it is a command")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails here is a measurement")]

use std::time::{Duration, Instant};

use countersign_core::session::{Delivery, NewSession, RotationPolicy, Session};
use countersign_core::{Client, Seconds, SessionId, Timestamp, UserId};
use countersign_store::postgres::{self, Postgres};
use countersign_store::sqlite::{self, Sqlite};
use countersign_store::{Rotate, Rotation, Store};
use countersign_testing::Cluster;

const POLICY: RotationPolicy =
    RotationPolicy { grace: Seconds(0), refresh_lifetime: Seconds(604_800), leeway: Seconds(10) };
const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const CLIENTS: u64 = 32;
const SPAN: Duration = Duration::from_secs(10);
/// Users who share the sessions.
const USERS: u64 = 1000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let sessions: u64 = words.get(1).expect("how many sessions?").parse().expect("a number");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match words.first().map(String::as_str) {
        Some("sqlite") => runtime.block_on(measure_sqlite(sessions)),
        Some("postgres") => runtime.block_on(measure_postgres(sessions, words.get(2))),
        _ => println!("sqlite or postgres?"),
    }
}

async fn measure_sqlite(sessions: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    let open = || Store::Sqlite(Sqlite::open(&path, &sqlite::Opening::server()).unwrap());
    open().close().await;
    let mut db = rusqlite::Connection::open(&path).unwrap();
    let transaction = db.transaction().unwrap();
    for user in 0..USERS {
        transaction.execute(&user_row("1", "'{}'"), [user_of(user)]).unwrap();
    }
    {
        let mut insert = transaction.prepare(&session_row("?2")).unwrap();
        for n in 0..sessions {
            insert.execute((user_of(n), session_id(n).as_bytes().as_slice())).unwrap();
        }
    }
    transaction.commit().unwrap();
    drop(db);
    run("SQLite", open(), sessions).await;
}

async fn measure_postgres(sessions: u64, url: Option<&String>) {
    let parameters =
        url.and_then(|url| url.split_once('?')).map_or("", |(_, parameters)| parameters).to_owned();
    let url = url.filter(|url| !url.starts_with('?'));
    let own = url.is_none().then(Cluster::start);
    let url = match (&own, url) {
        (Some(cluster), _) => cluster.database(),
        (None, Some(url)) => url.clone(),
        (None, None) => return,
    };
    let config: postgres::Config =
        format!("{}?pool_size={CLIENTS}&{parameters}", url.split('?').next().unwrap()).parse().unwrap();
    let store = Store::Postgres(Postgres::open(config, &postgres::Opening::usual()).await.unwrap());
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = format!(
        "INSERT INTO users (id, {USER_COLUMNS}) SELECT n, {} FROM generate_series(1, {USERS}) AS n;
        INSERT INTO sessions ({SESSION_COLUMNS})
        SELECT (lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid, n % {USERS} + 1, {}
        FROM generate_series(0, {}) AS n;
        UPDATE open_sessions SET count = {sessions} WHERE shard = 0; ANALYZE; CHECKPOINT",
        user_values("TRUE", "'{}'", "n::text"),
        session_values("TRUE", "'\\x'"),
        sessions - 1,
    );
    client.batch_execute(&sql).await.unwrap();
    run("PostgreSQL", store, sessions).await;
    if let Some(cluster) = own {
        println!("{}", pgbench(&cluster, &url, sessions));
    }
}

/// `pgbench` with the same statement, prepared, on the same data.
fn pgbench(cluster: &Cluster, url: &str, sessions: u64) -> String {
    let script = cluster.folder().join("rotate.sql");
    let update = format!(
        "\\set n random(0, {})\n\
         UPDATE sessions SET generation = sessions.generation + 1, rotated_at = 1800000200000, \
         refresh_expires_at = 1800604800000, ip = '192.0.2.1', user_agent = 'Firefox', replay_keys = '' FROM users \
         WHERE sessions.id = (lpad(to_hex(:n::bigint), 12, '0') || '70008000000000000000')::uuid \
         AND sessions.user_id = :n::bigint % {USERS} + 1 AND users.id = :n::bigint % {USERS} + 1 AND users.is_active \
         AND sessions.ended_at IS NULL AND sessions.refresh_expires_at > 1800000000000 RETURNING *;\n",
        sessions - 1
    );
    std::fs::write(&script, update).unwrap();
    let mut pgbench = cluster.programs().command("pgbench");
    let span = SPAN.as_secs().to_string();
    pgbench.args(["-n", "-M", "prepared", "-c", "32", "-j", "2", "-T", &span, "-f"]).arg(&script).arg(url);
    let output = pgbench.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = text.lines().find(|line| line.starts_with("tps")).unwrap_or("pgbench said nothing");
    format!("pgbench, the same update, prepared: {tps}")
}

const USER_COLUMNS: &str =
    "username, username_key, email, email_key, first_name, last_name, password, password_cost,
    is_active, is_staff, is_superuser, joined_at, fields";

fn user_values(yes: &str, no_fields: &str, name: &str) -> String {
    let no = if yes == "1" { "0" } else { "FALSE" };
    format!("{name}, {name}, '', '', '', '', 'hash', 'cost', {yes}, {no}, {no}, 0, {no_fields}")
}

fn user_row(yes: &str, no_fields: &str) -> String {
    format!("INSERT INTO users (id, {USER_COLUMNS}) VALUES (?1, {})", user_values(yes, no_fields, "?1 || ''"))
}

const SESSION_COLUMNS: &str = "id, user_id, delivery, remember, created_at, ends_at, generation, rotated_at,
    refresh_expires_at, ip, user_agent, replay_keys";

fn session_values(yes: &str, no_keys: &str) -> String {
    let (start, end) = (START.millis(), (START + Seconds(2_592_000)).millis());
    format!("'cookie', {yes}, {start}, {end}, 1, {start}, {end}, '192.0.2.1', 'Firefox', {no_keys}")
}

fn session_row(id: &str) -> String {
    format!("INSERT INTO sessions ({SESSION_COLUMNS}) VALUES ({id}, ?1, {})", session_values("1", "x''"))
}

fn user_of(n: u64) -> i64 {
    i64::try_from(n % USERS + 1).unwrap()
}

/// A UUIDv7 whose time is its number.
fn session_id(n: u64) -> SessionId {
    SessionId::new(Timestamp::from_millis(i64::try_from(n).unwrap()), [0; 10])
}

/// Has clients rotate sessions here and there, each its own, one after the other.
async fn run(name: &str, store: Store, sessions: u64) {
    let clients = (0..CLIENTS).map(|client| tokio::spawn(rotate_on(store.clone(), client, sessions)));
    let mut waits = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        waits.extend(client.await.unwrap());
    }
    waits.sort_unstable();
    let at = |share: usize| {
        waits.get((waits.len() * share / 1000).min(waits.len() - 1)).copied().unwrap_or_default()
    };
    println!(
        "{name}, {sessions} sessions, {CLIENTS} clients: {} rotations a second; p50 {:?}, p99 {:?}, p99.9 {:?}",
        waits.len() as u64 / SPAN.as_secs(),
        at(500),
        at(990),
        at(999),
    );
    store.close().await;
}

async fn rotate_on(store: Store, client: u64, sessions: u64) -> Vec<Duration> {
    let (begun, mut waits) = (Instant::now(), Vec::new());
    let mut mine: std::collections::HashMap<u64, Session> = std::collections::HashMap::new();
    let mut dice = client.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while begun.elapsed() < SPAN {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let n = dice % (sessions / CLIENTS) * CLIENTS + client;
        let session = mine.remove(&n).unwrap_or_else(|| fresh(n));
        let rotate = Rotate {
            session: session.id,
            user: session.user,
            generation: session.generation,
            key: Some([7; 32]),
            client: session.client.clone(),
            wants_rights: None,
        };
        let asked = Instant::now();
        let rotation = store.rotate_session(rotate, POLICY, START + Seconds(100)).await.unwrap();
        waits.push(asked.elapsed());
        match rotation {
            Rotation::Rotated { session, .. } => drop(mine.insert(n, session)),
            other => assert_eq!(format!("{other:?}"), "rotated"),
        }
    }
    waits
}

fn fresh(n: u64) -> Session {
    let new = NewSession {
        id: session_id(n),
        user: UserId(user_of(n)),
        delivery: Delivery::Cookie,
        remember: true,
        client: Client::new(Some("192.0.2.1".parse().unwrap()), Some("Firefox")),
        lifetime: Seconds(2_592_000),
    };
    Session::start(new, &POLICY, START)
}

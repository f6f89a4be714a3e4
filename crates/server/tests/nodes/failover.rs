//! The primary dies under load, and its synchronous standby takes over.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use countersign::SystemClock;
use countersign::core::jwt::{AccessVerifier, KeySet};
use countersign::core::{Clock, Seconds};
use countersign_testing::Cluster;

use crate::common::http::{Connection, PUBLIC_URL, Request, Session};
use crate::common::user::User;
use crate::load::Load;
use crate::node_dies::assert_stored;
use crate::nodes::{Nodes, login, profile};
use crate::shared::{assert_ends, wait_for};

// attack 33, attack 102, attack 103
#[test]
fn a_standby_that_is_promoted_under_load_lacks_nothing_that_was_acknowledged() {
    let primary = Cluster::start();
    let database = primary.database();
    let standby = standby_of(&primary);
    let nodes = Nodes::start(&either(&primary, &standby, &database), &[]);
    let site = nodes.site();
    let mut load = Load::new(4, 4);
    nodes.create(&load.users);
    // Somebody who does one thing alone.
    let patient = User::new(9);
    nodes.create(std::slice::from_ref(&patient));
    let mut client = nodes.to(0);
    let session = login(&mut client, &patient);
    let elsewhere = ResourceServer::start(&mut client);

    load.through(&site, |busy| {
        busy.with(100);
        primary.kill();
        let died = Instant::now();
        nodes.wait_until_ready(false);
        // Refused, and told when to come again; whoever verifies by public keys goes on.
        let refused = client.call(&Request::refresh(&session).header("Idempotency-Key", KEY)).unwrap();
        refused.refused(503, "unavailable");
        assert!(refused.header("retry-after").is_some() && refused.header("set-cookie").is_none());
        assert!(elsewhere.lets_in(&session));
        // Longer than any grace for a token that was used.
        thread::sleep(Duration::from_secs(2).saturating_sub(died.elapsed()));
        standby.sql("postgres", "SELECT pg_promote()");
        nodes.wait_until_ready(true);
        println!("back after {:?}", died.elapsed());
        busy.with(100);
    });
    load.check(&site);
    assert_stored(&standby, &database, &load);
    let (acknowledged, repeated) = load.tally();
    println!("{acknowledged} acknowledged, {repeated} repeated");
    assert!(acknowledged > 150 && repeated > 0);

    // Asked for while there was no database, repeated under its key now that there is one again.
    let next =
        session.after(client.call(&Request::refresh(&session).header("Idempotency-Key", KEY)).unwrap());
    assert_eq!(next.generation(), session.generation() + 1);
}

// attack 103
#[test]
fn nothing_is_acknowledged_that_the_standby_does_not_have() {
    let primary = Cluster::start();
    let standby = standby_of(&primary);
    let nodes = Nodes::start(&primary.database(), &[]);
    let users = [User::new(0), User::new(1)];
    nodes.create(&users);
    let mut sessions: Vec<_> = (0..4).map(|node| login(&mut nodes.to(node % 2), &users[0])).collect();
    let changed = login(&mut nodes.to(0), &users[1]);

    let frozen = standby.freeze();
    let name = serde_json::json!({ "first_name": "Ana" });
    let password =
        serde_json::json!({ "old_password": users[1].password, "new_password": "a pear tree in winter" });
    let other = format!("DELETE /accounts/sessions/{}", sessions[2].id);
    let requests = [
        Request::login(&users[0].name, &users[0].password),
        Request::refresh(&sessions[0]).header("Idempotency-Key", KEY),
        Request::new("POST /accounts/logout").of(&sessions[1]),
        Request::new(&other).of(&sessions[3]),
        Request::new("PATCH /accounts/profile").of(&sessions[3]).json(&name),
        Request::new("POST /accounts/password").of(&changed).json(&password),
    ];
    thread::scope(|scope| {
        for (number, request) in requests.iter().enumerate() {
            let nodes = &nodes;
            scope.spawn(move || {
                let answer = nodes.to(number % 2).call(request).unwrap();
                assert_eq!(answer.status, 503, "{number} {answer:?}");
                assert!(answer.header("retry-after").is_some() && answer.header("set-cookie").is_none());
            });
        }
    });
    drop(frozen);

    // It may have been done all the same. The client that repeats its rotation is no thief.
    nodes.wait_until_ready(true);
    let session = sessions.remove(0);
    let next = Request::refresh(&session).header("Idempotency-Key", KEY);
    let next = session.after(nodes.to(1).call(&next).unwrap());
    assert_eq!(next.generation(), session.generation() + 1);
}

// attack 34, attack 103
#[test]
fn after_a_failover_that_lost_what_nodes_had_heard_they_hear_of_what_happens_next_without_a_restart() {
    let primary = Cluster::start();
    let database = primary.database();
    let standby = asynchronous_standby_of(&primary);
    let nodes = Nodes::start(&either(&primary, &standby, &database), &[]);
    let users = [User::new(0)];
    nodes.create(&users);
    let sessions = [0, 1].map(|node| login(&mut nodes.to(node), &users[0]));
    let first_names =
        || [0, 1].map(|node| profile(&mut nodes.to(node), &sessions[0]).body["user"]["first_name"].clone());
    for session in &sessions {
        // Each node has seen the token, so that it asks no store about it any more.
        nodes.at_once(|node| drop(profile(&mut nodes.to(node), session).expect(200)));
    }
    until(&primary, "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()", "1");
    standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
    standby.reload();
    until(&standby, "SELECT count(*) FROM pg_stat_wal_receiver", "0");

    // More pieces of news than numbers that a standby leaves out.
    for n in 1..=50 {
        let name = serde_json::json!({ "first_name": format!("Ana {n}") });
        nodes
            .to(0)
            .call(&Request::new("PATCH /accounts/profile").of(&sessions[0]).json(&name))
            .unwrap()
            .expect(200);
    }
    wait_for(Instant::now(), || (first_names() == ["Ana 50", "Ana 50"]).then_some(()));
    primary.kill();
    nodes.wait_until_ready(false);
    standby.sql("postgres", "SELECT pg_promote()");
    nodes.wait_until_ready(true);

    // What was heard before may be trusted for a second more.
    wait_for(Instant::now() + Duration::from_secs(1), || (first_names() == ["", ""]).then_some(()));
    nodes.to(0).call(&Request::new("POST /accounts/logout").of(&sessions[1])).unwrap().expect(204);
    assert_ends(&nodes, &sessions[1], Instant::now());
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// The URL of a database on whichever of the two is the primary.
fn either(one: &Cluster, other: &Cluster, database: &str) -> String {
    let name = database.rsplit_once('/').unwrap().1;
    format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}?target_session_attrs=read-write",
        one.port(),
        other.port()
    )
}

/// A standby that has to have each commit on disk before it is acknowledged.
fn standby_of(primary: &Cluster) -> Cluster {
    let standby = asynchronous_standby_of(primary);
    primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    primary.reload();
    until(primary, "SELECT sync_state FROM pg_stat_replication", "sync");
    standby
}

/// A standby that nobody waits for.
fn asynchronous_standby_of(primary: &Cluster) -> Cluster {
    let from = format!(
        "host={} port={} user=postgres application_name=standby",
        primary.folder().display(),
        primary.port()
    );
    let standby = Cluster::made_by("", |programs, data| {
        let mut backup = programs.command("pg_basebackup");
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream", "-D"]);
        let done = backup.arg(data).arg("-d").arg(&from).stdin(Stdio::null()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    });
    until(primary, "SELECT state FROM pg_stat_replication", "streaming");
    standby
}

/// Waits until a cluster says this.
fn until(cluster: &Cluster, query: &str, expected: &str) {
    let begun = Instant::now();
    while cluster.sql("postgres", query) != expected {
        assert!(begun.elapsed() < Duration::from_secs(30), "{query}: {}", cluster.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// A service that trusts our tokens. It has fetched the keys, and needs nobody of us any more.
struct ResourceServer(AccessVerifier);

impl ResourceServer {
    fn start(server: &mut Connection) -> Self {
        let set = server.call(&Request::new("GET /.well-known/jwks.json")).unwrap().expect(200).body;
        let keys = KeySet::from_jwks(set.to_string().as_bytes()).unwrap();
        Self(AccessVerifier::new(keys, PUBLIC_URL.to_owned(), PUBLIC_URL.to_owned(), Seconds(10)))
    }

    fn lets_in(&self, session: &Session) -> bool {
        self.0.verify(&session.access, SystemClock.now()).is_ok()
    }
}

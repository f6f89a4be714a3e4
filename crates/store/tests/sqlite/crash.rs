//! A server that is killed with SIGKILL in the middle of its work: what it acknowledged stands, and nothing is broken.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use countersign_core::session::EndReason;
use countersign_core::{Seconds, SessionId};
use countersign_store::sqlite::{Opening, Sqlite};
use countersign_store::{EventKind, Store, UserSelector};

use crate::child::{Child, say};
use crate::embedded::Embedded;
use crate::support::{Fixture, at, checked, event, key, laptop, new_session, password, rotated, token};

/// How often the server is killed.
const ROUNDS: u32 = 20;

/// How many clients it has.
const CLIENTS: usize = 6;

/// So few pages of the log make a checkpoint due that one is always under way, or nearly.
const LOG_PAGES: u32 = 16;

/// What the server acknowledged.
#[derive(Default)]
struct Ledger {
    generations: HashMap<SessionId, i64>,
    ended: Vec<SessionId>,
    /// By client: the number of the last password that was set.
    passwords: HashMap<usize, u32>,
}

// attack 33
// attack 100
#[test]
fn what_was_acknowledged_survives_sigkill_at_any_moment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Embedded::new();
    runtime.block_on(async {
        for client in 0..CLIENTS {
            store.make_user(&format!("client{client}")).await;
        }
        store.close().await;
    });
    let mut ledger = Ledger::default();
    let mut in_the_middle_of_a_checkpoint = 0;
    for round in 0.. {
        if round >= ROUNDS && in_the_middle_of_a_checkpoint >= 3 {
            break;
        }
        assert!(round < 10 * ROUNDS, "{in_the_middle_of_a_checkpoint} kills in the middle of a checkpoint");
        let mut child = Child::start(&format!("live {round}"), store.path());
        // Somewhere within its work, and as it happens within a commit.
        for _ in 0..=(round * 37 % 101) {
            ledger.note(&child.next().expect("the server ended by itself"));
        }
        child.kill();
        while let Some(said) = child.next() {
            ledger.note(&said);
        }
        in_the_middle_of_a_checkpoint += u32::from(is_being_copied(store.path()));
        runtime.block_on(ledger.check(&store));
    }
    assert!(ledger.generations.len() > ROUNDS as usize && ledger.ended.len() > ROUNDS as usize / 2);
}

/// Whether whoever was killed had begun to copy more of the log into the database than it had finished. The two numbers
/// lie beside the index of the log, which ends with the last process that looks at it: nobody else may have looked.
fn is_being_copied(database: &Path) -> bool {
    let mut name = database.as_os_str().to_owned();
    name.push("-shm");
    let index = std::fs::read(name).unwrap();
    let number = |place| u32::from_ne_bytes(*index.get(place..).and_then(|rest| rest.first_chunk()).unwrap());
    let (copied, attempted) = (number(96), number(128));
    attempted > copied
}

impl Ledger {
    fn note(&mut self, said: &str) {
        let words: Vec<_> = said.split(' ').collect();
        match words[..] {
            ["generation", id, generation] => {
                self.generations.insert(id.parse().unwrap(), generation.parse().unwrap());
            }
            ["ended", id] => self.ended.push(id.parse().unwrap()),
            ["password", client, number] => {
                self.passwords.insert(client.parse().unwrap(), number.parse().unwrap());
            }
            _ => panic!("the server said {said}"),
        }
    }

    /// Compares it with what a server finds that starts on the same file.
    async fn check(&mut self, file: &Embedded) {
        let store = Store::Sqlite(Sqlite::open(file.path(), &Opening::server()).unwrap());
        for (id, acknowledged) in &self.generations {
            let (session, user) = store.session(*id).await.unwrap().expect("a session is gone");
            assert!(user.is_some());
            // One more rotation may be done that nobody has heard of.
            let generation = session.generation.0;
            assert!((*acknowledged..=acknowledged + 1).contains(&generation), "{acknowledged} {generation}");
        }
        for id in &self.ended {
            let (session, _) = store.session(*id).await.unwrap().unwrap();
            assert!(session.ended.is_some(), "{id} lives again");
        }
        for (client, acknowledged) in &mut self.passwords {
            let who = UserSelector::Name(key(&format!("client{client}")));
            let user = store.user_for_login(who, false, laptop().network()).await.unwrap().unwrap();
            let number: u32 = user.hash.expose().parse().unwrap();
            assert!((*acknowledged..=*acknowledged + 1).contains(&number), "{acknowledged} {number}");
            // Now it has been seen, and the next server counts on from it.
            *acknowledged = number;
        }
        let db = file.raw();
        let check: String = db.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        let counted: i64 = db
            .query_row("SELECT count(*) FROM sessions WHERE ended_at IS NULL", [], |row| row.get(0))
            .unwrap();
        assert_eq!(i64::try_from(store.live_sessions().await.unwrap()).unwrap(), counted);
        drop(db);
        store.close().await;
    }
}

/// The child: a server with a few clients that never rest.
pub(crate) async fn live(path: &Path, round: u32) {
    let sqlite = Sqlite::open(path, &Opening { log_pages: LOG_PAGES, ..Opening::server() }).unwrap();
    let store = Fixture::new(Store::Sqlite(sqlite), tempfile::tempdir().unwrap());
    let store = Arc::new(store);
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let store = Arc::clone(&store);
        clients.push(tokio::spawn(async move { be_a_client(&store, client, round).await }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

async fn be_a_client(store: &Fixture, client: usize, round: u32) {
    let who = UserSelector::Name(key(&format!("client{client}")));
    let user = store.user(who.clone()).await.unwrap().unwrap();
    let known = store.user_for_login(who, false, laptop().network()).await.unwrap().unwrap();
    let mut number: u32 = known.hash.expose().parse().unwrap_or(0);
    let hour = at(round * 3600);
    loop {
        number += 1;
        let new = password(&number.to_string(), "test");
        assert!(store.set_password(user.id, new, event(EventKind::PasswordSet, hour)).await.unwrap());
        say(&format!("password {client} {number}"));

        let session = new_session(user.id, hour);
        let login = checked(&number.to_string());
        store.start_session(session.clone(), login, event(EventKind::Login, hour)).await.unwrap();
        say(&format!("generation {} 1", session.id));
        let mut current = session;
        for step in 1..4 {
            current = rotated(store.rotate(token(&current), hour + Seconds(20 * step)).await);
            say(&format!("generation {} {}", current.id, current.generation.0));
        }
        let logout = event(EventKind::SessionEnded, hour);
        store.end_session(current.id, None, EndReason::Logout, logout).await.unwrap();
        say(&format!("ended {}", current.id));
    }
}

//! The server is told to stop in the middle of its work.

use std::net::TcpStream;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::dice::Dice;
use crate::common::http::{Connection, Request, Session, Site};
use crate::common::server::Server;
use crate::common::user::User;
use crate::scene_with;

/// The last call, the time for requests under way, and some for a busy machine.
const LIMIT: Duration = Duration::from_secs(15);

// attack 112
#[test]
fn sigterm_under_load_loses_no_rotation_and_lets_what_is_under_way_finish() {
    let users: Vec<_> = (0..4).map(User::new).collect();
    let scene = scene_with(&users);
    let server = Server::start(&scene);
    let slow = Slow::begin(&server.address, &users[0]);
    let (at_work, all_at_work) = mpsc::channel();
    let clients: Vec<_> = users
        .iter()
        .map(|user| {
            let mut connection = Connection::new(&Site::one(&server.address));
            let answer = connection.call(&Request::login(&user.name, &user.password)).unwrap();
            let (session, at_work) = (Session::begun(answer), at_work.clone());
            thread::spawn(move || refresh_until_the_end(session, connection, &at_work))
        })
        .collect();
    for _ in &users {
        all_at_work.recv_timeout(LIMIT).unwrap();
    }

    server.terminate();
    let told = Instant::now();
    while TcpStream::connect(&server.address).is_ok() {
        assert!(told.elapsed() < LIMIT, "it still takes connections");
        thread::sleep(Duration::from_millis(5));
    }
    // Nobody is let in any more, but who was is answered.
    let mut sessions = vec![slow.finish()];
    assert!(server.wait().success());
    assert!(told.elapsed() < LIMIT);
    sessions.extend(clients.into_iter().map(|client| client.join().unwrap()));

    let server = Server::start(&scene);
    let mut connection = Connection::new(&Site::one(&server.address));
    for session in sessions {
        // Without a key, so that only the current generation is good: no rotation was done that nobody heard of.
        let next = session.after(connection.call(&Request::refresh(&session)).unwrap());
        assert_eq!(next.generation(), session.generation() + 1);
    }
}

/// Refreshes as fast as it can until the server takes no more, and gives what was acknowledged last.
fn refresh_until_the_end(mut session: Session, mut server: Connection, at_work: &Sender<()>) -> Session {
    let mut dice = Dice::new(0);
    while let Ok(answer) = server.call(&Request::refresh(&session).header("Idempotency-Key", &dice.key())) {
        session = session.after(answer);
        if session.generation() == 3 {
            at_work.send(()).unwrap();
        }
    }
    session
}

/// A login that takes its time.
struct Slow {
    connection: Connection,
    body: String,
}

impl Slow {
    /// Sends the head, and waits until the server asks for the body.
    fn begin(address: &str, user: &User) -> Self {
        let body = json!({ "username": user.name, "password": user.password }).to_string();
        let mut connection = Connection::new(&Site::one(address));
        let head = format!(
            "POST /accounts/login HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write(head.as_bytes()).unwrap();
        connection.receive().unwrap().expect(100);
        Self { connection, body }
    }

    fn finish(mut self) -> Session {
        self.connection.write(self.body.as_bytes()).unwrap();
        let answer = self.connection.receive().unwrap();
        assert_eq!(answer.header("connection"), Some("close"));
        Session::begun(answer)
    }
}

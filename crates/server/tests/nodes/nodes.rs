//! Nodes over one database, and asking them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::http::{Answer, Connection, PUBLIC_URL, Request, Session, Site};
use crate::common::server::{SERVE, Server};
use crate::common::user::User;
use crate::support::Scene;

/// No node takes longer to be ready, or not to be.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database and those who serve from it, all with the same secrets.
pub(crate) struct Nodes {
    scene: Scene,
    database_url: String,
    arguments: Vec<String>,
    pub(crate) each: Vec<Server>,
}

impl Nodes {
    /// Two nodes over this database, with these flags beside the usual ones.
    pub(crate) fn start(database_url: &str, arguments: &[&str]) -> Self {
        // What is given here counts, and each flag may be given once.
        let name = |argument: &str| argument.split('=').next().map(str::to_owned);
        let usual = SERVE.iter().filter(|usual| arguments.iter().all(|given| name(given) != name(usual)));
        let arguments = usual.chain(arguments).map(|argument| (*argument).to_owned()).collect();
        let mut nodes =
            Self { scene: Scene::new(), database_url: database_url.to_owned(), arguments, each: Vec::new() };
        nodes.each.push(nodes.node(0));
        nodes.each.push(nodes.node(0));
        nodes
    }

    /// One more node, at this port, or at any.
    pub(crate) fn node(&self, port: u16) -> Server {
        let mut command = self.scene.command(&[]);
        command.args(&self.arguments).envs(self.environment());
        command.env("COUNTERSIGN_LISTEN", format!("127.0.0.1:{port}"));
        Server::run(command)
    }

    /// What browsers reach: the nodes in turn.
    pub(crate) fn site(&self) -> Site {
        Site::many(self.each.iter().map(|node| node.address.clone()).collect())
    }

    /// A connection to one node alone.
    pub(crate) fn to(&self, node: usize) -> Connection {
        Connection::new(&self.only(node))
    }

    pub(crate) fn only(&self, node: usize) -> Site {
        Site::one(&self.each[node].address)
    }

    /// Runs a command beside the nodes.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        self.command_in(&[], arguments)
    }

    fn command_in(&self, more: &[(&str, &str)], arguments: &[&str]) -> String {
        let environment = self.environment();
        let mut all: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(more);
        let answer = self.scene.run_in(&all, arguments);
        assert_eq!(answer.code, 0, "{arguments:?} {answer:?}");
        answer.stdout
    }

    /// Makes these users.
    pub(crate) fn create(&self, users: &[User]) {
        for user in users {
            let password = [("COUNTERSIGN_PASSWORD", &*user.password)];
            self.command_in(&password, &["createuser", "--noinput", "--username", &user.name]);
        }
    }

    /// Waits until every node says this of itself.
    pub(crate) fn wait_until_ready(&self, expected: bool) {
        self.at_once(|node| {
            let asked = Instant::now();
            while self.is_ready(node) != expected {
                assert!(asked.elapsed() < PATIENCE, "node {node} should be ready: {expected}");
                sleep(Duration::from_millis(20));
            }
        });
    }

    /// Does this with all nodes at once: one that waits for a database takes its time.
    pub(crate) fn at_once(&self, work: impl Fn(usize) + Sync) {
        std::thread::scope(|scope| {
            for node in 0..self.each.len() {
                let work = &work;
                scope.spawn(move || work(node));
            }
        });
    }

    fn is_ready(&self, node: usize) -> bool {
        let answer = self.to(node).call(&Request::new("GET /readyz")).unwrap();
        match answer.status {
            200 => true,
            503 => {
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
                false
            }
            _ => panic!("{answer:?}"),
        }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("COUNTERSIGN_DATABASE_URL", self.database_url.clone()),
            ("COUNTERSIGN_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("COUNTERSIGN_ROOT_SECRET", "cm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQgcm9vdCBzZWNyZXQ=".to_owned()),
            ("COUNTERSIGN_REFRESH_TOKEN_SECRET", "cmVmcmVzaCBzZWNyZXQgcmVmcmVzaCBzZWNyZXQgcmVm".to_owned()),
        ]
    }
}

/// Signs in.
pub(crate) fn login(server: &mut Connection, user: &User) -> Session {
    Session::begun(server.call(&Request::login(&user.name, &user.password)).unwrap())
}

/// Whose profile a session may read.
pub(crate) fn profile(server: &mut Connection, session: &Session) -> Answer {
    server.call(&Request::new("GET /accounts/profile").of(session)).unwrap()
}

/// The names of the keys that verify access tokens, as a node publishes them.
pub(crate) fn published_keys(server: &mut Connection) -> Vec<String> {
    let answer = server.call(&Request::new("GET /.well-known/jwks.json")).unwrap().expect(200);
    let mut names: Vec<_> =
        keys(&answer.body).iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn keys(set: &Value) -> &[Value] {
    set["keys"].as_array().unwrap()
}

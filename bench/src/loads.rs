//! The loads, but for those of size: who competes with whom.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use crate::Result;
use crate::api::{Api, Session};
use crate::clients::{Caller, Flood, Life, Login, Refresher};
use crate::contest::{self, Entrant, Serving, Spread, Timing, Work};
use crate::loader::{Client, Kind};
use crate::machine::Cores;
use crate::peers::{argon2_in_c, users};
use crate::plan::{Plan, Results, SIZE, Start};
use crate::server::Server;
use crate::store::{HEALTH, PUBLIC_URL, Store};

// What the report finds again.
pub(crate) const BARE: &str = "bare axum, JSON";
pub(crate) const BARE_ED25519: &str = "bare axum, one Ed25519 check";
pub(crate) const LAYER: &str = "bare axum behind countersign-verify";
pub(crate) const SEEN: &str = "Countersign, token seen before";
pub(crate) const LOGGED: &str = "Countersign, the same, each request logged to a file";
pub(crate) const UNSEEN: &str = "Countersign, token never seen";
pub(crate) const COMMITS: &str = "group commits in a bare loop";
pub(crate) const OURS: &str = "Countersign";
pub(crate) const HASHING: &str = "Argon2id in Rust, bare";
pub(crate) const HASHING_C: &str = "Argon2id in C with AVX2 (libsodium), bare";
pub(crate) const QUIET: &str = "quiet";
pub(crate) const FLOODED: &str = "flooded";

/// The stores of the loads: a server has each for itself.
pub(crate) const STORES: [&str; 9] =
    ["profile", "profile-logged", "profile-unseen", "refresh", "commits", "login", "mix", "quiet", "flooded"];

/// Connections of a loader, and of refreshes, which wait for the disk together.
const CONNECTIONS: usize = 16;
pub(crate) const REFRESHING: usize = 64;

/// Sessions that live at once, each a connection.
const LIVES: u32 = 32;
/// Clients are told apart by what the proxy, which is the loader, says of them.
const PROXIED: &[(&str, &str)] = &[("COUNTERSIGN_TRUSTED_PROXIES", "127.0.0.0/8")];
/// One profile in so long, on each connection: a thousand a second.
const CALM: Duration = Duration::from_millis(16);
const FLOODING: usize = 200;

/// Starts of which the median is told.
const STARTS: usize = 5;
/// Until memory that is kept for the next password is given back.
const REST: Duration = Duration::from_secs(12);

impl Plan {
    pub(crate) fn profile(&mut self, results: &mut Results) -> Result<()> {
        let logging = self.store("profile-logged")?;
        let quiet = self.stores(results, "profile")?;
        let unseen = self.stores(results, "profile-unseen")?;
        let first = quiet.first().ok_or("there is no store")?;
        let (key, jwks) = first.mint()?.public()?;
        let jwks_file = self.program.work.join("jwks.json");
        fs::write(&jwks_file, jwks)?;
        let jwks_file = jwks_file.to_string_lossy();
        let seen = calling(first, 64)?;

        let mut entrants = Vec::new();
        results.enter(&mut entrants, BARE, self.bare(&["json", "{port}"], &seen));
        results.enter(&mut entrants, BARE_ED25519, self.bare(&["ed25519", "{port}", &key], &seen));
        results.enter(&mut entrants, LAYER, self.bare(&["verify", "{port}", &jwks_file, PUBLIC_URL], &seen));
        for store in &quiet {
            let serving = self.calls(store, &store.named("profile"), "warn");
            results.enter(&mut entrants, &store.named(SEEN), serving);
            if store.database.is_none() {
                results.enter(&mut entrants, LOGGED, self.calls(&logging, "profile-logged", "info"));
            }
        }
        for store in &unseen {
            results.enter(&mut entrants, &store.named(UNSEEN), self.never_seen(store));
        }
        for peer in &mut self.peers {
            let serving = peer.start(self.machine, Cores::Server).and_then(|server| {
                let sessions = peer.sessions(&server, CONNECTIONS)?;
                Ok(Serving::new(server, Caller::all(&peer.api, sessions, CONNECTIONS), Kind::Profile))
            });
            results.enter(&mut entrants, peer.peer.title, serving);
        }
        results.profile = contest::run(self.machine, "Authenticated profile", entrants, self.timing);
        Ok(())
    }

    /// A floor that serves, asked for profiles with these sessions.
    fn bare(&self, words: &[&str], sessions: &[Session]) -> Result<Box<Serving>> {
        let mut first = Vec::new();
        if let Some(session) = sessions.first() {
            self.bare.profile(session, &mut first);
        }
        let name = words.first().copied().unwrap_or_default();
        let server = Server::start(self.machine, &self.floor(name, words)?, &first)?;
        Ok(Serving::new(server, Caller::all(&self.bare, sessions.to_vec(), CONNECTIONS), Kind::Profile))
    }

    fn calls(&self, store: &Store, name: &str, log_level: &str) -> Result<Box<Serving>> {
        let sessions = calling(store, 64)?;
        let server = self.serve(store, name, &[("COUNTERSIGN_LOG_LEVEL", log_level)])?;
        Ok(Serving::new(server, Caller::all(&self.accounts, sessions, CONNECTIONS), Kind::Profile))
    }

    /// Each token is shown once: a server that starts anew for each round has seen none of them.
    fn never_seen(&self, store: &Store) -> Result<Box<Serving>> {
        let rows = store.rows(SIZE.sessions)?;
        let mint = store.mint()?;
        let seconds = (self.timing.warm_up + self.timing.length).as_secs() + 1;
        let numbers = 0..seconds * 30_000; // more than a core can check
        let tokens = numbers.zip(rows.iter().cycle()).map(|(number, row)| mint.calling(row, number));
        let sessions = tokens.collect::<Result<Vec<_>>>()?;
        let recipe = self.program.recipe(store, &store.named("profile-unseen"), &[]);
        let server = Server::start(self.machine, &recipe, HEALTH)?;
        let mut serving =
            Serving::new(server, Caller::all(&self.accounts, sessions, CONNECTIONS), Kind::Profile);
        let machine = self.machine;
        serving.again = Some(Box::new(move || Server::start(machine, &recipe, HEALTH)));
        Ok(serving)
    }

    pub(crate) fn refresh(&mut self, results: &mut Results) -> Result<()> {
        let (store, copy) = (self.store("refresh")?, self.store("commits")?);
        let database = copy.file();
        let group = REFRESHING.to_string();
        let words = ["commits", &database.to_string_lossy(), &group];
        let mut entrants = vec![printing(COMMITS, Self::printing(&words)?, Cores::Server)];
        results.enter(&mut entrants, OURS, self.refreshing(&store, "refresh"));
        for peer in self.peers.iter_mut().filter(|peer| peer.peer.refreshes) {
            let serving = peer.start(self.machine, Cores::Server).and_then(|server| {
                let sessions = peer.sessions(&server, REFRESHING)?;
                Ok(Serving::new(server, Refresher::all(&peer.api, sessions, REFRESHING), Kind::Refresh))
            });
            results.enter(&mut entrants, peer.peer.title, serving);
        }
        results.refresh = contest::run(self.machine, "Refresh with rotation", entrants, self.timing);
        Ok(())
    }

    /// A server on a store, of which up to 20,000 sessions are refreshed in turn. Where the store is in PostgreSQL, that
    /// has the first core, and what asks it the last.
    pub(crate) fn refreshing(&self, store: &Store, name: &str) -> Result<Box<Serving>> {
        let mint = store.mint()?;
        let rows = store.rows(store.size.sessions.min(20_000))?;
        let sessions = rows.iter().map(|row| mint.session(row)).collect();
        let mut recipe = self.program.recipe(store, name, &[]);
        if store.database.is_some() {
            recipe.cores = Cores::Loader;
        }
        let server = Server::start(self.machine, &recipe, HEALTH)?;
        Ok(Serving::new(server, Refresher::all(&self.accounts, sessions, REFRESHING), Kind::Refresh))
    }

    pub(crate) fn login(&mut self, results: &mut Results) -> Result<()> {
        let stores = self.stores(results, "login")?;
        let mut entrants = vec![printing(HASHING, Self::printing(&["hashing", "2"])?, Cores::Both)];
        match argon2_in_c(&self.program.work) {
            Ok((python, script)) => {
                let words = vec![script.to_string_lossy().into_owned(), "2".to_owned()];
                entrants.push(printing(HASHING_C, (python, words), Cores::Both));
            }
            Err(error) => results.misses(HASHING_C, &error.to_string()),
        }
        for store in &stores {
            let mut recipe = self.program.recipe(store, &store.named("login"), &[]);
            recipe.cores = Cores::Both;
            let everybody = (1..=SIZE.users).map(|user| format!("user-{user}")).collect();
            let ours = Server::start(self.machine, &recipe, HEALTH)
                .map(|server| logging_in(server, &self.accounts, everybody));
            results.enter(&mut entrants, &store.named(OURS), ours);
        }
        for peer in &self.peers {
            let serving = peer.start(self.machine, Cores::Both);
            let serving = serving.map(|server| logging_in(server, &peer.api, users()));
            results.enter(&mut entrants, peer.peer.title, serving);
        }
        // The slowest of them need a quarter of a second.
        let timing = Timing { length: self.timing.length.mul_f64(1.5), ..self.timing };
        results.login = contest::run(self.machine, "Login, both cores", entrants, timing);
        Ok(())
    }

    pub(crate) fn mix(&mut self, results: &mut Results) -> Result<()> {
        let mut entrants = Vec::new();
        for store in &self.stores(results, "mix")? {
            let lives = calling(store, LIVES)?;
            let ours = self.serve(store, &store.named("mix"), PROXIED);
            let ours =
                ours.map(|server| Serving::new(server, Life::all(&self.accounts, lives), Kind::Profile));
            results.enter(&mut entrants, &store.named(OURS), ours);
        }
        for peer in self.peers.iter_mut().filter(|peer| peer.peer.refreshes) {
            let serving = peer.start(self.machine, Cores::Server).and_then(|server| {
                let sessions = peer.sessions(&server, LIVES as usize)?;
                Ok(Serving::new(server, Life::all(&peer.api, sessions), Kind::Profile))
            });
            results.enter(&mut entrants, peer.peer.title, serving);
        }
        results.mix = contest::run(self.machine, "The mix as in life", entrants, self.timing);
        let seconds = (self.timing.warm_up + self.timing.length).as_secs_f64();
        let ours = results.mix.iter().filter(|outcome| outcome.name == OURS);
        let requests: f64 = ours.flat_map(|outcome| &outcome.rounds).map(|round| round.rate * seconds).sum();
        // A life of 73 requests has 13 that make a token.
        results.mix_tokens = requests * 13.0 / 73.0;
        self.flood(results)
    }

    /// The same calm stream of profiles, alone and under a flood of logins.
    fn flood(&self, results: &mut Results) -> Result<()> {
        let mut entrants = Vec::new();
        for store in self.stores(results, QUIET)? {
            results.enter(&mut entrants, &store.named(QUIET), self.calm(&store, &store.named(QUIET)));
        }
        for store in self.stores(results, FLOODED)? {
            let serving = self.calm(&store, &store.named(FLOODED)).map(|mut serving| {
                let api = Arc::clone(&self.accounts);
                serving.flood =
                    Some(Box::new(move || -> Vec<Box<dyn Client>> { Flood::all(&api, FLOODING) }));
                serving
            });
            results.enter(&mut entrants, &store.named(FLOODED), serving);
        }
        // Percentiles need more requests than these seconds would have.
        let timing = Timing { length: self.timing.length * 2, ..self.timing };
        results.flood = contest::run(self.machine, "A thousand profiles a second", entrants, timing);
        Ok(())
    }

    fn calm(&self, store: &Store, name: &str) -> Result<Box<Serving>> {
        let server = self.serve(store, name, PROXIED)?;
        let clients = Caller::all(&self.accounts, calling(store, 64)?, CONNECTIONS);
        let mut serving = Serving::new(server, clients, Kind::Profile);
        serving.pace = Some(CALM);
        Ok(serving)
    }

    pub(crate) fn starts(&mut self, results: &mut Results) -> Result<()> {
        let mut starts = Vec::new();
        for store in self.stores(results, "profile")? {
            let name = store.named(OURS);
            let start = started(&name, || self.serve(&store, &store.named("start"), &[]));
            starts.push((name, start));
        }
        for peer in &self.peers {
            let title = peer.peer.title;
            starts.push((title.to_owned(), started(title, || peer.start(self.machine, Cores::Server))));
        }
        let mut resting = Vec::new();
        for (name, start) in starts {
            match start {
                Ok(start) => resting.push(start),
                Err(error) => results.misses(&name, &error.to_string()),
            }
        }
        results.starts = rested(resting);
        Ok(())
    }
}

/// Starts something a few times. The last one goes on, to be weighed when it has rested.
pub(crate) fn started(name: &str, start: impl Fn() -> Result<Server>) -> Result<(Start, Server)> {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..STARTS {
        drop(last.take());
        let server = start()?;
        times.push(server.cold_start.as_secs_f64() * 1e3);
        last = Some(server);
    }
    let (cold, server) = Spread::of(times).zip(last).ok_or("no start was measured")?;
    Ok((Start { name: name.to_owned(), cold, fresh: server.memory(), rest: 0.0 }, server))
}

/// Weighs what has started, all of it at once, when it has done nothing for a while.
pub(crate) fn rested(started: Vec<(Start, Server)>) -> Vec<Start> {
    sleep(REST);
    let weighed = started.into_iter().map(|(start, server)| Start { rest: server.memory(), ..start });
    let starts: Vec<Start> = weighed.collect();
    for Start { name, cold, fresh, rest } in &starts {
        crate::say(&format!(
            "  {name}: first answer after {:.0} ms, {fresh:.1} MiB then, {rest:.1} MiB at rest",
            cold.middle
        ));
    }
    starts
}

fn logging_in(server: Server, api: &Arc<dyn Api>, users: Vec<String>) -> Box<Serving> {
    let mut serving = Serving::new(server, Login::all(api, users, CONNECTIONS), Kind::Login);
    serving.loader = Cores::Both;
    serving
}

/// Something that prints its rate. The seconds of the round are its last word.
fn printing(name: &str, (program, words): (PathBuf, Vec<String>), cores: Cores) -> Entrant {
    let command = move |length: Duration| {
        let mut command = Command::new(&program);
        command.args(&words).arg(length.as_secs_f64().to_string());
        Ok(command)
    };
    Entrant { name: name.to_owned(), work: Work::Print(Box::new(command), cores) }
}

/// Sessions of a store with an access token each.
pub(crate) fn calling(store: &Store, count: u32) -> Result<Vec<Session>> {
    let mint = store.mint()?;
    (0..).zip(store.rows(count)?).map(|(number, row)| mint.calling(&row, number)).collect()
}

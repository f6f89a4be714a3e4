//! What is measured, in which order.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::api::{Accounts, Api, Bare, Session};
use crate::clients::{Caller, Flood, Life, Login, Refresher};
use crate::contest::{self, Entrant, Outcome, Serving, Timing, Work};
use crate::loader::{Client, Kind};
use crate::machine::{Cores, Machine};
use crate::server::{Recipe, Server};
use crate::store::{HEALTH, Mint, Program, Store};
use crate::{Result, say};

pub(crate) const HELP: &str = "\
The machine should have nothing else to do. How it is measured, and what is fair: bench/README.md";

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Choice {
    /// Shorter rounds and fewer: a few minutes
    #[arg(long)]
    quick: bool,
    /// Seconds of a round, to try things out
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Only this load; may be repeated
    #[arg(long, value_name = "LOAD")]
    load: Vec<String>,
}

/// Connections of a loader, and of refreshes, which wait for the disk together.
const CONNECTIONS: usize = 16;
const REFRESHING: usize = 64;

/// Sessions that live at once, each a connection.
const LIVES: u32 = 32;
/// Clients are told apart by what the proxy, which is the loader, says of them.
const PROXIED: &[(&str, &str)] = &[("COUNTERSIGN_TRUSTED_PROXIES", "127.0.0.0/8")];

/// The store of everything but the scale.
const SESSIONS: u32 = 10_000;
const USERS: u32 = 1_000;

pub(crate) struct Plan {
    machine: Machine,
    choice: Choice,
    program: Program,
    timing: Timing,
    accounts: Arc<dyn Api>,
    bare: Arc<dyn Api>,
}

pub(crate) fn run(choice: &Choice) -> Result<()> {
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or("the program lies in no folder")?;
    let work = folder.parent().unwrap_or(folder).join("bench");
    fs::create_dir_all(&work)?;
    let seconds = choice.seconds.unwrap_or(if choice.quick { 2.0 } else { 8.0 });
    let plan = Plan {
        machine: Machine::new()?,
        choice: choice.clone(),
        program: Program { binary: folder.join("countersign"), work },
        timing: Timing {
            rounds: if choice.quick { 3 } else { 5 },
            warm_up: Duration::from_secs_f64(seconds.min(4.0) / 4.0),
            length: Duration::from_secs_f64(seconds),
        },
        accounts: Arc::new(Accounts { rotates: true }),
        bare: Arc::new(Bare),
    };
    plan.loads()
}

impl Plan {
    fn wants(&self, load: &str) -> bool {
        self.choice.load.is_empty() || self.choice.load.iter().any(|wanted| wanted == load)
    }

    fn loads(&self) -> Result<()> {
        if self.wants("profile") {
            self.profile()?;
        }
        if self.wants("refresh") {
            self.refresh()?;
        }
        if self.wants("login") {
            self.login()?;
        }
        if self.wants("mix") {
            self.mix()?;
        }
        Ok(())
    }

    /// A store of a name of its own: two servers can't have the same.
    fn store(&self, name: &str) -> Result<Store> {
        self.program.store(self.machine, name, SESSIONS, USERS)
    }

    fn serve(&self, store: &Store, name: &str, more: &[(&str, &str)]) -> Result<Server> {
        Server::start(self.machine, &self.program.recipe(&store.folder, name, more), HEALTH)
    }

    fn floor(&self, name: &str, words: &[&str]) -> Result<Recipe> {
        let here = std::env::current_exe()?.to_string_lossy().into_owned();
        Ok(Recipe {
            command: [&*here, "floor"].iter().chain(words).map(|word| (*word).to_owned()).collect(),
            environment: Vec::new(),
            folder: self.program.work.clone(),
            log: self.program.work.join(format!("floor-{name}.log")),
            cores: Cores::Server,
        })
    }

    /// A floor that serves, asked for profiles with these sessions.
    fn floor_serving(&self, name: &str, words: &[&str], sessions: &[Session]) -> Result<Box<Serving>> {
        let mut first = Vec::new();
        if let Some(session) = sessions.first() {
            self.bare.profile(session, &mut first);
        }
        let server = Server::start(self.machine, &self.floor(name, words)?, &first)?;
        Ok(Serving::new(server, Caller::all(&self.bare, sessions.to_vec(), CONNECTIONS), Kind::Profile))
    }

    /// How many tokens are enough never to show one twice in a round.
    fn unseen(&self) -> u64 {
        let seconds = (self.timing.warm_up + self.timing.length).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
        let seconds = seconds.ceil() as u64;
        seconds * 30_000
    }

    fn profile(&self) -> Result<Vec<Outcome>> {
        let (quiet, logging, unseen) =
            (self.store("profile")?, self.store("profile-logged")?, self.store("profile-unseen")?);
        let seen = calling(&quiet, 64)?;
        let mut entrants = Vec::new();
        let mut enter = |name: &str, serving: Result<Box<Serving>>| {
            let serving = serving.map_err(|error| say(&format!("{name}: {error}")));
            entrants.extend(
                serving.ok().map(|serving| Entrant { name: name.to_owned(), work: Work::Serve(serving) }),
            );
        };

        let (key, jwks) = quiet.mint()?.public()?;
        let jwks_file = self.program.work.join("jwks.json");
        fs::write(&jwks_file, jwks)?;
        let jwks_file = jwks_file.to_string_lossy();
        let issuer = crate::store::PUBLIC_URL;
        enter("bare axum, JSON", self.floor_serving("json", &["json", "{port}"], &seen));
        enter(
            "bare axum, one Ed25519 check",
            self.floor_serving("ed25519", &["ed25519", "{port}", &key], &seen),
        );
        enter(
            "countersign-verify in bare axum",
            self.floor_serving("verify", &["verify", "{port}", &jwks_file, issuer], &seen),
        );
        let ours = |store: &Store, name: &str, level: &str| {
            let server = self.serve(store, name, &[("COUNTERSIGN_LOG_LEVEL", level)])?;
            let sessions = calling(store, 64)?;
            Ok(Serving::new(server, Caller::all(&self.accounts, sessions, CONNECTIONS), Kind::Profile))
        };
        enter("Countersign, token seen", ours(&quiet, "profile", "warn"));
        enter("Countersign, token seen, request log to a file", ours(&logging, "profile-logged", "info"));
        enter("Countersign, token never seen", self.never_seen(&unseen));
        Ok(contest::run(self.machine, "Authenticated profile", entrants, self.timing))
    }

    /// Each token is shown once: a server that starts anew for each round has seen none of them.
    fn never_seen(&self, store: &Store) -> Result<Box<Serving>> {
        let mint: Mint = store.mint()?;
        let rows = store.rows(SESSIONS)?;
        let tokens =
            (0..self.unseen()).zip(rows.iter().cycle()).map(|(number, row)| mint.calling(row, number));
        let sessions = tokens.collect::<Result<Vec<_>>>()?;
        let recipe = self.program.recipe(&store.folder, "profile-unseen", &[]);
        let (machine, again) = (self.machine, recipe.clone());
        let server = Server::start(machine, &recipe, HEALTH)?;
        let clients = Caller::all(&self.accounts, sessions, CONNECTIONS);
        let mut serving = Serving::new(server, clients, Kind::Profile);
        // The store has one lock: the old server must be gone before.
        serving.again = Some(Box::new(move || Server::start(machine, &again, HEALTH)));
        Ok(serving)
    }

    fn refresh(&self) -> Result<Vec<Outcome>> {
        let (store, copy) = (self.store("refresh")?, self.store("commits")?);
        let here = std::env::current_exe()?;
        let database = copy.database();
        let commits = move |length: Duration| {
            let mut command = Command::new(&here);
            command.args(["floor", "commits"]).arg(&database);
            command.args([REFRESHING.to_string(), length.as_secs_f64().to_string()]);
            Ok(command)
        };
        let serving = self.refreshing(&store, "refresh")?;
        let entrants = vec![
            Entrant {
                name: "group commits in a bare loop".into(),
                work: Work::Print(Box::new(commits), Cores::Server),
            },
            Entrant { name: "Countersign, SQLite".into(), work: Work::Serve(serving) },
        ];
        Ok(contest::run(self.machine, "Refresh with rotation", entrants, self.timing))
    }

    fn refreshing(&self, store: &Store, name: &str) -> Result<Box<Serving>> {
        let mint = store.mint()?;
        let rows = store.rows(store.sessions.min(20_000))?;
        let sessions = rows.iter().map(|row| mint.session(row)).collect();
        let server = self.serve(store, name, &[])?;
        Ok(Serving::new(server, Refresher::all(&self.accounts, sessions, REFRESHING), Kind::Refresh))
    }

    fn login(&self) -> Result<Vec<Outcome>> {
        let store = self.store("login")?;
        let here = std::env::current_exe()?;
        let hashing = move |length: Duration| {
            let mut command = Command::new(&here);
            command.args(["floor", "hashing", "2"]).arg(length.as_secs_f64().to_string());
            Ok(command)
        };
        let mut recipe = self.program.recipe(&store.folder, "login", &[]);
        recipe.cores = Cores::Both;
        let server = Server::start(self.machine, &recipe, HEALTH)?;
        let users = (1..=USERS).map(|user| format!("user-{user}")).collect();
        let mut serving = Serving::new(server, Login::all(&self.accounts, users, CONNECTIONS), Kind::Login);
        serving.loader = Cores::Both;
        let entrants = vec![
            Entrant {
                name: "Argon2id, RustCrypto, memory kept".into(),
                work: Work::Print(Box::new(hashing), Cores::Both),
            },
            Entrant { name: "Countersign".into(), work: Work::Serve(serving) },
        ];
        Ok(contest::run(self.machine, "Login, both cores", entrants, self.timing))
    }

    fn mix(&self) -> Result<Vec<Outcome>> {
        let store = self.store("mix")?;
        let lives = calling(&store, LIVES)?;
        let server = self.serve(&store, "mix", PROXIED)?;
        let rest = server.memory();
        say(&format!("at rest: {rest:.1} MiB; first answer after {:?}", server.cold_start));
        let serving = Serving::new(server, Life::all(&self.accounts, lives), Kind::Profile);
        let mix = vec![Entrant { name: "Countersign".into(), work: Work::Serve(serving) }];
        let mut outcomes = contest::run(self.machine, "The mix as in life", mix, self.timing);
        outcomes.extend(self.flood()?);
        Ok(outcomes)
    }

    /// The same calm stream of profiles, alone and under a flood of logins.
    fn flood(&self) -> Result<Vec<Outcome>> {
        let mut entrants = Vec::new();
        for (name, flooded) in [("quiet", false), ("flooded", true)] {
            let store = self.store(name)?;
            let server = self.serve(&store, name, PROXIED)?;
            let clients = Caller::all(&self.accounts, calling(&store, 64)?, CONNECTIONS);
            let mut serving = Serving::new(server, clients, Kind::Profile);
            // A thousand a second.
            serving.pace = Some(Duration::from_millis(16));
            if flooded {
                let api = Arc::clone(&self.accounts);
                serving.flood = Some(Box::new(move || -> Vec<Box<dyn Client>> { Flood::all(&api, 200) }));
            }
            entrants.push(Entrant { name: format!("Countersign, {name}"), work: Work::Serve(serving) });
        }
        Ok(contest::run(
            self.machine,
            "A thousand profiles a second, under a flood of 200 logins",
            entrants,
            self.timing,
        ))
    }
}

/// Sessions of a store with an access token each.
fn calling(store: &Store, count: u32) -> Result<Vec<Session>> {
    let mint = store.mint()?;
    (0..).zip(store.rows(count)?).map(|(number, row)| mint.calling(&row, number)).collect()
}

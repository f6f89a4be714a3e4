//! What is measured, in which order, and what the report gets to see of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::api::{Accounts, Api, Bare};
use crate::cluster::Cluster;
use crate::contest::{Entrant, Outcome, Serving, Spread, Timing, Work};
use crate::machine::{Cores, Machine};
use crate::peers::{PEERS, Ready, argon2_in_c};
use crate::server::{Recipe, Server};
use crate::store::{self, HEALTH, Program, Store};
use crate::{Result, loads, machine, report, say};

pub(crate) const HELP: &str = "\
The machine should have nothing else to do. How it is measured, and what is fair: bench/README.md

The report is written to bench/RESULTS.md when all loads were measured, else it is only shown.";

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Choice {
    /// Shorter rounds and fewer: some twelve minutes
    #[arg(long)]
    quick: bool,
    /// Only this load; may be repeated
    #[arg(long, value_name = "LOAD", value_parser = LOADS)]
    load: Vec<String>,
    /// Only this peer; may be repeated. `none` leaves all of them out
    #[arg(long, value_name = "NAME", value_parser = ["fastify", "better-auth", "article-django", "simplejwt", "none"])]
    peer: Vec<String>,
    /// The length of a round, to try things out
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Sets up all that is needed (peers, stores), and measures nothing
    #[arg(long)]
    prepare: bool,
    /// Writes bench/RESULTS.md whatever was measured
    #[arg(long)]
    write: bool,
}

const LOADS: [&str; 7] = ["profile", "refresh", "postgres", "login", "mix", "start", "scale"];

/// Everything that a measurement needs.
pub(crate) struct Plan {
    pub(crate) machine: Machine,
    pub(crate) program: Program,
    pub(crate) timing: Timing,
    pub(crate) accounts: Arc<dyn Api>,
    pub(crate) bare: Arc<dyn Api>,
    pub(crate) peers: Vec<Ready>,
    /// A PostgreSQL of our own, where the machine has it.
    pub(crate) cluster: Option<Rc<Cluster>>,
}

/// All that was found.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) timing: Option<Timing>,
    pub(crate) built_from: String,
    pub(crate) profile: Vec<Outcome>,
    pub(crate) refresh: Vec<Outcome>,
    pub(crate) postgres: Vec<Outcome>,
    pub(crate) login: Vec<Outcome>,
    pub(crate) mix: Vec<Outcome>,
    /// Tokens that were made for Countersign's part of the mix.
    pub(crate) mix_tokens: f64,
    pub(crate) flood: Vec<Outcome>,
    pub(crate) starts: Vec<Start>,
    pub(crate) scale: Vec<Sized>,
    pub(crate) scale_on_postgres: Vec<Sized>,
    /// What could not be measured, and why.
    pub(crate) missing: Vec<(String, String)>,
}

/// How a server starts.
pub(crate) struct Start {
    pub(crate) name: String,
    /// To the first answer, in milliseconds.
    pub(crate) cold: Spread,
    /// In MiB: after the first answer, and when nothing has been asked for a while.
    pub(crate) fresh: f64,
    pub(crate) rest: f64,
}

/// What a store of a size is like.
pub(crate) struct Sized {
    pub(crate) size: store::Size,
    /// In MiB.
    pub(crate) disk: f64,
    pub(crate) start: Start,
    pub(crate) refresh: Outcome,
    pub(crate) profile: Outcome,
}

/// The store of everything but the scale.
pub(crate) const SIZE: store::Size = store::Size { sessions: 10_000, users: 1_000 };

pub(crate) fn run(choice: &Choice) -> Result<()> {
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or("the program lies in no folder")?;
    let work = folder.parent().unwrap_or(folder).join("bench");
    fs::create_dir_all(&work)?;
    let seconds = choice.seconds.unwrap_or(if choice.quick { 2.0 } else { 5.0 });
    let timing = Timing {
        rounds: if choice.quick { 3 } else { 5 },
        warm_up: Duration::from_secs_f64((seconds / 2.0).min(2.0)),
        length: Duration::from_secs_f64(seconds),
    };
    let mut results =
        Results { timing: Some(timing), built_from: machine::built_from(), ..Results::default() };
    let machine = Machine::new()?;
    let peers = peers(choice, &work, &mut results);
    let cluster =
        Cluster::start(machine, &work).map_err(|error| results.misses("PostgreSQL", &error.to_string()));
    let mut plan = Plan {
        machine,
        program: Program { binary: folder.join("countersign"), work },
        timing,
        accounts: Arc::new(Accounts { rotates: true }),
        bare: Arc::new(Bare),
        peers,
        cluster: cluster.ok().map(Rc::new),
    };
    if choice.prepare {
        return plan.prepare();
    }
    let loads: [fn(&mut Plan, &mut Results) -> Result<()>; LOADS.len()] =
        [Plan::profile, Plan::refresh, Plan::postgres, Plan::login, Plan::mix, Plan::starts, Plan::scale];
    for (name, load) in LOADS.iter().zip(loads) {
        let is_wanted = choice.load.is_empty() || choice.load.iter().any(|wanted| wanted == name);
        if is_wanted && let Err(error) = load(&mut plan, &mut results) {
            results.misses(name, &error.to_string());
        }
    }
    drop(plan);
    report::publish(&results, choice.write || choice.load.is_empty() && choice.peer.is_empty())
}

/// The peers that are asked for. One that can't be set up is left out, and said to be.
fn peers(choice: &Choice, work: &Path, results: &mut Results) -> Vec<Ready> {
    let wanted = |name: &str| choice.peer.is_empty() || choice.peer.iter().any(|wanted| wanted == name);
    let mut ready = Vec::new();
    for peer in PEERS.iter().filter(|peer| wanted(peer.name)) {
        match peer.ready(work) {
            Ok(peer) => ready.push(peer),
            Err(error) => results.misses(peer.title, &error.to_string()),
        }
    }
    ready
}

impl Results {
    pub(crate) fn misses(&mut self, name: &str, reason: &str) {
        say(&format!("{name} is left out: {reason}"));
        self.missing.push((name.to_owned(), reason.to_owned()));
    }

    /// Enters what serves; what doesn't start is left out.
    pub(crate) fn enter(&mut self, entrants: &mut Vec<Entrant>, name: &str, serving: Result<Box<Serving>>) {
        match serving {
            Ok(serving) => entrants.push(Entrant { name: name.to_owned(), work: Work::Serve(serving) }),
            Err(error) => self.misses(name, &error.to_string()),
        }
    }
}

impl Plan {
    fn prepare(&self) -> Result<()> {
        argon2_in_c(&self.program.work)?;
        for name in loads::STORES {
            self.store(name)?;
        }
        self.stores_of_all_sizes()?;
        say("All is there.");
        Ok(())
    }

    /// A store of a name of its own: two servers can't have the same.
    pub(crate) fn store(&self, name: &str) -> Result<Store> {
        self.program.store(self.machine, name, SIZE)
    }

    /// The same in each engine. One that can't be made is left out.
    pub(crate) fn stores(&self, results: &mut Results, name: &str) -> Result<Vec<Store>> {
        let mut stores = vec![self.store(name)?];
        if let Some(cluster) = &self.cluster {
            match self.program.store_in(self.machine, cluster, name, SIZE) {
                Ok(store) => stores.push(store),
                Err(error) => results.misses(&format!("{name}, on PostgreSQL"), &error.to_string()),
            }
        }
        Ok(stores)
    }

    pub(crate) fn serve(&self, store: &Store, name: &str, more: &[(&str, &str)]) -> Result<Server> {
        Server::start(self.machine, &self.program.recipe(store, name, more), HEALTH)
    }

    /// How a floor that serves is started.
    pub(crate) fn floor(&self, name: &str, words: &[&str]) -> Result<Recipe> {
        let here = std::env::current_exe()?.to_string_lossy().into_owned();
        Ok(Recipe {
            command: [&*here, "floor"].iter().chain(words).map(|word| (*word).to_owned()).collect(),
            environment: Vec::new(),
            folder: self.program.work.clone(),
            log: self.program.work.join(format!("floor-{name}.log")),
            cores: Cores::Server,
        })
    }

    /// This program, to be started as a floor that prints.
    pub(crate) fn printing(words: &[&str]) -> Result<(PathBuf, Vec<String>)> {
        let words = ["floor"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        Ok((std::env::current_exe()?, words))
    }
}

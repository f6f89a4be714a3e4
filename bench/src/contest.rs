//! A contest: several do the same, in turns, so that what the machine does meanwhile meets all of them.

use std::process::Command;
use std::time::Duration;

use crate::loader::{self, Client, Kind, Round};
use crate::machine::{Cores, Machine};
use crate::server::Server;
use crate::{Result, say};

/// What takes part.
pub(crate) struct Entrant {
    pub(crate) name: String,
    pub(crate) work: Work,
}

/// What it does in a round.
pub(crate) enum Work {
    /// Serves clients.
    Serve(Box<Serving>),
    /// Prints how many it did in a second: a command for a round of so many seconds.
    Print(Box<dyn Fn(Duration) -> Result<Command>>, Cores),
}

/// Makes something for each round.
pub(crate) type Made<T> = Box<dyn Fn() -> T>;

/// A server and its clients.
pub(crate) struct Serving {
    /// Gone only while it is being replaced: two servers can't have one store.
    pub(crate) server: Option<Server>,
    pub(crate) clients: Vec<Box<dyn Client>>,
    pub(crate) pace: Option<Duration>,
    /// Clients that only get in the way.
    pub(crate) flood: Option<Made<Vec<Box<dyn Client>>>>,
    /// Whose percentiles are told.
    pub(crate) kind: Kind,
    /// Makes a new server for each round: one that has seen nothing.
    pub(crate) again: Option<Made<Result<Server>>>,
    /// Where the loader works.
    pub(crate) loader: Cores,
}

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// What a round found: so many a second, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Processor time of a request.
    pub(crate) cpu: Option<f64>,
}

/// What became of an entrant.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) rounds: Vec<Figures>,
    /// Why it has no figures.
    pub(crate) failed: Option<String>,
    /// What its processes held at the end, in MiB.
    pub(crate) memory: Option<f64>,
}

impl Serving {
    pub(crate) fn new(server: Server, clients: Vec<Box<dyn Client>>, kind: Kind) -> Box<Self> {
        Box::new(Self {
            server: Some(server),
            clients,
            pace: None,
            flood: None,
            kind,
            again: None,
            loader: Cores::Loader,
        })
    }

    fn round(&mut self, machine: Machine, timing: Timing) -> Result<Figures> {
        if let Some(again) = &self.again {
            self.server = None;
            self.server = Some(again()?);
        }
        let server = self.server.as_ref().ok_or("the server did not come back")?;
        let round = Round {
            address: server.address,
            warm_up: timing.warm_up,
            length: timing.length,
            pace: self.pace,
            group: Some(server.group()),
        };
        let clients = std::mem::take(&mut self.clients);
        let flood = self.flood.as_ref().map(|flood| flood()).unwrap_or_default();
        let (clients, sample) = machine.on(self.loader, || loader::run(round, clients, flood))??;
        self.clients = clients;
        let count = sample.count();
        let told = sample.of(self.kind).filter(|told| told.total() > 0);
        let micros = |share| told.map(|told| told.percentile(share).as_secs_f64() * 1e6);
        #[expect(clippy::cast_precision_loss, reason = "a round has no such number of requests")]
        let count = count as f64;
        if count == 0.0 {
            return Err("no request was answered within the round".into());
        }
        Ok(Figures {
            rate: count / sample.length.as_secs_f64(),
            p50: micros(0.5),
            p99: micros(0.99),
            cpu: Some(sample.cpu.as_secs_f64() * 1e6 / count),
        })
    }
}

impl Work {
    fn round(&mut self, machine: Machine, timing: Timing) -> Result<Figures> {
        match self {
            Self::Serve(serving) => serving.round(machine, timing),
            Self::Print(command, cores) => {
                let mut command = command(timing.length)?;
                let output = machine.on(*cores, || command.output())??;
                let text = String::from_utf8_lossy(&output.stdout);
                let rate = text.split_whitespace().last().and_then(|word| word.parse().ok());
                let rate = rate.filter(|_| output.status.success()).ok_or_else(|| {
                    format!("it printed no figure: {text} {}", String::from_utf8_lossy(&output.stderr))
                })?;
                Ok(Figures { rate, p50: None, p99: None, cpu: None })
            }
        }
    }
}

/// Lets all take turns. Whoever fails is out, and said to be.
pub(crate) fn run(machine: Machine, title: &str, mut entrants: Vec<Entrant>, timing: Timing) -> Vec<Outcome> {
    say(&format!("\n{title}: {} in {} rounds of {:?}", entrants.len(), timing.rounds, timing.length));
    let mut outcomes: Vec<_> = entrants.iter().map(|entrant| Outcome::new(&entrant.name)).collect();
    for _ in 0..timing.rounds {
        for (entrant, outcome) in
            entrants.iter_mut().zip(&mut outcomes).filter(|(_, outcome)| outcome.failed.is_none())
        {
            match entrant.work.round(machine, timing) {
                Ok(figures) => outcome.rounds.push(figures),
                Err(error) => outcome.failed = Some(error.to_string()),
            }
        }
    }
    for (entrant, outcome) in entrants.iter().zip(&mut outcomes) {
        if let Work::Serve(serving) = &entrant.work {
            outcome.memory = serving.server.as_ref().map(Server::memory);
        }
        say(&format!("  {outcome}"));
    }
    outcomes
}

impl Outcome {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rounds: Vec::new(), failed: None, memory: None }
    }

    /// The least, the middle and the largest of a figure.
    pub(crate) fn spread(&self, figure: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(figure).collect())
    }

    pub(crate) fn rate(&self) -> Option<Spread> {
        let rate = self.spread(|figures| Some(figures.rate));
        rate.filter(|_| self.failed.is_none())
    }
}

/// A median and what lies around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) middle: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of any values, if there are some.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = *values.get(values.len() / 2)?;
        Some(Self { least: *values.first()?, middle, most: *values.last()? })
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, .. } = self;
        if let Some(reason) = &self.failed {
            return write!(f, "{name:44} failed: {reason}");
        }
        let middle = |figure: fn(&Figures) -> Option<f64>| {
            self.spread(figure).map_or_else(|| "-".to_owned(), |spread| format!("{:.0}", spread.middle))
        };
        let Some(rate) = self.rate() else { return write!(f, "{name:44} no rounds") };
        write!(
            f,
            "{name:44}{:>10.1}/s ({:.1} to {:.1})  p50 {} µs  p99 {} µs  cpu {} µs  {:.1} MiB",
            rate.middle,
            rate.least,
            rate.most,
            middle(|figures| figures.p50),
            middle(|figures| figures.p99),
            middle(|figures| figures.cpu),
            self.memory.unwrap_or_default(),
        )
    }
}

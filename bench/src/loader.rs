//! The loader: connections that ask as clients do, check every answer, and take the time.
//!
//! It has a thread of its own core, and speaks to one server at a time. An answer that is not the right one is an
//! error, and a round with an error in it has no figure at all.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, sleep_until, timeout};

use crate::Result;
use crate::histogram::Histogram;
use crate::http::{Answer, Connection};
use crate::machine::cpu_time;

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Profile,
    Refresh,
    Login,
    /// One of a flood that is only there to be in the way.
    Flood,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Profile, Self::Refresh, Self::Login, Self::Flood];
}

/// What one connection does: one request after the other.
pub(crate) trait Client {
    /// Writes the next request.
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind;

    /// Takes its answer, or says what is wrong with it.
    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String>;

    /// How long it waits before it asks again.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// How long, how fast, and who is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) address: SocketAddr,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    /// The time from one request of a connection to its next; none: as fast as answers come.
    pub(crate) pace: Option<Duration>,
    /// The group of processes whose processor time is taken.
    pub(crate) group: Option<u32>,
}

/// What a round found.
pub(crate) struct Sample {
    /// For each kind, in the order of [`Kind::ALL`].
    pub(crate) took: Vec<Histogram>,
    pub(crate) length: Duration,
    /// What the server's processes used of the processor.
    pub(crate) cpu: Duration,
}

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);

impl Sample {
    pub(crate) fn of(&self, kind: Kind) -> Option<&Histogram> {
        Kind::ALL.iter().zip(&self.took).find_map(|(found, took)| (*found == kind).then_some(took))
    }

    /// All that was asked for, but for the flood.
    pub(crate) fn count(&self) -> u64 {
        let wanted = Kind::ALL.iter().zip(&self.took).filter(|(kind, _)| **kind != Kind::Flood);
        wanted.map(|(_, took)| took.total()).sum()
    }
}

/// Lets the clients at a server for a round; they come back as they are then, with what was found.
///
/// Those of the flood come on top, unpaced.
pub(crate) fn run<C: Client + 'static>(
    round: Round,
    clients: Vec<C>,
    flood: Vec<Box<dyn Client>>,
) -> Result<(Vec<C>, Sample)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let started = Instant::now() + round.warm_up;
        let ends = started + round.length;
        let watch = spawn_local(async move {
            let used = || round.group.map(cpu_time).unwrap_or_default();
            sleep_until(started.into()).await;
            let before = used();
            sleep_until(ends.into()).await;
            used().saturating_sub(before)
        });
        let span = Rc::new(Span { round, started, ends });
        let count = u32::try_from(clients.len()).unwrap_or(u32::MAX).max(1);
        let working: Vec<_> = (0..)
            .zip(clients)
            .map(|(place, client)| {
                // Paced connections take turns.
                let first = round.pace.map(|pace| Instant::now() + pace * place / count);
                spawn_local(work(Rc::clone(&span), client, first))
            })
            .collect();
        let flooding: Vec<_> = flood
            .into_iter()
            .map(|client| {
                let round = Round { pace: None, ..round };
                spawn_local(work(Rc::new(Span { round, started, ends }), client, None))
            })
            .collect();

        let mut took = vec![Histogram::new(); Kind::ALL.len()];
        let mut clients = Vec::new();
        let mut trouble = None;
        for worker in working {
            let (client, outcome) = worker.await?;
            clients.push(client);
            trouble = trouble.or(merge(&mut took, outcome));
        }
        for worker in flooding {
            trouble = trouble.or(merge(&mut took, worker.await?.1));
        }
        let cpu = watch.await?;
        match trouble {
            Some(trouble) => Err(trouble.into()),
            None => Ok((clients, Sample { took, length: round.length, cpu })),
        }
    })
}

struct Span {
    round: Round,
    started: Instant,
    ends: Instant,
}

type Found = Vec<(Kind, Duration)>;

impl Client for Box<dyn Client> {
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind {
        (**self).ask(request)
    }

    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String> {
        (**self).take(answer)
    }

    fn pause(&self) -> Duration {
        (**self).pause()
    }
}

/// One connection, until the round is over. The request that is under way then is finished, and not counted.
async fn work<C: Client>(
    span: Rc<Span>,
    mut client: C,
    mut slot: Option<Instant>,
) -> (C, Result<Found, String>) {
    let mut connection = Connection::new(span.round.address);
    let mut request = Vec::new();
    let mut found = Vec::new();
    loop {
        // An answer that came late makes the next request late: that is the server's doing, and counts. The timer's
        // own millisecond doesn't.
        let mut asked = Instant::now();
        if let (Some(due), Some(pace)) = (&mut slot, span.round.pace) {
            if *due > asked {
                sleep_until((*due).into()).await;
                asked = Instant::now();
            } else {
                asked = *due;
            }
            *due += pace;
        }
        if asked >= span.ends {
            return (client, Ok(found));
        }
        request.clear();
        let kind = client.ask(&mut request);
        let answer = match timeout(PATIENCE, connection.ask(&request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return (client, Err(format!("no answer: {error}"))),
            Err(_) => return (client, Err(format!("no answer within {PATIENCE:?}"))),
        };
        let answered = Instant::now();
        if let Err(complaint) = client.take(&answer) {
            return (client, Err(format!("a wrong answer: {complaint}")));
        }
        // A login may well take longer than a warm-up: what is answered within the round counts.
        if answered >= span.started && answered < span.ends {
            found.push((kind, answered - asked));
        }
        let pause = client.pause();
        if pause > Duration::ZERO {
            sleep(pause).await;
        }
    }
}

fn merge(took: &mut [Histogram], outcome: Result<Found, String>) -> Option<String> {
    match outcome {
        Ok(found) => {
            for (kind, span) in found {
                let place = Kind::ALL.iter().position(|other| *other == kind);
                if let Some(histogram) = place.and_then(|place| took.get_mut(place)) {
                    histogram.record(span);
                }
            }
            None
        }
        Err(trouble) => Some(trouble),
    }
}

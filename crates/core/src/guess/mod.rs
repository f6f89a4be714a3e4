//! How many failed passwords are too many.
//!
//! Whoever checks a password asks [`Guesses::admit`] first, and tells the [`Ticket`] how it went. The rules:
//!
//! 1. Only failed checks count. A check under way counts as failed until it is settled, so guesses in parallel can't
//!    outrun the count. A ticket that is dropped (a client that hung up) was a failure.
//! 2. For one name, known or not, on one network: [`name_limit`](GuessPolicy::name_limit) failures within the window.
//!    Then it is blocked for a window's length, at each further block for twice as long, up to an hour. A success
//!    there clears it, and nothing else.
//! 3. For one network, over all names: [`network_limit`](GuessPolicy::network_limit) failures within the window, and
//!    blocks likewise. A success doesn't clear it: whoever has an account could wipe the slate.
//! 4. For one account over all networks, by whatever name: past the [`ceiling`](GuessPolicy::ceiling) of failures in
//!    a row, networks where it hasn't logged in before share one try a minute ([`Ceiling`]).
//! 5. Names that are no account are treated as if they were, so that a throttled one tells nothing.
//!
//! Where several nodes serve, they share the counts (`shared`).
//!
//! The windows live in memory, and so do the ceilings of names that are no account; an account's ceiling is stored
//! and comes in with each request. Memory is bounded whatever is sent: three tables of `capacity` entries, each of
//! about 150 bytes (256 at the worst). An entry is made only by a check that goes on to be hashed, and one that has
//! nothing to tell is dropped. In a full table the entry that gives way is one whose time is over, or else the one
//! with the fewest failures among eight: to have a count of nine forgotten, somebody must fill the table with counts
//! of nine, from networks that are counted themselves.

mod ceiling;
mod shared;
mod table;
mod window;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Network;
use crate::id::UserId;
use crate::name::NameKey;
use crate::secret::sha256;
use crate::time::{Seconds, Timestamp};

pub use ceiling::Ceiling;
use ceiling::Run;
pub use shared::{SharedCounts, SharedTry, StoredCount};
use table::{Key, Table};
use window::Window;

/// How far apart two requests' `now` may lie: a request that waited for its body or the store has an old one.
/// A clock that goes back further was set.
const STALE_MAX: Seconds = Seconds(300);

/// The numbers, all of them settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GuessPolicy {
    /// Failures of one name on one network within the window (`throttle_name_limit`).
    pub name_limit: u16,
    /// Failures of one network within the window, over all names (`throttle_network_limit`).
    pub network_limit: u16,
    /// The window (`throttle_window`). A failure counts for as long, and up to a twentieth longer.
    pub window: Seconds,
    /// Failures in a row of one account, over all networks (`throttle_ceiling`).
    pub ceiling: u32,
}

/// The failed checks of late. A clone is another handle to the same counts.
///
/// One lock is enough: it is held for a microsecond, by requests of which each costs a password's hashing.
#[derive(Clone)]
pub struct Guesses(Arc<Mutex<Counts>>);

struct Counts {
    policy: GuessPolicy,
    steady: Steady,
    pairs: Table<Window>,
    networks: Table<Window>,
    runs: Table<Run>,
}

/// What the store knows of the account that a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No account has the name.
    NoAccount,
    /// An account has it.
    Account {
        /// Which.
        user: UserId,
        /// Its failures in a row, as stored.
        ceiling: Ceiling,
        /// Whether it has logged in from this network before.
        here_before: bool,
    },
}

/// Leave to check one password. It counts as a failure until it is settled, and for good if it never is.
#[must_use = "a ticket that is dropped is a failed check"]
pub struct Ticket {
    guesses: Guesses,
    place: Place,
    admitted_at: Timestamp,
    settled: bool,
}

/// How the check of a password went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was right: the count of the name on this network and the account's ceiling start again.
    Right,
    /// It was wrong.
    Wrong,
    /// It wasn't checked (overloaded, the store is down): as if it had never been asked.
    NotChecked,
}

/// Not now. The password must not be checked, right or wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many failed logins: try again in {} seconds", retry_after.0)]
pub struct Throttled {
    /// When to come back (`Retry-After`); at least one second.
    pub retry_after: Seconds,
    /// Which count is over: for the audit, never for the client.
    pub by: Limit,
}

/// The three counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Limit {
    /// One name on one network.
    Name,
    /// One network, over all names.
    Network,
    /// One account, over all networks.
    Ceiling,
}

/// Where a check is counted.
#[derive(Clone, Copy)]
struct Place {
    pair: Key,
    network: Key,
    run: Key,
    /// Whether it holds a place under the ceiling.
    stranger: bool,
}

/// A clock that doesn't go back: when the one on the wall is set back, it goes on from where it was.
#[derive(Default)]
struct Steady {
    last: Option<Timestamp>,
    set_back_by: i64,
}

impl Guesses {
    /// Counts nothing yet; `capacity` entries in each of three tables at most.
    pub fn new(policy: GuessPolicy, capacity: usize) -> Self {
        let counts = Counts {
            policy,
            steady: Steady::default(),
            pairs: Table::new(capacity),
            networks: Table::new(capacity),
            runs: Table::new(capacity),
        };
        Self(Arc::new(Mutex::new(counts)))
    }

    /// Asks leave to check a password of this name for a client on this network.
    ///
    /// `now` is read before the standing is loaded: so it is known which of two loads is the newer. On several nodes
    /// this is each one's own gate, and [`SharedTry::admit`] is behind it.
    pub fn admit(
        &self,
        name: &NameKey,
        network: Network,
        standing: Standing,
        now: Timestamp,
    ) -> Result<Ticket, Throttled> {
        let place = Place::of(name, network, standing);
        self.counts().reserve(place, standing, now)?;
        Ok(Ticket { guesses: self.clone(), place, admitted_at: now, settled: false })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Takes a place in all three counts, or in none.
    fn reserve(&mut self, place: Place, standing: Standing, now: Timestamp) -> Result<(), Throttled> {
        let GuessPolicy { name_limit, network_limit, window, ceiling } = self.policy;
        let at = self.steady.read(Some(now));
        let throttled = |by| move |retry_after| Throttled { retry_after, by };

        let network = self.networks.peek(place.network);
        network.admit(network_limit, window, at).map_err(throttled(Limit::Network))?;
        let pair = self.pairs.peek(place.pair);
        pair.admit(name_limit, window, at).map_err(throttled(Limit::Name))?;
        let run = self.runs.peek(place.run);
        run.admit(standing, ceiling, now).map_err(throttled(Limit::Ceiling))?;

        self.networks.with(place.network, at, Window::hold);
        self.pairs.with(place.pair, at, Window::hold);
        self.runs.with(place.run, now, |run| run.hold(standing, now));
        Ok(())
    }

    /// Gives the places back. Without `now`, no time has passed since the last call.
    fn settle(&mut self, place: Place, outcome: Outcome, admitted_at: Timestamp, now: Option<Timestamp>) {
        let GuessPolicy { name_limit, network_limit, window, .. } = self.policy;
        let at = self.steady.read(now);
        let now = now.unwrap_or(admitted_at);

        self.networks.with(place.network, at, |network| match outcome {
            Outcome::Wrong => network.fail(network_limit, window, at),
            Outcome::Right | Outcome::NotChecked => network.release(),
        });
        self.pairs.with(place.pair, at, |pair| match outcome {
            Outcome::Wrong => pair.fail(name_limit, window, at),
            Outcome::Right => pair.clear(),
            Outcome::NotChecked => pair.release(),
        });
        self.runs.with(place.run, now, |run| run.settle(place.stranger, outcome, now));
    }
}

impl Ticket {
    /// Tells how the check went. `now` is read afterwards. Of an account, the store is told first ([`Ceiling`]).
    pub fn settle(mut self, outcome: Outcome, now: Timestamp) {
        self.settled = true;
        self.guesses.counts().settle(self.place, outcome, self.admitted_at, Some(now));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.guesses.counts().settle(self.place, Outcome::Wrong, self.admitted_at, None);
        }
    }
}

impl Standing {
    /// Whether nobody has logged in from there before.
    const fn is_stranger(self) -> bool {
        !matches!(self, Self::Account { here_before: true, .. })
    }
}

impl Place {
    fn of(name: &NameKey, network: Network, standing: Standing) -> Self {
        let run = match standing {
            Standing::NoAccount => key(&["name", name.as_str()]),
            Standing::Account { user, .. } => key(&["user", &user.to_string()]),
        };
        let network = network.to_string();
        let pair = key(&[&network, name.as_str()]);
        Self { pair, network: key(&[&network]), run, stranger: standing.is_stranger() }
    }
}

/// Half of a SHA-256: two names that fall together can't be made. Only the last part may hold a NUL.
fn key(parts: &[&str]) -> Key {
    let hash = sha256(parts.join("\0").as_bytes());
    hash.first_chunk().copied().map_or(0, Key::from_le_bytes)
}

impl Steady {
    /// The steady time at this wall time, or the last one again.
    fn read(&mut self, now: Option<Timestamp>) -> Timestamp {
        let Some(now) = now else { return self.last.unwrap_or_default() };
        let moved = |by: i64| Timestamp::from_millis(now.millis().saturating_add(by));
        let last = self.last.unwrap_or(now);
        let set_back = last.millis_since(moved(self.set_back_by));
        if set_back > STALE_MAX.millis().unsigned_abs() {
            self.set_back_by = last.millis().saturating_sub(now.millis());
        }
        let steady = moved(self.set_back_by).max(last);
        self.last = Some(steady);
        steady
    }
}

impl Default for GuessPolicy {
    fn default() -> Self {
        Self { name_limit: 10, network_limit: 100, window: Seconds(300), ceiling: 100 }
    }
}

impl fmt::Debug for Guesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guesses").finish_non_exhaustive()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("admitted_at", &self.admitted_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

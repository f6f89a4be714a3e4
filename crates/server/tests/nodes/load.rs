//! Users who keep nodes busy while something dies, and then hold all of it to what was acknowledged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::dice::Dice;
use crate::common::http::Site;
use crate::common::user::User;

/// No machine is so busy that nothing gets done for as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Users who live through it.
pub(crate) struct Load {
    pub(crate) users: Vec<User>,
    dice: Dice,
}

/// How far the users have got, for whoever makes trouble in the midst of it.
#[derive(Default)]
pub(crate) struct Busy {
    begun: AtomicUsize,
    over: AtomicBool,
}

impl Load {
    pub(crate) fn new(users: usize, seed: u64) -> Self {
        Self { users: (0..users).map(User::new).collect(), dice: Dice::new(seed) }
    }

    /// Lets all of them live while this happens. Who gets no answer, or is told that it can't be done now, finds out what
    /// became of it, and goes on.
    pub(crate) fn through<T>(&mut self, site: &Site, trouble: impl FnOnce(&Busy) -> T) -> T {
        let busy = Busy::default();
        thread::scope(|scope| {
            for user in &mut self.users {
                let (mut dice, busy) = (self.dice.split(), &busy);
                scope.spawn(move || {
                    while !busy.over.load(Ordering::Relaxed) {
                        user.settle(site);
                        user.live(site, &mut dice, || busy.goes_on());
                    }
                });
            }
            // Whatever becomes of it, the users stop: else nobody would hear of a failed assertion.
            let _over = Over(&busy);
            trouble(&busy)
        })
    }

    /// Holds the site to all that was acknowledged.
    pub(crate) fn check(&mut self, site: &Site) {
        // Until what ended last has got about.
        thread::sleep(Duration::from_secs(1));
        thread::scope(|scope| {
            for user in &mut self.users {
                let mut dice = self.dice.split();
                scope.spawn(move || user.check(site, &mut dice));
            }
        });
    }

    /// How many requests were acknowledged, and how many refreshes were repeated because nobody heard the answer.
    pub(crate) fn tally(&self) -> (usize, usize) {
        let sum = |count: fn(&User) -> usize| self.users.iter().map(count).sum();
        (sum(|user| user.tally.acknowledged), sum(|user| user.tally.repeated))
    }
}

impl Busy {
    fn goes_on(&self) -> bool {
        self.begun.fetch_add(1, Ordering::Relaxed);
        !self.over.load(Ordering::Relaxed)
    }

    /// Waits until the users have begun so many more things.
    pub(crate) fn with(&self, more: usize) {
        let (goal, begun) = (self.begun.load(Ordering::Relaxed) + more, Instant::now());
        while self.begun.load(Ordering::Relaxed) < goal {
            assert!(begun.elapsed() < PATIENCE, "nothing gets done");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

struct Over<'a>(&'a Busy);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

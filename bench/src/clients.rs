//! What clients do, request after request: the loads.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{Api, PASSWORD, Session};
use crate::http::Answer;
use crate::loader::{Client, Kind};

/// Calls with a few sessions in turn.
pub(crate) struct Caller {
    api: Arc<dyn Api>,
    sessions: Vec<Session>,
    next: usize,
}

/// Refreshes its sessions in turn.
pub(crate) struct Refresher {
    api: Arc<dyn Api>,
    sessions: Vec<Session>,
    next: usize,
}

/// Logs in, each time as the next user.
pub(crate) struct Login {
    api: Arc<dyn Api>,
    users: Vec<String>,
    next: usize,
}

/// Lives: an hour of a session is one login, twelve refreshes and sixty calls, five after each.
pub(crate) struct Life {
    api: Arc<dyn Api>,
    user: String,
    place: usize,
    session: Session,
    step: usize,
}

/// Floods with logins, right and wrong by turns, each from a network of its own.
pub(crate) struct Flood {
    api: Arc<dyn Api>,
    place: usize,
    next: usize,
    turned_away: bool,
}

/// How soon one of a flood comes again that was turned away. Its answer says seconds; it doesn't care.
const IMPATIENCE: Duration = Duration::from_millis(100);

const REFRESHES: usize = 12;
const CALLS: usize = 5;

/// Adds what a trusted proxy says of where a request comes from.
fn from_network(number: usize, request: &mut Vec<u8>) {
    let [_, a, b, c] = u32::try_from(number).unwrap_or_default().to_be_bytes();
    let from = format!("X-Forwarded-For: 10.{a}.{b}.{c}\r\n");
    if let Some(line) = request.windows(2).position(|two| two == b"\r\n") {
        request.splice(line + 2..line + 2, from.into_bytes());
    }
}

/// Hands sessions out to connections, of which none goes without.
fn dealt<T>(cards: Vec<T>, players: usize) -> Vec<Vec<T>> {
    let mut hands: Vec<Vec<T>> = (0..players).map(|_| Vec::new()).collect();
    for (card, hand) in cards.into_iter().zip((0..players).cycle()) {
        if let Some(hand) = hands.get_mut(hand) {
            hand.push(card);
        }
    }
    hands.retain(|hand| !hand.is_empty());
    hands
}

impl Caller {
    pub(crate) fn all(
        api: &Arc<dyn Api>,
        sessions: Vec<Session>,
        connections: usize,
    ) -> Vec<Box<dyn Client>> {
        let hands = dealt(sessions, connections).into_iter();
        hands.map(|sessions| Box::new(Self { api: Arc::clone(api), sessions, next: 0 }) as _).collect()
    }
}

impl Refresher {
    pub(crate) fn all(
        api: &Arc<dyn Api>,
        sessions: Vec<Session>,
        connections: usize,
    ) -> Vec<Box<dyn Client>> {
        let hands = dealt(sessions, connections).into_iter();
        hands.map(|sessions| Box::new(Self { api: Arc::clone(api), sessions, next: 0 }) as _).collect()
    }
}

impl Login {
    pub(crate) fn all(api: &Arc<dyn Api>, users: Vec<String>, connections: usize) -> Vec<Box<dyn Client>> {
        let hands = dealt(users, connections).into_iter();
        hands.map(|users| Box::new(Self { api: Arc::clone(api), users, next: 0 }) as _).collect()
    }
}

impl Life {
    /// They begin at different hours of their lives, so that logins are spread.
    pub(crate) fn all(api: &Arc<dyn Api>, sessions: Vec<Session>) -> Vec<Box<dyn Client>> {
        let lives = sessions.into_iter().enumerate();
        lives
            .map(|(place, session)| {
                let step = 1 + place * 7 % (REFRESHES * (CALLS + 1));
                Box::new(Self { api: Arc::clone(api), user: session.user.clone(), place, session, step }) as _
            })
            .collect()
    }

    fn kind(&self) -> Kind {
        match self.step {
            0 => Kind::Login,
            step if step % (CALLS + 1) == 0 => Kind::Refresh,
            _ => Kind::Profile,
        }
    }
}

impl Flood {
    pub(crate) fn all(api: &Arc<dyn Api>, connections: usize) -> Vec<Box<dyn Client>> {
        (0..connections)
            .map(|place| Box::new(Self { api: Arc::clone(api), place, next: 0, turned_away: false }) as _)
            .collect()
    }
}

impl Client for Caller {
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind {
        self.next = (self.next + 1) % self.sessions.len().max(1);
        if let Some(session) = self.sessions.get(self.next) {
            self.api.profile(session, request);
        }
        Kind::Profile
    }

    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String> {
        let session = self.sessions.get(self.next).ok_or("no session")?;
        self.api.is_profile(session, answer)
    }
}

impl Client for Refresher {
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind {
        self.next = (self.next + 1) % self.sessions.len().max(1);
        if let Some(session) = self.sessions.get(self.next) {
            self.api.refresh(session, request);
        }
        Kind::Refresh
    }

    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String> {
        let session = self.sessions.get_mut(self.next).ok_or("no session")?;
        self.api.refreshed(session, answer)
    }
}

impl Client for Login {
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind {
        self.next = (self.next + 1) % self.users.len().max(1);
        if let Some(user) = self.users.get(self.next) {
            self.api.login(user, PASSWORD, request);
        }
        Kind::Login
    }

    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String> {
        let user = self.users.get(self.next).ok_or("no user")?;
        self.api.logged_in(user, answer).map(drop)
    }
}

impl Client for Life {
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind {
        let kind = self.kind();
        match kind {
            Kind::Login => {
                self.api.login(&self.user, PASSWORD, request);
                from_network(self.place, request);
            }
            Kind::Refresh => self.api.refresh(&self.session, request),
            Kind::Profile | Kind::Flood => self.api.profile(&self.session, request),
        }
        kind
    }

    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String> {
        match self.kind() {
            Kind::Login => self.session = self.api.logged_in(&self.user, answer)?,
            Kind::Refresh => self.api.refreshed(&mut self.session, answer)?,
            Kind::Profile | Kind::Flood => self.api.is_profile(&self.session, answer)?,
        }
        self.step = (self.step + 1) % (1 + REFRESHES * (CALLS + 1));
        Ok(())
    }
}

impl Flood {
    fn is_right(&self) -> bool {
        (self.place + self.next).is_multiple_of(2)
    }
}

impl Client for Flood {
    fn ask(&mut self, request: &mut Vec<u8>) -> Kind {
        self.next += 1;
        let user = format!("user-{}", 1 + (self.place * 31 + self.next * 7) % 1000);
        let password = if self.is_right() { PASSWORD } else { "not the password at all" };
        self.api.login(&user, password, request);
        from_network(self.place * 1000 + self.next, request);
        Kind::Flood
    }

    /// Whatever a flood may be told: in, wrong, too many, overloaded.
    fn take(&mut self, answer: &Answer<'_>) -> Result<(), String> {
        self.turned_away = matches!(answer.status, 429 | 503);
        match (self.is_right(), answer.status) {
            (true, 200) | (false, 401) | (_, 429 | 503) => Ok(()),
            _ => Err(answer.told()),
        }
    }

    fn pause(&self) -> Duration {
        if self.turned_away { IMPATIENCE } else { Duration::ZERO }
    }
}

//! A user who never rests, keeps what the server acknowledged, and holds it to that after a crash.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::dice::Dice;
use super::http::{Answer, Connection, Request, Session, Site};

/// No database is away for longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A user with a few devices, and all that was acknowledged to them.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
    /// The password before, if it was changed since the last check.
    old_password: Option<String>,
    first_name: String,
    /// Those that are signed in.
    devices: Vec<Device>,
    /// Those that are not any more. The first `dead_checked` have been found dead after a crash before.
    dead: Vec<Device>,
    dead_checked: usize,
    /// How many sessions there may be that nobody has the tokens of: the answer to their login was never heard.
    strangers: usize,
    /// What got no answer, if the last request didn't.
    unheard: Option<Act>,
    pub(crate) tally: Tally,
}

/// What a user holds of a session, for who compares it with the store.
pub(crate) struct Held<'a> {
    pub(crate) session: &'a Session,
    pub(crate) lives: bool,
}

/// How often what is to be shown came about.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    /// Requests that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Refreshes that were repeated, since they got no answer.
    pub(crate) repeated: usize,
    /// Tokens that were used once more, and taken for stolen.
    pub(crate) thefts: usize,
}

/// A browser where the user is signed in.
struct Device {
    session: Session,
    /// What it held before its last rotation.
    before: Option<Session>,
    /// The key of a refresh that got no answer.
    key: Option<String>,
}

/// Something to do, on the device at this place.
#[derive(Clone)]
enum Act {
    Login,
    Refresh { at: usize, hang_up: bool },
    Rename { at: usize, name: String },
    ChangePassword { at: usize, new: String },
    Logout { at: usize },
    End { at: usize, other: usize },
    EndOthers { at: usize },
}

impl User {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            name: format!("user{number}"),
            password: "a plum tree in autumn".to_owned(),
            old_password: None,
            first_name: String::new(),
            devices: Vec::new(),
            dead: Vec::new(),
            dead_checked: 0,
            strangers: 0,
            unheard: None,
            tally: Tally::default(),
        }
    }

    /// All sessions that this user was told of.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = Held<'_>> {
        let live = self.devices.iter().map(|device| Held { session: &device.session, lives: true });
        live.chain(self.dead.iter().map(|device| Held { session: &device.session, lives: false }))
    }

    /// Does one thing after another until the server is gone, or as long as it may.
    pub(crate) fn live(&mut self, site: &Site, dice: &mut Dice, may_go_on: impl Fn() -> bool) {
        let mut server = Connection::new(site);
        while may_go_on() {
            let act = self.choose(dice);
            self.unheard = Some(act.clone());
            if self.perform(act, &mut server, dice).is_err() {
                return;
            }
            self.unheard = None;
            self.tally.acknowledged += 1;
        }
    }

    fn choose(&self, dice: &mut Dice) -> Act {
        if self.devices.is_empty() {
            return Act::Login;
        }
        let (at, other) = (dice.below(self.devices.len()), dice.below(self.devices.len()));
        match dice.below(100) {
            0..6 => Act::Login,
            6..20 => Act::Rename { at, name: format!("name {}", dice.below(1_000_000)) },
            20..23 => {
                Act::ChangePassword { at, new: format!("plum tree number {}", dice.below(1_000_000_000)) }
            }
            23..28 => Act::Logout { at },
            28..33 => Act::End { at, other },
            33..35 => Act::EndOthers { at },
            35..45 => Act::Refresh { at, hang_up: true },
            _ => Act::Refresh { at, hang_up: false },
        }
    }

    /// Does it, and notes what was acknowledged.
    fn perform(&mut self, act: Act, server: &mut Connection, dice: &mut Dice) -> io::Result<()> {
        let doomed = self.doomed(&act);
        match act {
            Act::Login => {
                let answer = server.call(&Request::login(&self.name, &self.password))?;
                self.devices.push(Device::new(answer));
            }
            Act::Refresh { at, hang_up } => {
                self.tally.repeated += usize::from(self.devices[at].key.is_some());
                self.devices[at].refresh(server, dice, hang_up)?;
            }
            Act::Rename { at, name } => {
                let change = json!({ "first_name": name });
                self.call("PATCH /accounts/profile", at, Some(change), server)?.expect(200);
                self.first_name = name;
            }
            Act::ChangePassword { at, new } => {
                let change = json!({ "old_password": self.password, "new_password": new });
                let answer = self.call("POST /accounts/password", at, Some(change), server)?;
                self.bury(&doomed);
                self.strangers = 0;
                self.devices.push(Device::new(answer));
                self.old_password = Some(std::mem::replace(&mut self.password, new));
            }
            Act::Logout { at } => {
                self.call("POST /accounts/logout", at, None, server)?.expect(204);
                self.bury(&doomed);
            }
            Act::End { at, other } => {
                let line = format!("DELETE /accounts/sessions/{}", self.devices[other].session.id);
                self.call(&line, at, None, server)?.expect(204);
                self.bury(&doomed);
            }
            Act::EndOthers { at } => {
                self.call("DELETE /accounts/sessions", at, None, server)?.expect(204);
                self.bury(&doomed);
                self.strangers = 0;
            }
        }
        Ok(())
    }

    fn call(
        &self,
        line: &str,
        at: usize,
        body: Option<serde_json::Value>,
        server: &mut Connection,
    ) -> io::Result<Answer> {
        let request = Request::new(line).of(&self.devices[at].session);
        server.call(&match body {
            Some(body) => request.json(&body),
            None => request,
        })
    }

    /// Which of the devices are signed out by it.
    fn doomed(&self, act: &Act) -> Vec<usize> {
        let all = 0..self.devices.len();
        match *act {
            Act::Login | Act::Refresh { .. } | Act::Rename { .. } => Vec::new(),
            Act::ChangePassword { .. } => all.collect(),
            Act::Logout { at } => vec![at],
            Act::End { other, .. } => vec![other],
            Act::EndOthers { at } => all.filter(|it| *it != at).collect(),
        }
    }

    /// Takes note that these devices are signed out.
    fn bury(&mut self, doomed: &[usize]) {
        for at in doomed.iter().rev() {
            self.dead.push(self.devices.remove(*at));
        }
    }

    /// Holds the server to all that was acknowledged before it was killed.
    pub(crate) fn check(&mut self, site: &Site, dice: &mut Dice) {
        self.settle(site);
        let server = &mut Connection::new(site);
        if let Some(old) = self.old_password.take() {
            let answer = server.call(&Request::login(&self.name, &old)).unwrap();
            answer.refused(401, "invalid_credentials");
        }
        self.perform(Act::Login, server, dice).unwrap();
        self.check_list(server);
        for device in &mut self.devices {
            let profile = server.call(&Request::new("GET /accounts/profile").of(&device.session)).unwrap();
            assert_eq!(profile.expect(200).body["user"]["first_name"], self.first_name);
            self.tally.repeated += usize::from(device.key.is_some());
            device.refresh(server, dice, false).unwrap();
        }
        self.check_dead(server, dice);
        if dice.below(3) == 0 {
            // Nodes agree on the time to within a fraction of this. Until then another one may see no later moment.
            sleep(site.news_take);
            self.be_robbed(server, dice);
        }
        if self.devices.len() > 4 {
            self.perform(Act::EndOthers { at: 0 }, server, dice).unwrap();
        }
    }

    /// What got no answer was done whole, or not at all. Finds out which, as soon as there is an answer.
    pub(crate) fn settle(&mut self, site: &Site) {
        if self.unheard.is_none() {
            return;
        }
        // A server that died may have left its last word with the database.
        sleep(site.news_take / 4);
        let begun = Instant::now();
        while let Err(error) = self.try_to_settle(&mut Connection::new(site)) {
            assert!(begun.elapsed() < PATIENCE, "{error}");
            sleep(Duration::from_millis(20));
        }
    }

    fn try_to_settle(&mut self, server: &mut Connection) -> io::Result<()> {
        let Some(act) = self.unheard.clone() else { return Ok(()) };
        let doomed = self.doomed(&act);
        match act {
            // Its key is at hand, and will be sent again.
            Act::Refresh { .. } => {}
            Act::Login => self.strangers += 1,
            Act::Rename { at, name } => {
                let profile = self.call("GET /accounts/profile", at, None, server)?.expect(200).body;
                if profile["user"]["first_name"] == name {
                    self.first_name = name;
                }
            }
            Act::ChangePassword { new, .. } => {
                // It may succeed without being heard, time and again.
                self.strangers += 1;
                let answer = server.call(&Request::login(&self.name, &new))?;
                if answer.status == 200 {
                    self.bury(&doomed);
                    self.devices.push(Device::new(answer));
                    self.old_password = Some(std::mem::replace(&mut self.password, new));
                } else {
                    answer.refused(401, "invalid_credentials");
                }
            }
            Act::Logout { .. } | Act::End { .. } | Act::EndOthers { .. } => {
                let lives: Vec<_> =
                    doomed.iter().map(|at| self.devices[*at].lives(server)).collect::<io::Result<_>>()?;
                if lives.contains(&false) {
                    assert!(!lives.contains(&true), "some of the sessions were ended, and others were not");
                    self.bury(&doomed);
                }
            }
        }
        self.unheard = None;
        Ok(())
    }

    /// The list has all that live, none that are dead, and no more than may be.
    fn check_list(&self, server: &mut Connection) {
        let last = self.devices.len() - 1;
        let answer = self.call("GET /accounts/sessions", last, None, server).unwrap().expect(200);
        let listed = answer.body["sessions"].as_array().unwrap();
        let is_listed = |device: &Device| listed.iter().any(|session| session["id"] == device.session.id);
        assert!(self.devices.iter().all(is_listed), "a session is gone");
        assert!(!self.dead.iter().any(is_listed), "a session lives again");
        assert!(listed.len() <= self.devices.len() + self.strangers, "a session came out of nowhere");
    }

    /// Those that died since the last time are dead, and a few of the others still are.
    fn check_dead(&mut self, server: &mut Connection, dice: &mut Dice) {
        let old = (0..5).filter(|_| self.dead_checked > 0).map(|_| dice.below(self.dead_checked));
        for at in old.chain(self.dead_checked..self.dead.len()) {
            self.dead[at].assert_dead(server);
        }
        self.dead_checked = self.dead.len();
    }

    /// Someone has a token that was used up, and no key: that ends the session.
    fn be_robbed(&mut self, server: &mut Connection, dice: &mut Dice) {
        let device = self.devices.remove(dice.below(self.devices.len()));
        let stolen = device.before.as_ref().unwrap();
        server.call(&Request::refresh(stolen)).unwrap().refused(401, "refresh_token_reused");
        device.assert_dead(server);
        self.dead.push(device);
        self.tally.thefts += 1;
    }
}

impl Device {
    fn new(answer: Answer) -> Self {
        Self { session: Session::begun(answer), before: None, key: None }
    }

    /// Refreshes; a refresh that got no answer is repeated under its key. Whether the server had done it or not, the
    /// next generation is the answer.
    fn refresh(&mut self, server: &mut Connection, dice: &mut Dice, hang_up: bool) -> io::Result<()> {
        let key = self.key.get_or_insert_with(|| dice.key());
        let request = Request::refresh(&self.session).header("Idempotency-Key", key);
        if hang_up {
            return server.call_and_hang_up(&request);
        }
        let next = self.session.after(server.call(&request)?);
        assert_eq!(next.generation(), self.session.generation() + 1);
        self.before = Some(std::mem::replace(&mut self.session, next));
        self.key = None;
        Ok(())
    }

    /// As the store knows, whatever news a node has.
    fn lives(&self, server: &mut Connection) -> io::Result<bool> {
        let answer = server.call(&Request::new("GET /accounts/csrf").of(&self.session))?;
        if answer.status != 200 {
            self.ask_the_dead(server)?;
        }
        Ok(answer.status == 200)
    }

    /// Neither of its tokens is good for anything.
    fn assert_dead(&self, server: &mut Connection) {
        self.ask_the_dead(server).unwrap();
    }

    fn ask_the_dead(&self, server: &mut Connection) -> io::Result<()> {
        let access = Request::new("GET /accounts/profile").of(&self.session);
        server.refused_in_time(&access, 401, "session_ended")?;
        server.call(&Request::refresh(&self.session))?.refused(401, "session_ended");
        Ok(())
    }
}

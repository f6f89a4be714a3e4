//! The life of a session under whatever may happen to it.
//!
//! A server keeps one session and serves refreshes by `session::judge`, as a store would. Around it are *jars*, each
//! holding the refresh token of one client: the owner's browser with any number of tabs, a second device that was
//! restored from a copy, a thief. What is between them loses, delays and reorders requests and answers, the clock is
//! turned, the session is ended; and in between the invariants hold.

#![allow(clippy::indexing_slicing, reason = "a test may index what it made itself")]

use std::collections::{BTreeMap, HashSet};

use countersign_core::session::{
    Answer, Delivery, EndReason, Ended, NewSession, REPLAY_KEYS, Refusal, ReplayKey, RotationPolicy, Session,
    Verdict, judge,
};
use countersign_core::{Client, Generation, Seconds, SessionId, Timestamp, UserId};
use proptest::prelude::*;
use proptest::sample::Index;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const GRACE: i64 = 10_000;
const POLICY: RotationPolicy =
    RotationPolicy { grace: Seconds(10), refresh_lifetime: Seconds(7 * 86_400), leeway: Seconds(10) };
const LIFETIME: Seconds = Seconds(30 * 86_400);

/// A refresh token: what its JWT says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Token {
    generation: Generation,
    expires_at: Timestamp,
}

/// Why a refresh was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    Expired,
    By(Refusal),
}

/// An answer: the token, and whether it is set (a cookie) or the one that came with the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Answered {
    token: Token,
    verdict: Verdict,
}

/// One session, kept as a store keeps it.
struct Server {
    session: Session,
    now: Timestamp,
    /// When each generation was made.
    made: BTreeMap<Generation, Timestamp>,
    /// Who was answered with which generation, by which key: the rotation's own and those within its grace.
    answered: HashSet<(Generation, ReplayKey)>,
}

impl Server {
    fn new(remember: bool) -> Self {
        let new = NewSession {
            id: SessionId::new(START, [1; 10]),
            user: UserId(1),
            delivery: Delivery::Cookie,
            remember,
            client: Client::default(),
            lifetime: LIFETIME,
        };
        let session = Session::start(new, &POLICY, START);
        let made = BTreeMap::from([(session.generation, START)]);
        Self { session, now: START, made, answered: HashSet::new() }
    }

    fn token(&self) -> Token {
        Token { generation: self.session.generation, expires_at: self.session.refresh_expires_at }
    }

    fn wait(&mut self, millis: i64) {
        self.now = Timestamp::from_millis(self.now.millis() + millis);
    }

    /// Serves a refresh, as the contract says it is served, and checks what must hold at every one.
    fn refresh(&mut self, token: Token, key: Option<ReplayKey>) -> Result<Answered, Refused> {
        if self.now - POLICY.leeway >= token.expires_at {
            return Err(Refused::Expired);
        }
        let before = self.session.clone();
        let verdict = judge(&before, token.generation, key.as_ref(), &POLICY, self.now);
        let session = before.clone();
        self.session = match verdict {
            Verdict::Rotate => session.rotated(Client::default(), key, &POLICY, self.now),
            Verdict::AnswerCurrent(Answer::Grace { remember_key: true }) => {
                Session { replay_keys: [session.replay_keys, key.into_iter().collect()].concat(), ..session }
            }
            Verdict::Refuse(Refusal::Reused) => session.ended(EndReason::Theft, self.now),
            Verdict::AnswerCurrent(_) | Verdict::Refuse(_) => session,
        };
        self.check(&before, token.generation, key, verdict);
        match verdict {
            Verdict::Refuse(refusal) => Err(Refused::By(refusal)),
            Verdict::Rotate | Verdict::AnswerCurrent(_) => Ok(Answered { token: self.token(), verdict }),
        }
    }

    fn check(&mut self, before: &Session, presented: Generation, key: Option<ReplayKey>, verdict: Verdict) {
        let after = &self.session;
        let context = || format!("{presented:?} with {key:?} was {verdict:?}: {before:?} became {after:?}");

        // What never changes, and what only grows.
        assert_eq!((after.id, after.user, after.created_at), (before.id, before.user, before.created_at));
        assert_eq!((after.delivery, after.remember), (before.delivery, before.remember));
        assert_eq!(after.ends_at, before.ends_at, "{}", context());
        assert!(after.refresh_expires_at <= after.ends_at, "{}", context());
        assert!(after.generation >= before.generation, "{}", context());
        assert!(after.replay_keys.len() <= REPLAY_KEYS, "{}", context());
        let distinct: HashSet<_> = after.replay_keys.iter().collect();
        assert_eq!(distinct.len(), after.replay_keys.len(), "{}", context());

        // An ended session never lives again, and is left alone.
        if before.ended.is_some() {
            assert!(
                matches!(verdict, Verdict::Refuse(Refusal::Ended | Refusal::UserInactive)),
                "{}",
                context()
            );
        }
        // Only a theft ends it, and a refusal changes nothing else.
        if let Verdict::Refuse(refusal) = verdict {
            let ended = before.ended.or(after.ended.filter(|_| refusal == Refusal::Reused));
            assert_eq!(*after, Session { ended, ..before.clone() }, "{}", context());
            assert_eq!(
                refusal == Refusal::Reused,
                before.ended.is_none() && ended.is_some(),
                "{}",
                context()
            );
        }

        // One live generation: the current one alone makes the next one, and its parent alone is answered beside it.
        // (A clock that was set back lets the current one rotate, and its parent be.)
        let age = self.now.millis() - self.made[&before.generation].millis();
        let due = age.abs() >= GRACE;
        let current = presented == before.generation;
        match verdict {
            Verdict::Rotate => {
                assert!(current && due, "{}", context());
                assert_eq!(after.generation, before.generation.next(), "{}", context());
                assert_eq!(after.replay_keys, Vec::from_iter(key), "{}", context());
                assert!(after.refresh_expires_at <= self.now + POLICY.refresh_lifetime, "{}", context());
                self.made.insert(after.generation, self.now);
                self.answered.extend(key.map(|key| (after.generation, key)));
            }
            Verdict::AnswerCurrent(answer) => {
                let keys = after.replay_keys.clone();
                assert_eq!(*after, Session { replay_keys: keys, ..before.clone() }, "{}", context());
                let parent = presented.next() == before.generation;
                let known = key.is_some_and(|key| self.answered.contains(&(before.generation, key)));
                match answer {
                    Answer::TooYoung => assert!(current && !due, "{}", context()),
                    Answer::Replay => assert!(parent && age >= GRACE && known, "{}", context()),
                    Answer::Grace { remember_key } => {
                        assert!(parent && age < GRACE, "{}", context());
                        let full = before.replay_keys.len() == REPLAY_KEYS;
                        assert_eq!(remember_key, key.is_some() && !known && !full, "{}", context());
                        self.answered
                            .extend(key.filter(|_| remember_key).map(|key| (before.generation, key)));
                    }
                }
            }
            Verdict::Refuse(Refusal::Reused) => {
                let known = key.is_some_and(|key| self.answered.contains(&(before.generation, key)));
                let parent = presented.next() == before.generation;
                assert!(presented < before.generation, "{}", context());
                assert!(!(parent && (age < GRACE || known)), "{}", context());
                assert_eq!(
                    after.ended,
                    Some(Ended { at: self.now, reason: EndReason::Theft }),
                    "{}",
                    context()
                );
            }
            Verdict::Refuse(Refusal::Unknown) => assert!(presented > before.generation, "{}", context()),
            Verdict::Refuse(Refusal::Ended | Refusal::UserInactive) => {
                let over = self.now - POLICY.leeway >= before.refresh_expires_at;
                assert!(before.ended.is_some() || over, "{}", context());
            }
        }
    }
}

fn key(n: usize) -> ReplayKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&n.to_be_bytes());
    key
}

// ── Anything at all ─────────────────────────────────────────────────────────────────────────────────────────────────

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    /// A tab of this jar sends a refresh: without a key, with a new one, or with that of an earlier request.
    Send {
        jar: usize,
        key: KeyUse,
    },
    /// A request that is under way arrives.
    Arrive {
        request: Index,
    },
    /// An answer that is under way arrives in its jar.
    Deliver {
        answer: Index,
    },
    /// An answer, or a request, is lost.
    LoseAnswer {
        answer: Index,
    },
    LoseRequest {
        request: Index,
    },
    /// A jar's token is copied into another jar.
    Copy {
        from: usize,
        to: usize,
    },
    /// The clock goes on, or is set.
    Wait {
        millis: i64,
    },
    SetClock {
        millis: i64,
    },
    End {
        reason: EndReason,
    },
    /// The store is backed up; it is restored from its last backup.
    BackUp,
    Restore,
}

#[derive(Clone, Debug)]
enum KeyUse {
    None,
    New,
    Again(Index),
}

const JARS: usize = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = prop_oneof![
        2 => Just(KeyUse::None),
        2 => Just(KeyUse::New),
        2 => any::<Index>().prop_map(KeyUse::Again)
    ];
    // Spans that matter: within the grace, at its edge to the millisecond, past it, past every lifetime.
    let span = prop_oneof![
        4 => 0..GRACE,
        4 => GRACE - 1..=GRACE + 1,
        4 => GRACE..600_000,
        1 => 0..POLICY.refresh_lifetime.millis(),
    ];
    let step = prop_oneof![
        20 => (0..JARS, key).prop_map(|(jar, key)| Step::Send { jar, key }),
        20 => any::<Index>().prop_map(|request| Step::Arrive { request }),
        14 => any::<Index>().prop_map(|answer| Step::Deliver { answer }),
        4 => any::<Index>().prop_map(|answer| Step::LoseAnswer { answer }),
        2 => any::<Index>().prop_map(|request| Step::LoseRequest { request }),
        4 => (0..JARS, 0..JARS).prop_map(|(from, to)| Step::Copy { from, to }),
        16 => span.prop_map(|millis| Step::Wait { millis }),
        2 => prop_oneof![-3_600_000..3_600_000_i64, -GRACE..GRACE].prop_map(|millis| Step::SetClock { millis }),
        1 => prop::sample::select(&EndReason::ALL[..]).prop_map(|reason| Step::End { reason }),
        1 => prop::sample::select(vec![Step::BackUp, Step::Restore]),
    ];
    prop::collection::vec(step, 0..150)
}

/// A refresh on its way to the server.
#[derive(Clone, Copy)]
struct Request {
    jar: usize,
    token: Token,
    key: Option<ReplayKey>,
}

fn take<T>(from: &mut Vec<T>, at: Index) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(at.index(from.len())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // attack 27, attack 28, attack 31, attack 32, attack 39, attack 106
    #[test]
    fn whatever_happens_there_is_one_live_generation_and_no_way_back(remember: bool, steps in steps()) {
        let mut server = Server::new(remember);
        let mut jars = [server.token(); JARS];
        let (mut requests, mut answers, mut keys) = (Vec::<Request>::new(), Vec::new(), 0);
        let mut backup = server.session.clone();
        for step in steps {
            match step {
                Step::Send { jar, key: use_of_key } => {
                    let key = match use_of_key {
                        KeyUse::None => None,
                        KeyUse::New => { keys += 1; Some(key(keys)) }
                        KeyUse::Again(which) => (keys > 0).then(|| key(1 + which.index(keys))),
                    };
                    requests.push(Request { jar, token: jars[jar], key });
                }
                Step::Arrive { request } => if let Some(request) = take(&mut requests, request)
                    && let Ok(answered) = server.refresh(request.token, request.key)
                {
                    answers.push((request.jar, answered));
                }
                Step::Deliver { answer } => if let Some((jar, answered)) = take(&mut answers, answer) {
                    jars[jar] = answered.token;
                }
                Step::LoseAnswer { answer } => { take(&mut answers, answer); }
                Step::LoseRequest { request } => { take(&mut requests, request); }
                Step::Copy { from, to } => jars[to] = jars[from],
                Step::Wait { millis } | Step::SetClock { millis } => server.wait(millis),
                Step::End { reason } => {
                    let first = server.session.ended;
                    server.session = server.session.clone().ended(reason, server.now);
                    prop_assert!(first.is_none() || server.session.ended == first, "the first end stands");
                }
                Step::BackUp => backup = server.session.clone(),
                Step::Restore => {
                    server.session = backup.clone();
                    server.made.insert(backup.generation, backup.rotated_at);
                    server.answered = backup.replay_keys.iter().map(|key| (backup.generation, *key)).collect();
                }
            }
        }
    }
}

// ── Tabs that race ──────────────────────────────────────────────────────────────────────────────────────────────────

/// A refresh of one tab: sent when, and how long it takes to arrive and to be answered.
#[derive(Clone, Debug)]
struct Trip {
    sent: i64,
    there: i64,
    back: i64,
    with_key: bool,
}

/// Trips that take less than half the grace each, in bursts and with long pauses.
fn trips() -> impl Strategy<Value = Vec<Trip>> {
    let pause = prop_oneof![4 => 0..50_i64, 4 => 0..GRACE, 2 => GRACE - 2..=GRACE + 2, 1 => GRACE..1_000_000];
    let half = GRACE / 4;
    prop::collection::vec((pause, 0..half, 0..half, any::<bool>()), 0..120).prop_map(|trips| {
        let mut sent = 0;
        let mut trip = |(pause, there, back, with_key)| {
            sent += pause;
            Trip { sent, there, back, with_key }
        };
        trips.into_iter().map(&mut trip).collect()
    })
}

/// Plays the trips of tabs that share a jar; every refusal is an error.
///
/// An answer sets the jar, unless it is the very token that the request came with.
fn play(trips: &[Trip]) -> Result<Server, TestCaseError> {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        Send,
        Arrive,
        Deliver,
    }
    let mut events: Vec<(i64, Event, usize)> = Vec::new();
    for (n, trip) in trips.iter().enumerate() {
        events.push((trip.sent, Event::Send, n));
        events.push((trip.sent + trip.there, Event::Arrive, n));
        events.push((trip.sent + trip.there + trip.back, Event::Deliver, n));
    }
    events.sort();

    let mut server = Server::new(true);
    let mut jar = server.token();
    let mut sent = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for (at, event, n) in events {
        server.now = Timestamp::from_millis(START.millis() + at);
        match event {
            Event::Send => {
                sent.insert(n, jar);
            }
            Event::Arrive => {
                let answer = server.refresh(sent[&n], trips[n].with_key.then(|| key(n)));
                let answered =
                    answer.map_err(|refused| TestCaseError::fail(format!("trip {n}: {refused:?}")))?;
                answers.insert(n, answered);
            }
            Event::Deliver => {
                let Answered { token, verdict } = answers[&n];
                if verdict != Verdict::AnswerCurrent(Answer::TooYoung) {
                    prop_assert!(token.generation >= jar.generation, "trip {n} sets the jar back");
                    jar = token;
                }
            }
        }
    }
    Ok(server)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // attack 31
    #[test]
    fn tabs_that_race_never_lose_the_session_in_whatever_order_their_answers_come(trips in trips()) {
        prop_assert!(play(&trips)?.session.ended.is_none());
    }
}

/// Why an answer with the token that the request came with must not set the cookie again: it may arrive after the
/// answer to a rotation, and would put the browser back to a token that counts as theft later.
#[test]
fn an_answer_that_set_its_own_cookie_again_could_put_the_browser_back() {
    let mut server = Server::new(true);
    let jar = server.token();
    server.wait(GRACE - 1);
    let slow = server.refresh(jar, None).unwrap();
    server.wait(1);
    let fast = server.refresh(jar, None).unwrap();
    assert_eq!(slow.verdict, Verdict::AnswerCurrent(Answer::TooYoung));
    assert_eq!(fast.verdict, Verdict::Rotate);
    // `fast` arrives, then `slow`. Had it set the cookie, five minutes later:
    server.wait(300_000);
    assert_eq!(server.refresh(slow.token, None), Err(Refused::By(Refusal::Reused)));
}

// ── Answers that are lost ───────────────────────────────────────────────────────────────────────────────────────────

/// A refresh that is tried until its answer arrives: how long before each try, and whether the request was lost.
type Tries = Vec<(i64, bool)>;

fn refreshes() -> impl Strategy<Value = Vec<Tries>> {
    let pause = prop_oneof![3 => 0..GRACE, 3 => GRACE - 1..=GRACE + 1, 3 => GRACE..100_000_000];
    prop::collection::vec(prop::collection::vec((pause, any::<bool>()), 1..6), 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // attack 31
    #[test]
    fn a_client_that_repeats_its_key_is_never_taken_for_a_thief(refreshes in refreshes()) {
        let mut server = Server::new(true);
        let mut jar = server.token();
        for (n, tries) in refreshes.into_iter().enumerate() {
            let mut answer = None;
            for (pause, lost) in tries {
                server.wait(pause);
                if lost {
                    continue;
                }
                match server.refresh(jar, Some(key(n))) {
                    Ok(answered) => answer = Some(answered.token),
                    Err(Refused::Expired | Refused::By(Refusal::Ended)) => return Ok(()),
                    Err(refused) => prop_assert!(false, "refresh {n}: {refused:?}"),
                }
            }
            // The last answer arrives, those before it were lost.
            jar = answer.unwrap_or(jar);
            prop_assert!(answer.is_none() || jar == server.token());
        }
    }

    // attack 31
    #[test]
    fn up_to_four_tabs_that_lose_their_answers_may_all_repeat_them(
        tabs in 1..=REPLAY_KEYS, later in prop::collection::vec(0..1_000_000_i64, REPLAY_KEYS)
    ) {
        let mut server = Server::new(true);
        let jar = server.token();
        server.wait(GRACE);
        for tab in 0..tabs {
            server.refresh(jar, Some(key(tab))).unwrap();
            server.wait(1);
        }
        for (tab, pause) in later.into_iter().enumerate().take(tabs) {
            server.wait(pause);
            prop_assert_eq!(server.refresh(jar, Some(key(tab))).map(|answered| answered.token), Ok(server.token()));
        }
    }
}

// ── A thief ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The owner's browser and a thief's copy of its jar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Party {
    Owner,
    Thief,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // attack 28: from either side
    #[test]
    fn a_thief_and_the_owner_can_not_both_go_on(
        before in prop::collection::vec(0..600_000_i64, 0..5),
        after in prop::collection::vec((any::<bool>(), 0..3 * GRACE), 0..60)
    ) {
        let mut server = Server::new(true);
        let mut owner = server.token();
        for pause in before {
            server.wait(pause);
            owner = server.refresh(owner, None).unwrap().token;
        }
        let mut thief = owner;

        // When each generation was made, and by whom; and when each party was last answered.
        let mut rotations: Vec<(Timestamp, Party)> = Vec::new();
        let mut answered: Vec<(Timestamp, Party)> = Vec::new();
        for (turn, pause) in after {
            server.wait(pause);
            let (party, jar) = if turn { (Party::Owner, &mut owner) } else { (Party::Thief, &mut thief) };
            let had_ended = server.session.ended.is_some();
            let answer = server.refresh(*jar, None);
            if let Ok(Answered { token, verdict }) = answer {
                *jar = token;
                // Whoever goes on past the grace of the other's rotation was answered within it.
                for (at, by) in &rotations {
                    let within = |moment: &Timestamp| moment >= at && moment.millis_since(*at) < GRACE.unsigned_abs();
                    let kept_up = answered.iter().any(|(moment, who)| *who == party && within(moment));
                    prop_assert!(*by == party || within(&server.now) || kept_up, "{party:?} missed {at}");
                }
                answered.push((server.now, party));
                if verdict == Verdict::Rotate {
                    rotations.push((server.now, party));
                }
            } else {
                // And whoever didn't keep up ended it, for both.
                prop_assert!(server.session.ended.is_some());
                let refusal = if had_ended { Refusal::Ended } else { Refusal::Reused };
                prop_assert_eq!(answer, Err(Refused::By(refusal)));
            }
        }
        if server.session.ended.is_some() {
            prop_assert!(server.refresh(owner, None).is_err() && server.refresh(thief, None).is_err());
        }
    }

    // attack 28, attack 32: a copy of any age, without the owner's keys
    #[test]
    fn a_token_that_was_used_up_ends_the_session_past_the_grace(
        generations in 1..8_usize, stolen in any::<Index>(), late in 0..1_000_000_i64, with_key: bool
    ) {
        let mut server = Server::new(true);
        let mut issued = Vec::new();
        for n in 0..generations {
            issued.push(server.token());
            server.wait(GRACE);
            server.refresh(server.token(), Some(key(n))).unwrap();
        }
        server.wait(GRACE + late);
        let answer = server.refresh(*stolen.get(&issued), with_key.then(|| key(1000)));
        prop_assert_eq!(answer, Err(Refused::By(Refusal::Reused)));
        prop_assert_eq!(server.refresh(server.token(), None), Err(Refused::By(Refusal::Ended)));
    }

    // attack 32: within the grace too
    #[test]
    fn a_grandparent_is_never_good(between in 0..GRACE, with_key: bool) {
        let mut server = Server::new(true);
        let grandparent = server.token();
        server.wait(GRACE);
        server.refresh(grandparent, Some(key(1))).unwrap();
        server.wait(GRACE);
        server.refresh(server.token(), Some(key(2))).unwrap();
        server.wait(between);
        let answer = server.refresh(grandparent, with_key.then(|| key(1)));
        prop_assert_eq!(answer, Err(Refused::By(Refusal::Reused)));
    }

    // attack 39: rotated as often as may be, by a client that never rests
    #[test]
    fn no_rotation_lengthens_a_session(
        remember: bool, pauses in prop::collection::vec(GRACE..POLICY.refresh_lifetime.millis(), 1..60)
    ) {
        let mut server = Server::new(remember);
        let ends_at = server.session.ends_at;
        let longest = if remember { LIFETIME } else { Seconds(12 * 3600) };
        prop_assert_eq!(ends_at, START + longest);
        for pause in pauses {
            server.wait(pause);
            let answer = server.refresh(server.token(), None);
            if server.now >= ends_at + POLICY.leeway {
                prop_assert!(answer.is_err());
            }
            if let Ok(Answered { token, .. }) = answer {
                prop_assert!(token.expires_at <= ends_at);
            }
        }
    }
}

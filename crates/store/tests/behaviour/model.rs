//! The rotation in the store against the pure rule, step by step: whatever happens to a session, in whatever order
//! and however the clock jumps, both say the same and are left with the same.

use countersign_core::session::{Answer, EndReason, Refusal, ReplayKey, Session, Verdict, judge};
use countersign_core::{Client, Generation, Timestamp};
use countersign_store::{EventKind, Rotate, Rotation};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Fixture, POLICY, START, event, laptop, stores, stranger};

#[derive(Clone, Debug)]
enum Step {
    /// A token is used: how far it is from the current generation, with which key, and by whom.
    Use { distance: i64, key: Option<u8>, elsewhere: bool },
    /// The clock moves, perhaps backwards.
    Tick(i64),
    /// Somebody ends the session.
    End(EndReason),
}

fn step() -> impl Strategy<Value = Step> {
    let distance = prop_oneof![5 => Just(0), 4 => Just(-1), 1 => Just(-2), 1 => Just(1)];
    let usage = (distance, proptest::option::of(0u8..6), any::<bool>());
    let tick = prop_oneof![
        4 => -2_000i64..12_000,
        2 => prop::sample::select(vec![9_999, 10_000, -9_999, -10_000, -10_001]),
        1 => -40_000i64..4_000_000,
    ];
    let reasons = prop::sample::select(EndReason::ALL.to_vec());
    prop_oneof![
        10 => usage.prop_map(|(distance, key, elsewhere)| Step::Use { distance, key, elsewhere }),
        6 => tick.prop_map(Step::Tick),
        1 => reasons.prop_map(Step::End),
    ]
}

#[test]
fn the_store_and_the_rule_agree_whatever_happens() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for store in stores() {
        let user = runtime.block_on(store.make_user("ana"));
        let steps = prop::collection::vec(step(), 1..40);
        let mut runner = TestRunner::new(Config { cases: 150, ..Config::default() });
        let outcome = runner.run(&steps, |steps| {
            runtime.block_on(async {
                let session = store.log_in(&user, START).await;
                follow(&store, session, steps).await;
            });
            Ok(())
        });
        outcome.unwrap();
    }
}

async fn follow(store: &Fixture, mut session: Session, steps: Vec<Step>) {
    let mut now = START;
    for step in steps {
        match step {
            Step::Tick(millis) => now = Timestamp::from_millis(now.millis() + millis),
            Step::End(reason) => {
                let event = event(EventKind::SessionEnded, now);
                store.end_session(session.id, None, reason, event).await.unwrap();
                session = session.ended(reason, now);
            }
            Step::Use { distance, key, elsewhere } => {
                let rotate = Rotate {
                    session: session.id,
                    user: session.user,
                    generation: Generation(session.generation.0 + distance),
                    key: key.map(|key| [key; 32]),
                    client: if elsewhere { stranger() } else { laptop() },
                    wants_rights: None,
                };
                let expected = rule(session, rotate.generation, rotate.key, rotate.client.clone(), now);
                let rotation = store.rotate(rotate, now).await;
                assert_eq!(summary(&rotation), expected.1);
                session = expected.0;
            }
        }
        let (kept, _) = store.session(session.id).await.unwrap().unwrap();
        assert_eq!(kept, session);
    }
}

#[derive(PartialEq, Debug)]
enum Summary {
    Rotated(Session),
    Answered(Session, Answer),
    Refused(Refusal),
}

fn summary(rotation: &Rotation) -> Summary {
    match rotation {
        Rotation::Rotated { session, .. } => Summary::Rotated(session.clone()),
        Rotation::Answered { session, answer, .. } => Summary::Answered(session.clone(), *answer),
        Rotation::TooManyRights => panic!("no rights were asked for"),
        Rotation::Refused(refusal) => Summary::Refused(*refusal),
    }
}

/// What the pure rule makes of a use: the session after it, and the answer.
fn rule(
    mut session: Session,
    generation: Generation,
    key: Option<ReplayKey>,
    client: Client,
    now: Timestamp,
) -> (Session, Summary) {
    match judge(&session, generation, key.as_ref(), &POLICY, now) {
        Verdict::Rotate => {
            let session = session.rotated(client, key, &POLICY, now);
            (session.clone(), Summary::Rotated(session))
        }
        Verdict::AnswerCurrent(answer) => {
            if answer == (Answer::Grace { remember_key: true }) {
                session.replay_keys.extend(key);
            }
            (session.clone(), Summary::Answered(session, answer))
        }
        Verdict::Refuse(Refusal::Reused) => {
            (session.ended(EndReason::Theft, now), Summary::Refused(Refusal::Reused))
        }
        Verdict::Refuse(refusal) => (session, Summary::Refused(refusal)),
    }
}

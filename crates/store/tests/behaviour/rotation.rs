use std::collections::HashSet;

use countersign_core::session::{Answer, EndReason, REPLAY_KEYS, Refusal, Session};
use countersign_core::{Client, Generation, UserId};
use countersign_store::{EventKind, Reach, Rotate, Rotation};

use crate::support::{
    Fixture, POLICY, START, at, ended, event, laptop, new_session, rotated, stores, stranger, token, token_of,
};

const GRACE: Answer = Answer::Grace { remember_key: false };
const GRACE_WITH_KEY: Answer = Answer::Grace { remember_key: true };

async fn logged_in(store: &Fixture) -> Session {
    let ana = store.make_user("ana").await;
    store.log_in(&ana, START).await
}

/// A session that was rotated once, at this moment.
async fn rotated_at(store: &Fixture, secs: u32) -> Session {
    let session = logged_in(store).await;
    rotated(store.rotate(token(&session), at(secs)).await)
}

#[track_caller]
fn assert_answered(rotation: Rotation, expected: Answer, current: &Session) {
    match rotation {
        Rotation::Answered { session, answer, .. } => {
            assert_eq!(answer, expected);
            assert_eq!(session.generation, current.generation);
        }
        other => panic!("not answered: {other:?}"),
    }
}

// attack 27
#[tokio::test]
async fn a_due_session_moves_one_generation_on() {
    for store in stores() {
        let session = logged_in(&store).await;
        let rotation = store.rotate(Rotate { client: stranger(), ..token(&session) }, at(10)).await;
        let expected = session.rotated(stranger(), None, &POLICY, at(10));
        let (kept, user) = store.session(expected.id).await.unwrap().unwrap();
        assert_eq!(
            rotation,
            Rotation::Rotated { session: expected.clone(), user: user.unwrap(), rights: None }
        );
        assert_eq!(kept, expected);
        assert!(store.audited(EventKind::GraceElsewhere).await.is_empty());
    }
}

#[tokio::test]
async fn a_session_that_is_too_young_is_answered_as_it_is() {
    for store in stores() {
        let session = logged_in(&store).await;
        assert_answered(store.rotate(token(&session), at(9)).await, Answer::TooYoung, &session);
        assert_eq!(store.session(session.id).await.unwrap().unwrap().0, session);
    }
}

// attack 31
#[tokio::test]
async fn the_generation_before_is_good_for_the_grace_and_theft_after_it() {
    for store in stores() {
        let session = rotated_at(&store, 100).await;
        let head = store.news_head().await.unwrap();
        for secs in [100, 105, 109] {
            assert_answered(store.rotate(token_of(&session, 1), at(secs)).await, GRACE, &session);
        }
        assert_eq!(store.news_since(head).await, []);

        let stolen = Rotate { client: stranger(), ..token_of(&session, 1) };
        assert_eq!(store.rotate(stolen, at(110)).await, Rotation::Refused(Refusal::Reused));
        assert_eq!(store.end_of(&session).await, Some(EndReason::Theft));
        assert_eq!(store.news_since(head).await, [ended(&session, EndReason::Theft)]);
        let [theft] = &store.audited(EventKind::Theft).await[..] else { panic!("not audited once") };
        assert_eq!((theft.event.at, theft.event.user), (at(110), Some(session.user)));
        assert_eq!((theft.event.session, theft.event.ip), (Some(session.id), stranger().ip));
        assert_eq!(theft.event.detail["generation"], 1);
    }
}

// attack 28
#[tokio::test]
async fn after_a_theft_neither_party_goes_on() {
    for store in stores() {
        let session = rotated_at(&store, 100).await;
        let newest = rotated(store.rotate(token(&session), at(200)).await);
        assert_eq!(store.rotate(token_of(&session, 1), at(201)).await, Rotation::Refused(Refusal::Reused));
        for generation in [1, 2, 3] {
            let rotation = store.rotate(token_of(&newest, generation), at(300)).await;
            assert_eq!(rotation, Rotation::Refused(Refusal::Ended));
        }
        assert_eq!(store.audited(EventKind::Theft).await.len(), 1);
    }
}

// attack 32
#[tokio::test]
async fn there_is_no_grandparent_within_the_grace() {
    for store in stores() {
        let session = rotated_at(&store, 10).await;
        let session = rotated(store.rotate(token(&session), at(20)).await);
        assert_eq!(store.rotate(token_of(&session, 1), at(21)).await, Rotation::Refused(Refusal::Reused));
    }
}

#[tokio::test]
async fn a_repeated_key_is_answered_long_after_the_grace_and_another_is_theft() {
    for store in stores() {
        let session = logged_in(&store).await;
        let with_key =
            |generation, key: u8| Rotate { key: Some([key; 32]), ..token_of(&session, generation) };
        let current = rotated(store.rotate(with_key(1, 1), at(100)).await);
        assert_eq!(current.replay_keys, [[1; 32]]);
        assert_answered(store.rotate(with_key(1, 2), at(105)).await, GRACE_WITH_KEY, &current);
        for key in [1, 2] {
            assert_answered(store.rotate(with_key(1, key), at(1000)).await, Answer::Replay, &current);
        }
        assert_eq!(store.rotate(with_key(1, 3), at(1000)).await, Rotation::Refused(Refusal::Reused));
    }
}

#[tokio::test]
async fn only_so_many_keys_of_one_rotation_are_remembered_and_none_of_an_older_one() {
    for store in stores() {
        let session = rotated_at(&store, 100).await;
        let with_key =
            |generation, key: u8| Rotate { key: Some([key; 32]), ..token_of(&session, generation) };
        for key in 0..10 {
            let expected = if usize::from(key) < REPLAY_KEYS { GRACE_WITH_KEY } else { GRACE };
            assert_answered(store.rotate(with_key(1, key), at(101)).await, expected, &session);
            assert_answered(store.rotate(with_key(1, key), at(101)).await, GRACE, &session);
        }
        let kept = store.session(session.id).await.unwrap().unwrap().0.replay_keys;
        assert_eq!(kept, [[0; 32], [1; 32], [2; 32], [3; 32]]);

        let current = rotated(store.rotate(with_key(2, 9), at(200)).await);
        assert_eq!(current.replay_keys, [[9; 32]]);
        assert_eq!(store.rotate(with_key(1, 0), at(201)).await, Rotation::Refused(Refusal::Reused));
    }
}

#[tokio::test]
async fn a_token_that_is_not_ours_changes_nothing() {
    for store in stores() {
        let session = logged_in(&store).await;
        let other = store.make_user("ben").await;
        let strays = [
            token(&new_session(session.user, START)),
            Rotate { user: other.id, ..token(&session) },
            Rotate { user: UserId(4711), ..token(&session) },
            token_of(&session, 2),
            token_of(&session, i64::MAX),
        ];
        for stray in strays {
            assert_eq!(store.rotate(stray, at(100)).await, Rotation::Refused(Refusal::Unknown));
        }
        assert_eq!(store.session(session.id).await.unwrap().unwrap().0, session);
        assert!(store.audited(EventKind::Theft).await.is_empty());
    }
}

#[tokio::test]
async fn a_session_whose_time_is_over_does_not_rotate_and_is_no_theft() {
    for store in stores() {
        let session = logged_in(&store).await;
        let current = rotated(store.rotate(token(&session), at(3609)).await);
        assert_eq!(current.refresh_expires_at, at(3609 + 3600), "the leeway counts");
        for generation in [1, 2] {
            let rotation = store.rotate(token_of(&session, generation), at(3609 + 3610)).await;
            assert_eq!(rotation, Rotation::Refused(Refusal::Ended));
        }
        assert_eq!(store.end_of(&session).await, None);
    }
}

// attack 39
#[tokio::test]
async fn no_rotation_moves_the_end_of_a_session() {
    for store in stores() {
        let mut session = logged_in(&store).await;
        let ends_at = session.ends_at;
        for hour in 1..24 {
            session = rotated(store.rotate(token(&session), at(hour * 3600)).await);
            assert_eq!(session.ends_at, ends_at);
            assert!(session.refresh_expires_at <= ends_at);
        }
        let late = store.rotate(token(&session), at(24 * 3600 + 10)).await;
        assert_eq!(late, Rotation::Refused(Refusal::Ended));
    }
}

// attack 36
#[tokio::test]
async fn a_session_that_its_user_s_end_has_ended_says_so() {
    for store in stores() {
        let session = logged_in(&store).await;
        store.set_active(session.user, false, event(EventKind::UserDeactivated, at(1))).await.unwrap();
        assert_eq!(store.rotate(token(&session), at(100)).await, Rotation::Refused(Refusal::UserInactive));
        store.delete_user(session.user, Reach::Anyone, event(EventKind::UserDeleted, at(2))).await.unwrap();
        assert_eq!(store.rotate(token(&session), at(100)).await, Rotation::Refused(Refusal::UserInactive));
    }
}

#[tokio::test]
async fn an_answer_to_someone_elsewhere_is_audited_in_one_row() {
    for store in stores() {
        let session = rotated_at(&store, 100).await;
        let same_network = Client { user_agent: Some("Safari".to_owned()), ..laptop() };
        let same_agent = Client { ip: stranger().ip, ..laptop() };
        for client in [laptop(), same_network, same_agent] {
            let rotate = Rotate { client, ..token_of(&session, 1) };
            assert_answered(store.rotate(rotate, at(101)).await, GRACE, &session);
        }
        assert!(store.audited(EventKind::GraceElsewhere).await.is_empty());

        for (generation, answer) in [(1, GRACE), (2, Answer::TooYoung), (1, GRACE)] {
            let rotate = Rotate { client: stranger(), ..token_of(&session, generation) };
            assert_answered(store.rotate(rotate, at(102)).await, answer, &session);
        }
        let [row] = &store.audited(EventKind::GraceElsewhere).await[..] else { panic!("not one row") };
        assert_eq!((row.event.count, row.event.at), (3, at(102)));
        assert_eq!((row.event.session, row.event.ip), (Some(session.id), stranger().ip));
    }
}

// attack 29
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_parallel_uses_of_one_token_one_rotates_and_all_get_its_successor() {
    for store in stores() {
        let session = logged_in(&store).await;
        let uses = (0..50).map(|_| {
            let (store, rotate) = (store.handle(), token(&session));
            tokio::spawn(async move { store.rotate_session(rotate, POLICY, at(100)).await.unwrap() })
        });
        let (mut rotations, mut successors) = (0, HashSet::new());
        for rotation in uses.collect::<Vec<_>>() {
            match rotation.await.unwrap() {
                Rotation::Rotated { session, .. } => {
                    rotations += 1;
                    successors.insert(session.generation);
                }
                Rotation::Answered { session, .. } => {
                    successors.insert(session.generation);
                }
                other => panic!("refused: {other:?}"),
            }
        }
        assert_eq!(rotations, 1);
        assert_eq!(successors, HashSet::from([Generation(2)]));
        assert_eq!(store.session(session.id).await.unwrap().unwrap().0.generation, Generation(2));
    }
}

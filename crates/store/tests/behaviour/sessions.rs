use countersign_core::UserId;
use countersign_core::session::{Delivery, EndReason, Ended, Session};
use countersign_core::{Client, Generation};
use countersign_store::{EndOutcome, EventKind};

use crate::support::{START, at, checked, ended, event, new_session, rotated, stores, token};

#[tokio::test]
async fn a_session_is_kept_to_the_last_member() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let session = Session {
            delivery: Delivery::Body,
            remember: false,
            ends_at: at(77),
            generation: Generation(5),
            rotated_at: at(3),
            refresh_expires_at: at(66),
            client: Client::new(Some("2001:db8::7".parse().unwrap()), Some("\"Üñï' OR 1=1 --")),
            replay_keys: vec![[1; 32], [0; 32]],
            ..new_session(ana.id, at(1))
        };
        let login = event(EventKind::Login, at(1));
        store.start_session(session.clone(), checked("hash of ana"), login).await.unwrap();
        let nameless = Session { client: Client::default(), ..new_session(ana.id, at(1)) };
        let login = event(EventKind::Login, at(1));
        store.start_session(nameless.clone(), checked("hash of ana"), login).await.unwrap();
        for session in [session, nameless] {
            assert_eq!(store.session(session.id).await.unwrap().unwrap().0, session);
        }
    }
}

// attack 43
#[tokio::test]
async fn a_session_ends_once_and_only_for_those_who_may() {
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let session = store.log_in(&ana, at(1)).await;
        let head = store.news_head().await.unwrap();
        let end = async |id, of, reason, secs| {
            store.end_session(id, of, reason, event(EventKind::SessionEnded, at(secs))).await.unwrap()
        };
        let stranger = end(session.id, Some(ben.id), EndReason::EndedByUser, 2).await;
        assert_eq!(stranger, EndOutcome::Unknown);
        let unknown = end(new_session(ana.id, START).id, None, EndReason::Logout, 2).await;
        assert_eq!(unknown, EndOutcome::Unknown);
        assert_eq!(store.end_of(&session).await, None);
        assert!(store.audited(EventKind::SessionEnded).await.is_empty());

        let owner = end(session.id, Some(ana.id), EndReason::EndedByUser, 3).await;
        assert_eq!(owner, EndOutcome::Ended(session.id));
        assert!(owner.is_new());
        let first = Ended { at: at(3), reason: EndReason::EndedByUser };
        assert_eq!(end(session.id, None, EndReason::Logout, 4).await, EndOutcome::AlreadyEnded(first));
        assert_eq!(store.session(session.id).await.unwrap().unwrap().0.ended, Some(first));
        assert_eq!(store.news_since(head).await, [ended(&session, EndReason::EndedByUser)]);
        assert_eq!(store.audited(EventKind::SessionEnded).await.len(), 1);
    }
}

// attack 106
#[tokio::test]
async fn a_logout_stands_even_if_a_wrong_clock_had_the_session_expired() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let session = store.log_in(&ana, START).await;
        let far = at(100 * 24 * 3600);
        let end = store.end_session(session.id, None, EndReason::Logout, event(EventKind::SessionEnded, far));
        assert_eq!(end.await.unwrap(), EndOutcome::Ended(session.id));
        assert_eq!(store.sessions_of(ana.id, at(1)).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_list_has_a_user_s_live_sessions_newest_first() {
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let mut sessions = Vec::new();
        for secs in [0, 5, 10, 15] {
            sessions.push(store.log_in(&ana, at(secs)).await);
        }
        store.log_in(&ben, at(7)).await;
        let logout = event(EventKind::SessionEnded, at(20));
        store.end_session(sessions[1].id, None, EndReason::Logout, logout).await.unwrap();
        sessions[2] = rotated(store.rotate(token(&sessions[2]), at(30)).await);
        let list = store.sessions_of(ana.id, at(40)).await.unwrap();
        assert_eq!(list, [sessions[3].clone(), sessions[2].clone(), sessions[0].clone()]);
        let list = store.sessions_of(ana.id, sessions[3].refresh_expires_at).await.unwrap();
        assert_eq!(list, [sessions[2].clone()], "the others ran out");
        assert_eq!(store.sessions_of(UserId(4711), START).await.unwrap(), []);
    }
}

// attack 44
#[tokio::test]
async fn all_sessions_of_a_user_end_but_the_one_that_is_spared() {
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let expired = store.log_in(&ana, START).await;
        let now = expired.refresh_expires_at;
        let [a, b, c] =
            [store.log_in(&ana, now).await, store.log_in(&ana, now).await, store.log_in(&ana, now).await];
        let bens = store.log_in(&ben, now).await;
        let head = store.news_head().await.unwrap();
        let end = async |except| {
            let event = event(EventKind::SessionEnded, now);
            store.end_sessions(ana.id, except, EndReason::EndedByUser, event).await.unwrap()
        };
        assert_eq!(end(Some(b.id)).await, 2, "the expired one ends too, but didn't live");
        for session in [&a, &c, &expired] {
            assert_eq!(store.end_of(session).await, Some(EndReason::EndedByUser));
        }
        assert_eq!((store.end_of(&b).await, store.end_of(&bens).await), (None, None));
        assert_eq!(store.news_since(head).await.len(), 3);
        assert_eq!(end(None).await, 1);
        assert_eq!(end(None).await, 0);
        assert_eq!(store.end_of(&bens).await, None);
        assert_eq!(store.audited(EventKind::SessionEnded).await.len(), 2, "nothing ended the third time");
    }
}

#[tokio::test]
async fn the_count_of_sessions_follows_every_way_to_start_and_end_one() {
    for store in stores() {
        let count = async || store.live_sessions().await.unwrap();
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        assert_eq!(count().await, 0);
        let first = store.log_in(&ana, START).await;
        store.log_in(&ana, START).await;
        store.log_in(&ben, START).await;
        assert_eq!(count().await, 3);
        let current = rotated(store.rotate(token(&first), at(10)).await);
        assert_eq!(count().await, 3);
        for _ in 0..2 {
            let logout = event(EventKind::SessionEnded, at(11));
            store.end_session(current.id, None, EndReason::Logout, logout).await.unwrap();
            assert_eq!(count().await, 2);
        }
        store.set_active(ana.id, false, event(EventKind::UserDeactivated, at(12))).await.unwrap();
        assert_eq!(count().await, 1);
        let over = at(100 * 24 * 3600);
        while store.clean_up(over, over, over).await.unwrap() > 0 {}
        assert_eq!(count().await, 0);
    }
}

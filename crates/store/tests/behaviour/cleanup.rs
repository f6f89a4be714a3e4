use countersign_core::session::EndReason;
use countersign_core::{Seconds, Timestamp};
use countersign_store::{EventKind, NewsSeq};

use crate::support::{Fixture, START, at, event, rotated, stores, token};

/// Before everything.
const NEVER: Timestamp = Timestamp::from_secs(0);

async fn is_kept(store: &Fixture, session: &countersign_core::session::Session) -> bool {
    store.session(session.id).await.unwrap().is_some()
}

/// Cleans up until nothing is left to do; how many rows went.
async fn clean(store: &Fixture, sessions: Timestamp, news: Timestamp, audit: Timestamp) -> u64 {
    let mut removed = 0;
    loop {
        match store.clean_up(sessions, news, audit).await.unwrap() {
            0 => return removed,
            some => removed += some,
        }
    }
}

#[tokio::test]
async fn sessions_go_when_they_have_been_over_for_long_enough() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let ended = store.log_in(&ana, START).await;
        let idle = store.log_in(&ana, START).await;
        let lively = store.log_in(&ana, START).await;
        let logout = event(EventKind::SessionEnded, at(100));
        store.end_session(ended.id, None, EndReason::Logout, logout).await.unwrap();
        let lively = rotated(store.rotate(token(&lively), at(3000)).await);

        assert_eq!(clean(&store, at(100), NEVER, NEVER).await, 0, "not yet");
        assert!(is_kept(&store, &ended).await);
        assert_eq!(clean(&store, at(101), NEVER, NEVER).await, 1);
        assert!(!is_kept(&store, &ended).await);

        assert_eq!(clean(&store, idle.refresh_expires_at, NEVER, NEVER).await, 0, "not yet");
        assert_eq!(clean(&store, idle.refresh_expires_at + Seconds(1), NEVER, NEVER).await, 1);
        assert!(!is_kept(&store, &idle).await);

        assert!(is_kept(&store, &lively).await);
        assert_eq!(clean(&store, lively.refresh_expires_at + Seconds(1), NEVER, NEVER).await, 1);
        assert!(!is_kept(&store, &lively).await);
    }
}

#[tokio::test]
async fn news_and_audit_rows_go_when_they_are_old() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        for secs in 1..=5 {
            store.set_active(ana.id, true, event(EventKind::UserActivated, at(secs))).await.unwrap();
        }
        assert_eq!(clean(&store, NEVER, at(3), NEVER).await, 2);
        assert_eq!(store.news_since(NewsSeq::default()).await.len(), 3);
        assert_eq!(store.audited(EventKind::UserActivated).await.len(), 5);
        assert_eq!(clean(&store, NEVER, NEVER, at(5)).await, 5, "four, and the user's making");
        assert_eq!(store.audited(EventKind::UserActivated).await.len(), 1);
        assert_eq!(clean(&store, NEVER, at(100), NEVER).await, 2, "all but the last");
        assert_eq!(store.news_since(NewsSeq::default()).await.len(), 1);
    }
}

#[tokio::test]
async fn much_goes_in_several_small_batches_and_all_of_it_goes() {
    for store in stores() {
        let events = (0..1200).map(|n| event(EventKind::LoginFailed, at(n))).collect();
        store.audit(events).await.unwrap();
        let first = store.clean_up(NEVER, NEVER, at(1100)).await.unwrap();
        assert!((1..1100).contains(&first), "{first} at once");
        assert_eq!(first + clean(&store, NEVER, NEVER, at(1100)).await, 1100);
    }
}

#[tokio::test]
async fn many_expired_sessions_among_live_ones_all_go() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let mut live = Vec::new();
        let mut logins = Vec::new();
        for n in 0..1300 {
            let session = crate::support::new_session(ana.id, if n % 2 == 0 { START } else { at(9000) });
            if n % 2 == 1 {
                live.push(session.id);
            }
            let (store, login) = (store.handle(), crate::support::checked("hash of ana"));
            logins.push(tokio::spawn(async move {
                store.start_session(session, login, event(EventKind::Login, START)).await.unwrap()
            }));
            // Not all at once: they are one user's, and wait for each other.
            if logins.len() == 100 || n == 1299 {
                for login in logins.drain(..) {
                    login.await.unwrap();
                }
            }
        }
        assert_eq!(clean(&store, at(9000), NEVER, NEVER).await, 650);
        assert_eq!(store.live_sessions().await.unwrap(), 650);
        for id in live {
            assert!(store.session(id).await.unwrap().is_some());
        }
    }
}

use std::net::{IpAddr, Ipv4Addr};

use countersign_core::Network;
use countersign_core::session::EndReason;
use countersign_store::{
    EventKind, Failures, Login, LoginUser, NewUser, NewsItem, Reach, StartOutcome, User, UserSelector,
};

use crate::support::{
    Fixture, START, at, checked, ended, event, failed, hash, key, laptop, new_session, new_user, password,
    stores, stranger, token,
};

async fn look_up(store: &Fixture, name: &str, by_email: bool) -> Option<LoginUser> {
    let who = UserSelector::Name(key(name));
    store.user_for_login(who, by_email, laptop().network()).await.unwrap()
}

async fn found(store: &Fixture, name: &str) -> Option<String> {
    look_up(store, name, true).await.map(|found| found.user.username)
}

async fn with_email(store: &Fixture, name: &str, email: &str) -> User {
    let new = NewUser { email: email.to_owned(), email_key: key(email), ..new_user(name) };
    store.create_user(new, event(EventKind::UserCreated, START)).await.unwrap()
}

#[tokio::test]
async fn a_user_logs_in_by_name_or_by_the_address_that_is_theirs_alone() {
    for store in stores() {
        let ana = with_email(&store, "ana", "ana@example.com").await;
        assert_eq!(found(&store, "ANA").await.as_deref(), Some("ana"));
        assert_eq!(found(&store, "Ana@Example.com").await.as_deref(), Some("ana"));
        assert!(look_up(&store, "ana@example.com", false).await.is_none(), "addresses were not asked for");
        assert_eq!(found(&store, "nobody").await, None);
        let by_id = store.user_for_login(UserSelector::Id(ana.id), false, laptop().network()).await;
        let by_id = by_id.unwrap().unwrap();
        assert_eq!((by_id.user, by_id.hash), (ana, hash("hash of ana")));
    }
}

#[tokio::test]
async fn an_address_that_two_have_names_neither() {
    for store in stores() {
        with_email(&store, "ana", "shared@example.com").await;
        let ben = with_email(&store, "ben", "Shared@example.com").await;
        assert_eq!(found(&store, "shared@example.com").await, None);
        store.set_active(ben.id, false, event(EventKind::UserDeactivated, START)).await.unwrap();
        assert_eq!(found(&store, "shared@example.com").await, None, "inactive, but still theirs too");
        store.delete_user(ben.id, Reach::Anyone, event(EventKind::UserDeleted, START)).await.unwrap();
        assert_eq!(found(&store, "shared@example.com").await.as_deref(), Some("ana"));
    }
}

#[tokio::test]
async fn an_address_that_is_a_user_name_names_that_user() {
    for store in stores() {
        with_email(&store, "ana", "ben@example.com").await;
        with_email(&store, "ben@example.com", "other@example.com").await;
        assert_eq!(found(&store, "ben@example.com").await.as_deref(), Some("ben@example.com"));
    }
}

#[tokio::test]
async fn no_address_names_nobody() {
    for store in stores() {
        with_email(&store, "ana", "").await;
        assert_eq!(found(&store, "").await, None);
    }
}

#[tokio::test]
async fn a_login_starts_a_session_and_remembers_what_it_should() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let failures = Failures { user: ana.id, count: 7, last_at: START, forget_before: START };
        store.write_batch(failed(vec![failures])).await.unwrap();
        let before = look_up(&store, "ana", false).await.unwrap();
        assert!(!before.network_known);

        let session = new_session(ana.id, at(5));
        let login = Login { upgraded: Some(password("better", "best")), ..checked("hash of ana") };
        let outcome =
            store.start_session(session.clone(), login, event(EventKind::Login, at(5))).await.unwrap();
        let user = User { last_login_at: Some(at(5)), ..ana };
        assert_eq!(outcome, StartOutcome::Started { user: user.clone(), rights: None, ended: Vec::new() });

        let after = look_up(&store, "ana", false).await.unwrap();
        assert_eq!((&after.user, after.hash), (&user, hash("better")));
        assert_eq!(after.ceiling.failures, 0);
        assert!(after.network_known);
        let who = UserSelector::Id(user.id);
        let elsewhere = store.user_for_login(who, false, stranger().network()).await.unwrap().unwrap();
        assert!(!elsewhere.network_known);
        assert_eq!(store.session(session.id).await.unwrap(), Some((session, Some(user))));
        assert_eq!(store.password_samples().await.unwrap(), [hash("better")]);
        assert_eq!(store.audited(EventKind::Login).await.len(), 1);
    }
}

// attack 40
#[tokio::test]
async fn a_login_ends_the_older_sessions_of_its_browser_whoever_they_belonged_to() {
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let [old, bens, other] = [
            store.log_in(&ana, at(1)).await,
            store.log_in(&ben, at(2)).await,
            store.log_in(&ana, at(3)).await,
        ];
        let dead = store.log_in(&ana, at(3)).await;
        let logout = event(EventKind::SessionEnded, at(4));
        store.end_session(dead.id, None, EndReason::Logout, logout).await.unwrap();
        let head = store.news_head().await.unwrap();

        let session = new_session(ana.id, at(5));
        let unknown = new_session(ana.id, at(5)).id;
        let login = Login { replaces: vec![old.id, bens.id, dead.id, unknown], ..checked("hash of ana") };
        let outcome =
            store.start_session(session.clone(), login, event(EventKind::Login, at(5))).await.unwrap();
        let StartOutcome::Started { ended: replaced, .. } = outcome else { panic!("not started") };
        assert_eq!(replaced, [old.id, bens.id]);
        assert_eq!(store.end_of(&old).await, Some(EndReason::Replaced));
        assert_eq!(store.end_of(&bens).await, Some(EndReason::Replaced));
        assert_eq!(store.end_of(&dead).await, Some(EndReason::Logout));
        assert_eq!((store.end_of(&other).await, store.end_of(&session).await), (None, None));
        let news = [ended(&old, EndReason::Replaced), ended(&bens, EndReason::Replaced)];
        assert_eq!(store.news_since(head).await, news);
        let audit = store.audited(EventKind::SessionEnded).await;
        assert_eq!((audit[0].event.user, audit[0].event.session), (Some(ben.id), Some(bens.id)));
        assert_eq!(audit[0].event.detail["reason"], "replaced");
    }
}

#[tokio::test]
async fn no_session_starts_when_what_was_checked_no_longer_holds() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let old = store.log_in(&ana, at(1)).await;
        let refused = async |login: Login| {
            let session = new_session(ana.id, at(9));
            let head = store.news_head().await.unwrap();
            let outcome = store.start_session(session.clone(), login, event(EventKind::Login, at(9))).await;
            assert_eq!(outcome.unwrap(), StartOutcome::NoLonger);
            assert_eq!(store.session(session.id).await.unwrap(), None);
            assert_eq!(store.news_since(head).await, []);
            assert_eq!(store.audited(EventKind::Login).await.len(), 1);
        };
        let replacing = Login {
            replaces: vec![old.id],
            upgraded: Some(password("new", "new")),
            ..checked("another hash")
        };
        refused(replacing).await;
        assert_eq!(store.end_of(&old).await, None);
        assert_eq!(look_up(&store, "ana", false).await.unwrap().hash, hash("hash of ana"));

        store.set_active(ana.id, false, event(EventKind::UserDeactivated, at(2))).await.unwrap();
        refused(checked("hash of ana")).await;
        store.delete_user(ana.id, Reach::Anyone, event(EventKind::UserDeleted, at(3))).await.unwrap();
        refused(checked("hash of ana")).await;
    }
}

// attack 36
#[tokio::test(flavor = "multi_thread")]
async fn no_session_of_an_inactive_user_lives_however_logins_and_deactivation_race() {
    for store in stores() {
        for round in 0..20 {
            let ana = store.make_user(&format!("ana{round}")).await;
            let logins = (0..8).map(|_| {
                let (store, session) = (store.handle(), new_session(ana.id, at(1)));
                let login = checked(&format!("hash of {}", ana.username));
                tokio::spawn(async move {
                    store.start_session(session, login, event(EventKind::Login, at(1))).await.unwrap()
                })
            });
            let logins: Vec<_> = logins.collect();
            store.set_active(ana.id, false, event(EventKind::UserDeactivated, at(1))).await.unwrap();
            for login in logins {
                login.await.unwrap();
            }
            assert_eq!(store.sessions_of(ana.id, at(1)).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn of_many_networks_the_newest_are_known() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let network = |n: u8| Network::of(IpAddr::V4(Ipv4Addr::new(203, 0, 113, n)));
        for n in 0..=60 {
            let login = Login { network: network(n), ..checked("hash of ana") };
            let now = at(u32::from(n));
            store.start_session(new_session(ana.id, now), login, event(EventKind::Login, now)).await.unwrap();
        }
        let mut known = Vec::new();
        for n in 0..=60 {
            let found = store.user_for_login(UserSelector::Id(ana.id), false, network(n)).await.unwrap();
            known.extend(found.unwrap().network_known.then_some(n));
        }
        assert_eq!(known, (11..=60).collect::<Vec<_>>());
    }
}

// attack 37
#[tokio::test]
async fn a_password_change_ends_every_session_and_starts_one() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let old = [store.log_in(&ana, at(1)).await, store.log_in(&ana, at(2)).await];
        let failures = Failures { user: ana.id, count: 7, last_at: at(3), forget_before: START };
        store.write_batch(failed(vec![failures])).await.unwrap();
        let head = store.news_head().await.unwrap();

        let next = new_session(ana.id, at(20));
        let new = password("new", "argon2id");
        let event = event(EventKind::PasswordChanged, at(20));
        let outcome = store.change_password(hash("hash of ana"), new, next.clone(), event).await.unwrap();
        let StartOutcome::Started { user, ended: mut gone, .. } = outcome else { panic!("not started") };
        gone.sort();
        assert_eq!((user.id, gone), (ana.id, vec![old[0].id, old[1].id]));
        for session in &old {
            assert_eq!(store.end_of(session).await, Some(EndReason::PasswordChanged));
            let refused = store.rotate(token(session), at(30)).await;
            assert_eq!(
                refused,
                countersign_store::Rotation::Refused(countersign_core::session::Refusal::Ended)
            );
        }
        assert_eq!(store.end_of(&next).await, None);
        let after = look_up(&store, "ana", false).await.unwrap();
        assert_eq!((after.hash, after.ceiling.failures), (hash("new"), 0));
        assert!(store.news_since(head).await.contains(&NewsItem::UserChanged(ana.id)));
        assert_eq!(store.audited(EventKind::PasswordChanged).await.len(), 1);
    }
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_is_not_changed_again() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let old = store.log_in(&ana, at(1)).await;
        let event = event(EventKind::PasswordChanged, at(20));
        let next = new_session(ana.id, at(20));
        let outcome =
            store.change_password(hash("another"), password("new", "x"), next.clone(), event).await.unwrap();
        assert_eq!(outcome, StartOutcome::NoLonger);
        assert_eq!(store.end_of(&old).await, None);
        assert_eq!(store.session(next.id).await.unwrap(), None);
        assert_eq!(look_up(&store, "ana", false).await.unwrap().hash, hash("hash of ana"));
        assert!(store.audited(EventKind::PasswordChanged).await.is_empty());
    }
}

#[tokio::test]
async fn a_change_of_password_and_a_login_with_the_old_one_never_both_stand() {
    for store in stores() {
        for round in 0..10 {
            let ana = store.make_user(&format!("ana{round}")).await;
            let old = format!("hash of {}", ana.username);
            let (login, next) = (new_session(ana.id, at(1)), new_session(ana.id, at(1)));
            let started = store.start_session(login.clone(), checked(&old), event(EventKind::Login, at(1)));
            let event = event(EventKind::PasswordChanged, at(1));
            let changed = store.change_password(hash(&old), password("new", "x"), next.clone(), event);
            let (started, changed) = tokio::join!(started, changed);
            assert!(matches!(changed.unwrap(), StartOutcome::Started { .. }));
            started.unwrap();
            let live = store.sessions_of(ana.id, at(1)).await.unwrap();
            assert_eq!(live.iter().map(|session| session.id).collect::<Vec<_>>(), [next.id]);
        }
    }
}

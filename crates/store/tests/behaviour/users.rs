use countersign_core::session::EndReason;
use countersign_core::{Seconds, UserId};
use countersign_store::{
    CeilingState, EventKind, Failures, NewUser, NewsItem, NewsSeq, PeopleError, ProfileChange, Reach, User,
    UserSelector,
};
use serde_json::{Map, json};

use crate::support::{
    Fixture, START, at, ended, event, failed, hash, key, laptop, new_session, new_user, password, stores,
};

const NOBODY: UserId = UserId(4711);

async fn user_named(store: &Fixture, name: &str) -> Option<User> {
    store.user(UserSelector::Name(key(name))).await.unwrap()
}

#[tokio::test]
async fn a_user_is_kept_as_they_were_made() {
    for store in stores() {
        let new = NewUser {
            first_name: "Ana".to_owned(),
            last_name: "Åberg".to_owned(),
            is_staff: true,
            fields: Map::from_iter([("phone".to_owned(), json!({"home": [1, null]}))]),
            ..new_user("Ana")
        };
        let user = store.create_user(new, event(EventKind::UserCreated, at(7))).await.unwrap();
        assert!(user.id.0 > 0);
        assert_eq!((user.username.as_str(), user.email.as_str()), ("Ana", "Ana@example.com"));
        assert_eq!((user.first_name.as_str(), user.last_name.as_str()), ("Ana", "Åberg"));
        assert_eq!((user.is_active, user.is_staff, user.is_superuser), (true, true, false));
        assert_eq!((user.joined_at, user.last_login_at), (at(7), None));
        assert_eq!(user.fields["phone"], json!({"home": [1, null]}));
        assert_eq!(store.user(UserSelector::Id(user.id)).await.unwrap(), Some(user.clone()));
        assert_eq!(user_named(&store, "ana").await, Some(user.clone()));
        assert_eq!(store.audited(EventKind::UserCreated).await[0].event.user, Some(user.id));
    }
}

#[tokio::test]
async fn nobody_is_found_where_nobody_is() {
    for store in stores() {
        assert_eq!(user_named(&store, "ana").await, None);
        assert_eq!(store.user(UserSelector::Id(NOBODY)).await.unwrap(), None);
    }
}

// attack 85
#[tokio::test]
async fn a_name_is_taken_whatever_its_case() {
    for store in stores() {
        store.make_user("ana").await;
        let second = store.create_user(new_user("ANA"), event(EventKind::UserCreated, START)).await;
        assert!(matches!(second, Err(PeopleError::UsernameTaken)));
        assert_eq!(store.audited(EventKind::UserCreated).await.len(), 1);
    }
}

#[tokio::test]
async fn of_many_who_want_one_name_at_once_one_gets_it() {
    for store in stores() {
        let wishes = (0..20).map(|_| {
            let store = store.handle();
            let event = event(EventKind::UserCreated, START);
            tokio::spawn(async move { store.create_user(new_user("ana"), event).await.is_ok() })
        });
        let mut made = 0;
        for wish in wishes.collect::<Vec<_>>() {
            made += usize::from(wish.await.unwrap());
        }
        assert_eq!(made, 1);
    }
}

#[tokio::test]
async fn the_id_of_a_deleted_user_is_never_used_again() {
    for store in stores() {
        store.make_user("ana").await;
        let last = store.make_user("ben").await;
        assert!(
            store.delete_user(last.id, Reach::Anyone, event(EventKind::UserDeleted, START)).await.unwrap()
        );
        assert!(store.make_user("ben").await.id > last.id);
    }
}

#[tokio::test]
async fn a_profile_changes_only_where_it_is_told_to() {
    for store in stores() {
        let new = NewUser {
            first_name: "Ana".to_owned(),
            fields: Map::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!(2))]),
            ..new_user("ana")
        };
        let before = store.create_user(new, event(EventKind::UserCreated, START)).await.unwrap();
        let head = store.news_head().await.unwrap();
        let change = ProfileChange {
            email: Some(("New@example.org".to_owned(), key("New@example.org"))),
            last_name: Some("Berg".to_owned()),
            fields: Map::from_iter([("b".to_owned(), json!("two"))]),
            ..ProfileChange::default()
        };
        let after = store.update_profile(before.id, change, event(EventKind::ProfileChanged, at(1))).await;
        let after = after.unwrap().unwrap();
        let expected = User {
            email: "New@example.org".to_owned(),
            last_name: "Berg".to_owned(),
            fields: Map::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!("two"))]),
            ..before
        };
        assert_eq!(after, expected);
        assert_eq!(user_named(&store, "ana").await, Some(expected));
        assert_eq!(store.news_since(head).await, [NewsItem::UserChanged(after.id)]);
        assert_eq!(store.audited(EventKind::ProfileChanged).await.len(), 1);

        let login = |name| store.user_for_login(UserSelector::Name(key(name)), true, laptop().network());
        assert!(login("new@EXAMPLE.org").await.unwrap().is_some());
        assert!(login("ana@example.com").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_is_done_to_nobody_changes_and_audits_nothing() {
    for store in stores() {
        let event = |kind| event(kind, START);
        let change = ProfileChange::default();
        let changed = store.update_profile(NOBODY, change, event(EventKind::ProfileChanged)).await.unwrap();
        assert_eq!(changed, None);
        assert!(
            !store.set_password(NOBODY, password("x", "y"), event(EventKind::PasswordSet)).await.unwrap()
        );
        assert!(!store.set_active(NOBODY, false, event(EventKind::UserDeactivated)).await.unwrap());
        assert!(!store.delete_user(NOBODY, Reach::Anyone, event(EventKind::UserDeleted)).await.unwrap());
        assert!(!store.unlock(NOBODY, event(EventKind::UserUnlocked)).await.unwrap());
        let failure = Failures { user: NOBODY, count: 1, last_at: START, forget_before: START };
        store.write_batch(failed(vec![failure])).await.unwrap();
        for kind in EventKind::ALL {
            assert_eq!(store.audited(kind).await, []);
        }
        assert_eq!(store.news_since(NewsSeq::default()).await, []);
    }
}

// attack 37
#[tokio::test]
async fn a_set_password_ends_every_session_and_forgets_failures() {
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let sessions = [store.log_in(&ana, at(1)).await, store.log_in(&ana, at(2)).await];
        let bens = store.log_in(&ben, at(2)).await;
        let failures = Failures { user: ana.id, count: 7, last_at: at(3), forget_before: START };
        store.write_batch(failed(vec![failures])).await.unwrap();
        let head = store.news_head().await.unwrap();

        let set =
            store.set_password(ana.id, password("new", "argon2id"), event(EventKind::PasswordSet, at(4)));
        assert!(set.await.unwrap());
        for session in &sessions {
            assert_eq!(store.end_of(session).await, Some(EndReason::PasswordChanged));
        }
        assert_eq!(store.end_of(&bens).await, None);
        let who = UserSelector::Id(ana.id);
        let user = store.user_for_login(who, false, laptop().network()).await.unwrap().unwrap();
        assert_eq!((user.hash, user.ceiling.failures), (hash("new"), 0));
        let news = store.news_since(head).await;
        assert_eq!(news.len(), 3);
        assert!(sessions.iter().all(|session| news.contains(&ended(session, EndReason::PasswordChanged))));
        assert!(news.contains(&NewsItem::UserChanged(ana.id)));
    }
}

// attack 36
#[tokio::test]
async fn deactivation_ends_sessions_and_activation_does_not_revive_them() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let session = store.log_in(&ana, at(1)).await;
        let head = store.news_head().await.unwrap();
        assert!(store.set_active(ana.id, false, event(EventKind::UserDeactivated, at(2))).await.unwrap());
        assert_eq!(store.end_of(&session).await, Some(EndReason::UserDeactivated));
        assert!(!user_named(&store, "ana").await.unwrap().is_active);
        let expected = [ended(&session, EndReason::UserDeactivated), NewsItem::UserChanged(ana.id)];
        assert_eq!(store.news_since(head).await, expected);

        assert!(store.set_active(ana.id, true, event(EventKind::UserActivated, at(3))).await.unwrap());
        assert!(user_named(&store, "ana").await.unwrap().is_active);
        assert_eq!(store.end_of(&session).await, Some(EndReason::UserDeactivated));
        assert_eq!(store.audited(EventKind::UserActivated).await.len(), 1);
    }
}

#[tokio::test]
async fn the_sessions_of_a_deleted_user_stay_to_say_why() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let session = store.log_in(&ana, at(1)).await;
        assert!(
            store.delete_user(ana.id, Reach::Anyone, event(EventKind::UserDeleted, at(2))).await.unwrap()
        );
        let (kept, user) = store.session(session.id).await.unwrap().unwrap();
        assert_eq!(kept, session.ended(EndReason::UserDeleted, at(2)));
        assert_eq!(user, None);
        assert_eq!(user_named(&store, "ana").await, None);
    }
}

#[tokio::test]
async fn there_is_one_sample_for_each_way_of_hashing() {
    for store in stores() {
        assert_eq!(store.password_samples().await.unwrap(), []);
        for (name, hash, cost) in
            [("a", "1", "argon2id"), ("b", "2", "pbkdf2"), ("c", "1", "argon2id"), ("d", "3", "bcrypt")]
        {
            let new = NewUser { password: password(hash, cost), ..new_user(name) };
            store.create_user(new, event(EventKind::UserCreated, START)).await.unwrap();
        }
        let mut samples = store.password_samples().await.unwrap();
        samples.sort_by(|a, b| a.expose().cmp(b.expose()));
        assert_eq!(samples, [hash("1"), hash("2"), hash("3")]);
    }
}

#[tokio::test]
async fn failures_add_up_until_a_day_passes_without_one() {
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let ceiling = async |user: &User| {
            let who = UserSelector::Id(user.id);
            store.user_for_login(who, false, laptop().network()).await.unwrap().unwrap().ceiling
        };
        assert_eq!(ceiling(&ana).await, CeilingState::default());

        let day = Seconds(24 * 3600);
        let fail = |user: &User, count, last_at| Failures {
            user: user.id,
            count,
            last_at,
            forget_before: last_at - day,
        };
        let failures = vec![fail(&ana, 3, at(5)), fail(&ben, 1, at(5)), fail(&ana, 2, at(4))];
        store.write_batch(failed(failures)).await.unwrap();
        assert_eq!((ceiling(&ana).await.failures, ceiling(&ana).await.last_failure_at), (5, Some(at(5))));
        assert_eq!(ceiling(&ben).await.failures, 1);

        store.write_batch(failed(vec![fail(&ana, 1, at(5) + day)])).await.unwrap();
        assert_eq!(ceiling(&ana).await.failures, 6, "just a day is not over a day");
        store.write_batch(failed(vec![fail(&ana, 1, at(6) + day + day)])).await.unwrap();
        assert_eq!(ceiling(&ana).await.failures, 1);

        assert!(store.unlock(ana.id, event(EventKind::UserUnlocked, at(9))).await.unwrap());
        assert_eq!(ceiling(&ana).await, CeilingState::default());
        assert_eq!(ceiling(&ben).await.failures, 1);
        assert_eq!(store.audited(EventKind::UserUnlocked).await.len(), 1);
    }
}

#[tokio::test]
async fn a_session_of_nobody_does_not_start() {
    for store in stores() {
        let login = crate::support::checked("hash of ana");
        let session = new_session(NOBODY, START);
        let outcome = store.start_session(session, login, event(EventKind::Login, START)).await.unwrap();
        assert_eq!(outcome, countersign_store::StartOutcome::NoLonger);
    }
}

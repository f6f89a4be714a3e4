use countersign_core::Seconds;
use countersign_core::admin::{AdminSession, AdminSessionId, LIFETIME};
use countersign_core::session::EndReason;
use countersign_store::{AdminLogin, EventKind, NewUser, PeopleError, Reach, SetUpError, User, UserChange};

use crate::support::{Fixture, START, at, event, hash, laptop, new_user, password, stores};

fn session_of(user: &User, token: &str) -> AdminSession {
    AdminSession::start(AdminSessionId::of(token.as_bytes()), user.id, laptop(), START)
}

fn login(user: &User) -> AdminLogin {
    AdminLogin {
        checked: hash(&format!("hash of {}", user.username)),
        upgraded: None,
        replaces: None,
        network: laptop().network(),
    }
}

async fn staff(store: &Fixture, name: &str) -> User {
    let new = NewUser { is_staff: true, ..new_user(name) };
    store.create_user(new, event(EventKind::UserCreated, START)).await.unwrap()
}

async fn start(store: &Fixture, session: AdminSession, login: AdminLogin) -> Option<User> {
    let event = event(EventKind::AdminSignIn, session.created_at);
    store.start_admin_session(session, login, event).await.unwrap()
}

async fn is_there(store: &Fixture, session: &AdminSession) -> bool {
    store.admin_session(session.id).await.unwrap().is_some()
}

#[tokio::test]
async fn an_admin_session_starts_is_used_and_ends() {
    for store in stores() {
        let ana = staff(&store, "ana").await;
        let session = session_of(&ana, "a");
        let started = start(&store, session.clone(), login(&ana)).await.unwrap();
        assert_eq!(started.last_login_at, Some(START));
        assert_eq!(store.audited(EventKind::AdminSignIn).await.len(), 1);
        store.touch_admin_session(session.id, false, at(60)).await.unwrap();
        let (found, user) = store.admin_session(session.id).await.unwrap().unwrap();
        assert_eq!(found, AdminSession { used_at: at(60), ..session.clone() });
        assert_eq!(user, started);
        store.touch_admin_session(session.id, true, at(90)).await.unwrap();
        let (found, _) = store.admin_session(session.id).await.unwrap().unwrap();
        assert_eq!((found.used_at, found.proved_at), (at(90), at(90)));
        let out = || event(EventKind::AdminSignOut, at(99));
        assert!(store.end_admin_session(session.id, out()).await.unwrap());
        assert!(!store.end_admin_session(session.id, out()).await.unwrap());
        assert!(!is_there(&store, &session).await);
        assert_eq!(store.audited(EventKind::AdminSignOut).await.len(), 1);
    }
}

#[tokio::test]
async fn it_does_not_start_for_one_who_is_not_staff_or_whose_password_changed() {
    for store in stores() {
        let ben = store.make_user("ben").await;
        assert_eq!(start(&store, session_of(&ben, "b"), login(&ben)).await, None);
        let ana = staff(&store, "ana").await;
        let old = AdminLogin { checked: hash("another"), ..login(&ana) };
        assert_eq!(start(&store, session_of(&ana, "a"), old).await, None);
        store.set_active(ana.id, false, event(EventKind::UserDeactivated, START)).await.unwrap();
        assert_eq!(start(&store, session_of(&ana, "a"), login(&ana)).await, None);
        assert!(store.audited(EventKind::AdminSignIn).await.is_empty());
    }
}

#[tokio::test]
async fn a_sign_in_ends_the_session_that_it_replaces_and_removes_those_that_are_over() {
    for store in stores() {
        let ana = staff(&store, "ana").await;
        let (old, other) = (session_of(&ana, "old"), session_of(&ana, "other"));
        start(&store, old.clone(), login(&ana)).await.unwrap();
        start(&store, other.clone(), login(&ana)).await.unwrap();
        let next = session_of(&ana, "next");
        start(&store, next.clone(), AdminLogin { replaces: Some(old.id), ..login(&ana) }).await.unwrap();
        assert!(!is_there(&store, &old).await && is_there(&store, &other).await);
        let late = START + LIFETIME + Seconds(1);
        let last = AdminSession { created_at: late, used_at: late, ..session_of(&ana, "last") };
        start(&store, last, login(&ana)).await.unwrap();
        assert!(!is_there(&store, &other).await && !is_there(&store, &next).await);
    }
}

#[tokio::test]
async fn whatever_ends_all_sessions_of_a_user_ends_those_of_the_admin_site() {
    for store in stores() {
        let ben = staff(&store, "ben").await;
        let bens = session_of(&ben, "ben");
        start(&store, bens.clone(), login(&ben)).await.unwrap();
        let ana = staff(&store, "ana").await;
        let session = session_of(&ana, "ana");

        start(&store, session.clone(), login(&ana)).await.unwrap();
        let reason = EndReason::EndedByUser;
        store.end_sessions(ana.id, None, reason, event(EventKind::SessionEnded, START)).await.unwrap();
        assert!(!is_there(&store, &session).await);
        assert_eq!(store.audited(EventKind::SessionEnded).await.len(), 1, "though it was no other's");

        start(&store, session.clone(), login(&ana)).await.unwrap();
        let demoted = |is_staff| UserChange { is_staff: Some(is_staff), ..UserChange::default() };
        for is_staff in [false, true] {
            let event = event(EventKind::UserChanged, START);
            store.change_user(ana.id, demoted(is_staff), Reach::Anyone, event).await.unwrap();
            assert!(!is_there(&store, &session).await, "staff again, and not signed in");
        }

        start(&store, session.clone(), login(&ana)).await.unwrap();
        let same = password("hash of ana", "argon2id");
        store.set_password(ana.id, same, event(EventKind::PasswordSet, START)).await.unwrap();
        assert!(!is_there(&store, &session).await);

        start(&store, session.clone(), login(&ana)).await.unwrap();
        store.set_active(ana.id, false, event(EventKind::UserDeactivated, START)).await.unwrap();
        assert!(!is_there(&store, &session).await);
        assert!(is_there(&store, &bens).await);
    }
}

async fn set_up(store: &Fixture, expected: &str, name: &str) -> Result<User, SetUpError> {
    let new = NewUser { is_superuser: true, is_staff: true, ..new_user(name) };
    store.set_up("setup_link", expected.to_owned(), new, event(EventKind::UserCreated, START)).await
}

#[tokio::test]
async fn the_first_superuser_is_made_once_and_only_with_what_was_kept() {
    for store in stores() {
        store.make_user("ana").await;
        assert!(!store.has_superuser().await.unwrap());
        assert!(matches!(set_up(&store, "kept", "root").await, Err(SetUpError::NoLonger)));
        store.set_meta("setup_link", "kept".to_owned()).await.unwrap();
        assert!(matches!(set_up(&store, "other", "root").await, Err(SetUpError::NoLonger)));
        assert!(matches!(
            set_up(&store, "kept", "ana").await,
            Err(SetUpError::User(PeopleError::UsernameTaken))
        ));
        assert_eq!(set_up(&store, "kept", "root").await.unwrap().username, "root");
        assert!(store.has_superuser().await.unwrap());
        assert_eq!(store.meta("setup_link").await.unwrap(), None);
        store.set_meta("setup_link", "kept".to_owned()).await.unwrap();
        assert!(matches!(set_up(&store, "kept", "next").await, Err(SetUpError::NoLonger)));
    }
}

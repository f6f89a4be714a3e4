//! Looking after people: who may do what to whom, and links to set a password.

use std::collections::BTreeSet;

use countersign::core::{BuiltIn, GroupId, PermissionName, Seconds, SessionId, UserId};
use countersign::service::password::Password;
use countersign::service::people::{
    Actor, AuditCounts, AuditFilter, Denied, Edit, GroupEdit, GroupFilter, PersonChange, PersonToCreate,
    SessionFilter, UserFilter, Wanted, links,
};
use countersign::service::{Error, FieldErrors};
use countersign::store::EventKind;
use http::StatusCode;
use serde_json::json;

use crate::support::{ALICE, ALICE_PASSWORD, World, together};

const NEW_PASSWORD: &str = "what nobody else would think of";

/// A user with these permissions, of the staff.
async fn staff(world: &World, name: &str, permissions: &[&str]) -> Actor {
    staff_with(world, name, |new| new.permissions = names(permissions)).await
}

async fn staff_with(world: &World, name: &str, change: impl FnOnce(&mut PersonToCreate)) -> Actor {
    let mut new = PersonToCreate { username: name.to_owned(), is_staff: true, ..PersonToCreate::default() };
    change(&mut new);
    let service = world.countersign.service();
    let user = service.people(&Actor::Operator).create_user(new).await.unwrap();
    service.staff(user.id, None).await.unwrap()
}

async fn root(world: &World, name: &str) -> Actor {
    staff_with(world, name, |new| new.is_superuser = true).await
}

fn id(actor: &Actor) -> UserId {
    let user = match actor {
        Actor::Staff(staff) => Some(staff.user()),
        Actor::Operator => None,
    };
    user.expect("one of the staff")
}

fn names(permissions: &[&str]) -> BTreeSet<PermissionName> {
    permissions.iter().map(|name| name.parse().unwrap()).collect()
}

fn adding<T: Ord>(item: T) -> Wanted<T> {
    Wanted::Edit(Edit { add: [item].into(), remove: BTreeSet::new() })
}

fn first_name(name: &str) -> PersonChange {
    PersonChange { first_name: Some(name.to_owned()), ..PersonChange::default() }
}

#[track_caller]
fn denied<T: std::fmt::Debug>(result: Result<T, Error>) -> Denied {
    match result.expect_err("it was allowed") {
        Error::Denied(denied) => Ok(denied),
        error => Err(error),
    }
    .expect("denied, and for no other reason")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_active_staff_may_act() {
    let world = World::new().await;
    let service = world.countersign.service();
    assert_eq!(denied(service.staff(world.alice.id, None).await), Denied::NotStaff);
    assert_eq!(denied(service.staff(UserId(4711), None).await), Denied::NotStaff);
    let sue = staff(&world, "sue", &[]).await;
    service.deactivate_user(id(&sue)).await.unwrap();
    assert_eq!(denied(service.staff(id(&sue), None).await), Denied::NotStaff);
}

/// Every use case, by staff with all permissions but one: which permission the refusal names.
#[tokio::test(flavor = "multi_thread")]
async fn each_use_case_needs_its_permission() {
    let world = World::new().await;
    let service = world.countersign.service();
    let alice = world.alice.id;
    let session = world.alice_in_an_app().await.session();
    for missing in BuiltIn::ALL {
        let others: Vec<_> =
            BuiltIn::ALL.iter().filter(|other| *other != missing).map(|other| other.as_str()).collect();
        let actor = staff(&world, &missing.as_str().replace('.', "_"), &others).await;
        let people = service.people(&actor);
        let mut refused = Vec::new();
        macro_rules! needs {
            ($permission:ident, $call:expr) => {
                if BuiltIn::$permission == *missing {
                    refused.push(denied($call.await.map(drop)));
                }
            };
        }
        let filter = AuditFilter { limit: 5, ..AuditFilter::default() };
        let counts = AuditCounts {
            kinds: vec![EventKind::Login],
            from: world.now() - Seconds(60),
            until: world.now(),
            step: Seconds(60),
        };
        let sessions = SessionFilter { user: None, live_at: None, after: None, limit: 5 };
        let new = || PersonToCreate { username: "new".into(), ..PersonToCreate::default() };
        needs!(UsersView, people.users(UserFilter::default()));
        needs!(UsersView, people.user(alice));
        needs!(UsersCreate, people.create_user(new()));
        needs!(UsersChange, people.change_user(alice, first_name("X")));
        needs!(UsersChange, people.set_active(alice, false));
        needs!(UsersDelete, people.delete_user(alice));
        needs!(UsersLink, people.make_password_link(alice));
        needs!(UsersUnlock, people.unlock(alice));
        needs!(GroupsView, people.groups(GroupFilter::default()));
        needs!(GroupsView, people.group(GroupId(1)));
        needs!(GroupsChange, people.create_group("x", BTreeSet::new()));
        needs!(GroupsChange, people.change_group(GroupId(1), GroupEdit::default()));
        needs!(GroupsChange, people.delete_group(GroupId(1)));
        needs!(GroupsChange, people.create_permission("a.b", ""));
        needs!(GroupsChange, people.delete_permission(&"a.b".parse().unwrap()));
        needs!(SessionsView, people.sessions(sessions.clone()));
        needs!(SessionsView, people.live_sessions());
        needs!(SessionsEnd, people.end_session(session));
        needs!(SessionsEnd, people.end_sessions_of(alice));
        needs!(AuditView, people.audit(filter.clone()));
        needs!(AuditView, people.audit_counts(counts.clone()));
        needs!(KeysView, people.keys());
        needs!(KeysChange, people.rotate_keys(false));
        needs!(KeysChange, people.prune_keys(&[]));
        assert!(!refused.is_empty(), "{missing}");
        assert!(refused.iter().all(|denied| *denied == Denied::Needs(*missing)), "{missing}: {refused:?}");
    }
    let user = service.people(&Actor::Operator).user(alice).await.unwrap();
    assert!(user.person.user.is_active && user.person.user.first_name.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_do_what_their_permissions_say_and_the_audit_names_them() {
    let world = World::new().await;
    let sue = staff(&world, "sue", &["users.view", "users.change", "sessions.end"]).await;
    let people = world.countersign.service().people(&sue);
    let mut alice = world.alice_in_a_browser().await;
    let changed = people.change_user(world.alice.id, first_name("Alice")).await.unwrap();
    assert_eq!(changed.user.first_name, "Alice");
    let told = &world.audited(EventKind::UserChanged).await[0].event;
    assert_eq!((told.actor, told.user), (Some(id(&sue)), Some(world.alice.id)));
    assert_eq!(told.detail["changes"], json!({"first_name": ["", "Alice"]}));
    people.end_session(alice.session()).await.unwrap();
    alice.get("/accounts/profile").await.refused(401, "session_ended");
    people.set_active(world.alice.id, false).await.unwrap();
    assert_eq!(world.audited(EventKind::UserDeactivated).await[0].event.actor, Some(id(&sue)));
    world.browser().login(ALICE, ALICE_PASSWORD).await.refused(401, "invalid_credentials");
}

// attack 118
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_says_as_what_a_user_was_made_and_by_whom() {
    let world = World::new().await;
    let root = root(&world, "root").await;
    let people = world.countersign.service().people(&root);
    let editors = people.create_group("editors", BTreeSet::new()).await.unwrap();
    let new = PersonToCreate {
        username: "carol".into(),
        email: "carol@example.com".into(),
        is_inactive: true,
        is_staff: true,
        groups: [editors.id].into(),
        permissions: names(&["users.view"]),
        ..PersonToCreate::default()
    };
    let carol = people.create_user(new).await.unwrap();
    let rows = world.audited(EventKind::UserCreated).await;
    let told = &rows.iter().find(|row| row.event.user == Some(carol.id)).unwrap().event;
    assert_eq!(told.actor, Some(id(&root)));
    let expected = json!({
        "username": "carol", "email": "carol@example.com", "is_active": false, "is_staff": true,
        "is_superuser": false, "groups": [editors.id.0], "permissions": ["users.view"],
    });
    assert_eq!(serde_json::Value::Object(told.detail.clone()), expected);
}

// attack 95
#[tokio::test(flavor = "multi_thread")]
async fn staff_give_nothing_that_they_do_not_have() {
    let world = World::new().await;
    let service = world.countersign.service();
    let operator = service.people(&Actor::Operator);
    let own = operator.create_group("own", names(&["users.view"])).await.unwrap();
    let admins = operator.create_group("admins", names(&["users.delete"])).await.unwrap();
    let sue = staff_with(&world, "sue", |new| {
        new.permissions = names(&["users.create", "users.change", "groups.change"]);
        new.groups = [own.id].into();
    })
    .await;
    let people = service.people(&sue);
    let flags: [fn(&mut PersonChange); 2] =
        [|change| change.is_staff = Some(true), |change| change.is_superuser = Some(true)];
    for user in [world.alice.id, id(&sue)] {
        for flag in flags {
            // Nobody takes or gives these but superusers; that sue is staff already, is no change.
            let mut change = PersonChange::default();
            flag(&mut change);
            if user == id(&sue) && change.is_staff.is_some() {
                people.change_user(user, change).await.unwrap();
            } else {
                assert_eq!(denied(people.change_user(user, change).await), Denied::OnlySuperusers);
            }
        }
        let admin = PersonChange { groups: adding(admins.id), ..PersonChange::default() };
        let denial = denied(people.change_user(user, admin).await);
        assert_eq!(denial, Denied::NotYourGroup(admins.name.clone()));
        let may =
            PersonChange { permissions: adding("users.delete".parse().unwrap()), ..PersonChange::default() };
        assert!(matches!(denied(people.change_user(user, may).await), Denied::NotYoursToGive(_)));
    }
    let demoted = PersonChange { is_staff: Some(false), ..PersonChange::default() };
    assert_eq!(denied(people.change_user(id(&sue), demoted).await), Denied::OnlySuperusers);
    for new in [
        PersonToCreate { is_staff: true, ..PersonToCreate::default() },
        PersonToCreate { is_superuser: true, ..PersonToCreate::default() },
        PersonToCreate { groups: [admins.id].into(), ..PersonToCreate::default() },
        PersonToCreate { permissions: names(&["users.delete"]), ..PersonToCreate::default() },
    ] {
        denied(people.create_user(PersonToCreate { username: "minion".into(), ..new }).await);
    }
    // Nor through a group: its own gets no more than sue has, and no new name that a program may go by.
    let more = GroupEdit { permissions: adding("users.delete".parse().unwrap()), ..GroupEdit::default() };
    assert!(matches!(denied(people.change_group(own.id, more).await), Denied::NotYoursToGive(_)));
    let named = GroupEdit { name: Some("root".into()), ..GroupEdit::default() };
    assert_eq!(denied(people.change_group(own.id, named).await), Denied::OnlySuperusers);
    denied(people.create_group("new", names(&["users.delete"])).await);

    // What sue has, sue gives; and a form that shows what somebody has already gives nothing.
    let give = PersonChange {
        groups: adding(own.id),
        permissions: adding("users.change".parse().unwrap()),
        ..PersonChange::default()
    };
    people.change_user(world.alice.id, give).await.unwrap();
    let also_admin = PersonChange { groups: adding(admins.id), ..PersonChange::default() };
    operator.change_user(world.alice.id, also_admin).await.unwrap();
    let as_it_stands = PersonChange {
        groups: Wanted::Set([own.id, admins.id].into()),
        is_staff: Some(false),
        ..first_name("Alice")
    };
    assert_eq!(
        denied(people.change_user(world.alice.id, as_it_stands.clone()).await),
        Denied::OutOfReach,
        "alice has more now"
    );
    let less = PersonChange { groups: Wanted::Set([own.id].into()), ..PersonChange::default() };
    operator.change_user(world.alice.id, less).await.unwrap();
    let as_it_stands = PersonChange { groups: Wanted::Set([own.id].into()), ..as_it_stands };
    people.change_user(world.alice.id, as_it_stands).await.unwrap();

    // Nor take, by way of a group, what sue couldn't give.
    let none = GroupEdit { permissions: Wanted::Set(BTreeSet::new()), ..GroupEdit::default() };
    assert!(matches!(denied(people.change_group(admins.id, none).await), Denied::NotYoursToTake(_)));
    assert!(matches!(denied(people.delete_group(admins.id).await), Denied::NotYoursToTake(_)));
    let reports = operator.create_permission("reports.view", "").await.unwrap();
    assert_eq!(denied(people.delete_permission(&reports).await), Denied::OnlySuperusers);
    people.delete_group(own.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_do_not_touch_one_who_may_more() {
    let world = World::new().await;
    let service = world.countersign.service();
    let everything: Vec<_> = BuiltIn::ALL.iter().map(|permission| permission.as_str()).collect();
    let sue = staff(&world, "sue", &everything).await;
    let (root, _) = (root(&world, "root").await, root(&world, "other").await);
    let auditor = staff(&world, "eve", &["audit.view"]).await;
    let helper = staff(&world, "helper", &["users.view", "users.change", "users.link", "users.delete"]).await;
    for (actor, target) in [(&sue, &root), (&helper, &auditor), (&helper, &sue)] {
        let people = service.people(actor);
        let user = id(target);
        let denials = [
            denied(people.change_user(user, first_name("X")).await),
            denied(people.set_active(user, false).await),
            denied(people.delete_user(user).await),
            denied(people.make_password_link(user).await),
        ];
        assert!(denials.iter().all(|denial| *denial == Denied::OutOfReach), "{denials:?}");
    }
    let people = service.people(&sue);
    assert_eq!(denied(people.unlock(id(&root)).await), Denied::OutOfReach);
    assert_eq!(denied(people.end_sessions_of(id(&root)).await), Denied::OutOfReach);
    // Among those who may the same, it is allowed; and a superuser may all of it.
    people.change_user(id(&auditor), first_name("Eve")).await.unwrap();
    service.people(&root).make_password_link(id(&sue)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_superuser_can_not_be_lost_by_anyone() {
    let world = World::new().await;
    let root = root(&world, "root").await;
    let service = world.countersign.service();
    for actor in [&root, &Actor::Operator] {
        let people = service.people(actor);
        let demoted = PersonChange { is_superuser: Some(false), ..PersonChange::default() };
        let refusals = [
            people.change_user(id(&root), demoted).await.map(drop),
            people.set_active(id(&root), false).await.map(drop),
            people.delete_user(id(&root)).await,
        ];
        for refusal in refusals {
            let conflict = |error: &Error| matches!(error, Error::Conflict(why) if why.contains("last active superuser"));
            assert!(refusal.as_ref().is_err_and(conflict), "{refusal:?}");
        }
    }
    assert!(matches!(service.deactivate_user(id(&root)).await, Err(Error::Conflict(_))));
    assert!(matches!(service.delete_user(id(&root)).await, Err(Error::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_password_has_none_until_a_link_sets_it() {
    let world = World::new().await;
    let service = world.countersign.service();
    let people = service.people(&Actor::Operator);
    let new = PersonToCreate { username: "carol".into(), ..PersonToCreate::default() };
    let carol = people.create_user(new).await.unwrap();
    assert!(!people.user(carol.id).await.unwrap().has_password);
    for password in ["!", "", NEW_PASSWORD] {
        let body = json!({"username": "carol", "password": password});
        let answer = world.browser().post("/accounts/login", body).await;
        assert_ne!(answer.status, StatusCode::OK, "{password:?}");
    }
    let link = people.make_password_link(carol.id).await.unwrap();
    service.set_password_by_link(token(&link.url), password(NEW_PASSWORD), &client()).await.unwrap();
    assert!(people.user(carol.id).await.unwrap().has_password);
    world.browser().login("carol", NEW_PASSWORD).await.expect(StatusCode::OK);
}

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

fn client() -> countersign::core::Client {
    countersign::core::Client::default()
}

fn token(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

// attack 93
#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_configured_address() {
    let world = World::new().await;
    let people = world.countersign.service().people(&Actor::Operator);
    let link = people.make_password_link(world.alice.id).await.unwrap();
    let (origin, rest) = link.url.split_at("http://localhost:8000".len());
    assert_eq!(origin, world.settings().public_url.as_str());
    assert_eq!(rest.rsplit_once('/').unwrap().0, links::PATH);
    assert_eq!(token(&link.url).len(), 43, "256 bits");
    assert_eq!(link.expires_at, world.now() + Seconds(24 * 3600));
    let shown = format!("{link:?} {:?}", world.audited(EventKind::PasswordLinkMade).await);
    assert!(!shown.contains(token(&link.url)), "{shown}");
}

// attack 94
#[tokio::test(flavor = "multi_thread")]
async fn a_link_sets_a_password_once_and_ends_all_sessions() {
    let world = World::new().await;
    let service = world.countersign.service();
    let mut browser = world.alice_in_a_browser().await;
    let link = service.people(&Actor::Operator).make_password_link(world.alice.id).await.unwrap();
    let token = token(&link.url);
    assert_eq!(service.password_link_owner(token).await.unwrap().id, world.alice.id);

    // A password that won't do leaves the link as it is.
    let weak = service.set_password_by_link(token, password("alice"), &client()).await;
    assert!(matches!(weak, Err(Error::InvalidPassword(_))), "{weak:?}");
    let client = client();
    let uses = together(
        (0..20)
            .map(|n| service.set_password_by_link(token, password(&format!("{NEW_PASSWORD} {n}")), &client)),
    )
    .await;
    assert_eq!(uses.iter().filter(|used| used.is_ok()).count(), 1);
    assert!(
        uses.iter().all(|used| used.is_ok() || matches!(used, Err(Error::LinkInvalid | Error::Overloaded)))
    );
    assert!(matches!(service.password_link_owner(token).await, Err(Error::LinkInvalid)));
    browser.get("/accounts/profile").await.refused(401, "session_ended");
    browser.login(ALICE, ALICE_PASSWORD).await.refused(401, "invalid_credentials");
    let told = &world.audited(EventKind::PasswordSet).await[0].event;
    assert_eq!((told.user, &told.detail["by"]), (Some(world.alice.id), &json!("link")));
    for wrong in ["", "x", &token[1..], &format!("{token}x"), &"A".repeat(43)] {
        assert!(matches!(service.password_link_owner(wrong).await, Err(Error::LinkInvalid)), "{wrong:?}");
    }
}

// attack 94
#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_for_a_day_and_until_a_newer_one() {
    let world = World::new().await;
    let service = world.countersign.service();
    let people = service.people(&Actor::Operator);
    let first = people.make_password_link(world.alice.id).await.unwrap();
    let second = people.make_password_link(world.alice.id).await.unwrap();
    assert!(matches!(service.password_link_owner(token(&first.url)).await, Err(Error::LinkInvalid)));
    world.turn(24 * 3600 - 1).await;
    service.password_link_owner(token(&second.url)).await.unwrap();
    world.turn(1).await;
    assert!(matches!(service.password_link_owner(token(&second.url)).await, Err(Error::LinkInvalid)));
}

// attack 97
#[tokio::test(flavor = "multi_thread")]
async fn nobody_chooses_the_password_of_another() {
    let world = World::new().await;
    let root = root(&world, "root").await;
    let new = PersonToCreate {
        username: "carol".into(),
        password: Some(password(NEW_PASSWORD)),
        ..PersonToCreate::default()
    };
    let people = world.countersign.service().people(&root);
    assert_eq!(denied(people.create_user(new).await), Denied::NotYourPassword);
    assert!(world.countersign.service().find_user("carol").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_a_new_user_is_told_at_once() {
    let world = World::new().await;
    let new = PersonToCreate {
        username: "a b".into(),
        email: "nowhere".into(),
        first_name: "x".repeat(151),
        last_name: "\u{7}".into(),
        password: Some(password("short")),
        ..PersonToCreate::default()
    };
    let refused = world.countersign.service().people(&Actor::Operator).create_user(new).await;
    let errors = if let Err(Error::InvalidFields(errors)) = refused { errors } else { FieldErrors::new() };
    let fields: Vec<_> = errors.keys().map(String::as_str).collect();
    assert_eq!(fields, ["email", "first_name", "last_name", "password", "username"]);
    let taken = PersonToCreate { username: "ALICE".into(), ..PersonToCreate::default() };
    let refused = world.countersign.service().people(&Actor::Operator).create_user(taken).await;
    assert!(matches!(refused, Err(Error::InvalidFields(errors)) if errors.contains_key("username")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    let people = world.countersign.service().people(&Actor::Operator);
    let nobody = UserId(4711);
    let nothing = SessionId::from_bytes([0; 16]);
    let results = [
        people.user(nobody).await.map(drop),
        people.change_user(nobody, PersonChange::default()).await.map(drop),
        people.set_active(nobody, true).await.map(drop),
        people.delete_user(nobody).await,
        people.unlock(nobody).await,
        people.make_password_link(nobody).await.map(drop),
        people.end_session(nothing).await,
        people.end_sessions_of(nobody).await.map(drop),
        people.group(GroupId(9)).await.map(drop),
        people.change_group(GroupId(9), GroupEdit::default()).await.map(drop),
        people.delete_group(GroupId(9)).await,
        people.delete_permission(&"no.such".parse().unwrap()).await,
    ];
    for (index, result) in results.into_iter().enumerate() {
        assert!(matches!(result, Err(Error::NotFound)), "{index}: {result:?}");
    }
}

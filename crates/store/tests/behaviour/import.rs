//! People who come from another system, once and again.

use std::collections::BTreeSet;

use countersign_core::fields::{Declaration, FieldType, UserFields};
use countersign_core::{GroupName, PermissionName, Timestamp, UserId};
use countersign_store::{
    Arrival, EventKind, GroupArrival, ImportBatch, IncomingGroup, IncomingUser, PasswordFate, PasswordHash,
    Reach, TurnedAway, UserSelector,
};
use serde_json::{Map, json};

use crate::support::{Fixture, at, event, hash, key, laptop, new_user, password, stores, stores_with};

const LONG_AGO: Timestamp = Timestamp::from_secs(1_700_000_000);

fn incoming(id: i64, name: &str) -> IncomingUser {
    IncomingUser {
        id: UserId(id),
        user: new_user(name),
        joined_at: Some(LONG_AGO),
        last_login_at: None,
        groups: BTreeSet::new(),
        permissions: BTreeSet::new(),
        source_hash: [7; 32],
    }
}

fn batch(users: Vec<IncomingUser>) -> ImportBatch {
    let highest = users.iter().map(|user| user.id).max().unwrap_or(UserId(0));
    ImportBatch { users, highest, at: at(50), from: "django", dry_run: false }
}

async fn import(store: &Fixture, users: Vec<IncomingUser>) -> Vec<Arrival> {
    store.import_users(batch(users)).await.unwrap()
}

async fn groups(store: &Fixture, groups: &[(&str, &[&str])]) -> Vec<GroupArrival> {
    let group = |(name, permissions): &(&str, &[&str])| IncomingGroup {
        name: group(name),
        permissions: names(permissions),
    };
    let incoming = groups.iter().map(group).collect();
    store.import_groups(incoming, event(EventKind::GroupCreated, at(50)), false).await.unwrap()
}

fn group(name: &str) -> GroupName {
    name.parse().unwrap()
}

fn names(names: &[&str]) -> BTreeSet<PermissionName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

async fn hash_of(store: &Fixture, name: &str) -> PasswordHash {
    let user = store.user_for_login(UserSelector::Name(key(name)), false, laptop().network()).await;
    user.unwrap().unwrap().hash
}

async fn permission(store: &Fixture, name: &str) {
    let made = event(EventKind::PermissionCreated, at(1));
    store.create_permission(name.parse().unwrap(), String::new(), made).await.unwrap();
}

#[tokio::test]
async fn they_come_with_their_ids_and_new_ids_go_on_after_the_highest() {
    for store in stores() {
        let mut ana = incoming(7, "ana");
        ana.last_login_at = Some(LONG_AGO);
        assert_eq!(
            import(&store, vec![ana, incoming(90, "ben")]).await,
            [Arrival::Created, Arrival::Created]
        );
        let ana = store.user(UserSelector::Name(key("ana"))).await.unwrap().unwrap();
        assert_eq!((ana.id, ana.joined_at, ana.last_login_at), (UserId(7), LONG_AGO, Some(LONG_AGO)));
        assert_eq!(store.make_user("cleo").await.id, UserId(91));
        let created = store.audited(EventKind::UserCreated).await;
        assert!(created.iter().any(|row| row.event.user == Some(UserId(7)) && row.event.detail["imported_from"] == "django"));
    }
}

#[tokio::test]
async fn the_highest_id_there_counts_even_if_it_does_not_come() {
    for store in stores() {
        let batch = ImportBatch { highest: UserId(1000), ..batch(vec![incoming(1, "ana")]) };
        store.import_users(batch).await.unwrap();
        assert_eq!(store.make_user("ben").await.id, UserId(1001));
    }
}

#[tokio::test]
async fn a_rehearsal_says_what_would_be_and_changes_nothing() {
    for store in stores() {
        let taken = store.make_user("root").await;
        let users = vec![incoming(taken.id.0, "ana"), incoming(8, "ROOT"), incoming(9, "ben")];
        let rehearsal = ImportBatch { dry_run: true, ..batch(users.clone()) };
        let expected = vec![
            Arrival::LeftOut(TurnedAway::IdTaken),
            Arrival::LeftOut(TurnedAway::NameTaken(taken.id)),
            Arrival::Created,
        ];
        assert_eq!(store.import_users(rehearsal).await.unwrap(), expected);
        assert_eq!(store.user(UserSelector::Id(UserId(9))).await.unwrap(), None);
        assert_eq!(import(&store, users).await, expected);
        assert!(store.user(UserSelector::Id(UserId(9))).await.unwrap().is_some());
        let group = IncomingGroup { name: group("Editors"), permissions: BTreeSet::new() };
        let made = event(EventKind::GroupCreated, at(50));
        assert_eq!(store.import_groups(vec![group], made, true).await.unwrap(), [GroupArrival::Created]);
        assert_eq!(groups(&store, &[("Editors", &[])]).await, [GroupArrival::Created]);
    }
}

#[tokio::test]
async fn a_second_time_nothing_changes_and_what_was_changed_here_stays() {
    for store in stores() {
        import(&store, vec![incoming(7, "ana")]).await;
        let change =
            countersign_store::ProfileChange { last_name: Some("Here".into()), ..Default::default() };
        store.update_profile(UserId(7), change, event(EventKind::ProfileChanged, at(2))).await.unwrap();
        assert_eq!(import(&store, vec![incoming(7, "ana")]).await, [Arrival::Unchanged]);
        let mut later = incoming(7, "ana");
        later.user.first_name = "There".to_owned();
        assert_eq!(import(&store, vec![later]).await, [Arrival::Changed { password: PasswordFate::Same }]);
        let ana = store.user(UserSelector::Id(UserId(7))).await.unwrap().unwrap();
        assert_eq!((&*ana.first_name, &*ana.last_name), ("There", "Here"));
    }
}

#[tokio::test]
async fn what_changed_there_comes_over_and_ends_sessions_where_it_must() {
    for store in stores() {
        import(&store, vec![incoming(7, "ana"), incoming(8, "ben")]).await;
        let ana = store.user(UserSelector::Id(UserId(7))).await.unwrap().unwrap();
        store.log_in(&ana, at(1)).await;
        let mut off = incoming(7, "ana.late");
        off.user.is_active = false;
        let mut superuser = incoming(8, "ben");
        superuser.user.is_superuser = true;
        superuser.user.fields = Map::from_iter([("phone".to_owned(), json!("1"))]);
        let changed = Arrival::Changed { password: PasswordFate::Same };
        assert_eq!(import(&store, vec![off, superuser]).await, [changed.clone(), changed.clone()]);
        assert_eq!(store.sessions_of(UserId(7), at(60)).await.unwrap(), []);
        assert!(
            store
                .user(UserSelector::Name(key("ana.late")))
                .await
                .unwrap()
                .is_some_and(|user| !user.is_active)
        );
        let ben = store.user(UserSelector::Id(UserId(8))).await.unwrap().unwrap();
        assert!(ben.is_superuser);
        assert_eq!(ben.fields["phone"], "1");
        // Nobody else may do everything.
        let refused = Arrival::LeftOut(TurnedAway::LastSuperuser);
        let mut demoted = incoming(8, "ben");
        demoted.user.first_name = "Benedict".to_owned();
        assert_eq!(import(&store, vec![demoted]).await, [refused]);
        let ben = store.user(UserSelector::Id(UserId(8))).await.unwrap().unwrap();
        assert!(ben.is_superuser && ben.first_name != "Benedict", "all of it or nothing");
    }
}

#[tokio::test]
async fn a_password_that_was_set_here_is_never_replaced() {
    for store in stores() {
        import(&store, vec![incoming(7, "ana"), incoming(8, "ben")]).await;
        let set = event(EventKind::PasswordSet, at(2));
        assert!(store.set_password(UserId(7), password("mine", "argon2id"), set).await.unwrap());
        let later = |id, name| {
            let mut later = incoming(id, name);
            later.user.password = password("theirs", "argon2id");
            later.source_hash = [8; 32];
            later
        };
        let arrivals = import(&store, vec![later(7, "ana"), later(8, "ben")]).await;
        let fate = |password| Arrival::Changed { password };
        assert_eq!(arrivals, [fate(PasswordFate::KeptOurs), fate(PasswordFate::Came)]);
        assert_eq!(hash_of(&store, "ana").await, hash("mine"));
        assert_eq!(hash_of(&store, "ben").await, hash("theirs"));
        // Told once.
        assert_eq!(
            import(&store, vec![later(7, "ana"), later(8, "ben")]).await,
            [Arrival::Unchanged, Arrival::Unchanged]
        );
    }
}

#[tokio::test]
async fn who_was_deleted_here_does_not_come_again_and_leaves_nothing_behind() {
    for store in stores() {
        import(&store, vec![incoming(7, "ana")]).await;
        let gone = event(EventKind::UserDeleted, at(2));
        assert!(store.delete_user(UserId(7), Reach::Anyone, gone).await.unwrap());
        let refused = [Arrival::LeftOut(TurnedAway::Deleted)];
        assert_eq!(import(&store, vec![incoming(7, "ana")]).await, refused);
        assert_eq!(import(&store, vec![incoming(7, "another")]).await, refused);
    }
}

#[tokio::test]
async fn rights_that_change_there_change_here_and_others_stay() {
    for store in stores() {
        for name in ["shop.sell", "shop.buy", "shop.see"] {
            permission(&store, name).await;
        }
        let arrivals =
            groups(&store, &[("Editors", &["shop.sell"]), ("Readers", &["shop.see", "not.here"])]).await;
        assert_eq!(arrivals, [GroupArrival::Created, GroupArrival::Created]);
        let ana = |in_groups: &[&str], permissions: &[&str]| IncomingUser {
            groups: in_groups.iter().map(|name| group(name)).collect(),
            permissions: names(permissions),
            ..incoming(7, "ana")
        };
        import(&store, vec![ana(&["EDITORS", "Nowhere"], &["shop.buy", "not.here"])]).await;
        let rights = async || store.rights(UserId(7)).await.unwrap().unwrap();
        assert_eq!(rights().await.permissions, names(&["shop.buy", "shop.sell"]));

        let changed = Arrival::Changed { password: PasswordFate::Same };
        assert_eq!(import(&store, vec![ana(&["Readers"], &[])]).await, [changed]);
        assert_eq!(rights().await.permissions, names(&["shop.see"]));
        assert_eq!(groups(&store, &[("readers", &["shop.buy"])]).await, [GroupArrival::Changed]);
        assert_eq!(rights().await.permissions, names(&["shop.buy"]));
        assert_eq!(groups(&store, &[("Readers", &["shop.buy"])]).await, [GroupArrival::Unchanged]);
    }
}

#[tokio::test]
async fn a_group_that_is_here_is_joined_and_one_that_was_deleted_here_stays_so() {
    for store in stores() {
        permission(&store, "shop.sell").await;
        let made = event(EventKind::GroupCreated, at(1));
        let here = store.create_group(group("Editors"), BTreeSet::new(), made).await.unwrap();
        assert_eq!(groups(&store, &[("editors", &["shop.sell"])]).await, [GroupArrival::Joined]);
        assert_eq!(store.group(here.id).await.unwrap().unwrap().permissions, names(&["shop.sell"]));
        store.delete_group(here.id, Reach::Anyone, event(EventKind::GroupDeleted, at(2))).await.unwrap();
        assert_eq!(groups(&store, &[("Editors", &["shop.sell"])]).await, [GroupArrival::Deleted]);
    }
}

#[tokio::test]
async fn of_those_who_have_one_unique_value_the_first_comes() {
    let phone = Declaration { unique: true, ..Declaration::new(FieldType::String) };
    let declared = UserFields::declare([("phone".to_owned(), phone)]).unwrap();
    for store in stores_with(declared) {
        let with_phone = |id, name: &str, phone: &str| {
            let mut user = incoming(id, name);
            user.user.fields = Map::from_iter([("phone".to_owned(), json!(phone))]);
            user
        };
        let refused = Arrival::LeftOut(TurnedAway::FieldTaken("phone".into()));
        let arrivals = import(&store, vec![with_phone(7, "ana", "1"), with_phone(8, "ben", "1")]).await;
        assert_eq!(arrivals, [Arrival::Created, refused.clone()]);
        assert_eq!(import(&store, vec![with_phone(9, "cleo", "1")]).await, [refused]);
    }
}

use countersign_core::UserId;
use countersign_core::fields::{Declaration, FieldType, UserFields};
use countersign_store::{
    EventKind, FieldFilter, FieldHolder, FieldIs, NewUser, PeopleError, ProfileChange, ProfileError, User,
    UserFilter, UserSelector,
};
use serde_json::{Map, Value, json};

use crate::support::{Fixture, START, at, event, new_user, stores, stores_with};

/// A badge that only one may have, and a level.
fn declared(badge_is_unique: bool) -> UserFields {
    let badge = Declaration { unique: badge_is_unique, ..Declaration::new(FieldType::String) };
    let level = Declaration::new(FieldType::Integer);
    UserFields::declare([("badge".to_owned(), badge), ("level".to_owned(), level)]).unwrap()
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn badge(badge: &str) -> Map<String, Value> {
    fields([("badge", json!(badge))])
}

async fn make(store: &Fixture, name: &str, fields: Map<String, Value>) -> Result<User, PeopleError> {
    store.create_user(NewUser { fields, ..new_user(name) }, event(EventKind::UserCreated, START)).await
}

async fn change(
    store: &Fixture,
    user: &User,
    fields: Map<String, Value>,
) -> Result<Option<User>, ProfileError> {
    let change = ProfileChange { fields, ..ProfileChange::default() };
    store.update_profile(user.id, change, event(EventKind::ProfileChanged, at(1))).await
}

/// All users, a few at a time.
async fn all(store: &Fixture) -> Vec<FieldHolder> {
    let mut users: Vec<FieldHolder> = Vec::new();
    loop {
        let after = users.last().map_or(UserId(0), |user| user.id);
        let page = store.field_page(after, 2).await.unwrap();
        if page.is_empty() {
            return users;
        }
        users.extend(page);
    }
}

/// Enters all values, a few at a time; who shares one that is to be unique.
async fn shared(store: &Fixture) -> Vec<String> {
    let (mut shared, mut after) = (Vec::new(), Some(UserId(0)));
    while let Some(place) = after {
        let page = store.enter_fields(place, 2).await.unwrap();
        assert!(page.shared.iter().all(|(_, field)| field == "badge"));
        shared.extend(page.shared.into_iter().map(|(user, _)| user));
        after = page.next;
    }
    let users = all(store).await.into_iter().filter(|user| shared.contains(&user.id));
    users.map(|user| user.username).collect()
}

#[tokio::test]
async fn a_value_that_is_unique_is_had_by_one_user() {
    for store in stores_with(declared(true)) {
        let ana = make(&store, "ana", badge("b1")).await.unwrap();
        let taken = make(&store, "ben", badge("b1")).await;
        assert!(matches!(taken, Err(PeopleError::FieldTaken(field)) if field == "badge"));
        assert_eq!(store.audited(EventKind::UserCreated).await.len(), 1);

        let ben = make(&store, "ben", badge("b2")).await.unwrap();
        let mut wish = badge("b1");
        wish.insert("level".to_owned(), json!(9));
        let taken = change(&store, &ben, wish).await;
        assert!(matches!(taken, Err(ProfileError::FieldTaken(field)) if field == "badge"));
        assert_eq!(store.user(UserSelector::Id(ben.id)).await.unwrap(), Some(ben.clone()));
        assert_eq!(store.audited(EventKind::ProfileChanged).await.len(), 0);

        // One's own is no obstacle, and what is given up is free.
        change(&store, &ana, badge("b1")).await.unwrap();
        change(&store, &ana, fields([("badge", Value::Null)])).await.unwrap();
        let ben = change(&store, &ben, badge("b1")).await.unwrap().unwrap();
        assert_eq!(ben.fields, badge("b1"));
        make(&store, "cleo", badge("b2")).await.unwrap();
        store
            .delete_user(ben.id, countersign_store::Reach::Anyone, event(EventKind::UserDeleted, at(2)))
            .await
            .unwrap();
        make(&store, "dora", badge("b1")).await.unwrap();
    }
}

#[tokio::test]
async fn null_takes_a_value_away() {
    for store in stores_with(declared(true)) {
        let ana = make(&store, "ana", fields([("badge", json!("b1")), ("old", json!([1]))])).await.unwrap();
        let after = change(&store, &ana, fields([("badge", Value::Null), ("level", json!(2))])).await;
        assert_eq!(after.unwrap().unwrap().fields, fields([("level", json!(2)), ("old", json!([1]))]));
    }
}

#[tokio::test]
async fn of_many_who_want_one_value_at_once_one_gets_it() {
    for store in stores_with(declared(true)) {
        let mut users = Vec::new();
        for n in 0..10 {
            users.push(make(&store, &format!("user{n}"), Map::new()).await.unwrap());
        }
        let changes = users.into_iter().map(|user| {
            let store = store.handle();
            let change = ProfileChange { fields: badge("b1"), ..ProfileChange::default() };
            let event = event(EventKind::ProfileChanged, at(1));
            tokio::spawn(async move { store.update_profile(user.id, change, event).await.is_ok() })
        });
        let made = (0..10).map(|n| {
            let store = store.handle();
            let new = NewUser { fields: badge("b1"), ..new_user(&format!("new{n}")) };
            let event = event(EventKind::UserCreated, START);
            tokio::spawn(async move { store.create_user(new, event).await.is_ok() })
        });
        let mut got = 0;
        for wish in changes.chain(made).collect::<Vec<_>>() {
            got += usize::from(wish.await.unwrap());
        }
        assert_eq!(got, 1);
        let with_badge = |user: &&FieldHolder| user.fields.contains_key("badge");
        assert_eq!(all(&store).await.iter().filter(with_badge).count(), 1);
        assert_eq!(
            store.audited(EventKind::ProfileChanged).await.len()
                + store.audited(EventKind::UserCreated).await.len(),
            11
        );
    }
}

#[tokio::test]
async fn the_fields_of_all_users_are_read_in_pages() {
    for store in stores() {
        assert_eq!(all(&store).await, []);
        for n in 0..5 {
            make(&store, &format!("user{n}"), fields([("undeclared", json!(n))])).await.unwrap();
        }
        let users = all(&store).await;
        let names: Vec<_> = users.iter().map(|user| &*user.username).collect();
        assert_eq!(names, ["user0", "user1", "user2", "user3", "user4"]);
        assert_eq!(users[3].fields, fields([("undeclared", json!(3))]));
    }
}

#[tokio::test]
async fn a_field_that_becomes_unique_is_held_by_one_and_the_others_are_told_of() {
    for store in stores_with(declared(false)) {
        let mut users = Vec::new();
        for (name, value) in [("ana", "b1"), ("ben", "b1"), ("cleo", "b2"), ("dora", "b1")] {
            users.push(make(&store, name, badge(value)).await.unwrap());
        }
        let store = store.reopened_with(declared(true)).await;
        for _ in 0..2 {
            assert_eq!(shared(&store).await, ["ben", "dora"]);
        }
        assert!(make(&store, "eve", badge("b1")).await.is_err());
        assert!(make(&store, "eve", badge("b2")).await.is_err());

        // Nothing was lost; and who gives it up doesn't make room while others have it.
        change(&store, &users[0], badge("b3")).await.unwrap();
        assert!(make(&store, "eve", badge("b1")).await.is_err());
        assert_eq!(shared(&store).await, ["dora"]);
        change(&store, &users[3], badge("b4")).await.unwrap();
        assert_eq!(shared(&store).await, [""; 0]);
        let kept: Vec<_> = all(&store).await.into_iter().map(|user| user.fields["badge"].clone()).collect();
        assert_eq!(kept, ["b3", "b1", "b2", "b4"]);
    }
}

#[tokio::test]
async fn users_are_listed_by_the_values_of_their_fields() {
    for store in stores_with(declared(true)) {
        for (name, values) in [
            ("ana", fields([("badge", json!("b1")), ("level", json!(1))])),
            ("ben", fields([("level", json!(1))])),
            ("cleo", fields([("level", json!(2)), ("badge", json!("b2"))])),
            ("dora", Map::new()),
        ] {
            make(&store, name, values).await.unwrap();
        }
        let field = |field: &str, is| FieldFilter { field: field.to_owned(), is };
        let level = |level: &str| field("level", FieldIs::Value(level.to_owned()));
        for (filters, expected) in [
            (vec![level("1")], vec!["ana", "ben"]),
            (vec![level("2")], vec!["cleo"]),
            (vec![level("3")], vec![]),
            (vec![field("level", FieldIs::None)], vec!["dora"]),
            (vec![field("level", FieldIs::ValueOrNone("2".to_owned()))], vec!["cleo", "dora"]),
            (vec![field("badge", FieldIs::None)], vec!["ben", "dora"]),
            (vec![level("1"), field("badge", FieldIs::None)], vec!["ben"]),
            (vec![field("badge", FieldIs::Value("b1".to_owned())), level("2")], vec![]),
        ] {
            for search in ["", "user", "b"] {
                let filter = UserFilter {
                    fields: filters.clone(),
                    search: search.to_owned(),
                    limit: 10,
                    ..UserFilter::default()
                };
                let page = store.users(filter).await.unwrap().page.rows;
                let listed: Vec<_> = page.into_iter().map(|user| user.username).collect();
                let fits = |name: &&str| name.starts_with(search);
                assert_eq!(
                    listed,
                    expected.iter().copied().filter(fits).collect::<Vec<_>>(),
                    "{filters:?} {search}"
                );
            }
        }
        let first = UserFilter { fields: vec![level("1")], limit: 1, ..UserFilter::default() };
        let page = store.users(first.clone()).await.unwrap().page;
        assert_eq!(page.rows[0].username, "ana");
        let page = store.users(UserFilter { after: page.next, ..first }).await.unwrap().page;
        assert_eq!((&*page.rows[0].username, page.next), ("ben", None));
    }
}

#[tokio::test]
async fn a_field_that_is_no_longer_unique_may_be_shared() {
    for store in stores_with(declared(true)) {
        make(&store, "ana", badge("b1")).await.unwrap();
        let store = store.reopened_with(declared(false)).await;
        shared(&store).await;
        make(&store, "ben", badge("b1")).await.unwrap();
        let store = store.reopened_with(UserFields::default()).await;
        shared(&store).await;
        let store = store.reopened_with(declared(true)).await;
        assert_eq!(shared(&store).await, ["ben"]);
    }
}

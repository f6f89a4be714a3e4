//! Lists of users, what they may do, and changes of both.

use std::collections::BTreeSet;

use countersign_core::session::EndReason;
use countersign_core::{
    BuiltIn, ClaimsRoom, GroupId, GroupName, PermissionName, Rights, Seconds, Timestamp, UserId,
};
use countersign_store::{
    ChangedUser, Edit, EventKind, GroupChange, GroupFilter, Login, NewUser, NewsItem, PasswordLink,
    PeopleError, Permission, Reach, Rotate, Rotation, StartOutcome, UserChange, UserFilter, UserPage,
    UserSort,
};
use serde_json::json;

use crate::support::{
    Fixture, START, at, checked, ended, event, hash, key, laptop, new_session, new_user, password, stores,
    token,
};

fn permission(name: &str) -> PermissionName {
    name.parse().unwrap()
}

fn permissions(names: &[&str]) -> BTreeSet<PermissionName> {
    names.iter().map(|name| permission(name)).collect()
}

fn group_name(name: &str) -> GroupName {
    name.parse().unwrap()
}

fn add<T: Ord>(items: impl IntoIterator<Item = T>) -> Edit<T> {
    Edit { add: items.into_iter().collect(), remove: BTreeSet::new() }
}

fn remove<T: Ord>(items: impl IntoIterator<Item = T>) -> Edit<T> {
    Edit { add: BTreeSet::new(), remove: items.into_iter().collect() }
}

fn superuser(name: &str) -> NewUser {
    NewUser { is_staff: true, is_superuser: true, ..new_user(name) }
}

impl Fixture {
    async fn make(&self, new: NewUser) -> UserId {
        self.create_user(new, event(EventKind::UserCreated, START)).await.unwrap().id
    }

    async fn make_group(&self, name: &str, names: &[&str]) -> GroupId {
        let made =
            self.create_group(group_name(name), permissions(names), event(EventKind::GroupCreated, START));
        made.await.unwrap().id
    }

    async fn change(&self, user: UserId, change: UserChange) -> Result<ChangedUser, PeopleError> {
        self.change_user(user, change, Reach::Anyone, event(EventKind::UserChanged, at(5))).await
    }

    async fn delete_as_operator(&self, group: GroupId) -> bool {
        let event = event(EventKind::GroupDeleted, at(2));
        self.delete_group(group, Reach::Anyone, event).await.unwrap().is_some()
    }

    async fn listed(&self, filter: UserFilter) -> UserPage {
        self.users(filter).await.unwrap()
    }

    /// The names on a page of this list.
    async fn names(&self, filter: UserFilter) -> Vec<String> {
        let filter = UserFilter { limit: 100, ..filter };
        self.listed(filter).await.page.rows.into_iter().map(|user| user.username).collect()
    }
}

#[tokio::test]
async fn the_permissions_that_guard_the_admin_site_are_there_from_the_start() {
    for store in stores() {
        let built_in = store.permissions().await.unwrap();
        let names: Vec<_> = built_in.iter().map(|permission| permission.name.as_str()).collect();
        let mut expected: Vec<_> = BuiltIn::ALL.iter().map(|permission| permission.as_str()).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert!(built_in.iter().all(|permission| permission.built_in && !permission.description.is_empty()));
        let gone =
            store.delete_permission(permission("users.view"), event(EventKind::PermissionDeleted, START));
        assert!(matches!(gone.await, Err(PeopleError::BuiltIn)));
    }
}

#[tokio::test]
async fn a_permission_of_ones_own_is_made_once_and_taken_from_everyone_when_it_goes() {
    for store in stores() {
        let name = permission("reports.view");
        let make = || {
            let made = event(EventKind::PermissionCreated, START);
            store.create_permission(name.clone(), "See reports".to_owned(), made)
        };
        make().await.unwrap();
        assert!(matches!(make().await, Err(PeopleError::PermissionExists)));
        let expected =
            Permission { name: name.clone(), description: "See reports".to_owned(), built_in: false };
        assert!(store.permissions().await.unwrap().contains(&expected));

        let group = store.make_group("readers", &["reports.view"]).await;
        let ana =
            store.make(NewUser { permissions: permissions(&["reports.view"]), ..new_user("ana") }).await;
        let ben = store.make(NewUser { groups: BTreeSet::from([group]), ..new_user("ben") }).await;
        let head = store.news_head().await.unwrap();
        let delete = || store.delete_permission(name.clone(), event(EventKind::PermissionDeleted, at(1)));
        assert!(delete().await.unwrap());
        assert_eq!(store.news_since(head).await, [NewsItem::RightsChanged]);
        for user in [ana, ben] {
            assert_eq!(store.rights(user).await.unwrap().unwrap().permissions, BTreeSet::new());
        }
        assert!(!delete().await.unwrap());
        assert_eq!(store.audited(EventKind::PermissionDeleted).await.len(), 1);
    }
}

#[tokio::test]
async fn a_user_has_what_they_were_given_and_what_their_groups_have() {
    for store in stores() {
        let staff = store.make_group("Night shift", &["users.view", "users.unlock"]).await;
        let new = NewUser {
            is_staff: true,
            groups: BTreeSet::from([staff]),
            permissions: permissions(&["audit.view", "users.view"]),
            ..new_user("ana")
        };
        let ana = store.make(new).await;
        let expected = Rights {
            is_active: true,
            is_staff: true,
            is_superuser: false,
            groups: BTreeSet::from([group_name("Night shift")]),
            permissions: permissions(&["audit.view", "users.unlock", "users.view"]),
        };
        assert_eq!(store.rights(ana).await.unwrap(), Some(expected));
        let detail = store.user_detail(ana).await.unwrap().unwrap();
        assert_eq!(detail.person.permissions, permissions(&["audit.view", "users.view"]));
        assert_eq!(detail.person.inherited, permissions(&["users.unlock", "users.view"]));
        assert_eq!((detail.has_password, detail.ceiling.failures, detail.link_expires_at), (true, 0, None));
        assert_eq!(store.rights(UserId(4711)).await.unwrap(), None);
        assert_eq!(store.user_detail(UserId(4711)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_user_is_not_made_with_rights_that_do_not_exist() {
    for store in stores() {
        let make = |new| store.create_user(new, event(EventKind::UserCreated, START));
        let new = NewUser { groups: BTreeSet::from([GroupId(7)]), ..new_user("ana") };
        assert!(matches!(make(new).await, Err(PeopleError::NoSuchGroup)));
        let new = NewUser { permissions: permissions(&["no.such"]), ..new_user("ana") };
        assert!(matches!(make(new).await, Err(PeopleError::NoSuchPermission(_))));
        assert_eq!(store.listed(UserFilter { limit: 10, ..UserFilter::default() }).await.page.rows, []);
        assert_eq!(store.audited(EventKind::UserCreated).await, []);
    }
}

// attack 118
#[tokio::test]
async fn a_change_of_a_user_is_told_with_before_and_after() {
    for store in stores() {
        let editors = store.make_group("editors", &[]).await;
        let ana = store.make(new_user("ana")).await;
        let head = store.news_head().await.unwrap();
        let change = UserChange {
            username: Some(("Anna".to_owned(), key("Anna"))),
            email: Some(("anna@example.org".to_owned(), key("anna@example.org"))),
            first_name: Some("Anna".to_owned()),
            last_name: Some(String::new()),
            is_staff: Some(true),
            groups: add([editors]),
            permissions: add(permissions(&["users.view"])),
            fields: [("phone".to_owned(), json!("123"))].into_iter().collect(),
            ..UserChange::default()
        };
        let changed = store.change(ana, change.clone()).await.unwrap();
        assert_eq!(changed.person, store.user_detail(ana).await.unwrap().unwrap().person);
        let user = &changed.person.user;
        assert_eq!((user.username.as_str(), user.email.as_str()), ("Anna", "anna@example.org"));
        assert_eq!((user.first_name.as_str(), user.is_staff, user.is_active), ("Anna", true, true));
        let told = changed.event.unwrap();
        assert_eq!(
            told.detail["changes"],
            json!({
                "username": ["ana", "Anna"], "email": ["ana@example.com", "anna@example.org"],
                "first_name": ["", "Anna"], "is_staff": [false, true], "fields.phone": [null, "123"],
                "groups.added": ["editors"], "permissions.added": ["users.view"],
            })
        );
        assert_eq!(store.audited(EventKind::UserChanged).await[0].event, told);
        assert_eq!(told.user, Some(ana));
        assert_eq!(store.news_since(head).await, [NewsItem::UserChanged(ana)]);
        assert!(
            store
                .user_for_login(countersign_store::UserSelector::Name(key("ANNA")), false, laptop().network())
                .await
                .unwrap()
                .is_some()
        );

        let again = store.change(ana, change).await.unwrap();
        assert_eq!(again.event, None, "all was so before");
        assert_eq!(store.audited(EventKind::UserChanged).await.len(), 1);
        assert_eq!(store.news_since(head).await.len(), 1);

        let back = UserChange {
            groups: remove([editors]),
            permissions: remove(permissions(&["users.view", "no.such"])),
            ..UserChange::default()
        };
        let back = store.change(ana, back).await.unwrap().event.unwrap();
        let expected = json!({"groups.removed": ["editors"], "permissions.removed": ["users.view"]});
        assert_eq!(back.detail["changes"], expected);
    }
}

#[tokio::test]
async fn a_change_that_can_not_be_made_changes_nothing() {
    for store in stores() {
        let ana = store.make(new_user("ana")).await;
        store.make(new_user("ben")).await;
        let before = store.user_detail(ana).await.unwrap();
        let with = |change: UserChange| UserChange { is_staff: Some(true), ..change };
        let renamed = UserChange { username: Some(("BEN".to_owned(), key("BEN"))), ..UserChange::default() };
        assert!(matches!(store.change(ana, with(renamed)).await, Err(PeopleError::UsernameTaken)));
        let grouped = UserChange { groups: add([GroupId(9)]), ..UserChange::default() };
        assert!(matches!(store.change(ana, with(grouped)).await, Err(PeopleError::NoSuchGroup)));
        let given = UserChange { permissions: add(permissions(&["no.such"])), ..UserChange::default() };
        let refused = store.change(ana, with(given)).await;
        assert!(matches!(refused, Err(PeopleError::NoSuchPermission(name)) if name == permission("no.such")));
        assert!(matches!(
            store.change(UserId(99), UserChange::default()).await,
            Err(PeopleError::NoSuchUser)
        ));
        assert_eq!(store.user_detail(ana).await.unwrap(), before);
        assert_eq!(store.audited(EventKind::UserChanged).await, []);
    }
}

#[tokio::test]
async fn a_user_who_is_switched_off_by_a_change_loses_their_sessions() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let session = store.log_in(&ana, at(1)).await;
        let head = store.news_head().await.unwrap();
        let off = UserChange { is_active: Some(false), ..UserChange::default() };
        store.change(ana.id, off).await.unwrap();
        assert_eq!(store.end_of(&session).await, Some(EndReason::UserDeactivated));
        let expected = [ended(&session, EndReason::UserDeactivated), NewsItem::UserChanged(ana.id)];
        assert_eq!(store.news_since(head).await, expected);
    }
}

#[tokio::test]
async fn nobody_reaches_an_account_that_may_more_than_they() {
    for store in stores() {
        let root = store.make(superuser("root")).await;
        store.make(superuser("other")).await;
        let auditor = store.make(NewUser {
            is_staff: true,
            permissions: permissions(&["audit.view"]),
            ..new_user("eve")
        });
        let (auditor, ana) = (auditor.await, store.make(new_user("ana")).await);
        let helper = Rights {
            is_active: true,
            is_staff: true,
            permissions: permissions(&["users.change", "users.link", "users.delete"]),
            ..Rights::default()
        };
        let reach = || Reach::UpTo(helper.clone());
        for (user, reached) in [(root, false), (auditor, false), (ana, true)] {
            let event = |kind| event(kind, at(1));
            let change = UserChange { first_name: Some("X".to_owned()), ..UserChange::default() };
            let changed = store.change_user(user, change, reach(), event(EventKind::UserChanged)).await;
            assert_eq!(changed.is_ok(), reached);
            let link =
                PasswordLink { user, hash: [u8::from(reached); 32], expires_at: at(60), made_by: None };
            let linked = store.make_password_link(link, reach(), event(EventKind::PasswordLinkMade)).await;
            assert_eq!(linked.is_ok(), reached);
            let deleted = store.delete_user(user, reach(), event(EventKind::UserDeleted)).await;
            assert_eq!(deleted.is_ok(), reached);
            assert!(reached || matches!(deleted, Err(PeopleError::OutOfReach)));
        }
    }
}

#[tokio::test]
async fn the_last_active_superuser_stays_on_every_path() {
    for store in stores() {
        let (root, other) = (store.make(superuser("root")).await, store.make(superuser("other")).await);
        store.make(NewUser { is_active: false, ..superuser("asleep") }).await;
        let off = UserChange { is_active: Some(false), ..UserChange::default() };
        let demoted = UserChange { is_superuser: Some(false), ..UserChange::default() };
        store.change(other, demoted.clone()).await.unwrap();

        let last =
            |refused: Result<_, PeopleError>| assert!(matches!(refused, Err(PeopleError::LastSuperuser)));
        last(store.change(root, off.clone()).await.map(drop));
        last(store.change(root, demoted).await.map(drop));
        last(store.set_active(root, false, event(EventKind::UserDeactivated, at(1))).await.map(drop));
        last(store.delete_user(root, Reach::Anyone, event(EventKind::UserDeleted, at(1))).await.map(drop));
        assert!(store.rights(root).await.unwrap().unwrap().is_superuser);
        for kind in [EventKind::UserDeactivated, EventKind::UserDeleted] {
            assert_eq!(store.audited(kind).await, []);
        }

        let promoted = UserChange { is_superuser: Some(true), ..UserChange::default() };
        store.change(other, promoted).await.unwrap();
        store.change(root, off).await.unwrap();
    }
}

#[tokio::test]
async fn of_two_superusers_who_demote_each_other_at_once_one_stays() {
    for _ in 0..5 {
        for store in stores() {
            let pair = [store.make(superuser("ana")).await, store.make(superuser("ben")).await];
            let demotions = pair.map(|id| {
                let store = store.handle();
                let change = UserChange { is_superuser: Some(false), ..UserChange::default() };
                let event = event(EventKind::UserChanged, at(1));
                tokio::spawn(async move { store.change_user(id, change, Reach::Anyone, event).await.is_ok() })
            });
            let mut done = 0;
            for demotion in demotions {
                done += usize::from(demotion.await.unwrap());
            }
            let left = UserFilter { is_superuser: Some(true), ..UserFilter::default() };
            assert_eq!((done, store.names(left).await.len()), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_group_has_members_permissions_and_a_name_of_its_own() {
    for store in stores() {
        let editors = store.make_group("Editors", &["users.view"]).await;
        let make =
            store.create_group(group_name("EDITORS"), BTreeSet::new(), event(EventKind::GroupCreated, START));
        assert!(matches!(make.await, Err(PeopleError::GroupNameTaken)));
        let make = store.create_group(
            group_name("x"),
            permissions(&["no.such"]),
            event(EventKind::GroupCreated, START),
        );
        assert!(matches!(make.await, Err(PeopleError::NoSuchPermission(_))));
        let ana = store.make(NewUser { groups: BTreeSet::from([editors]), ..new_user("ana") }).await;
        store.make_group("Readers", &[]).await;

        let head = store.news_head().await.unwrap();
        let change = GroupChange {
            name: Some(group_name("Writers")),
            permissions: Edit { add: permissions(&["audit.view"]), remove: permissions(&["users.view"]) },
        };
        let changed = store.change_group(editors, change.clone(), event(EventKind::GroupChanged, at(1)));
        let changed = changed.await.unwrap();
        assert_eq!((changed.group.name.as_str(), changed.group.members), ("Writers", 1));
        assert_eq!(store.group(editors).await.unwrap(), Some(changed.group));
        let told = changed.event.unwrap();
        assert_eq!(
            told.detail["changes"],
            json!({"name": ["Editors", "Writers"], "permissions.added": ["audit.view"],
                "permissions.removed": ["users.view"]})
        );
        assert_eq!(store.audited(EventKind::GroupChanged).await[0].event, told);
        assert_eq!(store.news_since(head).await, [NewsItem::RightsChanged]);
        let rights = store.rights(ana).await.unwrap().unwrap();
        assert_eq!(rights.permissions, permissions(&["audit.view"]));
        let again = store.change_group(editors, change, event(EventKind::GroupChanged, at(1))).await.unwrap();
        assert_eq!(again.event, None);
        let taken = GroupChange { name: Some(group_name("READERS")), ..GroupChange::default() };
        let taken = store.change_group(editors, taken, event(EventKind::GroupChanged, at(1))).await;
        assert!(matches!(taken, Err(PeopleError::GroupNameTaken)));
        let nobody =
            store.change_group(GroupId(9), GroupChange::default(), event(EventKind::GroupChanged, at(1)));
        assert!(matches!(nobody.await, Err(PeopleError::NoSuchGroup)));

        assert!(store.delete_as_operator(editors).await);
        assert_eq!(store.rights(ana).await.unwrap().unwrap().groups, BTreeSet::new());
        assert_eq!(store.group(editors).await.unwrap(), None);
        assert!(!store.delete_as_operator(editors).await);
        let told = &store.audited(EventKind::GroupDeleted).await[0].event;
        assert_eq!(told.detail["group"], "Writers");
        assert!(told.detail["permissions"].is_array(), "what its members lost");
    }
}

// attack 95
#[tokio::test]
async fn a_group_is_deleted_by_one_who_could_give_it_and_all_it_has() {
    for store in stores() {
        let group = store.make_group("auditors", &["audit.view"]).await;
        let staff = |groups: &[&str], names| Rights {
            is_active: true,
            is_staff: true,
            groups: groups.iter().map(|name| group_name(name)).collect(),
            permissions: permissions(names),
            ..Rights::default()
        };
        let delete = async |rights| {
            let event = event(EventKind::GroupDeleted, at(1));
            store.delete_group(group, Reach::UpTo(rights), event).await
        };
        let lacking = delete(staff(&["auditors"], &["groups.change"])).await;
        assert!(
            matches!(lacking, Err(PeopleError::NotYoursToTake(name)) if name == permission("audit.view"))
        );
        let outside = delete(staff(&[], &["audit.view"])).await;
        assert!(matches!(outside, Err(PeopleError::NotYourGroup(_))));
        assert!(store.audited(EventKind::GroupDeleted).await.is_empty());
        let event = delete(staff(&["auditors"], &["audit.view"])).await.unwrap().unwrap();
        assert_eq!(event.detail["permissions"], json!(["audit.view"]));
        assert_eq!(delete(staff(&["auditors"], &["audit.view"])).await.unwrap(), None);
    }
}

// attack 94
#[tokio::test]
async fn a_link_counts_as_long_as_its_maker_may_make_it() {
    for store in stores() {
        let helper = NewUser {
            is_staff: true,
            permissions: permissions(&["users.link", "users.view"]),
            ..new_user("helper")
        };
        let (ana, helper) = (store.make(new_user("ana")).await, store.make(helper).await);
        let made = PasswordLink { made_by: Some(helper), ..link(ana, 1) };
        let made = store.make_password_link(made, Reach::Anyone, event(EventKind::PasswordLinkMade, at(1)));
        made.await.unwrap();
        let owner = async || store.link_owner(1).await;
        assert_eq!(owner().await, Some(ana));

        let flag = |is_staff| UserChange { is_staff: Some(is_staff), ..UserChange::default() };
        store.change(helper, flag(false)).await.unwrap();
        assert_eq!(owner().await, None, "the maker is staff no more");
        store.change(helper, flag(true)).await.unwrap();
        assert_eq!(owner().await, Some(ana));

        let may = |edit| UserChange { permissions: edit, ..UserChange::default() };
        store.change(helper, may(remove(permissions(&["users.link"])))).await.unwrap();
        assert_eq!(owner().await, None, "the maker may make no links");
        store.change(helper, may(add(permissions(&["users.link"])))).await.unwrap();
        assert_eq!(owner().await, Some(ana));

        store.set_active(helper, false, event(EventKind::UserDeactivated, at(2))).await.unwrap();
        let used = store.use_password_link([1; 32], password("x", "y"), event(EventKind::PasswordSet, at(2)));
        assert_eq!(used.await.unwrap(), None, "the maker is switched off");
        store.set_active(helper, true, event(EventKind::UserActivated, at(2))).await.unwrap();
        assert_eq!(owner().await, Some(ana));

        store.delete_user(helper, Reach::Anyone, event(EventKind::UserDeleted, at(2))).await.unwrap();
        assert_eq!(owner().await, None, "the maker is gone");
    }
}

#[tokio::test]
async fn groups_are_listed_by_name_in_pages() {
    for store in stores() {
        for name in ["beta", "Alpha", "gamma", "Gardeners", "zürich"] {
            store.make_group(name, &[]).await;
        }
        let mut filter = GroupFilter { limit: 2, ..GroupFilter::default() };
        let mut seen = Vec::new();
        loop {
            let page = store.groups(filter.clone()).await.unwrap();
            seen.extend(page.rows.into_iter().map(|group| group.name.to_string()));
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, ["Alpha", "beta", "gamma", "Gardeners", "zürich"]);
        let filter = GroupFilter { search: "GA".to_owned(), limit: 10, ..GroupFilter::default() };
        let found = store.groups(filter).await.unwrap();
        assert_eq!((found.rows.len(), found.next), (2, None));
    }
}

#[tokio::test]
async fn a_login_and_a_rotation_say_what_the_user_may_do_if_they_are_asked() {
    for store in stores() {
        let new = NewUser { permissions: permissions(&["users.view"]), ..new_user("ana") };
        let ana = store.make(new).await;
        let session = new_session(ana, at(0));
        let login = Login { wants_rights: Some(ROOM), ..checked("hash of ana") };
        let started =
            store.start_session(session.clone(), login, event(EventKind::Login, at(0))).await.unwrap();
        let StartOutcome::Started { rights, .. } = started else { panic!("not started") };
        assert_eq!(rights, store.rights(ana).await.unwrap());

        let given = UserChange { permissions: add(permissions(&["audit.view"])), ..UserChange::default() };
        store.change(ana, given).await.unwrap();
        let asked = Rotate { wants_rights: Some(ROOM), ..token(&session) };
        for (secs, rotates) in [(1, false), (20, true)] {
            let (rotated, rights) = match store.rotate(asked.clone(), at(secs)).await {
                Rotation::Rotated { rights, .. } => (true, rights),
                Rotation::Answered { rights, .. } => (false, rights),
                other => panic!("{other:?}"),
            };
            assert_eq!((rotated, rights), (rotates, store.rights(ana).await.unwrap()));
        }
    }
}

const ROOM: ClaimsRoom = ClaimsRoom { groups: true, permissions: true, bytes: 1000 };

#[tokio::test]
async fn where_there_is_no_room_for_the_rights_no_session_starts_and_none_moves_on() {
    for store in stores() {
        let ana = store.make(NewUser { permissions: permissions(&["users.view"]), ..new_user("ana") }).await;
        let narrow = Some(ClaimsRoom { bytes: 12, ..ROOM });
        let old = new_session(ana, at(0));
        let first = store.start_session(old.clone(), checked("hash of ana"), event(EventKind::Login, at(0)));
        assert!(matches!(first.await.unwrap(), StartOutcome::Started { .. }));

        let login = Login { wants_rights: narrow, replaces: vec![old.id], ..checked("hash of ana") };
        let refused =
            store.start_session(new_session(ana, at(1)), login, event(EventKind::Login, at(1))).await;
        assert_eq!(refused.unwrap(), StartOutcome::TooManyRights);
        assert_eq!(store.end_of(&old).await, None);
        assert_eq!(store.audited(EventKind::Login).await.len(), 1);

        let asked = Rotate { wants_rights: narrow, ..token(&old) };
        for secs in [1, 20, 60, 600] {
            assert_eq!(store.rotate(asked.clone(), at(secs)).await, Rotation::TooManyRights);
        }
        // The token is as good as it was, so nothing was stolen.
        let rotation = store.rotate(token(&old), at(700)).await;
        assert!(matches!(rotation, Rotation::Rotated { .. }), "{rotation:?}");
        assert_eq!(store.audited(EventKind::Theft).await, []);
        // And a token that was used up is stolen, whatever its user may do.
        let stolen = store.rotate(asked, at(800)).await;
        assert_eq!(stolen, Rotation::Refused(countersign_core::session::Refusal::Reused));
    }
}

fn link(user: UserId, hash: u8) -> PasswordLink {
    PasswordLink { user, hash: [hash; 32], expires_at: at(100), made_by: None }
}

impl Fixture {
    async fn make_link(&self, user: UserId, hash: u8) -> Result<(), PeopleError> {
        let event = event(EventKind::PasswordLinkMade, at(1));
        self.make_password_link(link(user, hash), Reach::Anyone, event).await
    }

    /// Whose this link is a second after it was made, if it is still good.
    async fn link_owner(&self, hash: u8) -> Option<UserId> {
        self.password_link([hash; 32], at(2)).await.unwrap().map(|user| user.id)
    }
}

// attack 94
#[tokio::test]
async fn of_many_uses_of_a_link_at_once_one_gets_there() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let session = store.log_in(&ana, at(0)).await;
        store.make_link(ana.id, 1).await.unwrap();
        assert_eq!(store.link_owner(1).await, Some(ana.id));
        assert_eq!(store.user_detail(ana.id).await.unwrap().unwrap().link_expires_at, Some(at(100)));
        let uses = (0..50).map(|n| {
            let (store, password) = (store.handle(), password(&format!("new {n}"), "argon2id"));
            let event = event(EventKind::PasswordSet, at(3));
            tokio::spawn(async move { store.use_password_link([1; 32], password, event).await.unwrap() })
        });
        let mut won = Vec::new();
        for using in uses.collect::<Vec<_>>() {
            won.extend(using.await.unwrap());
        }
        assert_eq!(won.iter().map(|user| user.id).collect::<Vec<_>>(), [ana.id]);
        assert_eq!(store.link_owner(1).await, None);
        assert_eq!(store.end_of(&session).await, Some(EndReason::PasswordChanged));
        let told = store.audited(EventKind::PasswordSet).await;
        assert_eq!((told.len(), told[0].event.user), (1, Some(ana.id)));
    }
}

// attack 94
#[tokio::test]
async fn a_link_dies_of_whatever_makes_it_doubtful() {
    for store in stores() {
        let ana = store.make_user("ana").await;
        let event = |kind| event(kind, at(1));
        let dies = async |what: &str| assert_eq!(store.link_owner(1).await, None, "{what}");
        let lives = async || {
            store.make_link(ana.id, 1).await.unwrap();
            assert_eq!(store.link_owner(1).await, Some(ana.id));
        };

        lives().await;
        assert_eq!(store.password_link([1; 32], at(100)).await.unwrap(), None, "its time is over");
        let late = store.use_password_link(
            [1; 32],
            password("x", "y"),
            crate::support::event(EventKind::PasswordSet, at(100)),
        );
        assert_eq!(late.await.unwrap(), None);

        store.make_link(ana.id, 2).await.unwrap();
        dies("a newer one").await;

        lives().await;
        store
            .set_password(ana.id, password("hash of ana", "argon2id"), event(EventKind::PasswordSet))
            .await
            .unwrap();
        dies("a password that was set").await;

        lives().await;
        let next = new_session(ana.id, at(1));
        let changed = store.change_password(
            hash("hash of ana"),
            password("new", "new"),
            next,
            event(EventKind::PasswordChanged),
        );
        changed.await.unwrap();
        dies("a password that its owner changed").await;

        lives().await;
        let email = Some(("new@example.com".to_owned(), key("new@example.com")));
        store.change(ana.id, UserChange { email, ..UserChange::default() }).await.unwrap();
        dies("another address").await;

        lives().await;
        let given = UserChange { permissions: add(permissions(&["users.view"])), ..UserChange::default() };
        store.change(ana.id, given.clone()).await.unwrap();
        dies("more rights").await;

        let group = store.make_group("staff", &[]).await;
        store.change(ana.id, UserChange { groups: add([group]), ..UserChange::default() }).await.unwrap();
        lives().await;
        let more = GroupChange { permissions: add(permissions(&["audit.view"])), ..GroupChange::default() };
        store.change_group(group, more, event(EventKind::GroupChanged)).await.unwrap();
        dies("more rights of a group").await;

        lives().await;
        store
            .change(ana.id, UserChange { first_name: Some("Ana".to_owned()), ..UserChange::default() })
            .await
            .unwrap();
        assert_eq!(store.link_owner(1).await, Some(ana.id), "a first name is harmless");
        store.set_active(ana.id, false, event(EventKind::UserDeactivated)).await.unwrap();
        assert!(matches!(store.make_link(ana.id, 3).await, Err(PeopleError::UserInactive)));
        store.set_active(ana.id, true, event(EventKind::UserActivated)).await.unwrap();
        dies("the user was switched off").await;

        lives().await;
        store.delete_user(ana.id, Reach::Anyone, event(EventKind::UserDeleted)).await.unwrap();
        dies("the user is gone").await;
        assert!(matches!(store.make_link(ana.id, 3).await, Err(PeopleError::NoSuchUser)));
    }
}

#[tokio::test]
async fn users_are_found_by_the_beginning_of_each_of_their_names_or_by_id() {
    for store in stores() {
        let named = |name: &str, first: &str, last: &str| NewUser {
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            ..new_user(name)
        };
        let ana = store.make(named("ana.k", "Ana", "Müller")).await;
        store.make(named("ben", "Benedikt", "Anders")).await;
        store.make(named("cleo", "", "")).await;
        let find = async |search: &str| {
            store.names(UserFilter { search: search.to_owned(), ..UserFilter::default() }).await
        };
        assert_eq!(find("AN").await, ["ana.k", "ben"]);
        assert_eq!(find("mu\u{308}ll").await, ["ana.k"]);
        assert_eq!(find("cleo@exam").await, ["cleo"]);
        assert_eq!(find(&ana.to_string()).await, ["ana.k"]);
        assert_eq!(find("  ana MÜLLER ").await, ["ana.k"], "each word fits");
        assert_eq!(find("ana anders").await, [""; 0]);
        assert_eq!(find("na").await, [""; 0], "only beginnings");
        assert_eq!(find("%").await, [""; 0]);
        assert_eq!(find("\0").await.len(), 3, "what can't be in any name is no word");
        assert_eq!(find("").await, ["ana.k", "ben", "cleo"]);
    }
}

#[tokio::test]
async fn users_are_filtered_by_what_they_are() {
    for store in stores() {
        let group = store.make_group("editors", &[]).await;
        store.make(superuser("root")).await;
        store.make(NewUser { is_staff: true, ..new_user("sue") }).await;
        store.make(NewUser { is_active: false, groups: BTreeSet::from([group]), ..new_user("off") }).await;
        store.make(NewUser { groups: BTreeSet::from([group]), ..new_user("ed") }).await;
        let all = UserFilter::default;
        for (filter, expected) in [
            (UserFilter { is_active: Some(true), ..all() }, vec!["ed", "root", "sue"]),
            (UserFilter { is_active: Some(false), ..all() }, vec!["off"]),
            (UserFilter { is_staff: Some(true), ..all() }, vec!["root", "sue"]),
            (UserFilter { is_staff: Some(false), ..all() }, vec!["ed", "off"]),
            (UserFilter { is_superuser: Some(true), ..all() }, vec!["root"]),
            (UserFilter { is_superuser: Some(false), ..all() }, vec!["ed", "off", "sue"]),
            (UserFilter { group: Some(group), ..all() }, vec!["ed", "off"]),
            (UserFilter { group: Some(group), is_active: Some(true), ..all() }, vec!["ed"]),
            (UserFilter { group: Some(GroupId(99)), ..all() }, vec![]),
            (UserFilter { search: "o".to_owned(), is_active: Some(false), ..all() }, vec!["off"]),
            (UserFilter { search: "s".to_owned(), group: Some(group), ..all() }, vec![]),
        ] {
            assert_eq!(store.names(filter.clone()).await, expected, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn every_order_goes_through_all_users_page_by_page_and_back() {
    for store in stores() {
        let mut users = Vec::new();
        for (n, name) in ["delta", "Alpha", "charlie", "bravo", "echo", "Foxtrot", "golf"].iter().enumerate()
        {
            let email = if n % 2 == 0 { String::new() } else { format!("{}@example.com", 9 - n) };
            let new = NewUser { email_key: key(&email), email, ..new_user(name) };
            // Some were made in the same moment.
            let joined = at(u32::try_from(n / 2).unwrap());
            let user = store.create_user(new, event(EventKind::UserCreated, joined)).await.unwrap();
            if n % 3 == 0 {
                store.log_in(&user, at(50 - u32::try_from(n).unwrap())).await;
            }
            users.push(store.user_detail(user.id).await.unwrap().unwrap().person.user);
        }
        for sort in [UserSort::Username, UserSort::Email, UserSort::Joined, UserSort::LastLogin] {
            let mut expected = users.clone();
            expected.sort_by_key(|user| {
                let key = match sort {
                    UserSort::Username => (key(&user.username).as_str().to_owned(), 0),
                    UserSort::Email => (key(&user.email).as_str().to_owned(), 0),
                    UserSort::Joined => (String::new(), user.joined_at.millis()),
                    UserSort::LastLogin => (String::new(), user.last_login_at.map_or(0, Timestamp::millis)),
                };
                (key, user.id)
            });
            for descending in [false, true] {
                if descending {
                    expected.reverse();
                }
                for narrowed in
                    [UserFilter::default(), UserFilter { is_superuser: Some(false), ..UserFilter::default() }]
                {
                    let mut filter = UserFilter { sort, descending, limit: 2, ..narrowed };
                    let mut seen = Vec::new();
                    loop {
                        let page = store.listed(filter.clone()).await.page;
                        assert!(page.rows.len() <= 2);
                        seen.extend(page.rows);
                        // As it goes through the address of a page.
                        match page.next {
                            Some(next) => filter.after = Some(next.to_string().parse().unwrap()),
                            None => break,
                        }
                    }
                    assert_eq!(seen, expected, "{sort:?} {descending}");
                }
            }
        }
    }
}

// attack 99
#[tokio::test]
async fn a_cursor_that_was_made_up_leads_to_a_page() {
    for store in stores() {
        store.make_user("ana").await;
        for sort in [UserSort::Username, UserSort::Joined, UserSort::LastLogin] {
            for text in ["1:", "-5:x", "9223372036854775807:9223372036854775807", "0:%'\"--"] {
                let after = Some(text.parse().unwrap());
                store.listed(UserFilter { sort, after, limit: 5, ..UserFilter::default() }).await;
            }
        }
    }
}

#[tokio::test]
async fn sessions_of_all_users_are_listed_newest_first_in_pages() {
    use countersign_store::SessionFilter;
    for store in stores() {
        let (ana, ben) = (store.make_user("ana").await, store.make_user("ben").await);
        let first = store.log_in(&ana, at(1)).await;
        let second = store.log_in(&ben, at(2)).await;
        let third = store.log_in(&ana, at(3)).await;
        let over = event(EventKind::SessionEnded, at(4));
        store.end_session(second.id, None, EndReason::EndedByStaff, over).await.unwrap();
        let all = SessionFilter { user: None, live_at: None, after: None, limit: 10 };
        let ids = async |filter: SessionFilter| {
            let page = store.list_sessions(filter).await.unwrap();
            page.rows.iter().map(|row| row.session.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(all.clone()).await, [third.id, second.id, first.id]);
        let live = SessionFilter { live_at: Some(at(5)), ..all.clone() };
        assert_eq!(ids(live.clone()).await, [third.id, first.id]);
        let later = SessionFilter { live_at: Some(at(5) + Seconds(3600)), ..all.clone() };
        assert_eq!(ids(later).await, [], "their time is over");
        assert_eq!(ids(SessionFilter { user: Some(ben.id), ..all.clone() }).await, [second.id]);
        let page = store.list_sessions(SessionFilter { limit: 1, ..live.clone() }).await.unwrap();
        assert_eq!((page.rows[0].username.as_deref(), page.next), (Some("ana"), Some(third.id)));
        let rest = store.list_sessions(SessionFilter { after: page.next, limit: 1, ..live }).await.unwrap();
        assert_eq!((rest.rows[0].session.id, rest.next), (first.id, None));

        store.delete_user(ben.id, Reach::Anyone, event(EventKind::UserDeleted, at(6))).await.unwrap();
        let row = &store.list_sessions(SessionFilter { user: Some(ben.id), ..all }).await.unwrap().rows[0];
        assert_eq!(row.username, None);
    }
}

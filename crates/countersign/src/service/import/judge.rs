//! Which of the users of another system can come, and as whom: rules without a database.
//!
//! 1. The id is kept, so it must be one that every reader of JSON keeps: 1 to 2⁵³ − 1.
//! 2. The user name holds to our rules. Of several names that differ only in case, or are the same in NFKC, the lowest
//!    id's comes, and the others stay behind: at a login nobody could tell them apart.
//! 3. Without a user name the e-mail address is it; one that is no user name (`o'neil@example.com`) makes way for
//!    `user` and the id, since people log in with the address anyway.
//! 4. What a user can do without (an address, a name, the value of a field) and that our rules don't take is left
//!    behind, and told.
//! 5. A hash that no password of ours can match is not kept, weak as it may be: its owner needs a link.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use countersign_core::fields::UserFields;
use countersign_core::name::{NameKey, Username};
use countersign_core::secret::sha256;
use countersign_core::{GroupName, PermissionName, Timestamp, UserId};
use countersign_store::{IncomingUser, NewUser};
use serde_json::{Map, Value};

use super::super::account::{name_fits, parse_email};
use super::super::password::{Standing, StoredHash};
use super::super::users::to_store;

/// The largest id: every reader of JSON keeps it exactly (RFC 8259, section 6).
const ID_MAX: i64 = (1 << 53) - 1;

/// A person, as another system keeps them.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The id there, which is kept.
    pub id: i64,
    /// The user name, where there is one beside the address.
    pub username: Option<String>,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// The password's hash.
    pub password: StoredHash,
    /// Whether they may log in.
    pub is_active: bool,
    /// Whether they may enter the admin site.
    pub is_staff: bool,
    /// Whether they have every right.
    pub is_superuser: bool,
    /// When they joined, if that is known.
    pub joined_at: Option<Timestamp>,
    /// The last login, if there was one.
    pub last_login_at: Option<Timestamp>,
    /// Values of declared custom fields, as texts; why one can't be read.
    pub fields: BTreeMap<String, Result<Option<String>, String>>,
    /// The ids of their groups there.
    pub groups: Vec<i64>,
    /// The ids of the permissions there that they have directly.
    pub permissions: Vec<i64>,
}

/// Why a person can't come.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum LeftOut {
    /// The id can't be kept.
    #[error("the id is not from 1 to {ID_MAX}")]
    Id,
    /// The name won't do.
    #[error("the user name won't do: {0} Give the user another one there, and import again")]
    Name(String),
    /// The name is another's.
    #[error("the user name differs from that of user {0} only in case, or not at all to a reader")]
    SameName(UserId),
    /// The row can't be read.
    #[error("the row can't be read: {0}")]
    Row(String),
}

/// What doesn't come of a person who does.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Note {
    /// The address.
    #[error("comes without the e-mail address: {0}")]
    Email(String),
    /// The first or last name.
    #[error("comes without the {0}, which is over 150 characters or has control characters")]
    PersonalName(&'static str),
    /// The value of a field.
    #[error("comes without {0}: {1}")]
    Field(String, String),
    /// The address is no user name.
    #[error("has the user name {0}, since the address can't be one; the address logs in all the same")]
    MadeName(String),
    /// The stored hash can't be used.
    #[error("needs a link to set a password: the hash ({0}) can't be used, because {1}")]
    Hash(String, String),
}

impl Note {
    /// Whether something that the person had stays behind, beside a hash.
    pub(super) fn is_loss(&self) -> bool {
        matches!(self, Self::Email(_) | Self::PersonalName(_) | Self::Field(..))
    }
}

/// A person who can come.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// As the store takes them.
    pub(super) user: IncomingUser,
    /// What doesn't come.
    pub(super) notes: Vec<Note>,
}

/// Judges people one after another, in the order of their ids, and remembers the names that came by.
pub(super) struct Judge<'a> {
    fields: &'a UserFields,
    names: HashMap<NameKey, UserId>,
    addresses: HashMap<NameKey, UserId>,
    shared: BTreeMap<NameKey, BTreeSet<UserId>>,
    hashes: BTreeMap<String, u64>,
}

impl<'a> Judge<'a> {
    /// For people whose values are of these fields.
    pub(super) fn new(fields: &'a UserFields) -> Self {
        Self {
            fields,
            names: HashMap::new(),
            addresses: HashMap::new(),
            shared: BTreeMap::new(),
            hashes: BTreeMap::new(),
        }
    }

    /// Whether this person can come, with these of their rights.
    pub(super) fn judge(
        &mut self,
        person: Newcomer,
        groups: BTreeSet<GroupName>,
        permissions: BTreeSet<PermissionName>,
    ) -> Result<Judged, LeftOut> {
        let id = UserId(person.id);
        if !(1..=ID_MAX).contains(&person.id) {
            return Err(LeftOut::Id);
        }
        let mut notes = Vec::new();
        let username = match &person.username {
            Some(name) => Username::parse(name).map_err(|error| LeftOut::Name(error.to_string()))?,
            None => own_address(&person, &mut notes)?,
        };
        let first = *self.names.entry(username.key()).or_insert(id);
        if first != id {
            return Err(LeftOut::SameName(first));
        }
        let (email, email_key) = parse_email(&person.email).unwrap_or_else(|sentence| {
            notes.push(Note::Email(sentence));
            (String::new(), NameKey::of_any(""))
        });
        self.remember_address(&email_key, id);
        let source_hash = digest(&person.password);
        let password = self.usable(person.password, &mut notes);
        let user = NewUser {
            username_key: username.key(),
            username: username.as_str().to_owned(),
            email,
            email_key,
            first_name: personal_name("first name", person.first_name, &mut notes),
            last_name: personal_name("last name", person.last_name, &mut notes),
            password: to_store(&password),
            is_active: person.is_active,
            is_staff: person.is_staff,
            is_superuser: person.is_superuser,
            groups: BTreeSet::new(),
            permissions: BTreeSet::new(),
            fields: self.values(person.fields, &mut notes),
        };
        let user = IncomingUser {
            id,
            user,
            joined_at: person.joined_at,
            last_login_at: person.last_login_at,
            groups,
            permissions,
            source_hash,
        };
        Ok(Judged { user, notes })
    }

    /// Addresses that log nobody in: several users have each of them, or it is another's user name.
    pub(super) fn shared_addresses(&self) -> BTreeMap<NameKey, BTreeSet<UserId>> {
        let mut shared = self.shared.clone();
        for (key, owner) in self.names.iter().filter(|(key, _)| key.as_str().contains('@')) {
            if let Some(user) = self.addresses.get(key).filter(|user| *user != owner) {
                shared.entry(key.clone()).or_default().extend([*user, *owner]);
            }
        }
        shared
    }

    /// How many hashes there were of each kind.
    pub(super) fn hashes(&self) -> &BTreeMap<String, u64> {
        &self.hashes
    }

    fn remember_address(&mut self, key: &NameKey, id: UserId) {
        if key.as_str().is_empty() {
            return;
        }
        let first = *self.addresses.entry(key.clone()).or_insert(id);
        if first != id {
            self.shared.entry(key.clone()).or_default().extend([first, id]);
        }
    }

    /// The hash to keep.
    fn usable(&mut self, hash: StoredHash, notes: &mut Vec<Note>) -> StoredHash {
        let (kind, kept) = match hash.standing() {
            Standing::Verifies => (hash.cost(), hash),
            Standing::NoPassword => ("no password".to_owned(), StoredHash::new("!")),
            Standing::Refused(reason) => {
                let kind = algorithm(&hash);
                notes.push(Note::Hash(kind.clone(), reason));
                (kind, StoredHash::new("!"))
            }
        };
        *self.hashes.entry(kind).or_default() += 1;
        kept
    }

    fn values(
        &self,
        texts: BTreeMap<String, Result<Option<String>, String>>,
        notes: &mut Vec<Note>,
    ) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, text) in texts {
            let Some(spec) = self.fields.get(&name) else { continue };
            match text.and_then(|text| spec.read_text(&text.unwrap_or_default())) {
                Ok(Value::Null) => {}
                Ok(value) => drop(values.insert(name, value)),
                Err(sentence) => notes.push(Note::Field(name, sentence)),
            }
        }
        values
    }
}

/// The name of one who has none but the address.
fn own_address(person: &Newcomer, notes: &mut Vec<Note>) -> Result<Username, LeftOut> {
    let made = format!("user{}", person.id);
    Username::parse(&person.email)
        .or_else(|_| {
            notes.push(Note::MadeName(made.clone()));
            Username::parse(&made)
        })
        .map_err(|error| LeftOut::Name(error.to_string()))
}

fn personal_name(which: &'static str, name: String, notes: &mut Vec<Note>) -> String {
    if name_fits(&name) {
        return name;
    }
    notes.push(Note::PersonalName(which));
    String::new()
}

/// What tells a hash from the one that came before, and no more.
fn digest(hash: &StoredHash) -> [u8; 32] {
    sha256(hash.as_str().as_bytes())
}

/// What a hash calls itself. One that says nothing may be bare, so nothing of it is shown.
fn algorithm(hash: &StoredHash) -> String {
    let (name, _) = hash.as_str().split_once('$').unwrap_or_default();
    let sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if (1..=24).contains(&name.len()) && name.chars().all(sign) { name } else { "of an unknown kind" }
        .to_owned()
}

#[cfg(test)]
mod tests {
    use countersign_core::fields::{Declaration, FieldType};
    use proptest::prelude::*;

    use super::*;

    const HASH: &str =
        "pbkdf2_sha256$1000$hGWZcVsh3p1r242Fa3gi8t$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=";

    fn ana(id: i64) -> Newcomer {
        Newcomer {
            id,
            username: Some(format!("ana{id}")),
            email: format!("ana{id}@example.com"),
            first_name: "Ana".into(),
            last_name: String::new(),
            password: StoredHash::new(HASH),
            is_active: true,
            is_staff: false,
            is_superuser: false,
            joined_at: None,
            last_login_at: None,
            fields: BTreeMap::new(),
            groups: Vec::new(),
            permissions: Vec::new(),
        }
    }

    fn named(id: i64, name: &str) -> Newcomer {
        Newcomer { username: Some(name.into()), ..ana(id) }
    }

    fn judge_all(people: Vec<Newcomer>) -> Vec<Result<Judged, LeftOut>> {
        let fields = UserFields::default();
        let mut judge = Judge::new(&fields);
        people.into_iter().map(|person| judge.judge(person, BTreeSet::new(), BTreeSet::new())).collect()
    }

    fn judge(person: Newcomer) -> Judged {
        judge_all(vec![person]).remove(0).unwrap()
    }

    #[test]
    fn a_person_comes_as_they_were() {
        let Judged { user, notes } = judge(ana(7));
        assert_eq!(
            (user.id, &*user.user.username, &*user.user.email),
            (UserId(7), "ana7", "ana7@example.com")
        );
        assert_eq!(user.user.password.hash.expose(), HASH);
        assert_eq!(user.user.password.cost, "pbkdf2_sha256,1000");
        assert_eq!(notes, []);
    }

    #[test]
    fn an_id_must_be_one_that_every_reader_of_json_keeps() {
        for (id, fits) in
            [(1, true), (ID_MAX, true), (0, false), (-1, false), (ID_MAX + 1, false), (i64::MIN, false)]
        {
            assert_eq!(
                judge_all(vec![ana(id)]).remove(0).map(drop).map_err(|it| it == LeftOut::Id),
                fits.then_some(()).ok_or(true),
                "{id}"
            );
        }
    }

    // attack 85: a name that reads the same is one account
    #[test]
    fn of_names_that_differ_only_in_case_the_first_comes() {
        let judged =
            judge_all(vec![named(1, "Straße"), named(2, "STRASSE"), named(3, "ana"), named(4, "ＡＮＡ")]);
        let reasons: Vec<_> = judged.into_iter().map(|it| it.map(drop).err()).collect();
        let same = |id| Some(LeftOut::SameName(UserId(id)));
        assert_eq!(reasons, [None, same(1), None, same(3)]);
    }

    // attack 92
    #[test]
    fn a_name_that_will_not_do_stays_behind_with_the_reason() {
        for name in ["", "two words", "an\u{200b}a", "ana\0", "<b>"] {
            let reason = judge_all(vec![named(1, name)]).remove(0).map(drop).unwrap_err();
            assert!(matches!(reason, LeftOut::Name(_)), "{name:?}");
        }
    }

    #[test]
    fn without_a_user_name_the_address_is_it_if_it_can_be() {
        let by_address = |email: &str| judge(Newcomer { username: None, email: email.into(), ..ana(7) });
        let judged = by_address("Ana@Example.com");
        assert_eq!((&*judged.user.user.username, judged.notes.len()), ("Ana@Example.com", 0));
        let judged = by_address("o'neil@example.com");
        assert_eq!((&*judged.user.user.username, &*judged.user.user.email), ("user7", "o'neil@example.com"));
        assert_eq!(judged.notes, [Note::MadeName("user7".into())]);
    }

    #[test]
    fn what_a_person_can_do_without_stays_behind_alone() {
        let person = Newcomer {
            email: "no address".into(),
            first_name: "x".repeat(151),
            last_name: "a\u{1b}[31m".into(),
            ..ana(7)
        };
        let Judged { user, notes } = judge(person);
        assert_eq!((&*user.user.email, &*user.user.first_name, &*user.user.last_name), ("", "", ""));
        assert!(notes.len() == 3 && notes.iter().all(Note::is_loss), "{notes:?}");
    }

    #[test]
    fn values_come_into_the_fields_that_take_them() {
        let declared = [("age", FieldType::Integer), ("vip", FieldType::Boolean), ("born", FieldType::Date)];
        let declared = declared.map(|(name, of)| (name.to_owned(), Declaration::new(of)));
        let fields = UserFields::declare(declared).unwrap();
        let given = [("age", Ok("x7")), ("vip", Ok("1")), ("born", Err("is no text")), ("shoe", Ok("42"))];
        let given = given.map(|(name, value)| {
            (name.to_owned(), value.map(|it| Some(it.to_owned())).map_err(str::to_owned))
        });
        let person = Newcomer { fields: given.into_iter().collect(), ..ana(7) };
        let judged = Judge::new(&fields).judge(person, BTreeSet::new(), BTreeSet::new()).unwrap();
        assert_eq!(Value::Object(judged.user.user.fields), serde_json::json!({"vip": true}));
        let lost: Vec<_> = judged.notes.iter().map(|note| matches!(note, Note::Field(..))).collect();
        assert_eq!(lost, [true, true]);
    }

    // attack 41, attack 116
    #[test]
    fn a_hash_that_cannot_be_used_is_neither_kept_nor_shown() {
        for (hash, called) in [
            ("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "md5"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", "of an unknown kind"),
            ("Secret word$", "of an unknown kind"),
            ("pbkdf2_sha256$4294967295$salt$hCV212Nsi0sKxLwzvdipI4YQirFy3Ak1XfYGsHhTIkI=", "pbkdf2_sha256"),
        ] {
            let judged = judge(Newcomer { password: StoredHash::new(hash), ..ana(7) });
            assert_eq!(judged.user.user.password.hash.expose(), "!");
            let [Note::Hash(kind, _)] = &*judged.notes else { panic!("{:?}", judged.notes) };
            assert_eq!(kind, called);
            assert!(!judged.notes[0].is_loss());
        }
        for none in ["", "!", "!sZzE1KtmIrTCYJjb8P9lyBOAp7v0mL6La0V99GCc"] {
            let judged = judge(Newcomer { password: StoredHash::new(none), ..ana(7) });
            assert_eq!((judged.user.user.password.hash.expose(), judged.notes.len()), ("!", 0));
        }
    }

    #[test]
    fn an_address_that_several_have_or_that_is_another_ones_name_is_told() {
        let with = |id, email: &str| Newcomer { email: email.into(), ..ana(id) };
        let fields = UserFields::default();
        let mut judge = Judge::new(&fields);
        for person in [
            with(1, "a@example.com"),
            with(2, "A@EXAMPLE.com"),
            with(3, ""),
            with(4, ""),
            Newcomer { email: String::new(), ..named(5, "b@example.com") },
            with(6, "B@example.com"),
            Newcomer { email: "c@example.com".into(), ..named(7, "c@example.com") },
        ] {
            judge.judge(person, BTreeSet::new(), BTreeSet::new()).unwrap();
        }
        let shared: Vec<_> = judge
            .shared_addresses()
            .into_iter()
            .map(|(address, users)| {
                (address.as_str().to_owned(), users.into_iter().map(|id| id.0).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            shared,
            [("a@example.com".to_owned(), vec![1, 2]), ("b@example.com".to_owned(), vec![5, 6])]
        );
    }

    proptest! {
        // attack 99
        #[test]
        fn whoever_comes_is_taken_or_left_out(
            id: i64, name: Option<String>, email: String, first: String, last: String, hash in r"(\PC*|[a-z0-9_]{0,20}\$\PC*)",
        ) {
            let person = Newcomer {
                username: name, email, first_name: first, last_name: last, password: StoredHash::new(hash), ..ana(id)
            };
            if let Ok(judged) = judge_all(vec![person]).remove(0) {
                let user = judged.user.user;
                prop_assert!(Username::parse(&user.username).is_ok());
                prop_assert!(user.email.is_empty() || countersign_core::name::Email::parse(&user.email).is_ok());
            }
        }
    }
}

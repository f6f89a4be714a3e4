//! Carrying a whole database over to another engine: its tables as rows of plain values.
//!
//! [`TABLES`] lists what is carried, each table after those that it refers to. What isn't listed is made anew: the
//! count of open sessions, by [`Store::settle`](crate::Store::settle), the news, which a node reads only from its
//! start on, the counts of guesses, which live for minutes, and the names of batches, which no node writes any more. A
//! test holds the list against what each engine's tables really are.

use countersign_core::SessionId;
use countersign_core::secret::sha256;

/// A table, the same in each engine.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How many of the columns, from the first on, make the primary key. Rows are carried in its order.
    pub key: usize,
    /// The columns.
    pub columns: &'static [Column],
    /// Whether its first column is a number that the database gives, and never twice.
    pub numbered: bool,
    /// Whether a new database has rows in it, which give way to those that are carried. Such a table is small.
    pub has_first_rows: bool,
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds, beside nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A whole number.
    Number,
    /// Yes or no.
    Flag,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// The id of a session.
    Session,
}

/// A value of a row. It may be a password's hash or a sealed key, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The id of a session.
    Session(SessionId),
}

/// A row: a value for each column of its table.
pub type Row = Vec<Value>;

/// What a table holds, whatever the order of its rows: equal for equal rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Digest {
    /// How many rows.
    pub rows: u64,
    /// The sum, without carrying, of the rows' SHA-256.
    sum: [u8; 32],
}

/// What a copy keeps in its target's `meta` until it is whole. No server starts on a database that has it.
pub const UNDER_WAY: &str = "copy_under_way";

macro_rules! columns {
    ($($name:ident $kind:ident),* $(,)?) => {
        &[$(Column { name: stringify!($name), kind: Kind::$kind }),*]
    };
}

const fn table(name: &'static str, key: usize, columns: &'static [Column]) -> Table {
    Table { name, key, columns, numbered: false, has_first_rows: false }
}

/// Everything that is carried.
pub static TABLES: &[Table] = &[
    Table { has_first_rows: true, ..table("meta", 1, columns! { name Text, value Text }) },
    Table {
        numbered: true,
        ..table(
            "users",
            1,
            columns! {
                id Number, username Text, username_key Text, email Text, email_key Text, first_name Text,
                first_name_key Text, last_name Text, last_name_key Text, password Text, password_cost Text,
                is_active Flag, is_staff Flag, is_superuser Flag, joined_at Number, last_login_at Number,
                failures Number, last_failure_at Number, fields Text,
            },
        )
    },
    table("known_networks", 2, columns! { user_id Number, network Text, last_login_at Number }),
    table("field_values", 2, columns! { user_id Number, field Text, value Text, is_unique Flag }),
    Table {
        numbered: true,
        has_first_rows: true,
        ..table("permissions", 1, columns! { id Number, name Text, description Text, built_in Flag })
    },
    Table { numbered: true, ..table("groups", 1, columns! { id Number, name Text, name_key Text }) },
    table("group_permissions", 2, columns! { group_id Number, permission_id Number }),
    table("user_groups", 2, columns! { user_id Number, group_id Number }),
    table("user_permissions", 2, columns! { user_id Number, permission_id Number }),
    table("imported_users", 1, columns! { user_id Number, seen Text, password_is_ours Flag }),
    table("imported_groups", 1, columns! { name_key Text, permissions Text }),
    table(
        "password_links",
        1,
        columns! { user_id Number, token_hash Bytes, expires_at Number, made_by Number },
    ),
    table(
        "sessions",
        1,
        columns! {
            id Session, user_id Number, delivery Text, remember Flag, created_at Number, ends_at Number,
            generation Number, rotated_at Number, refresh_expires_at Number, ip Text, user_agent Text,
            replay_keys Bytes, ended_at Number, end_reason Text,
        },
    ),
    table(
        "admin_sessions",
        1,
        columns! {
            id Bytes, user_id Number, created_at Number, used_at Number, proved_at Number, ip Text,
            user_agent Text,
        },
    ),
    table(
        "signing_keys",
        1,
        columns! { kid Text, algorithm Text, sealed Bytes, created_at Number, signs_from Number },
    ),
    Table {
        numbered: true,
        ..table(
            "audit",
            1,
            columns! {
                seq Number, at Number, kind Text, actor_id Number, user_id Number, session_id Session, ip Text,
                detail Text, bucket Text, count Number,
            },
        )
    },
];

impl Table {
    /// The key of a row of this table.
    pub(crate) fn key_of<'a>(&self, row: &'a [Value]) -> &'a [Value] {
        row.get(..self.key).unwrap_or(row)
    }

    /// The names of these columns, with commas between.
    pub(crate) fn names(&self, columns: std::ops::Range<usize>) -> String {
        let named: Vec<&str> =
            self.columns.get(columns).unwrap_or_default().iter().map(|column| column.name).collect();
        named.join(", ")
    }

    /// Selects the rows after a key, in its order. The key's values are the first parameters, then how many rows.
    pub(crate) fn select(&self, after: bool) -> String {
        let (all, key) = (self.names(0..self.columns.len()), self.names(0..self.key));
        if after {
            let values = placeholders(1, self.key);
            let limit = self.key + 1;
            format!(
                "SELECT {all} FROM {} WHERE ({key}) > ({values}) ORDER BY {key} LIMIT ${limit}",
                self.name
            )
        } else {
            format!("SELECT {all} FROM {} ORDER BY {key} LIMIT $1", self.name)
        }
    }

    /// Selects the row with the greatest key.
    pub(crate) fn select_last(&self) -> String {
        let (all, order) =
            (self.names(0..self.columns.len()), self.names(0..self.key).replace(',', " DESC,"));
        format!("SELECT {all} FROM {} ORDER BY {order} DESC LIMIT 1", self.name)
    }
}

/// `$1, $2, …`
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

impl Value {
    /// A text. PostgreSQL keeps no NUL, and nothing that we compare has one: what people only read gets a sign instead.
    pub(crate) fn text(text: String) -> Self {
        Self::Text(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text })
    }

    /// Writes it down so that different rows are different texts.
    fn encode(&self, into: &mut Vec<u8>) {
        let (tag, bytes): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Number(number) => (1, &number.to_be_bytes()),
            Self::Flag(flag) => (2, &[u8::from(*flag)]),
            Self::Text(text) => (3, text.as_bytes()),
            Self::Bytes(bytes) => (4, bytes),
            Self::Session(id) => (5, id.as_bytes()),
        };
        into.push(tag);
        into.extend((bytes.len() as u64).to_be_bytes());
        into.extend(bytes);
    }
}

impl Digest {
    /// Adds a row.
    pub fn add(&mut self, row: &[Value]) {
        let mut bytes = Vec::with_capacity(256);
        for value in row {
            value.encode(&mut bytes);
        }
        self.sum.iter_mut().zip(sha256(&bytes)).for_each(|(sum, byte)| *sum = sum.wrapping_add(byte));
        self.rows += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&[Value]]) -> Digest {
        let mut digest = Digest::default();
        for row in rows {
            digest.add(row);
        }
        digest
    }

    #[test]
    fn a_digest_knows_rows_apart_and_not_their_order() {
        let (one, two): (&[Value], &[Value]) =
            (&[Value::Number(1), Value::Null], &[Value::Number(2), Value::Null]);
        assert_eq!(digest(&[one, two]), digest(&[two, one]));
        assert_ne!(digest(&[one, one]), digest(&[two, two]), "rows that come twice count by their number");
        assert_ne!(digest(&[one]), digest(&[two]));
        let (ab, a_b) = (Value::text("ab".into()), [Value::text("a".into()), Value::text("b".into())]);
        assert_ne!(digest(&[&[ab, Value::text(String::new())]]), digest(&[&a_b]));
    }

    #[test]
    fn every_table_comes_after_those_that_it_refers_to() {
        let place = |name| TABLES.iter().position(|table| table.name == name).unwrap();
        for (table, refers_to) in [
            ("known_networks", "users"),
            ("field_values", "users"),
            ("user_groups", "groups"),
            ("group_permissions", "permissions"),
            ("admin_sessions", "users"),
            ("password_links", "users"),
        ] {
            assert!(place(table) > place(refers_to), "{table}");
        }
    }
}

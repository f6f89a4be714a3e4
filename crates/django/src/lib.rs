//! Reads the users of a Django project from its database, and changes nothing there.
//!
//! - [`Django`]: the opened database, read in one snapshot however long it takes.
//! - [`schema`]: where the users are: `auth_user`, or a custom model's table, found by its columns.
//! - [`cell`]: a value of a stranger's database, and what can be read from it.
//! - `sqlite`, `postgres`: how each database is asked.
//!
//! What is read is taken as it stands; whether a name or a value is fit for Countersign, others judge.

pub mod cell;
mod postgres;
pub mod schema;
mod sqlite;
mod users;

use std::collections::HashSet;
use std::path::PathBuf;

use countersign_store::postgres::{Config, ConfigError};

use self::cell::Cell;
use self::schema::{Membership, Table};

pub use schema::{Named, UserTable};
pub use users::{DjangoUser, Page, Row};

/// Where a Django project keeps its data.
#[derive(Clone)]
pub enum Location {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Config),
}

/// An opened database of a Django project.
pub struct Django {
    engine: Engine,
    tables: Vec<Table>,
    users: UserTable,
}

enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// A group of `django.contrib.auth`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its id there.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The ids of its permissions.
    pub permissions: Vec<i64>,
}

/// A permission of `django.contrib.auth`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permission {
    /// Its id there.
    pub id: i64,
    /// `app_label.codename`.
    pub name: String,
    /// What the project calls it.
    pub description: String,
    /// Whether Django made it by itself: `add_`, `change_`, `delete_` or `view_` and the model's name.
    pub is_default: bool,
}

/// How many users there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// All of them.
    pub users: u64,
    /// The highest id.
    pub highest: i64,
}

/// Why a database can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It can't be opened, or broke off.
    #[error("the Django database can't be read: {0}")]
    Database(String),
    /// No table looks like one of users.
    #[error(
        "there is no table of users in it (one with the columns password and last_login); is it the database of the \
         Django project?"
    )]
    NoUsers,
    /// Several tables look like one of users.
    #[error("several tables look like one of users: {}; name it with --user-table", .0.join(", "))]
    SeveralTables(Vec<String>),
    /// The table that was named isn't there.
    #[error("there is no table {name} in it; these look like one of users: {}", listed(.candidates))]
    NoTable {
        /// The name.
        name: String,
        /// What could be meant.
        candidates: Vec<String>,
    },
    /// A column that is needed isn't there.
    #[error("the table {table} has no column {column}")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Neither a user name nor an address.
    #[error(
        "the table {0} has neither a column username nor email; name the one that people log in with by \
         --username-column"
    )]
    NoName(String),
    /// The primary key can't be kept.
    #[error(
        "the ids in {table} are {declared}; Countersign's are whole numbers, so these can't be kept, nor any foreign \
         key that leads to them"
    )]
    NoInteger {
        /// The table.
        table: String,
        /// The type of its key.
        declared: String,
    },
    /// No primary key of one column.
    #[error("the table {0} has no primary key of one column")]
    NoKey(String),
    /// A value that everything else hangs on.
    #[error("the table {table} holds what Django can't have written: {problem}")]
    Broken {
        /// The table.
        table: String,
        /// What.
        problem: String,
    },
}

impl Location {
    /// Reads `postgres://…`, `sqlite:<path>`, or a path.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.parse()?));
        }
        Ok(Self::Sqlite(PathBuf::from(text.strip_prefix("sqlite:").unwrap_or(text))))
    }
}

impl Django {
    /// Opens the database, for reading alone, and finds the users in it. All that is read from now on is as it was at
    /// this moment.
    pub async fn open(location: &Location, named: &Named) -> Result<Self, SourceError> {
        let engine = match location {
            Location::Sqlite(path) => Engine::Sqlite(sqlite::Sqlite::open(path)?),
            Location::Postgres(config) => Engine::Postgres(postgres::Postgres::open(config).await?),
        };
        let tables = engine.tables().await?;
        let users = UserTable::find(&tables, named)?;
        Ok(Self { engine, tables, users })
    }

    /// The table of users.
    pub fn user_table(&self) -> &UserTable {
        &self.users
    }

    /// How many users there are.
    pub async fn totals(&self) -> Result<Totals, SourceError> {
        let UserTable { name, id, .. } = &self.users;
        let query = format!("SELECT COUNT(*), MAX({}) FROM {}", quoted(id), quoted(name));
        let rows = self.engine.rows(&query).await?;
        let Some([count, highest]) = rows.first().map(Vec::as_slice) else { return Ok(Totals::default()) };
        let users = number(name, count)?;
        let highest = if *highest == Cell::Null { 0 } else { number(name, highest)? };
        Ok(Totals { users: u64::try_from(users).unwrap_or_default(), highest })
    }

    /// All groups, with their permissions.
    pub async fn groups(&self) -> Result<Vec<Group>, SourceError> {
        const TABLE: &str = "auth_group";
        if !self.has(TABLE) {
            return Ok(Vec::new());
        }
        let mut groups = Vec::new();
        for row in self.engine.rows("SELECT id, name FROM auth_group ORDER BY id").await? {
            let [id, name] = columns(TABLE, row)?;
            let (id, name) = (number(TABLE, &id)?, text(TABLE, name)?);
            groups.push(Group { id, name, permissions: Vec::new() });
        }
        let of_groups = Membership::find(&self.tables, "auth_group_permissions", "permission_id");
        if let Some(membership) = of_groups {
            for (group, permission) in self.pairs(&membership, i64::MIN, i64::MAX).await? {
                // Foreign keys see to it that the group is there.
                if let Ok(at) = groups.binary_search_by_key(&group, |group| group.id) {
                    groups.get_mut(at).into_iter().for_each(|group| group.permissions.push(permission));
                }
            }
        }
        Ok(groups)
    }

    /// All permissions.
    pub async fn permissions(&self) -> Result<Vec<Permission>, SourceError> {
        const TABLE: &str = "auth_permission";
        if !self.has(TABLE) || !self.has("django_content_type") {
            return Ok(Vec::new());
        }
        let query = "SELECT p.id, c.app_label, c.model, p.codename, p.name
            FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id ORDER BY p.id";
        let mut permissions = Vec::new();
        for row in self.engine.rows(query).await? {
            let [id, app, model, codename, description] = columns(TABLE, row)?;
            let [app, model, codename] = [text(TABLE, app)?, text(TABLE, model)?, text(TABLE, codename)?];
            permissions.push(Permission {
                id: number(TABLE, &id)?,
                is_default: ["add", "change", "delete", "view"]
                    .iter()
                    .any(|action| codename == format!("{action}_{model}")),
                name: format!("{app}.{codename}"),
                description: text(TABLE, description)?,
            });
        }
        Ok(permissions)
    }

    /// The ids of permissions that some user has directly.
    pub async fn given_permissions(&self) -> Result<HashSet<i64>, SourceError> {
        let Some(Membership { table, member, .. }) = &self.users.permissions else {
            return Ok(HashSet::new());
        };
        let query = format!("SELECT DISTINCT {} FROM {}", quoted(member), quoted(table));
        let rows = self.engine.rows(&query).await?;
        let id = |row| columns(table, row).and_then(|[id]: [Cell; 1]| number(table, &id));
        rows.into_iter().map(id).collect()
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|it| it.name == table)
    }

    /// Pairs whose owner lies within these bounds, both included.
    async fn pairs(
        &self,
        membership: &Membership,
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64)>, SourceError> {
        let Membership { table, owner, member } = membership;
        let [owner, member, from] = [owner, member, table].map(|name| quoted(name));
        let query = format!(
            "SELECT {owner}, {member} FROM {from} WHERE {owner} BETWEEN {first} AND {last} ORDER BY {owner}, {member}"
        );
        let rows = self.engine.rows(&query).await?;
        let pair = |row| {
            let [owner, member] = columns(table, row)?;
            Ok((number(table, &owner)?, number(table, &member)?))
        };
        rows.into_iter().map(pair).collect()
    }
}

impl Engine {
    async fn tables(&self) -> Result<Vec<Table>, SourceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.tables(),
            Self::Postgres(postgres) => postgres.tables().await,
        }
    }

    async fn rows(&self, query: &str) -> Result<Vec<Vec<Cell>>, SourceError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.rows(query),
            Self::Postgres(postgres) => postgres.rows(query).await,
        }
    }

    /// How a column is asked for, whatever its type.
    fn selected(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => quoted(column),
            Self::Postgres(_) => postgres::Postgres::selected(&quoted(column)),
        }
    }
}

fn columns<const N: usize>(table: &str, row: Vec<Cell>) -> Result<[Cell; N], SourceError> {
    row.try_into().map_err(|_| broken(table, "a row of another width"))
}

fn number(table: &str, cell: &Cell) -> Result<i64, SourceError> {
    cell.integer().map_err(|misfit| broken(table, &format!("an id {misfit}")))
}

fn text(table: &str, cell: Cell) -> Result<String, SourceError> {
    let text = cell.text().map_err(|misfit| broken(table, &format!("a name {misfit}")))?;
    Ok(text.unwrap_or_default())
}

fn broken(table: &str, problem: &str) -> SourceError {
    SourceError::Broken { table: table.to_owned(), problem: problem.to_owned() }
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

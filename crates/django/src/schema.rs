//! Where in a database Django keeps its users: found by what the tables look like.

use crate::SourceError;

/// A table, as the database describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// A column of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The declared type, in lower case.
    pub declared: String,
    /// Whether it is (part of) the primary key.
    pub is_key: bool,
}

/// Which columns hold the user name and the address, where they have other names than Django's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Named {
    /// The table of users.
    pub user_table: Option<String>,
    /// The column of the user name.
    pub username: Option<String>,
    /// The column of the e-mail address.
    pub email: Option<String>,
}

/// What is read of the users.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserTable {
    /// The table's name.
    pub name: String,
    /// The primary key.
    pub id: String,
    /// The user name; `None` where the address is what people log in with.
    pub username: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// Whether they may log in; without the column, all may.
    pub is_active: Option<String>,
    /// Whether they may enter the admin site; without the column, nobody may.
    pub is_staff: Option<String>,
    /// Whether they have every right; without the column, nobody has.
    pub is_superuser: Option<String>,
    /// When they joined.
    pub date_joined: Option<String>,
    /// All other columns.
    pub extra: Vec<String>,
    /// Who is in which group.
    pub groups: Option<Membership>,
    /// Who has which permission directly.
    pub permissions: Option<Membership>,
}

/// A table of pairs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The table.
    pub table: String,
    /// The column that names the user, or the group.
    pub owner: String,
    /// The column that names what they have.
    pub member: String,
}

/// Columns of `AbstractBaseUser`, which every user model has.
const PASSWORD: &str = "password";
const LAST_LOGIN: &str = "last_login";

impl UserTable {
    /// The table of users among all tables: the one that is named, or the only one that looks like it.
    pub fn find(tables: &[Table], named: &Named) -> Result<Self, SourceError> {
        let table = match &named.user_table {
            Some(name) => tables.iter().find(|table| table.name == *name).ok_or_else(|| {
                SourceError::NoTable { name: name.clone(), candidates: names(&candidates(tables)) }
            })?,
            None => match *candidates(tables) {
                [table] => table,
                [] => return Err(SourceError::NoUsers),
                ref several => return Err(SourceError::SeveralTables(names(several))),
            },
        };
        for column in [PASSWORD, LAST_LOGIN] {
            table.expect(column)?;
        }
        let id = table.key()?;
        let username = match &named.username {
            Some(name) => Some(table.expect(name)?),
            None => table.column("username"),
        };
        let email = match &named.email {
            Some(name) => Some(table.expect(name)?),
            None => table.column("email"),
        };
        if username.is_none() && email.is_none() {
            return Err(SourceError::NoName(table.name.clone()));
        }
        let mut used = vec![PASSWORD, LAST_LOGIN, &*id];
        used.extend(["first_name", "last_name", "is_active", "is_staff", "is_superuser", "date_joined"]);
        used.extend(username.iter().chain(&email).map(String::as_str));
        let others = table.columns.iter().map(|column| column.name.clone());
        let extra = others.filter(|name| !used.contains(&&**name)).collect();
        Ok(Self {
            first_name: table.column("first_name"),
            last_name: table.column("last_name"),
            is_active: table.column("is_active"),
            is_staff: table.column("is_staff"),
            is_superuser: table.column("is_superuser"),
            date_joined: table.column("date_joined"),
            groups: Membership::find(tables, &format!("{}_groups", table.name), "group_id"),
            permissions: Membership::find(
                tables,
                &format!("{}_user_permissions", table.name),
                "permission_id",
            ),
            name: table.name.clone(),
            id,
            username,
            email,
            extra,
        })
    }
}

impl Membership {
    /// A table of pairs by its name: beside its own key and `member` it has one column.
    pub(crate) fn find(tables: &[Table], name: &str, member: &str) -> Option<Self> {
        let table = tables.iter().find(|table| table.name == name)?;
        let member = table.column(member)?;
        let mut owners = table.columns.iter().filter(|it| !it.is_key && it.name != member);
        let owner = owners.next()?.name.clone();
        owners.next().is_none().then(|| Self { table: table.name.clone(), owner, member })
    }
}

impl Table {
    fn column(&self, name: &str) -> Option<String> {
        self.columns.iter().find(|column| column.name == name).map(|column| column.name.clone())
    }

    fn expect(&self, name: &str) -> Result<String, SourceError> {
        self.column(name)
            .ok_or_else(|| SourceError::NoColumn { table: self.name.clone(), column: name.to_owned() })
    }

    /// The primary key, if it is one whole number.
    fn key(&self) -> Result<String, SourceError> {
        let mut keys = self.columns.iter().filter(|column| column.is_key);
        match (keys.next(), keys.next()) {
            (Some(key), None) if key.is_integer() => Ok(key.name.clone()),
            (Some(key), None) => {
                Err(SourceError::NoInteger { table: self.name.clone(), declared: key.declared.clone() })
            }
            _ => Err(SourceError::NoKey(self.name.clone())),
        }
    }
}

impl Column {
    fn is_integer(&self) -> bool {
        let word = self.declared.split([' ', '(']).next().unwrap_or_default();
        ["integer", "bigint", "int", "smallint", "tinyint", "mediumint"].contains(&word)
    }
}

fn candidates(tables: &[Table]) -> Vec<&Table> {
    let is_one = |table: &&Table| [PASSWORD, LAST_LOGIN].iter().all(|name| table.column(name).is_some());
    tables.iter().filter(is_one).collect()
}

fn names(tables: &[&Table]) -> Vec<String> {
    tables.iter().map(|table| table.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, columns: &[&str]) -> Table {
        let column = |(at, text): (usize, &&str)| {
            let (name, declared) = text.split_once(':').unwrap_or((text, "varchar(150)"));
            Column { name: name.into(), declared: declared.into(), is_key: at == 0 }
        };
        Table { name: name.into(), columns: columns.iter().enumerate().map(column).collect() }
    }

    fn accounts() -> Vec<Table> {
        vec![
            table("auth_group", &["id:integer", "name"]),
            table(
                "people_person",
                &["id:bigint", "password", "last_login", "email", "is_active:bool", "phone"],
            ),
            table("people_person_groups", &["id:bigint", "person_id:bigint", "group_id:integer"]),
            table(
                "people_person_user_permissions",
                &["id:bigint", "person_id:bigint", "permission_id:integer", "since"],
            ),
        ]
    }

    #[test]
    fn the_table_of_users_is_found_by_its_columns() {
        let found = UserTable::find(&accounts(), &Named::default()).unwrap();
        assert_eq!((&*found.name, &*found.id), ("people_person", "id"));
        assert_eq!((found.username, found.email.as_deref()), (None, Some("email")));
        assert_eq!(found.extra, ["phone"]);
        assert_eq!((found.is_staff, found.is_active.as_deref()), (None, Some("is_active")));
        let groups = found.groups.unwrap();
        assert_eq!(
            (&*groups.table, &*groups.owner, &*groups.member),
            ("people_person_groups", "person_id", "group_id")
        );
        assert_eq!(found.permissions, None, "with a column more it is no table of pairs");
    }

    #[test]
    fn columns_of_other_names_can_be_named() {
        let named = Named { username: Some("phone".into()), ..Named::default() };
        let found = UserTable::find(&accounts(), &named).unwrap();
        assert_eq!((found.username.as_deref(), found.extra.len()), (Some("phone"), 0));
        let named = Named { email: Some("mail".into()), ..Named::default() };
        let error = UserTable::find(&accounts(), &named).unwrap_err();
        assert_eq!(error.to_string(), "the table people_person has no column mail");
    }

    #[test]
    fn what_cannot_be_told_is_asked_for() {
        let mut tables = accounts();
        tables.push(table("auth_user", &["id:integer", "password", "last_login", "username"]));
        let error = UserTable::find(&tables, &Named::default()).unwrap_err().to_string();
        assert!(error.contains("people_person, auth_user") && error.contains("--user-table"), "{error}");
        let named = |name: &str| Named { user_table: Some(name.into()), ..Named::default() };
        assert_eq!(UserTable::find(&tables, &named("auth_user")).unwrap().username.unwrap(), "username");
        let error = UserTable::find(&tables, &named("users")).unwrap_err().to_string();
        assert!(error.contains("no table users") && error.contains("auth_user"), "{error}");
        let error = UserTable::find(&tables[..1], &Named::default()).unwrap_err().to_string();
        assert!(error.contains("no table of users"), "{error}");
    }

    #[test]
    fn an_id_that_is_no_whole_number_cannot_be_kept() {
        let uuid = [table("auth_user", &["id:char(32)", "password", "last_login", "username"])];
        let error = UserTable::find(&uuid, &Named::default()).unwrap_err().to_string();
        assert!(error.contains("char(32)"), "{error}");
        let nameless = [table("auth_user", &["id:integer", "password", "last_login"])];
        let error = UserTable::find(&nameless, &Named::default()).unwrap_err().to_string();
        assert!(error.contains("--username-column"), "{error}");
    }
}

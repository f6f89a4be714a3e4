//! Users, a page at a time, in the order of their ids.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use countersign_core::Timestamp;

use crate::cell::{Cell, Misfit};
use crate::schema::{Membership, UserTable};
use crate::{Django, SourceError, broken, quoted};

/// A user, as Django keeps them. `Debug` hides the password's hash.
#[derive(Clone, PartialEq)]
pub struct DjangoUser {
    /// The user name, where the model has one.
    pub username: Option<String>,
    /// The e-mail address; may be empty.
    pub email: String,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// The password's hash, as it is stored.
    pub password: String,
    /// Whether they may log in.
    pub is_active: bool,
    /// Whether they may enter the admin site.
    pub is_staff: bool,
    /// Whether they have every right.
    pub is_superuser: bool,
    /// When they joined, if that is known.
    pub date_joined: Option<Timestamp>,
    /// The last login, if there was one.
    pub last_login: Option<Timestamp>,
    /// The values of all other columns, as texts; `None` where there is nothing.
    pub extra: BTreeMap<String, Result<Option<String>, Misfit>>,
    /// The ids of their groups.
    pub groups: Vec<i64>,
    /// The ids of the permissions that they have directly.
    pub permissions: Vec<i64>,
}

/// A row of the table of users.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The id.
    pub id: i64,
    /// The user, or a sentence that says which column can't be read.
    pub user: Result<DjangoUser, String>,
}

/// Some rows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// In the order of their ids; empty after the last.
    pub rows: Vec<Row>,
}

impl Django {
    /// The next rows after this id, at most so many. The first page is after `i64::MIN`.
    pub async fn page(&self, after: i64, limit: u32) -> Result<Page, SourceError> {
        let columns = Columns::of(self.user_table());
        let (from, id) = (quoted(&self.user_table().name), quoted(&self.user_table().id));
        let selected: Vec<_> = columns.names.iter().map(|name| self.engine.selected(name)).collect();
        let selected = selected.join(", ");
        let query = format!("SELECT {selected} FROM {from} WHERE {id} > {after} ORDER BY {id} LIMIT {limit}");
        let mut rows = Vec::new();
        for cells in self.engine.rows(&query).await? {
            rows.push(columns.row(cells).map_err(|problem| broken(&self.user_table().name, &problem))?);
        }
        let (Some(first), Some(last)) = (rows.first().map(|it| it.id), rows.last().map(|it| it.id)) else {
            return Ok(Page::default());
        };
        let mut groups = self.memberships(self.user_table().groups.as_ref(), first, last).await?;
        let mut permissions = self.memberships(self.user_table().permissions.as_ref(), first, last).await?;
        for row in &mut rows {
            if let Ok(user) = &mut row.user {
                user.groups = groups.remove(&row.id).unwrap_or_default();
                user.permissions = permissions.remove(&row.id).unwrap_or_default();
            }
        }
        Ok(Page { rows })
    }

    async fn memberships(
        &self,
        membership: Option<&Membership>,
        first: i64,
        last: i64,
    ) -> Result<HashMap<i64, Vec<i64>>, SourceError> {
        let mut of = HashMap::<_, Vec<_>>::new();
        if let Some(membership) = membership {
            for (owner, member) in self.pairs(membership, first, last).await? {
                of.entry(owner).or_default().push(member);
            }
        }
        Ok(of)
    }
}

/// Which columns are asked for, in this order.
struct Columns<'a> {
    table: &'a UserTable,
    names: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(table: &'a UserTable) -> Self {
        let optional = [
            &table.username,
            &table.email,
            &table.first_name,
            &table.last_name,
            &table.is_active,
            &table.is_staff,
            &table.is_superuser,
            &table.date_joined,
        ];
        let mut names = vec![&*table.id, "password", "last_login"];
        names.extend(optional.into_iter().flatten().map(String::as_str));
        names.extend(table.extra.iter().map(String::as_str));
        Self { table, names }
    }

    /// An error is about the id: without one, there is no next page.
    fn row(&self, cells: Vec<Cell>) -> Result<Row, String> {
        let mut values: HashMap<&str, Cell> = self.names.iter().copied().zip(cells).collect();
        let id = values.get(&*self.table.id).unwrap_or(&Cell::Null).integer();
        let id = id.map_err(|misfit| format!("an id {misfit}"))?;
        Ok(Row { id, user: self.user(&mut values) })
    }

    fn user(&self, values: &mut HashMap<&str, Cell>) -> Result<DjangoUser, String> {
        let extra = self
            .table
            .extra
            .iter()
            .map(|name| (name.clone(), values.remove(&**name).unwrap_or(Cell::Null).text()));
        let extra = extra.collect();
        let mut take = |name: &Option<String>| name.as_ref().and_then(|name| values.remove(&**name));
        let table = self.table;
        Ok(DjangoUser {
            username: match take(&table.username) {
                Some(cell) => Some(text("username", cell)?),
                None => None,
            },
            email: optional_text("email", take(&table.email))?,
            first_name: optional_text("first_name", take(&table.first_name))?,
            last_name: optional_text("last_name", take(&table.last_name))?,
            is_active: flag("is_active", take(&table.is_active), true)?,
            is_staff: flag("is_staff", take(&table.is_staff), false)?,
            is_superuser: flag("is_superuser", take(&table.is_superuser), false)?,
            // A date that can't be read is a pity, and no reason to leave a person out.
            date_joined: take(&table.date_joined).and_then(|cell| cell.time().ok().flatten()),
            last_login: values.remove("last_login").and_then(|cell| cell.time().ok().flatten()),
            password: text("password", values.remove("password").unwrap_or(Cell::Null))?,
            extra,
            groups: Vec::new(),
            permissions: Vec::new(),
        })
    }
}

fn text(column: &str, cell: Cell) -> Result<String, String> {
    cell.text().and_then(|text| text.ok_or(Misfit::Empty)).map_err(|misfit| format!("{column} {misfit}"))
}

/// NULL is as good as an empty text.
fn optional_text(column: &str, cell: Option<Cell>) -> Result<String, String> {
    let text = cell.map(Cell::text).transpose().map_err(|misfit| format!("{column} {misfit}"))?;
    Ok(text.flatten().unwrap_or_default())
}

fn flag(column: &str, cell: Option<Cell>, without: bool) -> Result<bool, String> {
    let Some(cell) = cell else { return Ok(without) };
    cell.boolean().map_err(|misfit| format!("{column} {misfit}"))
}

impl fmt::Debug for DjangoUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DjangoUser").field("username", &self.username).finish_non_exhaustive()
    }
}

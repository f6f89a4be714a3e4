//! A Django project, as the import takes it.

use std::collections::{BTreeMap, HashSet};

use countersign::core::fields::UserFields;
use countersign::service::import::{ForeignGroup, ForeignPermission, ForeignRow, Newcomer};
use countersign::service::password::StoredHash;
use countersign_django::{Django, DjangoUser, Group, Location, Named, Permission, Row, SourceError, Totals};

use super::report::{listed, thousands};
use crate::outcome::Failure;

/// An opened project, of which everything but the users is read.
pub(super) struct Source<'a> {
    django: Django,
    fields: &'a UserFields,
    totals: Totals,
    groups: Vec<Group>,
    permissions: Vec<Permission>,
    /// Permissions that some user has directly.
    given: HashSet<i64>,
}

impl<'a> Source<'a> {
    pub(super) async fn open(database: &str, named: &Named, fields: &'a UserFields) -> Result<Self, Failure> {
        let location = Location::parse(database)
            .map_err(|error| Failure::Misused(format!("the address of the Django database {error}")))?;
        let django = Django::open(&location, named).await?;
        let (totals, groups) = (django.totals().await?, django.groups().await?);
        let (permissions, given) = (django.permissions().await?, django.given_permissions().await?);
        Ok(Self { django, fields, totals, groups, permissions, given })
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// What was found, and what of it comes.
    pub(super) fn describe(&self) -> Vec<String> {
        let table = self.django.user_table();
        let mut lines = vec![format!(
            "Found {} users in the table {}; the highest id is {}.",
            thousands(self.totals.users),
            table.name,
            self.totals.highest
        )];
        if let (None, Some(email)) = (&table.username, &table.email) {
            lines.push(format!(
                "There is no user name but the address ({email}), so it becomes the user name too."
            ));
        }
        let (taken, left): (Vec<&str>, Vec<&str>) =
            table.extra.iter().map(String::as_str).partition(|name| self.fields.get(name).is_some());
        if !taken.is_empty() {
            lines.push(format!("Columns that come into custom fields: {}.", listed(&taken)));
        }
        if !left.is_empty() {
            lines.push(format!(
                "Columns that don't come, since no custom field has their name: {}.",
                listed(&left)
            ));
        }
        lines.push(format!(
            "Groups: {}. Permissions: {} that someone has or that the project made itself, of {}.",
            self.groups.len(),
            self.needed().count(),
            self.permissions.len()
        ));
        lines
    }

    /// Permissions and groups.
    pub(super) fn rights(&self) -> (Vec<ForeignPermission>, Vec<ForeignGroup>) {
        let permissions = self.needed().cloned().map(|it| ForeignPermission {
            id: it.id,
            name: it.name,
            description: it.description,
        });
        let groups = self.groups.iter().cloned();
        let groups = groups.map(|it| ForeignGroup { id: it.id, name: it.name, permissions: it.permissions });
        (permissions.collect(), groups.collect())
    }

    /// The next users.
    pub(super) async fn people(&self, after: i64, limit: u32) -> Result<Vec<ForeignRow>, Failure> {
        let page = self.django.page(after, limit).await?;
        Ok(page.rows.into_iter().map(|row| self.row(row)).collect())
    }

    /// Django makes four permissions for every model. Those that nobody has are noise here.
    fn needed(&self) -> impl Iterator<Item = &Permission> {
        let of_groups: HashSet<i64> =
            self.groups.iter().flat_map(|group| group.permissions.iter().copied()).collect();
        let is_needed = move |it: &&Permission| {
            !it.is_default || of_groups.contains(&it.id) || self.given.contains(&it.id)
        };
        self.permissions.iter().filter(is_needed)
    }

    fn row(&self, row: Row) -> ForeignRow {
        let name = match &row.user {
            Ok(user) => user.username.clone().unwrap_or_else(|| user.email.clone()),
            Err(_) => String::new(),
        };
        ForeignRow { id: row.id, name, person: row.user.map(|user| self.newcomer(row.id, user)) }
    }

    fn newcomer(&self, id: i64, user: DjangoUser) -> Newcomer {
        let declared = user.extra.into_iter().filter(|(name, _)| self.fields.get(name).is_some());
        let fields: BTreeMap<_, _> =
            declared.map(|(name, value)| (name, value.map_err(|misfit| misfit.to_string()))).collect();
        Newcomer {
            id,
            username: user.username,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            password: StoredHash::new(user.password),
            is_active: user.is_active,
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
            joined_at: user.date_joined,
            last_login_at: user.last_login,
            fields,
            groups: user.groups,
            permissions: user.permissions,
        }
    }
}

/// What was named wrongly is a misuse; a database that can't be read has failed.
impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Database(_) | SourceError::Broken { .. } => Self::Refused(error.to_string()),
            _ => Self::Misused(error.to_string()),
        }
    }
}

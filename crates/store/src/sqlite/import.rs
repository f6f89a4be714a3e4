//! People who come from another system. What is compared with what is in the crate's `import`.

use std::collections::BTreeSet;

use countersign_core::fields::UserFields;
use countersign_core::name::NameKey;
use countersign_core::{GroupId, PermissionName, Timestamp, UserId};
use rusqlite::Connection;

use super::people::{self, Changed};
use super::sql::{self, Result};
use super::{Sqlite, audit, fields, groups, users};
use crate::import::{self, Difference, Known, Record, Seen, turned_away};
use crate::row::{self, Columns};
use crate::{
    Arrival, AuditEvent, EventKind, GroupArrival, GroupChange, ImportBatch, IncomingGroup, IncomingUser,
    PasswordFate, PeopleError, Reach, StoreError, TurnedAway,
};

impl Sqlite {
    pub(crate) async fn import_users(&self, batch: ImportBatch) -> Result<Vec<Arrival>> {
        let declared = self.declared();
        self.write(move |db| {
            let import = Import { db, declared: &declared, known: known(db)?, batch: &batch };
            rehearse_if(db, batch.dry_run, || {
                go_on_after(db, batch.highest)?;
                batch.users.iter().map(|incoming| import.take(incoming)).collect()
            })
        })
        .await
    }

    pub(crate) async fn import_groups(
        &self,
        incoming: Vec<IncomingGroup>,
        event: AuditEvent,
        dry_run: bool,
    ) -> Result<Vec<GroupArrival>> {
        self.write(move |db| {
            let known = known(db)?.permissions;
            rehearse_if(db, dry_run, || {
                let take = |group| take_group(db, group, &event, &known);
                incoming.iter().map(take).collect::<Changed<_>>().map_err(refused)
            })
        })
        .await
    }
}

/// Does the work, and undoes it where it is only to be seen what would become of it.
fn rehearse_if<T>(db: &Connection, rehearse: bool, work: impl FnOnce() -> Result<T>) -> Result<T> {
    sql::run(db, "SAVEPOINT import", [])?;
    let done = work()?;
    if rehearse {
        sql::run(db, "ROLLBACK TO import", [])?;
    }
    sql::run(db, "RELEASE import", [])?;
    Ok(done)
}

/// Brings people in.
struct Import<'a> {
    db: &'a Connection,
    declared: &'a UserFields,
    known: Known,
    batch: &'a ImportBatch,
}

impl Import<'_> {
    fn take(&self, incoming: &IncomingUser) -> Result<Arrival> {
        let record = Record::of(incoming);
        match seen(self.db, incoming.id)? {
            None => self.create(incoming, &record),
            Some(Seen { record: None, .. }) => Ok(Arrival::LeftOut(TurnedAway::Deleted)),
            Some(Seen { record: Some(before), .. }) if before == record => Ok(Arrival::Unchanged),
            Some(Seen { record: Some(before), password_is_ours }) => {
                self.change(incoming, &record, &before, password_is_ours)
            }
        }
    }

    fn create(&self, incoming: &IncomingUser, record: &Record) -> Result<Arrival> {
        let (db, id, user) = (self.db, incoming.id, &incoming.user);
        if sql::value(db, "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)", [id.0])? {
            return Ok(Arrival::LeftOut(TurnedAway::IdTaken));
        }
        if let Some(owner) = owner_of(db, &user.username_key)? {
            return Ok(Arrival::LeftOut(TurnedAway::NameTaken(owner)));
        }
        if let Some(field) = fields::taken(db, self.declared, None, &user.fields)? {
            return Ok(Arrival::LeftOut(TurnedAway::FieldTaken(field)));
        }
        insert(db, incoming, self.batch)?;
        fields::keep(db, self.declared, id, &user.fields)?;
        for group in self.known.groups_of(incoming) {
            sql::run(db, "INSERT INTO user_groups (user_id, group_id) VALUES ($1, $2)", (id.0, group.0))?;
        }
        for name in self.known.permissions(&incoming.permissions) {
            let insert = "INSERT INTO user_permissions (user_id, permission_id)
                SELECT $1, id FROM permissions WHERE name = $2";
            sql::run(db, insert, (id.0, name.as_str()))?;
        }
        remember(db, id, record)?;
        audit::append(db, &self.batch.event(EventKind::UserCreated, id))?;
        Ok(Arrival::Created)
    }

    fn change(
        &self,
        incoming: &IncomingUser,
        record: &Record,
        before: &Record,
        password_is_ours: bool,
    ) -> Result<Arrival> {
        sql::run(self.db, "SAVEPOINT person", [])?;
        let changed = self.apply(incoming, &record.difference(before, incoming), password_is_ours);
        let arrival = match changed {
            Ok(password) => {
                remember(self.db, incoming.id, record)?;
                Arrival::Changed { password }
            }
            Err(error) => {
                sql::run(self.db, "ROLLBACK TO person", [])?;
                Arrival::LeftOut(turned_away(error, owner_of(self.db, &incoming.user.username_key)?)?)
            }
        };
        sql::run(self.db, "RELEASE person", [])?;
        Ok(arrival)
    }

    fn apply(
        &self,
        incoming: &IncomingUser,
        difference: &Difference,
        password_is_ours: bool,
    ) -> Changed<PasswordFate> {
        let (db, id) = (self.db, incoming.id);
        let (change, event) = (self.known.change(difference), self.batch.event(EventKind::UserChanged, id));
        people::change_user(db, self.declared, (id, &change), &Reach::Anyone, event)?;
        if let Some(moment) = difference.last_login_at {
            let update =
                "UPDATE users SET last_login_at = $1 WHERE id = $2 AND COALESCE(last_login_at, $3) < $4";
            sql::run(db, update, (moment.millis(), id.0, i64::MIN, moment.millis()))?;
        }
        if !difference.password {
            return Ok(PasswordFate::Same);
        }
        if password_is_ours {
            return Ok(PasswordFate::KeptOurs);
        }
        users::set_password(db, id, &incoming.user.password, &self.batch.event(EventKind::PasswordSet, id))?;
        sql::run(db, "UPDATE imported_users SET password_is_ours = FALSE WHERE user_id = $1", [id.0])?;
        Ok(PasswordFate::Came)
    }
}

/// A user whose password is set or changed here keeps it, whatever comes later.
pub(super) fn password_is_ours(db: &Connection, id: UserId) -> Result<()> {
    sql::run(db, "UPDATE imported_users SET password_is_ours = TRUE WHERE user_id = $1", [id.0])?;
    Ok(())
}

fn known(db: &Connection) -> Result<Known> {
    let groups = sql::all(db, "SELECT name_key, id FROM groups", [], |row| {
        Ok((NameKey::of_any(&row.text_there(0)?), GroupId(row.number_there(1)?)))
    })?;
    let permissions = sql::all(db, "SELECT name FROM permissions", [], |row| row::permission_name(row, 0))?;
    Ok(Known { groups: groups.into_iter().collect(), permissions: permissions.into_iter().collect() })
}

fn seen(db: &Connection, id: UserId) -> Result<Option<Seen>> {
    let query =
        "SELECT seen IS NULL, COALESCE(seen, '{}'), password_is_ours FROM imported_users WHERE user_id = $1";
    sql::first(db, query, [id.0], |row| {
        let (is_gone, record) = (row.flag(0)?, Record::from_object(row.object(1)?));
        Ok(Seen { record: (!is_gone).then_some(record), password_is_ours: row.flag(2)? })
    })
}

fn remember(db: &Connection, id: UserId, record: &Record) -> Result<()> {
    let insert = "INSERT INTO imported_users (user_id, seen) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET seen = excluded.seen";
    sql::run(db, insert, (id.0, row::json(record.to_object())?))?;
    Ok(())
}

fn owner_of(db: &Connection, key: &NameKey) -> Result<Option<UserId>> {
    sql::first(db, "SELECT id FROM users WHERE username_key = $1", [key.as_str()], |row| {
        Ok(UserId(row.get(0)?))
    })
}

/// Ids that are given from now on are higher than this one.
fn go_on_after(db: &Connection, highest: UserId) -> Result<()> {
    let update = "UPDATE sqlite_sequence SET seq = MAX(seq, $1) WHERE name = 'users'";
    if sql::run(db, update, [highest.0])? == 0 {
        sql::run(db, "INSERT INTO sqlite_sequence (name, seq) VALUES ('users', $1)", [highest.0])?;
    }
    Ok(())
}

fn insert(db: &Connection, incoming: &IncomingUser, batch: &ImportBatch) -> Result<()> {
    let insert =
        "INSERT INTO users (id, username, username_key, email, email_key, first_name, first_name_key,
            last_name, last_name_key, password, password_cost, is_active, is_staff, is_superuser, joined_at,
            last_login_at, fields)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let user = &incoming.user;
    let (first, last) = (NameKey::of_any(&user.first_name), NameKey::of_any(&user.last_name));
    let params = rusqlite::params![
        incoming.id.0,
        user.username,
        user.username_key.as_str(),
        user.email,
        user.email_key.as_str(),
        user.first_name,
        first.as_str(),
        user.last_name,
        last.as_str(),
        user.password.hash.expose(),
        user.password.cost,
        user.is_active,
        user.is_staff,
        user.is_superuser,
        incoming.joined_at.unwrap_or(batch.at).millis(),
        incoming.last_login_at.map(Timestamp::millis),
        row::json(&user.fields)?,
    ];
    sql::run(db, insert, params)?;
    Ok(())
}

/// A group was looked for in this transaction: nothing about it can be refused.
fn refused(error: PeopleError) -> StoreError {
    match error {
        PeopleError::Store(error) => error,
        other => StoreError::Defect(other.to_string()),
    }
}

fn take_group(
    db: &Connection,
    incoming: &IncomingGroup,
    event: &AuditEvent,
    known: &BTreeSet<PermissionName>,
) -> Changed<GroupArrival> {
    let key = incoming.name.key();
    let here = sql::first(db, "SELECT id FROM groups WHERE name_key = $1", [key.as_str()], |row| {
        Ok(GroupId(row.get(0)?))
    })?;
    let seen: Option<String> = sql::first(
        db,
        "SELECT permissions FROM imported_groups WHERE name_key = $1",
        [key.as_str()],
        |row| Ok(row.get(0)?),
    )?;
    let mut edit = incoming.difference(&import::permissions_of_text(seen.as_deref().unwrap_or_default()));
    edit.add.retain(|name| known.contains(name));
    let arrival = match here {
        None if seen.is_some() => return Ok(GroupArrival::Deleted),
        None => {
            groups::create(db, &incoming.name, edit.add, event.clone())?;
            GroupArrival::Created
        }
        Some(id) => {
            let change = GroupChange { name: None, permissions: edit };
            let changed = groups::change(db, id, &change, event.clone())?.event.is_some();
            match (&seen, changed) {
                (None, _) => GroupArrival::Joined,
                (Some(_), true) => GroupArrival::Changed,
                (Some(_), false) => GroupArrival::Unchanged,
            }
        }
    };
    let remember = "INSERT INTO imported_groups (name_key, permissions) VALUES ($1, $2)
        ON CONFLICT (name_key) DO UPDATE SET permissions = excluded.permissions";
    sql::run(db, remember, (key.as_str(), import::permissions_to_text(&incoming.permissions)))?;
    Ok(arrival)
}

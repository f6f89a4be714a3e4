//! People who come from another system. What is compared with what is in the crate's `import`.
//!
//! Those who are new come in a few statements for all of them; those who came before are brought up to date one by
//! one, each inside a savepoint.

use std::collections::{BTreeSet, HashMap};

use countersign_core::fields::UserFields;
use countersign_core::name::NameKey;
use countersign_core::{GroupId, PermissionName, Timestamp, UserId};
use tokio_postgres::Row;

use super::people::{self, Changed, or_refuse};
use super::sql::{self, Db, Result, params};
use super::{Postgres, fields, groups, users};
use crate::fields::keys;
use crate::import::{self, Difference, Known, Record, Seen, turned_away};
use crate::row::{self, Columns};
use crate::{
    Arrival, AuditEvent, EventKind, GroupArrival, GroupChange, ImportBatch, IncomingGroup, IncomingUser,
    PasswordFate, Reach, StoreError, TurnedAway,
};

type Answer<T> = std::result::Result<T, StoreError>;

impl Postgres {
    pub(crate) async fn import_users(&self, batch: ImportBatch) -> Answer<Vec<Arrival>> {
        self.write((self.declared(), batch), |db, args| async move {
            let (declared, batch) = &*args;
            let import = Import { db: &db, declared, known: known(&db).await?, batch };
            db.batch("SAVEPOINT import").await?;
            let arrivals = import.take_all().await?;
            if batch.dry_run {
                db.batch("ROLLBACK TO SAVEPOINT import").await?;
            } else {
                go_on_after(&db, batch.highest).await?;
            }
            Ok(arrivals)
        })
        .await
    }

    pub(crate) async fn import_groups(
        &self,
        incoming: Vec<IncomingGroup>,
        event: AuditEvent,
        dry_run: bool,
    ) -> Answer<Vec<GroupArrival>> {
        self.write((incoming, event, dry_run), |db, args| async move {
            let (incoming, event, dry_run) = &*args;
            let known = known(&db).await?.permissions;
            db.batch("SAVEPOINT import").await?;
            let mut arrivals = Vec::with_capacity(incoming.len());
            for group in incoming {
                arrivals.push(take_group(&db, group, event, &known).await?);
            }
            if *dry_run {
                db.batch("ROLLBACK TO SAVEPOINT import").await?;
            }
            Ok(arrivals)
        })
        .await
    }
}

/// Brings people in.
struct Import<'a> {
    db: &'a Db,
    declared: &'a UserFields,
    known: Known,
    batch: &'a ImportBatch,
}

impl Import<'_> {
    async fn take_all(&self) -> Result<Vec<Arrival>> {
        let ids: Vec<i64> = self.batch.users.iter().map(|incoming| incoming.id.0).collect();
        let mut seen = seen(self.db, ids).await?;
        let new: Vec<_> = self.batch.users.iter().filter(|it| !seen.contains_key(&it.id)).collect();
        let mut refused = self.refused(&new).await?;
        let welcome: Vec<_> = new.into_iter().filter(|it| !refused.contains_key(&it.id)).collect();
        self.create(&welcome).await?;
        let mut arrivals = Vec::with_capacity(self.batch.users.len());
        for incoming in &self.batch.users {
            let record = Record::of(incoming);
            arrivals.push(match (refused.remove(&incoming.id), seen.remove(&incoming.id)) {
                (Some(reason), _) => Arrival::LeftOut(reason),
                (None, None) => Arrival::Created,
                (None, Some(Seen { record: None, .. })) => Arrival::LeftOut(TurnedAway::Deleted),
                (None, Some(Seen { record: Some(before), .. })) if before == record => Arrival::Unchanged,
                (None, Some(Seen { record: Some(before), password_is_ours })) => {
                    let difference = record.difference(&before, incoming);
                    self.change(incoming, &record, &difference, password_is_ours).await?
                }
            });
        }
        Ok(arrivals)
    }

    /// Those who are new and can't come.
    async fn refused(&self, new: &[&IncomingUser]) -> Result<HashMap<UserId, TurnedAway>> {
        let ids: Vec<i64> = new.iter().map(|it| it.id.0).collect();
        let names: Vec<String> = new.iter().map(|it| it.user.username_key.as_str().to_owned()).collect();
        let query = "SELECT id, username_key FROM users WHERE id = ANY($1) OR username_key = ANY($2)";
        let read = |row: &Row| Ok((UserId(row.number_there(0)?), row.text_there(1)?));
        let here = self.db.all(query, params![ids, names], read).await?;
        let (mut taken_ids, mut owners) = (BTreeSet::new(), HashMap::new());
        for (id, name) in here {
            taken_ids.insert(id);
            owners.insert(name, id);
        }
        let mut refused = HashMap::new();
        let mut values = BTreeSet::new();
        for incoming in new {
            let (id, user) = (incoming.id, &incoming.user);
            if taken_ids.contains(&id) {
                refused.insert(id, TurnedAway::IdTaken);
            } else if let Some(owner) = owners.get(user.username_key.as_str()) {
                refused.insert(id, TurnedAway::NameTaken(*owner));
            } else if let Some(field) = fields::taken(self.db, self.declared, None, &user.fields).await? {
                refused.insert(id, TurnedAway::FieldTaken(field));
            } else {
                // Of those who come together, too, only one may have a value.
                let unique = keys(self.declared, &user.fields).into_iter().filter(|key| key.is_unique);
                for key in unique {
                    let field = key.field.clone();
                    if !values.insert(key) {
                        refused.insert(id, TurnedAway::FieldTaken(field));
                    }
                }
            }
        }
        Ok(refused)
    }

    async fn create(&self, new: &[&IncomingUser]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        insert_users(self.db, new, self.batch.at).await?;
        let (mut users, mut names, mut values, mut unique) = (vec![], vec![], vec![], vec![]);
        let (mut members, mut groups, mut holders, mut permissions) = (vec![], vec![], vec![], vec![]);
        let (mut ids, mut records, mut details) = (vec![], vec![], vec![]);
        for incoming in new {
            let id = incoming.id.0;
            for key in keys(self.declared, &incoming.user.fields) {
                users.push(id);
                names.push(key.field);
                values.push(sql::without_nul(&key.value).into_owned());
                unique.push(key.is_unique);
            }
            for group in self.known.groups_of(incoming) {
                members.push(id);
                groups.push(group.0);
            }
            for permission in self.known.permissions(&incoming.permissions) {
                holders.push(id);
                permissions.push(permission.to_string());
            }
            ids.push(id);
            records.push(row::json(Record::of(incoming).to_object())?);
            details.push(row::json(&self.batch.event(EventKind::UserCreated, incoming.id).detail)?);
        }
        let insert = "INSERT INTO field_values (user_id, field, value, is_unique)
            SELECT * FROM UNNEST($1, $2, $3, $4)";
        self.db.run(insert, params![users, names, values, unique]).await?;
        let insert = "INSERT INTO user_groups (user_id, group_id) SELECT * FROM UNNEST($1, $2)";
        self.db.run(insert, params![members, groups]).await?;
        let insert = "INSERT INTO user_permissions (user_id, permission_id)
            SELECT user_id, permissions.id FROM UNNEST($1, $2) AS given (user_id, name)
            JOIN permissions ON permissions.name = given.name";
        self.db.run(insert, params![holders, permissions]).await?;
        let insert = "INSERT INTO imported_users (user_id, seen) SELECT * FROM UNNEST($1, $2)";
        self.db.run(insert, params![ids, records]).await?;
        let insert = "INSERT INTO audit (at, kind, user_id, detail)
            SELECT $1, $2, user_id, detail FROM UNNEST($3, $4) AS came (user_id, detail)";
        let kind = EventKind::UserCreated.as_str();
        self.db.run(insert, params![self.batch.at.millis(), kind, ids, details]).await?;
        Ok(())
    }

    async fn change(
        &self,
        incoming: &IncomingUser,
        record: &Record,
        difference: &Difference,
        password_is_ours: bool,
    ) -> Result<Arrival> {
        self.db.batch("SAVEPOINT person").await?;
        match self.apply(incoming, difference, password_is_ours).await? {
            Ok(password) => {
                let update = "UPDATE imported_users SET seen = $1 WHERE user_id = $2";
                self.db.run(update, params![row::json(record.to_object())?, incoming.id.0]).await?;
                Ok(Arrival::Changed { password })
            }
            Err(error) => {
                self.db.batch("ROLLBACK TO SAVEPOINT person").await?;
                let query = "SELECT id FROM users WHERE username_key = $1";
                let name = incoming.user.username_key.as_str();
                let owner =
                    self.db.first(query, params![name], |row| row.number_there(0).map(UserId)).await?;
                Ok(Arrival::LeftOut(turned_away(error, owner)?))
            }
        }
    }

    async fn apply(
        &self,
        incoming: &IncomingUser,
        difference: &Difference,
        password_is_ours: bool,
    ) -> Result<Changed<PasswordFate>> {
        let (db, id) = (self.db, incoming.id);
        let (change, event) = (self.known.change(difference), self.batch.event(EventKind::UserChanged, id));
        or_refuse!(people::change_user(db, self.declared, (id, &change), &Reach::Anyone, event).await?);
        if let Some(moment) = difference.last_login_at {
            let update =
                "UPDATE users SET last_login_at = $1 WHERE id = $2 AND COALESCE(last_login_at, $3) < $1";
            db.run(update, params![moment.millis(), id.0, i64::MIN]).await?;
        }
        if !difference.password {
            return Ok(Ok(PasswordFate::Same));
        }
        if password_is_ours {
            return Ok(Ok(PasswordFate::KeptOurs));
        }
        users::set_password_of(
            db,
            id,
            &incoming.user.password,
            &self.batch.event(EventKind::PasswordSet, id),
        )
        .await?;
        db.run("UPDATE imported_users SET password_is_ours = FALSE WHERE user_id = $1", params![id.0])
            .await?;
        Ok(Ok(PasswordFate::Came))
    }
}

/// A user whose password is set or changed here keeps it, whatever comes later.
pub(super) async fn password_is_ours(db: &Db, id: UserId) -> Result<()> {
    let update =
        "UPDATE imported_users SET password_is_ours = TRUE WHERE user_id = $1 AND NOT password_is_ours";
    db.run(update, params![id.0]).await?;
    Ok(())
}

async fn known(db: &Db) -> Result<Known> {
    let groups = db.all("SELECT name_key, id FROM groups", &[], |row| {
        Ok((NameKey::of_any(&row.text_there(0)?), GroupId(row.number_there(1)?)))
    });
    let groups = groups.await?.into_iter().collect();
    let permissions = db.all("SELECT name FROM permissions", &[], |row| row::permission_name(row, 0));
    Ok(Known { groups, permissions: permissions.await?.into_iter().collect() })
}

async fn seen(db: &Db, ids: Vec<i64>) -> Result<HashMap<UserId, Seen>> {
    let query = "SELECT user_id, seen IS NULL, COALESCE(seen, '{}'), password_is_ours FROM imported_users
        WHERE user_id = ANY($1)";
    let read = |row: &Row| {
        let record = (!row.flag(1)?).then(|| row.object(2).map(Record::from_object)).transpose()?;
        Ok((UserId(row.number_there(0)?), Seen { record, password_is_ours: row.flag(3)? }))
    };
    Ok(db.all(query, params![ids], read).await?.into_iter().collect())
}

/// Ids that are given from now on are higher than this one. A sequence never goes back, so this stands even where the
/// transaction doesn't.
async fn go_on_after(db: &Db, highest: UserId) -> Result<()> {
    let query = "SELECT setval('users_id_seq', $1) FROM users_id_seq
        WHERE $1 > CASE WHEN is_called THEN last_value ELSE last_value - 1 END";
    db.run(query, params![highest.0]).await?;
    Ok(())
}

async fn insert_users(db: &Db, new: &[&IncomingUser], at: Timestamp) -> Result<()> {
    let texts = |text: fn(&IncomingUser) -> &str| -> Vec<String> {
        new.iter().map(|it| sql::without_nul(text(it)).into_owned()).collect()
    };
    let keys = |text: fn(&IncomingUser) -> &str| -> Vec<String> {
        let key = |it: &&IncomingUser| NameKey::of_any(&sql::without_nul(text(it))).as_str().to_owned();
        new.iter().map(key).collect()
    };
    let flags = |flag: fn(&IncomingUser) -> bool| -> Vec<bool> { new.iter().map(|it| flag(it)).collect() };
    let fields = new.iter().map(|it| row::json(&it.user.fields)).collect::<Answer<Vec<String>>>()?;
    let insert =
        "INSERT INTO users (id, username, username_key, email, email_key, first_name, first_name_key,
            last_name, last_name_key, password, password_cost, is_active, is_staff, is_superuser, joined_at,
            last_login_at, fields)
        SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
    let params = params![
        new.iter().map(|it| it.id.0).collect::<Vec<i64>>(),
        texts(|it| &it.user.username),
        texts(|it| it.user.username_key.as_str()),
        texts(|it| &it.user.email),
        texts(|it| it.user.email_key.as_str()),
        texts(|it| &it.user.first_name),
        keys(|it| &it.user.first_name),
        texts(|it| &it.user.last_name),
        keys(|it| &it.user.last_name),
        texts(|it| it.user.password.hash.expose()),
        texts(|it| &it.user.password.cost),
        flags(|it| it.user.is_active),
        flags(|it| it.user.is_staff),
        flags(|it| it.user.is_superuser),
        new.iter().map(|it| it.joined_at.unwrap_or(at).millis()).collect::<Vec<i64>>(),
        new.iter().map(|it| it.last_login_at.map(Timestamp::millis)).collect::<Vec<Option<i64>>>(),
        fields,
    ];
    db.run(insert, params).await?;
    Ok(())
}

/// A group was looked for in this transaction: what is refused now, another one has just done.
fn refused<T>(changed: Changed<T>) -> Answer<T> {
    changed.map_err(|error| StoreError::Unavailable(error.to_string()))
}

async fn take_group(
    db: &Db,
    incoming: &IncomingGroup,
    event: &AuditEvent,
    known: &BTreeSet<PermissionName>,
) -> Result<GroupArrival> {
    let key = incoming.name.key();
    let query = "SELECT id FROM groups WHERE name_key = $1";
    let here = db.first(query, params![key.as_str()], |row| row.number_there(0).map(GroupId)).await?;
    let query = "SELECT permissions FROM imported_groups WHERE name_key = $1";
    let seen = db.first(query, params![key.as_str()], |row| row.text_there(0)).await?;
    let mut edit = incoming.difference(&import::permissions_of_text(seen.as_deref().unwrap_or_default()));
    edit.add.retain(|name| known.contains(name));
    let arrival = match here {
        None if seen.is_some() => return Ok(GroupArrival::Deleted),
        None => {
            refused(groups::create(db, &incoming.name, &edit.add, event.clone()).await?)?;
            GroupArrival::Created
        }
        Some(id) => {
            let change = GroupChange { name: None, permissions: edit };
            let changed = refused(groups::change(db, id, &change, event.clone()).await?)?.event.is_some();
            match (&seen, changed) {
                (None, _) => GroupArrival::Joined,
                (Some(_), true) => GroupArrival::Changed,
                (Some(_), false) => GroupArrival::Unchanged,
            }
        }
    };
    let remember = "INSERT INTO imported_groups (name_key, permissions) VALUES ($1, $2)
        ON CONFLICT (name_key) DO UPDATE SET permissions = excluded.permissions";
    db.run(remember, params![key.as_str(), import::permissions_to_text(&incoming.permissions)]).await?;
    Ok(arrival)
}

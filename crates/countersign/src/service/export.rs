//! Taking people along to elsewhere: everything that is kept of them, a page at a time.

use countersign_core::UserId;
use countersign_store::{AuditEvent, EventKind, ExportedUser};
use serde_json::{Map, Value};

use super::{Error, Service};

/// A user, for whoever takes them along.
#[derive(Clone, PartialEq, Debug)]
pub struct Exported {
    /// The id: the next page is after the last one's.
    pub id: UserId,
    /// Members of a JSON object.
    pub members: Map<String, Value>,
}

impl Service {
    /// The next users after this id, in the order of their ids; none: those were all.
    pub async fn export_users(
        &self,
        after: UserId,
        limit: u32,
        with_hashes: bool,
    ) -> Result<Vec<Exported>, Error> {
        let page = self.timed("export_users", self.store.export_users(after, limit)).await?;
        Ok(page.into_iter().map(|user| exported(user, with_hashes)).collect())
    }

    /// Tells the audit that users are taken along, and whether their password hashes are.
    pub async fn begin_export(&self, with_hashes: bool) -> Result<(), Error> {
        let mut event = AuditEvent::new(EventKind::UsersExported, self.now());
        event.detail.insert("with_password_hashes".to_owned(), with_hashes.into());
        super::audit::log(&event);
        self.store.audit(vec![event]).await?;
        Ok(())
    }
}

fn exported(exported: ExportedUser, with_hashes: bool) -> Exported {
    let ExportedUser { user, password, groups, permissions } = exported;
    let names = |names: Vec<String>| Value::from(names);
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("id", user.id.0.into());
    put("username", user.username.into());
    put("email", user.email.into());
    put("first_name", user.first_name.into());
    put("last_name", user.last_name.into());
    put("is_active", user.is_active.into());
    put("is_staff", user.is_staff.into());
    put("is_superuser", user.is_superuser.into());
    put("joined_at", user.joined_at.to_string().into());
    put("last_login_at", user.last_login_at.map(|moment| moment.to_string()).into());
    put("groups", names(groups));
    put("permissions", names(permissions));
    put("fields", Value::Object(user.fields));
    if with_hashes {
        put("password", password.expose().into());
    }
    Exported { id: user.id, members }
}

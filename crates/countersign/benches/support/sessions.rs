//! Sessions in a store, without a server around it.

use std::collections::BTreeSet;

use countersign::core::name::NameKey;
use countersign::core::session::{Delivery, NewSession, RotationPolicy, Session};
use countersign::core::{Client, Seconds, SessionId, Timestamp};
use countersign::store::sqlite::{Opening, Sqlite};
use countersign::store::{
    AuditEvent, EventKind, Login, NewUser, Password, PasswordHash, Rotate, Rotation, Store,
};
use serde_json::Map;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const POLICY: RotationPolicy =
    RotationPolicy { grace: Seconds(10), refresh_lifetime: Seconds(604_800), leeway: Seconds(10) };

pub struct Sessions {
    runtime: Runtime,
    store: Store,
    due: Vec<Session>,
    _folder: TempDir,
}

impl Sessions {
    /// One user's sessions, so many of them.
    pub fn start(count: u8) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(folder.path().join("countersign.db"), &Opening::server()).unwrap();
        let store = Store::Sqlite(sqlite);
        let now = Timestamp::from_secs(1_794_999_000);
        let hash = PasswordHash::new("a hash");
        let sessions = runtime.block_on(async {
            let user =
                store.create_user(user(&hash), AuditEvent::new(EventKind::UserCreated, now)).await.unwrap();
            let mut sessions = Vec::new();
            for number in 0..count {
                let new = NewSession {
                    id: SessionId::new(now, [number; 10]),
                    user: user.id,
                    delivery: Delivery::Cookie,
                    remember: true,
                    client: Client::default(),
                    // Longer than a benchmark's clock runs.
                    lifetime: Seconds(u32::MAX),
                };
                let session = Session::start(new, &POLICY, now);
                let login = Login {
                    checked: hash.clone(),
                    upgraded: None,
                    replaces: Vec::new(),
                    network: Client::default().network(),
                    wants_rights: None,
                };
                let event = AuditEvent::new(EventKind::Login, now);
                store.start_session(session.clone(), login, event).await.unwrap();
                sessions.push(session);
            }
            sessions
        });
        Self { runtime, store, due: sessions, _folder: folder }
    }

    /// Moves all of them one generation on, at once.
    pub fn rotate(&mut self, now: Timestamp) {
        let Self { runtime, store, due, .. } = self;
        runtime.block_on(async {
            let mut rotations = JoinSet::new();
            for session in due.drain(..) {
                let rotate = Rotate {
                    session: session.id,
                    user: session.user,
                    generation: session.generation,
                    key: None,
                    client: Client::default(),
                    wants_rights: None,
                };
                let store = store.clone();
                rotations.spawn(async move { store.rotate_session(rotate, POLICY, now).await.unwrap() });
            }
            for rotation in rotations.join_all().await {
                if let Rotation::Rotated { session, .. } = rotation {
                    due.push(session);
                }
            }
        });
        assert!(!due.is_empty(), "sessions that are due rotate");
    }
}

fn user(hash: &PasswordHash) -> NewUser {
    NewUser {
        username: "alice".to_owned(),
        username_key: NameKey::of_any("alice"),
        email: String::new(),
        email_key: NameKey::of_any(""),
        first_name: String::new(),
        last_name: String::new(),
        password: Password { hash: hash.clone(), cost: "none".to_owned() },
        is_active: true,
        is_staff: false,
        is_superuser: false,
        fields: Map::new(),
        groups: BTreeSet::new(),
        permissions: BTreeSet::new(),
    }
}

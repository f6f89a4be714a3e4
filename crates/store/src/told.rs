//! What the store itself tells the audit: the ends and answers that it decides, once for both engines.

use countersign_core::session::{EndReason, Session};
use countersign_core::{SessionId, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::{AuditEvent, EventKind, Rotate};

/// A session that a login replaced.
pub(crate) fn replaced(session: SessionId, owner: UserId, login: &AuditEvent) -> AuditEvent {
    let reason = EndReason::Replaced.as_str().into();
    AuditEvent {
        kind: EventKind::SessionEnded,
        user: Some(owner),
        session: Some(session),
        detail: Map::from_iter([("reason".to_owned(), reason)]),
        bucket: None,
        ..login.clone()
    }
}

/// A session that ended when its refresh token was used.
pub(crate) fn ended(rotate: &Rotate, reason: EndReason, now: Timestamp) -> AuditEvent {
    let kind = if reason == EndReason::Theft { EventKind::Theft } else { EventKind::SessionEnded };
    let mut event = brought(kind, rotate, now);
    event.detail.insert("reason".to_owned(), reason.as_str().into());
    event
}

/// An answer without a rotation to another network and another user agent.
///
/// One row however often it happens: whoever can repeat it must not fill the disk.
pub(crate) fn grace_elsewhere(rotate: &Rotate, session: &Session, now: Timestamp) -> AuditEvent {
    let kind = EventKind::GraceElsewhere;
    let bucket = format!("{}/{}/{}", kind.as_str(), session.id, session.generation.0);
    AuditEvent { bucket: Some(bucket), ..brought(kind, rotate, now) }
}

/// A use of a refresh token: who brought which.
fn brought(kind: EventKind, rotate: &Rotate, now: Timestamp) -> AuditEvent {
    let user_agent = rotate.client.user_agent.clone().map_or(Value::Null, Value::from);
    AuditEvent {
        user: Some(rotate.user),
        session: Some(rotate.session),
        ip: rotate.client.ip,
        detail: Map::from_iter([
            ("generation".to_owned(), rotate.generation.0.into()),
            ("user_agent".to_owned(), user_agent),
        ]),
        ..AuditEvent::new(kind, now)
    }
}

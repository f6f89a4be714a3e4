//! A use of a refresh token, in one atomic step.
//!
//! The common case is one `UPDATE` whose `WHERE` is `countersign_core::session`'s rule for it. Only when it finds no
//! row is the row loaded, and the pure rule says why and what follows.

use countersign_core::session::{
    Answer, EndReason, Refusal, ReplayKey, RotationPolicy, Session, Verdict, judge,
};
use countersign_core::{Rights, Timestamp};
use rusqlite::Connection;

use super::Sqlite;
use super::sql::{self, Result};
use super::{audit, people, sessions, users};
use crate::{Rotate, Rotation, StoreError, User, told};

impl Sqlite {
    pub(crate) async fn rotate_session(
        &self,
        rotate: Rotate,
        policy: RotationPolicy,
        now: Timestamp,
    ) -> Result<Rotation> {
        self.write_if_awaited(move |db| {
            let user = users::by_id(db, rotate.user)?;
            let (rights, fit) = people::rights_within(db, rotate.wants_rights, rotate.user)?;
            if let Some(user) = user.as_ref().filter(|user| user.is_active && fit)
                && let Some(session) = advance(db, &rotate, &policy, now)?
            {
                return Ok(Rotation::Rotated { session, user: user.clone(), rights });
            }
            match sessions::by_id(db, rotate.session)? {
                Some(session) if session.user == rotate.user => {
                    let owner = user.map(|user| Owner { user, rights, fit });
                    judged(db, &rotate, session, owner, &policy, now)
                }
                _ => Ok(Rotation::Refused(Refusal::Unknown)),
            }
        })
        .await
    }
}

/// Moves the session one generation on, if it lives and is due: `Session::rotated`, as a statement.
fn advance(
    db: &Connection,
    rotate: &Rotate,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Result<Option<Session>> {
    let update = "UPDATE sessions SET generation = generation + 1, rotated_at = $1,
            refresh_expires_at = CASE WHEN ends_at < $2 THEN ends_at ELSE $2 END,
            ip = $3, user_agent = $4, replay_keys = $5
        WHERE id = $6 AND user_id = $7 AND generation = $8 AND ended_at IS NULL
            AND refresh_expires_at > $9 AND ends_at > $9 AND (rotated_at <= $10 OR rotated_at >= $11)";
    let params = rusqlite::params![
        now.millis(),
        (now + policy.refresh_lifetime).millis(),
        rotate.client.ip.map(|ip| ip.to_string()),
        rotate.client.user_agent,
        rotate.key.as_slice().as_flattened(),
        rotate.session.as_bytes(),
        rotate.user.0,
        rotate.generation.0,
        (now - policy.leeway).millis(),
        (now - policy.grace).millis(),
        (now + policy.grace).millis(),
    ];
    if sql::run(db, update, params)? == 0 {
        return Ok(None);
    }
    // Nobody else writes meanwhile. With RETURNING, SQLite makes a table and drops it for each row, which costs more than
    // looking the row up.
    sessions::by_id(db, rotate.session)
}

/// Whose session it is.
struct Owner {
    user: User,
    rights: Option<Rights>,
    /// Whether there is room for them.
    fit: bool,
}

/// What the rule says of a session that could not just be moved on, and what follows from it.
fn judged(
    db: &Connection,
    rotate: &Rotate,
    session: Session,
    owner: Option<Owner>,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Result<Rotation> {
    if let Err(refusal) = session.liveness(policy.leeway, now) {
        return Ok(Rotation::Refused(refusal));
    }
    let Owner { user, rights, fit } = match owner {
        Some(owner) if owner.user.is_active => owner,
        gone_or_inactive => {
            let reason = gone_or_inactive.map_or(EndReason::UserDeleted, |_| EndReason::UserDeactivated);
            end(db, rotate, reason, now)?;
            return Ok(Rotation::Refused(reason.refusal()));
        }
    };
    match judge(&session, rotate.generation, rotate.key.as_ref(), policy, now) {
        Verdict::Rotate | Verdict::AnswerCurrent(_) if !fit => Ok(Rotation::TooManyRights),
        Verdict::AnswerCurrent(answer) => {
            let session = answered(db, rotate, session, answer, now)?;
            Ok(Rotation::Answered { session, user, rights, answer })
        }
        Verdict::Refuse(refusal) => {
            if refusal == Refusal::Reused {
                end(db, rotate, EndReason::Theft, now)?;
            }
            Ok(Rotation::Refused(refusal))
        }
        Verdict::Rotate => Err(StoreError::Defect("a rotation that was due found no row".to_owned())),
    }
}

/// Does what an answer asks for besides being given: the session as it then is.
fn answered(
    db: &Connection,
    rotate: &Rotate,
    session: Session,
    answer: Answer,
    now: Timestamp,
) -> Result<Session> {
    if rotate.client.differs_from(&session.client) {
        audit::append(db, &told::grace_elsewhere(rotate, &session, now))?;
    }
    match (answer, rotate.key) {
        (Answer::Grace { remember_key: true }, Some(key)) => remember(db, session, key),
        (Answer::Grace { .. } | Answer::TooYoung | Answer::Replay, _) => Ok(session),
    }
}

fn remember(db: &Connection, mut session: Session, key: ReplayKey) -> Result<Session> {
    session.replay_keys.push(key);
    let update = "UPDATE sessions SET replay_keys = $1 WHERE id = $2";
    sql::run(db, update, (session.replay_keys.as_flattened(), session.id.as_bytes()))?;
    Ok(session)
}

fn end(db: &Connection, rotate: &Rotate, reason: EndReason, now: Timestamp) -> Result<()> {
    sessions::end(db, rotate.session, reason, now)?;
    audit::append(db, &told::ended(rotate, reason, now))
}

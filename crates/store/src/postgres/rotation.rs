//! A use of a refresh token.
//!
//! The common case is one `UPDATE` whose `WHERE` is `countersign_core::session`'s rule for it: one round trip, one row,
//! changed in place. Only when it finds no row is the row read, and the pure rule says why. Where something follows from
//! that (a theft ends the session, a key is remembered), the row is locked and judged once more.
//!
//! Where the answer to the `UPDATE` was lost, it is sent again if that can't be taken for theft: within the grace (the
//! same moment is still `now`), or with a key, it is then answered with the generation that the lost one made.

use countersign_core::session::{
    Answer, EndReason, Refusal, ReplayKey, RotationPolicy, Session, Verdict, judge,
};
use countersign_core::{Rights, Timestamp};

use super::Postgres;
use super::sql::{self, Db, Result, params};
use super::work::IfUnknown;
use super::{audit, people, sessions, users};
use crate::row::{self, SESSION_WIDTH, session_columns, user_columns};
use crate::{Rotate, Rotation, StoreError, User, told};

impl Postgres {
    pub(crate) async fn rotate_session(
        &self,
        rotate: Rotate,
        policy: RotationPolicy,
        now: Timestamp,
    ) -> std::result::Result<Rotation, StoreError> {
        let is_answered_again = policy.grace.0 > 0 || rotate.key.is_some();
        let if_unknown = if is_answered_again { IfUnknown::Repeat } else { IfUnknown::Tell };
        let rights = self.rights_of(&rotate).await?;
        let args = (rotate.clone(), rights.clone(), policy, now);
        let rotated = self.statement_if_awaited(args, if_unknown, |db, args| async move {
            let (rotate, rights, policy, now) = &*args;
            if rights.fit
                && let Some((session, user)) = advance(&db, rotate, policy, *now).await?
            {
                return Ok(Some(Rotation::Rotated { session, user, rights: rights.rights.clone() }));
            }
            let found = sessions::with_user(&db, rotate.session).await?;
            Ok(settled(found, rights, rotate, policy, *now))
        });
        if let Some(rotation) = rotated.await? {
            return Ok(rotation);
        }
        self.write_if_awaited((rotate, rights, policy, now), |db, args| async move {
            let (rotate, rights, policy, now) = &*args;
            followed(&db, rights, rotate, policy, *now).await
        })
        .await
    }

    /// What the user may do, if it is asked for: as it stands right before the rotation.
    async fn rights_of(&self, rotate: &Rotate) -> std::result::Result<RightsFound, StoreError> {
        if rotate.wants_rights.is_none() {
            return Ok(RightsFound { rights: None, fit: true });
        }
        self.read((rotate.wants_rights, rotate.user), |db, args| async move {
            let (rights, fit) = people::rights_within(&db, args.0, args.1).await?;
            Ok(RightsFound { rights, fit })
        })
        .await
    }
}

/// What the user may do, if it was asked for, and whether there is room for it.
#[derive(Clone)]
struct RightsFound {
    rights: Option<Rights>,
    fit: bool,
}

/// Moves the session one generation on, if it lives and is due and its user is active: `Session::rotated`, as a
/// statement.
async fn advance(
    db: &Db,
    rotate: &Rotate,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Result<Option<(Session, User)>> {
    let update = concat!(
        "UPDATE sessions SET generation = sessions.generation + 1, rotated_at = $1,
            refresh_expires_at = CASE WHEN sessions.ends_at < $2 THEN sessions.ends_at ELSE $2 END,
            ip = $3, user_agent = $4, replay_keys = $5
        FROM users
        WHERE sessions.id = $6 AND sessions.user_id = $7 AND sessions.generation = $8 AND sessions.ended_at IS NULL
            AND sessions.refresh_expires_at > $9 AND sessions.ends_at > $9
            AND (sessions.rotated_at <= $10 OR sessions.rotated_at >= $11)
            AND users.id = $7 AND users.is_active
        RETURNING ",
        session_columns!(),
        ", ",
        user_columns!()
    );
    let params = params![
        now.millis(),
        (now + policy.refresh_lifetime).millis(),
        rotate.client.ip.map(|ip| ip.to_string()),
        rotate.client.user_agent.as_deref(),
        rotate.key.as_slice().as_flattened(),
        sql::id(rotate.session),
        rotate.user.0,
        rotate.generation.0,
        (now - policy.leeway).millis(),
        (now - policy.grace).millis(),
        (now + policy.grace).millis(),
    ];
    db.first_often(update, params, |row| Ok((row::session(row)?, row::user(row, SESSION_WIDTH)?))).await
}

/// What a session that could not just be moved on says to a token, if nothing follows from it.
#[expect(clippy::match_same_arms, reason = "they come about in different ways")]
fn settled(
    found: Option<(Session, Option<User>)>,
    RightsFound { rights, fit }: &RightsFound,
    rotate: &Rotate,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Option<Rotation> {
    let (session, user) = match found {
        Some((session, user)) if session.user == rotate.user => (session, user),
        _ => return Some(Rotation::Refused(Refusal::Unknown)),
    };
    if let Err(refusal) = session.liveness(policy.leeway, now) {
        return Some(Rotation::Refused(refusal));
    }
    let user = user.filter(|user| user.is_active)?;
    match judge(&session, rotate.generation, rotate.key.as_ref(), policy, now) {
        Verdict::AnswerCurrent(_) | Verdict::Rotate if !fit => Some(Rotation::TooManyRights),
        // The key is to be remembered, or the audit told.
        Verdict::AnswerCurrent(Answer::Grace { remember_key: true }) => None,
        Verdict::AnswerCurrent(_) if rotate.client.differs_from(&session.client) => None,
        Verdict::AnswerCurrent(answer) => {
            Some(Rotation::Answered { session, user, rights: rights.clone(), answer })
        }
        Verdict::Refuse(Refusal::Reused) => None,
        Verdict::Refuse(refusal) => Some(Rotation::Refused(refusal)),
        // It became due, or its user came back, between the statement and now.
        Verdict::Rotate => None,
    }
}

/// The same with the row locked, and with what follows from it.
async fn followed(
    db: &Db,
    found: &RightsFound,
    rotate: &Rotate,
    policy: &RotationPolicy,
    now: Timestamp,
) -> Result<Rotation> {
    let Some(session) = sessions::locked(db, rotate.session).await? else {
        return Ok(Rotation::Refused(Refusal::Unknown));
    };
    let user = users::by_id(db, rotate.user).await?;
    if let Some(rotation) = settled(Some((session.clone(), user.clone())), found, rotate, policy, now) {
        return Ok(rotation);
    }
    let user = match user {
        Some(user) if user.is_active => user,
        gone_or_inactive => {
            let reason = gone_or_inactive.map_or(EndReason::UserDeleted, |_| EndReason::UserDeactivated);
            end(db, rotate, reason, now).await?;
            return Ok(Rotation::Refused(reason.refusal()));
        }
    };
    match judge(&session, rotate.generation, rotate.key.as_ref(), policy, now) {
        Verdict::AnswerCurrent(answer) => {
            let session = answered(db, rotate, session, answer, now).await?;
            Ok(Rotation::Answered { session, user, rights: found.rights.clone(), answer })
        }
        Verdict::Refuse(refusal) => {
            if refusal == Refusal::Reused {
                end(db, rotate, EndReason::Theft, now).await?;
            }
            Ok(Rotation::Refused(refusal))
        }
        Verdict::Rotate => match advance(db, rotate, policy, now).await? {
            Some((session, user)) => Ok(Rotation::Rotated { session, user, rights: found.rights.clone() }),
            None => Err(StoreError::Defect("a rotation that was due found no row".to_owned()).into()),
        },
    }
}

/// Does what an answer asks for besides being given: the session as it then is.
async fn answered(
    db: &Db,
    rotate: &Rotate,
    session: Session,
    answer: Answer,
    now: Timestamp,
) -> Result<Session> {
    if rotate.client.differs_from(&session.client) {
        audit::append(db, &told::grace_elsewhere(rotate, &session, now)).await?;
    }
    match (answer, rotate.key) {
        (Answer::Grace { remember_key: true }, Some(key)) => remember(db, session, key).await,
        (Answer::Grace { .. } | Answer::TooYoung | Answer::Replay, _) => Ok(session),
    }
}

async fn remember(db: &Db, mut session: Session, key: ReplayKey) -> Result<Session> {
    session.replay_keys.push(key);
    let update = "UPDATE sessions SET replay_keys = $1 WHERE id = $2";
    db.run(update, params![session.replay_keys.as_flattened(), sql::id(session.id)]).await?;
    Ok(session)
}

async fn end(db: &Db, rotate: &Rotate, reason: EndReason, now: Timestamp) -> Result<()> {
    sessions::end(db, rotate.session, reason, now).await?;
    audit::append(db, &told::ended(rotate, reason, now)).await
}

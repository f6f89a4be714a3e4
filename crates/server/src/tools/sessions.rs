//! `countersign sessions`: who is signed in, and ending that.

use countersign::core::{SessionId, Timestamp};
use countersign::service::Service;

use super::columns;
use super::users::find;
use crate::outcome::{Failure, say};
use crate::text::escape;

/// Lists a user's live sessions, newest first.
pub(crate) async fn list(service: &Service, username: &str) -> Result<(), Failure> {
    let user = find(service, username).await?;
    let sessions = service.sessions_of(user.id).await?;
    if sessions.is_empty() {
        say(&format!("{} is not signed in anywhere.", escape(&user.username)));
        return Ok(());
    }
    let heads = ["SESSION", "SIGNED IN", "LAST USED", "ENDS", "ADDRESS", "USER AGENT"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let short = |moment: Timestamp| Timestamp::from_secs(moment.secs()).to_string().replace(".000Z", "Z");
    rows.extend(sessions.into_iter().map(|session| {
        let address = session.client.ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
        let agent = session.client.user_agent.as_deref().unwrap_or("-");
        vec![
            session.id.to_string(),
            short(session.created_at),
            short(session.rotated_at),
            short(session.refresh_expires_at),
            address,
            escape(agent),
        ]
    }));
    say(&columns(&rows));
    Ok(())
}

/// Ends a session.
pub(crate) async fn end(service: &Service, session: SessionId) -> Result<(), Failure> {
    service.end_session(session).await.map_err(|error| match error {
        countersign::service::Error::NotFound => Failure::Refused(format!(
            "there is no session {session}; see `countersign sessions list USERNAME`"
        )),
        other => other.into(),
    })?;
    say(&format!("The session {session} has ended."));
    Ok(())
}

/// Ends all sessions of a user.
pub(crate) async fn end_all(service: &Service, username: &str) -> Result<(), Failure> {
    let user = find(service, username).await?;
    let name = escape(&user.username);
    match service.end_sessions_of(user.id).await? {
        0 => say(&format!("{name} was not signed in anywhere.")),
        1 => say(&format!("The session of {name} has ended.")),
        count => say(&format!("{count} sessions of {name} have ended.")),
    }
    Ok(())
}

//! The statement that lists sessions, along their ids, which lie in the order of their birth. Few sessions are kept that
//! don't live, so a page of those that do is a short walk.

use super::{Arg, Statement, one_more};
use crate::SessionFilter;
use crate::row::session_columns;

/// A page, and one row more if there is a next page: a session, and its user's name.
pub(crate) fn page(filter: &SessionFilter) -> Statement {
    let mut page = Statement::default();
    page.push(concat!(
        "SELECT ",
        session_columns!(),
        ", users.username FROM sessions LEFT JOIN users ON users.id = sessions.user_id WHERE TRUE"
    ));
    if let Some(user) = filter.user {
        page.and("sessions.user_id =", Arg::Int(user.0));
    }
    if let Some(after) = filter.after {
        page.and("sessions.id <", Arg::Session(after));
    }
    if let Some(now) = filter.live_at {
        page.push(" AND sessions.ended_at IS NULL");
        page.and("sessions.refresh_expires_at >", Arg::Int(now.millis()));
        page.and("sessions.ends_at >", Arg::Int(now.millis()));
    }
    page.push(" ORDER BY sessions.id DESC LIMIT ");
    page.bind(Arg::Int(one_more(filter.limit)));
    page
}

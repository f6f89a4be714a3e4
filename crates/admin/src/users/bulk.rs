//! One act on several users: each stands or falls by itself, and the page says how each went.

use askama::Template;
use axum::extract::State;
use countersign::core::UserId;
use countersign::service::Error;
use countersign::service::people::People;

use crate::answer::{Answer, Refused, page};
use crate::app::App;
use crate::form::Fields;
use crate::guard::Visit;
use crate::shell::{Frame, Section};
use crate::texts::sentence;
use crate::users;

/// The most users of one act: as many as a page shows, and some.
const USERS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "users/bulk.html")]
struct BulkPage {
    frame: Frame,
    title: &'static str,
    done: usize,
    rows: Vec<Row>,
}

struct Row {
    id: i64,
    /// What went wrong, if something did.
    problem: Option<String>,
}

/// What is done to each.
#[derive(Clone, Copy)]
enum Act {
    On,
    Off,
    EndSessions,
    Unlock,
}

impl Act {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "on" => Some(Self::On),
            "off" => Some(Self::Off),
            "sessions" => Some(Self::EndSessions),
            "unlock" => Some(Self::Unlock),
            _ => None,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::On => "Switch on",
            Self::Off => "Switch off",
            Self::EndSessions => "End sessions",
            Self::Unlock => "Forget failed guesses",
        }
    }

    async fn carry_out(self, people: People<'_>, user: UserId) -> Result<(), Error> {
        match self {
            Self::On => people.set_active(user, true).await.map(drop),
            Self::Off => people.set_active(user, false).await.map(drop),
            Self::EndSessions => people.end_sessions_of(user).await.map(drop),
            Self::Unlock => people.unlock(user).await,
        }
    }
}

/// `POST /admin/users/bulk`.
pub(crate) async fn carry_out(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let act = Act::parse(fields.text("action")).ok_or(Refused::NotFound)?;
    let chosen: Vec<UserId> = fields.all("user").take(USERS_MAX).map(users::id).collect::<Result<_, _>>()?;
    if chosen.is_empty() {
        return Err(Refused::Misfit("Choose some users first.".to_owned()));
    }
    let people = visit.people(&app);
    let mut rows = Vec::new();
    for user in chosen {
        let problem = match act.carry_out(people, user).await {
            Ok(()) => None,
            Err(error @ (Error::Denied(_) | Error::Conflict(_) | Error::NotFound)) => {
                Some(sentence(&error.to_string()))
            }
            Err(error) => return Err(error.into()),
        };
        rows.push(Row { id: user.0, problem });
    }
    let done = rows.iter().filter(|row| row.problem.is_none()).count();
    Ok(page(&BulkPage { frame: Frame::new(&visit, Section::Users), title: act.title(), done, rows }))
}

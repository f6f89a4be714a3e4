//! One user: who they are, what they may do, and what can be done to them.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign::core::{BuiltIn, PermissionName, UserId};
use countersign::service::people::{GroupFilter, PersonChange, SessionFilter, UserDetail};
use countersign::service::{Error, FieldErrors};
use http::StatusCode;

use crate::answer::{Answer, Refused, page_as, see_other};
use crate::app::App;
use crate::fields::{self, FieldInput};
use crate::form::{Fields, Named};
use crate::guard::Visit;
use crate::sessions::SessionView;
use crate::shell::{Frame, Section};
use crate::texts::{Notice, minute, minute_or_never};
use crate::users::{Tag, path, tags};

/// How many groups are offered, and how many sessions are shown.
const GROUPS: u32 = 500;
const SESSIONS: u32 = 5;

#[derive(Template)]
#[template(path = "users/user.html")]
#[expect(clippy::struct_excessive_bools, reason = "many things on a page are so or aren't, each by itself")]
struct UserPage {
    frame: Frame,
    id: i64,
    title: String,
    tags: Vec<Tag>,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    custom: Vec<FieldInput>,
    errors: FieldErrors,
    joined: String,
    last_login: String,
    has_password: bool,
    link_expires: Option<String>,
    failures: u32,
    is_active: bool,
    is_staff: bool,
    is_superuser: bool,
    groups: Vec<Tick>,
    permissions: Vec<Tick>,
    inherited: Vec<String>,
    sessions: Option<Vec<SessionView>>,
    /// Whether the account isn't beyond the one who looks.
    reachable: bool,
    may: May,
}

/// A group or a permission that the user has or could have.
struct Tick {
    value: String,
    name: String,
    hint: String,
    is_on: bool,
    /// Whether the one who looks may give it, or take it.
    is_open: bool,
}

/// What the one who looks may do.
#[expect(clippy::struct_excessive_bools, reason = "many things on a page are so or aren't, each by itself")]
struct May {
    change: bool,
    flags: bool,
    delete: bool,
    link: bool,
    unlock: bool,
    end_sessions: bool,
    see_audit: bool,
}

impl UserPage {
    fn errors_of(&self, field: &str) -> &[String] {
        self.errors.get(field).map_or(&[], Vec::as_slice)
    }

    /// Whether the user has permissions of their own.
    fn has_own(&self) -> bool {
        self.permissions.iter().any(|tick| tick.is_on)
    }
}

/// `GET /admin/users/{id}`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, Named(id): Named<i64>) -> Answer {
    let detail = visit.people(&app).user(UserId(id)).await?;
    let page = shown(&app, &visit, detail, None, FieldErrors::new()).await?;
    Ok(page)
}

/// `POST /admin/users/{id}`: names, address and custom fields. Nothing else of the form is looked at.
pub(crate) async fn change(
    State(app): State<App>,
    visit: Visit,
    Named(id): Named<i64>,
    form: Fields,
) -> Answer {
    let people = visit.people(&app);
    let id = UserId(id);
    let detail = people.user(id).await?;
    let stored = &detail.person.user.fields;
    let custom = match app.service().user_fields().read_texts(fields::texts(&form), Some(stored)) {
        Ok(custom) => custom,
        Err(errors) => return shown(&app, &visit, detail, Some(&form), errors).await,
    };
    let text = |name: &str| Some(form.text(name).to_owned());
    let change = PersonChange {
        username: text("username"),
        email: text("email"),
        first_name: text("first_name"),
        last_name: text("last_name"),
        fields: custom,
        ..PersonChange::default()
    };
    match people.change_user(id, change).await {
        Ok(_) => Ok(see_other(&path(id), app.cookies(), Some(Notice::Saved))),
        Err(Error::InvalidFields(errors)) => shown(&app, &visit, detail, Some(&form), errors).await,
        Err(error) => Err(error.into()),
    }
}

/// The page; with `form`, as it was filled in.
async fn shown(
    app: &App,
    visit: &Visit,
    detail: UserDetail,
    form: Option<&Fields>,
    errors: FieldErrors,
) -> Result<Response, Refused> {
    let UserDetail { person, ceiling, has_password, link_expires_at } = detail;
    let user = &person.user;
    let reachable = visit.actor.may_touch(&person.rights());
    let may_change = reachable && visit.may(BuiltIn::UsersChange);
    let text = |name: &str, kept: &str| form.map_or(kept, |form| form.text(name)).to_owned();
    let custom = app.service().user_fields().iter().map(|spec| {
        let kept = spec.text(spec.shown(&user.fields));
        let text = form.map_or(kept, |form| fields::text(form, spec).to_owned());
        let input = FieldInput::new(spec, text, &errors);
        // One who was there before the field was has no value, and needs none to have something else changed.
        let required = input.required && !spec.shown(&user.fields).is_null();
        FieldInput { read_only: !may_change, required, ..input }
    });
    let sessions = if visit.may(BuiltIn::SessionsView) {
        let now = app.service().now();
        let filter = SessionFilter { user: Some(user.id), live_at: Some(now), after: None, limit: SESSIONS };
        let page = visit.people(app).sessions(filter).await?;
        Some(page.rows.iter().map(|row| SessionView::new(row, now)).collect())
    } else {
        None
    };
    let may = |right| reachable && visit.may(right);
    let page = UserPage {
        frame: Frame::new(visit, Section::Users),
        id: user.id.0,
        title: user.username.clone(),
        tags: tags(user),
        username: text("username", &user.username),
        email: text("email", &user.email),
        first_name: text("first_name", &user.first_name),
        last_name: text("last_name", &user.last_name),
        custom: custom.collect(),
        joined: minute(user.joined_at),
        last_login: minute_or_never(user.last_login_at),
        has_password,
        link_expires: link_expires_at.map(minute),
        failures: ceiling.failures,
        is_active: user.is_active,
        is_staff: user.is_staff,
        is_superuser: user.is_superuser,
        groups: groups(app, visit, &person.groups.keys().map(|id| id.0).collect()).await?,
        permissions: permissions(app, visit, &person.permissions).await?,
        inherited: person.inherited.iter().map(ToString::to_string).collect(),
        sessions,
        reachable,
        may: May {
            change: may_change,
            flags: may_change && visit.actor.is_superuser(),
            delete: may(BuiltIn::UsersDelete),
            link: may(BuiltIn::UsersLink),
            unlock: may(BuiltIn::UsersUnlock),
            end_sessions: may(BuiltIn::SessionsEnd),
            see_audit: visit.may(BuiltIn::AuditView),
        },
        errors,
    };
    Ok(page_as(if page.errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &page))
}

/// The groups that there are, if the one who looks may see them.
async fn groups(app: &App, visit: &Visit, held: &BTreeSet<i64>) -> Result<Vec<Tick>, Refused> {
    if !visit.may(BuiltIn::GroupsView) {
        return Ok(Vec::new());
    }
    let filter = GroupFilter { limit: GROUPS, ..GroupFilter::default() };
    let groups = visit.people(app).groups(filter).await?.rows;
    let tick = |group: &countersign::service::people::Group| {
        let is_on = held.contains(&group.id.0);
        Tick {
            value: group.id.to_string(),
            name: group.name.to_string(),
            hint: String::new(),
            is_on,
            is_open: is_on || visit.actor.may_give_group(&group.name),
        }
    };
    Ok(groups.iter().map(tick).collect())
}

async fn permissions(
    app: &App,
    visit: &Visit,
    held: &BTreeSet<PermissionName>,
) -> Result<Vec<Tick>, Refused> {
    let permissions = visit.people(app).permissions().await?;
    let tick = |permission: &countersign::service::people::Permission| {
        let is_on = held.contains(&permission.name);
        Tick {
            value: permission.name.to_string(),
            name: permission.name.to_string(),
            hint: permission.description.clone(),
            is_on,
            is_open: is_on || visit.actor.may_give(&permission.name),
        }
    };
    Ok(permissions.iter().map(tick).collect())
}

//! The list of users.

use askama::Template;
use axum::extract::State;
use countersign::core::{BuiltIn, GroupId};
use countersign::service::FieldErrors;
use countersign::service::people::{GroupFilter, UserFilter, UserSort};

use crate::answer::{Answer, Refused, page as page_of};
use crate::app::App;
use crate::fields::{self as custom_fields, FieldInput};
use crate::form::Fields;
use crate::guard::Visit;
use crate::list::{Choice, Pager, ROWS, address};
use crate::shell::{Frame, Section};
use crate::texts::{minute, minute_or_never};
use crate::users::{Tag, full_name, tags};

const PATH: &str = "/admin/users";
/// How many custom fields have a column of their own.
const COLUMNS: usize = 3;
/// How many groups one can choose from.
const GROUPS: u32 = 200;

#[derive(Template)]
#[template(path = "users/list.html")]
#[expect(clippy::struct_excessive_bools, reason = "many things on a page are so or aren't, each by itself")]
struct UsersPage {
    frame: Frame,
    search: String,
    status: Vec<Choice>,
    role: Vec<Choice>,
    groups: Vec<Choice>,
    sort: String,
    order: String,
    columns: Vec<Column>,
    /// Those by whose values users are found.
    found_by: Vec<FieldInput>,
    custom: Vec<String>,
    rows: Vec<Row>,
    /// Too many fit the search.
    cut: bool,
    is_asked: bool,
    may_create: bool,
    may_act: bool,
    pager: Pager,
}

/// The head of a column that one can sort by.
struct Column {
    name: &'static str,
    link: String,
    sorted: &'static str,
}

struct Row {
    id: i64,
    username: String,
    email: String,
    name: String,
    tags: Vec<Tag>,
    custom: Vec<String>,
    joined: String,
    last_login: String,
}

/// `GET /admin/users`.
pub(crate) async fn page(State(app): State<App>, visit: Visit, fields: Fields) -> Answer {
    let asked = asked(&fields, &["q", "status", "role", "group", "sort", "order"]);
    let after = fields.text("after");
    let people = visit.people(&app);
    let users = people.users(filter(&app, &fields)?).await?;
    let groups = if visit.may(BuiltIn::GroupsView) {
        people.groups(GroupFilter { limit: GROUPS, ..GroupFilter::default() }).await?.rows
    } else {
        Vec::new()
    };
    let declared = app.service().user_fields();
    let rows = users.page.rows.iter().map(|user| Row {
        id: user.id.0,
        username: user.username.clone(),
        email: user.email.clone(),
        name: full_name(user),
        tags: tags(user),
        custom: declared.iter().take(COLUMNS).map(|spec| spec.text(spec.shown(&user.fields))).collect(),
        joined: minute(user.joined_at),
        last_login: minute_or_never(user.last_login_at),
    });
    let status = [("", "Any"), ("active", "May log in"), ("off", "Switched off")];
    let role = [("", "Any"), ("staff", "Staff"), ("superuser", "Superusers"), ("user", "Not staff")];
    let any = std::iter::once((String::new(), "Any".to_owned()));
    let groups: Vec<_> =
        any.chain(groups.into_iter().map(|group| (group.id.to_string(), group.name.to_string()))).collect();
    let shown = UsersPage {
        frame: Frame::new(&visit, Section::Users),
        search: fields.text("q").to_owned(),
        status: Choice::of(status, fields.text("status")),
        role: Choice::of(role, fields.text("role")),
        groups: if groups.len() > 1 { Choice::of(groups, fields.text("group")) } else { Vec::new() },
        sort: fields.text("sort").to_owned(),
        order: fields.text("order").to_owned(),
        columns: columns(&fields),
        found_by: declared
            .iter()
            .filter(|spec| spec.is_indexed())
            .map(|spec| {
                let text = custom_fields::text(&fields, spec).to_owned();
                FieldInput::new(spec, text, &FieldErrors::new())
            })
            .collect(),
        custom: declared.iter().take(COLUMNS).map(|spec| spec.label.clone()).collect(),
        rows: rows.collect(),
        cut: users.cut,
        is_asked: asked.iter().any(|(_, value)| !value.is_empty()),
        may_create: visit.may(BuiltIn::UsersCreate),
        may_act: [BuiltIn::UsersChange, BuiltIn::UsersUnlock, BuiltIn::SessionsEnd]
            .into_iter()
            .any(|right| visit.may(right)),
        pager: Pager::new(PATH, &asked, after, users.page.next),
    };
    Ok(page_of(&shown))
}

fn filter(app: &App, fields: &Fields) -> Result<UserFilter, Refused> {
    let (is_staff, is_superuser) = match fields.text("role") {
        "staff" => (Some(true), None),
        "superuser" => (None, Some(true)),
        "user" => (Some(false), None),
        _ => (None, None),
    };
    let after = match fields.text("after") {
        "" => None,
        text => Some(text.parse().map_err(|_| Refused::NotFound)?),
    };
    let asked = custom_fields::texts(fields).filter(|(_, text)| !text.is_empty());
    let custom =
        asked.map(|(name, text)| app.service().field_filter(name, text)).collect::<Result<_, _>>()?;
    Ok(UserFilter {
        search: fields.text("q").to_owned(),
        is_active: match fields.text("status") {
            "active" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        is_staff,
        is_superuser,
        group: fields.text("group").parse().ok().map(GroupId),
        fields: custom,
        sort: sort(fields.text("sort")),
        descending: fields.text("order") == "down",
        after,
        limit: ROWS,
    })
}

/// What a query says under these names, and of custom fields.
fn asked<'a>(fields: &'a Fields, names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let custom = fields.iter().filter(|(name, _)| name.starts_with(custom_fields::PREFIX));
    names.iter().map(|name| (*name, fields.text(name))).chain(custom).collect()
}

fn sort(text: &str) -> UserSort {
    match text {
        "email" => UserSort::Email,
        "joined" => UserSort::Joined,
        "login" => UserSort::LastLogin,
        _ => UserSort::Username,
    }
}

/// The heads of the columns: each leads to the list sorted by it, and the one that it is sorted by to its reverse.
fn columns(fields: &Fields) -> Vec<Column> {
    let is_down = fields.text("order") == "down";
    let now = sort(fields.text("sort"));
    let all = [("User name", ""), ("E-mail", "email"), ("Joined", "joined"), ("Last login", "login")];
    let column = |(name, key)| {
        let is_sorted = sort(key) == now;
        // Of times, one wants the latest first.
        let order = match (is_sorted, key) {
            (true, _) => {
                if is_down {
                    ""
                } else {
                    "down"
                }
            }
            (false, "joined" | "login") => "down",
            (false, _) => "",
        };
        let kept = asked(fields, &["q", "status", "role", "group"]);
        let link = address(PATH, &[&kept[..], &[("sort", key), ("order", order)]].concat());
        let sorted = match (is_sorted, is_down) {
            (false, _) => "",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        Column { name, link, sorted }
    };
    all.map(column).into()
}

//! `countersign users`: looking after accounts, as the operator.

use std::collections::BTreeSet;
use std::io::Write;

use countersign::core::name::NameKey;
use countersign::core::{GroupId, PermissionName, Timestamp, UserId};
use countersign::service::people::{Actor, People, PersonChange, PersonToCreate, Wanted};
use countersign::service::{Error, Service};
use countersign::store::{Edit, GroupFilter, User, UserDetail, UserFilter, UserSort};
use serde_json::{Value, json};

use super::{columns, groups};
use crate::cli::people::{DeleteUser, ListUsers, NewUser, SetUser, ShowUser, Sort, UserRights};
use crate::outcome::{Failure, say};
use crate::prompt::{Ask, Terminal};
use crate::text::escape;

/// How many rows are asked for at once.
pub(super) const PAGE: u32 = 500;

/// Lists users, a page at a time.
pub(crate) async fn list(service: &Service, list: &ListUsers) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let group = match &list.group {
        Some(name) => Some(groups::find(&people, name).await?.id),
        None => None,
    };
    let fields = list.fields.iter().map(|(name, text)| service.field_filter(name, text));
    let mut filter = UserFilter {
        search: list.search.clone(),
        is_active: if list.active { Some(true) } else { list.inactive.then_some(false) },
        is_staff: list.staff.then_some(true),
        is_superuser: list.superuser.then_some(true),
        group,
        fields: fields.collect::<Result<_, _>>()?,
        sort: match list.sort {
            Sort::Username => UserSort::Username,
            Sort::Email => UserSort::Email,
            Sort::Joined => UserSort::Joined,
            Sort::LastLogin => UserSort::LastLogin,
        },
        descending: list.descending,
        after: None,
        limit: PAGE,
    };
    let mut left = if list.limit == 0 { u64::MAX } else { list.limit };
    let heads = ["ID", "USER NAME", "E-MAIL", "NAME", "RIGHTS", "JOINED", "LAST LOGIN"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    loop {
        filter.limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let users = people.users(filter.clone()).await?;
        left = left.saturating_sub(users.page.rows.len() as u64);
        for user in &users.page.rows {
            if list.form.json {
                say(&as_json(service, user).to_string());
            } else {
                rows.push(row(user));
            }
        }
        if users.cut {
            tell("The search finds very many: these are some of them. Search for more of the name.");
        }
        filter.after = users.page.next;
        if filter.after.is_none() || left == 0 {
            break;
        }
    }
    if !list.form.json {
        say(&columns(&rows));
        if filter.after.is_some() {
            tell("There are more: --limit 0 lists all.");
        }
    }
    Ok(())
}

/// Shows a user.
pub(crate) async fn show(service: &Service, show: &ShowUser) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let detail = people.user(find(service, &show.user).await?).await?;
    if show.form.json {
        say(&detail_as_json(service, &detail).to_string());
        return Ok(());
    }
    let user = &detail.person.user;
    let yes = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let names = |names: Vec<String>| if names.is_empty() { "-".to_owned() } else { names.join(", ") };
    let mut rows = vec![
        ("id", user.id.to_string()),
        ("user name", user.username.clone()),
        ("e-mail", user.email.clone()),
        ("first name", user.first_name.clone()),
        ("last name", user.last_name.clone()),
        ("may log in", yes(user.is_active)),
        ("staff", yes(user.is_staff)),
        ("superuser", yes(user.is_superuser)),
        ("has a password", yes(detail.has_password)),
        ("open link until", detail.link_expires_at.map_or_else(|| "-".to_owned(), short)),
        ("failed guesses", detail.ceiling.failures.to_string()),
        ("joined", short(user.joined_at)),
        ("last login", user.last_login_at.map_or_else(|| "-".to_owned(), short)),
        ("groups", names(detail.person.groups.values().map(ToString::to_string).collect())),
        ("permissions", names(detail.person.permissions.iter().map(ToString::to_string).collect())),
        ("through groups", names(detail.person.inherited.iter().map(ToString::to_string).collect())),
    ];
    let fields = service.user_fields().shown(&user.fields);
    rows.extend(fields.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (&**name, if value.is_null() { "-".to_owned() } else { text })
    }));
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|(name, value)| vec![name.to_owned(), escape(&value)]).collect();
    say(&columns(&rows));
    Ok(())
}

/// Makes a user who sets a password by a link.
pub(crate) async fn create(service: &Service, new: NewUser) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let wanted = PersonToCreate {
        groups: group_ids(&people, &new.groups).await?,
        permissions: permissions(&new.permissions)?,
        fields: read_fields(service, &new.fields)?,
        username: new.username,
        email: new.email,
        first_name: new.first_name,
        last_name: new.last_name,
        is_staff: new.staff || new.superuser,
        is_superuser: new.superuser,
        ..PersonToCreate::default()
    };
    let user = people.create_user(wanted).await?;
    let name = escape(&user.username);
    if new.no_link {
        say(&format!("The user {name} was created, with the id {}. They have no password yet.", user.id));
        return Ok(());
    }
    tell(&format!("The user {name} was created, with the id {}. They set a password here:", user.id));
    link_of(&people, user.id).await
}

/// Changes a user.
pub(crate) async fn set(service: &Service, set: SetUser) -> Result<(), Failure> {
    let change = PersonChange {
        fields: read_fields(service, &set.fields)?,
        username: set.username,
        email: set.email,
        first_name: set.first_name,
        last_name: set.last_name,
        is_staff: set.staff,
        is_superuser: set.superuser,
        ..PersonChange::default()
    };
    changed(service, &set.user, change).await
}

/// Gives rights to a user.
pub(crate) async fn grant(service: &Service, rights: &UserRights) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let (groups, permissions) =
        (group_ids(&people, &rights.groups).await?, permissions(&rights.permissions)?);
    let change = PersonChange {
        groups: Wanted::Edit(Edit { add: groups, ..Edit::default() }),
        permissions: Wanted::Edit(Edit { add: permissions, ..Edit::default() }),
        ..PersonChange::default()
    };
    changed(service, &rights.user, change).await
}

/// Takes rights from a user.
pub(crate) async fn revoke(service: &Service, rights: &UserRights) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let (groups, permissions) =
        (group_ids(&people, &rights.groups).await?, permissions(&rights.permissions)?);
    let change = PersonChange {
        groups: Wanted::Edit(Edit { remove: groups, ..Edit::default() }),
        permissions: Wanted::Edit(Edit { remove: permissions, ..Edit::default() }),
        ..PersonChange::default()
    };
    changed(service, &rights.user, change).await
}

/// Lets a user log in, or not.
pub(crate) async fn set_active(service: &Service, user: &str, active: bool) -> Result<(), Failure> {
    let id = find(service, user).await?;
    let person = service.people(&Actor::Operator).set_active(id, active).await?;
    let name = escape(&person.user.username);
    say(&if active {
        format!("{name} may log in.")
    } else {
        format!("{name} may not log in any more, and every session of theirs has ended.")
    });
    Ok(())
}

/// Deletes a user, after asking.
pub(crate) async fn delete(service: &Service, delete: &DeleteUser) -> Result<(), Failure> {
    let people = service.people(&Actor::Operator);
    let user = people.user(find(service, &delete.user).await?).await?.person.user;
    let name = escape(&user.username);
    if !delete.yes {
        let mut terminal = Terminal::open().map_err(|_| {
            Failure::Misused("there is no terminal to ask at; --yes deletes without asking".into())
        })?;
        terminal.tell(&format!(
            "{name} (id {}) goes with their names, address, password, fields, groups, permissions and sessions. What \
             the audit says of them stays. To keep them out and keep the account: countersign users deactivate.",
            user.id
        ));
        if terminal.line(&format!("Write {name} to delete them: "))? != user.username {
            return Err(Failure::Refused("nothing was deleted".into()));
        }
    }
    people.delete_user(user.id).await?;
    say(&format!("{name} was deleted."));
    Ok(())
}

/// Prints a link to set a password.
pub(crate) async fn link(service: &Service, user: &str) -> Result<(), Failure> {
    link_of(&service.people(&Actor::Operator), find(service, user).await?).await
}

/// Forgets failed guesses.
pub(crate) async fn unlock(service: &Service, user: &str) -> Result<(), Failure> {
    let id = find(service, user).await?;
    service.people(&Actor::Operator).unlock(id).await?;
    say(
        "The failed guesses are forgotten. What a running server counts by network and name goes by itself within minutes.",
    );
    Ok(())
}

/// The user of this name, or id.
pub(super) async fn find(service: &Service, user: &str) -> Result<UserId, Failure> {
    let Some(id) = user.strip_prefix("id:") else { return Ok(super::users::find(service, user).await?.id) };
    let id = id.parse().map_err(|_| Failure::Misused(format!("{user} is no id; write it as id:42")))?;
    match service.people(&Actor::Operator).user(UserId(id)).await {
        Ok(detail) => Ok(detail.person.user.id),
        Err(Error::NotFound) => Err(Failure::Refused(format!("there is no user with the id {id}"))),
        Err(other) => Err(other.into()),
    }
}

/// The names of permissions, as they were typed.
pub(super) fn permissions(names: &[String]) -> Result<BTreeSet<PermissionName>, Failure> {
    let read = |name: &String| {
        PermissionName::parse(name).map_err(|error| Failure::Misused(format!("{name}: {error}")))
    };
    names.iter().map(read).collect()
}

/// A moment, to the second.
pub(super) fn short(moment: Timestamp) -> String {
    Timestamp::from_secs(moment.secs()).to_string().replace(".000Z", "Z")
}

/// Says what is not the answer.
pub(super) fn tell(sentence: &str) {
    // Where standard error is closed, nobody reads it.
    let _ = writeln!(std::io::stderr(), "{sentence}");
}

async fn group_ids(people: &People<'_>, names: &[String]) -> Result<BTreeSet<GroupId>, Failure> {
    let mut ids = BTreeSet::new();
    for name in names {
        ids.insert(groups::find(people, name).await?.id);
    }
    Ok(ids)
}

async fn changed(service: &Service, user: &str, change: PersonChange) -> Result<(), Failure> {
    let id = find(service, user).await?;
    let person = service.people(&Actor::Operator).change_user(id, change).await?;
    say(&format!("{} is as you said.", escape(&person.user.username)));
    Ok(())
}

async fn link_of(people: &People<'_>, id: UserId) -> Result<(), Failure> {
    let link = people.make_password_link(id).await?;
    // The link alone on standard output, so that it can be piped.
    say(&link.url);
    tell(&format!("It is good once, until {}. Whoever has it sets the password.", short(link.expires_at)));
    Ok(())
}

fn read_fields(
    service: &Service,
    texts: &[(String, String)],
) -> Result<serde_json::Map<String, Value>, Failure> {
    let texts = texts.iter().map(|(name, text)| (&**name, &**text));
    service.user_fields().read_texts(texts, None).map_err(|wrong| Error::InvalidFields(wrong).into())
}

fn row(user: &User) -> Vec<String> {
    let rights = match (user.is_active, user.is_superuser, user.is_staff) {
        (false, ..) => "switched off",
        (true, true, _) => "superuser",
        (true, false, true) => "staff",
        (true, false, false) => "",
    };
    vec![
        user.id.to_string(),
        escape(&user.username),
        escape(&user.email),
        escape(format!("{} {}", user.first_name, user.last_name).trim()),
        rights.to_owned(),
        short(user.joined_at),
        user.last_login_at.map_or_else(|| "never".to_owned(), short),
    ]
}

fn as_json(service: &Service, user: &User) -> Value {
    let mut object = json!({
        "id": user.id.0, "username": user.username, "email": user.email, "first_name": user.first_name,
        "last_name": user.last_name, "is_active": user.is_active, "is_staff": user.is_staff,
        "is_superuser": user.is_superuser, "joined_at": user.joined_at.to_string(),
        "last_login_at": user.last_login_at.map(|at| at.to_string()),
    });
    if let Value::Object(object) = &mut object {
        object.extend(service.user_fields().shown(&user.fields));
    }
    object
}

fn detail_as_json(service: &Service, detail: &UserDetail) -> Value {
    let person = &detail.person;
    let names = |names: Vec<String>| Value::from(names);
    let mut object = as_json(service, &person.user);
    if let Value::Object(object) = &mut object {
        let more = [
            ("groups", names(person.groups.values().map(ToString::to_string).collect())),
            ("permissions", names(person.permissions.iter().map(ToString::to_string).collect())),
            ("permissions_of_groups", names(person.inherited.iter().map(ToString::to_string).collect())),
            ("has_password", detail.has_password.into()),
            ("failed_guesses", detail.ceiling.failures.into()),
            ("link_expires_at", detail.link_expires_at.map(|at| at.to_string()).into()),
        ];
        object.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

/// Whether this is the group's name, in whatever case.
pub(super) fn is_named(name: &str, wanted: &str) -> bool {
    NameKey::of_any(name) == NameKey::of_any(wanted)
}

/// All groups that are asked for, page after page.
pub(super) fn all_groups(search: &str) -> GroupFilter {
    GroupFilter { search: search.to_owned(), after: None, limit: PAGE }
}

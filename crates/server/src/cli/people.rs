//! The commands that look after people: `users`, `groups`, `permissions` and `audit`.

use clap::{Args, Subcommand, ValueEnum};
use countersign::core::Timestamp;

use super::{OnlySettings, field};
use crate::config::SettingFlags;

#[derive(Subcommand)]
pub(crate) enum Users {
    /// Lists users
    List(ListUsers),
    /// Shows all there is to know of a user
    Show(ShowUser),
    /// Makes a user without a password, and prints the link with which they set one
    Create(NewUser),
    /// Changes a user's names, address, flags or custom fields
    Set(SetUser),
    /// Keeps a user from logging in, and ends their sessions
    Deactivate(OneUser),
    /// Lets a user log in again
    Activate(OneUser),
    /// Deletes a user for good
    Delete(DeleteUser),
    /// Gives a user permissions, or puts them into groups
    Grant(UserRights),
    /// Takes permissions from a user, or takes them out of groups
    Revoke(UserRights),
    /// Prints a link with which the user sets a password: good once, for 24 hours
    Link(OneUser),
    /// Forgets the failed guesses at a user's password
    Unlock(OneUser),
}

pub(crate) const USERS_EXAMPLES: &str = "\
A user is named by user name, or by id as id:42.

Examples:
  countersign users list --search ana --json
  countersign users create ben --email ben@example.com --group editors
  countersign users set ben --email ben@example.org --field phone=555-0100
  countersign users grant ben --permission reports.view --group editors
  countersign users deactivate ben
  countersign users link id:42

Lists with --json are one JSON object a line. Everything works beside a running server, which knows
of it within a second; every change is in the audit. Passwords are set by their owners: see link.
Who has the machine may set one all the same, with countersign changepassword.";

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct ListUsers {
    /// Only those whose user name, address or name begins with this, or whose id it is
    #[arg(long, default_value = "")]
    pub(crate) search: String,
    /// Only those who may log in
    #[arg(long, conflicts_with = "inactive")]
    pub(crate) active: bool,
    /// Only those who may not
    #[arg(long)]
    pub(crate) inactive: bool,
    /// Only those who may enter the admin site
    #[arg(long)]
    pub(crate) staff: bool,
    /// Only those who have every right
    #[arg(long)]
    pub(crate) superuser: bool,
    /// Only those in this group
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Only those whose custom field is this; an empty value finds those who have none
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    pub(crate) fields: Vec<(String, String)>,
    /// By what they are sorted
    #[arg(long, value_enum, default_value_t = Sort::Username)]
    pub(crate) sort: Sort,
    /// The last first
    #[arg(long)]
    pub(crate) descending: bool,
    /// At most so many; 0: all
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u64,
    #[command(flatten)]
    pub(crate) form: Form,
}

/// By what users are sorted.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Sort {
    Username,
    Email,
    Joined,
    LastLogin,
}

/// How an answer is shown, and the settings.
#[derive(Args)]
pub(crate) struct Form {
    /// Answers in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct ShowUser {
    /// The user: a user name, or id:42
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Args)]
pub(crate) struct OneUser {
    /// The user: a user name, or id:42
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct NewUser {
    /// The user name
    pub(crate) username: String,
    /// The e-mail address
    #[arg(long, default_value = "")]
    pub(crate) email: String,
    #[arg(long, default_value = "")]
    pub(crate) first_name: String,
    #[arg(long, default_value = "")]
    pub(crate) last_name: String,
    /// May enter the admin site
    #[arg(long)]
    pub(crate) staff: bool,
    /// Has every right
    #[arg(long)]
    pub(crate) superuser: bool,
    /// A group to be in; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// A permission to have; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    pub(crate) permissions: Vec<String>,
    /// A custom field, as the settings declare it; may be repeated
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    pub(crate) fields: Vec<(String, String)>,
    /// Makes no link
    #[arg(long)]
    pub(crate) no_link: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct SetUser {
    /// The user: a user name, or id:42
    pub(crate) user: String,
    /// A new user name
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// A new e-mail address; "" for none
    #[arg(long)]
    pub(crate) email: Option<String>,
    #[arg(long)]
    pub(crate) first_name: Option<String>,
    #[arg(long)]
    pub(crate) last_name: Option<String>,
    /// Whether they may enter the admin site
    #[arg(long, value_name = "true|false")]
    pub(crate) staff: Option<bool>,
    /// Whether they have every right
    #[arg(long, value_name = "true|false")]
    pub(crate) superuser: Option<bool>,
    /// A custom field, as the settings declare it; an empty value clears it; may be repeated
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    pub(crate) fields: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct DeleteUser {
    /// The user: a user name, or id:42
    pub(crate) user: String,
    /// Doesn't ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct UserRights {
    /// The user: a user name, or id:42
    pub(crate) user: String,
    /// A permission; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION", required_unless_present = "groups")]
    pub(crate) permissions: Vec<String>,
    /// A group; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Subcommand)]
pub(crate) enum Groups {
    /// Lists groups
    List(ListGroups),
    /// Shows a group
    Show(ShowGroup),
    /// Makes a group
    Create(NewGroup),
    /// Gives a group another name
    Rename(RenameGroup),
    /// Deletes a group; its members lose what they had through it
    Delete(OneGroup),
    /// Gives permissions to all members of a group
    Grant(GroupRights),
    /// Takes permissions from a group
    Revoke(GroupRights),
}

pub(crate) const GROUPS_EXAMPLES: &str = "\
Examples:
  countersign groups create editors --permission articles.publish
  countersign groups grant editors articles.delete comments.hide
  countersign users grant ana --group editors
  countersign users list --group editors

A permission has to be there first: see countersign permissions --help.";

#[derive(Args)]
pub(crate) struct ListGroups {
    /// Only those whose name begins with this
    #[arg(long, default_value = "")]
    pub(crate) search: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Args)]
pub(crate) struct ShowGroup {
    /// The group's name
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Args)]
pub(crate) struct NewGroup {
    /// The group's name
    pub(crate) group: String,
    /// A permission of its members; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION")]
    pub(crate) permissions: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct RenameGroup {
    /// The group's name
    pub(crate) group: String,
    /// Its new name: programs may go by it, as the claim `groups` does
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct OneGroup {
    /// The group's name
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct GroupRights {
    /// The group's name
    pub(crate) group: String,
    /// The permissions
    #[arg(required = true)]
    pub(crate) permissions: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Subcommand)]
pub(crate) enum Permissions {
    /// Lists the permissions that there are
    List(Form),
    /// Makes a permission, which can then be given to users and groups
    Create(NewPermission),
    /// Deletes a permission: whoever had it has it no more
    Delete(OnePermission),
}

pub(crate) const PERMISSIONS_EXAMPLES: &str = "\
Examples:
  countersign permissions create reports.view \"See the reports\"
  countersign users grant ana --permission reports.view

How a service asks for one: docs/custom-permissions.md";

#[derive(Args)]
pub(crate) struct NewPermission {
    /// Its name, such as reports.view
    pub(crate) name: String,
    /// What it lets one do, for those who give it
    #[arg(default_value = "")]
    pub(crate) description: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct OnePermission {
    /// Its name, such as reports.view
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Lists what happened, newest first
    List(ListAudit),
    /// Lists the kinds of things that can happen
    Kinds(OnlySettings),
}

pub(crate) const AUDIT_EXAMPLES: &str = "\
Examples:
  countersign audit list --user ana --limit 20
  countersign audit list --kind login_failed --kind theft --since 2026-11-01
  countersign audit list --limit 0 --json > audit.jsonl

With --json it is one JSON object a line.";

#[derive(Args)]
pub(crate) struct ListAudit {
    /// Only of this kind, as countersign audit kinds lists them; may be repeated
    #[arg(long = "kind", value_name = "KIND")]
    pub(crate) kinds: Vec<String>,
    /// Only what was done to this user: a user name, or id:42
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Only what this user did: a user name, or id:42
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only what happened then or later: 2026-11-24, or 2026-11-24T08:30:00Z
    #[arg(long, value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Only what happened before: 2026-11-24, or 2026-11-24T08:30:00Z
    #[arg(long, value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
    /// At most so many; 0: all
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u64,
    #[command(flatten)]
    pub(crate) form: Form,
}

/// A moment, or the beginning of a day, in UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    serde_json::from_value(whole.into())
        .map_err(|_| "write a day as 2026-11-24, or a moment as 2026-11-24T08:30:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_or_a_time_of_it() {
        assert_eq!(moment("2026-11-24").unwrap(), moment("2026-11-24T00:00:00Z").unwrap());
        assert_eq!(moment("2026-11-24T01:00:00+01:00").unwrap(), moment("2026-11-24").unwrap());
        for text in ["", "yesterday", "2026-13-01", "2026-11-24 08:30", "2026-11-24T08:30:00"] {
            assert!(moment(text).is_err_and(|sentence| sentence.starts_with("write a day")), "{text}");
        }
    }
}

//! The command line: which commands there are, what they take, and what their help teaches.

pub(crate) mod people;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use countersign::core::SessionId;

use crate::config::SettingFlags;

/// Self-hosted authentication for browser apps, mobile and desktop apps.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

const EXAMPLES: &str = "\
Examples:
  countersign demo                         tries it out, with a page on a second origin
  countersign createsuperuser              makes the first user
  countersign serve                        serves http://localhost:8000
  countersign check --deploy               says what isn't fit for production yet
  countersign doctor --spa http://localhost:3000
                                           says what a browser will do with the page there

Each setting of `countersign serve --help` can be given as a flag, as an environment variable
(COUNTERSIGN_LISTEN) or as a line of countersign.toml (listen = \"127.0.0.1:8000\"); the first of
these wins.

Exit codes: 0 done, 1 refused or failed, 2 called or configured wrongly.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves the API; what no command does too
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Serve),
    /// Tries it out: the API, a page on a second origin, a user, and nothing left behind
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Makes a user who has every right
    #[command(after_help = CREATE_EXAMPLES)]
    Createsuperuser(CreateUser),
    /// Makes a user
    #[command(after_help = CREATE_EXAMPLES)]
    Createuser(CreateUser),
    /// Changes a user's password, and ends every session of theirs
    #[command(after_help = PASSWORD_EXAMPLES)]
    Changepassword(ChangePassword),
    /// Shows the settings in force and where each was read; changes nothing
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Says what a browser will do with a page and this API: CORS, cookies, proxy; each problem with its remedy
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// Asks the server that runs with these settings how it is, for a container's health check
    #[command(after_help = HEALTHCHECK_EXAMPLES)]
    Healthcheck(Healthcheck),
    /// Brings the database up to date, as each start does too
    Migrate(OnlySettings),
    /// Carries everything over to another database, PostgreSQL or SQLite, and keeps everyone signed in
    #[command(after_help = COPY_EXAMPLES)]
    Copy(Copy),
    /// Looks after users: finds, makes, changes, switches off and deletes them
    #[command(subcommand, after_help = people::USERS_EXAMPLES)]
    Users(people::Users),
    /// Groups, through which users have permissions
    #[command(subcommand, after_help = people::GROUPS_EXAMPLES)]
    Groups(people::Groups),
    /// Permissions: what your services ask for
    #[command(subcommand, after_help = people::PERMISSIONS_EXAMPLES)]
    Permissions(people::Permissions),
    /// What happened, to whom, by whom
    #[command(subcommand, after_help = people::AUDIT_EXAMPLES)]
    Audit(people::Audit),
    /// The keys that sign access tokens
    #[command(subcommand, after_help = KEYS_EXAMPLES)]
    Keys(Keys),
    /// Who is signed in, and ending that
    #[command(subcommand, after_help = SESSIONS_EXAMPLES)]
    Sessions(Sessions),
    /// Brings people in from another system, with their ids and passwords
    #[command(subcommand)]
    Import(Import),
    /// Writes people out, a line of JSON each
    #[command(subcommand)]
    Export(Export),
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) settings: SettingFlags<true>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  countersign serve
  countersign serve --allowed-origins http://localhost:3000
  COUNTERSIGN_PUBLIC_URL=https://auth.example.com countersign serve --listen 0.0.0.0:8000

Each setting is also an environment variable (COUNTERSIGN_PUBLIC_URL) and a line of countersign.toml
(public_url = \"https://auth.example.com\"). A flag wins over the environment, and that over the file.
SIGTERM and Ctrl-C let the requests under way finish; a second one ends at once.";

#[derive(Args)]
pub(crate) struct DemoArguments {
    /// Keeps the database and the secrets in this folder; else they go with the demo
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The API's port, or the next one that is free; 0 picks any
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// The page's port, or the next one that is free; 0 picks any
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    pub(crate) page_port: u16,
}

const DEMO_EXAMPLES: &str = "\
Examples:
  countersign demo
  countersign demo --data-dir ./demo-data

It reads no configuration: neither the environment nor a file.";

#[derive(Args)]
pub(crate) struct CreateUser {
    /// The user's name; asked for if it isn't given
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// The e-mail address; asked for if it isn't given
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// A custom field, as the settings declare it; those that are required are asked for
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    pub(crate) fields: Vec<(String, String)>,
    /// Asks nothing, and takes the password from COUNTERSIGN_PASSWORD
    #[arg(long)]
    pub(crate) noinput: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

/// `NAME=VALUE`
fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("write the field's name, =, and its value: phone=555-0100")?;
    Ok((name.to_owned(), value.to_owned()))
}

const CREATE_EXAMPLES: &str = "\
Examples:
  countersign createsuperuser
  COUNTERSIGN_PASSWORD=\"$(cat password)\" countersign createuser --noinput --username ana --email a@example.com
  countersign createuser --username ana --field phone=555-0100 --field department=sales

It works beside a running server on the same database.";

#[derive(Args)]
pub(crate) struct ChangePassword {
    /// The user's name
    pub(crate) username: String,
    /// Asks nothing, and takes the password from COUNTERSIGN_PASSWORD
    #[arg(long)]
    pub(crate) noinput: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

const PASSWORD_EXAMPLES: &str = "\
Examples:
  countersign changepassword ana
  COUNTERSIGN_PASSWORD=\"$(cat password)\" countersign changepassword ana

Where COUNTERSIGN_PASSWORD is set, it is the new password; else it is asked for.";

#[derive(Args)]
pub(crate) struct Check {
    /// Lists what isn't fit for production, each with its remedy; exit code 1 if there is anything
    #[arg(long)]
    pub(crate) deploy: bool,
    /// Lists every user whose custom fields don't fit their declarations, not the first few alone
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<true>,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  countersign check
  countersign check --deploy --config /etc/countersign.toml

Where custom user fields are declared and there is a database, it also goes through the users, and
tells of those whose values don't fit (any more). Nothing is changed.";

#[derive(Args)]
pub(crate) struct Doctor {
    /// The page's origin, as the address bar has it: scheme, host and port
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) spa: String,
    /// Where the page finds the API, if not at public_url; or the server behind its proxy, by plain http
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// Answers in JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<true>,
}

const DOCTOR_EXAMPLES: &str = "\
Examples:
  countersign doctor --spa http://localhost:3000
  countersign doctor --spa https://app.example.com --config /etc/countersign.toml
  countersign doctor --spa https://app.example.com --api http://127.0.0.1:8000   past the proxy
  countersign doctor --spa http://localhost:5173 --api http://localhost:5173/api
                                           a dev server that hands /api on

curl and Postman send what they are told. A browser asks first (a preflight), keeps cookies from
pages of other sites, and hides answers that don't name the page. Doctor reads the settings as
`countersign serve` does and tells what a browser makes of them for this page; then it sends the
running server what a browser would send, and reads the answers as one does. Nothing is changed,
here or there. Without a running server the settings alone are judged.

What it knows, at length: docs/works-in-postman-not-in-axios.md

Exit codes: 0 a browser app at that origin will work, 1 it won't, 2 called or configured wrongly.";

#[derive(Args)]
pub(crate) struct Healthcheck {
    /// Asks only whether the process lives (/healthz), not whether it can serve (/readyz)
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

const HEALTHCHECK_EXAMPLES: &str = "\
Examples:
  countersign healthcheck                  whether the database answers, and ends are known
  countersign healthcheck --live           whether the process lives; for what restarts it if not

It asks the address of `listen`, as the environment and countersign.toml have it: a flag that the
server was started with has to be given here too.

Exit codes: 0 it is well, 1 it isn't, 2 called or configured wrongly.";

#[derive(Args)]
pub(crate) struct OnlySettings {
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct Copy {
    /// The database that is, as database_url names it
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// The database that is to be: an empty one, or what an interrupted copy left
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

const COPY_EXAMPLES: &str = "\
Examples:
  countersign copy --from sqlite:./countersign-data/countersign.db --to postgres://owner@db.internal/auth
  countersign copy --from postgres://owner@db.internal/auth --to sqlite:./new/countersign.db

Stop the servers first: what is written to the source meanwhile is found out at the end, and the
copy is refused then. Users, passwords, sessions, groups, permissions, signing keys and the audit
come along, and all of it is compared at the end. A copy that was interrupted goes on when it is
asked for again.

Start the new servers with the secrets of the old ones (root_secret and refresh_token_secret; an
embedded database's lie in its data_dir): then everyone stays signed in.

Exit codes: 0 it is whole, 1 it isn't, 2 called or configured wrongly.";

#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Lists the keys, oldest first, and what each does now
    List(OnlySettings),
    /// Makes a new key: published at once, it signs in ten minutes, when every verifier has seen it
    Rotate(Rotate),
    /// Removes the keys whose last token has died, or those that are named
    Prune(Prune),
    /// Encrypts the stored keys under root_secret, so that its fallbacks can go
    Rewrap(OnlySettings),
}

const KEYS_EXAMPLES: &str = "\
A key is published before it signs, and stays until its last token has died; no one is logged out.

Examples:
  countersign keys rotate                  once in a while
  countersign keys rotate --now            when the active key has leaked; then, with its name:
  countersign keys prune --kid KEY
  countersign keys rewrap                  after root_secret was changed, the old one in root_secret_fallbacks";

#[derive(Args)]
pub(crate) struct Rotate {
    /// It signs from now on, and servers that keep the key set refuse its tokens until they look again
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct Prune {
    /// Removes this key, whatever its state: every token that it signed is refused from then on
    // A key's name may begin with a hyphen.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) kid: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Subcommand)]
pub(crate) enum Sessions {
    /// Lists a user's live sessions, newest first
    List(ListSessions),
    /// Ends a session, or all of a user
    End(EndSessions),
}

const SESSIONS_EXAMPLES: &str = "\
Examples:
  countersign sessions list ana
  countersign sessions end 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061
  countersign sessions end --user ana

A running server knows of it within a second.";

#[derive(Args)]
pub(crate) struct ListSessions {
    /// The user's name
    pub(crate) username: String,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Args)]
pub(crate) struct EndSessions {
    /// The session, as it is listed
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    pub(crate) session: Option<SessionId>,
    /// Ends all sessions of this user
    #[arg(long, value_name = "USERNAME")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

#[derive(Subcommand)]
pub(crate) enum Import {
    /// The users of a Django project, with ids, passwords, groups and permissions
    #[command(after_help = IMPORT_EXAMPLES)]
    Django(ImportDjango),
}

#[derive(Args)]
pub(crate) struct ImportDjango {
    /// The project's database: the path of an SQLite file, or a postgres:// URL; it is only read
    #[arg(long, value_name = "PATH|URL")]
    pub(crate) database: String,
    /// The table of users, where several look like one
    #[arg(long, value_name = "TABLE")]
    pub(crate) user_table: Option<String>,
    /// The column that people log in with, if it is neither username nor email
    #[arg(long, value_name = "COLUMN")]
    pub(crate) username_column: Option<String>,
    /// The column of the e-mail address, if it is not email
    #[arg(long, value_name = "COLUMN")]
    pub(crate) email_column: Option<String>,
    /// Says what would happen, and changes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Doesn't ask whether to go on
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Makes a link to set a password for each user whose old one can't be checked, and writes them to this new file
    /// (rights 0600), a line of JSON each
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(crate) links: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  countersign import django --database /srv/shop/db.sqlite3 --dry-run
  countersign import django --database postgres://shop:secret@db.internal/shop
  countersign import django --database /srv/shop/db.sqlite3 --user-table accounts_member --yes

Ids, password hashes, flags, dates, groups, permissions and memberships come along; columns that
have the name of a declared custom field come into it. Everyone logs in with the old password, which
is then hashed anew. Run it again to bring what has changed there since: what was changed here
meanwhile stays, and a password set here always does.

At length: docs/coming-from-django.md

Exit codes: 0 everyone came, 1 something stays behind (the report says what, and why), 2 called or
configured wrongly.";

#[derive(Subcommand)]
pub(crate) enum Export {
    /// All users, in the order of their ids
    #[command(after_help = EXPORT_EXAMPLES)]
    Users(ExportUsers),
}

#[derive(Args)]
pub(crate) struct ExportUsers {
    /// Writes to this file (rights 0600), which is there when it is whole; else to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Writes the password hashes too: whoever reads them can try passwords
    #[arg(long)]
    pub(crate) with_password_hashes: bool,
    /// Only users whose id is higher: goes on after the last line of an export that broke off
    #[arg(long, value_name = "ID", default_value_t = 0)]
    pub(crate) after: i64,
    #[command(flatten)]
    pub(crate) settings: SettingFlags<false>,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  countersign export users | jq -r .email
  countersign export users --output users.jsonl --with-password-hashes";

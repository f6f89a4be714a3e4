//! The settings, one row each. The flags, the environment's names, the keys of `countersign.toml`, `--help` and
//! `countersign check` all come from these rows, so none of them can disagree with another.
//!
//! A default is read by the same function as what a person writes, so the text of the help is the value in force.

use countersign::core::origin::PublicUrl;
use countersign::settings::Settings;

use super::given::Given;
use super::program::Program;
use super::values::{
    Problem, address, algorithm, claim, cookie_prefix, database, folder, header_name, log_filter, log_format,
    network, number, origin, public_url, same_site, seconds, secret, switch, text, user_fields,
};

/// A heading of the help, and the settings below it.
pub(crate) struct Group {
    pub(crate) heading: &'static str,
    pub(crate) settings: &'static [Setting],
}

/// A row of the table.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// What stands for the value in the help.
    pub(crate) value: &'static str,
    pub(crate) default: Default,
    pub(crate) help: &'static str,
    pub(crate) shape: Shape,
    pub(crate) is_secret: bool,
    pub(super) read: Read,
}

/// What holds where nothing is written.
pub(crate) enum Default {
    /// This text, read like any other.
    Text(&'static str),
    /// A text that depends on the rows before, and how the help puts it.
    Computed(&'static str, fn(&Program) -> String),
    /// Nothing, which means this.
    Unset(&'static str),
}

/// How many values a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    One,
    /// True or false; as a flag it may stand alone.
    Switch,
    List,
    /// A table of TOML.
    Table,
}

/// Where the value goes: to the program around the library, or to the library.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Program(fn(&mut Program, &Given) -> Result<(), Problem>),
    Library(fn(&mut Settings, &Given) -> Result<(), Problem>),
}

use Default::{Computed, Text, Unset};

// A row: name, what stands for the value, default, the field and how it is read, help.
table! {
    "Where it runs":
    listen: "ADDRESS:PORT" = Text("127.0.0.1:8000"), program.listen = one(address),
        "Address and port to serve plain HTTP on; port 0 picks a free one";
    public_url: "URL" = Computed("http://localhost:<port>", default_public_url),
        program.public_url = one(public_url),
        "Where browsers reach the server: https://auth.example.com; also the tokens' iss";
    data_dir: "FOLDER" = Text("./countersign-data"), program.data_dir = one(folder),
        "Holds the embedded database and the generated secrets; only its owner may enter it";
    database_url: "URL" = Computed("sqlite:<data_dir>/countersign.db", default_database),
        program.database = one(database),
        "Where users, sessions and keys are kept: sqlite:PATH, or postgres://… (docs/postgresql.md)";
    metrics_listen: "ADDRESS:PORT" = Unset("no metrics"), program.metrics_listen = optional(address),
        "Address and port to serve GET /metrics (Prometheus) on";

    "Secrets (each 32 bytes or more; one on the command line is seen by every user of this machine)":
    root_secret: "SECRET" = Unset(KEPT), secret.root = some(secret),
        "Encrypts the stored keys; other keys are derived from it; never leaves the servers";
    root_secret_fallbacks: "SECRETS" = Text(""), secret.root_fallbacks = list(secret),
        "Old root secrets, until `countersign keys rewrap` has been run";
    refresh_token_secret: "SECRET" = Unset(KEPT), secret.refresh_token = some(secret),
        "Signs refresh tokens";
    refresh_token_secret_fallbacks: "SECRETS" = Text(""), secret.refresh_token_fallbacks = list(secret),
        "Old ones that are still accepted";
    secret_key: "SECRET" = Unset("with HS256: generated once, kept in data_dir"),
        secret.access = some(secret),
        "Signs access tokens with HS256; shared with whoever verifies them";
    secret_key_fallbacks: "SECRETS" = Text(""), secret.access_fallbacks = list(secret),
        "Old ones that are still accepted";

    "Tokens and sessions":
    access_algorithm: "NAME" = Text("EdDSA"), program.access_algorithm = one(algorithm),
        "Signs access tokens: EdDSA, ES256, RS256 or HS256";
    audience: "NAME" = Unset("the public URL"), library.audience = optional(text),
        "The aud of access tokens";
    access_token_lifetime: "SECONDS" = Text("300"), library.access_token_lifetime = one(seconds),
        "Life of an access token";
    refresh_token_lifetime: "SECONDS" = Text("604800"), library.refresh_token_lifetime = one(seconds),
        "Life of a refresh token, renewed at each rotation: how long a user may stay away";
    session_lifetime: "SECONDS" = Text("2592000"), library.session_lifetime = one(seconds),
        "Life of a session: how long until a user must log in again in any case";
    rotation_grace: "SECONDS" = Text("10"), library.rotation_grace = one(seconds),
        "How long a refresh token stays good after its rotation, for tabs that race";
    leeway: "SECONDS" = Text("10"), library.leeway = one(seconds),
        "Clock skew that is allowed when a token's times are checked";
    liveness_max_age: "SECONDS" = Text("1"), library.liveness_max_age = one(seconds),
        "How old the news of ended sessions may be";
    claims_include: "NAMES" = Text(""), library.claims_include = list(claim),
        "What access tokens carry besides: groups, permissions";

    "Users":
    user_fields: "TABLE" = Text(""), library.user_fields = table(user_fields),
        "Custom fields of users: { phone = { type = \"string\" } }; in the file [user_fields.phone]";

    "Browsers":
    allowed_origins: "ORIGINS" = Text(""), library.allowed_origins = list(origin),
        "Origins of the pages that may call: https://app.example.com,http://localhost:3000";
    native_origins: "ORIGINS" = Text(""), library.native_origins = list(origin),
        "Origins of native shells, which may also have tokens in the body: capacitor://localhost";
    cors_allow_headers: "NAMES" = Text(""), library.cors_allow_headers = list(header_name),
        "More request headers that these origins may send";
    cookie_samesite: "MODE" = Text("Lax"), library.cookies.same_site = one(same_site),
        "Strict, Lax, or None for a page on another site than the API";
    cookie_domain: "DOMAIN" = Unset("none"), library.cookies.domain = optional(text),
        "Widens the CSRF cookie alone, so that pages on sibling hosts can read it";
    cookie_prefix: "MODE" = Text("auto"), library.cookies.prefix = one(cookie_prefix),
        "auto: __Host- on https; none: plain names, for clients that know only those";
    cookie_partitioned: "BOOL" = Text("false"), library.cookies.partitioned = flag(switch),
        "Adds Partitioned beside SameSite=None";
    csrf_cookie_name: "NAME" = Text("csrftoken"), library.cookies.csrf_name = one(text),
        "Renames the CSRF cookie: XSRF-TOKEN, for clients that look for that";
    insecure_http: "BOOL" = Text("false"), library.insecure_http = flag(switch),
        "Allows a plain http public URL on a host that is not loopback";

    "Passwords and guessing":
    login_with_email: "BOOL" = Text("true"), library.login_with_email = flag(switch),
        "Whether a login also takes the e-mail address";
    password_min_length: "CHARACTERS" = Text("15"), library.password_min_length = one(number),
        "The shortest password; 8 at least";
    hashing_threads: "COUNT" = Computed("one a core", cores), library.hashing_threads = one(number),
        "Threads that hash passwords";
    hashing_queue: "COUNT" = Text("64"), library.hashing_queue = one(number),
        "Logins that may wait for each of these threads; more get 503";
    throttle_name_limit: "COUNT" = Text("10"), library.throttle.name_limit = one(number),
        "Failed logins of one name from one network in a window; then 429";
    throttle_network_limit: "COUNT" = Text("100"), library.throttle.network_limit = one(number),
        "Failed logins from one network in a window, over all names";
    throttle_window: "SECONDS" = Text("300"), library.throttle.window = one(seconds),
        "The window";
    throttle_ceiling: "COUNT" = Text("100"), library.throttle.ceiling = one(number),
        "Failed logins of one account in a row, over all networks; then new networks share one try a minute";

    "Operations":
    trusted_proxies: "NETWORKS" = Text(""), library.trusted_proxies = list(network),
        "Proxies whose X-Forwarded-For or Forwarded is believed: 10.0.0.0/8,fd00::/8";
    request_timeout: "SECONDS" = Text("30"), library.request_timeout = one(seconds),
        "A body that isn't read whole by then gets 408";
    max_body: "BYTES" = Text("65536"), library.max_body = one(number),
        "A larger body gets 413";
    audit_retention: "SECONDS" = Text("31536000"), library.audit_retention = one(seconds),
        "How long the audit is kept";
    log_format: "FORMAT" = Computed("pretty on a terminal, else json", default_log_format),
        program.log.format = one(log_format),
        "pretty, or json: one object a line";
    log_level: "LEVEL" = Text("info"), program.log.filter = one(log_filter),
        "error, warn, info, debug or trace; for one part, info,countersign::http=debug";
}

const KEPT: &str = "generated once, kept in data_dir";

/// All rows.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|group| group.settings)
}

/// The row of a name.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name == name)
}

impl Setting {
    /// `--access-token-lifetime`
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// `COUNTERSIGN_ACCESS_TOKEN_LIFETIME`
    pub(crate) fn variable(&self) -> String {
        format!("{}{}", super::environment::PREFIX, self.name.to_ascii_uppercase())
    }
}

impl Default {
    /// As the help puts it; empty for an empty list.
    pub(crate) const fn described(&self) -> &'static str {
        match self {
            Text(text) | Computed(text, _) | Unset(text) => text,
        }
    }
}

/// With port 0 the port isn't known before the start; `Config::settings_on` puts it in then.
fn default_public_url(program: &Program) -> String {
    PublicUrl::localhost(Some(program.listen.port()).filter(|port| *port != 0).unwrap_or(80)).to_string()
}

fn default_database(program: &Program) -> String {
    format!("sqlite:{}/countersign.db", program.data_dir.display())
}

fn default_log_format(program: &Program) -> String {
    if program.is_terminal { "pretty" } else { "json" }.to_owned()
}

fn cores(_: &Program) -> String {
    std::thread::available_parallelism().map_or(1, usize::from).to_string()
}

/// Turns the page above into `GROUPS`.
macro_rules! table {
    ($($heading:literal: $(
        $name:ident: $value:literal = $default:expr, $target:ident.$($field:ident).+ = $how:ident($parse:ident),
            $help:literal;
    )+)+) => {
        /// All settings.
        pub(crate) static GROUPS: &[Group] = &[$(Group {
            heading: $heading,
            settings: &[$(Setting {
                name: stringify!($name),
                value: $value,
                default: $default,
                help: $help,
                shape: table!(@shape $how),
                is_secret: table!(@is_secret $target),
                read: table!(@read $target.$($field).+ = $how($parse)),
            }),+],
        }),+];
    };
    (@shape list) => { Shape::List };
    (@shape flag) => { Shape::Switch };
    (@shape table) => { Shape::Table };
    (@shape $one:ident) => { Shape::One };
    (@is_secret secret) => { true };
    (@is_secret $other:ident) => { false };
    (@read library.$($field:ident).+ = $how:ident($parse:ident)) => {
        Read::Library(|settings, given| {
            settings.$($field).+ = given.$how($parse)?;
            Ok(())
        })
    };
    (@read secret.$($field:ident).+ = $how:ident($parse:ident)) => {
        table!(@read program.secrets.$($field).+ = $how($parse))
    };
    (@read program.$($field:ident).+ = $how:ident($parse:ident)) => {
        Read::Program(|program, given| {
            program.$($field).+ = given.$how($parse)?;
            Ok(())
        })
    };
}
use table;

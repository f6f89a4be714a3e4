//! Each setting from each source, and what is said of those that won't do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::rand::SystemRandom;
use clap::{Command, FromArgMatches};
use countersign::core::{Seconds, Secret};
use countersign::settings::ExtraClaim;
use proptest::prelude::*;

use super::*;

/// What is written in each source.
#[derive(Clone, Copy, Default)]
struct Written<'a> {
    flags: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
    file: &'a str,
}

struct Scene(tempfile::TempDir);

impl Written<'_> {
    fn has_data_dir(self) -> bool {
        self.flags.iter().any(|flag| flag.starts_with("--data-dir"))
            || self.environment.iter().any(|(name, _)| *name == "COUNTERSIGN_DATA_DIR")
            || self.file.contains("data_dir =")
    }
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(folder)
    }

    fn load(&self, written: Written<'_>) -> Result<Config, String> {
        self.load_and(Missing::Leave, written)
    }

    fn load_and(&self, missing: Missing, written: Written<'_>) -> Result<Config, String> {
        let command = <SettingFlags<true> as clap::Args>::augment_args(Command::new("test"));
        let matches = command
            .try_get_matches_from(std::iter::once(&"test").chain(written.flags))
            .map_err(|error| error.to_string())?;
        let SettingFlags(flags) = SettingFlags::<true>::from_arg_matches(&matches).unwrap();
        if !written.file.is_empty() {
            fs::write(self.0.path().join("countersign.toml"), written.file).unwrap();
        }
        let mut environment: Vec<_> =
            written.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        if !written.has_data_dir() {
            environment.push(("COUNTERSIGN_DATA_DIR".into(), self.0.path().join("data").into()));
        }
        let surroundings = Surroundings { environment, folder: self.0.path().to_owned(), is_terminal: false };
        #[expect(clippy::disallowed_methods, reason = "a test needs real randomness")]
        let random = SystemRandom::new();
        Config::load(&flags, &surroundings, missing, &random).map_err(|error| error.to_string())
    }
}

fn load(written: Written<'_>) -> Result<Config, String> {
    Scene::new().load(written)
}

fn shown<'a>(config: &'a Config, name: &str) -> (String, &'a Source) {
    let row = config.rows.iter().find(|row| row.setting.name == name).unwrap();
    (row.shown(), &row.source)
}

const SECRET: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA==";
const OLD_SECRET: &str = "b2xkIHNlY3JldCBvbGQgc2VjcmV0IG9sZCBzZWNyZXQ=";

/// A good value of each setting that isn't its default, and what else it needs.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("listen", "0.0.0.0:9000", ""),
    ("public_url", "https://auth.example.com", ""),
    ("data_dir", "/nowhere/data", ""),
    ("database_url", "sqlite:/nowhere/users.db", ""),
    ("metrics_listen", "127.0.0.1:9100", ""),
    ("root_secret", SECRET, ""),
    ("root_secret_fallbacks", SECRET, ""),
    ("refresh_token_secret", SECRET, ""),
    ("refresh_token_secret_fallbacks", SECRET, ""),
    ("secret_key", SECRET, ""),
    ("secret_key_fallbacks", SECRET, ""),
    ("access_algorithm", "ES256", ""),
    ("audience", "https://api.example.com", ""),
    ("access_token_lifetime", "600", ""),
    ("refresh_token_lifetime", "86400", ""),
    ("session_lifetime", "604800", ""),
    ("rotation_grace", "20", ""),
    ("leeway", "5", ""),
    ("liveness_max_age", "2", ""),
    ("claims_include", "groups, permissions", ""),
    ("user_fields", "{ phone = { type = \"string\" } }", ""),
    ("allowed_origins", "https://app.example.com, http://localhost:3000", ""),
    ("native_origins", "capacitor://localhost", ""),
    ("cors_allow_headers", "X-Trace-Id", ""),
    ("cookie_samesite", "Strict", ""),
    ("cookie_domain", "example.com", "public_url = 'https://auth.example.com'"),
    ("cookie_prefix", "none", ""),
    ("cookie_partitioned", "true", "public_url = 'https://auth.example.com'\ncookie_samesite = 'None'"),
    ("csrf_cookie_name", "XSRF-TOKEN", ""),
    ("insecure_http", "true", ""),
    ("login_with_email", "false", ""),
    ("password_min_length", "12", ""),
    ("hashing_threads", "3", ""),
    ("hashing_queue", "32", ""),
    ("throttle_name_limit", "5", ""),
    ("throttle_network_limit", "50", ""),
    ("throttle_window", "600", ""),
    ("throttle_ceiling", "50", ""),
    ("trusted_proxies", "10.0.0.0/8, fd00::/8", ""),
    ("request_timeout", "15", ""),
    ("max_body", "32768", ""),
    ("audit_retention", "86400", ""),
    ("log_format", "pretty", ""),
    ("log_level", "info,countersign::http=debug", ""),
];

#[test]
fn every_setting_has_a_sample() {
    let names: Vec<_> = table::settings().map(|setting| setting.name).collect();
    let samples: Vec<_> = SAMPLES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, samples);
}

#[test]
fn every_setting_is_read_from_every_source() {
    for (name, value, needs) in SAMPLES {
        let setting = table::find(name).unwrap();
        let expected = if setting.is_secret { "set" } else { value };
        let expected = if *name == "log_level" { "info, countersign::http=debug" } else { expected };
        let flag = format!("{}={value}", setting.flag());
        let variable = setting.variable();
        let line = format!("{name} = {value:?}\n{needs}");
        let environment = [(&*variable, *value)];
        let flag = Written { flags: &[&flag], file: needs, ..Written::default() };
        let environment = Written { environment: &environment, file: needs, ..Written::default() };
        let file = Written { file: &line, ..Written::default() };
        for (written, source) in [(flag, "Flag"), (environment, "Environment"), (file, "File")] {
            let config = load(written).unwrap();
            let (shown, from) = shown(&config, name);
            assert_eq!(shown, expected, "{name} from {source}");
            assert!(format!("{from:?}").starts_with(source), "{name}: {from:?}");
        }
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let all = Written {
        flags: &["--leeway=1"],
        environment: &[("COUNTERSIGN_LEEWAY", "2"), ("COUNTERSIGN_MAX_BODY", "2000")],
        file: "leeway = 3\nmax_body = 3000\nrotation_grace = 3",
    };
    let config = load(all).unwrap();
    let settings = config.settings();
    assert_eq!((settings.leeway, settings.max_body, settings.rotation_grace), (Seconds(1), 2000, Seconds(3)));
}

#[test]
fn the_defaults_are_the_librarys() {
    let config = load(Written::default()).unwrap();
    let settings = config.settings();
    let library =
        Settings::new(PublicUrl::localhost(8000), settings.database.clone(), settings.secrets.clone());
    assert_eq!(format!("{settings:?}"), format!("{library:?}"));
    assert!(format!("{:?}", settings.database).ends_with("/data/countersign.db\")"));
    assert_eq!(config.program.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.program.metrics_listen, None);
}

#[test]
fn the_default_public_url_follows_the_port() {
    let config = load(Written { file: "listen = '0.0.0.0:9000'", ..Written::default() }).unwrap();
    assert_eq!(config.settings().public_url.as_str(), "http://localhost:9000");
    let config = load(Written { file: "listen = '127.0.0.1:0'", ..Written::default() }).unwrap();
    assert_eq!(config.settings_on(40123).public_url.as_str(), "http://localhost:40123");
    let config = load(Written { file: "public_url = 'https://a.example'", ..Written::default() }).unwrap();
    assert_eq!(config.settings_on(40123).public_url.as_str(), "https://a.example");
}

#[test]
fn the_file_may_use_tomls_own_types() {
    let config = load(Written {
        file: "leeway = 7\ninsecure_http = true\nclaims_include = ['groups']\nallowed_origins = []",
        ..Written::default()
    })
    .unwrap();
    let settings = config.settings();
    assert_eq!((settings.leeway, settings.insecure_http), (Seconds(7), true));
    assert_eq!(settings.claims_include, [ExtraClaim::Groups]);
}

#[test]
fn custom_fields_are_tables_of_the_file_in_their_order() {
    let file = r#"
        leeway = 5
        [user_fields.zip]
        type = "string"
        pattern = '[0-9]{5}'
        help = "Five digits, \"quoted\"."
        [user_fields.born]
        type = "date"
        default = 2000-01-01
        [user_fields.city]
        type = "enum"
        choices = ["Bern", "Basel"]
        default = "Bern"
    "#;
    let config = load(Written { file, ..Written::default() }).unwrap();
    let fields = &config.settings().user_fields;
    assert_eq!(fields.iter().map(|spec| &*spec.name).collect::<Vec<_>>(), ["zip", "born", "city"]);
    assert_eq!(fields.get("zip").unwrap().help, "Five digits, \"quoted\".");
    assert_eq!(fields.get("born").unwrap().default, Some("2000-01-01".into()));
    // What `check` shows can be written as it stands into the environment, which wins.
    let (text, _) = shown(&config, "user_fields");
    let environment = [("COUNTERSIGN_USER_FIELDS", &*text)];
    let again = load(Written { environment: &environment, ..Written::default() }).unwrap();
    assert_eq!(format!("{:?}", again.settings().user_fields), format!("{fields:?}"));
    let environment = [("COUNTERSIGN_USER_FIELDS", "")];
    let none = load(Written { environment: &environment, file, ..Written::default() }).unwrap();
    assert!(none.settings().user_fields.is_empty());
}

#[test]
fn a_declaration_that_will_not_do_is_told_by_the_name_of_its_field() {
    for (line, part) in [
        ("type = 'text'", "phone: unknown variant `text`"),
        ("type = 'string'\npattern = '('", "phone has a pattern that can't be read"),
        ("type = 'string'\nrequird = true", "phone: unknown field `requird`"),
        ("type = 'string'\nrequired = 'yes'", "phone: invalid type: string"),
        ("type = 'date'\ndefault = 10:00:00", "phone has a default that won't do"),
        ("required = true", "phone: missing field `type`"),
    ] {
        let file = format!("[user_fields.phone]\n{line}");
        let error = load(Written { file: &file, ..Written::default() }).err().unwrap();
        assert!(error.starts_with("user_fields (from ") && error.contains(part), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_list_may_come_flag_by_flag() {
    let flags =
        ["--allowed-origins=https://a.example,https://b.example", "--allowed-origins=https://c.example"];
    let config = load(Written { flags: &flags, ..Written::default() }).unwrap();
    assert_eq!(
        shown(&config, "allowed_origins").0,
        "https://a.example, https://b.example, https://c.example"
    );
}

#[test]
fn a_switch_may_stand_alone_as_a_flag() {
    assert!(
        load(Written { flags: &["--insecure-http"], ..Written::default() }).unwrap().settings().insecure_http
    );
}

#[test]
fn an_empty_variable_means_none_where_there_may_be_none() {
    let environment = [
        ("COUNTERSIGN_METRICS_LISTEN", ""),
        ("COUNTERSIGN_AUDIENCE", ""),
        ("COUNTERSIGN_COOKIE_DOMAIN", ""),
        ("COUNTERSIGN_ALLOWED_ORIGINS", ""),
    ];
    let config = load(Written { environment: &environment, ..Written::default() }).unwrap();
    assert_eq!(config.settings().audience, None);
    assert_eq!(shown(&config, "allowed_origins").0, "none");
}

#[test]
fn the_password_of_the_tools_is_no_setting_and_no_error() {
    assert!(load(Written { environment: &[("COUNTERSIGN_PASSWORD", "x")], ..Written::default() }).is_ok());
    let error = load(Written { file: "password = 'x'", ..Written::default() }).err().unwrap();
    assert!(error.starts_with("password (from ") && error.contains("is not a setting"), "{error}");
}

#[test]
fn a_config_file_that_is_named_must_be_there() {
    let error = load(Written { flags: &["--config=/nowhere/x.toml"], ..Written::default() }).err().unwrap();
    assert!(error.starts_with("/nowhere/x.toml: isn't there"), "{error}");
    let error = load(Written { environment: &[("COUNTERSIGN_CONFIG", "x")], ..Written::default() });
    assert!(error.err().unwrap().ends_with("name the file with the flag --config"));
}

#[test]
fn unknown_names_are_refused_in_the_environment_and_the_file() {
    for (written, start) in [
        (
            Written { environment: &[("COUNTERSIGN_LISTN", "x")], ..Written::default() },
            "COUNTERSIGN_LISTN (from the environment) is not a setting; write COUNTERSIGN_LISTEN",
        ),
        (
            Written { environment: &[("COUNTERSIGN_PORT", "tcp://10.0.0.1:80")], ..Written::default() },
            "COUNTERSIGN_PORT (from the environment) is not a setting; if Kubernetes added it, write \
             enableServiceLinks: false",
        ),
        (Written { file: "[user_field.phone]\ntype = 'string'", ..Written::default() }, "user_field (from "),
        (Written { file: "alowed_origins = 'hunter2'", ..Written::default() }, "alowed_origins (from "),
    ] {
        let error = load(written).err().unwrap();
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains("is not a setting; "), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("10.0.0.1"), "{error}");
    }
}

/// A bad value of each setting that can have one.
const BAD: &[(&str, &str)] = &[
    ("listen", "8000"),
    ("listen", ":8000"),
    ("listen", "auth.example.com:443"),
    ("listen", ""),
    ("public_url", "auth.example.com"),
    ("public_url", "https://auth.example.com/"),
    ("public_url", "http://auth.example.com"),
    ("data_dir", ""),
    ("data_dir", "~/data"),
    ("data_dir", "/var/what?"),
    ("data_dir", "//var/data"),
    ("database_url", "postgres://user:hunter2@db/countersign?sslmode=hunter2"),
    ("database_url", "postgres://user:hunter2@db:hunter2/countersign"),
    ("database_url", "mysql://user:hunter2@db"),
    ("database_url", "sqlite:///var/x.db"),
    ("database_url", "sqlite::memory:"),
    ("database_url", "sqlite:"),
    ("metrics_listen", "9100"),
    ("root_secret", "hunter2"),
    ("root_secret", ""),
    ("refresh_token_secret", "hunter2"),
    ("secret_key", "hunter2"),
    ("refresh_token_secret_fallbacks", "hunter2"),
    ("root_secret_fallbacks", "hunter2"),
    ("access_algorithm", "eddsa"),
    ("access_algorithm", "none"),
    ("access_token_lifetime", "5m"),
    ("access_token_lifetime", "0"),
    ("access_token_lifetime", "-1"),
    ("access_token_lifetime", "+300"),
    ("access_token_lifetime", "4294967296"),
    ("refresh_token_lifetime", "7d"),
    ("session_lifetime", "1e6"),
    ("rotation_grace", "301"),
    ("leeway", "\x1b[31m\nx"),
    ("liveness_max_age", "0"),
    ("claims_include", "roles"),
    ("user_fields", "phone"),
    ("user_fields", "{ phone }"),
    ("user_fields", "{}\nlisten = 1"),
    ("user_fields", "{ phone = \"string\" }"),
    ("user_fields", "{ phone = { type = \"text\" } }"),
    ("user_fields", "{ phone = { type = \"string\", requird = true } }"),
    ("user_fields", "{ email = { type = \"email\" } }"),
    ("allowed_origins", "*"),
    ("allowed_origins", "https://app.example.com/"),
    ("native_origins", "null"),
    ("cors_allow_headers", "*"),
    ("cookie_samesite", "lax"),
    ("cookie_samesite", "None"),
    ("cookie_domain", "example.com"),
    ("cookie_prefix", "__Host-"),
    ("cookie_partitioned", "yes"),
    ("cookie_partitioned", "true"),
    ("csrf_cookie_name", "a=b"),
    ("csrf_cookie_name", ""),
    ("insecure_http", "1"),
    ("login_with_email", "True"),
    ("password_min_length", "7"),
    ("hashing_threads", "0"),
    ("hashing_queue", "many"),
    ("throttle_name_limit", "0"),
    ("throttle_network_limit", "-1"),
    ("throttle_window", "0"),
    ("throttle_ceiling", "0"),
    ("trusted_proxies", "10.0.0.0/33"),
    ("trusted_proxies", "proxy.internal"),
    ("request_timeout", "0"),
    ("max_body", "64K"),
    ("max_body", "16777217"), // attack 115
    ("audit_retention", "0"),
    ("log_format", "xml"),
    ("log_level", "verbose"),
    ("log_level", "info,countersign"),
    ("log_level", "info,=debug"),
    ("log_level", "99"),
];

/// How an error says what to do.
const REMEDIES: &[&str] = &[
    "write ",
    "make one with: ",
    "must be ",
    "needs an https",
    "is for cookie_samesite",
    "takes letters",
    "list each origin",
    "serve the page from",
];

#[test]
fn every_error_names_the_setting_where_it_was_read_and_what_to_write() {
    for (name, value) in BAD {
        let setting = table::find(name).unwrap();
        let scene = Scene::new();
        let line = format!("{name} = {}", toml::Value::from(*value));
        let file = scene.0.path().join("countersign.toml").display().to_string();
        let flag = format!("{}={value}", setting.flag());
        let variable = setting.variable();
        let environment = [(&*variable, *value)];
        for (written, source) in [
            (Written { flags: &[&flag], ..Written::default() }, &setting.flag()),
            (Written { environment: &environment, ..Written::default() }, &variable),
            (Written { file: &line, ..Written::default() }, &file),
        ] {
            let error = scene.load(written).err().unwrap_or_else(|| panic!("{name} took {value:?}"));
            assert!(error.starts_with(&format!("{name} (from {source}): ")), "{error}");
            assert!(REMEDIES.iter().any(|remedy| error.contains(remedy)), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}

#[test]
fn a_secret_of_any_source_is_never_shown() {
    for (name, ..) in SAMPLES.iter().filter(|(name, ..)| table::find(name).unwrap().is_secret) {
        let setting = table::find(name).unwrap();
        let flag = format!("{}={SECRET}", setting.flag());
        let config = load(Written { flags: &[&flag], ..Written::default() }).unwrap();
        assert_eq!(shown(&config, name).0, "set");
        assert!(!format!("{:?}", config.settings()).contains(SECRET));
        // A second one that is equal is told of, not shown.
        let other = if name.starts_with("root") { "refresh_token_secret" } else { "root_secret" };
        let line = format!("{other} = '{SECRET}'\nsecret_key = '{OLD_SECRET}'");
        if let Err(error) = load(Written { flags: &[&flag], file: &line, ..Written::default() }) {
            assert!(error.contains("is the same as") && !error.contains(SECRET), "{error}");
        }
    }
}

#[test]
fn no_line_of_a_broken_file_is_quoted() {
    for file in [
        "root_secret = \"hunter2",
        "root_secret = hunter2",
        "root_secret = 'hunter2'\nroot_secret = 'hunter2'",
        "[root_secret]\nhunter2 = 1",
        "root_secret = 2026-11-24",
        "allowed_origins = [['hunter2']]",
        "leeway = ['hunter2']",
        "\u{0}hunter2",
    ] {
        let error = load(Written { file, ..Written::default() }).err().unwrap();
        assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        assert!(error.contains("countersign.toml"), "{error}");
    }
}

/// Something that somebody may write: any text, or what resembles a value.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        r"\PC{0,40}",
        r"[0-9a-z:/.,_*@\[\]'=\n-]{0,40}",
        any::<i64>().prop_map(|number| number.to_string())
    ]
}

proptest! {
    // attack 99
    #[test]
    fn whatever_is_written_a_setting_is_read_or_refused_in_one_sentence(
        (name, ..) in prop::sample::select(SAMPLES), value in anything()
    ) {
        let setting = table::find(name).unwrap();
        let variable = setting.variable();
        let environment = [(&*variable, &*value)];
        let line = format!("{name} = {}", toml::Value::from(&*value));
        for written in [
            Written { environment: &environment, ..Written::default() },
            Written { file: &line, ..Written::default() },
        ] {
            if let Err(error) = load(written) {
                prop_assert!(error.contains(name) && !error.chars().any(char::is_control), "{error:?}");
                prop_assert!(!setting.is_secret || value.len() < 8 || !error.contains(&value), "{error:?}");
            }
        }
    }

    // attack 99
    #[test]
    fn whatever_is_in_the_file_it_is_read_or_refused_in_one_sentence(file in r"(\PC|[\n\[\]='#]){0,80}") {
        if let Err(error) = load(Written { file: &file, ..Written::default() }) {
            prop_assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }
}

#[test]
fn a_file_without_end_is_refused() {
    let file = format!("# {}", "x".repeat(1024 * 1024));
    let error = load(Written { file: &file, ..Written::default() }).err().unwrap();
    assert!(error.ends_with("is over 1 MiB, which no configuration is"), "{error}");
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let value = std::ffi::OsString::from_vec(vec![0xff]);
    let surroundings = Surroundings {
        environment: vec![("COUNTERSIGN_ROOT_SECRET".into(), value)],
        folder: "/nowhere".into(),
        is_terminal: false,
    };
    let error = Sources::read(&Flags::default(), &surroundings).err().unwrap().to_string();
    assert_eq!(error, "root_secret (from COUNTERSIGN_ROOT_SECRET): is not UTF-8; write it in UTF-8");
}

#[test]
fn hs256_alone_needs_a_secret_key() {
    let config = load(Written::default()).unwrap();
    assert!(config.settings().secrets.access.is_none());
    let config = load(Written { file: "access_algorithm = 'HS256'", ..Written::default() }).unwrap();
    assert!(config.settings().secrets.access.is_some());
    assert!(matches!(shown(&config, "secret_key").1, Source::ToBeMade(_)));
}

#[test]
fn a_data_dir_that_others_may_enter_is_refused_by_name() {
    let scene = Scene::new();
    let data = scene.0.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let error = scene.load(Written::default()).err().unwrap();
    assert!(error.starts_with("data_dir (from COUNTERSIGN_DATA_DIR): "), "{error}");
    assert!(error.ends_with(&format!("run: chmod go= {}", data.display())), "{error}");
}

#[test]
fn a_start_makes_the_secrets_and_a_check_finds_them() {
    let scene = Scene::new();
    let checked = scene.load(Written::default()).unwrap();
    assert!(matches!(shown(&checked, "root_secret"), (text, Source::ToBeMade(_)) if text == "not set yet"));
    assert!(!scene.0.path().join("data").exists());
    let started = scene.load_and(Missing::Make, Written::default()).unwrap();
    let checked = scene.load(Written::default()).unwrap();
    assert!(matches!(shown(&checked, "root_secret"), (text, Source::Kept(_)) if text == "set"));
    assert_eq!(started.settings().secrets.root.current, checked.settings().secrets.root.current);
    assert_ne!(started.settings().secrets.root.current, started.settings().secrets.refresh_token.current);
}

#[test]
fn a_secret_that_is_written_wins_over_the_one_that_is_kept() {
    let scene = Scene::new();
    scene.load_and(Missing::Make, Written::default()).unwrap();
    let config =
        scene.load(Written { environment: &[("COUNTERSIGN_ROOT_SECRET", SECRET)], ..Written::default() });
    assert_eq!(config.unwrap().settings().secrets.root.current, Secret::new(SECRET));
}

#[test]
fn a_secret_that_is_lost_beside_its_database_is_not_made_anew() {
    let scene = Scene::new();
    let data = scene.0.path().join("data");
    scene.load_and(Missing::Make, Written::default()).unwrap();
    fs::write(data.join("countersign.db"), "not empty").unwrap();
    for name in ["root_secret", "refresh_token_secret"] {
        let kept = fs::read(data.join(name)).unwrap();
        fs::remove_file(data.join(name)).unwrap();
        for missing in [Missing::Make, Missing::Leave] {
            let error = scene.load_and(missing, Written::default()).err().unwrap();
            assert!(error.starts_with(&format!("{name} (default): ")), "{error}");
            assert!(error.contains("put it back from a backup"), "{error}");
        }
        fs::write(data.join(name), kept).unwrap();
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let hs256 = Written { file: "access_algorithm = 'HS256'", ..Written::default() };
    assert!(scene.load_and(Missing::Make, hs256).is_ok());
}

#[test]
fn an_empty_secrets_file_is_an_error() {
    let scene = Scene::new();
    scene.load_and(Missing::Make, Written::default()).unwrap();
    fs::write(scene.0.path().join("data/root_secret"), "").unwrap();
    let error = scene.load(Written::default()).err().unwrap();
    assert!(error.contains("holds no secret") && error.contains("backup"), "{error}");
}

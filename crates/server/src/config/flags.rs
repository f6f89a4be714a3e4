//! The settings as flags of the command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::given::Given;
use super::table::{Default, GROUPS, Setting, Shape, find, settings};

/// What was written on the command line. `ALL` says whether the help shows every setting; that of a tool shows those
/// that find the database, though it takes them all.
#[derive(Clone)]
pub(crate) struct SettingFlags<const ALL: bool>(pub(crate) Flags);

/// The flags, whichever command they came with.
#[derive(Clone, std::default::Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(super) config: Option<PathBuf>,
    pub(super) given: Vec<(&'static Setting, Given)>,
}

const OF_A_TOOL: [&str; 2] = ["data_dir", "database_url"];

impl Flags {
    /// As if `--name text` had been written.
    pub(crate) fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        let given = Given::Text(text.into());
        self.given.extend(find(name).map(|setting| (setting, given)));
        self
    }
}

impl<const ALL: bool> Args for SettingFlags<ALL> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("The configuration file [default: countersign.toml, if it is there]");
        let mut command = command.next_help_heading("Settings").arg(config);
        for group in GROUPS {
            let heading = if ALL { group.heading } else { "Settings" };
            command = command.next_help_heading(heading).args(
                group
                    .settings
                    .iter()
                    .map(|setting| argument(setting).hide(!ALL && !OF_A_TOOL.contains(&setting.name))),
            );
        }
        command.next_help_heading("Options")
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const ALL: bool> FromArgMatches for SettingFlags<ALL> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = settings().filter_map(|setting| {
            let mut texts: Vec<_> =
                matches.get_many::<String>(setting.name)?.cloned().map(Given::Text).collect();
            let given = match texts.pop() {
                Some(only) if texts.is_empty() => only,
                last => Given::Items(
                    texts.iter().chain(&last).flat_map(Given::items).map(str::to_owned).collect(),
                ),
            };
            Some((setting, given))
        });
        Ok(Self(Flags { config: matches.get_one("config").cloned(), given: given.collect() }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &Setting) -> Arg {
    let default = match (&setting.default, setting.default.described()) {
        (_, "") => String::new(),
        (Default::Text(text), _) => format!(" [default: {text}]"),
        (Default::Computed(..) | Default::Unset(_), described) => format!(" [default: {described}]"),
    };
    let argument = Arg::new(setting.name)
        .long(setting.flag().trim_start_matches('-').to_owned())
        .value_name(setting.value)
        .help(format!("{}{default}", setting.help));
    match setting.shape {
        Shape::One | Shape::Table => argument,
        Shape::List => argument.action(ArgAction::Append),
        Shape::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
    }
}

//! From a command line to what it asks for. Here the program is composed: it reads the environment once, and hands
//! it on.

use std::io::IsTerminal;
use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use countersign::core::UserId;
use countersign::service::Service;
use countersign::settings::Database;
use countersign_django::Named;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::cli::people::{Audit, Groups, OneUser, Permissions, Users};
use crate::cli::{
    ChangePassword, Cli, Command, Copy, CreateUser, Doctor, Export, ExportUsers, Healthcheck, Import,
    ImportDjango, Keys, Sessions,
};
use crate::config::{Config, Flags, Log, LogFormat, Missing, Source, Surroundings, environment};
use crate::demo::Demo;
use crate::healthcheck::Question;
use crate::outcome::Failure;
use crate::prompt::{Ask, Terminal};
use crate::tools::{self, audit, copy, export, groups, keys, people, sessions, users};
use crate::{check, demo, doctor, files, healthcheck, import, serve, telemetry};

/// Does what was asked.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    #[expect(clippy::disallowed_methods, reason = "here the program is composed")]
    let environment = std::env::vars_os().collect();
    let is_terminal = std::io::stderr().is_terminal();
    let runner = Runner(Surroundings { environment, folder: PathBuf::new(), is_terminal });
    match cli.command {
        None => runner.serve(&cli.settings.0),
        Some(Command::Serve(serve)) => runner.serve(&serve.settings.0),
        Some(Command::Demo(demo)) => {
            let demo = Demo { data_dir: demo.data_dir, port: demo.port, page_port: demo.page_port };
            block_on(demo::run(demo, &random()))
        }
        Some(Command::Check(check)) => {
            let config = runner.load(&check.settings.0, Missing::Leave)?;
            block_on(check::run(&config, &check::Arguments { deploy: check.deploy, all: check.all }))
        }
        Some(Command::Doctor(Doctor { spa, api, json, settings })) => {
            doctor::run(&runner.load(&settings.0, Missing::Leave)?, &doctor::Arguments { spa, api, json })
        }
        Some(Command::Healthcheck(Healthcheck { live, settings })) => {
            let question = if live { Question::Lives } else { Question::IsReady };
            healthcheck::run(&runner.load(&settings.0, Missing::Leave)?, question)
        }
        Some(Command::Createsuperuser(create)) => runner.create_user(create, true),
        Some(Command::Createuser(create)) => runner.create_user(create, false),
        Some(Command::Changepassword(change)) => runner.change_password(&change),
        Some(Command::Migrate(migrate)) => runner.migrate(&migrate.settings.0),
        Some(Command::Copy(copy)) => runner.copy(&copy),
        Some(Command::Users(command)) => runner.users(command),
        Some(Command::Groups(command)) => runner.groups(command),
        Some(Command::Permissions(command)) => runner.permissions(command),
        Some(Command::Audit(command)) => runner.audit(command),
        Some(Command::Keys(command)) => runner.keys(command),
        Some(Command::Sessions(command)) => runner.sessions(command),
        Some(Command::Import(Import::Django(import))) => runner.import_django(import),
        Some(Command::Export(Export::Users(export))) => runner.export_users(&export),
    }
}

/// What every command needs: the surroundings.
struct Runner(Surroundings);

impl Runner {
    fn serve(&self, flags: &Flags) -> Result<(), Failure> {
        let config = self.load(flags, Missing::Make)?;
        let _written_at_the_end = telemetry::start_beside_requests(&config.program.log, self.0.is_terminal)?;
        files::raise_limit();
        block_on(serve::run(config))
    }

    fn create_user(&self, create: CreateUser, is_superuser: bool) -> Result<(), Failure> {
        let CreateUser { username, email, fields, noinput, settings } = create;
        if noinput {
            let username = username.ok_or_else(|| {
                Failure::Misused("--noinput needs a user name; write it behind --username".into())
            })?;
            let wish = users::Wish { username, email: email.unwrap_or_default(), fields, is_superuser };
            let password = self.password()?;
            return self
                .first_tool(&settings.0, async |service| users::create(service, wish, password).await);
        }
        let mut terminal = Terminal::open()?;
        let login = self.0.variable("USER").or_else(|| self.0.variable("LOGNAME"));
        let known = users::Known { username, email, fields, is_superuser, login };
        self.first_tool(&settings.0, async |service| {
            users::create_asking(service, known, &mut terminal).await
        })
    }

    fn change_password(&self, change: &ChangePassword) -> Result<(), Failure> {
        let username = &change.username;
        if change.noinput || self.0.variable(environment::PASSWORD).is_some() {
            let password = self.password()?;
            return self.tool(&change.settings.0, async |service| {
                users::change_password(service, username, password).await
            });
        }
        let mut terminal = Terminal::open()?;
        self.tool(&change.settings.0, async |service| {
            users::change_password_asking(service, username, &mut terminal).await
        })
    }

    fn keys(&self, command: Keys) -> Result<(), Failure> {
        match command {
            Keys::List(list) => self.tool(&list.settings.0, keys::list),
            Keys::Rotate(rotate) => {
                self.tool(&rotate.settings.0, async |service| keys::rotate(service, rotate.now).await)
            }
            Keys::Prune(prune) => {
                self.tool(&prune.settings.0, async |service| keys::prune(service, &prune.kid).await)
            }
            Keys::Rewrap(rewrap) => self.tool(&rewrap.settings.0, keys::rewrap),
        }
    }

    fn users(&self, command: Users) -> Result<(), Failure> {
        match command {
            Users::List(list) => {
                self.tool(&list.form.settings.0, async |service| people::list(service, &list).await)
            }
            Users::Show(show) => {
                self.tool(&show.form.settings.0, async |service| people::show(service, &show).await)
            }
            Users::Create(new) => {
                let flags = new.settings.0.clone();
                self.first_tool(&flags, async |service| people::create(service, new).await)
            }
            Users::Set(set) => {
                let flags = set.settings.0.clone();
                self.tool(&flags, async |service| people::set(service, set).await)
            }
            Users::Deactivate(OneUser { user, settings }) => {
                self.tool(&settings.0, async |service| people::set_active(service, &user, false).await)
            }
            Users::Activate(OneUser { user, settings }) => {
                self.tool(&settings.0, async |service| people::set_active(service, &user, true).await)
            }
            Users::Delete(delete) => {
                self.tool(&delete.settings.0, async |service| people::delete(service, &delete).await)
            }
            Users::Grant(rights) => {
                self.tool(&rights.settings.0, async |service| people::grant(service, &rights).await)
            }
            Users::Revoke(rights) => {
                self.tool(&rights.settings.0, async |service| people::revoke(service, &rights).await)
            }
            Users::Link(OneUser { user, settings }) => {
                self.tool(&settings.0, async |service| people::link(service, &user).await)
            }
            Users::Unlock(OneUser { user, settings }) => {
                self.tool(&settings.0, async |service| people::unlock(service, &user).await)
            }
        }
    }

    fn groups(&self, command: Groups) -> Result<(), Failure> {
        match command {
            Groups::List(list) => {
                self.tool(&list.form.settings.0, async |service| groups::list(service, &list).await)
            }
            Groups::Show(show) => {
                self.tool(&show.form.settings.0, async |service| groups::show(service, &show).await)
            }
            Groups::Create(new) => {
                self.tool(&new.settings.0, async |service| groups::create(service, &new).await)
            }
            Groups::Rename(rename) => {
                self.tool(&rename.settings.0, async |service| groups::rename(service, &rename).await)
            }
            Groups::Delete(one) => {
                self.tool(&one.settings.0, async |service| groups::delete(service, &one.group).await)
            }
            Groups::Grant(rights) => {
                self.tool(&rights.settings.0, async |service| groups::grant(service, &rights).await)
            }
            Groups::Revoke(rights) => {
                self.tool(&rights.settings.0, async |service| groups::revoke(service, &rights).await)
            }
        }
    }

    fn permissions(&self, command: Permissions) -> Result<(), Failure> {
        match command {
            Permissions::List(form) => {
                self.tool(&form.settings.0, async |service| groups::list_permissions(service, &form).await)
            }
            Permissions::Create(new) => {
                self.tool(&new.settings.0, async |service| groups::create_permission(service, &new).await)
            }
            Permissions::Delete(one) => self
                .tool(&one.settings.0, async |service| groups::delete_permission(service, &one.name).await),
        }
    }

    fn audit(&self, command: Audit) -> Result<(), Failure> {
        match command {
            Audit::List(list) => {
                self.tool(&list.form.settings.0, async |service| audit::list(service, &list).await)
            }
            Audit::Kinds(_) => {
                audit::kinds();
                Ok(())
            }
        }
    }

    fn sessions(&self, command: Sessions) -> Result<(), Failure> {
        match command {
            Sessions::List(list) => {
                self.tool(&list.settings.0, async |service| sessions::list(service, &list.username).await)
            }
            Sessions::End(end) => self.tool(&end.settings.0, async |service| match (end.session, end.user) {
                (Some(session), _) => sessions::end(service, session).await,
                (None, Some(user)) => sessions::end_all(service, &user).await,
                (None, None) => Err(Failure::Misused("name a session, or a user with --user".into())),
            }),
        }
    }

    /// Makes the tables. PostgreSQL's may be made where no secret is; SQLite's lie beside their secrets.
    fn migrate(&self, flags: &Flags) -> Result<(), Failure> {
        let config = match self.load(flags, Missing::Unneeded)? {
            config if matches!(config.settings().database, Database::Postgres(_)) => config,
            _ => self.load(flags, Missing::Make)?,
        };
        self.start_log(&config);
        block_on(tools::migrate(config.settings()))
    }

    fn copy(&self, Copy { from, to, settings }: &Copy) -> Result<(), Failure> {
        let config = self.load(&settings.0, Missing::Unneeded)?;
        self.start_log(&config);
        block_on(copy::run(from, to, &config.settings().user_fields))
    }

    /// It is best the first thing that happens to a database, while all ids are free.
    fn import_django(&self, import: ImportDjango) -> Result<(), Failure> {
        let ImportDjango {
            database,
            user_table,
            username_column,
            email_column,
            dry_run,
            yes,
            links,
            settings,
        } = import;
        let named = Named { user_table, username: username_column, email: email_column };
        let arguments = import::Arguments { database, named, dry_run, yes, links };
        self.first_tool(&settings.0, async |service| {
            let mut terminal = Terminal::open().ok();
            let ask = terminal.as_mut().map(|terminal| terminal as &mut dyn Ask);
            import::run(service, &arguments, ask).await
        })
    }

    fn export_users(&self, export: &ExportUsers) -> Result<(), Failure> {
        let wish = export::Wish {
            output: export.output.clone(),
            with_hashes: export.with_password_hashes,
            after: UserId(export.after),
        };
        self.tool(&export.settings.0, async |service| export::users(service, &wish).await)
    }

    /// A command that works on what a database holds. Where there is none, it was called in the wrong folder: nothing
    /// is made there.
    fn tool(
        &self,
        flags: &Flags,
        work: impl AsyncFnOnce(&Service) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let config = self.load(flags, Missing::Leave)?;
        match &config.settings().database {
            Database::Sqlite(path) if !path.exists() => Err(Failure::Misused(format!(
                "there is no database {}; name the folder of the server's with --data-dir, or make the first user \
                 with countersign createsuperuser",
                path.display()
            ))),
            Database::Sqlite(_) | Database::Postgres(_) => self.first_tool(flags, work),
        }
    }

    /// A command that may be the first one.
    fn first_tool(
        &self,
        flags: &Flags,
        work: impl AsyncFnOnce(&Service) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let config = self.load(flags, Missing::Make)?;
        self.start_log(&config);
        block_on(tools::with_service(&config, work))
    }

    /// The log tells only what went wrong, unless more is asked for.
    fn start_log(&self, config: &Config) {
        let log = match config.rows.source("log_level") {
            Source::Default => {
                Log { format: LogFormat::Pretty, filter: Targets::new().with_default(LevelFilter::WARN) }
            }
            _ => config.program.log.clone(),
        };
        telemetry::start(&log, self.0.is_terminal);
    }

    fn load(&self, flags: &Flags, missing: Missing) -> Result<Config, Failure> {
        Ok(Config::load(flags, &self.0, missing, &random())?)
    }

    fn password(&self) -> Result<String, Failure> {
        self.0.variable(environment::PASSWORD).ok_or_else(|| {
            Failure::Misused(format!("--noinput needs a password; put it into {}", environment::PASSWORD))
        })
    }
}

fn random() -> SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "here the program is composed")]
    SystemRandom::new()
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Runtime::new()?.block_on(work)
}

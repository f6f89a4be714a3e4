//! The secrets: as they were written, or else as they are kept in the data folder.

use std::path::Path;

use aws_lc_rs::rand::SecureRandom;
use countersign::core::Secret;
use countersign::core::jwt::Algorithm;
use countersign::data_dir::{DataDir, DataDirError};
use countersign::settings::{Database, HOW_TO_MAKE, SecretWithFallbacks, Secrets};

use super::error::ConfigError;
use super::program::Program;
use super::rows::Rows;
use super::source::Source;
use super::values::Problem;

/// Whether what is missing is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// Yes: a server or a tool is about to run.
    Make,
    /// No: `check` changes nothing.
    Leave,
    /// No, and it isn't needed: `migrate` only makes tables.
    Unneeded,
}

/// What a secret is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// The database was made with it: one that is missing beside a database is lost.
    OfTheDatabase,
    /// It may be needed for the first time at any start.
    Later,
}

/// All secrets, taken out of what was read. The rows learn where those came from that weren't written.
pub(super) fn obtain(
    program: &mut Program,
    rows: &mut Rows,
    missing: Missing,
    random: &dyn SecureRandom,
) -> Result<Secrets, ConfigError> {
    let given = std::mem::take(&mut program.secrets);
    let vault = Vault { program, missing, random };
    // A folder that others may look into is refused even if nothing is needed from it now.
    DataDir::existing(&program.data_dir).map_err(|error| rows.error("data_dir", error.to_string()))?;
    // Where all secrets are given, the database still needs its folder.
    if missing == Missing::Make
        && matches!(&program.database, Database::Sqlite(file) if file.starts_with(&program.data_dir))
    {
        DataDir::open(&program.data_dir).map_err(|error| rows.error("data_dir", error.to_string()))?;
    }
    let mut kept = |name, given: Option<Secret>, purpose| match given {
        Some(secret) => Ok(secret),
        None => match vault.open(name, purpose) {
            Ok((secret, source)) => {
                rows.set_source(name, &source);
                Ok(secret)
            }
            Err(problem) => Err(rows.error(name, problem)),
        },
    };
    let root = kept("root_secret", given.root, Use::OfTheDatabase)?;
    let refresh_token = kept("refresh_token_secret", given.refresh_token, Use::OfTheDatabase)?;
    let access = match given.access {
        None if program.access_algorithm == Algorithm::Hs256 => Some(kept("secret_key", None, Use::Later)?),
        given => given,
    };
    let with = |current, fallbacks| SecretWithFallbacks { current, fallbacks };
    Ok(Secrets {
        root: with(root, given.root_fallbacks),
        refresh_token: with(refresh_token, given.refresh_token_fallbacks),
        access: access.map(|current| with(current, given.access_fallbacks)),
    })
}

/// The data folder, as the place of secrets.
struct Vault<'a> {
    program: &'a Program,
    missing: Missing,
    random: &'a dyn SecureRandom,
}

impl Vault<'_> {
    /// The secret that is kept, or else a new one.
    fn open(&self, name: &str, purpose: Use) -> Result<(Secret, Source), Problem> {
        let path = self.program.data_dir.join(name);
        if matches!(self.program.database, Database::Postgres(_)) && self.missing != Missing::Unneeded {
            return Err(shared(&path));
        }
        if let Some(secret) = self.kept(name)? {
            return Ok((secret, Source::Kept(path)));
        }
        // Looked at again, since another first start may have made both in between.
        if purpose == Use::OfTheDatabase
            && self.missing != Missing::Unneeded
            && self.database_exists()
            && self.kept(name)?.is_none()
        {
            return Err(lost(&path));
        }
        match self.missing {
            Missing::Make => {
                let made = DataDir::open(&self.program.data_dir)
                    .and_then(|folder| folder.secret(name, self.random))
                    .map_err(problem)?;
                Ok((made, Source::Kept(path)))
            }
            Missing::Leave | Missing::Unneeded => {
                // Stands in for the one that a start would make, so that all else can be checked.
                let mut bytes = vec![0; 48];
                self.random.fill(&mut bytes).map_err(|_| problem(DataDirError::NoRandomness))?;
                Ok((Secret::new(bytes), Source::ToBeMade(path)))
            }
        }
    }

    fn kept(&self, name: &str) -> Result<Option<Secret>, Problem> {
        match DataDir::existing(&self.program.data_dir).map_err(problem)? {
            Some(folder) => folder.kept_secret(name).map_err(problem),
            None => Ok(None),
        }
    }

    fn database_exists(&self) -> bool {
        match &self.program.database {
            Database::Sqlite(path) => std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0),
            Database::Postgres(_) => false,
        }
    }
}

/// A secret that the nodes of a PostgreSQL database share isn't made by one of them.
fn shared(path: &Path) -> Problem {
    let what = "is needed with a PostgreSQL database, the same on each node";
    if path.exists() {
        return format!("{what}; give what is kept in {}, or {HOW_TO_MAKE}", path.display());
    }
    format!("{what}; {HOW_TO_MAKE}")
}

fn lost(path: &Path) -> Problem {
    format!(
        "{} is missing, though there is a database that was made with it; put it back from a backup, or give the \
         secret as it was given before",
        path.display()
    )
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be handed to map_err")]
fn problem(error: DataDirError) -> Problem {
    error.to_string()
}

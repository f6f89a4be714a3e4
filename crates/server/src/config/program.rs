//! What the program around the library is told by its settings.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use countersign::core::Secret;
use countersign::core::jwt::Algorithm;
use countersign::core::origin::PublicUrl;
use countersign::settings::Database;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// The settings that the library isn't told, or only after some thought.
pub(crate) struct Program {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: Log,
    pub(super) public_url: PublicUrl,
    pub(super) database: Database,
    pub(super) access_algorithm: Algorithm,
    pub(super) secrets: GivenSecrets,
    /// Whether a person reads the log as it is written.
    pub(crate) is_terminal: bool,
}

/// How the log is written.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: Targets,
}

/// For whom the log is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    /// A person.
    Pretty,
    /// A machine: one JSON object a line.
    Json,
}

/// The secrets that were written; those that weren't are kept in the data folder.
#[derive(Default)]
pub(super) struct GivenSecrets {
    pub(super) root: Option<Secret>,
    pub(super) root_fallbacks: Vec<Secret>,
    pub(super) refresh_token: Option<Secret>,
    pub(super) refresh_token_fallbacks: Vec<Secret>,
    pub(super) access: Option<Secret>,
    pub(super) access_fallbacks: Vec<Secret>,
}

impl Program {
    /// Before any row was read. Each row has a default, so nothing of this is ever seen.
    pub(super) fn new(is_terminal: bool) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            metrics_listen: None,
            data_dir: PathBuf::new(),
            log: Log { format: LogFormat::Json, filter: Targets::new().with_default(LevelFilter::INFO) },
            public_url: PublicUrl::localhost(80),
            database: Database::Sqlite(PathBuf::new()),
            access_algorithm: Algorithm::EdDsa,
            secrets: GivenSecrets::default(),
            is_terminal,
        }
    }
}

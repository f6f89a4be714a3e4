//! How an embedder, and the program, make a [`Countersign`].

use std::path::PathBuf;
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use countersign_core::Clock;
use countersign_core::fields::UserFields;
use countersign_core::jwt::Algorithm;
use countersign_core::origin::{Origin, OriginError, PublicUrl};
use countersign_store::Store;
#[cfg(feature = "postgres")]
use countersign_store::postgres;
#[cfg(feature = "sqlite")]
use countersign_store::sqlite;
use countersign_verify::SystemClock;

use crate::data_dir::{DataDir, DataDirError};
use crate::embed::Countersign;
use crate::service::copy::{Copied, Progress};
use crate::service::open::StartError;
use crate::service::{Environment, Service};
use crate::settings::{Database, SecretWithFallbacks, Secrets, Settings};

/// The folder of the embedded database and the generated secrets, where none is named.
pub const DEFAULT_DATA_DIR: &str = "./countersign-data";

/// The embedded database's file in the data folder.
pub const DATABASE_FILE: &str = "countersign.db";

/// Makes a [`Countersign`]. Without a word it serves `http://localhost:8000` from `./countersign-data`.
#[must_use]
pub struct Builder {
    base: Base,
    changes: Vec<Change>,
    way: Way,
    environment: Environment,
}

enum Base {
    /// Secrets are generated in the data folder, and the database lies there too.
    Generated { data_dir: PathBuf, public_url: Option<PublicUrl>, algorithm: Algorithm },
    /// All of it is said.
    Said(Box<Settings>),
}

/// What the database is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// To serve from it.
    Serve,
    /// To work on it, beside a server or without one.
    Tool,
    /// To look at it, and change nothing.
    Look,
    /// To bring it up to date, beside a server or without one, however long that takes.
    Migrate,
    /// To read or write all of it, while no server has it.
    Copy,
}

type Change = Box<dyn FnOnce(&mut Settings) + Send>;

/// Why a [`Countersign`] could not be made. Each names the setting, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The data folder can't be used.
    #[error("data_dir: {0}")]
    DataDir(#[from] DataDirError),
    /// The SQLite database can't be opened.
    #[cfg(feature = "sqlite")]
    #[error("database_url: {0}")]
    Database(#[from] sqlite::OpenError),
    /// The PostgreSQL database can't be opened.
    #[cfg(feature = "postgres")]
    #[error("database_url: {0}")]
    Postgres(#[from] postgres::OpenError),
    /// The library was built without the engine of this database.
    #[error(
        "database_url: this program was built without the engine for {0}; turn on its feature of that name"
    )]
    NoEngine(&'static str),
    /// The service could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The default public URL is no URL; a defect.
    #[error("public_url: {0}")]
    PublicUrl(#[from] OriginError),
}

impl Default for Builder {
    #[expect(
        clippy::disallowed_methods,
        reason = "the composition root: this is where randomness comes from"
    )]
    fn default() -> Self {
        let random: Arc<dyn SecureRandom + Send + Sync> = Arc::new(SystemRandom::new());
        Self {
            base: Base::Generated {
                data_dir: DEFAULT_DATA_DIR.into(),
                public_url: None,
                algorithm: Algorithm::EdDsa,
            },
            changes: Vec::new(),
            way: Way::Serve,
            environment: Environment { clock: Arc::new(SystemClock), follows_database: true, random },
        }
    }
}

impl Builder {
    /// Where the embedded database and the generated secrets lie.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        if let Base::Generated { data_dir, .. } = &mut self.base {
            *data_dir = path.into();
        }
        self
    }

    /// Where browsers reach the server; also the `iss`.
    pub fn public_url(mut self, url: &str) -> Result<Self, OriginError> {
        let url = PublicUrl::parse(url)?;
        match &mut self.base {
            Base::Generated { public_url, .. } => *public_url = Some(url),
            Base::Said(settings) => settings.public_url = url,
        }
        Ok(self)
    }

    /// What access tokens are signed with.
    pub fn access_algorithm(mut self, access_algorithm: Algorithm) -> Self {
        match &mut self.base {
            Base::Generated { algorithm, .. } => *algorithm = access_algorithm,
            Base::Said(settings) => settings.access_algorithm = access_algorithm,
        }
        self
    }

    /// Lets a browser app of this origin call.
    pub fn allowed_origin(self, origin: &str) -> Result<Self, OriginError> {
        let origin = Origin::parse(origin)?;
        Ok(self.configure(move |settings| settings.allowed_origins.push(origin)))
    }

    /// Changes any setting.
    pub fn configure(mut self, change: impl FnOnce(&mut Settings) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Takes all settings as they are, secrets and database included. Nothing is generated then.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.base = Base::Said(Box::new(settings));
        self
    }

    /// Works beside a server that has the database: for tools, such as a command line. It may not serve.
    pub fn beside_a_server(mut self) -> Self {
        self.way = Way::Tool;
        self
    }

    /// Looks at a database that is there and up to date, beside a server or without one, and changes nothing of it.
    pub fn looking_only(mut self) -> Self {
        self.way = Way::Look;
        self
    }

    /// Takes the time from this clock. Without a word it is the system's, or with PostgreSQL the database's, so that
    /// all nodes agree.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.environment.clock = clock;
        self.environment.follows_database = false;
        self
    }

    /// Takes randomness from here.
    pub fn random(mut self, random: Arc<dyn SecureRandom + Send + Sync>) -> Self {
        self.environment.random = random;
        self
    }

    /// Opens the database, makes what is missing, and starts what runs beside the requests.
    pub async fn build(self) -> Result<Countersign, BuildError> {
        let mut settings = match self.base {
            Base::Said(settings) => *settings,
            Base::Generated { data_dir, public_url, algorithm } => {
                let public_url = public_url.map_or_else(|| PublicUrl::parse("http://localhost:8000"), Ok)?;
                generated(&DataDir::open(data_dir)?, public_url, algorithm, &*self.environment.random)?
            }
        };
        for change in self.changes {
            change(&mut settings);
        }
        // Before anything is made on disk.
        settings.validate().map_err(StartError::from)?;
        let store = open(&settings.database, &settings.user_fields, self.way).await?;
        let serves = self.way == Way::Serve;
        let service = Service::open(settings, store, self.environment, serves).await?;
        Ok(Countersign::new(service, serves))
    }
}

/// Brings a database up to date, also with what the custom fields ask of it, and does nothing else: it needs no secret, and a server beside it needs no right to
/// change tables.
pub async fn migrate(database: &Database, fields: &UserFields) -> Result<(), BuildError> {
    let store = open(database, fields, Way::Migrate).await?;
    let entered = crate::service::fields::enter_all(&store, fields).await;
    store.close().await;
    Ok(entered.map_err(StartError::from)?)
}

/// Carries everything over from one database to another, which must be empty or the rest of an interrupted copy: see
/// [`mod@crate::service::copy`]. Of an embedded database no server may be running.
pub async fn copy(
    from: &Database,
    to: &Database,
    fields: &UserFields,
    progress: impl FnMut(Progress),
) -> Result<Vec<Copied>, CopyError> {
    let source = open(from, fields, Way::Copy).await.map_err(CopyError::Source)?;
    let copied = match open(to, fields, Way::Copy).await.map_err(CopyError::Target) {
        Ok(target) => {
            let copied = crate::service::copy::copy(&source, &target, &from.to_string(), progress).await;
            target.close().await;
            copied.map_err(CopyError::Copy)
        }
        Err(error) => Err(error),
    };
    source.close().await;
    copied
}

/// Why a database could not be carried over.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source can't be opened.
    #[error("--from: {0}")]
    Source(BuildError),
    /// The target can't be opened.
    #[error("--to: {0}")]
    Target(BuildError),
    /// The copy did not come to its end.
    #[error(transparent)]
    Copy(#[from] crate::service::copy::CopyError),
}

/// Opens a database, and brings it up to date where it can and may.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "PostgreSQL is waited for"))]
async fn open(database: &Database, fields: &UserFields, way: Way) -> Result<Store, BuildError> {
    let fields = Arc::new(fields.clone());
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(path) => {
            let opening = match way {
                Way::Serve | Way::Copy => sqlite::Opening::server(),
                Way::Tool | Way::Migrate => sqlite::Opening::tool(),
                Way::Look => sqlite::Opening::look(),
            };
            let opening = sqlite::Opening { fields, ..opening };
            Ok(Store::Sqlite(sqlite::Sqlite::open(path, &opening)?))
        }
        #[cfg(not(feature = "sqlite"))]
        Database::Sqlite(_) => {
            let (_, _) = (fields, way);
            Err(BuildError::NoEngine("sqlite"))
        }
        #[cfg(feature = "postgres")]
        Database::Postgres(config) => {
            let migration = match way {
                Way::Serve | Way::Tool | Way::Migrate | Way::Copy => postgres::Migration::Apply,
                Way::Look => postgres::Migration::Refuse,
            };
            let usual = postgres::Opening::usual();
            // Whole tables take longer than a request may.
            let patience = match way {
                Way::Migrate | Way::Copy => Duration::from_hours(1),
                Way::Serve | Way::Tool | Way::Look => usual.patience,
            };
            let opening = postgres::Opening { fields, migration, patience };
            Ok(Store::Postgres(postgres::Postgres::open((**config).clone(), &opening).await?))
        }
    }
}

/// The default settings, with the database and the secrets of a data folder.
fn generated(
    data_dir: &DataDir,
    public_url: PublicUrl,
    algorithm: Algorithm,
    random: &dyn SecureRandom,
) -> Result<Settings, DataDirError> {
    let secret = |name| data_dir.secret(name, random).map(SecretWithFallbacks::new);
    let secrets = Secrets {
        root: secret("root_secret")?,
        refresh_token: secret("refresh_token_secret")?,
        access: if algorithm == Algorithm::Hs256 { Some(secret("secret_key")?) } else { None },
    };
    let database = Database::Sqlite(data_dir.path().join(DATABASE_FILE));
    Ok(Settings { access_algorithm: algorithm, ..Settings::new(public_url, database, secrets) })
}

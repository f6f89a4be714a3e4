//! A store in a file that a test can get at.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use countersign_store::Store;
use countersign_store::sqlite::{Opening, Sqlite};
use rusqlite::Connection;

use crate::support::Fixture;

/// A store, and where its file is.
pub(crate) struct Embedded {
    fixture: Fixture,
    path: PathBuf,
}

impl Embedded {
    pub(crate) fn new() -> Self {
        Self::open(&Opening::server())
    }

    pub(crate) fn open(opening: &Opening) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        let store = Store::Sqlite(Sqlite::open(&path, opening).unwrap());
        Self { fixture: Fixture::new(store, folder), path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection of somebody else's to the file.
    pub(crate) fn raw(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }
}

impl Deref for Embedded {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}

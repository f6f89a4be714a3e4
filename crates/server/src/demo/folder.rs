//! A folder that goes with the demo.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Removed when it is dropped.
pub(super) struct ThrowAway(PathBuf);

impl ThrowAway {
    /// Makes one that nobody else may enter. `unguessable` becomes a part of its name; one that is there already is
    /// an error.
    pub(super) fn new(unguessable: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("countersign-demo-{unguessable}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the demo's folder could not be removed");
        }
    }
}

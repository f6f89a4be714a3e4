//! The data folder: the embedded database, and the secrets that were generated once.
//!
//! Nobody else may look into it: the folder is made with mode 0700 and one that is wider is refused, every file in it
//! is made with mode 0600. A secret is the text of its file, without the line's end, used as it stands.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SecureRandom;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Secret;

/// How many random bytes a generated secret has.
const SECRET_BYTES: usize = 48;
/// The longest file that is read as a secret.
const SECRET_FILE_MAX: u64 = 4096;

/// A folder that only we may look into.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// Why the data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Others may look into it.
    #[error("others may look into {path} (mode {mode:04o}), and secrets lie there; run: chmod go= {path}", path = path.display())]
    TooOpen {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It belongs to another user, who could look into it.
    #[error("{path} belongs to another user; run: chown {user} {path}", path = path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Who we are.
        user: u32,
    },
    /// A secret's file holds no secret.
    #[error("{path} holds no secret; restore it from a backup, or give the secret as a setting", path = path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl DataDir {
    /// Opens the folder, and makes it if it is missing.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Ok(()) => Self::checked(path),
            Err(error) => Err(DataDirError::Io { path, error }),
        }
    }

    /// Opens the folder if it is there; makes nothing.
    pub fn existing(path: impl Into<PathBuf>) -> Result<Option<Self>, DataDirError> {
        match Self::checked(path.into()) {
            Ok(folder) => Ok(Some(folder)),
            Err(DataDirError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn checked(path: PathBuf) -> Result<Self, DataDirError> {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => metadata,
            Ok(_) => return Err(DataDirError::Io { path, error: io::ErrorKind::NotADirectory.into() }),
            Err(error) => return Err(DataDirError::Io { path, error }),
        };
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(DataDirError::TooOpen { path, mode });
        }
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() != user && user != 0 {
            return Err(DataDirError::NotOurs { path, user });
        }
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The secret of this name, if it was generated before.
    pub fn kept_secret(&self, name: &str) -> Result<Option<Secret>, DataDirError> {
        read_secret(&self.0.join(name))
    }

    /// The secret of this name: generated the first time, and the same ever after. Of two programs that start at
    /// once, both get the one that was there first.
    pub fn secret(&self, name: &str, random: &dyn SecureRandom) -> Result<Secret, DataDirError> {
        let path = self.0.join(name);
        let io = |error| DataDirError::Io { path: path.clone(), error };
        if let Some(secret) = read_secret(&path)? {
            return Ok(secret);
        }
        let mut bytes = [0; SECRET_BYTES];
        random.fill(&mut bytes).map_err(|_| DataDirError::NoRandomness)?;
        let mut unique = [0; 8];
        random.fill(&mut unique).map_err(|_| DataDirError::NoRandomness)?;
        // Written whole beside its place, then linked into it: a link never replaces what is there already.
        let draft = self.0.join(format!(".{name}.{:016x}", u64::from_le_bytes(unique)));
        write_durably(&draft, &format!("{}\n", STANDARD.encode(bytes))).map_err(io)?;
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft).map_err(io)?;
        match linked {
            Ok(()) => File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(io)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(error)),
        }
        read_secret(&path)?.ok_or_else(|| DataDirError::NoSecret { path: path.clone() })
    }
}

fn read_secret(path: &Path) -> Result<Option<Secret>, DataDirError> {
    let io = |error| DataDirError::Io { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DataDirError::TooOpen { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(SECRET_FILE_MAX).read_to_string(&mut text).map_err(io)?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(DataDirError::NoSecret { path: path.to_owned() }),
        secret => Ok(Some(Secret::new(secret))),
    }
}

fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::test::rand::FixedByteRandom;

    fn folder() -> (tempfile::TempDir, DataDir) {
        let temp = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(temp.path().join("data")).unwrap();
        (temp, data_dir)
    }

    #[test]
    fn a_secret_is_made_once_and_read_ever_after() {
        let (_temp, data_dir) = folder();
        let first = data_dir.secret("root_secret", &FixedByteRandom { byte: 1 }).unwrap();
        let again = data_dir.secret("root_secret", &FixedByteRandom { byte: 2 }).unwrap();
        assert_eq!(first, again);
        assert_eq!(first.len(), 64);
        assert_ne!(first, data_dir.secret("other", &FixedByteRandom { byte: 3 }).unwrap());
        let files: Vec<_> = fs::read_dir(data_dir.path()).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 2, "no draft is left");
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn many_first_starts_at_once_agree_on_one_secret() {
        let (_temp, data_dir) = folder();
        let secrets: Vec<Secret> = std::thread::scope(|scope| {
            let start = |byte| {
                let data_dir = &data_dir;
                scope.spawn(move || {
                    // A random that differs from thread to thread, also in the draft's name.
                    data_dir.secret("root_secret", &FixedByteRandom { byte }).unwrap()
                })
            };
            (1..=8).map(start).collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    }

    #[test]
    fn a_folder_or_a_file_that_others_may_look_into_is_refused_with_the_remedy() {
        let (_temp, data_dir) = folder();
        data_dir.secret("root_secret", &FixedByteRandom { byte: 1 }).unwrap();
        let file = data_dir.path().join("root_secret");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = data_dir.secret("root_secret", &FixedByteRandom { byte: 1 }).unwrap_err().to_string();
        assert!(refused.contains("chmod"), "{refused}");
        fs::set_permissions(data_dir.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let refused = DataDir::open(data_dir.path()).unwrap_err().to_string();
        assert!(refused.contains("mode 0750") && refused.contains("chmod go="), "{refused}");
    }

    #[test]
    fn looking_makes_nothing() {
        let (temp, data_dir) = folder();
        assert!(DataDir::existing(temp.path().join("other")).unwrap().is_none());
        assert!(!temp.path().join("other").exists());
        let looked = DataDir::existing(data_dir.path()).unwrap().unwrap();
        assert!(looked.kept_secret("root_secret").unwrap().is_none());
        let made = data_dir.secret("root_secret", &FixedByteRandom { byte: 1 }).unwrap();
        assert_eq!(looked.kept_secret("root_secret").unwrap(), Some(made));
    }

    #[test]
    fn a_file_is_no_folder() {
        let (temp, _) = folder();
        fs::write(temp.path().join("file"), "").unwrap();
        assert!(DataDir::existing(temp.path().join("file")).is_err());
    }

    #[test]
    fn an_empty_file_is_no_secret() {
        let (_temp, data_dir) = folder();
        write_durably(&data_dir.path().join("root_secret"), "\n").unwrap();
        let refused = data_dir.secret("root_secret", &FixedByteRandom { byte: 1 }).unwrap_err();
        assert!(matches!(refused, DataDirError::NoSecret { .. }));
    }
}

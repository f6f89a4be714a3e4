//! `countersign export users`: a line of JSON for each, a page at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use countersign::core::UserId;
use countersign::service::Service;

use crate::outcome::Failure;

/// How many users are read at once.
const PAGE: u32 = 1000;

/// What is to be written, and where.
pub(crate) struct Wish {
    /// A file; standard output without one.
    pub(crate) output: Option<PathBuf>,
    /// Whether the password hashes go along.
    pub(crate) with_hashes: bool,
    /// Users with a higher id.
    pub(crate) after: UserId,
}

/// Writes the users out.
pub(crate) async fn users(service: &Service, wish: &Wish) -> Result<(), Failure> {
    service.begin_export(wish.with_hashes).await?;
    let Some(path) = &wish.output else {
        let mut out = BufWriter::new(io::stdout());
        return match write(service, wish, &mut out).await {
            // A reader that went away (`… | head`) has all that it wanted.
            Err(Trouble::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other.map_err(Trouble::into_failure)?),
        };
    };
    let partial = partial(path);
    let file = create(&partial).map_err(|error| refused(&partial, &error))?;
    let mut out = BufWriter::new(file);
    write(service, wish, &mut out).await.map_err(Trouble::into_failure)?;
    let file = out.into_inner().map_err(|error| refused(&partial, error.error()))?;
    file.sync_all().and_then(|()| fs::rename(&partial, path)).map_err(|error| refused(path, &error))
}

/// Why a page could not be read or written.
enum Trouble {
    Read(Failure),
    Write(io::Error),
}

impl Trouble {
    fn into_failure(self) -> Failure {
        match self {
            Self::Read(failure) => failure,
            Self::Write(error) => error.into(),
        }
    }
}

async fn write(service: &Service, wish: &Wish, out: &mut impl Write) -> Result<(), Trouble> {
    let mut after = wish.after;
    loop {
        let page = service.export_users(after, PAGE, wish.with_hashes).await;
        let page = page.map_err(|error| Trouble::Read(error.into()))?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for user in page {
            writeln!(out, "{}", serde_json::Value::Object(user.members)).map_err(Trouble::Write)?;
        }
    }
    out.flush().map_err(Trouble::Write)
}

/// Where the lines are until they are all there: beside the file, so that it can take its place.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// A file that its owner alone can read. What an export before left there, half written, goes.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("{} can't be written: {error}", path.display()))
}

//! Links for those whose old password can't be checked: they set a new one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use countersign::core::UserId;
use countersign::service::Service;
use countersign::service::people::Actor;

use crate::outcome::Failure;

/// A file for links, that its owner alone can read. One that is there already is not overwritten: who got a link from
/// it may not have used it yet.
pub(super) fn open(path: &Path) -> Result<File, Failure> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::Misused(format!("{} is there already; name another file for the links", path.display()))
        }
        _ => Failure::Refused(format!("{} can't be written: {error}", path.display())),
    };
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(refused)
}

/// Makes a link for each of them, and writes it: a line of JSON each. Those who are switched off get none.
pub(super) async fn write(service: &Service, users: &[(UserId, String)], file: File) -> Result<u64, Failure> {
    let mut out = BufWriter::new(file);
    let mut count = 0;
    for (id, name) in users {
        match service.people(&Actor::Operator).make_password_link(*id).await {
            Ok(link) => {
                let line = serde_json::json!({
                    "id": id.0,
                    "username": name,
                    "link": link.url,
                    "expires_at": link.expires_at.to_string(),
                });
                writeln!(out, "{line}")?;
                count += 1;
            }
            Err(countersign::service::Error::UserInactive) => {}
            Err(error) => return Err(error.into()),
        }
    }
    out.flush()?;
    Ok(count)
}

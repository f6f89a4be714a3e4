//! How many files the server may have open at once; each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as the system lets an ordinary user. The usual one, 1024, is kept low for old programs that
/// use `select`, and would make connections wait long before the server's own bound does.
///
/// Where the system refuses, the old limit stays: then connections wait, as said.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

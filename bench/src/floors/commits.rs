//! A bare loop of group commits: as many updates of sessions as callers would wait, then one commit to the disk.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::Result;

const UPDATE: &str =
    "UPDATE sessions SET generation = generation + 1, rotated_at = ?1, refresh_expires_at = ?1
    WHERE id = ?2 AND ended_at IS NULL";

/// Updates a second.
pub(super) fn rate(database: &Path, group: usize, length: Duration) -> Result<f64> {
    let db = Connection::open(database)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 4096)?;
    let ids: Vec<[u8; 16]> = {
        let mut all = db.prepare("SELECT id FROM sessions WHERE ended_at IS NULL")?;
        all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    // A step that has no divisor with the number of rows visits all of them, far from one another.
    let mut next = (0..).map(|turn: usize| turn.wrapping_mul(7_368_787) % ids.len().max(1));
    let mut update = db.prepare(UPDATE)?;
    let started = Instant::now();
    let mut updates = 0_u32;
    while started.elapsed() < length {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for place in next.by_ref().take(group) {
            let id = ids.get(place).ok_or("there are no sessions")?;
            if update.execute(rusqlite::params![i64::from(updates), id])? != 1 {
                return Err("an update found no row".into());
            }
            updates += 1;
        }
        db.execute_batch("COMMIT")?;
    }
    Ok(f64::from(updates) / started.elapsed().as_secs_f64())
}

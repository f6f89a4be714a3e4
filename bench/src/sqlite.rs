//! A store in a file of SQLite: its generator, and what the tokens of its sessions are made from.

use std::collections::HashSet;
use std::path::Path;

use countersign_core::{Generation, SessionId, UserId};
use rusqlite::{Connection, OpenFlags};

use crate::Result;
use crate::store::{Key, Row, Size};

/// Copies the first user and the first session until there are enough.
pub(crate) fn multiply(file: &Path, size: Size) -> Result<()> {
    let db = Connection::open(file)?;
    // Should this be cut short, the store is made anew.
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000")?;
    db.execute_batch("BEGIN EXCLUSIVE")?;
    let set_aside = set_aside(&db)?;
    fill(
        &db,
        "users",
        size.users,
        2,
        &[
            ("id", "i"),
            ("username", "'user-' || i"),
            ("username_key", "'user-' || i"),
            ("email", "'user-' || i || '@example.com'"),
            ("email_key", "'user-' || i || '@example.com'"),
        ],
    )?;
    // Version 7: milliseconds, one for each session, and a counter where there would be randomness. The first session
    // of all comes last.
    let first: [u8; 16] = db.query_row("SELECT id FROM sessions", [], |row| row.get(0))?;
    let before = millis(&first) - u64::from(size.sessions);
    let id = format!("unhex(printf('%012x70008000%012x', {before} + i - 1, i))");
    fill(&db, "sessions", size.sessions, 2, &[("id", &id), ("user_id", &format!("1 + i % {}", size.users))])?;
    for sql in set_aside {
        db.execute_batch(&sql)?;
    }
    db.execute(
        "UPDATE open_sessions SET count = (SELECT count(*) FROM sessions WHERE ended_at IS NULL)",
        [],
    )?;
    db.execute_batch("COMMIT; ANALYZE; PRAGMA journal_mode = WAL")?;
    Ok(())
}

/// Takes out what would be kept up to date row by row; the statements that bring it back.
fn set_aside(db: &Connection) -> Result<Vec<String>> {
    let mut query = db.prepare(
        "SELECT type, name, sql FROM sqlite_schema
        WHERE tbl_name IN ('users', 'sessions') AND type IN ('index', 'trigger') AND sql IS NOT NULL",
    )?;
    let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let found: Vec<(String, String, String)> = found.collect::<Result<_, _>>()?;
    for (kind, name, _) in &found {
        db.execute_batch(&format!("DROP {kind} {name}"))?;
    }
    Ok(found.into_iter().map(|(_, _, sql)| sql).collect())
}

/// Fills a table up to `last` rows with copies of its first row, but for the columns that are told, in terms of `i`.
fn fill(db: &Connection, table: &str, last: u32, first: u32, told: &[(&str, &str)]) -> Result<()> {
    let mut query = db.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    let columns: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let values: Vec<_> = columns
        .iter()
        .map(|column| told.iter().find(|(name, _)| name == column).map_or(&**column, |(_, value)| *value))
        .collect();
    db.execute_batch(&format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
        INSERT INTO {table} ({}) SELECT {} FROM n, (SELECT * FROM {table} LIMIT 1)",
        columns.join(", "),
        values.join(", "),
    ))?;
    Ok(())
}

/// The time in a session's id.
fn millis(id: &[u8; 16]) -> u64 {
    id.iter().take(6).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// So many of its sessions, from all over it. No server may be at work.
pub(crate) fn rows(file: &Path, size: Size, count: u32) -> Result<Vec<Row>> {
    let db = open(file)?;
    let first: [u8; 16] = db.query_row("SELECT min(id) FROM sessions", [], |row| row.get(0))?;
    let first = millis(&first);
    let mut query = db.prepare(
        "SELECT id, user_id, generation, created_at, rotated_at, refresh_expires_at FROM sessions
        WHERE id >= ?1 AND ended_at IS NULL AND generation >= 1 LIMIT 1",
    )?;
    let mut rows: Vec<Row> = Vec::new();
    let mut seen = HashSet::new();
    for place in 0..u64::from(count) {
        // Far from one another, so that neighbours aren't asked for in turn.
        let place = place * 7_368_787 % u64::from(count);
        // A session a millisecond; what logins added lies beyond.
        let at = first + u64::from(size.sessions - 1) * place / u64::from(count);
        let mut from = at.to_be_bytes().get(2..).unwrap_or_default().to_vec();
        from.resize(16, 0);
        let row = query.query_row([from], |row| {
            Ok(Row {
                id: SessionId::from_bytes(row.get(0)?),
                user: UserId(row.get(1)?),
                generation: Generation(row.get(2)?),
                created_at: row.get::<_, i64>(3)? / 1000,
                rotated_at: row.get::<_, i64>(4)? / 1000,
                expires_at: row.get::<_, i64>(5)? / 1000,
            })
        })?;
        if seen.insert(row.id) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The key that signs access tokens, sealed.
pub(crate) fn key(file: &Path) -> Result<Key> {
    let query = "SELECT kid, sealed FROM signing_keys";
    Ok(open(file)?.query_row(query, [], |row| Ok(Key { kid: row.get(0)?, sealed: row.get(1)? }))?)
}

/// What its tables are.
pub(crate) fn schema(file: &Path) -> Result<String> {
    let query = "SELECT group_concat(sql, ';\n') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
    Ok(open(file)?.query_row(query, [], |row| row.get(0))?)
}

fn open(file: &Path) -> Result<Connection> {
    Ok(Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

//! Carrying everything over, and the list of what everything is.

use std::collections::BTreeSet;

use countersign_core::session::EndReason;
use countersign_store::copy::{Digest, TABLES, Table, Value};
use countersign_store::postgres::{self, Postgres};
use countersign_store::sqlite::{Opening, Sqlite};
use countersign_store::{EventKind, Reach, Store};
use countersign_testing::Cluster;
use rusqlite::Connection;

use crate::support::{START, at, event, stores, token};

/// Made anew, and not carried: see the module's own words.
const NOT_CARRIED: &[&str] =
    &["countersign_schema", "guess_counts", "news", "open_sessions", "written_batches"];

/// What is listed, in the words of an engine.
fn listed(words: &[(&str, &str)]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for table in TABLES {
        for (place, column) in table.columns.iter().enumerate() {
            let key = if place < table.key { " key" } else { "" };
            let kind = format!("{:?}", column.kind);
            let word = words.iter().find(|(name, _)| *name == kind).unwrap().1;
            lines.insert(format!("{}.{} {word}{key}", table.name, column.name));
        }
    }
    lines
}

fn is_carried(line: &str) -> bool {
    !NOT_CARRIED.contains(&line.split('.').next().unwrap())
}

#[test]
fn every_table_and_column_of_sqlite_is_carried() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.db");
    drop(Sqlite::open(&file, &Opening::tool()).unwrap());
    let query = "SELECT tables.name || '.' || columns.name || ' ' || columns.type
            || CASE columns.pk WHEN 0 THEN '' ELSE ' key' END
        FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'";
    let database = Connection::open(&file).unwrap();
    let mut statement = database.prepare(query).unwrap();
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
    let found: BTreeSet<String> = lines.filter(|line| is_carried(line)).collect();
    let words = [
        ("Number", "INTEGER"),
        ("Flag", "INTEGER"),
        ("Text", "TEXT"),
        ("Bytes", "BLOB"),
        ("Session", "BLOB"),
    ];
    assert_eq!(listed(&words), found);
}

#[test]
fn every_table_and_column_of_postgresql_is_carried() {
    let url = Cluster::shared().database();
    let (config, opening) = (url.parse().unwrap(), postgres::Opening::usual());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    drop(runtime.block_on(Postgres::open(config, &opening)).unwrap());
    let query = "SELECT found.table_name || '.' || found.column_name || ' ' || found.data_type
            || CASE WHEN parts.column_name IS NULL THEN '' ELSE ' key' END
        FROM information_schema.columns AS found
        LEFT JOIN information_schema.table_constraints AS keys
            ON keys.table_name = found.table_name AND keys.table_schema = found.table_schema
            AND keys.constraint_type = 'PRIMARY KEY'
        LEFT JOIN information_schema.key_column_usage AS parts
            ON parts.constraint_name = keys.constraint_name AND parts.table_schema = found.table_schema
            AND parts.table_name = found.table_name AND parts.column_name = found.column_name
        WHERE found.table_schema = 'public' AND found.is_generated = 'NEVER'";
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let answer = Cluster::shared().sql(name, query);
    let lines = answer.lines().map(str::trim).filter(|line| !line.is_empty());
    let found: BTreeSet<String> = lines.filter(|line| is_carried(line)).map(str::to_owned).collect();
    let words = [
        ("Number", "bigint"),
        ("Flag", "boolean"),
        ("Text", "text"),
        ("Bytes", "bytea"),
        ("Session", "uuid"),
    ];
    assert_eq!(listed(&words), found);
}

async fn carry(from: &Store, to: &Store, page: u32) {
    let mut first = Vec::new();
    for table in TABLES.iter().filter(|table| table.has_first_rows) {
        first.push((table, from.rows(table, None, 1000).await.unwrap()));
    }
    to.begin_copy("there".to_owned(), first).await.unwrap();
    let mut numbers = Vec::new();
    for table in TABLES {
        // Page after page, each from where the target stands.
        let mut is_whole = table.has_first_rows;
        while !is_whole {
            let last = to.last_row(table).await.unwrap();
            let rows = from.rows(table, last, page).await.unwrap();
            is_whole = rows.is_empty();
            to.put_rows(table, rows).await.unwrap();
        }
        if table.numbered {
            numbers.push((table, from.last_number(table).await.unwrap()));
        }
    }
    to.settle(numbers).await.unwrap();
    to.end_copy().await.unwrap();
}

async fn digest(store: &Store, table: &'static Table) -> Digest {
    let mut digest = Digest::default();
    for row in store.rows(table, None, 1000).await.unwrap() {
        digest.add(&row);
    }
    digest
}

#[tokio::test]
async fn each_engine_gives_the_rows_that_the_other_takes() {
    for (from, to) in stores().into_iter().zip(stores().into_iter().rev()) {
        let (ana, ben) = (from.make_user("ana").await, from.make_user("ben").await);
        from.delete_user(ben.id, Reach::Anyone, event(EventKind::UserDeleted, at(1))).await.unwrap();
        let [first, second, third] =
            [from.log_in(&ana, at(1)).await, from.log_in(&ana, at(2)).await, from.log_in(&ana, at(3)).await];
        from.rotate(token(&first), at(20)).await;
        let end = event(EventKind::SessionEnded, at(21));
        from.end_session(second.id, None, EndReason::Logout, end).await.unwrap();
        from.set_meta("longest_access_lifetime", "300".to_owned()).await.unwrap();

        carry(&from, &to, 1).await;
        for table in TABLES {
            assert_eq!(digest(&from, table).await, digest(&to, table).await, "{}", table.name);
            assert_eq!(from.count_rows(table).await.unwrap(), digest(&to, table).await.rows);
        }
        assert_eq!(to.live_sessions().await.unwrap(), 2);
        assert_eq!(to.session(first.id).await.unwrap(), from.session(first.id).await.unwrap());
        assert_eq!(to.end_of(&second).await, Some(EndReason::Logout));
        assert_eq!(to.end_of(&third).await, None);
        let carol = to.make_user("carol").await;
        assert!(carol.id > ben.id, "an id that was given once is never given again");
        assert_eq!(carol.joined_at, START);
    }
}

#[tokio::test]
async fn a_text_with_a_nul_is_carried_as_what_postgresql_can_keep() {
    for store in stores() {
        let mut told = event(EventKind::Login, START);
        told.bucket = Some("a\0b".to_owned());
        store.audit(vec![told]).await.unwrap();
        let audit = TABLES.iter().find(|table| table.name == "audit").unwrap();
        let place = audit.columns.iter().position(|column| column.name == "bucket").unwrap();
        let rows = store.rows(audit, None, 10).await.unwrap();
        let kept = Value::Text("a\u{fffd}b".to_owned());
        assert!(rows.iter().any(|row| row[place] == kept));
    }
}

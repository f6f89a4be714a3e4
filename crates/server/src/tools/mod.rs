//! The commands that work on the database, beside a running server or without one.

pub(crate) mod audit;
pub(crate) mod copy;
pub(crate) mod export;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod people;
pub(crate) mod sessions;
pub(crate) mod users;

use countersign::Countersign;
use countersign::service::Service;
use countersign::settings::Settings;

use crate::config::Config;
use crate::outcome::{Failure, say};

/// Does something with the use cases, and closes the database.
pub(crate) async fn with_service<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Service) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut settings = config.settings().clone();
    // One password at a time: more threads would only take longer to start.
    settings.hashing_threads = 1;
    let countersign = Countersign::builder().settings(settings).beside_a_server().build().await?;
    let done = work(countersign.service()).await;
    countersign.shutdown().await;
    done
}

/// `countersign migrate`.
pub(crate) async fn migrate(settings: &Settings) -> Result<(), Failure> {
    countersign::migrate(&settings.database, &settings.user_fields).await?;
    say("The database is up to date.");
    Ok(())
}

/// Columns as wide as their longest value, the first row as their heads.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

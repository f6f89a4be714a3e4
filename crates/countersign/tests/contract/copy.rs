//! `countersign copy`: everything is carried over to the other engine, and nobody notices.

use countersign::builder::{BuildError, CopyError, copy};
use countersign::core::fields::UserFields;
use countersign::core::session::EndReason;
use countersign::service::copy::{self as carrying, Stage};
use countersign::service::open::StartError;
use countersign::settings::Database;
use countersign_testing::Cluster;
use http::StatusCode;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{ALICE, ALICE_PASSWORD, World, add_user};

fn new_file(folder: &TempDir) -> Database {
    Database::Sqlite(folder.path().join("copy.db"))
}

fn new_postgres() -> Database {
    Database::Postgres(Box::new(Cluster::shared().database().parse().unwrap()))
}

async fn carry(from: &Database, to: &Database) -> Result<Vec<carrying::Copied>, CopyError> {
    copy(from, to, &UserFields::default(), |_| {}).await
}

#[tokio::test]
async fn a_move_there_and_back_keeps_everyone_signed_in() {
    let world = World::new().await;
    let browser = world.alice_in_a_browser().await;
    let mut gone = world.alice_in_an_app().await;
    gone.delete(&format!("/accounts/sessions/{}", gone.session())).await;
    let (ended, memory, dead) = (gone.session(), browser.memory(), gone.memory());
    let ids = [world.alice.id, world.bob.id];
    drop((browser, gone));
    let first = world.settings().database.clone();
    let stopped = world.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (new_postgres(), new_file(&folder));
    let copied = carry(&first, &there).await.unwrap();
    let rows = |table| copied.iter().find(|copied| copied.table == table).unwrap().rows;
    assert_eq!((rows("users"), rows("sessions")), (2, 2));
    assert!(rows("audit") >= 3 && rows("signing_keys") == 1 && rows("known_networks") == 1, "{copied:?}");

    let moved = stopped.start_with(move |settings| settings.database = there).await.unwrap();
    let mut browser = moved.browser_with(&memory);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
    moved.turn(11).await;
    browser.refresh().await.expect(StatusCode::OK);
    let memory = browser.memory();
    let answer = moved.browser_with(&dead).get("/accounts/profile").await;
    assert_eq!(answer.code(), "session_ended");
    let session = moved.session(ended).await;
    assert_eq!(session.ended.map(|ended| ended.reason), Some(EndReason::EndedByUser));
    let carol = add_user(&moved.countersign, "carol", "yet another pass phrase").await;
    assert!(ids.iter().all(|id| *id < carol.id), "ids go on where they were");
    moved.browser().login(ALICE, ALICE_PASSWORD).await.expect(StatusCode::OK);
    drop(browser);

    let there = moved.settings().database.clone();
    let stopped = moved.stop().await;
    carry(&there, &back).await.unwrap();
    let home = stopped.start_with(move |settings| settings.database = back).await.unwrap();
    let mut browser = home.browser_with(&memory);
    home.turn(11).await;
    browser.refresh().await.expect(StatusCode::OK);
    browser.get("/accounts/profile").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_copy_that_was_interrupted_goes_on_and_nobody_serves_from_it_before() {
    let world = World::new().await;
    world.alice_in_a_browser().await;
    let first = world.settings().database.clone();
    let stopped = world.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (new_file(&folder), new_postgres());
    carry(&first, &from).await.unwrap();

    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let fields = UserFields::default();
    let copying = copy(&from, &to, &fields, |progress| {
        if progress.table == "sessions" && progress.done > 0 {
            tell.take().map(|tell| tell.send(()));
        }
    });
    tokio::select! {
        biased;
        _ = told => {}
        result = copying => panic!("not interrupted: {result:?}"),
    }

    let target = to.clone();
    let Err(refused) = stopped.start_with(move |settings| settings.database = target).await else {
        panic!("a server has started on half a copy")
    };
    assert!(matches!(refused, BuildError::Start(StartError::Unfinished { .. })), "{refused}");
    let another = World::new().await;
    let other = another.settings().database.clone();
    let _another = another.stop().await;
    let refused = carry(&other, &to).await.unwrap_err();
    assert!(matches!(refused, CopyError::Copy(carrying::CopyError::OfAnother(_))), "{refused}");
    let refused = carry(&to, &new_postgres()).await.unwrap_err();
    assert!(matches!(refused, CopyError::Copy(carrying::CopyError::SourceUnfinished(_))), "{refused}");

    carry(&from, &to).await.unwrap();
    let refused = carry(&from, &to).await.unwrap_err();
    assert!(matches!(refused, CopyError::Copy(carrying::CopyError::NotEmpty { .. })), "{refused}");
}

#[tokio::test]
async fn what_changes_in_the_source_meanwhile_is_found_out() {
    let world = World::new().await;
    let from = world.settings().database.clone();
    let _stopped = world.stop().await;
    // A file, whichever engine the world is on.
    let folder = tempfile::tempdir().unwrap();
    let source = new_file(&folder);
    carry(&from, &source).await.unwrap();
    let file = folder.path().join("copy.db");
    let mut changed = false;
    let (to, fields) = (new_postgres(), UserFields::default());
    let copied = copy(&source, &to, &fields, |progress| {
        if progress.stage == Stage::Checking && !std::mem::replace(&mut changed, true) {
            let database = Connection::open(&file).unwrap();
            database.execute("UPDATE users SET last_name = 'Liddell' WHERE username = 'alice'", []).unwrap();
        }
    });
    let error = copied.await.unwrap_err();
    let CopyError::Copy(carrying::CopyError::Differs(tables)) = &error else { panic!("{error}") };
    assert_eq!(tables, &["users"]);
    assert!(error.to_string().starts_with("users differ from the source: something wrote to it"), "{error}");
}

#[tokio::test]
async fn an_embedded_database_is_not_copied_while_a_server_has_it() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    match &world.settings().database {
        served @ Database::Sqlite(_) => {
            let refused = carry(served, &new_postgres()).await.unwrap_err();
            assert!(matches!(refused, CopyError::Source(_)), "{refused}");
        }
        served @ Database::Postgres(_) => {
            carry(served, &new_file(&folder)).await.expect("nobody writes to it, though a server is there");
        }
    }
}

//! Opening a database.

use countersign_store::EventKind;
use countersign_store::postgres::{Migration, OpenError, Opening};
use countersign_testing::{Cluster, free_port};

use crate::support::{POLICY, START, at, checked, event, new_session, new_user, rotated, token};
use crate::{open, open_with};

async fn refusal(url: &str, opening: &Opening) -> OpenError {
    open_with(url, opening).await.err().expect("it was opened")
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_nodes_start_together_one_makes_the_tables_and_all_start() {
    let url = Cluster::shared().database();
    let nodes = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url).await.ping().await })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_that_is_behind_is_refused_by_who_may_not_or_will_not_change_it() {
    let (cluster, url) = (Cluster::shared(), Cluster::shared().database());
    let unwilling = Opening { migration: Migration::Refuse, ..Opening::usual() };
    let refused = refusal(&url, &unwilling).await;
    assert!(matches!(refused, OpenError::Behind { found: 0, .. }), "{refused}");

    cluster.sql("postgres", "CREATE ROLE helpless LOGIN");
    let helpless = url.replace("postgres@", "helpless@");
    let refused = refusal(&helpless, &Opening::usual()).await;
    assert!(matches!(refused, OpenError::Behind { found: 0, .. }), "{refused}");
    assert!(refused.to_string().contains("countersign migrate"), "{refused}");

    open(&url).await;
    open_with(&url, &unwilling).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_program_or_of_something_else_is_refused_and_stays_as_it_is() {
    let (cluster, url) = (Cluster::shared(), Cluster::shared().database());
    let name = url.rsplit('/').next().unwrap();
    open(&url).await;
    cluster.sql(name, "UPDATE countersign_schema SET version = 99");
    let refused = refusal(&url, &Opening::usual()).await;
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");

    let url = cluster.database();
    let name = url.rsplit('/').next().unwrap();
    cluster.sql(name, "CREATE TABLE users (x INT)");
    let refused = refusal(&url, &Opening::usual()).await;
    assert!(matches!(refused, OpenError::NotOurs { .. }), "{refused}");
    assert_eq!(cluster.sql(name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_passed_over_for_one_that_does() {
    let (cluster, url) = (Cluster::shared(), Cluster::shared().database());
    // It takes the connection and says nothing.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (silent, closed) = (silent.local_addr().unwrap().port(), free_port());
    let database = url.rsplit('/').next().unwrap();
    let port = cluster.port();
    let several =
        format!("postgres://postgres@127.0.0.1:{closed},127.0.0.1:{silent},localhost:{port}/{database}");
    open(&several).await.ping().await.unwrap();
}

#[tokio::test]
async fn a_password_is_proven_without_being_sent_and_a_wrong_one_is_told_without_it() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE ROLE ana LOGIN SUPERUSER PASSWORD 'hunter2 & more'");
    let hba = std::fs::read_to_string(cluster.data().join("pg_hba.conf")).unwrap();
    let scram = format!("host all ana 127.0.0.1/32 scram-sha-256\n{hba}");
    std::fs::write(cluster.data().join("pg_hba.conf"), scram).unwrap();
    cluster.reload();
    let url = cluster.url("postgres");
    let store = open(&url.replace("postgres@", "ana:hunter2%20%26%20more@")).await;
    store.create_user(new_user("ben"), event(EventKind::UserCreated, START)).await.unwrap();
    let refused = refusal(&url.replace("postgres@", "ana:hunter3@"), &Opening::usual()).await;
    assert!(refused.to_string().contains("28P01"), "{refused}");
    assert!(!refused.to_string().contains("hunter3"), "{refused}");
}

#[tokio::test]
async fn statements_that_the_server_knows_by_name_do_the_same_and_are_made_anew_where_it_forgot_them() {
    let (cluster, url) = (Cluster::shared(), Cluster::shared().database());
    let name = url.rsplit('/').next().unwrap();
    let store = open(&format!("{url}?prepared_statements=true&pool_size=1")).await;
    let user = new_user("ana");
    let user = store.create_user(user, event(EventKind::UserCreated, START)).await.unwrap();
    let mut session = new_session(user.id, START);
    let login = event(EventKind::Login, START);
    store.start_session(session.clone(), checked("hash of ana"), login).await.unwrap();
    for turn in 1..=6 {
        let rotation = store.rotate_session(token(&session), POLICY, at(turn * 20)).await.unwrap();
        session = rotated(rotation);
        assert_eq!(store.session(session.id).await.unwrap().unwrap().0, session);
        if turn == 3 {
            // As a migration might do it.
            cluster.sql(name, "ALTER TABLE sessions ALTER COLUMN ip TYPE VARCHAR(100)");
        }
    }
}

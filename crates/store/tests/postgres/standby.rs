//! A synchronous standby that doesn't answer: PostgreSQL then keeps a change from everyone, until the standby has it.

use std::time::{Duration, Instant};

use countersign_core::Generation;
use countersign_core::session::{EndReason, Session};
use countersign_store::postgres::Opening;
use countersign_store::{EventKind, Failures, NewsSeq, Store, StoreError, UserSelector};
use countersign_testing::Cluster;

use crate::support::{POLICY, START, at, event, failed, laptop, token};
use crate::trouble::{log_in, make_user};
use crate::{open, open_with};

/// A primary whose standby never answers, with a session, and a node of little patience.
struct Scene {
    cluster: Cluster,
    url: String,
    hasty: Store,
    session: Session,
}

impl Scene {
    async fn new() -> Self {
        let cluster = Cluster::start();
        let url = format!("{}?pool_size=1", cluster.database());
        let store = open(&url).await;
        let user = make_user(&store).await;
        let session = log_in(&store, &user).await;
        store.close().await;
        let opening = Opening { patience: Duration::from_millis(600), ..Opening::usual() };
        let hasty = open_with(&url, &opening).await.unwrap();
        let scene = Self { cluster, url, hasty, session };
        scene.wait_for("nobody");
        scene
    }

    /// From now on a change waits for the word of this standby; of none, if it is empty.
    fn wait_for(&self, standby: &str) {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'");
        self.cluster.sql("postgres", &set);
        self.cluster.reload();
        while self.cluster.sql("postgres", "SHOW synchronous_standby_names") != standby {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Breaks the connection of a change that waits, once there is one.
    async fn break_what_waits(&self) {
        let kill =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while self.cluster.sql("postgres", kill) == "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn log_out(&self, store: &Store) -> impl Future<Output = Result<bool, StoreError>> + Send + 'static {
        let (store, id) = (store.clone(), self.session.id);
        let logout = event(EventKind::SessionEnded, at(5));
        async move { Ok(store.end_session(id, None, EndReason::Logout, logout).await?.is_new()) }
    }

    /// The session, as another node sees it.
    async fn seen(&self) -> Session {
        let store = open(&self.url).await;
        let (session, _) = store.session(self.session.id).await.unwrap().unwrap();
        store.close().await;
        session
    }
}

// attack 103
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_no_standby_has_is_shown_to_nobody_and_no_repeat_is_told_that_it_is_done() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let told = scene.log_out(&scene.hasty).await;
        assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        assert!(scene.seen().await.ended.is_none(), "what is lost with this machine was shown");
    }
    scene.wait_for("");
    while scene.seen().await.ended.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// attack 103
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_no_standby_has_is_shown_to_nobody() {
    let scene = Scene::new().await;
    let rotation = scene.hasty.rotate_session(token(&scene.session), POLICY, at(20)).await;
    assert!(matches!(rotation, Err(StoreError::Unavailable(_))), "{rotation:?}");
    // Longer than the question takes whether it may be cancelled.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(scene.seen().await.generation, Generation(1));
    }
    scene.wait_for("");
    while scene.seen().await.generation == Generation(1) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn while_changes_wait_requests_are_told_so_in_time_and_the_news_come_through() {
    let scene = Scene::new().await;
    assert!(scene.log_out(&scene.hasty).await.is_err());
    // The only connection of requests is still in the middle of it.
    let begun = Instant::now();
    let read = scene.hasty.session(scene.session.id).await;
    assert!(matches!(&read, Err(StoreError::Unavailable(reason)) if reason.contains("busy")), "{read:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    scene.hasty.news(NewsSeq(0)).await.unwrap();
    scene.wait_for("");
}

// attack 103
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_connection_broke_is_not_acknowledged() {
    let scene = Scene::new().await;
    let patient = open(&scene.url).await;
    let told = tokio::spawn(scene.log_out(&patient));
    scene.break_what_waits().await;
    let told = told.await.unwrap();
    let is_unknown = |reason: &str| reason.contains("may have been done or not");
    assert!(matches!(&told, Err(StoreError::Unavailable(reason)) if is_unknown(reason)), "{told:?}");
}

// attack 102
#[tokio::test(flavor = "multi_thread")]
async fn failed_guesses_of_which_nobody_knows_whether_they_were_written_are_counted_once() {
    let scene = Scene::new().await;
    let store = open(&scene.url).await;
    let user = scene.session.user;
    let three = failed(vec![Failures { user, count: 3, last_at: at(5), forget_before: START }]);
    let write = || {
        let (store, three) = (store.clone(), three.clone());
        tokio::spawn(async move { store.write_batch(three).await })
    };
    let told = write();
    scene.break_what_waits().await;
    assert!(matches!(told.await.unwrap(), Err(StoreError::Unavailable(_))));
    // It was written. A try under way meets the next one, too.
    let tries = [write(), write()];
    scene.wait_for("");
    for tried in tries {
        tried.await.unwrap().unwrap();
    }
    let found = store.user_for_login(UserSelector::Id(user), false, laptop().network()).await;
    assert_eq!(found.unwrap().unwrap().ceiling.failures, 3);
}

//! What runs beside the requests: following the news, writing what waits, cleaning up.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::{Seconds, Timestamp};
use countersign_store::{BatchId, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Service;

/// How often the news are read: well within the second in which an end must be known everywhere.
const NEWS_EVERY: Duration = Duration::from_millis(400);
/// How often failed logins are written down.
const OUTBOX_EVERY: Duration = Duration::from_millis(250);
/// How often old rows are looked for.
const CLEAN_UP_EVERY: Duration = Duration::from_mins(1);
/// How often the live sessions are counted.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// How often the database is asked what time it is, where that counts.
const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// The most batches of one clean-up, so that it never keeps the writer from the requests for long.
const BATCHES_MAX: usize = 200;

/// The background tasks of a service. They end when this is stopped.
#[derive(Debug)]
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Background {
    /// Starts the tasks.
    pub(crate) fn start(service: &Arc<Service>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let measured = service.clone();
        tasks.spawn(async move {
            let _ = measured.floor().await;
        });
        tasks.spawn(every(NEWS_EVERY, service.clone(), stopped.clone(), |service| async move {
            service.follow_news().await;
        }));
        tasks.spawn(every(OUTBOX_EVERY, service.clone(), stopped.clone(), |service| async move {
            service.write_outbox().await;
        }));
        tasks.spawn(every(COUNT_EVERY, service.clone(), stopped.clone(), |service| async move {
            service.count_sessions().await;
        }));
        if let Some(clock) = service.database_clock.clone() {
            tasks.spawn(every(CLOCK_EVERY, service.clone(), stopped.clone(), move |service| {
                let clock = clock.clone();
                // Where it doesn't answer, time goes on.
                async move { drop(clock.follow(&service.store).await) }
            }));
        }
        tasks.spawn(every(CLEAN_UP_EVERY, service.clone(), stopped, |service| async move {
            if let Err(error) = service.clean_up().await {
                tracing::warn!(%error, "old sessions could not be cleaned up; it is tried again in a minute");
            }
        }));
        Self { stop, tasks }
    }

    /// Stops the tasks, each after what it is doing.
    pub(crate) async fn stop(mut self) {
        // No receiver is left only when every task has ended already.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn every<F, Work>(period: Duration, service: Arc<Service>, mut stopped: watch::Receiver<bool>, work: F)
where
    F: Fn(Arc<Service>) -> Work + Send,
    Work: Future<Output = ()> + Send,
{
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = ticks.tick() => work(service.clone()).await,
        }
    }
}

impl Service {
    /// Reads the news, and moves the keys on.
    pub async fn follow_news(&self) {
        self.catch_up().await;
    }

    /// Writes down failed logins and other events that changed nothing.
    pub async fn write_outbox(&self) {
        let _writing = self.outbox.writing.lock().await;
        let dropped = self.outbox.dropped();
        if dropped > 0 {
            tracing::warn!(dropped, "events of the audit were dropped: too many at once");
        }
        let mut id = [0; 16];
        if self.random.fill(&mut id).is_err() {
            return;
        }
        let Some(batch) = self.outbox.batch(BatchId(id), self.now()) else { return };
        // Where it fails, and where nobody knows, it is written again the next time.
        if self.store.write_batch(batch).await.is_ok() {
            self.outbox.written();
        }
    }

    async fn count_sessions(&self) {
        if let Ok(live) = self.store.live_sessions().await {
            self.metrics.live_sessions(live);
        }
    }

    /// Forgets and removes what nobody can need any more, in small batches.
    pub async fn clean_up(&self) -> Result<u64, StoreError> {
        let now = self.now();
        let afterlife = self.afterlife().await?;
        self.liveness.forget_old(afterlife, now);
        // A refresh token can be shown until its expiry and the leeway; a session is kept a little longer.
        let sessions_before = now - self.settings.refresh_token_lifetime - Seconds(3600);
        let news_before = now - afterlife - Seconds(3600);
        let mut removed = 0;
        for _ in 0..BATCHES_MAX {
            let batch = self.store.clean_up(sessions_before, news_before, self.audit_before(now)).await?;
            removed += batch;
            if batch == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok(removed)
    }

    fn audit_before(&self, now: Timestamp) -> Timestamp {
        now - self.settings.audit_retention
    }
}

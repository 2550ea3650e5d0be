//! An engine stops: what was read is committed and delivered, then each actor ends behind those that feed it.

use std::time::Duration;

use futures::future::join_all;
use tracing::info;

use super::Engine;
use crate::{aggregator, range};

impl Engine {
    /// Stops reading, lets what is under way be committed and delivered for `patience` at most, and ends.
    /// What is not delivered by then is delivered after the next start.
    pub async fn stop(&self, patience: Duration) {
        let ended = Some(patience);
        // What other nodes' readers send from now on is for whoever owns the ranges next.
        self.links.served().close();
        let readers = self.readers();
        join_all(readers.values().map(|it| it.stop_and_wait(None, ended))).await;
        self.kit.lock().take();
        drop(tokio::time::timeout(patience, self.come_to_rest()).await);
        // Each is gone before the process ends: a store that is closed by the process's end may abort it.
        drop(self.committer.stop_and_wait(None, ended).await);
        let ranges = self.ranges();
        join_all(ranges.iter().map(|it| it.actor.stop_and_wait(None, ended))).await;
        drop(self.publisher.drain_and_wait(ended).await);
        for (_, aggregator) in self.links.aggregators().all() {
            // The figures of the last second are pushed.
            drop(aggregator.cast(aggregator::Message::Tick));
            drop(aggregator.drain_and_wait(ended).await);
        }
        self.links.stopping().cancel();
        self.links.tasks().close();
        drop(tokio::time::timeout(patience, self.links.tasks().wait()).await);
        // What follows no more has a store and a source still.
        self.copies.lock().clear();
        self.supervisor.stop(None);
        info!("engine stopped");
    }

    /// Waits until what was read is committed and delivered, with whole figures, and that is committed too:
    /// what is not known to be acknowledged is delivered again.
    async fn come_to_rest(&self) {
        const STEP: Duration = Duration::from_millis(50);
        for range in self.ranges() {
            drop(range.actor.cast(range::Message::Ending));
        }
        // What is under way (a decision, a batch) shows nowhere; it takes far less than this.
        tokio::time::sleep(STEP * 4).await;
        loop {
            let reports = self.reports().await.unwrap_or_default();
            let is_settled = reports.iter().all(|report| report.status.is_settled);
            if is_settled && self.links.shown().outbox_bytes == 0 {
                return;
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

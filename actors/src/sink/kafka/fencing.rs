//! Ends the transactions of lives that are over, for good.
//!
//! Who initialises a producer shuts out whoever had the same transactional id before; but that one may do
//! so again, as a publisher does after a fault, and deliver on without having heard of its end. So what is
//! committed last under the id of a life that is over is a record beside the markers which says that the
//! id is ended. Who recovers reads it behind its own initialisation, and gives up (I7). It also tells
//! later lives whom they need not end again.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseRecord, Producer};
use tracing::info;

use super::markers::Until;
use super::outbound::Outbound;
use super::{COORDINATOR, KafkaSink, SinkError, markers};
use crate::engine::Life;

/// Ids that are ended at once: each takes a client for as long.
const AT_ONCE: usize = 8;

impl KafkaSink {
    pub(super) async fn fence_now(&mut self, lives: &[Life]) -> Result<(), SinkError> {
        let Some(own) = &self.options.exactly_once else { return Ok(()) };
        if lives.contains(own) {
            return Err(SinkError::Fenced(self.options.id(own)));
        }
        let ids = lives.iter().flat_map(|life| {
            // A life of before had the id of its node.
            [self.options.id(life), self.options.former_id(&life.1)]
        });
        let ids = ids.collect();
        self.end(ids).await
    }

    /// Nothing is committed under these ids any more once this has returned.
    pub(super) async fn end(&mut self, mut ids: BTreeSet<String>) -> Result<(), SinkError> {
        ids.retain(|id| !self.ended.contains(id));
        if ids.is_empty() {
            return Ok(());
        }
        self.create_topics().await?;
        // Those who are over may have left transactions open: they end with the lives.
        let markers = self.read_markers(Until::Open).await?;
        self.ended.extend(markers.ended);
        ids.retain(|id| !self.ended.contains(id));
        let ending = stream::iter(ids).map(|id| self.end_one(id)).buffer_unordered(AT_ONCE);
        // All are gone through, also behind one that fails: to drop a call does not take it back.
        let answers: Vec<Result<String, SinkError>> = ending.collect().await;
        for answer in answers {
            self.ended.insert(answer?);
        }
        Ok(())
    }

    /// A producer with that transactional id; any earlier one is fenced, its open transaction aborted.
    pub(super) async fn initialised(&self, id: &str) -> KafkaResult<Outbound> {
        let outbound = Outbound::connect(&self.options.transactional_producer(id))?;
        let init = outbound.blocking(|producer| producer.init_transactions(COORDINATOR)).await;
        if let Err(fault) = init {
            outbound.close().await;
            return Err(fault);
        }
        Ok(outbound)
    }

    async fn end_one(&self, id: String) -> Result<String, SinkError> {
        // Not as a fault of ours: where two end a life at once, one is fenced, and finds it ended next time.
        let failed = |fault| self.options.unavailable(&format!("end transactions of {id}"), fault);
        let mut outbound = self.initialised(&id).await.map_err(failed)?;
        let written = self.write_end(&mut outbound, &id).await;
        outbound.close().await;
        written.map_err(failed)?;
        info!(id, "transactions ended");
        Ok(id)
    }

    async fn write_end(&self, outbound: &mut Outbound, id: &str) -> KafkaResult<()> {
        outbound.blocking(Producer::begin_transaction).await?;
        let key = markers::end_key(id);
        // Not empty: to the compacted topic that would say that the key is gone.
        outbound.send(BaseRecord::to(&self.markers).key(&key).payload("ended")).await?;
        outbound.settled().await?;
        outbound.blocking(|producer| producer.commit_transaction(COORDINATOR)).await
    }
}

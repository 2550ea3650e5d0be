//! Kafka as a sink: each row with its stamp in headers, in one topic an outlet.
//!
//! Without transactions rows are delivered at least once, and the stamps let a reader drop what it
//! has had. With them each delivery is one transaction that also writes the last sequence of each
//! range to a compacted topic; what that topic says after fencing is where the publisher goes on (I7).

mod fencing;
mod markers;
mod options;
mod outbound;
mod topics;
mod upserts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use proto::types::{RangeId, Sequence};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer};

use self::markers::{Markers, Unread, Until};
pub use self::options::KafkaSinkOptions;
use self::outbound::{Outbound, stamp_headers};
use self::topics::Topic;
pub use self::upserts::KafkaUpserts;
use super::{Outlet, Row, Sink, SinkError};
use crate::engine::Life;

/// How long a transaction's coordinator may take to answer.
const COORDINATOR: Duration = Duration::from_secs(30);

/// Delivers rows to four topics.
#[derive(Debug)]
pub struct KafkaSink {
    options: KafkaSinkOptions,
    topics: [String; 4],
    markers: String,
    /// The transactional ids that are known to be ended.
    ended: BTreeSet<String>,
    /// How often in a row an open transaction has hidden what was delivered.
    hidden: u32,
    /// Whether all topics are there; asked again after a fault.
    has_topics: bool,
    /// `None` until recovered, and again after any fault: so none is here with a transaction open.
    outbound: Option<Outbound>,
}

impl KafkaSink {
    /// A sink that connects when it is recovered.
    #[must_use]
    pub fn new(options: KafkaSinkOptions) -> Self {
        let topics = ["transactions", "late", "conflicts", "dead-letters"];
        Self {
            topics: topics.map(|name| options.topic(name)),
            markers: options.topic("markers"),
            options,
            ended: BTreeSet::new(),
            hidden: 0,
            has_topics: false,
            outbound: None,
        }
    }

    async fn read_markers(&mut self, until: Until) -> Result<Markers, SinkError> {
        let read = markers::read(self.options.client(), self.markers.clone(), until);
        read.await.map_err(|unread| match unread {
            Unread::Kafka(fault) => self.fault("read markers", fault),
            Unread::Hidden => {
                self.hidden = self.hidden.saturating_add(1);
                SinkError::Unavailable { doing: "read markers".to_owned(), source: unread.into() }
            }
        })
    }

    async fn create_topics(&mut self) -> Result<(), SinkError> {
        if self.has_topics {
            return Ok(());
        }
        let partitions = self.options.partitions;
        let mut topics: Vec<_> = self
            .topics
            .iter()
            .map(|name| Topic { name, partitions, is_compacted: false })
            .collect();
        if self.options.exactly_once.is_some() {
            topics.push(Topic { name: &self.markers, partitions: 1, is_compacted: true });
        }
        topics::create_missing(&self.options.client(), &topics)
            .await
            .map_err(|fault| self.options.unavailable("create topics", fault))?;
        self.has_topics = true;
        Ok(())
    }

    fn fault(&self, doing: &str, fault: KafkaError) -> SinkError {
        match fault.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch,
            ) => SinkError::Fenced(match &self.options.exactly_once {
                Some(life) => self.options.id(life),
                None => self.options.prefix.clone(),
            }),
            Some(_) | None => self.options.unavailable(doing, fault),
        }
    }

    async fn send(&self, outbound: &mut Outbound, rows: &[Row]) -> Result<(), KafkaError> {
        for row in rows {
            let topic = match row.outlet {
                Outlet::Transactions => &self.topics[0],
                Outlet::Late => &self.topics[1],
                Outlet::Conflicts => &self.topics[2],
                Outlet::DeadLetters => &self.topics[3],
            };
            let record = BaseRecord::to(topic)
                .key(&row.key[..])
                .payload(&row.payload[..])
                .headers(stamp_headers(row));
            outbound.send(record).await?;
        }
        Ok(())
    }

    async fn deliver_plainly(
        &self,
        outbound: &mut Outbound,
        rows: &[Row],
    ) -> Result<(), KafkaError> {
        self.send(outbound, rows).await?;
        outbound.settled().await
    }

    /// All rows, and for each range its last sequence, as one transaction.
    async fn deliver_once(&self, outbound: &mut Outbound, rows: &[Row]) -> Result<(), KafkaError> {
        outbound.blocking(Producer::begin_transaction).await?;
        self.send(outbound, rows).await?;
        let mut last = BTreeMap::new();
        for row in rows {
            last.insert(row.stamp.range, row.stamp.sequence);
        }
        for (range, sequence) in last {
            let (key, value) = (range.0.to_string(), sequence.0.to_string());
            outbound.send(BaseRecord::to(&self.markers).key(&key).payload(&value)).await?;
        }
        outbound.settled().await?;
        outbound.blocking(|producer| producer.commit_transaction(COORDINATOR)).await
    }

    async fn recover_now(&mut self) -> Result<Vec<(RangeId, Sequence)>, SinkError> {
        self.create_topics().await?;
        let Some(life) = self.options.exactly_once.clone() else {
            if self.outbound.is_none() {
                let outbound = Outbound::connect(&self.options.producer());
                self.outbound = Some(outbound.map_err(|fault| self.fault("connect", fault))?);
            }
            return Ok(Vec::new());
        };
        // The order matters: first nobody else can commit, then what is committed is read. A producer that has had
        // no fault since stays: who shuts it out lets none of its commits through.
        if self.outbound.is_none() {
            self.end(BTreeSet::from([self.options.former_id(&life.1)])).await?;
            let outbound = self.initialised(&self.options.id(&life)).await;
            let outbound = outbound.map_err(|fault| self.fault("start transactions", fault))?;
            self.outbound = Some(outbound);
        }
        let markers = self.read_markers(Until::End { before: self.hidden }).await?;
        self.hidden = 0;
        let id = self.options.id(&life);
        if markers.ended.contains(&id) {
            if let Some(outbound) = self.outbound.take() {
                outbound.close().await;
            }
            return Err(SinkError::Fenced(id));
        }
        self.ended.extend(markers.ended);
        Ok(markers.delivered.into_iter().collect())
    }

    async fn deliver_now(&mut self, rows: &[Row]) -> Result<(), SinkError> {
        let Some(mut outbound) = self.outbound.take() else {
            let unknown = KafkaError::ClientCreation("the sink is not recovered".to_owned());
            return Err(self.fault("deliver rows", unknown));
        };
        let delivered = if self.options.exactly_once.is_some() {
            self.deliver_once(&mut outbound, rows).await
        } else {
            self.deliver_plainly(&mut outbound, rows).await
        };
        match delivered {
            Ok(()) => {
                self.outbound = Some(outbound);
                Ok(())
            }
            // Whether a commit took effect is unclear after any fault: this producer is given up, and
            // the next one reads back what is there (research: Kafka's EndTxn is not safe to repeat).
            Err(fault) => {
                let fault = outbound.fatal().unwrap_or(fault);
                outbound.close().await;
                self.has_topics = false;
                Err(self.fault("deliver rows", fault))
            }
        }
    }
}

impl Sink for KafkaSink {
    fn fence<'a>(&'a mut self, lives: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>> {
        self.fence_now(lives).boxed()
    }

    fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>> {
        self.recover_now().boxed()
    }

    fn deliver<'a>(&'a mut self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>> {
        self.deliver_now(rows).boxed()
    }
}

#[cfg(test)]
mod tests;

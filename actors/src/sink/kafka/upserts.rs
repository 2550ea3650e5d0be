//! Indicator cells to a compacted topic: the highest version of a key counts.

use bytes::Bytes;
use rdkafka::producer::BaseRecord;

use super::super::SinkError;
use super::KafkaSinkOptions;
use super::outbound::Outbound;
use super::topics::{Topic, create_missing};

/// Writes cells to `<prefix>.indicators`. A cell may be written any number of times.
#[derive(Debug)]
pub struct KafkaUpserts {
    options: KafkaSinkOptions,
    topic: String,
    /// `None` before the first cell, and after a fault.
    outbound: Option<Outbound>,
}

impl KafkaUpserts {
    /// A writer that connects with the first cell.
    #[must_use]
    pub fn new(options: KafkaSinkOptions) -> Self {
        Self { topic: options.topic("indicators"), options, outbound: None }
    }

    /// Hands over `rows`, each a key and a value; waits only while too much is under way (I13).
    ///
    /// # Errors
    ///
    /// Where the brokers refuse; any rows since the last [`Self::flush`] are then to be written again.
    pub async fn upsert(&mut self, rows: Vec<(Bytes, Bytes)>) -> Result<(), SinkError> {
        let mut outbound = match self.outbound.take() {
            Some(outbound) => outbound,
            None => self.connect().await?,
        };
        for (key, value) in &rows {
            let record = BaseRecord::to(&self.topic).key(&key[..]).payload(&value[..]);
            let sent = outbound.send(record).await;
            if let Some(fault) = sent.err().or_else(|| outbound.take_fault()) {
                outbound.close().await;
                return Err(self.options.unavailable("write indicators", fault));
            }
        }
        self.outbound = Some(outbound);
        Ok(())
    }

    /// Waits until all rows are acknowledged.
    ///
    /// # Errors
    ///
    /// Where one was not; any rows since the last flush are then to be written again.
    pub async fn flush(&mut self) -> Result<(), SinkError> {
        let Some(mut outbound) = self.outbound.take() else { return Ok(()) };
        match outbound.settled().await {
            Ok(()) => {
                self.outbound = Some(outbound);
                Ok(())
            }
            Err(fault) => {
                outbound.close().await;
                Err(self.options.unavailable("write indicators", fault))
            }
        }
    }

    /// Rows handed over and not yet acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> u64 {
        self.outbound.as_ref().map_or(0, Outbound::unanswered)
    }

    async fn connect(&self) -> Result<Outbound, SinkError> {
        let failed = |fault| self.options.unavailable("connect to indicators", fault);
        let topic =
            Topic { name: &self.topic, partitions: self.options.partitions, is_compacted: true };
        create_missing(&self.options.client(), &[topic]).await.map_err(failed)?;
        Outbound::connect(&self.options.producer()).map_err(failed)
    }
}

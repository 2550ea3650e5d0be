//! Reads the results as they come out, as any reader would, and remembers when each range gave one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use actors::clock::Clock;
use anyhow::{Context as _, ensure};
use node::workload::kafka::{KafkaArgs, partitions};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

const POLL: Duration = Duration::from_millis(50);

/// What came out of a range.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    /// The last sequence: what is not behind it came again, and tells nothing.
    sequence: u64,
    /// When something new was seen, each millisecond once.
    pub(super) times: Vec<u64>,
    /// When something was first seen of each epoch.
    pub(super) epochs: BTreeMap<u64, u64>,
}

type Tracks = BTreeMap<u64, Track>;

/// What came out of all ranges, and goes on coming. It ends with this value.
#[derive(Debug)]
pub(super) struct Results {
    tracks: Arc<Mutex<Tracks>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Results {
    /// Begins to read the topic, which must be there, from its beginning.
    pub(super) fn watch(brokers: &KafkaArgs, topic: &str, clock: Clock) -> anyhow::Result<Self> {
        let consumer = brokers.consumer()?;
        let found = partitions(&consumer, topic)?.unwrap_or_default();
        ensure!(!found.is_empty(), "watch the results: there is no topic {topic}");
        let mut assigned = TopicPartitionList::new();
        for partition in found {
            assigned
                .add_partition_offset(topic, partition, Offset::Beginning)
                .context("watch the results")?;
        }
        consumer.assign(&assigned).context("watch the results")?;
        let (tracks, stop) = (Arc::<Mutex<Tracks>>::default(), Arc::<AtomicBool>::default());
        let (into, until) = (Arc::clone(&tracks), Arc::clone(&stop));
        let thread = std::thread::spawn(move || read(&consumer, &into, &until, &clock));
        Ok(Self { tracks, stop, thread: Some(thread) })
    }

    /// All that was seen so far.
    pub(super) fn tracks(&self) -> Tracks {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When something was seen last of each range.
    pub(super) fn last(&self) -> BTreeMap<u64, u64> {
        let tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        tracks.iter().filter_map(|(range, it)| Some((*range, *it.times.last()?))).collect()
    }

    /// The epoch of which something was seen last of each range.
    pub(super) fn epochs(&self) -> BTreeMap<u64, u64> {
        let tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        tracks.iter().filter_map(|(id, it)| Some((*id, *it.epochs.last_key_value()?.0))).collect()
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell any more.
            thread.join().ok();
        }
    }
}

fn read(consumer: &BaseConsumer, tracks: &Mutex<Tracks>, stop: &AtomicBool, clock: &Clock) {
    while !stop.load(Ordering::Relaxed) {
        // Errors are the drill's doing: the client goes on by itself.
        let Some(Ok(message)) = consumer.poll(POLL) else { continue };
        if let Some(stamp) = stamp(&message) {
            let mut tracks = tracks.lock().unwrap_or_else(PoisonError::into_inner);
            tracks.entry(stamp[0]).or_default().add(stamp, clock());
        }
    }
}

impl Track {
    fn add(&mut self, [_, epoch, sequence]: [u64; 3], now_ms: u64) {
        if sequence <= self.sequence {
            return;
        }
        self.sequence = sequence;
        self.epochs.entry(epoch).or_insert(now_ms);
        if self.times.last().is_none_or(|last| *last < now_ms) {
            self.times.push(now_ms);
        }
    }
}

/// Range, epoch and sequence.
fn stamp(message: &BorrowedMessage<'_>) -> Option<[u64; 3]> {
    let headers = message.headers()?;
    let number = |name: &str| {
        let header = headers.iter().find(|it| it.key == name)?;
        std::str::from_utf8(header.value?).ok()?.parse().ok()
    };
    Some([number("range")?, number("epoch")?, number("sequence")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_tells_nothing_and_an_epoch_is_seen_with_its_first_result() {
        let mut track = Track::default();
        for (epoch, sequence, now) in [(1, 1, 10), (1, 2, 10), (1, 3, 20), (1, 2, 30), (2, 4, 40)] {
            track.add([0, epoch, sequence], now);
        }
        assert_eq!(track.times, [10, 20, 40]);
        assert_eq!(track.epochs, BTreeMap::from([(1, 10), (2, 40)]));
    }
}

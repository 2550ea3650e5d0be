//! Legs that a range keeps by reference are read again from the source.

use std::sync::Arc;

use parking_lot::Mutex;
use proto::types::{PartitionIndex, RecordTime};
use tracing::warn;

use super::super::Setup;
use super::RestoreError;
use super::origin::Opened;
use crate::machine::block::{References, Wanted};
use crate::machine::codec::Reader;
use crate::machine::envelope::take_record;
use crate::machine::range::Restored;
use crate::reader::Router;
use crate::source::{Limit, Source};

/// Bytes that one read of young legs takes at most.
const READ: Limit = Limit { records: 1_000, bytes: 1 << 20 };
/// How long a source is waited for while young legs are read again.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Ranges that take back their young legs.
type Young<'a> = Mutex<&'a mut [(Restored, Opened)]>;

/// Reads the legs again that are kept by reference: of all partitions at once, since each of them waits for brokers.
pub(super) async fn refill(
    setup: &Setup,
    source: &dyn Source,
    references: References,
    young: &mut [(Restored, Opened)],
) -> Result<(), RestoreError> {
    let young = Mutex::new(young);
    let again = |(partition, wanted)| {
        let young = &young;
        async move { read_again(setup, source, (partition, &wanted), young).await }
    };
    futures::future::try_join_all(references.sorted().map(again)).await.map(drop)
}

async fn read_again(
    setup: &Setup,
    source: &dyn Source,
    (index, wanted): (PartitionIndex, &Wanted),
    young: &Young<'_>,
) -> Result<(), RestoreError> {
    let Some(name) = source.partitions().get(index.index()).cloned() else { return Ok(()) };
    let Some(last) = wanted.offsets.last() else { return Ok(()) };
    let notify = Arc::new(tokio::sync::Notify::new());
    let waker = Arc::clone(&notify);
    let from = wanted.base.offset;
    let mut partition = source.open(index, from, Arc::new(move || waker.notify_one()))?;
    let decoder = (setup.decoders)(name.leg);
    let mut router = Router::single(index, name.clone(), decoder);
    let (mut clock, now) = (wanted.base.clock, RecordTime((setup.clock)()));
    loop {
        let progress = partition.read(READ, &mut |record| router.take(&record, &mut clock, now))?;
        take_back(&router.take_single(), &mut young.lock())?;
        if progress.next > *last {
            return Ok(());
        }
        if !progress.more && tokio::time::timeout(PATIENCE, notify.notified()).await.is_err() {
            warn!(partition = %name, "source does not give young legs again, still waiting");
        }
    }
}

fn take_back(records: &[u8], young: &mut [(Restored, Opened)]) -> Result<(), RestoreError> {
    let mut reader = Reader::new(records);
    while !reader.is_empty() {
        let Ok((key, envelope)) = take_record(&mut reader) else { break };
        let owner =
            young.iter_mut().find(|(it, _)| it.range().identity().keys.contains(key.hash()));
        if let Some((restored, one)) = owner {
            restored.refill(key, &envelope, &*one.store)?;
        }
    }
    Ok(())
}

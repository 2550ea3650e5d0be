//! Generated transactions on their way through one range, up to the step that is to be measured.

use std::hint::black_box;
use std::sync::Arc;

use actors::journal::object::{Packed, seal};
use actors::machine::block::{Block, Place};
use actors::machine::partial::layout::Layout;
use actors::machine::positions::Batch;
use actors::machine::range::{Identity, Outcome, Range, Settings};
use actors::machine::transaction::{Activation, Decision, Rules, decide};
use actors::reader::Router;
use actors::source::Record;
use actors::source::decode::{Decoder, Limits};
use actors::store::memory::MemoryStore;
use anyhow::Context as _;
use bytes::Bytes;
use node::config::Config;
use node::workload::live::{Shape, Traffic};
use node::workload::params::Share;
use proto::types::{
    Epoch, KeyRange, Leg, Offset, PartitionIndex, RangeId, RecordTime, SourcePartition,
    TransactionKey,
};

use super::{count, measured};

/// The scenario that comes with the program, on topics as the generator fills them.
const FILE: &str = "apiVersion: throughline.dev/v1
kind: Cluster
metadata: { name: steps }
storage: { dir: unused, ranges: 1 }
sources:
  kafka: { brokers: [\"localhost:9092\"] }
  legs:
    trace: { topic: bank.trace, id: \"/transactionId\", time: \"/eventTime\" }
    request: { topic: bank.request, id: \"/transactionId\", time: \"/eventTime\" }
    response: { topic: bank.response, id: \"/transactionId\", time: \"/eventTime\" }
";

const SETTINGS: Settings = Settings {
    deadline_ms: 3_600_000,
    correction_ms: 3_600_000,
    duplicates_ms: 3_600_000,
    late_ms: 3_600_000,
    young_ms: 5_000,
    figures_ms: 86_400_000,
    held_bytes: 256 << 20,
    expiries: 1_000,
};

/// A range, the records for it, and what it goes by: one partition a leg.
pub(super) struct Pipeline {
    pub(super) rules: Arc<Rules>,
    pub(super) layout: Arc<Layout>,
    pub(super) range: Range,
    config: Config,
    store: MemoryStore,
    records: [Vec<(u64, Vec<u8>)>; 3],
    applied: bool,
}

impl Pipeline {
    /// Generates so many transactions.
    pub(super) fn new(transactions: u64) -> anyhow::Result<Self> {
        let config = Config::from_text("steps.yaml", FILE)
            .map_err(|found| anyhow::anyhow!("the file of the steps: {}", found.summary()))?;
        let partitions = Leg::ALL.map(partition).to_vec();
        let columns = config.rules.result_fields.clone();
        let scenarios = config.rules.scenarios.clone();
        let layout = Arc::new(Layout::of(&scenarios));
        let rules = Arc::new(Rules { partitions, columns, scenarios });
        let traffic = Traffic::new(&Shape {
            topic_prefix: "bank".to_owned(),
            partitions: 1,
            seed: 7,
            rate: 5_000,
            start_ms: 1_700_000_000_000,
            missing: Share::NONE,
        });
        let of = |leg| (0..transactions).filter_map(|at| traffic.record(leg, 0, at)).collect();
        let identity = Identity { id: RangeId(0), keys: KeyRange::FULL, epoch: Epoch::NONE.next() };
        Ok(Self {
            range: Range::new(identity, SETTINGS, Arc::clone(&rules), Arc::clone(&layout)),
            rules,
            layout,
            config,
            store: MemoryStore::default(),
            records: Leg::ALL.map(of),
            applied: false,
        })
    }

    /// Decodes every record.
    pub(super) fn decode(&self) -> anyhow::Result<u64> {
        let decoders = self.each(|leg| self.decoder(leg))?;
        let mut body = Vec::with_capacity(1_024);
        measured(&mut || {
            for (decoder, records) in decoders.iter().zip(&self.records) {
                for (_, payload) in records {
                    body.clear();
                    black_box(decoder.decode(Some(payload), &mut body).is_ok());
                }
            }
        });
        Ok(self.record_count())
    }

    /// Routes every record.
    pub(super) fn route(&self) -> anyhow::Result<u64> {
        let mut routers = self.each(|leg| self.router(leg))?;
        measured(&mut || {
            for (router, records) in routers.iter_mut().zip(&self.records) {
                black_box(routed(router, 0, records));
            }
        });
        Ok(self.record_count())
    }

    /// Applies every record, in batches as a reader makes them.
    pub(super) fn apply(&mut self) -> anyhow::Result<u64> {
        let batches = self.batches()?;
        let mut result = Ok(());
        measured(&mut || result = self.apply_all(&batches));
        result?;
        Ok(self.record_count())
    }

    /// What there is to decide about once every record is applied.
    pub(super) fn activations(&mut self) -> anyhow::Result<Vec<Activation>> {
        let batches = self.batches()?;
        self.apply_all(&batches)?;
        Ok(self.range.take_activations())
    }

    /// What is decided about every transaction.
    pub(super) fn decided(&mut self) -> anyhow::Result<Vec<(TransactionKey, Decision)>> {
        let activations = self.activations()?;
        Ok(activations.iter().map(|it| (it.key, decide(it, &self.rules))).collect())
    }

    /// The range has every report.
    pub(super) fn report(&mut self) -> anyhow::Result<u64> {
        let decided = self.decided()?;
        let reports = count(decided.len());
        for (key, decision) in decided {
            self.range.decided(key, Outcome::Decided(decision));
        }
        Ok(reports)
    }

    /// A commit of all that the range has.
    pub(super) fn commit(&mut self) -> Option<(Block, Bytes)> {
        let block = self.range.close(0)?;
        let packed = Packed::new(&block);
        Some((block, seal(1, &[packed])))
    }

    /// Where the commit is in the journal.
    pub(super) fn place(&self) -> Place {
        Place { at: (self.range.identity().epoch, proto::types::Slot(1)), ..Place::default() }
    }

    fn record_count(&self) -> u64 {
        self.records.iter().map(|records| count(records.len())).sum()
    }

    fn each<T>(&self, make: impl Fn(Leg) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
        Leg::ALL.into_iter().map(make).collect()
    }

    fn decoder(&self, leg: Leg) -> anyhow::Result<Decoder> {
        let from = &self.config.sources.legs[leg.index()];
        let pointers = self.config.rules.fields.pointers(leg);
        Ok(Decoder::new(leg, &from.id, &from.time, pointers, Limits::default())?)
    }

    fn router(&self, leg: Leg) -> anyhow::Result<Router> {
        let index = PartitionIndex(leg as u16);
        Ok(Router::single(index, partition(leg), self.decoder(leg)?))
    }

    /// The legs of each hundred transactions follow each other, as they do when they come live.
    fn batches(&self) -> anyhow::Result<Vec<Batch>> {
        const RECORDS: usize = 100;
        let mut batches = Vec::new();
        let mut routers = self.each(|leg| self.router(leg))?;
        let chunks = self.records[0].len().div_ceil(RECORDS);
        for chunk in 0..chunks {
            for (leg, router) in Leg::ALL.into_iter().zip(&mut routers) {
                let records = &self.records[leg.index()];
                let (first, last) = (chunk * RECORDS, records.len().min((chunk + 1) * RECORDS));
                let Some(some) = records.get(first..last) else { continue };
                let (clock, routed) = routed(router, first, some);
                let (from, to) = (Offset(count(first)), Offset(count(last)));
                let partition = PartitionIndex(leg as u16);
                batches.push(Batch { partition, from, to, clock, records: routed.into() });
            }
        }
        Ok(batches)
    }

    fn apply_all(&mut self, batches: &[Batch]) -> anyhow::Result<()> {
        anyhow::ensure!(!std::mem::replace(&mut self.applied, true), "applied before");
        for batch in batches {
            self.range.apply(batch, &self.store).context("apply generated records")?;
        }
        Ok(())
    }
}

fn partition(leg: Leg) -> SourcePartition {
    SourcePartition { topic: format!("bank.{}", leg.name()).into(), partition: 0, leg }
}

fn routed(router: &mut Router, first: usize, records: &[(u64, Vec<u8>)]) -> (RecordTime, Vec<u8>) {
    let mut clock = RecordTime(0);
    let far = RecordTime(u64::MAX / 2);
    for (number, (time_ms, payload)) in records.iter().enumerate() {
        let offset = Offset(count(first + number));
        let record = Record { offset, time_ms: *time_ms, payload: Some(payload) };
        router.take(&record, &mut clock, far);
    }
    (clock, router.take_single())
}

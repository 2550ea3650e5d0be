//! The engine as the API sees it.

mod figures;
mod found;
mod measures;
pub(super) mod saved;
mod standing;
mod word;

use std::sync::Arc;

use actors::engine::Engine;
use actors::range::Report;
use futures::FutureExt as _;
use parking_lot::Mutex;
use proto::types::TransactionKey;

pub(super) use self::standing::VERSION;
pub(super) use self::word::Word;
use super::upkeep::Upkeep;
use super::upkeep::requests::{Part, Taking};
use crate::api::backend::{
    Answer, AsOf, Backend, Cell, Change, Cluster, Granted, Indicator, Ledger, Node, Overview,
    Pulse, Query, Range, Reply, Snapshot, Transaction, Verdict,
};
use crate::config::Config;
use crate::problem::{Code, Problem};

/// Answers from a running engine.
pub(super) struct EngineBackend {
    engine: Arc<Engine>,
    config: Config,
    upkeep: Arc<Upkeep>,
    /// When rates were last worked out, and each range's records then.
    rates: Mutex<standing::Rates>,
}

impl EngineBackend {
    pub(super) fn new(engine: Arc<Engine>, config: Config, upkeep: Arc<Upkeep>) -> Self {
        Self { engine, config, upkeep, rates: Mutex::default() }
    }

    fn key(&self, id: &str) -> TransactionKey {
        self.config.sources.keying.key(id.as_bytes())
    }

    /// The snapshot that this node takes for that request, of the ranges that it owns.
    pub(super) fn taking(&self, request_id: &str) -> Taking {
        self.upkeep.wanted(request_id)
    }

    async fn reports(&self) -> Result<Vec<Report>, Problem> {
        self.engine.reports().await.map_err(|error| missing(&error))
    }

    fn as_of(&self, reports: &[Report]) -> AsOf {
        standing::as_of(reports, actors::clock::wall()())
    }
}

pub(super) fn missing(error: &dyn std::error::Error) -> Problem {
    let why = actors::causes::one_line(error);
    Problem::new(Code::RangesMissing, "the answer would not be complete", why)
        .remedy("throughline status")
}

impl Backend for EngineBackend {
    fn cluster(&self) -> Reply<'_, Cluster> {
        async move {
            let reports = self.reports().await?;
            let value = standing::cluster(self, &reports);
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn nodes(&self) -> Reply<'_, Vec<Node>> {
        async move {
            let reports = self.reports().await?;
            let value = vec![standing::node(self, &reports)];
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn ranges(&self) -> Reply<'_, Vec<Range>> {
        async move {
            let reports = self.reports().await?;
            let value = standing::ranges(self, &reports);
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn overview(&self) -> Reply<'_, Overview> {
        async move {
            let reports = self.reports().await?;
            let value = Overview {
                cluster: standing::cluster(self, &reports),
                nodes: vec![standing::node(self, &reports)],
                ranges: standing::ranges(self, &reports),
            };
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn change(&self, _: Change) -> Reply<'_, Granted> {
        let why = "it has no other nodes: its cluster file does not give listen.peer";
        let alone = Problem::new(Code::Alone, "this node runs alone", why)
            .remedy("give listen.peer in the cluster file of each node");
        async move { Err(alone) }.boxed()
    }

    fn ledger(&self) -> Reply<'_, Ledger> {
        async move {
            let reports = self.reports().await?;
            let value = standing::ledger(self.engine.partitions(), &reports);
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn transaction(&self, id: String) -> Reply<'_, Transaction> {
        async move {
            let found = self.engine.find(self.key(&id), id.as_bytes()).await;
            let found = found.map_err(|error| missing(&error))?;
            let reports = self.reports().await?;
            let value = found::transaction(found, self.engine.partitions());
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn indicators(&self) -> Reply<'_, Vec<Indicator>> {
        async move {
            let reports = self.reports().await?;
            let value = figures::list(&self.config.rules.scenarios);
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }

    fn query(&self, query: Query) -> Reply<'_, Vec<Cell>> {
        async move {
            let reports = self.reports().await?;
            let (value, missing) =
                figures::query(&self.engine, &self.config.rules.scenarios, &query).await?;
            let as_of = AsOf { missing, ..self.as_of(&reports) };
            Ok(Answer { value, as_of })
        }
        .boxed()
    }

    fn snapshots(&self) -> Reply<'_, Vec<Snapshot>> {
        async move {
            let mut value = saved::list(self.upkeep.snapshots()).await?;
            let shown = self.upkeep.shown();
            let newest = shown.newest.as_ref();
            if let Some(snapshot) =
                value.iter_mut().find(|it| newest.is_some_and(|(name, _)| it.name == *name))
            {
                snapshot.new_bytes = newest.map_or(0, |(_, new_bytes)| *new_bytes);
                snapshot.took_ms = shown.took_ms;
            }
            Ok(Answer { value, as_of: self.as_of(&self.reports().await?) })
        }
        .boxed()
    }

    fn create_snapshot(&self, request_id: String) -> Reply<'_, Vec<Snapshot>> {
        async move {
            let Part { snapshot, .. } = self.taking(&request_id).done().await?;
            Ok(Answer { value: vec![snapshot], as_of: self.as_of(&self.reports().await?) })
        }
        .boxed()
    }

    fn verify_snapshot(&self, name: String) -> Reply<'_, Verdict> {
        async move {
            let value = saved::verify(self.upkeep.snapshots(), &name).await?;
            Ok(Answer { value, as_of: self.as_of(&self.reports().await?) })
        }
        .boxed()
    }

    fn pulse(&self) -> Reply<'_, Pulse> {
        async move {
            let reports = self.reports().await?;
            let value = standing::pulse(self, &reports);
            Ok(Answer { value, as_of: self.as_of(&reports) })
        }
        .boxed()
    }
}

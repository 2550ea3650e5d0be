//! A snapshot is put back by hand, on a node that does not run.

use std::sync::Arc;

use actors::engine::{Holding, Life, Past, Wanted, put_back};
use actors::journal::log::ObjectLogs;
use actors::lock::DirLock;
use actors::snapshot::Snapshots;
use actors::store::rocks::Limits;
use coordinator::control_log::ControlLog;
use coordinator::machine::member::Member;
use coordinator::machine::table::{Range, Span, Table};
use proto::log::{Log, LogError};
use proto::types::{RangeId, Slot};

use super::durable::{LocalStores, belong, journal_prefix};
use super::telemetry;
use crate::cli::{RestoreArguments, Restored};
use crate::config::{Config, Objects};
use crate::problem::{Code, Problem};

/// Replaces the local state by a snapshot's; the journals and the control log stay as they are.
pub(super) async fn restore(
    config: &Config,
    arguments: &RestoreArguments,
) -> anyhow::Result<Restored> {
    telemetry::begin(&config.log, true)?;
    let name = arguments.name.as_deref().map(number).transpose()?;
    let place = &config.storage.objects;
    if matches!(place, Objects::Folder(folder) if !folder.exists()) {
        return Err(nothing(place, "it does not exist").into());
    }
    let lock = DirLock::acquire(&config.storage.dir)?;
    belong(&config.storage.dir, &config.names.cluster)?;
    let objects = super::objects::open(&config.storage).await?;
    let snapshots = Snapshots::new(Arc::clone(&objects));
    let names = snapshots.list().await?;
    match name {
        Some(name) if !names.contains(&name) => return Err(unknown(&name.to_string()).into()),
        None if names.is_empty() => return Err(nothing(place, "it has no snapshot").into()),
        Some(_) | None => {}
    }
    let logs = ObjectLogs::new(objects);
    let control = ControlLog::open(logs.log("control")).await?;
    let holdings = holdings(&logs, control.table()).await?;
    if holdings.is_empty() {
        return Err(nothing(place, "no node has run on it").into());
    }
    let stores = LocalStores::new(config.storage.dir.join("state"), Limits::default())?;
    let wanted = Wanted { name, is_rehearsal: arguments.dry_run };
    let put = put_back(&snapshots, &stores, &holdings, wanted).await?;
    drop(lock);
    Ok(Restored {
        name: put.name.to_string(),
        created_ms: put.created_ms,
        ranges: u32::try_from(put.ranges).unwrap_or(u32::MAX),
        bytes: put.bytes,
        tail_slots: put.tail_slots as u64,
        passed_over: put.refused,
    })
}

/// Every range, with its past up to the last slot there is: also of a life that nobody has fenced yet.
pub(super) async fn holdings(logs: &ObjectLogs, table: &Table) -> Result<Vec<Holding>, LogError> {
    let mut holdings = Vec::new();
    for (id, range) in table.ranges() {
        holdings.push(holding(logs, id, range).await?);
    }
    Ok(holdings)
}

async fn holding(logs: &ObjectLogs, id: RangeId, range: &Range) -> Result<Holding, LogError> {
    let journal = |member: &Member| logs.log(&journal_prefix(&member.node, member.incarnation));
    let ended = |span: &Span| Past {
        range: span.range,
        life: life(&span.member),
        epoch: span.epoch,
        journal: journal(&span.member),
        from: span.from,
        to: span.to,
    };
    let mut past: Vec<Past> = range.lineage.iter().map(ended).collect();
    if let Some(owner) = range.owner() {
        let journal: Arc<dyn Log> = journal(owner);
        let to = journal.slots().await?.last().copied().unwrap_or_default().next();
        let before = range.lineage.iter().rev().find(|span| span.member == *owner);
        let from = before.map_or(Slot(1), |span| span.to);
        let (life, epoch) = (life(owner), range.epoch);
        past.push(Past { range: id, life, epoch, journal, from, to });
    }
    // Nothing is served here, so nobody has to be shut out of the sink.
    let ended = Arc::from([]);
    let ancestors = range.ancestors.clone();
    Ok(Holding { id, keys: range.keys, epoch: range.epoch, past, ancestors, ended })
}

pub(super) fn life(member: &Member) -> Life {
    (member.incarnation, member.node.clone())
}

fn number(name: &str) -> Result<u64, Problem> {
    name.strip_prefix("snapshots/").unwrap_or(name).parse().map_err(|_| unknown(name))
}

fn unknown(name: &str) -> Problem {
    let what = format!("there is no snapshot {name}");
    Problem::new(Code::SnapshotNotFound, what, "no manifest has that name")
        .remedy("leave the name out to restore the newest that can be")
}

pub(super) fn nothing(objects: &Objects, why: &str) -> Problem {
    let what = format!("there is nothing to restore in {objects}");
    Problem::new(Code::SnapshotNotFound, what, why)
        .remedy("see that storage.objects in the cluster file is where the node kept its objects")
}

//! A cluster's state is copied to where a new one begins. Nodes may run meanwhile: the copy is what they had committed
//! when it came to their journals.
//!
//! The control log's first slot goes last: before it no node starts there. So a copy that broke off is never taken for
//! a cluster, and goes on when it is asked for again; what is there already is not sent twice.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actors::engine::{Basis, Holding, Life, Past, bases};
use actors::journal::Objects;
use actors::journal::log::{ObjectLog, ObjectLogs};
use actors::snapshot::{SnapshotError, Snapshots};
use anyhow::Context as _;
use bytes::Bytes;
use coordinator::control_log::ControlLog;
use coordinator::machine::table::Table;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::log::{Created, Log as _};
use proto::types::Slot;
use tracing::info;

use super::durable::journal_prefix;
use super::restore::{holdings, life, nothing};
use super::telemetry;
use crate::cli::Copied;
use crate::config::Config;
use crate::problem::{Code, Problem};

/// Objects that are copied at once.
const AT_ONCE: usize = 16;
/// How often a copy begins anew because what it was about to read went meanwhile.
const TRIES: usize = 5;
/// A log in the new place whose only slot says what is copied there: the first slot of that cluster's control log.
const ORIGIN: &str = "copied-from";
const FIRST: Slot = Slot(1);

/// Where a cluster's state lies.
struct Ground {
    objects: Objects,
    logs: ObjectLogs,
    snapshots: Snapshots,
}

impl Ground {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let objects = super::objects::open(&config.storage).await?;
        let logs = ObjectLogs::new(Arc::clone(&objects));
        Ok(Self { logs, snapshots: Snapshots::new(Arc::clone(&objects)), objects })
    }

    fn control(&self) -> ObjectLog {
        self.logs.object_log("control")
    }

    fn journal(&self, (incarnation, node): &Life) -> ObjectLog {
        self.logs.object_log(&journal_prefix(node, *incarnation))
    }
}

/// Copies the state of the cluster of `config` to where the one of `to` begins.
pub(super) async fn copy(config: &Config, to: &Config) -> anyhow::Result<Copied> {
    telemetry::begin(&config.log, true)?;
    apart(config, to)?;
    let (from, into) = (Ground::open(config).await?, Ground::open(to).await?);
    let origin = from.control().read(FIRST).await?;
    let origin = origin.ok_or_else(|| nothing(&config.storage.objects, "no node has run on it"))?;
    if !claim(&into, &origin).await? {
        return Err(taken(to).into());
    }
    let mut copied = Copied { to: to.storage.objects.to_string(), ..Copied::default() };
    let mut tries = 1;
    loop {
        match attempt((&from, &into), &mut copied).await {
            Ok(()) => return Ok(copied),
            Err(error) if tries == TRIES => return Err(unfinished(&error).into()),
            Err(error) => {
                info!(tries, error = format!("{error:#}"), "the copy begins anew");
                tries += 1;
            }
        }
    }
}

/// Refuses two clusters that would be in each other's way.
fn apart(config: &Config, to: &Config) -> Result<(), Problem> {
    if config.names.cluster == to.names.cluster {
        let what = format!("both clusters are called {}", config.names.cluster);
        let why = "their nodes would take each other for their own";
        let problem = Problem::new(Code::BadArgument, what, why);
        return Err(problem.remedy("give the new one another name: cluster"));
    }
    if config.storage.objects == to.storage.objects {
        let what = format!("both clusters keep their objects in {}", config.storage.objects);
        let problem = Problem::new(Code::BadArgument, what, "a copy needs a place of its own");
        return Err(problem.remedy("name another one: storage.objects"));
    }
    Ok(())
}

/// Whether the place is ours to fill: it is empty, or a copy of the same cluster has broken off there.
async fn claim(into: &Ground, origin: &Bytes) -> anyhow::Result<bool> {
    let log = into.logs.object_log(ORIGIN);
    let is_begun = into.objects.list(None).try_next().await?.is_some();
    if !is_begun {
        log.create(FIRST, origin.clone()).await?;
    }
    let is_same = log.read(FIRST).await?.as_ref() == Some(origin);
    Ok(is_same && into.control().read(FIRST).await?.is_none())
}

async fn attempt((from, into): (&Ground, &Ground), copied: &mut Copied) -> anyhow::Result<()> {
    let control = ControlLog::open(Arc::new(from.control())).await;
    let control = control.context("read the control log")?;
    let old = holdings(&from.logs, control.table()).await?;
    copied.ranges = old.len() as u64;
    let found = loop {
        let found = bases(&from.snapshots, &old, &copied.passed_over).await?;
        match transfer((from, into), &found, copied).await? {
            Ok(()) => break found,
            Err((name, why)) => copied.passed_over.insert(name, why),
        };
    };
    for (life, first) in needed(control.table(), &old, &found) {
        let (theirs, ours) = (from.journal(&life), into.journal(&life));
        let there = theirs.slots().await?;
        // Also of a journal that no range reads: where it ends, whoever shuts its node out goes on.
        let first = there.last().map_or(first, |last| first.min(*last));
        let slots = there.into_iter().filter(|slot| *slot >= first).collect();
        copied.commits += pass_on(&theirs, &ours, slots).await.context("copy a journal")?;
    }
    let new = holdings(&into.logs, control.table()).await?;
    bases(&into.snapshots, &new, &copied.passed_over).await.context("check the copy")?;
    let slots = (FIRST.next().0..=control.read().0).map(Slot).collect();
    for slots in [slots, vec![FIRST]] {
        let passed = pass_on(&from.control(), &into.control(), slots).await;
        passed.context("copy the control log")?;
    }
    Ok(())
}

/// Copies the snapshots that ranges are restored from; the first that is not what it was, and why not.
async fn transfer(
    (from, into): (&Ground, &Ground),
    found: &[Basis],
    copied: &mut Copied,
) -> anyhow::Result<Result<(), (u64, String)>> {
    let snapshots: BTreeSet<u64> = found.iter().filter_map(|basis| basis.snapshot).collect();
    copied.snapshots = snapshots.len() as u64;
    for name in snapshots {
        match from.snapshots.transfer(name, &into.snapshots).await {
            Ok(bytes) => copied.bytes += bytes,
            Err(error @ SnapshotError::Damaged { .. }) => {
                return Ok(Err((name, error.to_string())));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("copy snapshot {name}"));
            }
        }
    }
    Ok(Ok(()))
}

/// From where on each journal is needed; of those that no range reads only the end is.
fn needed(table: &Table, holdings: &[Holding], bases: &[Basis]) -> BTreeMap<Life, Slot> {
    let end = Slot(u64::MAX);
    let mut needed: BTreeMap<Life, Slot> = table.alive().map(|it| (life(it), end)).collect();
    for (holding, basis) in holdings.iter().zip(bases) {
        let (epoch, slot) = basis.needed_from;
        for Past { life, from, epoch: its, .. } in &holding.past {
            let from = match its.cmp(&epoch) {
                Ordering::Less => end,
                Ordering::Equal => slot,
                Ordering::Greater => *from,
            };
            let first = needed.entry(life.clone()).or_insert(from);
            *first = from.min(*first);
        }
    }
    needed
}

/// Copies slots in any order: at the end all are there. How many were not before.
async fn pass_on(theirs: &ObjectLog, ours: &ObjectLog, slots: Vec<Slot>) -> anyhow::Result<u64> {
    let there: BTreeSet<Slot> = ours.slots().await?.into_iter().collect();
    let slots = slots.into_iter().filter(|slot| !there.contains(slot));
    let copies = stream::iter(slots).map(async |slot| {
        let object = theirs.read(slot).await?.with_context(|| format!("slot {slot} is gone"))?;
        match ours.create(slot, object.clone()).await? {
            Created::Won => {}
            // Our own attempt may be what stands there.
            Created::Exists => {
                let is_ours = ours.read(slot).await? == Some(object);
                anyhow::ensure!(is_ours, "somebody else writes slot {slot} at the same time");
            }
        }
        anyhow::Ok(())
    });
    copies.buffer_unordered(AT_ONCE).try_fold(0, async |copied, ()| Ok(copied + 1)).await
}

fn taken(to: &Config) -> Problem {
    let what = format!("{} is not empty", to.storage.objects);
    let why = "a cluster has begun there, or another one was copied there";
    Problem::new(Code::PlaceTaken, what, why)
        .remedy("name an empty place in storage.objects of the new cluster's file")
}

fn unfinished(error: &anyhow::Error) -> Problem {
    let what = "the copy was not finished";
    Problem::new(Code::CopyUnfinished, what, format!("{error:#}"))
        .remedy("ask for it again: what has been copied is not copied twice")
        .remedy("where it goes before it has been copied: raise snapshots.keep, or stop the nodes first")
}

#[cfg(test)]
mod tests;

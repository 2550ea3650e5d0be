//! A cluster's state is copied to where a new one begins. Nodes may run meanwhile: the copy is what they had committed
//! when it came to their journals.
//!
//! The control log goes last: where it is, all that it speaks of is. What is there already is not sent again, so that a
//! copy that broke off goes on, and a second one brings only what is new.

use std::collections::{BTreeMap, BTreeSet};

use actors::engine::{Basis, Holding, Life, Past, bases};
use actors::journal::log::{ObjectLog, ObjectLogs};
use actors::snapshot::Snapshots;
use anyhow::Context as _;
use coordinator::control_log::ControlLog;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::log::{Created, Log as _};
use proto::types::Slot;

use super::durable::journal_prefix;
use super::restore::{holdings, nothing};
use super::telemetry;
use crate::cli::Copied;
use crate::config::Config;
use crate::problem::{Code, Problem};

/// Objects that are copied at once.
const AT_ONCE: usize = 16;
/// How often a copy begins anew because what it was about to read went meanwhile.
const TRIES: usize = 3;

/// Where a cluster's state lies.
struct Ground {
    logs: ObjectLogs,
    snapshots: Snapshots,
}

impl Ground {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let objects = super::objects::open(&config.storage).await?;
        let logs = ObjectLogs::new(std::sync::Arc::clone(&objects));
        Ok(Self { logs, snapshots: Snapshots::new(objects) })
    }

    fn journal(&self, (incarnation, node): &Life) -> ObjectLog {
        self.logs.object_log(&journal_prefix(node, *incarnation))
    }
}

/// Copies the state of the cluster of `config` to where the one of `to` begins.
pub(super) async fn copy(config: &Config, to: &Config) -> anyhow::Result<Copied> {
    telemetry::begin(&config.log, true)?;
    if config.names.cluster == to.names.cluster {
        let what = format!("both clusters are called {}", config.names.cluster);
        let why = "their nodes would take each other for their own";
        let problem = Problem::new(Code::BadArgument, what, why);
        return Err(problem.remedy("give the new one another name: cluster").into());
    }
    if config.storage.objects == to.storage.objects {
        let what = format!("both clusters keep their objects in {}", config.storage.objects);
        let problem = Problem::new(Code::BadArgument, what, "a copy needs a place of its own");
        return Err(problem.remedy("name another one: storage.objects").into());
    }
    let (from, into) = (Ground::open(config).await?, Ground::open(to).await?);
    let mut tries = 1;
    loop {
        match attempt(config, to, (&from, &into)).await {
            Err(error) if tries < TRIES && error.downcast_ref::<Problem>().is_none() => tries += 1,
            copied => return copied,
        }
    }
}

async fn attempt(
    config: &Config,
    to: &Config,
    (from, into): (&Ground, &Ground),
) -> anyhow::Result<Copied> {
    let control =
        ControlLog::open(from.logs.log("control")).await.context("read the control log")?;
    let last = control.read();
    if last == Slot(0) {
        return Err(nothing(&config.storage.objects, "no node has run on it").into());
    }
    let (theirs, ours) = (from.logs.object_log("control"), into.logs.object_log("control"));
    check_same(&theirs, &ours, last).await?.map_err(|()| taken(to))?;
    let old = holdings(&from.logs, control.table()).await?;
    let found = bases(&from.snapshots, &old).await?;
    let mut copied = Copied {
        ranges: old.len() as u64,
        to: to.storage.objects.to_string(),
        ..Copied::default()
    };
    let snapshots: BTreeSet<u64> = found.iter().filter_map(|basis| basis.snapshot).collect();
    for name in &snapshots {
        let sent = from.snapshots.transfer(*name, &into.snapshots).await;
        copied.bytes += sent.with_context(|| format!("copy snapshot {name}"))?;
    }
    copied.snapshots = snapshots.len() as u64;
    for (life, first) in needed(&old, &found) {
        let (theirs, ours) = (from.journal(&life), into.journal(&life));
        let slots = theirs.slots().await?.into_iter().filter(|slot| *slot >= first).collect();
        copied.slots += pass_on(&theirs, &ours, slots).await?.map_err(|()| taken(to))?;
    }
    let new = holdings(&into.logs, control.table()).await?;
    bases(&into.snapshots, &new).await.context("check the copy")?;
    let slots = (1..=last.0).map(Slot).collect();
    pass_on(&theirs, &ours, slots).await?.map_err(|()| taken(to))?;
    Ok(copied)
}

/// From where on the journal of each life is needed.
fn needed(holdings: &[Holding], bases: &[Basis]) -> BTreeMap<Life, Slot> {
    let mut needed = BTreeMap::new();
    for (holding, basis) in holdings.iter().zip(bases) {
        let (epoch, slot) = basis.needed_from;
        for past in holding.past.iter().filter(|past| past.epoch >= epoch) {
            let Past { life, from, .. } = past;
            let from = if past.epoch == epoch { slot } else { *from };
            let first = needed.entry(life.clone()).or_insert(from);
            *first = from.min(*first);
        }
    }
    needed
}

/// Whether what stands there is a beginning of what stands here.
async fn check_same(
    theirs: &ObjectLog,
    ours: &ObjectLog,
    last: Slot,
) -> anyhow::Result<Result<(), ()>> {
    for slot in ours.slots().await? {
        if slot > last || ours.read(slot).await? != theirs.read(slot).await? {
            return Ok(Err(()));
        }
    }
    Ok(Ok(()))
}

/// Copies slots, in their order where it matters: at the end all are there. How many were not before; an error where
/// something else stands in one's place.
async fn pass_on(
    theirs: &ObjectLog,
    ours: &ObjectLog,
    slots: Vec<Slot>,
) -> anyhow::Result<Result<u64, ()>> {
    let there: BTreeSet<Slot> = ours.slots().await?.into_iter().collect();
    let slots = slots.into_iter().filter(|slot| !there.contains(slot));
    let copies = stream::iter(slots).map(async |slot| {
        let object = theirs.read(slot).await?.with_context(|| format!("slot {slot} is gone"))?;
        match ours.create(slot, object.clone()).await? {
            Created::Won => Ok(true),
            // Our own attempt may be what stands there.
            Created::Exists => Ok::<_, anyhow::Error>(ours.read(slot).await? == Some(object)),
        }
    });
    let copied: Vec<bool> = copies.buffered(AT_ONCE).try_collect().await?;
    let is_ours = copied.iter().all(|is_ours| *is_ours);
    Ok(if is_ours { Ok(copied.len() as u64) } else { Err(()) })
}

fn taken(to: &Config) -> Problem {
    let what = format!("{} is not empty", to.storage.objects);
    Problem::new(
        Code::PlaceTaken,
        what,
        "a cluster has begun there, or another one was copied there",
    )
    .remedy("name an empty place in storage.objects of the new cluster's file")
}

//! What drills need of the cluster that they are played on, and what is sent to it.

use std::path::PathBuf;
use std::process::Command;

use actors::clock::nonce;
use anyhow::Context as _;
use node::workload::params::{Oddities, Params, Share};

use super::{Skipped, Stage};
use crate::cluster::Cluster;
use crate::drain::{Drain, brisk, share};
use crate::faults::Faults;
use crate::minio::{Minio, bucket_at};
use crate::wall::{Library, NodeClock};
use crate::wires::Wires;

/// What a drill needs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Needs {
    /// Nothing: nodes, a broker, objects in a folder.
    Plain,
    /// Something between the nodes that can be cut.
    Wires,
    /// Deadlines far behind what a broker may be away; so there is no time for corrections and contradictions.
    Patience,
    /// A load in which each transaction has a record that comes twice.
    Duplicates,
    /// A load with a record that cannot be understood for each four transactions.
    Poison,
    /// Objects in a bucket, and something before it that can be unkind.
    Bucket,
    /// A disk of its own for the last node, which can be full.
    Disk,
    /// A clock of its own for each node, which can be set.
    Clocks,
}

/// What stands around the nodes, as far as a drill needed it.
#[derive(Debug, Default)]
pub struct Props {
    /// What is between the nodes.
    pub wires: Option<Wires>,
    /// What is before the bucket.
    pub faults: Option<Faults>,
    /// The last node's disk.
    pub disk: Option<Disk>,
    /// The server of the bucket.
    pub minio: Option<Minio>,
}

impl Needs {
    /// The load.
    #[must_use]
    pub fn params(self, rate: u64, seconds: u64) -> Params {
        let params = brisk(rate, seconds);
        let of = params.oddities;
        match self {
            Self::Plain | Self::Wires | Self::Bucket | Self::Disk | Self::Clocks => params,
            Self::Patience => {
                let oddities = Oddities { late: Share::NONE, conflicts: Share::NONE, ..of };
                Params { lateness_s: 85, oddities, ..params }
            }
            Self::Duplicates => {
                Params { oddities: Oddities { duplicates: share("100%"), ..of }, ..params }
            }
            Self::Poison => {
                Params { oddities: Oddities { malformed: share("25%"), ..of }, ..params }
            }
        }
    }

    /// Sets up what is needed, around a cluster that was not started yet.
    ///
    /// # Errors
    ///
    /// [`Skipped`] where this machine does not have it.
    pub async fn set(self, drain: Drain) -> anyhow::Result<(Drain, Props)> {
        let mut props = Props::default();
        if self != Self::Bucket {
            return Ok((drain, props));
        }
        let minio = Minio::start().await;
        let minio =
            minio.map_err(|why| Skipped(format!("there is no S3-compatible server: {why:#}")))?;
        let faults = Faults::before(minio.port(), 0, nonce()).await?;
        let drain = drain.in_bucket(bucket_at(faults.port(), "drill"))?;
        (props.faults, props.minio) = (Some(faults), Some(minio));
        Ok((drain, props))
    }

    /// The same for what stands between the nodes, and below them.
    ///
    /// # Errors
    ///
    /// [`Skipped`] where this machine does not have it.
    pub async fn set_around(self, cluster: &mut Cluster, props: &mut Props) -> anyhow::Result<()> {
        if self == Self::Wires {
            props.wires = Some(Wires::between(cluster).await?);
        }
        if self == Self::Disk {
            let last = cluster.place_mut(cluster.size() - 1);
            let disk = Disk::mount(last.folder.join("disk"))?;
            last.data = disk.folder.join("data");
            props.disk = Some(disk);
        }
        if self == Self::Clocks {
            let library = Library::compile(cluster.drain().folder());
            let library = library.map_err(|why| {
                Skipped(format!("a clock that can be set cannot be made: {why:#}"))
            })?;
            for node in 0..cluster.size() {
                let place = cluster.place_mut(node);
                let ahead = place.folder.join("ahead");
                place.clock = Some(NodeClock::new(library.clone(), ahead)?);
            }
        }
        Ok(())
    }
}

/// A small disk: a file system in memory. It goes with this value.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    const SIZE: &str = "size=512m";

    fn mount(folder: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder).context("make a folder for the disk")?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", Self::SIZE, "tmpfs"])
            .arg(&folder)
            .output()
            .context("mount a small disk")?;
        if mount.status.success() {
            return Ok(Self { folder });
        }
        let why = String::from_utf8_lossy(&mount.stderr).trim().to_owned();
        Err(Skipped(format!("a small disk cannot be mounted here: {why}")).into())
    }

    /// A file that fills it.
    #[must_use]
    pub fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may still hold it for a moment. Nobody is left to be told.
        Command::new("umount").arg("-l").arg(&self.folder).status().ok();
    }
}

impl Stage {
    /// What is between the nodes.
    pub(super) fn wires(&self) -> anyhow::Result<&Wires> {
        self.props.wires.as_ref().context("find the wires: the drill has to say that it needs them")
    }

    /// What is before the bucket.
    pub(super) fn faults(&self) -> anyhow::Result<&Faults> {
        self.props
            .faults
            .as_ref()
            .context("find the bucket: the drill has to say that it needs one")
    }

    /// A node's clock.
    pub(super) fn clock(&self, node: usize) -> anyhow::Result<&NodeClock> {
        let clock = self.cluster.place(node).clock.as_ref();
        clock.context("find the clock: the drill has to say that it needs one")
    }

    /// The last node's disk.
    pub(super) fn disk(&self) -> anyhow::Result<&Disk> {
        self.props.disk.as_ref().context("find the disk: the drill has to say that it needs one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_load_has_one_outcome() {
        let all = [Needs::Plain, Needs::Patience, Needs::Duplicates, Needs::Poison];
        for needs in all {
            needs.params(5_000, 55).check(8).unwrap_or_else(|why| panic!("{needs:?}: {why}"));
        }
    }
}

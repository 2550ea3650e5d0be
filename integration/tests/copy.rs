//! A cluster is copied to where a new one begins: that one goes on with everything, to the record.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use actors::snapshot::Snapshots;
use integration::broker::Broker;
use integration::cluster::Cluster;
use integration::drain::{Delivery, Drain, odd};
use integration::process::program;
use node::problem::Exit;

const PATIENCE: Duration = Duration::from_secs(120);
const EVERY_MS: u64 = 200;
/// So far ahead one partition may be of another: the workload takes a while then.
const ALIGNMENT_S: u64 = 3;

/// Types `throughline snapshot copy`; how it ended and what it said.
fn copy(from: &Path, to: &Path) -> (i32, String) {
    let mut command = Command::new(program().unwrap());
    command.args(["snapshot", "copy", "--config"]).arg(from).arg("--to").arg(to);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// Types `throughline snapshot create` for the node that listens on this port; the nodes that took one, and of how many
/// ranges. Nothing, while ranges move.
fn snapshot_all(port: u16) -> Option<(usize, u64)> {
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(program().unwrap());
    command.args(["snapshot", "create", "-o", "json", "--endpoint", &endpoint]);
    let output = command.output().unwrap();
    let taken: Vec<serde_json::Value> =
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())?;
    let nodes: BTreeSet<_> = taken.iter().filter_map(|it| it["node"].as_str()).collect();
    Some((nodes.len(), taken.iter().filter_map(|it| it["ranges"].as_u64()).sum()))
}

/// Spoils a file of the newest snapshot that no older one has.
async fn spoil_newest(drain: &Drain) {
    let snapshots = Snapshots::new(drain.store().unwrap());
    let mut names = snapshots.list().await.unwrap();
    let newest = names.pop().unwrap();
    let mut older = BTreeSet::new();
    for name in names {
        let manifest = snapshots.inspect(name).await.unwrap();
        older.extend(manifest.files().map(|file| file.object.clone()));
    }
    let manifest = snapshots.inspect(newest).await.unwrap();
    let its_own = manifest.files().find(|file| !older.contains(&file.object)).unwrap();
    let file = drain.objects().join(&its_own.object);
    let mut bytes = fs::read(&file).unwrap();
    bytes[0] ^= 1;
    fs::write(&file, bytes).unwrap();
}

#[tokio::test]
async fn a_cluster_that_is_copied_goes_on_elsewhere_under_another_name_and_loses_nothing() {
    let broker = Broker::start().await.unwrap();
    let delivery = Delivery::ExactlyOnce;
    let drain = Drain::prepare_keyed(&broker.bootstrap(), "copied", odd(24_000), delivery).await;
    let records = drain.as_ref().unwrap().expected().record_count();
    let mut cluster =
        Cluster::new(drain.unwrap().with_snapshots(EVERY_MS), 2, ALIGNMENT_S).unwrap();
    cluster.start_all().unwrap();
    cluster.consumed(records / 4, PATIENCE).await.unwrap();

    // Any node has every node take its part, once each has one.
    let began = tokio::time::Instant::now();
    while snapshot_all(cluster.place(1).ports[0]) != Some((2, 8)) {
        assert!(began.elapsed() < PATIENCE, "{}", cluster.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let old = cluster.place(0).folder.join("old.yaml");
    let new = cluster.place(0).folder.join("new.yaml");
    fs::write(&old, cluster.file(0)).unwrap();
    let (code, said) = copy(&old, &old);
    assert_eq!(code, i32::from(Exit::Invalid as u8), "{said}");
    assert!(said.contains("both clusters are called copied"), "{said}");

    // While the nodes run, twice: both are as if they had broken off.
    cluster.move_to("moved");
    fs::write(&new, cluster.file(0)).unwrap();
    for part in [2, 3] {
        let (code, said) = copy(&old, &new);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("8 ranges out of"), "{said}");
        let first = cluster.drain().objects().join("control").join(format!("{:020}", 1));
        fs::remove_file(first).unwrap();
        cluster.consumed(records / 5 * part, PATIENCE).await.unwrap();
    }
    for node in 0..cluster.size() {
        cluster.kill9(node, false).unwrap();
    }
    cluster.move_to("copied");
    spoil_newest(cluster.drain()).await;
    cluster.move_to("moved");
    let (code, said) = copy(&old, &new);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("was passed over") && said.contains("has other content"), "{said}");

    cluster.start_all().unwrap();
    let standing = cluster.through(PATIENCE).await.unwrap();
    let logs = cluster.logs();
    let report = cluster.verify().await.unwrap();
    assert!(report.is_right(), "{report}\n{logs}");
    assert_eq!(standing.imbalance, 0);

    let (code, said) = copy(&old, &new);
    assert_eq!(code, i32::from(Exit::Conflict as u8), "{said}");
    assert!(said.contains("is not empty") && said.contains("TL-0607"), "{said}");
}

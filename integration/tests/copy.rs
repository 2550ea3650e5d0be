//! A cluster is copied to where a new one begins: that one goes on with everything, to the record.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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

fn kill_all(cluster: &mut Cluster) {
    for node in 0..cluster.size() {
        cluster.kill9(node, false).unwrap();
    }
}

#[tokio::test]
async fn a_cluster_that_is_copied_goes_on_elsewhere_under_another_name_and_loses_nothing() {
    let broker = Broker::start().await.unwrap();
    let delivery = Delivery::ExactlyOnce;
    let drain = Drain::prepare(&broker.bootstrap(), "copied", odd(24_000), delivery).await;
    let records = drain.as_ref().unwrap().expected().record_count();
    let mut cluster =
        Cluster::new(drain.unwrap().with_snapshots(EVERY_MS), 2, ALIGNMENT_S).unwrap();
    cluster.start_all().unwrap();
    cluster.consumed(records / 4, PATIENCE).await.unwrap();

    let old = cluster.place(0).folder.join("old.yaml");
    let new = cluster.place(0).folder.join("new.yaml");
    fs::write(&old, cluster.file(0)).unwrap();
    let (code, said) = copy(&old, &old);
    assert_eq!(code, i32::from(Exit::Invalid as u8), "{said}");
    assert!(said.contains("both clusters are called copied"), "{said}");

    // While the nodes run; and again, when it brings what is new.
    let moves = |cluster: &mut Cluster, name: &str| {
        cluster.move_to(name);
        fs::write(&new, cluster.file(0)).unwrap();
        let (code, said) = copy(&old, &new);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("8 ranges out of"), "{said}");
    };
    moves(&mut cluster, "moved");
    cluster.consumed(records / 5 * 2, PATIENCE).await.unwrap();
    moves(&mut cluster, "late");
    moves(&mut cluster, "moved");
    cluster.consumed(records / 5 * 3, PATIENCE).await.unwrap();
    kill_all(&mut cluster);

    // I6: that copy is older than what was delivered.
    cluster.move_to("late");
    cluster.start_all().unwrap();
    let ended = cluster.through(PATIENCE).await.unwrap_err().to_string();
    assert!(ended.contains("the state is older than its results"), "{ended}");
    kill_all(&mut cluster);

    moves(&mut cluster, "moved");
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

//! What a node refuses to begin on.

use super::super::fixtures::config;
use super::*;
use crate::config::Sources;

async fn check_refused(config: &Config, code: Code, has: &str) {
    let refused = open(config, Limits::default()).await.map(drop).unwrap_err();
    let problem: Problem = refused.downcast().unwrap();
    assert_eq!(problem.code, code, "{problem}");
    assert!(problem.what.contains(has), "{problem}");
}

#[tokio::test]
async fn a_folder_is_one_clusters() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, mut other) = (config(folder.path(), "mine", 1), config(folder.path(), "other", 1));
    drop(open(&mine, Limits::default()).await.unwrap());
    other.storage.dir.clone_from(&mine.storage.dir);
    check_refused(&other, Code::PlaceTaken, "is the cluster mine's").await;
    drop(open(&mine, Limits::default()).await.unwrap());
}

/// I2: else a transaction's legs would be sought in two ranges.
#[tokio::test]
async fn ids_become_keys_as_they_did_when_the_cluster_began() {
    let folder = tempfile::tempdir().unwrap();
    let mut mine = config(folder.path(), "mine", 4);
    let by = |partitions| Keying::by(NonZeroU16::new(partitions).unwrap());
    mine.sources.keying = by(8);
    drop(open(&mine, Limits::default()).await.unwrap());
    for other in [Keying::default(), by(4)] {
        let changed =
            Config { sources: Sources { keying: other, ..mine.sources.clone() }, ..mine.clone() };
        check_refused(&changed, Code::BadConfig, "the cluster began with 8").await;
    }
    let cluster = open(&mine, Limits::default()).await.unwrap().cluster;
    assert_eq!(cluster.control.lock().await.table().keying(), by(8));
}

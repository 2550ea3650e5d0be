//! Where a copy may go, and what is taken for a finished one.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use actors::store::rocks::Limits;

use super::super::durable::open;
use super::super::fixtures::config;
use super::*;

fn check_refused(copied: anyhow::Result<Copied>, code: Code) {
    let problem: Problem = copied.unwrap_err().downcast().unwrap();
    assert_eq!(problem.code, code, "{problem}");
}

#[tokio::test]
async fn a_cluster_that_has_done_nothing_yet_is_copied_and_begins_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (ranges, names) in [(1, ["one", "two"]), (4, ["three", "four"])] {
        let [old, new] = names.map(|name| config(folder.path(), name, ranges));
        drop(open(&old, Limits::default()).await.unwrap());
        let copied = copy(&old, &new).await.unwrap();
        assert_eq!((copied.ranges, copied.snapshots, copied.bytes), (ranges.into(), 0, 0));

        let begun = open(&new, Limits::default()).await.unwrap();
        assert_eq!(begun.incarnation.0, 2, "it is the node's second life");
        assert_eq!(begun.holdings.len(), usize::from(ranges));
    }
}

#[tokio::test]
async fn nothing_is_copied_from_where_no_cluster_is_nor_to_where_something_is() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, other] = ["old", "new", "other"].map(|name| config(folder.path(), name, 1));
    check_refused(copy(&old, &new).await, Code::SnapshotNotFound);
    drop(open(&old, Limits::default()).await.unwrap());
    check_refused(copy(&old, &old).await, Code::BadArgument);
    let mut same_place = new.clone();
    same_place.storage.objects = old.storage.objects.clone();
    check_refused(copy(&old, &same_place).await, Code::BadArgument);

    drop(open(&other, Limits::default()).await.unwrap());
    check_refused(copy(&old, &other).await, Code::PlaceTaken);
    copy(&old, &new).await.unwrap();
    check_refused(copy(&old, &new).await, Code::PlaceTaken);
}

/// I11.
#[tokio::test]
async fn a_copy_that_broke_off_is_no_cluster_and_goes_on_but_not_as_another_ones() {
    let folder = tempfile::tempdir().unwrap();
    let [old, new, other] = ["old", "new", "other"].map(|name| config(folder.path(), name, 1));
    for cluster in [&old, &other] {
        drop(open(cluster, Limits::default()).await.unwrap());
    }
    copy(&old, &new).await.unwrap();
    Ground::open(&new).await.unwrap().control().trim(FIRST).await.unwrap();
    assert!(open(&new, Limits::default()).await.is_err(), "it began on half a copy");
    check_refused(copy(&other, &new).await, Code::PlaceTaken);

    drop(open(&old, Limits::default()).await.unwrap());
    copy(&old, &new).await.unwrap();
    assert_eq!(open(&new, Limits::default()).await.unwrap().incarnation.0, 3);
}

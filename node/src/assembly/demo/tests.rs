//! A demo's folder, and a cluster in one process whose leader is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actors::clock::wall;
use clap::Parser as _;
use proto::types::Leg;
use serde_json::Value;

use super::*;
use crate::api::backend::{Backend, Health, Overview};
use crate::assembly::inlet;
use crate::config::{Config, SourceKind};
use crate::workload::live::Traffic;
use crate::workload::transaction::Fate;

#[test]
fn a_folder_of_somebody_else_is_not_emptied() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    assert!(empty(folder.path()).is_err());
    assert!(folder.path().join("precious").exists());
    let own = folder.path().join("own");
    empty(&own).unwrap();
    fs::write(own.join("old"), "").unwrap();
    empty(&own).unwrap();
    assert!(!own.join("old").exists());
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    demo: DemoArguments,
}

/// A demo with that much more in its line.
fn arguments(folder: &Path, more: &str) -> DemoArguments {
    let line = format!("demo --keep --folder {} --api 127.0.0.1:0 {more}", folder.display());
    Line::parse_from(line.split(' ')).demo
}

#[test]
fn killing_needs_several_nodes() {
    let folder = Path::new("nowhere");
    assert!(check(&arguments(folder, "--nodes 2 --kill-every 9")).is_ok());
    let problem = check(&arguments(folder, "--kill-every 9")).unwrap_err();
    assert!(problem.what.contains("--kill-every") && !problem.remedy.is_empty());
}

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, backend: &dyn Backend, is_so: impl Fn(&Overview) -> bool) -> Overview {
    let mut last = None;
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Ok(answer) = backend.overview().await {
                if is_so(&answer.value) {
                    return answer.value;
                }
                last = Some(answer.value);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} did not come: {last:#?}"))
}

/// Whether all is well, and the ranges are with so many nodes.
fn is_shared(overview: &Overview, nodes: usize) -> bool {
    let owners: BTreeSet<_> = overview.ranges.iter().filter_map(|it| it.owner.clone()).collect();
    overview.ranges.iter().all(|it| !it.state.is_missing()) && owners.len() == nodes
}

/// Three nodes; the one that leads is killed, the others take its ranges, it comes back. After that every transaction
/// has its one result, wherever it was decided.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_is_taken_over_from_and_every_result_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("demo");
    // Who lacks a leg is given up after 4 s of record time, so some are while nobody owns their range.
    let arguments = arguments(&own, "--nodes 3 --ranges 6 --rate 500 --lateness 3");
    let Demo { running, nodes } = start(&arguments).await.unwrap();
    let (backend, nodes) = (&*running.backend, nodes.unwrap());
    let before = until("a share for each", backend, |it| is_shared(it, 3)).await;
    let leader = before.cluster.leader.unwrap();
    let number = leader.as_str().strip_prefix("node-").unwrap().parse().unwrap();
    assert!(nodes.kill(number) && !nodes.kill(number) && !nodes.kill(9));
    assert_eq!(nodes.down()[0].node, leader);
    let after = until("the take-over", backend, |it| is_shared(it, 2)).await;
    assert!(after.ranges.iter().all(|it| it.owner.as_ref() != Some(&leader)));
    let is_back = |it: &Overview| is_shared(it, 3) && it.cluster.health == Health::Healthy;
    until("its return", backend, is_back).await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let ledger = backend.ledger().await.unwrap();
    assert!(ledger.as_of.missing.is_empty() && ledger.value.is_balanced(), "{ledger:?}");
    let settled_ms = wall()() - ledger.as_of.lag_ms;
    running.stop.cancel();
    running.stopped.await.unwrap();
    let rows = rows(&own.join("results"));
    check_rows(&rows);
    check_results(&rows, &traffic(&arguments), settled_ms);
}

/// A row as it stands in a file, by its range and sequence.
type Rows = BTreeMap<(u64, u64), Value>;

/// The rows of all nodes. One that comes twice has to say the same: then it counts once (I6, I7).
fn rows(results: &Path) -> Rows {
    let mut rows = Rows::new();
    for number in 1..=3 {
        let folder = results.join(format!("node-{number}"));
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        for none in ["late", "conflicts", "dead-letters"] {
            assert_eq!(read(&format!("throughline.{none}.jsonl")), "", "{none} of node-{number}");
        }
        for line in read("throughline.transactions.jsonl").lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let stamp = |name: &str| row["headers"][name].as_str().unwrap().parse().unwrap();
            let known = rows.entry((stamp("range"), stamp("sequence"))).or_insert(row.clone());
            assert_eq!(known["value"], row["value"]);
        }
    }
    rows
}

/// Of each range every sequence is there, from the first on.
fn check_rows(rows: &Rows) {
    let mut last = BTreeMap::<u64, u64>::new();
    for (range, sequence) in rows.keys() {
        let last = last.entry(*range).or_default();
        assert_eq!(*sequence, *last + 1, "of range {range}");
        *last = *sequence;
    }
    assert_eq!(last.len(), 6);
}

fn traffic(arguments: &DemoArguments) -> Traffic {
    let Config { sources, storage, .. } = text::configs(arguments).unwrap().remove(1);
    let SourceKind::Generated(generated) = sources.kind else { panic!("it is generated") };
    let began = fs::read_to_string(storage.dir.join("traffic-began")).unwrap();
    Traffic::new(&inlet::shape(&generated, began.parse().unwrap()).unwrap())
}

/// Each transaction that was settled by then has one result, and it is the right one.
fn check_results(rows: &Rows, traffic: &Traffic, settled_ms: u64) {
    let mut results = BTreeMap::new();
    for row in rows.values() {
        let value = &row["value"];
        let index = traffic.model().index_of(value["transactionId"].as_str().unwrap()).unwrap();
        assert_eq!(value["version"], 1);
        assert_eq!(results.insert(index, value), None, "two results of transaction {index}");
    }
    // With its last leg, or 4 s after its first, which is 3 s before: whatever is last has passed by then.
    let is_settled = |index: &u64| traffic.transaction(*index).arrival_ms[2] + 1_500 < settled_ms;
    let settled = (0..).take_while(is_settled).count() as u64;
    assert!(settled > 1_500, "{settled}");
    let missing: Vec<_> = (0..settled).filter(|index| !results.contains_key(index)).collect();
    assert!(missing.is_empty(), "{} of {settled} have no result: {missing:?}", missing.len());
    for (index, value) in results {
        let expected = match traffic.transaction(index).fate {
            Fate::Missing(leg) => ("INCOMPLETE", vec![leg]),
            Fate::Plain | Fate::Late(_) | Fate::Conflict(..) => ("COMPLETE", Vec::new()),
        };
        assert_eq!(value["state"], expected.0, "transaction {index}");
        for leg in Leg::ALL.into_iter().filter(|leg| !expected.1.contains(leg)) {
            let place = format!("bank.{leg}/{}@{}", index % 4, index / 4);
            assert_eq!(value["sources"][leg.name()], place.as_str(), "transaction {index}");
        }
    }
}

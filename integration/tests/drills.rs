//! The quickest of the drills, on one cluster under one load: whatever is broken, every record counts once.
//! `make drill` has all of them, each on its own and with a larger load.

#![allow(clippy::print_stdout, reason = "a drill says how it went")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use integration::drain::Delivery;
use integration::drills::play::{Load, play};
use integration::drills::{Drill, find};

const RATE: u64 = 500;
/// Long enough for all of them on a slow machine too: a drill whose load ends before has failed.
const SECONDS: u64 = 150;

/// Kills, one of them with the loss of a disk, and a zombie that wakes up; each result is to be delivered once (I1, I2, I7, I8, I9).
#[tokio::test]
async fn whatever_happens_to_nodes_every_record_counts_once() {
    let names = ["kill-leader", "pause-node", "local-state-removed"];
    let drills: Vec<&Drill> = names.iter().map(|it| find(it).unwrap()).collect();
    let delivery = Delivery::ExactlyOnce;
    let load = Load { rate: RATE, seconds: Some(SECONDS), nodes: 3, delivery, repeat: 1 };
    let reports = play(&drills, &load, &mut |line| println!("{line}")).await;
    assert_eq!(reports.len(), names.len());
    for report in &reports {
        println!("{report}");
    }
    for report in reports {
        assert!(!report.is_failed(), "{report}");
        assert!(report.verdict.transactions > 0 && report.rounds.len() == 1, "{report}");
    }
}

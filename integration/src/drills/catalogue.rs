//! All drills, by name.

use super::{Drill, Needs, clocks, kill, network, restart, storage};

/// Every drill, the most telling first.
pub const DRILLS: &[Drill] = &[
    Drill {
        name: "kill-node",
        title: "kill -9 of a node that does not lead, which then starts again",
        promise: "the others have its ranges within 3 s (median), 6 s at worst",
        needs: Needs::Plain,
        round_s: 25,
        inject: kill::kill_node,
    },
    Drill {
        name: "kill-leader",
        title: "kill -9 of the node that leads, which then starts again",
        promise: "ranges of the other nodes do not pause",
        needs: Needs::Plain,
        round_s: 25,
        inject: kill::kill_leader,
    },
    Drill {
        name: "kill-both",
        title: "kill -9 of the node that leads and of another one at once",
        promise: "who is left takes over what both had",
        needs: Needs::Plain,
        round_s: 35,
        inject: kill::kill_both,
    },
    Drill {
        name: "pause-node",
        title: "a node stands still (SIGSTOP) for 7 s, and goes on as if nothing had been",
        promise: "it commits nothing of what others have taken over",
        needs: Needs::Plain,
        round_s: 45,
        inject: kill::pause_node,
    },
    Drill {
        name: "rolling-restart",
        title: "each node in turn ends in order (SIGTERM) and starts again",
        promise: "no range pauses for more than 1 s",
        needs: Needs::Plain,
        round_s: 90,
        inject: restart::rolling,
    },
    Drill {
        name: "broker-restart",
        title: "kill -9 of the broker, which then starts again",
        promise: "all goes on where it was",
        needs: Needs::Plain,
        round_s: 40,
        inject: restart::broker,
    },
    Drill {
        name: "broker-away",
        title: "kill -9 of the broker, which is away for 60 s",
        promise: "all goes on where it was",
        needs: Needs::Patience,
        round_s: 110,
        inject: restart::broker_away,
    },
    Drill {
        name: "cut-node",
        title: "a node is cut off from the others for 8 s, not from broker and objects",
        promise: "the others have its ranges; it commits nothing of them",
        needs: Needs::Wires,
        round_s: 45,
        inject: network::cut_node,
    },
    Drill {
        name: "cut-one-way",
        title: "what a node says is not heard for 8 s, though it hears all; then the other way round",
        promise: "nothing is owned by two",
        needs: Needs::Wires,
        round_s: 45,
        inject: network::cut_one_way,
    },
    Drill {
        name: "flapping",
        title: "a node is cut off for 0.7 s, eight times",
        promise: "nothing is owned by two",
        needs: Needs::Wires,
        round_s: 45,
        inject: network::flapping,
    },
    Drill {
        name: "slow-network",
        title: "all that nodes say to each other is 200 ms late for 10 s, and 5 % is lost and sent again",
        promise: "it gets slower, and no more",
        needs: Needs::Wires,
        round_s: 35,
        inject: network::slow_network,
    },
    Drill {
        name: "planned-move",
        title: "an operator moves a range to another node",
        promise: "its results pause for less than 200 ms (p99)",
        needs: Needs::Plain,
        round_s: 10,
        inject: restart::planned_move,
    },
    Drill {
        name: "split-range",
        title: "an operator has a range become two",
        promise: "nothing is lost or counted twice; its results pause for as long as a restore takes",
        needs: Needs::Plain,
        round_s: 12,
        inject: restart::split,
    },
    Drill {
        name: "local-state-removed",
        title: "kill -9 of a node whose disk is lost too, and which starts again at once",
        promise: "it comes back from objects alone",
        needs: Needs::Plain,
        round_s: 30,
        inject: restart::local_state_removed,
    },
    Drill {
        name: "duplicate-storm",
        title: "a record of each transaction comes twice",
        promise: "each counts once",
        needs: Needs::Duplicates,
        round_s: 14,
        inject: restart::odd_input,
    },
    Drill {
        name: "poison",
        title: "one record in thirteen cannot be understood",
        promise: "each is a dead letter, and holds nobody up",
        needs: Needs::Poison,
        round_s: 14,
        inject: restart::odd_input,
    },
    Drill {
        name: "objects-fail",
        title: "every second request to the bucket is cut, refused, late, or done without an answer, for 10 s",
        promise: "it gets slower, and no more",
        needs: Needs::Bucket,
        round_s: 40,
        inject: storage::objects_fail,
    },
    Drill {
        name: "disk-full",
        title: "a node's disk is full for 10 s",
        promise: "the node waits or ends, and comes back when there is room",
        needs: Needs::Disk,
        round_s: 50,
        inject: storage::disk_full,
    },
    Drill {
        name: "clock-jump",
        title: "the clocks of all nodes, or of one, jump an hour ahead or back, and are right again after 10 s",
        promise: "nothing is given up early",
        needs: Needs::Clocks,
        round_s: 35,
        inject: clocks::jump,
    },
];

/// The drill of that name; `None` where there is none.
#[must_use]
pub fn find(name: &str) -> Option<&'static Drill> {
    DRILLS.iter().find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_drill_is_found_by_its_name_which_no_other_has() {
        let names: HashSet<&str> = DRILLS.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), DRILLS.len());
        for name in names {
            assert_eq!(find(name).unwrap().name, name);
            assert!(name.chars().all(|it| it.is_ascii_lowercase() || it == '-'), "{name}");
        }
        assert!(find("kill-everything").is_none());
    }
}

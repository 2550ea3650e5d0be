//! The nodes of the demo as the person in front of it plays with them.

use std::sync::Arc;
use std::time::Duration;

use proto::types::NodeId;

use super::Arguments;
use crate::cli::{Down, Nodes};

/// The nodes, and when the next one is to be killed by itself.
pub(super) struct Cast {
    /// `None` where there is one node only, which is let be.
    nodes: Option<Arc<dyn Nodes>>,
    count: u8,
    every: Option<Duration>,
    /// How many have been killed since nobody pressed a key for it.
    killed: u32,
}

impl Cast {
    pub(super) fn new(nodes: Option<Arc<dyn Nodes>>, arguments: &Arguments) -> Self {
        let every = arguments.kill_every.map(|seconds| Duration::from_secs(seconds.get()));
        Self { nodes, count: arguments.nodes, every, killed: 0 }
    }

    /// Kills the node of that number; its name, if it was there to be killed.
    pub(super) fn kill(&self, number: u8) -> Option<NodeId> {
        let nodes = self.nodes.as_ref()?;
        if !nodes.kill(number) {
            return None;
        }
        NodeId::new(&format!("node-{number}")).ok()
    }

    /// Kills the next node if it is time for it.
    pub(super) fn kill_when_due(&mut self, elapsed: Duration) -> Option<NodeId> {
        if elapsed < self.every? * (self.killed + 1) {
            return None;
        }
        let number = self.killed % u32::from(self.count.max(1)) + 1;
        self.killed += 1;
        self.kill(u8::try_from(number).ok()?)
    }

    /// The nodes that are not there at the moment.
    pub(super) fn down(&self) -> Vec<Down> {
        self.nodes.as_ref().map_or_else(Vec::new, |nodes| nodes.down())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use parking_lot::Mutex;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        demo: Arguments,
    }

    #[derive(Debug, Default)]
    struct Noted(Mutex<Vec<u8>>);

    impl Nodes for Noted {
        fn kill(&self, number: u8) -> bool {
            self.0.lock().push(number);
            number != 2
        }

        fn down(&self) -> Vec<Down> {
            Vec::new()
        }
    }

    #[test]
    fn nodes_are_killed_one_after_the_other_each_time_so_long_has_passed() {
        let line = Line::parse_from(["demo", "--nodes", "3", "--kill-every", "10"]);
        let noted = Arc::new(Noted::default());
        let nodes: Arc<dyn Nodes> = Arc::<Noted>::clone(&noted);
        let mut cast = Cast::new(Some(nodes), &line.demo);
        let mut told = Vec::new();
        for second in 0..=45 {
            told.extend(cast.kill_when_due(Duration::from_secs(second)));
        }
        assert_eq!(*noted.0.lock(), [1, 2, 3, 1]);
        // The second was down already.
        let told: Vec<_> = told.iter().map(NodeId::as_str).collect();
        assert_eq!(told, ["node-1", "node-3", "node-1"]);
    }

    #[test]
    fn one_node_alone_is_let_be() {
        let cast = Cast::new(None, &Line::parse_from(["demo"]).demo);
        assert_eq!((cast.kill(1), cast.down()), (None, Vec::new()));
    }
}

//! What goes wrong between and with nodes, and what operators want in the middle of it.

use coordinator::machine::entry::Intent;
use coordinator::machine::letter::{Ask, Letter};
use coordinator::machine::wish::Request;
use proto::types::RangeId;

use super::name::{address, name};
use super::{Cluster, NODES};
use crate::sim::fault::Fault;

/// How long a node may stand still, be away, or not be reached.
const LONG_MS: u64 = 2_500;
/// How many ranges there may be before none is split any more.
const MOST_RANGES: usize = 9;
/// How much of the deadline clocks may be apart.
const SKEW: u64 = 8;

impl Cluster {
    /// Whatever goes wrong now.
    pub(super) fn trouble(&mut self) {
        if self.out.strikes(Fault::Crash) {
            let (which, until_ms) = self.whom(LONG_MS / 3);
            self.nodes[which].kill(until_ms, &mut self.net, &mut self.out);
        }
        if self.out.strikes(Fault::Freeze) {
            let (which, until_ms) = self.whom(LONG_MS);
            self.nodes[which].freeze(until_ms);
        }
        if self.out.strikes(Fault::Cut) {
            let ((one, until_ms), other) = (self.whom(LONG_MS), self.out.random.place(NODES));
            self.net.cut(one, other, until_ms);
            self.net.cut(other, one, until_ms);
        }
        if self.out.strikes(Fault::CutOneWay) {
            let ((from, until_ms), to) = (self.whom(LONG_MS), self.out.random.place(NODES));
            self.net.cut(from, to, until_ms);
        }
        if self.out.strikes(Fault::Clock) {
            let (which, _) = self.whom(1);
            let most = self.out.shape.settings.deadline_ms / SKEW;
            let ahead = self.out.random.below(2 * most);
            self.nodes[which].skew_ms = ahead.cast_signed() - most.cast_signed();
        }
        self.wishes();
    }

    /// A node, and until when something is the matter with it.
    fn whom(&mut self, most_ms: u64) -> (usize, u64) {
        let until_ms = self.out.now_ms + self.out.random.below(most_ms);
        (self.out.random.place(NODES), until_ms)
    }

    fn wishes(&mut self) {
        if self.out.strikes(Fault::Broken) {
            let (which, _) = self.whom(1);
            let body = self.nodes[which].agent().and_then(super::agent::Agent::body);
            if let Some(body) = body {
                body.break_one(&mut self.net, &mut self.out);
            }
        }
        if self.out.strikes(Fault::Contend) {
            let (which, _) = self.whom(1);
            self.nodes[which].chair().into_iter().for_each(super::chair::Chair::contend);
        }
        if self.out.strikes(Fault::Intent) {
            let intents = [Intent::Serve, Intent::Serve, Intent::Cordon, Intent::Drain];
            let (intent, (which, _)) = (self.out.random.pick(&intents), self.whom(1));
            self.ask(&Request::Intend { node: name(which), intent });
        }
        if self.out.strikes(Fault::Leave) {
            let (which, _) = self.whom(1);
            self.nodes[which].agent().into_iter().for_each(super::agent::Agent::leave);
        }
        if self.out.strikes(Fault::Move) {
            let (range, (which, _)) = (self.any_range(), self.whom(1));
            self.ask(&Request::Move { range, to: name(which) });
        }
        if self.out.strikes(Fault::Split) && self.table.ranges().len() < MOST_RANGES {
            let range = self.any_range();
            let keys = self.table.range(range).map(|range| range.keys);
            let inside = self.out.random.chance(500).then(|| self.out.random.next());
            let at = inside.filter(|at| keys.is_some_and(|keys| keys.contains(*at)));
            self.ask(&Request::Split { range, at });
        }
    }

    fn any_range(&mut self) -> RangeId {
        let ranges: Vec<_> = self.table.ranges().map(|(id, _)| id).collect();
        if ranges.is_empty() { RangeId(0) } else { self.out.random.pick(&ranges) }
    }

    /// An operator asks every node that leads.
    fn ask(&mut self, request: &Request) {
        for to in 0..NODES {
            let ask =
                Ask { node: name(0), address: address(0), ticket: 0, request: request.clone() };
            self.net.tell((to, to), Letter::Ask(ask), &mut self.out);
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&mut self) {
        self.out.faults.end();
        self.logs.heal();
        self.net.heal();
        self.nodes.iter_mut().for_each(super::node::Node::wake);
        self.serve_all();
    }

    /// An operator wants every node to serve.
    pub(super) fn serve_all(&mut self) {
        for which in 0..NODES {
            self.ask(&Request::Intend { node: name(which), intent: Intent::Serve });
        }
    }
}

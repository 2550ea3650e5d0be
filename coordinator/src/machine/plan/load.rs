//! Ranges spread by what they cost: bytes kept and records taken in.
//!
//! Two tolerances keep it still. While every node's load is within [`TOLERATED_PERCENT`] of the mean
//! nothing moves; beyond that ranges move until all are within [`AIMED_PERCENT`], or none can move
//! that would help. A load has to change by the difference before anything moves again.

use std::collections::{BTreeMap, BTreeSet};

use proto::types::{NodeId, RangeId};

use super::{Facts, Free, Load, Placement};

/// How far from the mean a node's load may be before ranges move.
pub(super) const TOLERATED_PERCENT: u64 = 15;
/// How near to the mean ranges move it then.
const AIMED_PERCENT: u64 = 5;
/// What a range weighs for being one, and what one of average size or traffic weighs for that.
const UNIT: u64 = 1_000;

/// A node that serves, with what it is to own.
#[derive(Debug)]
struct Pile<'a> {
    node: &'a NodeId,
    weight: u64,
    /// By weight.
    ranges: BTreeSet<(u64, RangeId)>,
}

/// All piles, and the order of their weights.
#[derive(Debug)]
struct Piles<'a> {
    piles: Vec<Pile<'a>>,
    /// (weight, place in `piles`).
    order: BTreeSet<(u64, usize)>,
    /// The mean weight.
    mean: u64,
    /// The places of those that may be given more.
    takers: BTreeSet<usize>,
}

/// A placement of the `free` ranges in which the loads of the serving nodes are within tolerance of
/// each other as far as the ranges' sizes allow. Ranges without a serving home are placed first, then
/// nodes without ranges get theirs; what else should move waits for the next plan. So a death moves
/// nothing but what it orphaned, and a new node nothing but what it gets.
pub(super) fn spread(facts: &Facts, free: &Free<'_>) -> Placement {
    let weights = weights(&facts.loads, free);
    let mut piles = Piles::new(facts);
    let mut homeless = piles.fill(free, &weights);
    if piles.piles.is_empty() {
        return Placement::new();
    }
    if homeless.is_empty() {
        piles.level();
    }
    homeless.sort_unstable_by(|one, other| other.cmp(one));
    for (weight, range) in homeless {
        piles.add_to_lightest(weight, range);
    }
    piles.placement()
}

/// What each of the `free` ranges weighs, in the same order.
fn weights(loads: &BTreeMap<RangeId, Load>, free: &Free<'_>) -> Vec<u64> {
    let known: Vec<_> = free.iter().map(|(range, _)| loads.get(range)).collect();
    let count = known.iter().flatten().count();
    let sum =
        |part: fn(&Load) -> u64| known.iter().flatten().map(|load| u128::from(part(load))).sum();
    let (bytes, records): (u128, u128) =
        (sum(|load| load.state_bytes), sum(|load| load.records_per_s));
    let share = |part: u64, sum: u128| {
        let average = (u128::from(part) * u128::from(UNIT) * count as u128).checked_div(sum);
        average.map_or(UNIT, |share| u64::try_from(share).expect("a part is no more than its sum"))
    };
    let weigh =
        |load: &&Load| UNIT + share(load.state_bytes, bytes) + share(load.records_per_s, records);
    known.iter().map(|load| load.as_ref().map_or(3 * UNIT, weigh)).collect()
}

impl<'a> Piles<'a> {
    fn new(facts: &'a Facts) -> Self {
        let pile = |node| Pile { node, weight: 0, ranges: BTreeSet::new() };
        let piles = facts.serving().map(pile).collect();
        Self { piles, order: BTreeSet::new(), mean: 0, takers: BTreeSet::new() }
    }

    /// Puts each range on its home's pile, and gives back those that have none, with their weights.
    fn fill(&mut self, free: &Free<'a>, weights: &[u64]) -> Vec<(u64, RangeId)> {
        let places: BTreeMap<_, _> =
            (0..).zip(&self.piles).map(|(i, pile)| (pile.node, i)).collect();
        let mut homeless = Vec::new();
        for (&(range, home), &weight) in free.iter().zip(weights) {
            match home.and_then(|home| places.get(home)) {
                Some(&place) => self.piles[place].add(weight, range),
                None => homeless.push((weight, range)),
            }
        }
        self.order = (0..).zip(&self.piles).map(|(i, pile)| (pile.weight, i)).collect();
        let all = || 0..self.piles.len();
        self.takers = all().filter(|&place| self.piles[place].ranges.is_empty()).collect();
        if self.takers.is_empty() {
            self.takers = all().collect();
        }
        self.mean = weights.iter().sum::<u64>() / self.piles.len().max(1) as u64;
        homeless
    }

    /// Moves ranges where a node's load is out of tolerance.
    fn level(&mut self) {
        if self.are_within(TOLERATED_PERCENT) {
            return;
        }
        // Ends: each step makes the squares of the weights sum up to less.
        while let Some((from, to, range)) = self.step() {
            self.change(from, |pile| pile.remove(range));
            self.change(to, |pile| pile.add(range.0, range.1));
        }
    }

    /// A move that brings the loads nearer to each other; `None` where none is needed or possible.
    fn step(&self) -> Option<(usize, usize, (u64, RangeId))> {
        let &(least, to) = self.order.iter().find(|(_, place)| self.takers.contains(place))?;
        let margin = self.margin(AIMED_PERCENT);
        let is_low = least < self.mean - margin;
        // What doesn't fit the lightest fits nobody.
        self.order.iter().rev().find_map(|&(weight, from)| {
            let gap = weight.saturating_sub(least);
            let is_wanted = weight > self.mean + margin || is_low && gap > margin;
            let range = is_wanted.then(|| self.piles[from].to_close(gap)).flatten()?;
            Some((from, to, range))
        })
    }

    fn change(&mut self, place: usize, change: impl FnOnce(&mut Pile<'a>)) {
        let pile = &mut self.piles[place];
        self.order.remove(&(pile.weight, place));
        change(pile);
        self.order.insert((pile.weight, place));
    }

    fn add_to_lightest(&mut self, weight: u64, range: RangeId) {
        if let Some(&(_, place)) = self.order.first() {
            self.change(place, |pile| pile.add(weight, range));
        }
    }

    fn are_within(&self, percent: u64) -> bool {
        let margin = self.margin(percent);
        self.order.iter().all(|(weight, _)| weight.abs_diff(self.mean) <= margin)
    }

    const fn margin(&self, percent: u64) -> u64 {
        self.mean * percent / 100
    }

    fn placement(self) -> Placement {
        let mut placement = Placement::new();
        for Pile { node, ranges, .. } in self.piles {
            placement.extend(ranges.into_iter().map(|(_, range)| (range, node.clone())));
        }
        placement
    }
}

impl Pile<'_> {
    fn add(&mut self, weight: u64, range: RangeId) {
        self.weight += weight;
        self.ranges.insert((weight, range));
    }

    fn remove(&mut self, range: (u64, RangeId)) {
        self.weight -= range.0;
        self.ranges.remove(&range);
    }

    /// The range whose move best closes a gap to another pile. The gap that is left, the other way
    /// round, is at most half as wide: so a small change of load does not move it back.
    fn to_close(&self, gap: u64) -> Option<(u64, RangeId)> {
        let half = (gap / 2, RangeId(u16::MAX));
        let below = self.ranges.range(..=half).next_back();
        let above = self.ranges.range(half..).find(|&&(weight, _)| weight > gap / 2);
        let above = above.filter(|&&(weight, _)| weight <= gap - gap / 4);
        let distance = |range: &&(u64, RangeId)| range.0.abs_diff(gap / 2);
        below.into_iter().chain(above).min_by_key(distance).copied()
    }
}

#[cfg(test)]
mod tests;

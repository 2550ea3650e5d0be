//! Ranges as marks in a line, by key: which of them a node has.

use proto::api::v1;

use crate::cli::format;

/// More marks than this do not fit beside the rest: then a mark stands for several ranges.
const MOST_MARKS: usize = 64;

/// The ranges, by key, so many to a mark.
pub(in crate::cli) struct Strip<'a>(Vec<&'a [v1::Range]>);

impl<'a> Strip<'a> {
    pub(super) fn of(ranges: &'a [v1::Range]) -> Self {
        Self::within(ranges, MOST_MARKS)
    }

    /// With so many marks at most.
    pub(in crate::cli) fn within(ranges: &'a [v1::Range], most: usize) -> Self {
        let each = ranges.len().div_ceil(most.max(1)).max(1);
        Self(ranges.chunks(each).collect())
    }

    /// A node's marks: the worst of what it has in each place, a dot where it has nothing.
    pub(in crate::cli) fn of_node(&self, node: &v1::Node) -> String {
        self.0.iter().map(|ranges| mark(node, ranges)).collect()
    }
}

fn mark(node: &v1::Node, ranges: &[v1::Range]) -> char {
    let name = format::short(&node.name);
    let states = || ranges.iter().filter(|it| it.owner == name).map(|it| it.state.as_str());
    if states().any(|state| !matches!(state, "serving" | "restoring" | "closing")) {
        '×'
    } else if states().any(|state| state != "serving") {
        '▲'
    } else if ranges.iter().any(|range| node.copies.contains(&range.name)) {
        '◇'
    } else if states().next().is_some() {
        '■'
    } else {
        '·'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(number: usize, owner: &str, state: &str) -> v1::Range {
        let (owner, state) = (owner.to_owned(), state.to_owned());
        v1::Range { name: format!("ranges/r{number}"), owner, state, ..v1::Range::default() }
    }

    fn node(copies: &[&str]) -> v1::Node {
        let copies = copies.iter().map(|&it| it.to_owned()).collect();
        v1::Node { name: "nodes/a".to_owned(), copies, ..v1::Node::default() }
    }

    #[test]
    fn each_range_has_a_mark_of_what_the_node_has_of_it() {
        let states = [
            ("a", "serving"),
            ("b", "serving"),
            ("a", "restoring"),
            ("a", "silent"),
            ("", "unowned"),
        ];
        let ranges: Vec<_> =
            (0..).zip(states).map(|(number, (owner, state))| range(number, owner, state)).collect();
        assert_eq!(Strip::of(&ranges).of_node(&node(&["ranges/r1"])), "■◇▲×·");
        assert_eq!(Strip::of(&[]).of_node(&node(&[])), "");
    }

    #[test]
    fn a_thousand_ranges_fit_and_one_that_is_not_well_is_seen() {
        let mut ranges: Vec<_> = (0..1000).map(|number| range(number, "a", "serving")).collect();
        ranges[999].state = "restoring".to_owned();
        let strip = Strip::of(&ranges).of_node(&node(&[]));
        assert_eq!(strip.chars().count(), 63);
        assert_eq!(strip.chars().last(), Some('▲'));
    }
}

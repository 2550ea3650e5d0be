//! What is different between two views of the cluster, in words.

use std::collections::BTreeMap;

use proto::api::v1;

use super::named;
use crate::cli::format;

/// A line for each thing that an operator would want to hear of. Figures that move all the time are none.
pub(super) fn changes(
    before: &v1::WatchClusterResponse,
    now: &v1::WatchClusterResponse,
) -> Vec<String> {
    let mut lines = Vec::new();
    let (was, is) = (before.cluster.clone(), now.cluster.clone());
    let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
    if was.leader != is.leader {
        lines.push(format!("leader  {} → {}", named(&was.leader), named(&is.leader)));
    }
    nodes(&before.nodes, &now.nodes, &mut lines);
    ranges(&before.ranges, &now.ranges, &mut lines);
    if was.state != is.state {
        let (was, is) = (was.state().as_str_name(), is.state().as_str_name());
        lines.push(format!("cluster  {was} → {is}"));
    }
    lines.extend(others(&is.reasons, &was.reasons).map(|it| format!("▲ {it}")));
    lines.extend(others(&was.reasons, &is.reasons).map(|it| format!("✓ no more: {it}")));
    lines
}

/// Those of `reasons` that `known` has not. A figure in one that moves makes it no other.
fn others<'a>(reasons: &'a [String], known: &'a [String]) -> impl Iterator<Item = &'a String> {
    let is_word = |word: &&str| word.parse::<f64>().is_err();
    let is_same =
        move |a: &str, b: &str| a.split(' ').filter(is_word).eq(b.split(' ').filter(is_word));
    reasons.iter().filter(move |reason| !known.iter().any(|it| is_same(it, reason)))
}

fn nodes(before: &[v1::Node], now: &[v1::Node], lines: &mut Vec<String>) {
    let was: BTreeMap<_, _> = before.iter().map(|node| (&node.name, node)).collect();
    for node in now {
        let name = format::short(&node.name);
        match was.get(&node.name) {
            None => lines.push(format!("{name}  {}", node.state)),
            Some(was) if was.state != node.state => {
                lines.push(format!("{name}  {} → {}", was.state, node.state));
            }
            Some(_) => {}
        }
        let known = was.get(&node.name).map_or(&[][..], |was| was.copies.as_slice());
        for copy in node.copies.iter().filter(|copy| !known.contains(copy)) {
            lines.push(format!("{}  copied to {name}", format::short(copy)));
        }
    }
}

fn ranges(before: &[v1::Range], now: &[v1::Range], lines: &mut Vec<String>) {
    let was: BTreeMap<_, _> = before.iter().map(|range| (&range.name, range)).collect();
    for range in now {
        let name = format::short(&range.name);
        let Some(was) = was.get(&range.name) else {
            lines.push(format!("{name}  new, {} at {}", range.state, named(&range.owner)));
            continue;
        };
        if was.owner != range.owner {
            let (from, to) = (named(&was.owner), named(&range.owner));
            lines.push(format!("{name}  {from} → {to}  {}, epoch {}", range.state, range.epoch));
        } else if was.state != range.state {
            lines.push(format!("{name}  {} → {}", was.state, range.state));
        }
    }
    let is_gone = |range: &&v1::Range| !now.iter().any(|it| it.name == range.name);
    let gone = before.iter().filter(is_gone);
    lines.extend(gone.map(|range| format!("{}  is no more", format::short(&range.name))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(name: &str, owner: &str, state: &str) -> v1::Range {
        let (name, owner, state) = (format!("ranges/{name}"), owner.to_owned(), state.to_owned());
        v1::Range { name, owner, state, epoch: 2, ..v1::Range::default() }
    }

    fn node(name: &str, state: &str, copies: &[&str]) -> v1::Node {
        let copies = copies.iter().map(|it| format!("ranges/{it}")).collect();
        v1::Node {
            name: format!("nodes/{name}"),
            state: state.to_owned(),
            copies,
            ..v1::Node::default()
        }
    }

    fn view(leader: &str, nodes: &[v1::Node], ranges: &[v1::Range]) -> v1::WatchClusterResponse {
        let cluster = v1::Cluster { leader: leader.to_owned(), ..v1::Cluster::default() };
        let (cluster, nodes, ranges) = (Some(cluster), nodes.to_vec(), ranges.to_vec());
        v1::WatchClusterResponse { cluster, nodes, ranges }
    }

    #[test]
    fn a_move_is_told_in_the_order_in_which_it_happens() {
        let at = |owner, state, copies: &[&str]| {
            let nodes = [node("a", "alive", &[]), node("b", "alive", copies)];
            view("a", &nodes, &[range("r1", owner, state)])
        };
        let steps =
            [at("a", "serving", &[]), at("a", "serving", &["r1"]), at("b", "restoring", &[])];
        assert_eq!(changes(&steps[0], &steps[1]), ["r1  copied to b"]);
        assert_eq!(changes(&steps[1], &steps[2]), ["r1  a → b  restoring, epoch 2"]);
        let done = at("b", "serving", &[]);
        assert_eq!(changes(&steps[2], &done), ["r1  restoring → serving"]);
        assert!(changes(&done, &done).is_empty());
    }

    #[test]
    fn a_reason_is_told_when_it_comes_and_when_it_goes_and_not_when_its_figure_moves() {
        let with = |reasons: &[&str]| {
            let mut view = view("a", &[], &[]);
            view.cluster.as_mut().unwrap().reasons =
                reasons.iter().map(|&it| it.to_owned()).collect();
            view
        };
        let (well, late, later) = (with(&[]), with(&["a: 41 s behind"]), with(&["a: 42 s behind"]));
        assert_eq!(changes(&well, &late), ["▲ a: 41 s behind"]);
        assert!(changes(&late, &later).is_empty());
        assert_eq!(changes(&later, &well), ["✓ no more: a: 42 s behind"]);
    }

    #[test]
    fn nodes_ranges_and_leaders_come_and_go() {
        let before = view("a", &[node("a", "alive", &[])], &[range("r0", "a", "serving")]);
        let nodes = [node("a", "dead", &[]), node("b", "alive", &[])];
        let now = view("", &nodes, &[range("r1", "", "unowned")]);
        let lines = [
            "leader  a → –",
            "a  alive → dead",
            "b  alive",
            "r1  new, unowned at –",
            "r0  is no more",
        ];
        assert_eq!(changes(&before, &now), lines);
    }
}

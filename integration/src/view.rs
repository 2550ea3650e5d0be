//! What a cluster says of itself: who leads, and who owns which range.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use proto::api::v1;
use proto::api::v1::cluster_service_client::ClusterServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::cluster::Cluster;

const PATIENCE: Duration = Duration::from_secs(3);

/// How a cluster stands, as one of its nodes tells. Nodes are numbered by their places.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct View {
    /// Who leads; `None` where nobody is known to.
    pub leader: Option<usize>,
    /// Who owns each range; one that nobody owns is not in it.
    pub owners: BTreeMap<u64, usize>,
    /// Ranges that are served.
    pub serving: BTreeSet<u64>,
    /// Nodes that are alive.
    pub alive: BTreeSet<usize>,
}

impl View {
    /// The ranges of a node.
    #[must_use]
    pub fn of(&self, node: usize) -> BTreeSet<u64> {
        let owned = self.owners.iter().filter(|(_, owner)| **owner == node);
        owned.map(|(range, _)| *range).collect()
    }

    /// All ranges that somebody owns.
    #[must_use]
    pub fn owned(&self) -> BTreeSet<u64> {
        self.owners.keys().copied().collect()
    }

    /// Whether a node leads, all `nodes` are alive, and all `ranges` are served by them, none of them by more
    /// than its share.
    #[must_use]
    pub fn is_whole(&self, nodes: usize, ranges: usize) -> bool {
        let share = ranges.div_ceil(nodes.max(1));
        self.leader.is_some()
            && self.alive.len() == nodes
            && self.serving.len() == ranges
            && (0..nodes).all(|node| self.of(node).len() <= share)
    }
}

impl Cluster {
    /// What the node at that place says of the cluster.
    ///
    /// # Errors
    ///
    /// Where it does not answer.
    pub async fn view_of(&self, node: usize) -> anyhow::Result<View> {
        let mut api = self.api(node)?;
        let cluster = api.get_cluster(v1::GetClusterRequest {}).await?.into_inner();
        let request = v1::ListNodesRequest { page_size: 1_000, ..v1::ListNodesRequest::default() };
        let nodes = api.list_nodes(request).await?.into_inner().nodes;
        let request =
            v1::ListRangesRequest { page_size: 1_000, ..v1::ListRangesRequest::default() };
        let ranges = api.list_ranges(request).await?.into_inner().ranges;
        let mut view = View { leader: self.number(&cluster.leader), ..View::default() };
        let alive = nodes.iter().filter(|it| it.state == "alive");
        view.alive = alive.filter_map(|it| self.number(short(&it.name))).collect();
        for range in ranges {
            let id = short(&range.name).trim_start_matches('r').parse().context("read a range")?;
            view.owners.extend(self.number(&range.owner).map(|owner| (id, owner)));
            view.serving.extend((range.state == "serving").then_some(id));
        }
        Ok(view)
    }

    /// What the first node says that runs and answers, `but` one; `None` where none does.
    pub async fn view(&self, but: Option<usize>) -> Option<View> {
        for node in (0..self.size()).filter(|node| self.runs(*node) && Some(*node) != but) {
            if let Ok(view) = self.view_of(node).await {
                return Some(view);
            }
        }
        None
    }

    /// Asks for a range to move, at any node that runs.
    ///
    /// # Errors
    ///
    /// Where it is not granted.
    pub async fn ask_to_move(&self, range: u64, to: usize) -> anyhow::Result<()> {
        let request = v1::MoveRangeRequest {
            name: format!("ranges/r{range}"),
            target_node: self.place(to).name.clone(),
            ..v1::MoveRangeRequest::default()
        };
        self.any_api()?.move_range(request).await.context("ask for a range to move")?;
        Ok(())
    }

    /// Asks for a range to become two, at any node that runs.
    ///
    /// # Errors
    ///
    /// Where it is not granted.
    pub async fn ask_to_split(&self, range: u64) -> anyhow::Result<()> {
        let name = format!("ranges/r{range}");
        let request = v1::SplitRangeRequest { name, ..v1::SplitRangeRequest::default() };
        self.any_api()?.split_range(request).await.context("ask for a range to become two")?;
        Ok(())
    }

    /// Any node that runs.
    fn any_api(&self) -> anyhow::Result<ClusterServiceClient<Channel>> {
        let node = (0..self.size()).find(|node| self.runs(*node));
        self.api(node.context("find a node")?)
    }

    fn api(&self, node: usize) -> anyhow::Result<ClusterServiceClient<Channel>> {
        ensure!(node < self.size(), "find node {node}");
        let url = format!("http://127.0.0.1:{}", self.place(node).ports[0]);
        let endpoint = Endpoint::from_shared(url).context("name a node's API")?;
        let channel = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE).connect_lazy();
        Ok(ClusterServiceClient::new(channel))
    }

    fn number(&self, name: &str) -> Option<usize> {
        (0..self.size()).find(|node| self.place(*node).name == name)
    }
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(owners: &[usize], leader: Option<usize>) -> View {
        let owners: BTreeMap<u64, usize> = (0..).zip(owners.iter().copied()).collect();
        let serving = owners.keys().copied().collect();
        View { leader, owners, serving, alive: BTreeSet::from([0, 1]) }
    }

    #[test]
    fn a_cluster_is_whole_when_somebody_leads_and_all_is_shared_out_and_served() {
        assert!(view(&[0, 1, 0, 1], Some(1)).is_whole(2, 4));
        assert!(!view(&[0, 1, 0, 1], None).is_whole(2, 4));
        assert!(!view(&[0, 1, 0], Some(0)).is_whole(2, 4));
        assert!(!view(&[0, 0, 0, 1], Some(0)).is_whole(2, 4));
        assert!(!view(&[0, 1, 2], Some(0)).is_whole(3, 3), "one is not alive");
    }

    #[test]
    fn a_node_has_the_ranges_that_name_it_as_owner() {
        assert_eq!(view(&[0, 1, 0], None).of(0), BTreeSet::from([0, 2]));
    }
}

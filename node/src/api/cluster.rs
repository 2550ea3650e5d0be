//! `ClusterService`: is the cluster well, who owns what, is every record accounted for; and who is to.

use coordinator::machine::entry::Intent;
use coordinator::machine::wish::Request as Wish;
use proto::api::v1;
use proto::api::v1::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::page::Ask;
use super::watch::{Views, interval};
use super::{Services, convert, paged};
use crate::problem::Problem;

const SERVICE: &str = "ClusterService";

impl Services {
    /// Asks for what `wish` reads from a message, and answers what was granted.
    async fn change(
        &self,
        method: &'static str,
        (is_trial, request_id): (bool, String),
        wish: impl FnOnce() -> Result<Wish, Problem> + Send,
    ) -> Result<Response<v1::Granted>, Status> {
        self.answer(SERVICE, method, async {
            let change = convert::change(wish()?, is_trial, request_id)?;
            self.backend.change(change).await.map(convert::granted)
        })
        .await
    }
}

#[tonic::async_trait]
impl ClusterService for Services {
    type WatchClusterStream = Views;

    async fn get_cluster(
        &self,
        _: Request<v1::GetClusterRequest>,
    ) -> Result<Response<v1::Cluster>, Status> {
        self.answer(SERVICE, "GetCluster", async {
            self.backend.cluster().await.map(convert::cluster)
        })
        .await
    }

    async fn list_nodes(
        &self,
        request: Request<v1::ListNodesRequest>,
    ) -> Result<Response<v1::ListNodesResponse>, Status> {
        let request = request.into_inner();
        let ask = Ask { size: request.page_size, token: &request.page_token };
        self.answer(SERVICE, "ListNodes", async {
            let nodes = self.backend.nodes().await?;
            let page = paged(nodes, &ask, convert::node, |node| &node.name)?;
            Ok(v1::ListNodesResponse {
                as_of: Some(convert::as_of(&page.as_of)),
                nodes: page.value.items,
                next_page_token: page.value.next,
            })
        })
        .await
    }

    async fn list_ranges(
        &self,
        request: Request<v1::ListRangesRequest>,
    ) -> Result<Response<v1::ListRangesResponse>, Status> {
        let request = request.into_inner();
        let ask = Ask { size: request.page_size, token: &request.page_token };
        self.answer(SERVICE, "ListRanges", async {
            let ranges = self.backend.ranges().await?;
            let page = paged(ranges, &ask, convert::range, |range| &range.name)?;
            Ok(v1::ListRangesResponse {
                as_of: Some(convert::as_of(&page.as_of)),
                ranges: page.value.items,
                next_page_token: page.value.next,
            })
        })
        .await
    }

    async fn get_ledger(
        &self,
        _: Request<v1::GetLedgerRequest>,
    ) -> Result<Response<v1::Ledger>, Status> {
        self.answer(SERVICE, "GetLedger", async {
            Ok(convert::ledger(&self.backend.ledger().await?))
        })
        .await
    }

    async fn watch_cluster(
        &self,
        request: Request<v1::WatchClusterRequest>,
    ) -> Result<Response<Views>, Status> {
        self.answer(SERVICE, "WatchCluster", async {
            let interval = interval(request.into_inner().interval.as_ref())?;
            // Who cannot be answered at all hears it at once.
            let first = self.backend.overview().await.map(convert::overview)?;
            Ok(self.views(first, interval))
        })
        .await
    }

    async fn move_range(
        &self,
        request: Request<v1::MoveRangeRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("MoveRange", (it.validate_only, it.request_id), || {
            let to = convert::node_of(&it.target_node)?;
            Ok(Wish::Move { range: convert::range_of(&it.name)?, to })
        })
        .await
    }

    async fn split_range(
        &self,
        request: Request<v1::SplitRangeRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("SplitRange", (it.validate_only, it.request_id), || {
            Ok(Wish::Split { range: convert::range_of(&it.name)?, at: it.split_hash })
        })
        .await
    }

    async fn merge_ranges(
        &self,
        request: Request<v1::MergeRangesRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("MergeRanges", (it.validate_only, it.request_id), || {
            let right = convert::range_of(&it.other)?;
            Ok(Wish::Merge { left: convert::range_of(&it.name)?, right })
        })
        .await
    }

    async fn drain_node(
        &self,
        request: Request<v1::DrainNodeRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("DrainNode", (it.validate_only, it.request_id), || {
            Ok(Wish::Intend { node: convert::node_of(&it.name)?, intent: Intent::Drain })
        })
        .await
    }

    async fn cordon_node(
        &self,
        request: Request<v1::CordonNodeRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("CordonNode", (it.validate_only, it.request_id), || {
            Ok(Wish::Intend { node: convert::node_of(&it.name)?, intent: Intent::Cordon })
        })
        .await
    }

    async fn uncordon_node(
        &self,
        request: Request<v1::UncordonNodeRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("UncordonNode", (it.validate_only, it.request_id), || {
            Ok(Wish::Intend { node: convert::node_of(&it.name)?, intent: Intent::Serve })
        })
        .await
    }

    async fn rebalance_cluster(
        &self,
        request: Request<v1::RebalanceClusterRequest>,
    ) -> Result<Response<v1::Granted>, Status> {
        let it = request.into_inner();
        self.change("RebalanceCluster", (it.validate_only, it.request_id), || Ok(Wish::Rebalance))
            .await
    }
}

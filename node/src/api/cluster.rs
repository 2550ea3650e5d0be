//! `ClusterService`: is the cluster well, who owns what, is every record accounted for.

use proto::api::v1;
use proto::api::v1::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::page::Ask;
use super::{Services, convert, paged};

const SERVICE: &str = "ClusterService";

#[tonic::async_trait]
impl ClusterService for Services {
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
}

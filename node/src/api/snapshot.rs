//! `SnapshotService`: what the cluster can be restored from.

use proto::api::v1;
use proto::api::v1::snapshot_service_server::SnapshotService;
use tonic::{Request, Response, Status};

use super::page::Ask;
use super::{Services, convert, paged};

const SERVICE: &str = "SnapshotService";

#[tonic::async_trait]
impl SnapshotService for Services {
    async fn list_snapshots(
        &self,
        request: Request<v1::ListSnapshotsRequest>,
    ) -> Result<Response<v1::ListSnapshotsResponse>, Status> {
        let request = request.into_inner();
        let ask = Ask { size: request.page_size, token: &request.page_token };
        self.answer(SERVICE, "ListSnapshots", async {
            let snapshots = self.backend.snapshots().await?;
            let page =
                paged(snapshots, &ask, |item| convert::snapshot(&item), |snapshot| &snapshot.name)?;
            Ok(v1::ListSnapshotsResponse {
                as_of: Some(convert::as_of(&page.as_of)),
                snapshots: page.value.items,
                next_page_token: page.value.next,
            })
        })
        .await
    }

    async fn create_snapshot(
        &self,
        request: Request<v1::CreateSnapshotRequest>,
    ) -> Result<Response<v1::CreateSnapshotResponse>, Status> {
        self.answer(SERVICE, "CreateSnapshot", async {
            let answer = self.backend.create_snapshot(request.into_inner().request_id).await?;
            let snapshots: Vec<_> = answer.value.iter().map(convert::snapshot).collect();
            Ok(v1::CreateSnapshotResponse {
                as_of: Some(convert::as_of(&answer.as_of)),
                snapshot: snapshots.first().cloned(),
                operation: String::new(),
                snapshots,
            })
        })
        .await
    }

    async fn verify_snapshot(
        &self,
        request: Request<v1::VerifySnapshotRequest>,
    ) -> Result<Response<v1::VerifySnapshotResponse>, Status> {
        let request = request.into_inner();
        self.answer(SERVICE, "VerifySnapshot", async {
            let name = convert::last(&request.name, "snapshots")?;
            self.backend.verify_snapshot(name.to_owned()).await.map(convert::verdict)
        })
        .await
    }
}

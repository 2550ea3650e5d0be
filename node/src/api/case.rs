//! `CaseService`: what became of one transaction.

use proto::api::v1;
use proto::api::v1::case_service_server::CaseService;
use tonic::{Request, Response, Status};

use super::{Services, convert};

#[tonic::async_trait]
impl CaseService for Services {
    async fn get_transaction(
        &self,
        request: Request<v1::GetTransactionRequest>,
    ) -> Result<Response<v1::Transaction>, Status> {
        let request = request.into_inner();
        self.answer("CaseService", "GetTransaction", async {
            let id = convert::last(&request.name, "transactions")?;
            convert::transaction(id, self.backend.transaction(id.to_owned()).await?)
        })
        .await
    }
}

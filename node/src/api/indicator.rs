//! `IndicatorService`: rates and times, by window and dimension.

use proto::api::v1;
use proto::api::v1::indicator_service_server::IndicatorService;
use tonic::{Request, Response, Status};

use super::page::Ask;
use super::{Services, convert, paged};
use crate::problem::{Code, Problem};

const SERVICE: &str = "IndicatorService";

/// More than a person reads, and under what one gRPC message holds (4 MiB).
const MOST_CELLS: usize = 10_000;

#[tonic::async_trait]
impl IndicatorService for Services {
    async fn list_indicators(
        &self,
        request: Request<v1::ListIndicatorsRequest>,
    ) -> Result<Response<v1::ListIndicatorsResponse>, Status> {
        let request = request.into_inner();
        let ask = Ask { size: request.page_size, token: &request.page_token };
        self.answer(SERVICE, "ListIndicators", async {
            let indicators = self.backend.indicators().await?;
            let page = paged(indicators, &ask, convert::indicator, |indicator| &indicator.name)?;
            Ok(v1::ListIndicatorsResponse {
                as_of: Some(convert::as_of(&page.as_of)),
                indicators: page.value.items,
                next_page_token: page.value.next,
            })
        })
        .await
    }

    async fn query_indicator(
        &self,
        request: Request<v1::QueryIndicatorRequest>,
    ) -> Result<Response<v1::QueryIndicatorResponse>, Status> {
        self.answer(SERVICE, "QueryIndicator", async {
            let answer = self.backend.query(convert::query(request.into_inner())?).await?;
            if answer.value.len() > MOST_CELLS {
                return Err(too_wide(answer.value.len()));
            }
            Ok(v1::QueryIndicatorResponse {
                as_of: Some(convert::as_of(&answer.as_of)),
                cells: answer.value.into_iter().map(convert::cell).collect(),
            })
        })
        .await
    }
}

// Refused, not cut: a short list would look whole.
fn too_wide(cells: usize) -> Problem {
    let what = format!("the answer would have {cells} cells");
    let why = format!("one answer holds at most {MOST_CELLS}");
    Problem::new(Code::TooWide, what, why)
        .remedy("ask for less time, a larger window, one value, or the top few")
}

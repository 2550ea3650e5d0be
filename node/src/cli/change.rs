//! What commands that ask whoever leads for something have in common.

use proto::api::v1;
use proto::api::v1::cluster_service_client::ClusterServiceClient;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::failure::Failure;
use super::io::{Io, Tone};
use super::table::message;
use super::{Format, Shared, client};
use crate::problem::Exit;

/// How something is asked for.
#[derive(clap::Args, Debug)]
pub(super) struct How {
    /// Only say whether it would be granted.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// A name of yours for this request, so that trying again does not ask for it again.
    #[arg(long, value_name = "ID", default_value = "")]
    pub(super) request_id: String,
}

/// Asks, and tells what was granted.
pub(super) async fn ask(
    shared: &Shared,
    io: &mut Io,
    call: impl AsyncFnOnce(ClusterServiceClient<Channel>) -> Result<Response<v1::Granted>, Status>,
) -> Result<Exit, Failure> {
    let client = ClusterServiceClient::new(client::connect(shared).await?);
    let granted = call(client).await?.into_inner();
    if shared.output == Format::Json {
        message(io, &granted)?;
        return Ok(Exit::Done);
    }
    let mark = io.paint(Tone::Good, "✓");
    if granted.validate_only {
        io.line(&format!("{mark} it would be granted: {}", granted.summary))?;
        io.remark("Nothing was changed.")?;
        return Ok(Exit::Done);
    }
    io.line(&format!("{mark} {} grants it: {}", granted.leader, granted.summary))?;
    io.remark("See it happen: throughline cluster watch")?;
    Ok(Exit::Done)
}

//! Opens a running node to the outside: the API and the metrics, each on its own port.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::api::{self, Calls};
use crate::cli::Running;
use crate::metrics;
use crate::problem::Problem;

/// Where the node can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// The API.
    pub api: SocketAddr,
    /// The metrics.
    pub metrics: SocketAddr,
}

/// Serves until `running` is asked to stop.
///
/// # Errors
///
/// [`Problem`] where an address cannot be listened on; then nothing is served.
pub async fn open(running: &Running, tasks: &TaskTracker) -> Result<Open, Problem> {
    let api = api::listen(running.api).await?;
    let metrics = api::listen(running.metrics).await?;
    let address = |listener: &tokio::net::TcpListener| {
        listener.local_addr().expect("a bound listener has an address")
    };
    let open = Open { api: address(&api), metrics: address(&metrics) };
    let calls = Arc::new(Calls::default());
    let (backend, stop) = (Arc::clone(&running.backend), running.stop.clone().cancelled_owned());
    let served = Arc::clone(&calls);
    tasks.spawn(async move {
        if let Err(problem) = api::serve(api, backend, served, stop).await {
            tracing::error!(%problem, "api stopped");
        }
    });
    let exporter = metrics::Exporter::new(Arc::clone(&running.own), calls);
    tasks.spawn(metrics::serve(metrics, exporter, tasks.clone(), running.stop.clone()));
    Ok(open)
}

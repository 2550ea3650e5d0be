//! The gRPC API of a node: services over a [`Backend`], with reflection and health.

pub mod backend;
mod calls;
mod case;
mod cluster;
mod convert;
mod indicator;
mod page;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use actors::clock::Stopwatch;
use proto::api::DESCRIPTORS;
use proto::api::v1::case_service_server::CaseServiceServer;
use proto::api::v1::cluster_service_server::ClusterServiceServer;
use proto::api::v1::indicator_service_server::IndicatorServiceServer;
use proto::api::v1::snapshot_service_server::SnapshotServiceServer;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_reflection::server::Builder;
use tower::util::MapFutureLayer;

use self::backend::{Answer, Backend};
pub use self::calls::{Call, Calls, Took};
pub(crate) use self::convert::overview;
pub use self::status::problem_of;
use crate::problem::{Code, Problem};

/// Listens at `address`; at a free port where that is 0.
///
/// # Errors
///
/// [`Problem`] where the address is not loopback (there is no login yet, and the API shows customer
/// data), or is taken.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Problem> {
    allow(address)?;
    TcpListener::bind(address).await.map_err(|error| {
        let what = format!("cannot listen on {address}");
        Problem::new(Code::AddressTaken, what, error.to_string())
            .remedy("stop the other process, or choose another port: listen in the configuration, --api and --metrics of the demo")
    })
}

/// Whether `address` may be listened on.
///
/// # Errors
///
/// [`Problem`] where it is not loopback.
pub fn allow(address: SocketAddr) -> Result<(), Problem> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let why = "the API has no login yet, so only this machine may reach it";
    Err(Problem::new(Code::NotLoopback, format!("cannot listen on {address}"), why)
        .remedy("listen on 127.0.0.1 and forward the port, for example with ssh -L"))
}

/// Serves the API on `listener` until `stop` is done and the calls under way are answered.
///
/// # Errors
///
/// [`Problem`] where the server could not be built or the listener failed.
pub async fn serve(
    listener: TcpListener,
    backend: Arc<dyn Backend>,
    calls: Arc<Calls>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Problem> {
    let counted = Arc::clone(&calls);
    let ending = CancellationToken::new();
    let services = Services { backend, calls, ending: ending.clone() };
    let stop = async move {
        stop.await;
        ending.cancel();
    };
    // The errors' details and the health service too: else a client without files cannot read them.
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let (v1, v1alpha) = (reflection().build_v1(), reflection().build_v1alpha());
    let (reporter, health) = tonic_health::server::health_reporter();
    for name in service_names() {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    Server::builder()
        .layer(MapFutureLayer::new(move |call| unknown(Arc::clone(&counted), call)))
        .add_service(v1.map_err(|error| broken(&error))?)
        .add_service(v1alpha.map_err(|error| broken(&error))?)
        .add_service(health)
        .add_service(ClusterServiceServer::new(services.clone()))
        .add_service(CaseServiceServer::new(services.clone()))
        .add_service(IndicatorServiceServer::new(services.clone()))
        .add_service(SnapshotServiceServer::new(services))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop)
        .await
        .map_err(|error| broken(&error))
}

fn service_names() -> [&'static str; 4] {
    use proto::api::v1::{
        case_service_server, cluster_service_server, indicator_service_server,
        snapshot_service_server,
    };
    [
        case_service_server::SERVICE_NAME,
        cluster_service_server::SERVICE_NAME,
        indicator_service_server::SERVICE_NAME,
        snapshot_service_server::SERVICE_NAME,
    ]
}

/// Counts a call of what nobody offers: no service answers it, so none counts it.
async fn unknown<B, E>(
    calls: Arc<Calls>,
    call: impl Future<Output = Result<hyper::Response<B>, E>>,
) -> Result<hyper::Response<B>, E> {
    let stopwatch = Stopwatch::start();
    let answered = call.await;
    let is_unknown = answered.as_ref().is_ok_and(|it| status::is_unknown(it.headers()));
    if is_unknown {
        calls.count(Call::UNKNOWN, stopwatch.elapsed());
    }
    answered
}

fn broken(error: &dyn std::error::Error) -> Problem {
    Problem::new(Code::Bug, "cannot serve the API", error.to_string())
}

/// All services: each file of this folder implements one.
#[derive(Clone)]
struct Services {
    backend: Arc<dyn Backend>,
    calls: Arc<Calls>,
    /// Cancelled when the server stops: it waits for calls under way, and a stream would never end.
    ending: CancellationToken,
}

impl Services {
    /// Answers a call and counts it.
    async fn answer<T>(
        &self,
        service: &'static str,
        method: &'static str,
        work: impl Future<Output = Result<T, Problem>> + Send,
    ) -> Result<tonic::Response<T>, tonic::Status> {
        let stopwatch = Stopwatch::start();
        let result = work.await.map(tonic::Response::new).map_err(|problem| {
            if problem.code == Code::Bug {
                tracing::error!(service, method, %problem, "call failed");
            }
            status::status(&problem)
        });
        let code = result.as_ref().err().map_or(tonic::Code::Ok, tonic::Status::code);
        self.calls.count(Call { service, method, code }, stopwatch.elapsed());
        result
    }
}

/// An answer's page of items as messages, and the token of the next page.
fn paged<T, M>(
    answer: Answer<Vec<T>>,
    ask: &page::Ask<'_>,
    message: impl Fn(T) -> M,
    name: impl Fn(&M) -> &str,
) -> Result<Answer<page::Page<M>>, Problem> {
    let items = answer.value.into_iter().map(message).collect();
    Ok(Answer { value: page::page(items, ask, name)?, as_of: answer.as_of })
}

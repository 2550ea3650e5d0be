//! The port of the metrics: `/metrics`, and `/healthz` for probes.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Exporter;
use crate::api::backend::Health;

/// A client that sends no request header for so long is cut off.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

impl Exporter {
    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => match self.render().await {
                Ok(text) => response(StatusCode::OK, text),
                Err(problem) => response(StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
            },
            (&Method::GET, "/healthz") => self.health().await,
            (&Method::GET, _) => response(StatusCode::NOT_FOUND, "try /metrics or /healthz\n"),
            (_, _) => response(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
        }
    }

    /// Degraded is alive: a restart would not help.
    async fn health(&self) -> Response<Full<Bytes>> {
        match self.backend.cluster().await.map(|answer| answer.value.health) {
            Ok(Health::Healthy) => response(StatusCode::OK, "healthy\n"),
            Ok(Health::Degraded) => response(StatusCode::OK, "degraded\n"),
            Ok(Health::Unavailable) => response(StatusCode::SERVICE_UNAVAILABLE, "unavailable\n"),
            Err(problem) => response(StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")),
        }
    }
}

fn response(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Serves `/metrics` and `/healthz` on `listener` until `stop` is cancelled.
pub async fn serve(
    listener: TcpListener,
    exporter: Exporter,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, exporter.clone(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accept metrics connection");
                // Out of file handles: trying again at once would only burn the processor.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, exporter: Exporter, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let exporter = exporter.clone();
        async move { Ok::<_, Infallible>(exporter.answer(request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
    tokio::select! {
        served = http.serve_connection(TokioIo::new(stream), service) => {
            if let Err(error) = served {
                tracing::debug!(%error, "metrics connection ended");
            }
        }
        () = stop.cancelled() => {}
    }
}

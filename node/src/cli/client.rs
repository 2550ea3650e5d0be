//! The way to a node.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use super::Shared;
use crate::problem::{Code, Problem};

const CONNECT: Duration = Duration::from_secs(3);
const ANSWER: Duration = Duration::from_secs(10);
/// Snapshots are taken and checked while the caller waits.
const LONG_ANSWER: Duration = Duration::from_secs(15 * 60);

/// A connection for quick questions.
pub(super) async fn connect(shared: &Shared) -> Result<Channel, Problem> {
    open(shared, ANSWER).await
}

/// A connection for work that may take minutes.
pub(super) async fn connect_for_long(shared: &Shared) -> Result<Channel, Problem> {
    open(shared, LONG_ANSWER).await
}

async fn open(shared: &Shared, answer: Duration) -> Result<Channel, Problem> {
    let typed = &shared.endpoint;
    // An address without a scheme can only mean this one: there is no TLS yet.
    let url =
        if typed.contains("://") { typed.clone() } else { format!("http://{}", typed.trim()) };
    let endpoint = Endpoint::from_shared(url.clone()).map_err(|error| {
        let what = format!("cannot read the endpoint {typed:?}");
        Problem::new(Code::BadArgument, what, innermost(&error))
            .remedy("write it as --endpoint http://127.0.0.1:7400")
    })?;
    endpoint.connect_timeout(CONNECT).timeout(answer).connect().await.map_err(|error| {
        Problem::new(Code::Unreachable, format!("no node answers at {url}"), innermost(&error))
            .remedy("throughline demo                  start one here, with generated traffic")
            .remedy("throughline status --endpoint …   ask another")
    })
}

/// The cause behind the layers, which say nothing that a person could use.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

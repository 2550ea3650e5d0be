//! The cluster as it changes: whole views, never faster than a person can read them.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use proto::api::v1;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tonic::Status;

use super::backend::Backend;
use super::{Services, convert, status};
use crate::problem::{Code, Problem};

type View = Result<v1::WatchClusterResponse, Status>;
/// Views on their way to one client.
pub(super) type Views = BoxStream<'static, View>;

/// Nobody is told more often.
const LEAST: Duration = Duration::from_millis(250);
const USUAL: Duration = Duration::from_secs(1);
/// A view comes by then also where nothing has changed: so a client knows that it is still told.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often a client wants to be told.
pub(super) fn interval(wanted: Option<&prost_types::Duration>) -> Result<Duration, Problem> {
    let Some(wanted) = wanted else { return Ok(USUAL) };
    let wanted = Duration::try_from(*wanted).map_err(|_| {
        let why = "it is below 0, or no length of time";
        Problem::new(Code::BadArgument, "cannot take the interval", why)
            .remedy("leave it out, or name one between 250 ms and 10 s")
    })?;
    Ok(wanted.clamp(LEAST, HEARTBEAT))
}

impl Services {
    /// The views after `first`, and before them itself. They end with the server, and where nobody can say
    /// any more how the cluster is.
    pub(super) fn views(&self, first: v1::WatchClusterResponse, interval: Duration) -> Views {
        let backend = Arc::clone(&self.backend);
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let views = stream::once(async move {
            // The first is due at once.
            let said = ticks.tick().await;
            let watching = Some(Watching { last: first.clone(), said, ticks, interval });
            let next = stream::unfold(watching, move |watching| {
                let backend = Arc::clone(&backend);
                async move { watching?.next(&*backend).await }
            });
            stream::iter([Ok(first)]).chain(next)
        });
        views.flatten().take_until(self.ending.clone().cancelled_owned()).boxed()
    }
}

/// What a client was told last, and when it may be told again.
struct Watching {
    last: v1::WatchClusterResponse,
    said: Instant,
    ticks: Interval,
    interval: Duration,
}

impl Watching {
    async fn next(mut self, backend: &dyn Backend) -> Option<(View, Option<Self>)> {
        loop {
            let now = self.ticks.tick().await;
            let view = match backend.overview().await {
                Ok(answer) => convert::overview(answer),
                Err(problem) => return Some((Err(status::status(&problem)), None)),
            };
            // The next chance would come too late.
            let is_due = now + self.interval > self.said + HEARTBEAT;
            if is_due || view != self.last {
                self.last.clone_from(&view);
                self.said = now;
                return Some((Ok(view), Some(self)));
            }
        }
    }
}

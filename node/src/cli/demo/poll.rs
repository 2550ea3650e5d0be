//! Asks the backend for all that the live view shows.

use proto::api::v1;

use crate::api;
use crate::api::backend::{AsOf, Backend, Cell, Cluster, Figure, Ledger, Pulse, Query, Range};
use crate::problem::{Code, Problem};

/// One picture of the node, or of all of them.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) cluster: Cluster,
    pub(super) as_of: AsOf,
    pub(super) ledger: Ledger,
    pub(super) ranges: Vec<Range>,
    /// Nodes and ranges as the API tells them, for what the commands show of them too.
    pub(super) overview: v1::WatchClusterResponse,
    pub(super) pulse: Pulse,
    pub(super) channels: Vec<Channel>,
}

/// The indicators of one channel. `None` where an indicator has not counted it yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) success: Option<Rate>,
    pub(super) approval: Option<Rate>,
    pub(super) times: Option<Times>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rate {
    pub(super) numerator: u64,
    pub(super) denominator: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Times {
    pub(super) count: u64,
    pub(super) p50_ms: u64,
    pub(super) p95_ms: u64,
}

pub(super) async fn read(backend: &dyn Backend) -> Result<Reading, Problem> {
    let overview = backend.overview().await?;
    let mut channels = Vec::new();
    for indicator in ["duration", "transaction-success", "transaction-approval"] {
        let cells = match backend.query(by_channel(indicator)).await {
            // A bank without that indicator still has all the rest to show.
            Err(problem) if problem.code == Code::IndicatorNotFound => Vec::new(),
            answer => answer?.value,
        };
        for cell in cells {
            fold(&mut channels, indicator, cell);
        }
    }
    Ok(Reading {
        ledger: backend.ledger().await?.value,
        pulse: backend.pulse().await?.value,
        overview: api::overview(overview.clone()),
        cluster: overview.value.cluster,
        ranges: overview.value.ranges,
        as_of: overview.as_of,
        channels,
    })
}

impl Reading {
    /// Whether that node leads.
    pub(super) fn leads(&self, node: &v1::Node) -> bool {
        let name = node.name.strip_prefix("nodes/");
        self.cluster.leader.as_ref().is_some_and(|leader| name == Some(leader.as_str()))
    }
}

fn by_channel(indicator: &str) -> Query {
    Query {
        scenario: "bank".to_owned(),
        indicator: indicator.to_owned(),
        window: None,
        from: None,
        to: None,
        dimension: Some("channel".to_owned()),
        value: None,
        top: None,
    }
}

/// Puts a cell in its channel's row; rows keep the order in which the first indicator named them.
fn fold(channels: &mut Vec<Channel>, indicator: &str, cell: Cell) {
    let Some((_, name)) = cell.key else { return };
    let place = channels.iter().position(|channel| channel.name == name);
    let place = place.unwrap_or_else(|| {
        channels.push(Channel { name, ..Channel::default() });
        channels.len() - 1
    });
    let channel = &mut channels[place];
    match cell.figure {
        Figure::Ratio { numerator, denominator } => {
            let rate = Some(Rate { numerator, denominator });
            match indicator {
                "transaction-success" => channel.success = rate,
                _ => channel.approval = rate,
            }
        }
        Figure::Durations { count, p50_ms, p95_ms, .. } => {
            channel.times = Some(Times { count, p50_ms, p95_ms });
        }
    }
}

//! `throughline node`: the processes of the cluster, and what they are used for.

use clap::Subcommand;
use proto::api::v1;
use proto::api::v1::cluster_service_client::ClusterServiceClient;

use super::change::{self, How};
use super::failure::Failure;
use super::io::Io;
use super::table::{Column, messages, table};
use super::{Format, Shared, client, format};
use crate::problem::Exit;

const COLUMNS: [Column; 7] = [
    Column::Left("NODE"),
    Column::Left("STATE"),
    Column::Left("VERSION"),
    Column::Right("RANGES"),
    Column::Right("MEMORY"),
    Column::Right("OF"),
    Column::Right("RECORDS/S"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the nodes, by name.
    #[command(after_help = "Examples:
  throughline node list
  throughline node list -o json | jq -r '.[].name'")]
    List,
    /// Have a node give away all its ranges, so that it can be stopped.
    #[command(after_help = "Examples:
  throughline node drain node-2
  throughline node drain node-2 --dry-run

It holds until `throughline node undrain`. Ends as soon as it is granted: `throughline cluster watch` shows
the ranges go.")]
    Drain(Named),
    /// Have a node keep the ranges that it has, and get no others.
    #[command(after_help = "Examples:
  throughline node cordon node-2

It holds until `throughline node undrain`.")]
    Cordon(Named),
    /// Have a node that was drained or cordoned take its share of the ranges again.
    #[command(after_help = "Examples:
  throughline node undrain node-2")]
    Undrain(Named),
}

#[derive(clap::Args, Debug)]
pub(super) struct Named {
    /// The node's name.
    node: String,
    #[command(flatten)]
    how: How,
}

pub(super) async fn run(command: Command, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    match command {
        Command::List => list(shared, io).await,
        Command::Drain(it) => {
            let request = v1::DrainNodeRequest {
                name: format!("nodes/{}", it.node),
                validate_only: it.how.dry_run,
                request_id: it.how.request_id,
            };
            change::ask(shared, io, async |mut client| client.drain_node(request).await).await
        }
        Command::Cordon(it) => {
            let request = v1::CordonNodeRequest {
                name: format!("nodes/{}", it.node),
                validate_only: it.how.dry_run,
                request_id: it.how.request_id,
            };
            change::ask(shared, io, async |mut client| client.cordon_node(request).await).await
        }
        Command::Undrain(it) => {
            let request = v1::UncordonNodeRequest {
                name: format!("nodes/{}", it.node),
                validate_only: it.how.dry_run,
                request_id: it.how.request_id,
            };
            change::ask(shared, io, async |mut client| client.uncordon_node(request).await).await
        }
    }
}

async fn list(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let mut clusters = ClusterServiceClient::new(client::connect(shared).await?);
    let (mut nodes, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListNodesRequest { page_size: 1000, page_token };
        let page = clusters.list_nodes(request).await?.into_inner();
        nodes.extend(page.nodes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    match shared.output {
        Format::Json => messages(io, &nodes)?,
        Format::Table => table(io, &COLUMNS, nodes.iter().map(row).collect())?,
    }
    Ok(Exit::Done)
}

fn row(node: &v1::Node) -> Vec<String> {
    let bytes = |bytes: i64| format::bytes(format::unsigned(bytes));
    let limit = node.memory_limit_bytes;
    vec![
        format::short(&node.name).to_owned(),
        node.state.clone(),
        node.version.clone(),
        format::thousands(node.ranges),
        bytes(node.memory_bytes),
        if limit == 0 { "–".to_owned() } else { bytes(limit) },
        format!("{:.0}", node.records_per_second),
    ]
}

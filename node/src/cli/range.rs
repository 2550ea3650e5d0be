//! `throughline range`: the ranges of keys, and where they are.

use clap::Subcommand;
use proto::api::v1;
use proto::api::v1::cluster_service_client::ClusterServiceClient;

use super::change::{self, How};
use super::failure::Failure;
use super::io::Io;
use super::table::{Column, messages, table};
use super::{Format, Shared, client, format};
use crate::problem::Exit;

const COLUMNS: [Column; 9] = [
    Column::Left("RANGE"),
    Column::Left("KEYS FROM"),
    Column::Left("OWNER"),
    Column::Left("STATE"),
    Column::Right("EPOCH"),
    Column::Right("OPEN"),
    Column::Right("RECORDS/S"),
    Column::Right("LAG"),
    Column::Right("RESULTS"),
];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the ranges, by their first key.
    #[command(after_help = "Examples:
  throughline range list
  throughline range list -o json | jq -r '.[] | select(.state != \"serving\") | .name'")]
    List,
    /// Have a range move to a node.
    #[command(after_help = "Examples:
  throughline range move r5 --to node-3
  throughline range move r5 --to node-3 --dry-run

It stays there until another node leads, or `throughline cluster rebalance`. Ends as soon as it is granted:
`throughline cluster watch` shows it go.")]
    Move {
        /// The range, such as r5.
        range: String,
        /// The node that is to own it.
        #[arg(long, value_name = "NODE")]
        to: String,
        #[command(flatten)]
        how: How,
    },
    /// Cut a range into two.
    #[command(after_help = "Examples:
  throughline range split r5
  throughline range split r5 --at 4800000000000000

Without --at it is cut in the middle.")]
    Split {
        /// The range, such as r5.
        range: String,
        /// The first key of the second range, as `throughline range list` writes keys.
        #[arg(long, value_name = "KEY", value_parser = key)]
        at: Option<u64>,
        #[command(flatten)]
        how: How,
    },
}

/// A key as lists show it.
fn key(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text, 16)
        .map_err(|_| "up to 16 of 0-9 and a-f are wanted, such as 4800000000000000".to_owned())
}

pub(super) async fn run(command: Command, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    match command {
        Command::List => list(shared, io).await,
        Command::Move { range, to, how } => {
            let request = v1::MoveRangeRequest {
                name: format!("ranges/{range}"),
                target_node: to,
                validate_only: how.dry_run,
                request_id: how.request_id,
            };
            change::ask(shared, io, async |mut client| client.move_range(request).await).await
        }
        Command::Split { range, at, how } => {
            let request = v1::SplitRangeRequest {
                name: format!("ranges/{range}"),
                split_hash: at,
                validate_only: how.dry_run,
                request_id: how.request_id,
            };
            change::ask(shared, io, async |mut client| client.split_range(request).await).await
        }
    }
}

async fn list(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let mut clusters = ClusterServiceClient::new(client::connect(shared).await?);
    let (mut ranges, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListRangesRequest { page_size: 1000, page_token };
        let page = clusters.list_ranges(request).await?.into_inner();
        ranges.extend(page.ranges);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    match shared.output {
        Format::Json => messages(io, &ranges)?,
        Format::Table => table(io, &COLUMNS, ranges.iter().map(row).collect())?,
    }
    Ok(Exit::Done)
}

fn row(range: &v1::Range) -> Vec<String> {
    let owner = if range.owner.is_empty() { "–" } else { &range.owner };
    vec![
        format::short(&range.name).to_owned(),
        format!("{:016x}", range.start_hash),
        owner.to_owned(),
        range.state.clone(),
        range.epoch.to_string(),
        format::thousands(range.open_transactions),
        format!("{:.0}", range.records_per_second),
        format::span(range.lag.as_ref()),
        format::thousands(range.sequence),
    ]
}

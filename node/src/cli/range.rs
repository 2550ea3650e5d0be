//! `throughline range`: the ranges of keys.

use clap::Subcommand;
use proto::api::v1;
use proto::api::v1::cluster_service_client::ClusterServiceClient;

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
}

pub(super) async fn run(command: Command, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let Command::List = command;
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

//! `throughline ledger`: where every record went.

use proto::api::v1;
use proto::api::v1::cluster_service_client::ClusterServiceClient;

use super::failure::Failure;
use super::io::{Io, Tone};
use super::table::{Column, message, table};
use super::{Format, Shared, client, format};
use crate::problem::Exit;

pub(super) const EXAMPLES: &str = "Examples:
  throughline ledger
  throughline ledger -o json | jq .total.balanced

consumed = in results + open + duplicates + conflicts + late + dead + filtered, for each source
partition. Ends with 0 when all balance, with 9 when a record is lost or counted twice.";

const COLUMNS: [Column; 10] = [
    Column::Left("SOURCE"),
    Column::Right("CONSUMED"),
    Column::Right("IN RESULTS"),
    Column::Right("OPEN"),
    Column::Right("DUPLICATES"),
    Column::Right("CONFLICTS"),
    Column::Right("LATE"),
    Column::Right("DEAD"),
    Column::Right("FILTERED"),
    Column::Left("BALANCED"),
];

pub(super) async fn run(shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let mut clusters = ClusterServiceClient::new(client::connect(shared).await?);
    let ledger = clusters.get_ledger(v1::GetLedgerRequest {}).await?.into_inner();
    let total = ledger.total.clone().unwrap_or_default();
    match shared.output {
        Format::Json => message(io, &ledger)?,
        Format::Table => {
            let rows = ledger.rows.iter().chain([&total]).map(row).collect();
            table(io, &COLUMNS, rows)?;
            verdict(io, &total)?;
        }
    }
    Ok(if total.balanced { Exit::Done } else { Exit::CheckFailed })
}

fn verdict(io: &mut Io, total: &v1::ledger::Row) -> Result<(), Failure> {
    let line = match total.balanced {
        true => io.paint(Tone::Good, "✓ every record is in exactly one place"),
        false => io.paint(Tone::Bad, "■ the ledger does not balance: see the rows without ✓"),
    };
    Ok(io.line(&line)?)
}

fn row(row: &v1::ledger::Row) -> Vec<String> {
    let counts = [
        row.consumed,
        row.in_results,
        row.open,
        row.duplicates,
        row.conflicts,
        row.late,
        row.dead,
        row.filtered,
    ];
    let balance = match row.imbalance {
        0 if row.balanced => "✓".to_owned(),
        // The total of rows that don't balance may be 0 all the same.
        0 => "■ see rows".to_owned(),
        lost @ 1.. => format!("■ {} lost", format::thousands(lost)),
        twice => format!("■ {} twice", format::thousands(-i128::from(twice))),
    };
    let key = [row.key.clone()].into_iter();
    key.chain(counts.into_iter().map(format::thousands)).chain([balance]).collect()
}

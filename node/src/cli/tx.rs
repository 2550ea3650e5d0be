//! `throughline tx`: single transactions.

use clap::Subcommand;
use proto::api::v1;
use proto::api::v1::case_service_client::CaseServiceClient;
use proto::api::v1::leg::Kind;
use proto::api::v1::transaction::State;

use super::failure::Failure;
use super::io::{Io, Tone};
use super::table::{Column, message, table};
use super::{Format, Shared, client, format};
use crate::problem::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what is known of a transaction: its legs, what it waits for, or its result.
    #[command(after_help = "Examples:
  throughline tx get 3f2a9c0b7d5e4f61a8b29c0d1e2f3a4b
  throughline tx get 3f2a9c0b7d5e4f61a8b29c0d1e2f3a4b -o json | jq -r .resultJson

Open transactions are always there; results for the configured time and size (join.keepResults: 1 h, 1 GiB).")]
    Get {
        /// The transaction's id, as it stands in its messages.
        id: String,
    },
}

pub(super) async fn run(command: Command, shared: &Shared, io: &mut Io) -> Result<Exit, Failure> {
    let Command::Get { id } = command;
    let mut cases = CaseServiceClient::new(client::connect(shared).await?);
    let request = v1::GetTransactionRequest { name: format!("transactions/{id}") };
    let transaction = cases.get_transaction(request).await?.into_inner();
    match shared.output {
        Format::Json => message(io, &transaction)?,
        Format::Table => show(io, &id, &transaction)?,
    }
    Ok(Exit::Done)
}

fn show(io: &mut Io, id: &str, transaction: &v1::Transaction) -> Result<(), Failure> {
    let missing: Vec<_> = transaction.missing().map(leg_name).collect();
    let missing = missing.join(" and ");
    let (tone, state) = match transaction.state() {
        State::Open => {
            let deadline = format::time(transaction.deadline_time.as_ref());
            (Tone::Strong, format!("OPEN  waits for {missing} until {deadline}"))
        }
        State::Complete => (Tone::Good, format!("COMPLETE  v{}", transaction.version)),
        State::Incomplete => {
            (Tone::Warning, format!("INCOMPLETE  v{}  without {missing}", transaction.version))
        }
        State::Corrected => (Tone::Good, format!("CORRECTED  v{}", transaction.version)),
        State::Done => (
            Tone::Quiet,
            "DONE  its result is no longer kept here (join.keepResults): it is in the transactions topic"
                .to_owned(),
        ),
        State::Unspecified => (Tone::Warning, "UNKNOWN STATE".to_owned()),
    };
    let state = io.paint(tone, &state);
    io.line(&format!("{id}  {state}"))?;
    if !transaction.legs.is_empty() {
        let columns = [
            Column::Left("LEG"),
            Column::Left("EVENT"),
            Column::Left("RECORD"),
            Column::Left("SOURCE"),
        ];
        table(io, &columns, transaction.legs.iter().map(leg_row).collect())?;
    }
    if !transaction.result_json.is_empty() {
        io.line(&transaction.result_json)?;
    }
    Ok(())
}

fn leg_row(leg: &v1::Leg) -> Vec<String> {
    vec![
        leg_name(leg.kind()).to_owned(),
        format::time(leg.event_time.as_ref()),
        format::time(leg.record_time.as_ref()),
        format!("{}/{}@{}", leg.topic, leg.partition, leg.offset),
    ]
}

fn leg_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "?",
        Kind::Trace => "trace",
        Kind::Request => "request",
        Kind::Response => "response",
    }
}

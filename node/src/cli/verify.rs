//! `throughline verify`: check results against what was generated.

use super::failure::Failure;
use super::{Io, Parts};
use crate::problem::Exit;
use crate::workload::verify::VerifyArgs;

/// What to check, and against what.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline verify --brokers 127.0.0.1:9092 --expected bank.expected.json
  throughline verify --results-dir ./results --expected bank.expected.json

Ends with 9 when a result is lost, doubled or wrong.")]
pub struct Arguments {
    /// What came out, and what was expected.
    #[command(flatten)]
    pub workload: VerifyArgs,
}

pub(super) async fn run(
    arguments: Arguments,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    Ok(parts.verify(&arguments, io).await?)
}

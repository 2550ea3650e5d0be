//! `throughline generate`: write test traffic.

use super::failure::Failure;
use super::{Io, Parts};
use crate::problem::Exit;
use crate::workload::generate::GenerateArgs;

/// What to write, and where.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline generate --brokers 127.0.0.1:9092 --transactions 2000000
  throughline generate --dir ./traffic --transactions 100000 --seed 7")]
pub struct Arguments {
    /// The traffic.
    #[command(flatten)]
    pub workload: GenerateArgs,
}

pub(super) async fn run(
    arguments: Arguments,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    Ok(parts.generate(&arguments, io).await?)
}

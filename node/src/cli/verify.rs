//! `throughline verify`: check results against what was generated.

use super::failure::Failure;
use super::{Io, Parts};
use crate::problem::Exit;

/// What to check, and against what.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline verify --help

Ends with 9 when a result is lost, doubled or wrong.")]
pub struct Arguments {}

pub(super) async fn run(
    arguments: Arguments,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    Ok(parts.verify(&arguments, io).await?)
}

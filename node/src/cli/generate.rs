//! `throughline generate`: write test traffic.

use super::failure::Failure;
use super::{Io, Parts};
use crate::problem::Exit;

/// What to write, and where.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:
  throughline generate --help")]
pub struct Arguments {}

pub(super) async fn run(
    arguments: Arguments,
    parts: &dyn Parts,
    io: &mut Io,
) -> Result<Exit, Failure> {
    Ok(parts.generate(&arguments, io).await?)
}

//! `throughline config`: check and show a configuration, without starting anything.

use std::path::PathBuf;

use clap::Subcommand;

use super::failure::Failure;
use super::{Io, Parts};
use crate::problem::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check a configuration; say what is wrong with it, and where.
    #[command(after_help = "Examples:
  throughline config validate throughline.yaml

Ends with 8 when the node would not start with it.")]
    Validate {
        /// The configuration.
        file: PathBuf,
    },
    /// Show a configuration with all its defaults.
    #[command(after_help = "Examples:
  throughline config show throughline.yaml")]
    Show {
        /// The configuration.
        file: PathBuf,
    },
}

pub(super) fn run(command: &Command, parts: &dyn Parts, io: &mut Io) -> Result<Exit, Failure> {
    let text = match command {
        Command::Validate { file } => parts.validate_config(file)?,
        Command::Show { file } => parts.show_config(file)?,
    };
    io.line(text.trim_end())?;
    Ok(Exit::Done)
}

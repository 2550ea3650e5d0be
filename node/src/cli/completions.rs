//! `throughline completions`: what a shell needs to complete commands.

use clap::CommandFactory;
use clap_complete::Shell;

use super::failure::Failure;
use super::io::Io;
use crate::problem::Exit;

/// For which shell.
#[derive(clap::Args, Clone, Copy, Debug)]
#[command(after_help = "Examples:
  throughline completions bash > ~/.local/share/bash-completion/completions/throughline
  throughline completions zsh > ~/.zfunc/_throughline
  throughline completions fish > ~/.config/fish/completions/throughline.fish")]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: Arguments, io: &mut Io) -> Result<Exit, Failure> {
    // Through a buffer: the generator would panic where the reader has gone.
    let mut script = Vec::new();
    let mut command = super::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "throughline", &mut script);
    io.out.write_all(&script)?;
    Ok(Exit::Done)
}

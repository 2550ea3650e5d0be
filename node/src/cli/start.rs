//! The start screen: what is shown when nothing is typed.

use super::failure::Failure;
use super::io::Io;
use crate::problem::Exit;

const SCREEN: &str = "\
Joins every bank transaction, live: three messages in, one result out.

Start here
  demo         Run a bank in this process: generated traffic, a live view, the API
  status       Say whether the cluster is healthy, and if not, why
  explain      Say what an error's code means, and what to do about it

Look at
  tx           get                       indicator    list  query
  ledger       where every record went   snapshot     list  create  verify  restore  copy

Operate
  cluster      status  watch  rebalance  node         list  drain  cordon  undrain
  range        list  move  split

Set up
  run          Start a node              config       validate  show
  generate     Write test traffic        verify       Check results against it
  drill        list  run  report
  completions  For your shell

Try:  throughline demo
More: throughline <command> --help";

pub(super) fn show(io: &mut Io) -> Result<Exit, Failure> {
    io.line(SCREEN)?;
    Ok(Exit::Done)
}

//! The program `throughline`.

use std::process::ExitCode;

use node::assembly::Assembly;
use node::cli;

/// Transactions are many small, short-lived allocations: measured, glibc doubles their cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(&Assembly)
}

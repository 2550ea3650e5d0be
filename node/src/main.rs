//! The program `throughline`.

use std::process::ExitCode;

use node::assembly::Assembly;
use node::cli;

/// Transactions are many small, short-lived allocations: measured, glibc doubles their cost. It serves the
/// Kafka client and `RocksDB` too, which take on one thread what another frees: there glibc's threads wait
/// for each other.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main(&Assembly)
}

//! What of the node's memory goes where: all shares together stay under `storage.memory`.
//!
//! ```text
//! the program, its threads, batches and commits on their way       256 MiB
//! fetched ahead by the Kafka client, and its bookkeeping           an eighth,            at most 128 MiB
//! results that wait for the sink                                   a sixteenth,          at most 64 MiB
//! rows of local state that are not yet on disk                     a sixteenth,          at most 64 MiB
//! blocks of local state read from disk                             a thirty-second
//! ranges: open transactions, who is done, what is due, figures     half of the rest
//! what the allocators cannot use                                   the other half
//! ```
//!
//! The last line is measured, not chosen: with mailboxes of all sizes coming and going, the resident memory
//! is up to twice what is asked for.
//!
//! Within their share open transactions give way to what has to stay. Where even that does not fit, the node
//! says that it is degraded: nothing of it can be dropped.

use actors::store::rocks::Limits;
use anyhow::ensure;

use crate::config::{Config, MEMORY_LEAST};

/// The program, its threads, batches and commits on their way.
const PROGRAM: u64 = 256 << 20;

/// What each part of the node may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// Payload that the Kafka client fetches ahead. It takes about as much again.
    pub(super) prefetch: usize,
    /// Results that wait for the sink.
    pub(super) outbox: usize,
    /// Local state.
    pub(super) stores: Limits,
    /// All ranges together.
    pub(super) ranges: usize,
}

impl Shares {
    /// The shares of the node that `config` describes.
    pub(super) fn of(config: &Config) -> anyhow::Result<Self> {
        let memory = bytes(config);
        ensure!(
            memory >= MEMORY_LEAST,
            "storage.memory comes to {} MiB on this machine, and a node needs {} MiB: raise it, or the \
             memory that the process may use",
            memory >> 20,
            MEMORY_LEAST >> 20
        );
        Ok(Self::divide(memory))
    }

    fn divide(memory: u64) -> Self {
        let prefetch = (memory / 16).min(64 << 20);
        let (outbox, buffers, cache) = (prefetch, prefetch, memory / 32);
        let fixed = PROGRAM + 2 * prefetch + outbox + buffers + cache;
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            prefetch: size(prefetch),
            outbox: size(outbox),
            stores: Limits {
                write_buffers_bytes: size(buffers),
                cache_bytes: size(cache),
                ..Limits::default()
            },
            ranges: size(memory.saturating_sub(fixed) / 2),
        }
    }
}

/// The bytes that `storage.memory` comes to on this machine.
pub(super) fn bytes(config: &Config) -> u64 {
    config.storage.memory.bytes(machine_bytes())
}

/// The memory that this process may use: the limit of its cgroup, else the machine's.
fn machine_bytes() -> u64 {
    let cgroup = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = cgroup.and_then(|text| text.trim().parse().ok());
    let machine = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(kib.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
    };
    limit.or_else(machine).unwrap_or(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_stay_under_the_whole_and_ranges_get_most_of_a_large_one() {
        for memory in [MEMORY_LEAST, 1 << 30, 16 << 30] {
            let it = Shares::divide(memory);
            let stores = it.stores.write_buffers_bytes + it.stores.cache_bytes;
            let parts = [2 * it.prefetch, it.outbox, stores, it.ranges];
            let all = PROGRAM + parts.iter().map(|&bytes| bytes as u64).sum::<u64>();
            assert!(all < memory, "{all} of {memory}: {it:?}");
            assert!(it.ranges >= 32 << 20, "{it:?}");
        }
        assert!(Shares::divide(16 << 30).ranges > 7 << 30);
    }
}

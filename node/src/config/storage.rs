//! `storage`: where the node keeps what it needs, and how much memory it may take.

use std::num::NonZeroU16;
use std::path::PathBuf;

use super::objects::Objects;
use super::rules;
use super::section::Section;

/// Where the node keeps what it needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Storage {
    /// The node's own directory: its state, which the objects can rebuild.
    pub dir: PathBuf,
    /// The object store: journals, control log and snapshots. What must not be lost.
    pub objects: Objects,
    /// How much memory the process may take.
    pub memory: Memory,
    /// Into how many ranges the keys are divided when the cluster is first started.
    pub ranges: NonZeroU16,
}

/// With less a node could not do its work.
pub const MEMORY_LEAST: u64 = 512 << 20;

/// An amount of memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Memory {
    /// So many bytes.
    Bytes(u64),
    /// This share, in percent, of what the process may use (its cgroup's limit, or the machine's memory).
    Percent(u8),
}

impl Memory {
    /// The amount, where the process may use `limit` bytes.
    #[must_use]
    pub const fn bytes(self, limit: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => limit / 100 * percent as u64,
        }
    }
}

impl Storage {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section("storage");
        let dir = PathBuf::from(section.read("dir", "throughline-data", rules::text));
        let objects = Objects::read(&section, &dir);
        let memory = section.read("memory", "1GiB", memory);
        let ranges = section.read("ranges", "16", rules::number(ONE, NonZeroU16::MAX));
        section.later("disk", "this version doesn't limit its use of the disk");
        section.finish();
        Self { dir, objects, memory, ranges }
    }
}

const ONE: NonZeroU16 = NonZeroU16::MIN;

fn memory(text: &str) -> Result<Memory, String> {
    match text.strip_suffix('%') {
        Some(percent) => rules::number(1, 90)(percent)
            .map(Memory::Percent)
            .map_err(|_| "a share of the memory is from 1% to 90%".to_owned()),
        None => rules::size_in(MEMORY_LEAST, 1 << 50)(text)
            .map(Memory::Bytes)
            .map_err(|why| format!("{why}; or a share of the memory, as in 70%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_size_or_a_share() {
        assert_eq!(memory("1GiB").map(|it| it.bytes(0)), Ok(1 << 30));
        assert_eq!(memory("70%").map(|it| it.bytes(1000)), Ok(700));
        for wrong in ["0%", "91%", "70", "511MiB", "%"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }
}

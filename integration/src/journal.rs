//! What a node's journals have and have had, as their objects' names tell.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// The journals of one node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Journal {
    /// Slots that were ever written: numbers begin with 1 in each life, and have no gap.
    pub written: u64,
    /// Slots that are there.
    pub left: u64,
}

impl Journal {
    /// The journals in the object store `objects`, of every life of every node.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read.
    pub fn read(objects: &Path) -> anyhow::Result<Self> {
        let mut journal = Self::default();
        for node in folders(&objects.join("journal"))? {
            for life in folders(&node)? {
                let names = names(&life)?;
                let slots: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
                journal.written += slots.iter().max().copied().unwrap_or(0);
                journal.left += slots.len() as u64;
            }
        }
        Ok(journal)
    }

    /// Slots that have gone.
    #[must_use]
    pub const fn trimmed(&self) -> u64 {
        self.written - self.left
    }
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn folders(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    Ok(names(folder)?.into_iter().map(|name| folder.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_is_told_by_the_highest_number() {
        let objects = tempfile::tempdir().unwrap();
        for slot in ["1/5", "1/7", "2/1", "2/2"] {
            let file = objects.path().join("journal/node-1").join(slot);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let journal = Journal::read(objects.path()).unwrap();
        assert_eq!((journal.written, journal.left, journal.trimmed()), (9, 4, 5));
    }
}

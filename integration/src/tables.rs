//! What the local state of a node that has stopped consists of, table by table.

use std::collections::BTreeMap;
use std::path::Path;

use actors::store::rocks::{Limits, RocksShared, RocksStore};
use actors::store::{Store as _, Table};
use anyhow::Context as _;

/// How much a table holds, over all ranges.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Content {
    /// Its rows.
    pub rows: u64,
    /// Bytes of keys and values, before they are compressed.
    pub bytes: u64,
}

impl Content {
    /// The bytes of a row, on average.
    #[must_use]
    pub fn bytes_per_row(self) -> u64 {
        self.bytes / self.rows.max(1)
    }
}

/// What the stores in `state` hold: one folder a range.
///
/// # Errors
///
/// Where a store cannot be read, for example because the node still runs.
pub fn contents(state: &Path) -> anyhow::Result<BTreeMap<Table, Content>> {
    let doing = || format!("list {}", state.display());
    let shared = RocksShared::new(Limits::default())?;
    let mut contents: BTreeMap<_, Content> = Table::ALL.map(|it| (it, Content::default())).into();
    for range in std::fs::read_dir(state).with_context(doing)? {
        let store = RocksStore::open(&shared, &range.with_context(doing)?.path())?;
        for (table, content) in &mut contents {
            store.scan(*table, &mut |key, value| {
                content.rows += 1;
                content.bytes += (key.len() + value.len()) as u64;
            })?;
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use actors::store::Change;

    use super::*;

    #[test]
    fn tables_are_added_up_over_ranges_and_kept_apart() {
        let state = tempfile::tempdir().unwrap();
        let shared = RocksShared::new(Limits::default()).unwrap();
        for range in ["r0", "r1"] {
            let mut store = RocksStore::open(&shared, &state.path().join(range)).unwrap();
            let open = |key: &[u8]| Change::Put(Table::Open, key.to_vec(), vec![0; 10]);
            let done = Change::Put(Table::Tombstones, vec![1], vec![0; 5]);
            store.apply(&[open(b"a"), open(b"b"), done]).unwrap();
        }
        let contents = contents(state.path()).unwrap();
        assert_eq!(contents[&Table::Open], Content { rows: 4, bytes: 44 });
        assert_eq!(contents[&Table::Open].bytes_per_row(), 11);
        assert_eq!(contents[&Table::Tombstones], Content { rows: 2, bytes: 12 });
        assert_eq!(contents[&Table::Partials].bytes_per_row(), 0);
    }
}

//! The one object that makes files a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proto::types::{Epoch, Slot};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::SnapshotError;
use super::files::FILES;
use crate::machine::block::Place;

/// The format that this version writes, and the latest that it reads.
pub const FORMAT: u64 = 1;

/// What a snapshot holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// How this is written.
    pub format: u64,
    /// The least format that a reader must know: so a version older by one can still read (I14).
    pub min_reader: u64,
    /// The snapshot's name: its number.
    pub name: u64,
    /// The cluster that it was taken of.
    pub cluster: String,
    /// When, by the wall clock. For people only (I12).
    pub created_ms: u64,
    /// What each range was.
    pub ranges: Vec<RangeEntry>,
}

/// One range at one commit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RangeEntry {
    /// The range's number.
    pub range: u16,
    /// The least hash of its keys.
    pub start: u64,
    /// One past the greatest; 0 stands for 2^64.
    pub end: u64,
    /// The epoch under which it committed.
    pub epoch: u64,
    /// The journal that the commit is in, such as `journal/node-1/7`.
    pub journal: String,
    /// The commit's slot there. What follows it is the tail to replay.
    pub slot: u64,
    /// The epoch of the first row that the sink had not acknowledged.
    pub outbox_epoch: u64,
    /// The journal that holds it.
    pub outbox_journal: String,
    /// That row's slot there: with the tail, a restore reads what is from here on.
    pub outbox_slot: u64,
    /// The last result's number.
    pub sequence: u64,
    /// For each source partition, by its index, the first offset that is not yet in.
    pub positions: Vec<u64>,
    /// The ledger's counts, as the range's head has them.
    pub ledger: Value,
    /// The store's files.
    pub files: Vec<FileEntry>,
}

/// One file of a range's store.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct FileEntry {
    /// Its name in the store's folder.
    pub name: String,
    /// The object that has its content.
    pub object: String,
    /// Its length.
    pub bytes: u64,
    /// Its content's hash, in hex.
    pub sha256: String,
}

impl RangeEntry {
    /// Where the range stands in the journals.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place {
            at: (Epoch::new(self.epoch), Slot(self.slot)),
            outbox: (Epoch::new(self.outbox_epoch), Slot(self.outbox_slot)),
        }
    }
}

impl Manifest {
    /// The manifest's bytes: JSON with the hash of all the rest.
    pub(super) fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        let corrupted = |detail| SnapshotError::Corrupted { name: self.name, detail };
        let encode = || {
            let mut value = serde_json::to_value(self)?;
            value["sha256"] = Value::String(sha256(&serde_json::to_vec(&value)?));
            serde_json::to_vec_pretty(&value)
        };
        let bytes = encode().map_err(|error| corrupted(error.to_string()))?;
        // What cannot be read back (a fraction in a ledger, say) must not become a snapshot.
        Self::decode(self.name, &bytes)?;
        Ok(bytes)
    }

    /// What the bytes say, where they verify.
    pub(super) fn decode(name: u64, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let corrupted = |detail: String| SnapshotError::Corrupted { name, detail };
        let mut value: Value =
            serde_json::from_slice(bytes).map_err(|error| corrupted(error.to_string()))?;
        // The format comes first: what follows holds for the formats that we know.
        let number = |field: &str| {
            let number = value.get(field).and_then(Value::as_u64);
            number.ok_or_else(|| corrupted(format!("`{field}` is missing")))
        };
        let (format, min_reader) = (number("format")?, number("min_reader")?);
        if min_reader > FORMAT {
            return Err(SnapshotError::Newer { name, format, min_reader });
        }
        let said = value.as_object_mut().and_then(|fields| fields.remove("sha256"));
        let rest = serde_json::to_vec(&value).map_err(|error| corrupted(error.to_string()))?;
        if said != Some(Value::String(sha256(&rest))) {
            return Err(corrupted("its hash does not fit".to_owned()));
        }
        serde_json::from_value(value).map_err(|error| corrupted(error.to_string()))
    }

    /// The range's part; `None` where the snapshot does not hold it.
    #[must_use]
    pub fn range(&self, range: u16) -> Option<&RangeEntry> {
        self.ranges.iter().find(|entry| entry.range == range)
    }

    /// Every file of every range.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.ranges.iter().flat_map(|range| &range.files)
    }

    /// The node that took it, by its files; `None` where these have other names.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        let object = self.files().next()?.object.strip_prefix(FILES)?.strip_prefix('/')?;
        object.split_once('/').map(|(node, _)| node)
    }

    /// What of the ranges' heads is another in `later`.
    #[must_use]
    pub fn diff(&self, later: &Self) -> Vec<Difference> {
        let (before, after) = (self.heads(), later.heads());
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let change = |&key: &&(u16, &'static str)| {
            let (from, to) = (before.get(key).cloned(), after.get(key).cloned());
            (from != to).then_some(Difference { range: key.0, field: key.1, from, to })
        };
        keys.iter().filter_map(change).collect()
    }

    /// Every range's head, field by field, as text.
    fn heads(&self) -> BTreeMap<(u16, &'static str), String> {
        let fields = |entry: &RangeEntry| {
            let bytes: u64 = entry.files.iter().map(|file| file.bytes).sum();
            [
                ("keys", format!("{:016x}-{:016x}", entry.start, entry.end)),
                ("epoch", entry.epoch.to_string()),
                ("journal", entry.journal.clone()),
                ("slot", entry.slot.to_string()),
                ("sequence", entry.sequence.to_string()),
                ("positions", format!("{:?}", entry.positions)),
                ("ledger", entry.ledger.to_string()),
                ("bytes", bytes.to_string()),
            ]
            .map(|(field, text)| ((entry.range, field), text))
        };
        self.ranges.iter().flat_map(fields).collect()
    }
}

/// A field of a range's head that differs between two snapshots.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The range.
    pub range: u16,
    /// Which field.
    pub field: &'static str,
    /// As the first has it; `None` where the first does not hold the range.
    pub from: Option<String>,
    /// As the second has it; `None` where the second does not hold the range.
    pub to: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "range {} {}: {} -> {}", self.range, self.field, text(&self.from), text(&self.to))
    }
}

/// The hash of `bytes`, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

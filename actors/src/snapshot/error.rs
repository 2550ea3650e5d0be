//! Why a snapshot could not be made, read or used.

use std::path::PathBuf;

use super::Fault;

/// Why a snapshot could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// No manifest has that name.
    #[error("there is no snapshot {name}: list the snapshots to see which there are")]
    Unknown {
        /// The name that was asked for.
        name: u64,
    },
    /// The name has a manifest already.
    #[error("snapshot {name} exists already and is never changed: take the next name")]
    Taken {
        /// The name.
        name: u64,
    },
    /// The newest snapshot stays, for the journals may be cut up to it (I10).
    #[error("snapshot {name} is the newest and may be needed to restore: create another first")]
    Newest {
        /// The name.
        name: u64,
    },
    /// The snapshot holds other ranges only.
    #[error("snapshot {name} does not hold range {range}")]
    NoRange {
        /// The snapshot.
        name: u64,
        /// The range that was asked for.
        range: u16,
    },
    /// A later version wrote it, in a way that this one cannot read (I14).
    #[error(
        "snapshot {name} is in format {format} and needs a reader of format {min_reader} or later, this \
         version reads up to {}: restore it with the version that wrote it",
        super::FORMAT
    )]
    Newer {
        /// The snapshot.
        name: u64,
        /// Its format.
        format: u64,
        /// The least format that a reader must know.
        min_reader: u64,
    },
    /// The manifest does not verify (I11).
    #[error("the manifest of snapshot {name} is corrupted: {detail}: use another snapshot")]
    Corrupted {
        /// The snapshot.
        name: u64,
        /// What does not fit.
        detail: String,
    },
    /// A file is not what the manifest says.
    #[error("snapshot {name} cannot be used, {fault}: use another snapshot")]
    Damaged {
        /// The snapshot.
        name: u64,
        /// What was found first.
        fault: Fault,
    },
    /// A file that the manifest would name is not there; the snapshot was not made.
    #[error("snapshot {name} was not created, {fault}: upload again")]
    Incomplete {
        /// The snapshot.
        name: u64,
        /// What was found first.
        fault: Fault,
    },
    /// Where a file would go there is another one of another length.
    #[error(
        "upload file: {fault}: something else than Throughline wrote there, remove that object"
    )]
    Clash {
        /// What was found.
        fault: Fault,
    },
    /// The local files failed.
    #[error("{doing} {}", path.display())]
    Files {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The object store failed; what was asked may have happened or not.
    #[error("{doing} {object}")]
    Store {
        /// What was being done, as a verb.
        doing: &'static str,
        /// The object's full name.
        object: String,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

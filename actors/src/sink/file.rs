//! Files as a sink: JSON Lines, one file an outlet, exactly once.
//!
//! A line is `{"key":…,"value":…,"headers":{…}}`; the value is the row's own JSON object, for a dead
//! letter its text, or `"valueBase64"` where it is no UTF-8. A delivery counts once `delivered.json`
//! names the files' new lengths and the last sequences; recovery cuts the files back to those lengths,
//! so a delivery is in all of them or in none, and in them once (I7).

mod line;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use proto::types::{RangeId, Sequence};
use serde::{Deserialize, Serialize};

use self::line::put_line;
use super::{Row, Sink, SinkError};
use crate::engine::Life;

/// The files, in the order of [`Outlet`](super::Outlet).
const NAMES: [&str; 4] = [
    "throughline.transactions.jsonl",
    "throughline.late.jsonl",
    "throughline.conflicts.jsonl",
    "throughline.dead-letters.jsonl",
];

/// What counts as delivered.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Delivered {
    /// The files' lengths, in the order of [`Outlet`](super::Outlet).
    lengths: [u64; 4],
    /// The last sequence of each range.
    last: BTreeMap<u16, u64>,
}

/// Appends rows to files in a folder.
#[derive(Debug)]
pub struct FileSink {
    folder: PathBuf,
    /// `None` until recovered, and again after any fault.
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    files: [File; 4],
    delivered: Delivered,
}

impl FileSink {
    /// A sink into `folder`, which is created when the sink is recovered.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), state: None }
    }

    fn fault(&self, doing: &str, fault: io::Error) -> SinkError {
        let doing = format!("{doing} {}", self.folder.display());
        SinkError::Unavailable { doing, source: fault.into() }
    }

    async fn recover_now(&mut self) -> Result<Vec<(RangeId, Sequence)>, SinkError> {
        self.state = None;
        let folder = self.folder.clone();
        let state = run(move || recover(&folder)).await.map_err(|it| self.fault("recover", it))?;
        let last = &state.delivered.last;
        let last = last.iter().map(|(range, last)| (RangeId(*range), Sequence(*last))).collect();
        self.state = Some(state);
        Ok(last)
    }

    async fn deliver_now(&mut self, rows: &[Row]) -> Result<(), SinkError> {
        let state = self.state.take();
        let unknown = || self.fault("write to", io::Error::other("the sink is not recovered"));
        let mut state = state.ok_or_else(unknown)?;
        let lines = state.lines(rows);
        let folder = self.folder.clone();
        let written = run(move || {
            for (file, lines) in state.files.iter_mut().zip(&lines) {
                append(file, lines)?;
            }
            state.delivered.write(&folder)?;
            Ok(state)
        });
        self.state = Some(written.await.map_err(|it| self.fault("write to", it))?);
        Ok(())
    }
}

impl Sink for FileSink {
    /// Nobody else has the files: the node's folder is locked.
    fn fence<'a>(&'a mut self, _: &'a [Life]) -> BoxFuture<'a, Result<(), SinkError>> {
        async { Ok(()) }.boxed()
    }

    fn recover(&mut self) -> BoxFuture<'_, Result<Vec<(RangeId, Sequence)>, SinkError>> {
        self.recover_now().boxed()
    }

    fn deliver<'a>(&'a mut self, rows: &'a [Row]) -> BoxFuture<'a, Result<(), SinkError>> {
        self.deliver_now(rows).boxed()
    }
}

/// Appends indicator cells to `throughline.indicators.jsonl`: the highest version of a key counts.
#[derive(Debug)]
pub struct FileUpserts {
    path: PathBuf,
    /// `None` before the first cell, and after a fault.
    file: Option<File>,
}

impl FileUpserts {
    /// A writer into `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("throughline.indicators.jsonl"), file: None }
    }

    /// Appends `rows`, each a key and a value; returns when they are durable.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written; the rows are then to be written again.
    pub async fn upsert(&mut self, rows: Vec<(Bytes, Bytes)>) -> Result<(), SinkError> {
        let (path, file) = (self.path.clone(), self.file.take());
        let written = run(move || {
            let mut file = file.map_or_else(|| open_whole(&path), Ok)?;
            let mut lines = Vec::new();
            for (key, value) in &rows {
                put_line(&mut lines, key, value, &[]);
            }
            append(&mut file, &lines)?;
            Ok(file)
        });
        let written = written.await.map_err(|fault| {
            let doing = format!("write to {}", self.path.display());
            SinkError::Unavailable { doing, source: fault.into() }
        });
        self.file = Some(written?);
        Ok(())
    }
}

impl State {
    /// The lines of those rows that the files don't have yet, file by file.
    fn lines(&mut self, rows: &[Row]) -> [Vec<u8>; 4] {
        let mut lines = <[Vec<u8>; 4]>::default();
        for row in rows {
            let last = self.delivered.last.entry(row.stamp.range.0).or_default();
            if row.stamp.sequence.0 <= *last {
                continue;
            }
            *last = row.stamp.sequence.0;
            let mut headers = vec![
                ("range", row.stamp.range.0.to_string()),
                ("epoch", row.stamp.epoch.get().to_string()),
                ("sequence", row.stamp.sequence.0.to_string()),
                ("version", row.stamp.version.0.to_string()),
            ];
            headers.extend(row.headers.iter().map(|(name, value)| (&name[..], value.clone())));
            put_line(&mut lines[row.outlet as usize], &row.key, &row.payload, &headers);
        }
        for (length, lines) in self.delivered.lengths.iter_mut().zip(&lines) {
            *length += lines.len() as u64;
        }
        lines
    }
}

/// Runs `work` where it may block.
async fn run<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|fault| Err(io::Error::other(fault)))
}

fn recover(folder: &Path) -> io::Result<State> {
    std::fs::create_dir_all(folder)?;
    let mut delivered = Delivered::read(folder)?;
    let mut files = Vec::new();
    for (name, length) in NAMES.iter().zip(&mut delivered.lengths) {
        let file = OpenOptions::new().append(true).create(true).open(folder.join(name))?;
        // A file may be shorter: somebody has taken it away to make room.
        *length = file.metadata()?.len().min(*length);
        file.set_len(*length)?;
        files.push(file);
    }
    File::open(folder)?.sync_all()?;
    let files = <[File; 4]>::try_from(files).map_err(|_| io::Error::other("four files"))?;
    Ok(State { files, delivered })
}

impl Delivered {
    const NAME: &str = "delivered.json";

    /// What was written last; nothing where the folder is new.
    fn read(folder: &Path) -> io::Result<Self> {
        match std::fs::read(folder.join(Self::NAME)) {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(fault) => Err(fault),
        }
    }

    /// Replaces what was written last, or doesn't: never half.
    fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("delivered.json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(new, folder.join(Self::NAME))?;
        File::open(folder)?.sync_all()
    }
}

/// Opens a file for appending whole lines: a torn last one is cut.
fn open_whole(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let (mut whole, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        let size = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        whole += size as u64;
    }
    file.set_len(whole)?;
    Ok(file)
}

fn append(file: &mut File, lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    file.write_all(lines)?;
    file.sync_data()
}

#[cfg(test)]
mod tests;

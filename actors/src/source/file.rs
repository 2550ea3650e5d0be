//! Files as a source: JSON Lines, `<topic>.<n>.jsonl`, for trying things out and for tests.
//!
//! A line is `{"timestamp":ms,"key":…,"value":"<message text>"}`, with `"valueBase64"` where the message is
//! no UTF-8, and `"value":null` where it has none; a record's offset is its line's number, from 0.
//! A line that is none of this is handed over as it is, with timestamp 0, and one over 16 MiB as its
//! first 64 KiB: neither decodes, so both become dead letters and nothing is lost silently.
//! Files may grow; a last line counts once it ends with a line feed.

mod line;
mod partition;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use proto::types::{Leg, Offset, PartitionIndex, SourcePartition};

use self::partition::Reading;
use super::{Partition, Source, SourceError, Waker};

/// How often files are looked at for growth.
const LOOK: Duration = Duration::from_millis(50);

/// A folder of files.
#[derive(Debug)]
pub struct FileSource {
    partitions: Vec<SourcePartition>,
    paths: Vec<PathBuf>,
    watch: Arc<Watch>,
    /// Dropping it ends the watcher.
    stop: Option<Sender<()>>,
    watcher: Option<JoinHandle<()>>,
}

/// The readers that wait for their file to grow.
#[derive(Default)]
struct Watch {
    waiting: Mutex<Vec<Waiting>>,
}

/// A reader that came to the end of its file.
struct Waiting {
    path: PathBuf,
    index: PartitionIndex,
    /// How long the file was then.
    size: u64,
    waker: Waker,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("waiting", &self.waiting.lock().len()).finish()
    }
}

impl FileSource {
    /// The files of `folder` whose names begin with a leg's prefix: `bank.trace.0.jsonl` for `bank.trace`.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be read, or a leg has no file.
    pub fn open(folder: &Path, legs: &[(Leg, String)]) -> Result<Self, SourceError> {
        let failed = |fault: std::io::Error| unreachable(folder, fault);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        let mut legs = legs.to_vec();
        legs.sort_by_key(|(leg, _)| *leg);
        let (mut partitions, mut paths) = (Vec::new(), Vec::new());
        for (leg, prefix) in &legs {
            let topic: Arc<str> = prefix.as_str().into();
            let mut numbers: Vec<_> = names.iter().filter_map(|it| number(it, prefix)).collect();
            numbers.sort_unstable();
            if numbers.is_empty() {
                let files = folder.join(format!("{prefix}.<n>.jsonl"));
                return Err(SourceError::Missing(files.display().to_string()));
            }
            for partition in numbers {
                paths.push(folder.join(format!("{prefix}.{partition}.jsonl")));
                partitions.push(SourcePartition {
                    topic: Arc::clone(&topic),
                    partition,
                    leg: *leg,
                });
            }
        }
        let watch = Arc::new(Watch::default());
        let (stop, watcher) = watch.start().map_err(failed)?;
        Ok(Self { partitions, paths, watch, stop: Some(stop), watcher: Some(watcher) })
    }
}

/// The `n` of `<prefix>.<n>.jsonl`; `None` for another name, or another spelling of a number.
fn number(name: &str, prefix: &str) -> Option<i32> {
    let digits = name.strip_prefix(prefix)?.strip_prefix('.')?.strip_suffix(".jsonl")?;
    let number: i32 = digits.parse().ok()?;
    (number >= 0 && number.to_string() == digits).then_some(number)
}

fn unreachable(path: &Path, fault: std::io::Error) -> SourceError {
    SourceError::Unreachable { what: path.display().to_string(), source: fault.into() }
}

impl Source for FileSource {
    fn partitions(&self) -> &[SourcePartition] {
        &self.partitions
    }

    fn open(
        &self,
        index: PartitionIndex,
        from: Offset,
        waker: Waker,
    ) -> Result<Box<dyn Partition>, SourceError> {
        let (Some(path), Some(partition)) =
            (self.paths.get(index.index()), self.partitions.get(index.index()))
        else {
            return Err(SourceError::Missing(format!("source partition {}", index.0)));
        };
        let watch = Arc::clone(&self.watch);
        let wait_path = path.clone();
        let wait = move |size| {
            let waker = Arc::clone(&waker);
            watch.add(Waiting { path: wait_path.clone(), index, size, waker });
        };
        let reading = Reading::open(path, partition.to_string(), from, Box::new(wait))?;
        Ok(Box::new(reading))
    }

    /// Files have no lag tools.
    fn committed(&self, _: &[(PartitionIndex, Offset)]) {}
}

impl Drop for FileSource {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(Err(_)) = self.watcher.take().map(JoinHandle::join) {
            tracing::error!("file watcher panicked");
        }
    }
}

impl Watch {
    /// A partition waits once, however often its reader asks.
    fn add(&self, waiting: Waiting) {
        let mut all = self.waiting.lock();
        all.retain(|it| it.index != waiting.index);
        all.push(waiting);
    }

    fn start(self: &Arc<Self>) -> std::io::Result<(Sender<()>, JoinHandle<()>)> {
        let (stop, stopped) = channel();
        let watch = Arc::clone(self);
        let look = move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                watch.wake_grown();
            }
        };
        let watcher = std::thread::Builder::new().name("file-watch".to_owned()).spawn(look)?;
        Ok((stop, watcher))
    }

    fn wake_grown(&self) {
        let has_grown = |it: &Waiting| {
            // A file that is gone or cut is the reader's to report.
            std::fs::metadata(&it.path).map_or(true, |file| file.len() != it.size)
        };
        let mut all = self.waiting.lock();
        let (grown, rest) = std::mem::take(&mut *all).into_iter().partition(has_grown);
        *all = rest;
        drop(all);
        let grown: Vec<Waiting> = grown;
        grown.iter().for_each(|it| (it.waker)());
    }
}

#[cfg(test)]
mod tests;

//! What a process and its folders take, as Linux counts it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Linux counts processor time in hundredths of a second, on every architecture that we run on.
const TICK_MS: u64 = 10;

/// What a process has taken since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Processor time, user and system.
    pub cpu_ms: u64,
    /// The memory that is resident now.
    pub rss_bytes: u64,
    /// The most memory that was resident.
    pub peak_rss_bytes: u64,
    /// Bytes that it caused to be written to disk.
    pub written_bytes: u64,
}

impl Usage {
    /// Of the process `pid`.
    ///
    /// # Errors
    ///
    /// Where there is no such process, or its figures may not be read.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let status = read("status")?;
        Ok(Self {
            cpu_ms: cpu_ms(&read("stat")?)?,
            rss_bytes: field(&status, "VmRSS:")? << 10,
            peak_rss_bytes: field(&status, "VmHWM:")? << 10,
            written_bytes: field(&read("io")?, "write_bytes:")?,
        })
    }
}

/// Fields 14 and 15; the second field is a name in brackets, and may hold anything.
fn cpu_ms(stat: &str) -> anyhow::Result<u64> {
    let (_, fields) = stat.rsplit_once(") ").context("understand the process's stat")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<_, _>>().context("understand the process's times")?;
    Ok(ticks * TICK_MS)
}

fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next());
    let value = value.with_context(|| format!("{name} is missing"))?;
    value.parse().with_context(|| format!("understand {name}"))
}

/// The bytes of all files in `folder`. A file that goes away meanwhile counts as nothing.
#[must_use]
pub fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let one = |entry: fs::DirEntry| match entry.metadata() {
        Ok(it) if it.is_dir() => size(&entry.path()),
        Ok(it) => it.len(),
        Err(_) => 0,
    };
    entries.flatten().map(one).sum()
}

/// How many files there are in `folder`, not counting those of its folders.
#[must_use]
pub fn files(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().filter(|entry| entry.metadata().is_ok_and(|it| it.is_file())).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_user_and_system_also_behind_a_strange_name() {
        let stat = "7 (a) b) S 1 1 1 0 -1 4 9 9 9 9 250 31 0 0 20";
        assert_eq!(cpu_ms(stat).unwrap(), 2_810);
        assert!(cpu_ms("7 (a").is_err());
    }

    #[test]
    fn our_own_process_has_taken_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.peak_rss_bytes > 1 << 20, "{usage:?}");
    }

    #[test]
    fn a_folder_is_as_large_as_its_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), [0; 10]).unwrap();
        fs::write(folder.path().join("c"), [0; 3]).unwrap();
        assert_eq!(size(folder.path()), 13);
        assert_eq!((files(folder.path()), files(&folder.path().join("a"))), (1, 1));
        let none = folder.path().join("none");
        assert_eq!((size(&none), files(&none)), (0, 0));
    }
}

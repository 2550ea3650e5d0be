//! Where reports are kept: a file of JSON each, in the user's folder for what programs remember.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::report::Report;

/// How many reports are kept.
const KEPT: usize = 200;

/// A folder of reports.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The one that the environment names: `drills` in `$XDG_STATE_HOME/throughline`, else in
    /// `~/.local/state/throughline`; without a home in the folder for what is temporary.
    #[must_use]
    pub fn of_user() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|it: &OsString| !it.is_empty());
        let state = set("XDG_STATE_HOME").map(PathBuf::from);
        let home = || set("HOME").map(|home| Path::new(&home).join(".local/state"));
        let state = state.or_else(home).unwrap_or_else(std::env::temp_dir);
        Self { folder: state.join("throughline/drills") }
    }

    /// That folder.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps a report, and says where. The oldest give way where there are too many.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn keep(&self, report: &Report, now_ms: u64) -> anyhow::Result<PathBuf> {
        let doing = || format!("keep a report in {}", self.folder.display());
        fs::create_dir_all(&self.folder).with_context(doing)?;
        let path = self.folder.join(format!("{now_ms:013}-{}.json", report.drill));
        fs::write(&path, serde_json::to_vec_pretty(report)?).with_context(doing)?;
        let files = self.files()?;
        for old in &files[..files.len().saturating_sub(KEPT)] {
            fs::remove_file(old).with_context(doing)?;
        }
        Ok(path)
    }

    /// The last `count` reports, the oldest first.
    ///
    /// # Errors
    ///
    /// Where one cannot be read.
    pub fn last(&self, count: usize) -> anyhow::Result<Vec<Report>> {
        let files = self.files()?;
        let read = |path: &PathBuf| {
            let doing = || format!("read the report {}", path.display());
            serde_json::from_slice(&fs::read(path).with_context(doing)?).with_context(doing)
        };
        files[files.len().saturating_sub(count)..].iter().map(read).collect()
    }

    /// All reports, the oldest first; none where nothing was ever kept.
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for entry in entries {
            files.push(entry.context("list the reports")?.path());
        }
        files.retain(|it| it.extension().is_some_and(|it| it == "json"));
        files.sort();
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::super::play::Load;
    use super::*;
    use crate::drain::Delivery;

    #[test]
    fn reports_come_back_in_order_and_the_oldest_give_way() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(folder.path().join("deep"));
        assert!(shelf.last(3).unwrap().is_empty());
        let delivery = Delivery::ExactlyOnce;
        let load = Load { rate: 1, seconds: None, nodes: 3, delivery, repeat: 1 };
        let drill = find("kill-node").unwrap();
        for now in 0..210 {
            shelf.keep(&Report::new(drill, &load, now), now).unwrap();
        }
        let began: Vec<u64> = shelf.last(3).unwrap().iter().map(|it| it.began_ms).collect();
        assert_eq!(began, [207, 208, 209]);
        assert_eq!(shelf.last(1_000).unwrap().len(), KEPT);
    }
}

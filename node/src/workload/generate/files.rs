//! Records into files: one for each leg and partition, one line for each record.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use proto::types::Leg;

use super::{Layout, Record, Target};
use crate::workload::files::Line;
use crate::workload::refused;

/// The files of a workload.
#[derive(Debug)]
pub(super) struct Files {
    partitions: u32,
    /// Legs in their order, then partitions in theirs.
    files: Vec<BufWriter<File>>,
}

impl Files {
    /// Creates the files, replacing those of an earlier run.
    pub(super) fn create(dir: &Path, layout: &Layout) -> anyhow::Result<Self> {
        // I13: a file handle and a buffer each.
        const MOST: u32 = 256;
        let why = || refused(format!("`--partitions` must be at most {MOST} with `--dir`"));
        ensure!(layout.partitions <= MOST, why());
        fs::create_dir_all(dir).with_context(|| format!("create folder {}", dir.display()))?;
        let mut files = Vec::new();
        for leg in Leg::ALL {
            for partition in 0..layout.partitions {
                let path = path(dir, &layout.topic_prefix, leg, partition);
                let file = File::create(&path)
                    .with_context(|| format!("create file {}", path.display()))?;
                files.push(BufWriter::with_capacity(1 << 18, file));
            }
        }
        Ok(Self { partitions: layout.partitions, files })
    }
}

fn path(dir: &Path, prefix: &str, leg: Leg, partition: u32) -> PathBuf {
    dir.join(format!("{prefix}.{leg}.{partition}.jsonl"))
}

impl Target for Files {
    fn partitions(&self, _leg: Leg) -> u32 {
        self.partitions
    }

    fn put(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        let leg = u32::try_from(record.leg.index()).expect("there are three legs");
        let place = usize::try_from(leg * self.partitions + record.partition);
        let file = &mut self.files[place.expect("u32 fits usize")];
        let line = Line::new(record.arrival_ms, record.key, record.value);
        serde_json::to_writer(&mut *file, &line)?;
        file.write_all(b"\n")?;
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        for file in &mut self.files {
            file.flush().context("write file")?;
        }
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()
    }
}

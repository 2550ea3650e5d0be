//! What a node sees instead of the machine's wall clock: a library between the two, and a file that says how far apart.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::process::script;

/// What stands between a program and the machine's clock, compiled.
#[derive(Clone, Debug)]
pub struct Library(PathBuf);

/// A node's clock. It goes as the machine's does, as far ahead of it or behind as it was set.
#[derive(Clone, Debug)]
pub struct NodeClock {
    library: Library,
    /// How far ahead it is.
    ahead: PathBuf,
}

impl Library {
    /// Compiles it into `folder`.
    ///
    /// # Errors
    ///
    /// Where this machine has no compiler for it.
    pub fn compile(folder: &Path) -> anyhow::Result<Self> {
        let library = folder.join("wall.so");
        let compiled = Command::new("clang")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .args([&library, &script("wall.c")])
            .output()
            .context("start clang")?;
        ensure!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr).trim());
        Ok(Self(library))
    }
}

impl NodeClock {
    /// A clock that is right, kept in the file `ahead`.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn new(library: Library, ahead: PathBuf) -> anyhow::Result<Self> {
        let clock = Self { library, ahead };
        clock.set(0)?;
        Ok(clock)
    }

    /// From now on it is so many seconds ahead of the machine's.
    ///
    /// # Errors
    ///
    /// Where its file cannot be written.
    pub fn set(&self, ahead_s: i64) -> anyhow::Result<()> {
        // In place: whoever sees this clock has the file before their eyes.
        let file = File::options().create(true).truncate(false).write(true).open(&self.ahead);
        let nanos = ahead_s * 1_000_000_000;
        file.and_then(|it| it.write_all_at(&nanos.to_ne_bytes(), 0)).context("set a clock")
    }

    /// What a program is started with to see this clock.
    #[must_use]
    pub fn variables(&self) -> [String; 2] {
        [
            format!("LD_PRELOAD={}", self.library.0.display()),
            format!("THROUGHLINE_WALL={}", self.ahead.display()),
        ]
    }
}

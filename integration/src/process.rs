//! Programs run as real processes: started on a leash, logged to a file, killed without warning.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::time::{sleep, timeout};

use crate::http::{get, is_ok};

const POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 30;

/// A file of `integration/scripts`.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

/// A child process of ours. It ends with this value, and also where the test itself is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; what it prints is appended to the file `log`.
    ///
    /// # Errors
    ///
    /// Where the log cannot be written or the program cannot be started.
    pub fn start(program: &Path, arguments: &[&str], log: &Path) -> anyhow::Result<Self> {
        let out = File::options().create(true).append(true).open(log).context("open log")?;
        let child = Command::new(script("leash.sh"))
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stderr(out.try_clone().context("open log")?)
            .stdout(out)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed, and those before it with the same log.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines of the log, to be quoted where something went wrong.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    ///
    /// Where the operating system doesn't say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("ask for the process")
    }

    /// Ends it as a power cut would (SIGKILL), and returns when it is gone. Once ended, does nothing.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.child.kill().context("kill the process")?;
        self.child.wait().context("wait for the killed process")?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has. Who takes longer than `patience` is killed.
    ///
    /// # Errors
    ///
    /// Where it had to be killed.
    pub async fn terminate(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.signal("TERM")?;
        match timeout(patience, self.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.kill9()?;
                bail!(
                    "did not end within {patience:?} of SIGTERM; its log ends:\n{}",
                    self.log_tail()
                )
            }
        }
    }

    /// Stops it in its tracks (SIGSTOP), as a long pause of the machine would.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn freeze(&mut self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on after [`Process::freeze`].
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// Where the operating system doesn't say.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            sleep(POLL).await;
        }
    }

    /// Waits until `is_ready` says so.
    ///
    /// # Errors
    ///
    /// Where the process ends before, or `patience` runs out. Quotes the end of its log.
    pub async fn wait_until(
        &mut self,
        what: &str,
        patience: Duration,
        mut is_ready: impl AsyncFnMut(&mut Self) -> bool,
    ) -> anyhow::Result<()> {
        let ready = async {
            loop {
                if let Some(status) = self.ended()? {
                    bail!("ended before {what} ({status}); its log ends:\n{}", self.log_tail());
                }
                if is_ready(self).await {
                    return Ok(());
                }
                sleep(POLL).await;
            }
        };
        match timeout(patience, ready).await {
            Ok(answer) => answer,
            Err(_) => {
                bail!("{what}: not in time ({patience:?}); its log ends:\n{}", self.log_tail())
            }
        }
    }

    /// Waits until a line of the log contains `text`.
    ///
    /// # Errors
    ///
    /// As [`Process::wait_until`].
    pub async fn wait_line(&mut self, text: &str, patience: Duration) -> anyhow::Result<()> {
        let what = format!("the line {text:?} came");
        self.wait_until(&what, patience, async |it: &mut Self| it.log().contains(text)).await
    }

    // `kill` of the shell: sending a signal otherwise takes `unsafe`, and a minimal Debian has no /bin/kill.
    // The child is not yet waited for, so its pid cannot be another's.
    fn signal(&mut self, name: &str) -> anyhow::Result<()> {
        let kill = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &kill]).status().context("send a signal")?;
        ensure!(status.success(), "send a signal: {kill}: {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to tell; the leash ends what this could not.
        self.kill9().ok();
    }
}

/// The real program, run on a cluster file.
#[derive(Debug)]
pub struct Node {
    process: Process,
}

impl Node {
    /// Starts `throughline run --config …` in `folder`, which keeps the file and the log.
    /// To start a node again, start another one in the same folder.
    ///
    /// # Errors
    ///
    /// Where the program has not been built, or cannot be started.
    pub fn start(folder: &Path, config_yaml: &str) -> anyhow::Result<Self> {
        Self::start_with(&[], folder, config_yaml)
    }

    /// The same with these variables, each as `NAME=value`.
    ///
    /// # Errors
    ///
    /// As [`Node::start`].
    pub fn start_with(
        variables: &[String],
        folder: &Path,
        config_yaml: &str,
    ) -> anyhow::Result<Self> {
        let program = program()?;
        let program = program.to_str().context("name the program")?;
        let config = folder.join("throughline.yaml");
        fs::write(&config, config_yaml).context("write the cluster file")?;
        let config = config.to_str().context("name the cluster file")?;
        let log = folder.join("node.log");
        let variables = variables.iter().map(String::as_str);
        let command: Vec<_> = variables.chain([program, "run", "--config", config]).collect();
        Ok(Self { process: Process::start(Path::new("/usr/bin/env"), &command, &log)? })
    }

    /// The process, to be killed, frozen, or read.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until the node answers `GET /healthz` with 200 at `port`, the one of `listen.metrics`.
    ///
    /// # Errors
    ///
    /// Where it ends before, or `patience` runs out. Quotes the end of its log.
    pub async fn wait_ready(&mut self, port: u16, patience: Duration) -> anyhow::Result<()> {
        let ready = async |_: &mut Process| get(port, "/healthz").await.is_ok_and(|it| is_ok(&it));
        self.process.wait_until("/healthz answered 200", patience, ready).await
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.process.kill9()
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    ///
    /// Where it had to be killed after 30 s.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.terminate(Duration::from_secs(30)).await
    }
}

/// Where the program stands: cargo built it beside a drill, and beside the folder of a test.
///
/// # Errors
///
/// Where it has not been built.
pub fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("find this test's own file")?;
    let places = own.ancestors().skip(1).take(2).map(|folder| folder.join("throughline"));
    let program = places.into_iter().find(|it| it.is_file());
    program.with_context(|| {
        let near = own.display();
        format!("`throughline` is missing near {near}: run `make build` (or `make test`) first")
    })
}

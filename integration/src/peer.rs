//! Another engine beside which the node is measured: any command that drains the same topics and then ends.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::measure::Usage;
use crate::process::Process;

/// How often it is looked at: what it takes behind the last look is not seen.
const LOOK: Duration = Duration::from_millis(50);

/// What the other engine has taken, with its own start and end.
#[derive(Clone, Copy, Debug)]
pub struct Drained {
    /// From its start to its end.
    pub elapsed_ms: u64,
    /// What its process had taken when it was last seen.
    pub usage: Usage,
}

/// Runs `command` with bash, which must end by itself when all is read. In it `{brokers}` is where the brokers are,
/// `{topics}` what the topics' names begin with before the dot, and `{work}` an empty folder.
///
/// # Errors
///
/// Where it does not start, ends with a fault, or `patience` runs out.
pub async fn drain(
    command: &str,
    (brokers, topics): (&str, &str),
    patience: Duration,
) -> anyhow::Result<Drained> {
    let folder = TempDir::new().context("make the other engine's folder")?;
    let work = folder.path().join("work");
    std::fs::create_dir(&work).context("make the other engine's folder")?;
    let command = filled(command, (brokers, topics), &work);
    let clock = actors::clock::wall();
    let began_ms = clock();
    // In the place of the shell: the process that is measured is the engine's own.
    let words = ["-c", &format!("exec {command}")];
    let mut process =
        Process::start(Path::new("/bin/bash"), &words, &folder.path().join("peer.log"))?;
    let pid = process.pid();
    let mut usage = Usage::default();
    let mut status = None;
    let ends = async {
        while status.is_none() {
            sleep(LOOK).await;
            usage = Usage::of(pid).unwrap_or(usage);
            status = process.ended()?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(patience, ends).await.context("wait for the other engine")??;
    let elapsed_ms = clock().saturating_sub(began_ms).max(1);
    let is_well = status.is_some_and(|it| it.success());
    ensure!(is_well, "the other engine failed: {command}\n{}", process.log_tail());
    Ok(Drained { elapsed_ms, usage })
}

fn filled(command: &str, (brokers, topics): (&str, &str), work: &Path) -> String {
    let work = work.display().to_string();
    command.replace("{brokers}", brokers).replace("{topics}", topics).replace("{work}", &work)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn it_is_told_where_all_is_and_what_it_takes_is_seen() {
        // Some work of its own, so that there is something to see.
        let command = "bash -c 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; \
                       test {brokers} = a:1 && test {topics} = bank && test -d {work}'";
        let drained = drain(command, ("a:1", "bank"), PATIENCE).await.unwrap();
        assert!(drained.usage.cpu_ms > 0, "{drained:?}");
    }

    #[tokio::test]
    async fn that_it_fails_is_told_with_what_it_said() {
        let told = drain("bash -c 'echo it is broken; exit 3'", ("a:1", "bank"), PATIENCE).await;
        let told = format!("{:#}", told.unwrap_err());
        assert!(told.contains("it is broken"), "{told}");
    }
}

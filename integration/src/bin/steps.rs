//! `make steps`: how many instructions each hot step takes, as valgrind counts them. No time is measured.

#![allow(clippy::print_stdout, reason = "a command prints what it found")]

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use integration::steps::Step;
use serde_json::json;

/// Counts the instructions of each hot step.
#[derive(clap::Parser, Debug)]
struct Arguments {
    /// How many transactions each step is taken with.
    #[arg(long, default_value_t = 2_000)]
    transactions: u64,
    /// Take one step, and say how often it was taken: what runs under valgrind.
    #[arg(long, hide = true)]
    step: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let it = Arguments::parse();
    if let Some(name) = &it.step {
        let step = Step::from_name(name).with_context(|| format!("there is no step {name}"))?;
        println!("{}", step.take(it.transactions)?);
        return Ok(());
    }
    let folder = tempfile::tempdir().context("make a folder for the program")?;
    let program = folder.path().join("steps");
    strip(&program)?;
    let mut counted = serde_json::Map::new();
    for step in Step::ALL {
        let each = count(&program, step, it.transactions)?;
        println!("{:<10} {each:>8} instructions", step.name());
        counted.insert(step.name(), json!(each));
    }
    println!("{}", json!({ "instructions": counted }));
    Ok(())
}

/// This program once more, without what Debian 12's valgrind cannot read.
fn strip(to: &Path) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("find this program")?;
    let stripped = Command::new("strip").arg("--strip-debug").arg("-o").arg(to).arg(own).status();
    let stripped = stripped.context("run strip: install it with `apt-get install binutils`")?;
    ensure!(stripped.success(), "strip the program: {stripped}");
    Ok(())
}

/// The instructions of one taking of a step.
fn count(program: &Path, step: Step, transactions: u64) -> anyhow::Result<u64> {
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*steps*measured*"])
        .arg(program)
        .args(["--step", &step.name(), "--transactions", &transactions.to_string()])
        .output()
        .context("run valgrind: install it with `apt-get install valgrind`")?;
    let told = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "step {}: {}\n{told}", step.name(), ran.status);
    let collected = told.lines().find_map(|line| line.split_once("Collected :")).map(|it| it.1);
    let instructions: u64 = collected.context("valgrind says nothing")?.trim().parse()?;
    let times: u64 = String::from_utf8_lossy(&ran.stdout).trim().parse()?;
    ensure!(instructions > 0 && times > 0, "step {} was not seen", step.name());
    Ok(instructions / times)
}

//! Runs simulated histories: one seed again, or many.
//!
//! `sim --seed 71` runs one history, `sim --histories 10000 --from 0` runs many and names each that is wrong;
//! `--kind together` takes several nodes; `--plant no-refill` plants a bug that has to be found.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use integration::sim::{Fault, Kind, Plant, Report, run};

/// What was asked for.
#[derive(Default)]
struct Asked {
    from: u64,
    histories: u64,
    kind: Kind,
    plant: Option<Plant>,
}

fn main() -> anyhow::Result<()> {
    let asked = asked(std::env::args().skip(1))?;
    let mut out = std::io::stdout().lock();
    let (mut total, mut wrong) = (Report::default(), 0u64);
    for seed in asked.from..asked.from + asked.histories {
        match run(asked.kind, seed, asked.plant) {
            Ok(report) => total.add(&report),
            Err(error) => {
                wrong += 1;
                writeln!(out, "seed {seed}: {error:#}")?;
            }
        }
    }
    let Report { trace, commits, messages, rows, simulated_ms, faults } = total;
    writeln!(out, "{} histories, {wrong} wrong, trace {trace:016x}", asked.histories)?;
    let seconds = simulated_ms / 1_000;
    writeln!(
        out,
        "{messages} messages, {rows} rows, {commits} commits, {seconds} simulated seconds"
    )?;
    for (fault, count) in Fault::ALL.iter().zip(faults) {
        writeln!(out, "  {count:>9} {fault:?}")?;
    }
    if wrong > 0 {
        bail!("{wrong} histories are wrong; run one again with --seed");
    }
    Ok(())
}

fn asked(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Asked> {
    let mut asked = Asked { histories: 10_000, ..Asked::default() };
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        let number =
            || value.parse::<u64>().with_context(|| format!("{name} {value} is no number"));
        match name.as_str() {
            "--seed" => (asked.from, asked.histories) = (number()?, 1),
            "--from" => asked.from = number()?,
            "--histories" => asked.histories = number()?,
            "--kind" => {
                let kind = Kind::from_name(&value);
                asked.kind =
                    kind.with_context(|| format!("no kind {value}; there are alone and together"))?;
            }
            "--plant" => {
                let plant = Plant::from_name(&value);
                let names = Plant::ALL.map(|it| it.to_string()).join(", ");
                asked.plant =
                    Some(plant.with_context(|| format!("no bug {value}; there are {names}"))?);
            }
            _ => {
                bail!("no option {name}; there are --seed, --histories, --from, --kind and --plant")
            }
        }
    }
    Ok(asked)
}

//! What must be in the sink and the ledger at the end, worked out from the transactions, the slow and obvious way.
//!
//! Outcomes are exact but where the rules themselves leave a choice to the order in which partitions are read:
//! which of equal messages counts; which of contradicting ones, where the result had been said before the
//! other came; and whether a straggler still completes, corrects, or is late.

mod figures;
mod results;

use std::collections::BTreeMap;

use actors::machine::ledger::Fate;
use actors::machine::partial;
use actors::sink::{Outlet, Row};
use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::bank::{Bank, Dead, Transaction};
use super::gates::first_ms;
use super::outside::Outside;
use results::Judge;

/// What became of each source partition's records.
pub(super) type Fates = Vec<[u64; Fate::ALL.len()]>;

/// A row about a transaction, read.
#[derive(Clone, Debug)]
pub(super) struct Said {
    row: Row,
    value: Value,
}

/// A history that has come to rest.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) bank: &'a Bank,
    pub(super) out: &'a Outside,
    /// Every range's shares of figures, as its owner has them.
    pub(super) cells: Vec<partial::Row>,
}

/// Judges a history that has come to rest.
pub(super) fn judge(world: &Case<'_>) -> anyhow::Result<()> {
    let (bank, source) = (world.bank, &world.out.source);
    let mut fates: Fates = vec![[0; Fate::ALL.len()]; source.names().len()];
    let (mut about, mut dead) = sort(world.out.sink.rows())?;
    let mut joined = Vec::new();
    for (at, transaction) in bank.transactions.iter().enumerate() {
        let said = about.remove(&transaction.id).unwrap_or_default();
        let deadline_ms =
            first_ms(bank, at, source).saturating_add(world.out.shape.settings.deadline_ms);
        let mut judge = Judge { world, transaction, said, dead: &mut dead, deadline_ms };
        let result = judge.judge(&mut fates);
        joined.extend(result.with_context(|| judge.text())?);
    }
    ensure!(about.is_empty(), "rows about nobody: {about:?}");
    bank.dead.iter().try_for_each(|it| letter(it, world, &mut dead, &mut fates))?;
    ensure!(dead.is_empty(), "dead letters of nobody: {:?}", dead.keys());
    ledger(world, &fates)?;
    figures::judge(world, &joined)
}

type About = BTreeMap<String, Vec<Said>>;

fn sort(rows: &[Row]) -> anyhow::Result<(About, BTreeMap<String, Row>)> {
    let (mut about, mut dead) = (About::new(), BTreeMap::new());
    for row in rows {
        let key = String::from_utf8(row.key.to_vec())?;
        if row.outlet == Outlet::DeadLetters {
            ensure!(dead.insert(key.clone(), row.clone()).is_none(), "{key} is dead twice");
            continue;
        }
        let value: Value = serde_json::from_slice(&row.payload).context("read a row")?;
        ensure!(value["transactionId"] == key.as_str(), "a row's key is {key}: {value}");
        about.entry(key).or_default().push(Said { row: row.clone(), value });
    }
    Ok((about, dead))
}

fn letter(
    it: &Dead,
    world: &Case<'_>,
    dead: &mut BTreeMap<String, Row>,
    fates: &mut Fates,
) -> anyhow::Result<()> {
    let name = world.out.source.spell(it.partition, it.offset);
    let row = dead.remove(&name).with_context(|| format!("no dead letter of {name}"))?;
    let error = row.headers.iter().find(|(header, _)| header == "error");
    let error = error.map(|(_, class)| class.as_str());
    ensure!(error == Some(it.class), "{name} is {}, the letter says {error:?}", it.class);
    ensure!(row.payload == it.payload, "the letter of {name} has other bytes");
    fates[it.partition][Fate::Dead as usize] += 1;
    Ok(())
}

/// I9: where every record went, as planned.
fn ledger(world: &Case<'_>, fates: &Fates) -> anyhow::Result<()> {
    let counts = world.out.watch.ledger(fates.len());
    for (partition, (counts, fates)) in counts.iter().zip(fates).enumerate() {
        let found = Fate::ALL.map(|fate| counts.of(fate));
        let name = &world.out.source.names()[partition];
        ensure!(found == *fates, "the ledger of {name} is {found:?}, it should be {fates:?}");
    }
    Ok(())
}

/// A transaction with all three legs, as its last result has it: by leg the message that counts.
pub(super) struct Joined<'a> {
    pub(super) transaction: &'a Transaction,
    pub(super) messages: [usize; 3],
}

/// How many messages a history's transactions send, for reports.
pub(super) fn messages(bank: &Bank) -> usize {
    bank.transactions.iter().map(|it| it.sent.len()).sum::<usize>() + bank.dead.len()
}

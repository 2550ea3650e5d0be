//! I8: every figure is the fold over the complete transactions, worked out anew.

use std::collections::BTreeMap;

use actors::machine::partial::{CellKey, Partial, Row};
use anyhow::ensure;

use super::{Case, Joined};
use crate::sim::rules::WINDOW_MS;

/// What a cell says: transactions, accepted ones, and the sum, least and greatest of their durations.
type Figures = (u64, u64, u64, u64, u64);
type Cells = BTreeMap<(i64, String), Figures>;

pub(super) fn judge(world: &Case<'_>, joined: &[Joined<'_>]) -> anyhow::Result<()> {
    let expected = expected(joined);
    let committed = world.out.watch.partials();
    let committed = committed.map(|(_, key, value)| Row { key: key.clone(), value: value.clone() });
    let committed = found(committed)?;
    ensure!(committed == expected, "committed figures are {committed:?}, should be {expected:?}");
    let held = found(world.cells.iter().cloned())?;
    ensure!(held == expected, "the ranges' figures are {held:?}, should be {expected:?}");
    Ok(())
}

fn expected(joined: &[Joined<'_>]) -> Cells {
    let mut cells = Cells::new();
    for it in joined {
        let [trace, _, response] = it.messages.map(|message| &it.transaction.sent[message]);
        let duration = u64::try_from(response.event_ms - trace.event_ms).unwrap_or(0);
        let window = trace.event_ms - trace.event_ms.rem_euclid(WINDOW_MS);
        let accepted = u64::from(response.status() == "accepted");
        let cell = cells.entry((window, trace.channel().to_owned()));
        let (count, ok, sum, least, most) = cell.or_insert((0, 0, 0, u64::MAX, 0));
        (*count, *ok, *sum) = (*count + 1, *ok + accepted, *sum + duration);
        (*least, *most) = ((*least).min(duration), (*most).max(duration));
    }
    cells
}

fn found(rows: impl Iterator<Item = Row>) -> anyhow::Result<Cells> {
    let mut shares: BTreeMap<(i64, String), Partial> = BTreeMap::new();
    for row in rows {
        let (CellKey { start, value, .. }, share) = row.decode()?;
        shares.entry((start, value.to_string())).or_default().merge(&share);
    }
    let figures = |it: &Partial| {
        let (least, most) = (it.min_ms().unwrap_or(0), it.max_ms().unwrap_or(0));
        (it.population(0), it.population(1), it.sum_ms(), least, most)
    };
    Ok(shares.iter().map(|(cell, share)| (cell.clone(), figures(share))).collect())
}

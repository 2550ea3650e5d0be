//! What must have been said about one transaction.

use std::collections::{BTreeMap, BTreeSet};

use actors::machine::ledger::Fate;
use actors::sink::{Outlet, Row};
use anyhow::{Context as _, bail, ensure};
use proto::types::Leg;
use serde_json::{Value, json};

use super::{Case, Fates, Joined, Said};
use crate::sim::bank::{Kind, Sent, Transaction};

/// Judges one transaction.
pub(super) struct Judge<'a, 'd> {
    pub(super) world: &'a Case<'a>,
    pub(super) transaction: &'a Transaction,
    pub(super) said: Vec<Said>,
    pub(super) dead: &'d mut BTreeMap<String, Row>,
    /// When it is incomplete if it lacks a leg.
    pub(super) deadline_ms: u64,
}

/// By leg, the message that counts.
type Chosen = BTreeMap<usize, usize>;

impl<'a> Judge<'a, '_> {
    /// The messages behind its last result, if that is complete. What became of all of them goes to `fates`.
    pub(super) fn judge(&mut self, fates: &mut Fates) -> anyhow::Result<Option<Joined<'a>>> {
        if self.transaction.kind == Kind::Panics {
            self.panicked(fates)?;
            return Ok(None);
        }
        let chosen = self.results()?;
        let late = self.late(&chosen)?;
        self.conflicts(&chosen)?;
        for (message, sent) in self.transaction.sent.iter().enumerate() {
            let fate = self.fate(message, sent, &chosen, &late);
            fates[sent.partition][fate as usize] += 1;
        }
        let all: Option<Vec<_>> = (0..3).map(|leg| chosen.get(&leg).copied()).collect();
        let all = all.and_then(|it| <[usize; 3]>::try_from(it).ok());
        Ok(all.map(|messages| Joined { transaction: self.transaction, messages }))
    }

    /// The transaction, and what was said about it.
    pub(super) fn text(&self) -> String {
        let rows = self.said.iter().map(|it| format!("{} {}", it.row.stamp.sequence, it.value));
        let rows: Vec<_> = rows.collect();
        format!("{:?}\n{}\ndeadline {}", self.transaction, rows.join("\n"), self.deadline_ms)
    }

    fn of(&self, outlet: Outlet) -> Vec<&Said> {
        self.said.iter().filter(|it| it.row.outlet == outlet).collect()
    }

    fn name(&self, sent: &Sent) -> String {
        sent.offset.map_or_else(String::new, |it| self.world.out.source.spell(sent.partition, it))
    }

    fn message(&self, name: &Value) -> anyhow::Result<usize> {
        let name = name.as_str().unwrap_or_default();
        let found = self.transaction.sent.iter().position(|it| self.name(it) == name);
        found.with_context(|| format!("{name} is none of its messages"))
    }

    /// Its results, one by one; answers with what the last one is made of.
    fn results(&self) -> anyhow::Result<Chosen> {
        let rows = self.of(Outlet::Transactions);
        let mut last = Chosen::new();
        let mut sizes = Vec::new();
        for (version, said) in (1u32..).zip(rows) {
            let chosen = self.chosen(&said.value)?;
            let is_kept = last.iter().all(|(leg, message)| chosen.get(leg) == Some(message));
            ensure!(is_kept, "version {version} takes back a leg");
            ensure!(
                said.row.stamp.version.0 == version,
                "version {version} is {}",
                said.row.stamp.version
            );
            let expected = self.expected(&chosen, version);
            ensure!(said.value == expected, "version {version} should be {expected}");
            if chosen.len() < 3 && version == 1 {
                let clock = self.world.out.watch.clock_of(&said.row);
                ensure!(clock.0 >= self.deadline_ms, "incomplete at {clock}, before its deadline");
            }
            sizes.push(chosen.len());
            last = chosen;
        }
        let present = self.present();
        let is_right = match self.transaction.kind {
            Kind::Complete => sizes == [3],
            Kind::Missing | Kind::Late => sizes == [present],
            Kind::Corrected => sizes == [present, 3] || (present == 1 && sizes == [1, 2, 3]),
            Kind::Straggler => [&[3][..], &[2, 3], &[2]].contains(&&sizes[..]),
            Kind::Panics => sizes.is_empty(),
        };
        ensure!(is_right, "results with {sizes:?} legs, of a transaction with {present} in time");
        Ok(last)
    }

    /// How many legs come in time.
    fn present(&self) -> usize {
        let in_time = |sent: &&Sent| sent.time_ms < self.deadline_ms;
        let legs = self.transaction.sent.iter().filter(in_time).map(|it| it.leg);
        legs.collect::<BTreeSet<_>>().len()
    }

    fn chosen(&self, value: &Value) -> anyhow::Result<Chosen> {
        let sources = value["sources"].as_object().context("a result has sources")?;
        let mut chosen = Chosen::new();
        for (leg, name) in sources {
            let message = self.message(name)?;
            let leg_of = self.transaction.sent[message].leg;
            ensure!(leg_of.name() == leg, "{name} is no {leg}");
            chosen.insert(leg_of.index(), message);
        }
        Ok(chosen)
    }

    /// The result that consists of these messages.
    fn expected(&self, chosen: &Chosen, version: u32) -> Value {
        let sent = |leg: &usize| chosen.get(leg).map(|&it| &self.transaction.sent[it]);
        let legs: Vec<_> = (0..3).filter_map(|leg| sent(&leg)).collect();
        let (first, last) = (legs.first(), legs.last());
        let (start, end) = (first.map_or(0, |it| it.event_ms), last.map_or(0, |it| it.event_ms));
        let missing = Leg::ALL.iter().filter(|leg| sent(&leg.index()).is_none());
        let state = match (version, legs.len()) {
            (1, 3) => "COMPLETE",
            (1, _) => "INCOMPLETE",
            _ => "CORRECTED",
        };
        let sources = legs.iter().map(|it| (it.leg.name().to_owned(), json!(self.name(it))));
        let mut value = json!({
            "transactionId": self.transaction.id,
            "start": start,
            "end": end,
            "durationMs": end - start,
            "channel": sent(&0).map(Sent::channel),
            "status": sent(&2).map(Sent::status),
            "complete": legs.len() == 3,
            "missing": missing.map(|leg| leg.name()).collect::<Vec<_>>(),
            "version": version,
            "state": state,
            "sources": sources.collect::<serde_json::Map<_, _>>(),
        });
        if version > 1 {
            value["supersedes"] = json!(version - 1);
        }
        value
    }

    /// The messages that came too late, each told once.
    fn late(&self, chosen: &Chosen) -> anyhow::Result<BTreeSet<usize>> {
        let mut late = BTreeSet::new();
        for said in self.of(Outlet::Late) {
            let message = self.message(&said.value["source"])?;
            ensure!(late.insert(message), "message {message} is late twice");
            let sent = &self.transaction.sent[message];
            let is_right =
                said.value["leg"] == sent.leg.name() && said.value["eventTime"] == sent.event_ms;
            ensure!(is_right, "the late row of message {message} says otherwise");
        }
        let after = |(_, sent): &(usize, &Sent)| sent.time_ms >= self.deadline_ms;
        let news = |(_, sent): &(usize, &Sent)| {
            let leg = sent.leg;
            !self.transaction.sent.iter().any(|it| it.leg == leg && it.time_ms < self.deadline_ms)
        };
        let sent = self.transaction.sent.iter().enumerate();
        let due = sent.filter(after).filter(news).map(|(message, _)| message);
        let due: BTreeSet<_> = due.filter(|it| !chosen.values().any(|used| used == it)).collect();
        let is_legal =
            matches!(self.transaction.kind, Kind::Late | Kind::Straggler) || due.is_empty();
        ensure!(is_legal && late == due, "late are {late:?}, should be {due:?}");
        Ok(late)
    }

    /// For each message that contradicts what counts, one row.
    fn conflicts(&self, chosen: &Chosen) -> anyhow::Result<()> {
        let mut told = BTreeSet::new();
        for said in self.of(Outlet::Conflicts) {
            let rejected = self.message(&said.value["rejected"])?;
            ensure!(told.insert(rejected), "message {rejected} is rejected twice");
            self.conflict(said, rejected, chosen)?;
        }
        for (message, sent) in self.transaction.sent.iter().enumerate() {
            let used = chosen.get(&sent.leg.index()).map(|&it| &self.transaction.sent[it]);
            let contradicts = used.is_some_and(|it| it.says != sent.says);
            ensure!(
                contradicts == told.contains(&message),
                "message {message} contradicts: {contradicts}"
            );
        }
        Ok(())
    }

    fn conflict(&self, said: &Said, rejected: usize, chosen: &Chosen) -> anyhow::Result<()> {
        let sent = &self.transaction.sent;
        let leg = sent[rejected].leg.index();
        let Some(&used) = chosen.get(&leg) else { bail!("nothing of leg {leg} counts") };
        let kept = &said.value["kept"];
        let is_kept = kept.is_null() || *kept == json!(self.name(&sent[used]));
        ensure!(is_kept, "{kept} is kept, but message {used} counts");
        let order = |message: usize| {
            let (partition, offset) = (sent[message].partition, sent[message].offset.unwrap_or(0));
            (self.world.out.source.record_ms(partition, offset), partition, offset)
        };
        if order(used) < order(rejected) {
            return Ok(());
        }
        // The first loses only where its transaction's result had been said, without it.
        // A range that was split has numbers of its own; its epochs were before its children's.
        let at = |it: &Said| (it.row.stamp.epoch, it.row.stamp.sequence);
        let is_said = |it: &&Said| at(it) < at(said);
        let result = self.of(Outlet::Transactions).into_iter().find(is_said);
        let is_late = sent[used].partition != sent[rejected].partition && result.is_some();
        ensure!(is_late, "message {rejected} came first, and {used} counts");
        Ok(())
    }

    fn fate(&self, message: usize, sent: &Sent, chosen: &Chosen, late: &BTreeSet<usize>) -> Fate {
        let used = chosen.get(&sent.leg.index()).copied();
        if used == Some(message) {
            return Fate::Joined;
        }
        if late.contains(&message) {
            return Fate::Late;
        }
        let is_same = used.is_none_or(|it| self.transaction.sent[it].says == sent.says);
        if is_same { Fate::Duplicate } else { Fate::Conflict }
    }

    /// A transaction whose rules panic: each leg is a dead letter, once, and nothing is said.
    fn panicked(&mut self, fates: &mut Fates) -> anyhow::Result<()> {
        ensure!(self.said.is_empty(), "something is said, though its rules panic");
        let mut legs = BTreeSet::new();
        for sent in &self.transaction.sent {
            let letter = self.dead.remove(&self.name(sent));
            let fate = if letter.is_some() { Fate::Dead } else { Fate::Duplicate };
            fates[sent.partition][fate as usize] += 1;
            let Some(letter) = letter else { continue };
            ensure!(legs.insert(sent.leg), "two letters of one leg");
            let class = letter.headers.iter().any(|(name, it)| name == "error" && it == "panicked");
            ensure!(class && !letter.payload.is_empty(), "the letter says otherwise");
        }
        ensure!(legs.len() == 3, "letters of {legs:?} only");
        Ok(())
    }
}

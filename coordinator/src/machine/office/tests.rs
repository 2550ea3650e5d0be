//! What a process does about leading, event by event. The store answers when a test says so.

use std::num::NonZeroU16;

use futures::executor::block_on;
use proto::types::{Incarnation, RangeId};

use super::follow::SPREAD_MS;
use super::*;
use crate::coordinator::Journals;
use crate::fixtures::{cut, member, node};
use crate::leader::Scribe;
use crate::machine::entry::Intent;
use crate::machine::health::{DEAD_MS, LOST_MS};
use crate::machine::report::{Holding, Report, Stage};
use crate::machine::share::score;
use crate::testing::dice;
use crate::testing::memory_log::MemoryLog;

#[derive(Debug)]
struct NoJournals;

impl Journals for NoJournals {
    fn journal(&self, node: &NodeId, _: Incarnation) -> Arc<dyn proto::log::Log> {
        Arc::new(MemoryLog::new(node.as_str()))
    }
}

/// A process, and the store beside it.
struct Desk {
    office: Office,
    scribe: Scribe,
    now_ms: u64,
    /// A job that waits for the store.
    job: Option<Job>,
    told: Vec<(String, Letter)>,
}

impl Desk {
    fn new(name: &str, log: &Arc<MemoryLog>) -> Self {
        Self::with(name, log, Settings::default())
    }

    fn with(name: &str, log: &Arc<MemoryLog>, settings: Settings) -> Self {
        let ranges = NonZeroU16::new(2).unwrap();
        let nonces = Box::new(dice(score(name.as_bytes(), b"nonces")));
        let control = Arc::<MemoryLog>::clone(log);
        let scribe = Scribe::new((node(name), cut(ranges)), control, Arc::new(NoJournals), nonces);
        let office = Office::new(node(name), format!("{name}:1"), settings, 0);
        Self { office, scribe, now_ms: 0, job: None, told: Vec::new() }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Tell { to, letter, .. } => self.told.push((to.to_string(), letter)),
                Effect::Do(job) => assert_eq!(self.job.replace(job), None, "one job at a time"),
            }
        }
    }

    fn hear(&mut self, letter: Letter) {
        let effects = self.office.hear(letter, self.now_ms);
        self.take(effects);
    }

    /// The store does what it was asked for, and what follows from that.
    fn work(&mut self) {
        while let Some(job) = self.job.take() {
            let outcome = block_on(self.scribe.perform(job));
            let effects = self.office.done(outcome, self.scribe.known(), self.now_ms);
            self.take(effects);
        }
    }

    /// Time passes, while the store does not answer.
    fn wait(&mut self, ms: u64) {
        for _ in 0..ms / 125 {
            self.now_ms += 125;
            let effects = self.office.tick(self.now_ms);
            self.take(effects);
        }
    }

    /// Time passes, and the store answers.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 125 {
            self.wait(125);
            self.work();
        }
    }

    fn leads(&self) -> bool {
        self.office.leading().is_some()
    }

    fn said(&mut self) -> Vec<(String, Letter)> {
        std::mem::take(&mut self.told)
    }

    fn beats(&mut self) -> usize {
        self.said().iter().filter(|(_, letter)| matches!(letter, Letter::Leading(_))).count()
    }
}

fn log() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new("control"))
}

fn join(name: &str, ticket: u64) -> Letter {
    Letter::Join(Joining { node: node(name), address: format!("{name}:1"), ticket })
}

fn ask(ticket: u64, request: Request) -> Letter {
    Letter::Ask(Ask { node: node("b"), address: "b:1".to_owned(), ticket, request })
}

fn report(member: Member, number: u64, stages: &[(u16, u64, Stage)]) -> Letter {
    let holding = |&(range, epoch, stage)| Holding {
        range: RangeId(range),
        epoch: proto::types::Epoch::new(epoch),
        stage,
        load: None,
    };
    let holdings = stages.iter().map(holding).collect();
    Letter::Report(Report { member, number, holdings, copies: vec![], is_leaving: false })
}

/// `a` leads, and has `a` and `b` for members, which have been heard.
fn led(log: &Arc<MemoryLog>) -> Desk {
    let mut desk = Desk::new("a", log);
    desk.pass(500);
    assert!(desk.leads());
    for name in ["a", "b"] {
        desk.hear(join(name, 1));
        desk.work();
    }
    for name in ["a", "b"] {
        desk.hear(report(member(name, 1), 1, &[]));
        desk.work();
    }
    desk.said();
    desk
}

#[test]
fn who_finds_an_empty_log_leads_at_once_and_divides_the_keys() {
    let log = log();
    let mut desk = Desk::new("a", &log);
    desk.pass(250);
    assert!(desk.leads());
    assert_eq!(desk.office.table().unwrap().ranges().len(), 2);
}

#[test]
fn this_nodes_process_before_leads_no_more_so_nobody_is_waited_for() {
    let log = log();
    led(&log);
    let mut next = Desk::new("a", &log);
    next.pass(250);
    assert!(next.leads());
}

#[test]
fn who_hears_a_leader_waits_and_who_hears_none_any_more_asks() {
    let log = log();
    let mut first = led(&log);
    let mut second = Desk::new("b", &log);
    for number in 2..42 {
        for name in ["a", "b"] {
            first.hear(report(member(name, 1), number, &[]));
        }
        first.pass(250);
        let beats = first.said();
        beats.into_iter().filter(|(to, _)| to == "b").for_each(|(_, it)| second.hear(it));
        second.pass(250);
        assert!(!second.leads());
    }
    // 250 ms have passed since the last beat.
    second.pass(PATIENCE_MS - 375);
    assert!(!second.leads());
    second.pass(250 + SPREAD_MS);
    assert!(second.leads());
    assert!(first.leads(), "it does not know yet");
    first.pass(125);
    assert!(!first.leads());
}

#[test]
fn a_broken_connection_shortens_the_patience() {
    let log = log();
    let mut first = led(&log);
    let mut second = Desk::new("b", &log);
    second.pass(125);
    first.pass(250);
    first.said().into_iter().for_each(|(_, letter)| second.hear(letter));
    second.office.lost("a:1");
    second.pass(LOST_MS - 125);
    assert!(!second.leads());
    second.pass(125 + SPREAD_MS);
    assert!(second.leads());
}

/// A process that stood still heard no beats, and must not take that for silence.
#[test]
fn who_was_absent_does_not_take_it_for_silence() {
    let log = log();
    let mut first = led(&log);
    let mut second = Desk::new("b", &log);
    first.pass(250);
    first.said().into_iter().for_each(|(_, letter)| second.hear(letter));
    second.pass(125);
    second.now_ms += 60_000;
    second.pass(PATIENCE_MS - 250);
    assert!(!second.leads());
    second.pass(500 + SPREAD_MS);
    assert!(second.leads());
}

/// Whoever is asked at the same time finds the slot taken, and lets the winner lead.
#[test]
fn who_is_outrun_lets_the_winner_lead() {
    let log = log();
    let [mut first, mut second] = ["a", "b"].map(|name| Desk::new(name, &log));
    for desk in [&mut first, &mut second] {
        desk.wait(125);
        desk.work();
        desk.wait(125);
        assert!(matches!(desk.job, Some(Job::Lead { .. })));
    }
    first.work();
    second.work();
    assert_eq!((first.leads(), second.leads()), (true, false));
    second.pass(PATIENCE_MS - 250);
    assert!(!second.leads());
}

#[test]
fn who_is_no_candidate_never_leads() {
    let settings = Settings { is_candidate: false, ..Settings::default() };
    let mut desk = Desk::with("a", &log(), settings);
    desk.pass(60_000);
    assert!(!desk.leads());
}

/// While the store is slow time goes on, and nobody is held dead who speaks.
#[test]
fn a_slow_store_makes_nobody_dead_and_who_waits_for_it_too_long_is_silent() {
    let log = log();
    let mut desk = led(&log);
    desk.wait(125);
    assert!(desk.job.is_some());
    for number in 2..2 + 2 * DEAD_MS / 250 {
        desk.wait(250);
        for name in ["a", "b"] {
            desk.hear(report(member(name, 1), number, &[]));
        }
        let beats = desk.beats();
        let is_late = desk.now_ms > 500 + 125 + PATIENCE_MS + 250;
        assert!(!is_late || beats == 0, "others are to try");
    }
    desk.work();
    desk.pass(250);
    assert!(desk.leads());
    assert_eq!(desk.office.table().unwrap().alive().count(), 2);
    assert!(desk.beats() > 0);
}

#[test]
fn who_asks_to_join_twice_gets_one_life_and_a_new_process_another() {
    let log = log();
    let mut desk = led(&log);
    let lives = |desk: &mut Desk| {
        let joined = desk.said().into_iter().filter_map(|(_, letter)| {
            let Letter::Joined { member, ticket } = letter else { return None };
            Some((member.incarnation.0, ticket))
        });
        joined.collect::<Vec<_>>()
    };
    desk.hear(join("c", 7));
    desk.hear(join("c", 7));
    desk.work();
    desk.hear(join("c", 7));
    desk.work();
    let first = lives(&mut desk);
    assert!(first.iter().all(|it| *it == (1, 7)) && !first.is_empty(), "{first:?}");
    desk.hear(join("c", 8));
    desk.work();
    assert_eq!(lives(&mut desk), [(2, 8)]);
}

#[test]
fn who_does_not_lead_says_who_does() {
    let log = log();
    let mut first = led(&log);
    let mut second = Desk::new("b", &log);
    second.pass(125);
    second.hear(join("c", 1));
    assert_eq!(second.said(), [], "it does not know");
    first.pass(250);
    first.said().into_iter().for_each(|(_, letter)| second.hear(letter));
    second.hear(join("c", 1));
    let told = second.said();
    assert!(matches!(&told[..], [(to, Letter::Leading(beat))]
        if to == "c" && beat.leader == node("a") && beat.address == "a:1"));
    second.hear(ask(3, Request::Rebalance));
    assert!(matches!(&second.said()[..], [(_, Letter::Answer { ticket: 3, denied: Some(why) })]
        if why.contains("ask node a")));
}

/// Nodes that join ask each other who leads, again and again. Found by the simulation of several nodes.
#[test]
fn who_passes_a_beat_on_does_not_keep_a_dead_leader_alive() {
    let log = log();
    let mut first = led(&log);
    let mut others = ["b", "c"].map(|name| Desk::new(name, &log));
    others.iter_mut().for_each(|it| it.pass(125));
    first.pass(250);
    for (_, letter) in first.said() {
        others.iter_mut().for_each(|it| it.hear(letter.clone()));
    }
    // It says nothing more.
    for ticket in 0..12 {
        for [from, to] in [[0, 1], [1, 0]] {
            others[to].hear(join(["b", "c"][from], ticket));
            let told = others[to].said();
            let beats = told.into_iter().filter(|(_, it)| matches!(it, Letter::Leading(_)));
            beats.for_each(|(_, beat)| others[from].hear(beat));
        }
        others.iter_mut().for_each(|it| it.pass(250));
    }
    assert!(others.iter().any(Desk::leads), "after {} ms", 12 * 250);
}

#[test]
fn what_an_operator_wants_of_a_node_is_granted_when_the_log_says_so() {
    let log = log();
    let mut desk = led(&log);
    let drain = Request::Intend { node: node("b"), intent: Intent::Drain };
    let serve = Request::Intend { node: node("b"), intent: Intent::Serve };
    desk.hear(ask(1, drain));
    desk.hear(ask(2, serve));
    let answers = |desk: &mut Desk| {
        let answers = desk.said().into_iter().filter_map(|(_, letter)| {
            let Letter::Answer { ticket, denied } = letter else { return None };
            Some((ticket, denied))
        });
        answers.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(answers(&mut desk), [], "nothing is promised yet");
    desk.work();
    let answers = answers(&mut desk);
    assert_eq!(answers, [(1, None), (2, None)]);
    assert_eq!(desk.office.table().unwrap().intent(&node("b")), Intent::Serve);
}

/// A planned move must not wait for the next tick.
#[test]
fn what_a_report_changes_is_acted_on_at_once() {
    let log = log();
    let mut desk = led(&log);
    let owned: Vec<_> = desk
        .office
        .table()
        .unwrap()
        .ranges()
        .collect::<Vec<_>>()
        .iter()
        .map(|(id, range)| (*id, range.owner().cloned().unwrap(), range.epoch.get()))
        .collect();
    let (id, owner, epoch) = owned[0].clone();
    let closed = Stage::Closed { to: Slot(5) };
    desk.hear(report(owner, 2, &[(id.0, epoch, closed)]));
    desk.work();
    let table = desk.office.table().unwrap();
    assert_eq!(table.range(id).unwrap().epoch.get(), epoch + 1, "without a tick");
    assert!(desk.beats() >= 2, "and everybody is told that the log goes on");
}

#[test]
fn who_leads_and_hears_nobody_asks_less_and_less_often() {
    let log = log();
    let mut first = led(&log);
    let mut second = Desk::new("b", &log);
    let mut waits = Vec::new();
    for _ in 0..3 {
        let mut waited = 0;
        while !second.leads() {
            second.pass(125);
            waited += 125;
        }
        waits.push(waited);
        first.now_ms = second.now_ms;
        first.office.contend();
        first.pass(250);
        assert!(first.leads());
        second.pass(125);
        assert!(!second.leads());
    }
    assert!(waits[1] >= 2 * PATIENCE_MS && waits[2] >= 4 * PATIENCE_MS, "{waits:?}");
    second.hear(join("c", 1));
    second.pass(PATIENCE_MS + SPREAD_MS);
    assert!(second.leads(), "it was heard by another: it is not cut off");
}

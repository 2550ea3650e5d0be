//! A process's part in leading: the office and the scribe of the real one. Imitates `coordinator::leader`.

use std::num::NonZeroU16;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use coordinator::coordinator::Cut;
use coordinator::leader::Scribe;
use coordinator::machine::health;
use coordinator::machine::letter::Letter;
use coordinator::machine::office::{Effect, Office, Outcome, Settings};
use coordinator::machine::pace::Limits;
use proto::types::Keying;

use super::logs::Logs;
use super::name::{address, name, number};
use crate::sim::random::Random;

/// How often a leader, and each node, says that it lives.
pub(super) const BEAT_MS: u64 = 60;
const SUSPECT_MS: u64 = 180;
const DEAD_MS: u64 = 450;
const LOST_MS: u64 = 250;
const PATIENCE_MS: u64 = 300;

type Work = Pin<Box<dyn Future<Output = (Scribe, Outcome)> + Send>>;

/// The office, and who writes for it.
pub(super) struct Chair {
    office: Office,
    /// `None` while it is at work.
    scribe: Option<Scribe>,
    work: Option<Work>,
    ticked_ms: u64,
}

/// Letters, and to whom.
pub(super) type Letters = Vec<(usize, Letter)>;

impl std::fmt::Debug for Chair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (office, is_at_work) = (&self.office, self.work.is_some());
        f.debug_struct("Chair")
            .field("office", office)
            .field("is_at_work", &is_at_work)
            .finish_non_exhaustive()
    }
}

impl Chair {
    /// A process that has just started.
    pub(super) fn new(
        node: usize,
        ranges: NonZeroU16,
        is_candidate: bool,
        (logs, mut random, now_ms): (&Logs, Random, u64),
    ) -> anyhow::Result<Self> {
        let health = health::Settings::new(BEAT_MS, SUSPECT_MS, DEAD_MS)?.when_lost(LOST_MS)?;
        let limits = Limits { bytes_in_flight: 128 << 20, moves_per_node: 2 };
        let settings =
            Settings { is_candidate, beat_ms: BEAT_MS, patience_ms: PATIENCE_MS, health, limits };
        let office = Office::new(name(node), address(node), settings, now_ms);
        let nonces = Box::new(move || random.next());
        let journals = Arc::new(logs.clone());
        let cut = Cut { ranges, keying: Keying::default() };
        let scribe = Scribe::new((name(node), cut), logs.control(), journals, nonces);
        Ok(Self { office, scribe: Some(scribe), work: None, ticked_ms: 0 })
    }

    /// Asks to lead, whoever does.
    pub(super) const fn contend(&mut self) {
        self.office.contend();
    }

    /// Time passes.
    pub(super) fn tick(&mut self, now_ms: u64) -> Letters {
        if now_ms < self.ticked_ms + BEAT_MS / 2 {
            return Letters::new();
        }
        self.ticked_ms = now_ms;
        let effects = self.office.tick(now_ms);
        self.act(effects)
    }

    /// A letter came.
    pub(super) fn hear(&mut self, letter: Letter, now_ms: u64) -> Letters {
        let effects = self.office.hear(letter, now_ms);
        self.act(effects)
    }

    /// The connection to a node has broken.
    pub(super) fn lost(&mut self, node: usize) {
        self.office.lost(&address(node));
    }

    /// The scribe goes on.
    pub(super) fn work(&mut self, now_ms: u64) -> Letters {
        let Some(work) = &mut self.work else { return Letters::new() };
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready((mut scribe, outcome)) = work.as_mut().poll(&mut context) else {
            return Letters::new();
        };
        self.work = None;
        let known = scribe.known();
        self.scribe = Some(scribe);
        let effects = self.office.done(outcome, known, now_ms);
        self.act(effects)
    }

    fn act(&mut self, effects: Vec<Effect>) -> Letters {
        let mut letters = Letters::new();
        for effect in effects {
            match effect {
                Effect::Tell { to, letter, .. } => letters.push((number(&to), letter)),
                Effect::Do(job) => {
                    // The office gives one job at a time.
                    let Some(mut scribe) = self.scribe.take() else { continue };
                    self.work = Some(Box::pin(async move {
                        let outcome = scribe.perform(job).await;
                        (scribe, outcome)
                    }));
                }
            }
        }
        letters
    }
}

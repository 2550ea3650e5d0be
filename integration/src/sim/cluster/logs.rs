//! The logs as the control plane sees them: a store that is slow, refuses, loses answers, and does things late or twice.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use bytes::Bytes;
use coordinator::coordinator::Journals;
use proto::log::{Answer, Created, Log, LogError};
use proto::types::{Incarnation, NodeId, Slot};

use super::name::number;
use crate::sim::objects::{Objects, Of};
use crate::sim::plant::Plant;
use crate::sim::random::Random;

/// How long the store takes at most where it is slow.
const SLOW_MS: u64 = 300;

/// All logs of the store. Clones are of the same store.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    objects: Objects,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: Random,
    /// How often something goes wrong, in a thousand operations.
    per_mille: u64,
    happened: u64,
    now_ms: u64,
    plant: Option<Plant>,
    /// What will be created later, and when.
    late: Vec<(u64, Of, Slot, Bytes)>,
}

/// What goes wrong with one operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wrong {
    Nothing,
    /// It is not done, and the answer is an error.
    Refused,
    /// It is done, and the answer is an error.
    AnswerLost,
    /// The answer is an error; a creation is done later.
    Late,
    /// It is done, but the client has sent it again and tells that answer.
    Twice,
    /// It is not done, and the answer is that the slot exists.
    Phantom,
}

/// One of the logs.
#[derive(Debug)]
struct One {
    logs: Logs,
    of: Of,
}

impl Logs {
    pub(super) fn new(
        objects: Objects,
        random: Random,
        per_mille: u64,
        plant: Option<Plant>,
    ) -> Self {
        let state = State { random, per_mille, happened: 0, now_ms: 0, plant, late: Vec::new() };
        Self { objects, state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("who holds this lock does not panic")
    }

    /// The control log.
    pub(super) fn control(&self) -> Arc<dyn Log> {
        Arc::new(One { logs: self.clone(), of: None })
    }

    /// Time passes: what is late arrives.
    pub(super) fn advance(&self, now_ms: u64) {
        let mut state = self.state();
        state.now_ms = now_ms;
        let due: Vec<_> = state.late.extract_if(.., |it| it.0 <= now_ms).collect();
        for (_, of, slot, object) in due {
            self.objects.create(of, slot, &object);
        }
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&self) {
        self.state().per_mille = 0;
    }

    /// How often something went wrong.
    pub(super) fn happened(&self) -> u64 {
        self.state().happened
    }

    /// Waits: not at all, for a moment, or where the store is slow for longer.
    async fn pause(&self) {
        let until_ms = {
            let mut state = self.state();
            let slow = state.per_mille;
            match state.random.below(1_000) {
                it if it < slow => Some(state.now_ms + state.random.below(SLOW_MS)),
                it if it < 400 => Some(0),
                _ => None,
            }
        };
        let Some(until_ms) = until_ms else { return };
        let mut has_paused = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_paused, true) && self.state().now_ms >= until_ms {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn create(&self, of: Of, slot: Slot, object: &Bytes) -> Result<Created, LogError> {
        let (wrong, plant) = {
            let mut state = self.state();
            let wrong = state.draw();
            if wrong == Wrong::Late {
                let due = state.now_ms + state.random.below(3 * SLOW_MS);
                state.late.push((due, of, slot, object.clone()));
            }
            (wrong, state.plant)
        };
        if of.is_some() && plant == Some(Plant::NoFence) {
            return Ok(Created::Won);
        }
        let answer = match wrong {
            Wrong::Nothing => Ok(self.objects.create(of, slot, object)),
            Wrong::Refused | Wrong::Late => Err(error("create", of)),
            Wrong::AnswerLost => {
                self.objects.create(of, slot, object);
                Err(error("create", of))
            }
            Wrong::Twice => {
                self.objects.create(of, slot, object);
                Ok(Created::Exists)
            }
            Wrong::Phantom => Ok(Created::Exists),
        };
        if of.is_none() && plant == Some(Plant::LeaderLostAsWon) {
            return answer.or(Ok(Created::Won));
        }
        answer
    }

    /// Reads or lists, unless that fails.
    fn ask<T>(
        &self,
        (doing, of): (&'static str, Of),
        what: impl FnOnce(&Objects) -> T,
    ) -> Result<T, LogError> {
        match self.state().draw() {
            Wrong::Nothing | Wrong::Twice | Wrong::Phantom => Ok(what(&self.objects)),
            Wrong::Refused | Wrong::AnswerLost | Wrong::Late => Err(error(doing, of)),
        }
    }
}

impl State {
    fn draw(&mut self) -> Wrong {
        if !self.random.chance(self.per_mille) {
            return Wrong::Nothing;
        }
        self.happened += 1;
        let all = [Wrong::Refused, Wrong::AnswerLost, Wrong::Late, Wrong::Twice, Wrong::Phantom];
        self.random.pick(&all)
    }
}

fn error(doing: &'static str, of: Of) -> LogError {
    let source = "a fault was injected".into();
    LogError { doing, object: format!("{of:?}"), source }
}

impl Log for One {
    fn create(&self, slot: Slot, object: Bytes) -> Answer<'_, Created> {
        Box::pin(async move {
            self.logs.pause().await;
            let answer = self.logs.create(self.of, slot, &object);
            self.logs.pause().await;
            answer
        })
    }

    fn read(&self, slot: Slot) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            self.logs.pause().await;
            self.logs.ask(("read", self.of), |objects| objects.read(self.of, slot))
        })
    }

    fn slots(&self) -> Answer<'_, Vec<Slot>> {
        Box::pin(async move {
            self.logs.pause().await;
            let answer = self.logs.ask(("list", self.of), |objects| objects.slots(self.of));
            self.logs.pause().await;
            answer
        })
    }

    fn trim(&self, slot: Slot) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(of) = self.of {
                self.logs.objects.delete(of, slot);
            }
            Ok(())
        })
    }
}

impl Journals for Logs {
    fn journal(&self, node: &NodeId, incarnation: Incarnation) -> Arc<dyn Log> {
        let of = Some((number(node), incarnation));
        Arc::new(One { logs: self.clone(), of })
    }
}

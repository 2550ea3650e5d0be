//! The transaction actor: spawned with its legs when there is something to decide, it decides, reports, stops.
//!
//! It is local, unnamed, unlinked and in no group; it gets no messages. A panic in its rules costs this one
//! transaction: it is reported like a decision.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use proto::types::TransactionKey;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::machine::range::Outcome;
use crate::machine::transaction::{Activation, Rules, decide};
use crate::range::{self, Reports};

/// The actor. What it knows is in its arguments.
#[derive(Debug)]
pub struct Transaction;

/// A transaction actor is never spoken to.
#[derive(Debug)]
pub enum Message {}

/// What a transaction actor is born with.
#[derive(Debug)]
pub struct Arguments {
    /// What there is to decide about.
    pub activation: Activation,
    /// By which rules.
    pub rules: Arc<Rules>,
    /// To whom it reports.
    pub range: ActorRef<range::Message>,
    /// Where it leaves its report.
    pub reports: Arc<Reports>,
}

// Stays in the process: with a codec each spawn would be announced to every node.
impl ractor::Message for Message {}

impl Actor for Transaction {
    type Msg = Message;
    type State = Option<Arguments>;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        arguments: Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Some(arguments))
    }

    /// The whole life. It runs in the actor's own task, beside its range and on any core.
    async fn post_start(
        &self,
        myself: ActorRef<Message>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(Arguments { activation, rules, range, reports }) = state.take() {
            let is_first = reports.add(run(&activation, &rules));
            if is_first {
                range.cast(range::Message::Decided)?;
            }
        }
        myself.stop(None);
        Ok(())
    }
}

/// Decides; a panic on the way is an outcome too.
#[must_use]
pub fn run(activation: &Activation, rules: &Rules) -> (TransactionKey, Outcome) {
    // Neither the activation nor the rules can be left half changed: both are only read.
    let outcome = match catch_unwind(AssertUnwindSafe(|| decide(activation, rules))) {
        Ok(decision) => Outcome::Decided(decision),
        Err(panic) => Outcome::Panicked(reason(&*panic)),
    };
    (activation.key, outcome)
}

fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the rules panicked without a reason".to_owned())
}

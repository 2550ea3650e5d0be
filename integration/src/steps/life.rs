//! Whole lives of transactions' actors, on one thread so that all of it is counted.

use std::sync::Arc;

use actors::range::{self, Reports};
use actors::transaction::{Arguments, Transaction};
use anyhow::Context as _;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::pipeline::Pipeline;
use super::{count, measured};

/// As many at once as a range has.
const AT_ONCE: usize = 16;

/// Stands where the range is: it takes the word that there are reports.
struct Listener;

impl Actor for Listener {
    type Msg = range::Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<range::Message>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Every transaction's actor lives.
pub(super) fn lives(pipeline: &mut Pipeline) -> anyhow::Result<u64> {
    let mut activations = pipeline.activations()?;
    let transactions = count(activations.len());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut lived = Ok(());
    let live = async {
        let (range, _) = Actor::spawn(None, Listener, ()).await.context("spawn the listener")?;
        let reports = Arc::<Reports>::default();
        while !activations.is_empty() {
            let some = activations.split_off(activations.len().saturating_sub(AT_ONCE));
            let mut lives = Vec::with_capacity(AT_ONCE);
            for activation in some {
                let (rules, range) = (Arc::clone(&pipeline.rules), range.clone());
                let reports = Arc::clone(&reports);
                let arguments = Arguments { activation, rules, range, reports };
                let spawned = Actor::spawn(None, Transaction, arguments).await;
                lives.push(spawned.context("spawn a transaction")?.1);
            }
            for life in lives {
                life.await.context("wait for a transaction")?;
            }
        }
        anyhow::Ok(())
    };
    let mut live = Some(live);
    measured(&mut || {
        if let Some(live) = live.take() {
            lived = runtime.block_on(live);
        }
    });
    lived?;
    Ok(transactions)
}

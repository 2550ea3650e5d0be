//! Who answers for the nodes of a demo, as they come and go.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use parking_lot::Mutex;

use super::process::Voice;
use super::stage::Stage;
use super::tally::Tally;
use crate::api::backend::{
    Answer, Backend, Cell, Change, Cluster, Granted, Indicator, Ledger, Node, Overview, Pulse,
    Query, Range, Reply, Snapshot, Transaction, Verdict, cluster_calls, life_calls,
};
use crate::problem::{Code, Problem};

/// Any node answers for all: here the one that has run for longest. Only counters are of all together, as each node
/// counts for its own ranges.
pub(super) struct AnyNode {
    stage: Arc<Stage>,
    tally: Arc<Mutex<Tally>>,
}

/// The first node, for what it has alone.
pub(super) struct FirstNode(pub(super) Arc<Stage>);

impl AnyNode {
    pub(super) fn new(stage: Arc<Stage>) -> Self {
        Self { stage, tally: Arc::default() }
    }

    fn voice(&self) -> Option<Voice> {
        self.stage.voices().into_iter().next().map(|(_, voice)| voice)
    }
}

impl FirstNode {
    fn voice(&self) -> Option<Voice> {
        self.0.first().map(|voice| Voice { backend: Arc::clone(&voice.own), ..voice })
    }
}

/// Asks a node, which works at the answer in its own runtime.
fn ask<T: Send + 'static>(
    voice: Option<Voice>,
    call: impl for<'a> FnOnce(&'a dyn Backend) -> Reply<'a, T> + Send + 'static,
) -> Reply<'static, T> {
    async move {
        let Voice { backend, runtime, .. } = voice.ok_or_else(|| gone("it was killed"))?;
        let answered = runtime.spawn(async move { call(&*backend).await }).await;
        answered.unwrap_or_else(|_| Err(gone("it was killed while it answered")))
    }
    .boxed()
}

fn gone(why: &str) -> Problem {
    Problem::new(Code::Unreachable, "the node does not answer", why)
        .remedy("try again in some seconds: it comes back by itself")
}

/// Calls, passed on to a node.
macro_rules! passed_on {
    ($self:ident; $($name:ident($($argument:ident: $kind:ty)?) -> $answer:ty;)*) => {
        $(fn $name(&$self $(, $argument: $kind)?) -> Reply<'_, $answer> {
            ask($self.voice(), move |node| node.$name($($argument)?))
        })*
    };
}

impl Backend for AnyNode {
    cluster_calls! { passed_on! { self; } }
    life_calls! { passed_on! { self; create_snapshot(request_id: String) -> Vec<Snapshot>; } }

    fn pulse(&self) -> Reply<'_, Pulse> {
        let voices = self.stage.voices();
        let starts: Vec<_> = voices.iter().map(|(start, _)| *start).collect();
        let asked: Vec<_> =
            voices.into_iter().map(|(_, voice)| ask(Some(voice), |node| node.pulse())).collect();
        async move {
            let answers = join_all(asked).await;
            let mut tally = self.tally.lock();
            tally.keep(&starts);
            let mut sum = Err(gone("every node was killed"));
            for (start, answer) in starts.into_iter().zip(answers) {
                if let Ok(answer) = &answer {
                    tally.take(start, &answer.value);
                }
                sum = together(sum, answer);
            }
            let mut sum = sum?;
            tally.put_into(&mut sum.value);
            Ok(sum)
        }
        .boxed()
    }
}

type Answered = Result<Answer<Pulse>, Problem>;

/// What waits at two nodes together; all else is the first one's. One that has just come back has nothing to say yet.
fn together(sum: Answered, more: Answered) -> Answered {
    match (sum, more) {
        (Ok(mut sum), Ok(more)) => {
            sum.value.open += more.value.open;
            sum.value.waiting_bytes += more.value.waiting_bytes;
            Ok(sum)
        }
        (Ok(sum), Err(_)) => Ok(sum),
        (Err(_), answer) => answer,
    }
}

impl Backend for FirstNode {
    cluster_calls! { passed_on! { self; } }
    life_calls! { passed_on! { self;
        create_snapshot(request_id: String) -> Vec<Snapshot>;
        pulse() -> Pulse;
    } }
}

//! What this node answers: about the cluster for all nodes, else for the life that it has at the moment.

mod parts;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use coordinator::machine::member::Member;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tracing::debug;

use super::ask::{Question, Said};
use super::life::Life;
use super::outside::{Outside, PATIENCE};
use super::picture::{Known, Picture, is_blurred};
use super::wishes::Wishes;
use crate::api::backend::{
    Answer, Backend, Cell, Change, Cluster, Granted, Indicator, Ledger, Node, Overview, Pulse,
    Query, Range, Reply, Snapshot, Transaction, Verdict, cluster_calls, life_calls,
};
use crate::assembly::backend::Word;
use crate::cluster::agent::View;
use crate::problem::{Code, Problem};

/// How long a node waits for its snapshot before it says that it is being taken: whoever asked asks again, and
/// would not wait as long as a large one takes.
const BUSY: Duration = Duration::from_millis(500);

/// Answers about the cluster by asking all nodes, about the rest by whatever life there is.
#[derive(Default)]
pub(super) struct Front {
    /// `None` between two lives.
    life: Mutex<Option<Arc<dyn Life>>>,
    /// Not set before the node takes part in the cluster.
    outside: OnceLock<Outside>,
    wishes: Wishes,
}

/// What this node has alone: its metrics are of itself, and whoever reads them sums them up.
pub(super) struct Own(pub(super) Arc<Front>);

impl Front {
    pub(super) fn connect(&self, outside: Outside) {
        if self.outside.set(outside).is_err() {
            debug!("the cluster was known already");
        }
    }

    /// From now on this life answers.
    pub(super) fn begin(&self, life: Arc<dyn Life>) {
        *self.life.lock() = Some(life);
    }

    /// That life is over.
    pub(super) fn end(&self) {
        self.life.lock().take();
    }

    /// Answers what another node asks, for this node alone. What is not understood, and what cannot be
    /// answered, is answered with nothing (I14).
    pub(super) fn asked(&self, body: &[u8]) -> BoxFuture<'static, Bytes> {
        let (life, question) = (self.life.lock().clone(), Question::decode(body));
        async move {
            let (Some(life), Some(question)) = (life, question) else { return Bytes::new() };
            let said = match question {
                Question::Word => life.word().await.map(|word| Said::Word(Box::new(word))),
                Question::Find(id) => {
                    life.find(id).await.map(|found| Said::Found(found.map(Box::new)))
                }
                Question::Part(id) => {
                    let outcome = tokio::time::timeout(BUSY, life.part(id)).await;
                    Ok(Said::Part(outcome.ok().map(Box::new)))
                }
            };
            said.map_or_else(
                |problem| {
                    debug!(%problem, "cannot answer another node");
                    Bytes::new()
                },
                |said| said.encode(),
            )
        }
        .boxed()
    }

    fn outside(&self) -> Result<&Outside, Problem> {
        self.outside.get().ok_or_else(|| no_life(None))
    }

    fn life(&self) -> Result<Arc<dyn Life>, Problem> {
        let leader = self.outside.get().and_then(Outside::leader);
        self.life.lock().clone().ok_or_else(|| no_life(leader.as_ref().map(|it| it.as_str())))
    }

    /// The cluster as all nodes together say that it is.
    async fn picture(&self) -> Result<Picture, Problem> {
        let outside = self.outside()?;
        let mut view = outside.view();
        if view.table.ranges().len() == 0 {
            // It has not read yet who there is.
            let leader = outside.leader();
            return Err(no_life(leader.as_ref().map(|it| it.as_str())));
        }
        let mut said = self.words(outside, &view).await;
        if is_blurred(&said) {
            view = outside.view();
            said = self.words(outside, &view).await;
        }
        let leader = outside.leader();
        let known = Known {
            name: &outside.name,
            table: &view.table,
            map_version: view.read.0,
            leader: leader.as_ref(),
        };
        Ok(Picture::of(&known, said))
    }

    /// What each node that lives says of itself, all asked at once; who does not answer in time is left out.
    async fn words(&self, outside: &Outside, view: &View) -> Vec<Word> {
        // Ascending, so that a node's last life is what stays: one that came back too soon to be declared
        // dead would else be heard, and counted, twice.
        let lives: BTreeMap<_, _> =
            view.table.alive().map(|member| (&member.node, member)).collect();
        let ask = lives.into_values().map(|member| async move {
            match self.said(outside, view, member, Question::Word).await? {
                Said::Word(word) if word.node.id == member.node => Some(*word),
                Said::Word(_) | Said::Found(_) | Said::Part(_) => None,
            }
        });
        join_all(ask).await.into_iter().flatten().collect()
    }

    /// What one node says; this one is asked like any other.
    async fn said(
        &self,
        outside: &Outside,
        view: &View,
        member: &Member,
        question: Question,
    ) -> Option<Said> {
        let bytes = if member.node == outside.me {
            tokio::time::timeout(PATIENCE, self.asked(&question.encode())).await.ok()?
        } else {
            outside.ask(view, member, question.encode()).await?
        };
        Said::decode(&bytes)
    }

    /// What the owner of its key says of a transaction.
    async fn find(&self, id: String) -> Result<Answer<Transaction>, Problem> {
        let outside = self.outside()?;
        let view = outside.view();
        let hash = view.table.keying().key(id.as_bytes()).hash();
        let Some((range, found)) = view.table.range_of(hash) else {
            return self.life()?.transaction(id).await;
        };
        let unanswered = |why: String| {
            Problem::new(Code::RangesMissing, "what is known of it cannot be asked now", why)
                .remedy("try again in some seconds")
                .remedy("throughline cluster status")
        };
        let Some(owner) = found.owner() else {
            return Err(unanswered(format!("its range {range} has no owner")));
        };
        match self.said(outside, &view, owner, Question::Find(id)).await {
            Some(Said::Found(Some(mut answer))) => {
                answer.as_of.map_version = view.read.0;
                Ok(*answer)
            }
            Some(Said::Found(None) | Said::Word(_) | Said::Part(_)) => {
                Err(unanswered(format!("its range {range} is on its way to {}", owner.node)))
            }
            None => Err(unanswered(format!("{} has its range {range} and is silent", owner.node))),
        }
    }
}

fn no_life(leader: Option<&str>) -> Problem {
    let why = match leader {
        Some(leader) => format!("{leader} leads and has not taken it in yet"),
        None => "no node is known to lead: it tries to, unless `coordinator.candidate` says no"
            .to_owned(),
    };
    Problem::new(Code::CatchingUp, "this node has not joined the cluster yet", why)
        .remedy("throughline status   until it has; its log says what it waits for")
}

/// Calls, passed on to the life that there is.
macro_rules! by_life {
    ($self:ident, $front:expr; $($name:ident($($argument:ident: $kind:ty)?) -> $answer:ty;)*) => {
        $(fn $name(&$self $(, $argument: $kind)?) -> Reply<'_, $answer> {
            async move { $front.life()?.$name($($argument)?).await }.boxed()
        })*
    };
}

/// Parts of the picture.
macro_rules! by_all {
    ($($name:ident -> $answer:ty = $part:expr;)*) => {
        $(fn $name(&self) -> Reply<'_, $answer> {
            async move {
                let picture = self.picture().await?;
                let part: fn(Picture) -> Answer<$answer> = $part;
                Ok(part(picture))
            }
            .boxed()
        })*
    };
}

impl Backend for Front {
    by_all! {
        cluster -> Cluster = |it| Answer { value: it.overview.cluster, as_of: it.as_of };
        nodes -> Vec<Node> = |it| Answer { value: it.overview.nodes, as_of: it.as_of };
        ranges -> Vec<Range> = |it| Answer { value: it.overview.ranges, as_of: it.as_of };
        overview -> Overview = |it| Answer { value: it.overview, as_of: it.as_of };
        ledger -> Ledger = |it| Answer { value: it.ledger, as_of: it.as_of };
    }

    fn transaction(&self, id: String) -> Reply<'_, Transaction> {
        self.find(id).boxed()
    }

    fn change(&self, change: Change) -> Reply<'_, Granted> {
        async move { self.wishes.ask(self.outside()?, change).await }.boxed()
    }

    fn create_snapshot(&self, request_id: String) -> Reply<'_, Vec<Snapshot>> {
        self.snapshot_all(request_id).boxed()
    }

    life_calls! { by_life! { self, self; pulse() -> Pulse; } }
}

impl Backend for Own {
    cluster_calls! { by_life! { self, self.0; } }
    life_calls! { by_life! { self, self.0;
        create_snapshot(request_id: String) -> Vec<Snapshot>;
        pulse() -> Pulse;
    } }
}

#[cfg(test)]
mod tests;

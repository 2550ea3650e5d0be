//! A snapshot of the cluster: every node takes one of the ranges that it owns, at the same time, and together they hold
//! every range.
//!
//! No moment is common to them, and none need be: each range is restored from its own snapshot and the journals behind.

use std::collections::BTreeSet;
use std::time::Duration;

use coordinator::machine::member::Member;
use futures::future::join_all;
use proto::types::RangeId;

use super::{Front, Outside, Question, Said, no_life};
use crate::api::backend::{Answer, AsOf, Snapshot};
use crate::assembly::upkeep::requests::Part;
use crate::cluster::agent::View;
use crate::problem::{Code, Problem};

/// A node is asked that often without an answer before it is given up. Each time it has a second.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

impl Front {
    /// Has every owner take its part; a part for each, newest first.
    pub(super) async fn snapshot_all(
        &self,
        mut request_id: String,
    ) -> Result<Answer<Vec<Snapshot>>, Problem> {
        let outside = self.outside()?;
        let view = outside.view();
        if request_id.is_empty() {
            request_id = format!("unnamed-{}", actors::clock::nonce());
        }
        let owners: BTreeSet<&Member> =
            view.table.ranges().filter_map(|(_, range)| range.owner()).collect();
        if owners.is_empty() {
            return Err(no_life(outside.leader().as_ref().map(|it| it.as_str())));
        }
        let parts = owners.into_iter().map(|owner| self.part(outside, &view, owner, &request_id));
        let parts: Result<Vec<Part>, Problem> = join_all(parts).await.into_iter().collect();
        let parts = parts?;
        let held: BTreeSet<RangeId> = parts.iter().flat_map(|part| part.ranges.clone()).collect();
        let missing: Vec<RangeId> = outside
            .view()
            .table
            .ranges()
            .map(|(id, _)| id)
            .filter(|it| !held.contains(it))
            .collect();
        if !missing.is_empty() {
            return Err(incomplete(&missing));
        }
        let mut value: Vec<Snapshot> = parts.into_iter().map(|part| part.snapshot).collect();
        value.sort_by_key(|it| std::cmp::Reverse(it.name.parse::<u64>().unwrap_or_default()));
        let as_of = AsOf { map_version: view.read.0, ..AsOf::default() };
        Ok(Answer { value, as_of })
    }

    /// The owner's part. It takes as long as it takes, and is asked now and then whether it is done.
    async fn part(
        &self,
        outside: &Outside,
        view: &View,
        owner: &Member,
        request_id: &str,
    ) -> Result<Part, Problem> {
        let mut silent = 0;
        while silent < TRIES {
            match self.said(outside, view, owner, Question::Part(request_id.to_owned())).await {
                Some(Said::Part(Some(outcome))) => {
                    return outcome.map_err(|problem| Problem {
                        what: format!("{}: {}", owner.node, problem.what),
                        ..problem
                    });
                }
                Some(Said::Part(None)) => silent = 0,
                Some(Said::Word(_) | Said::Found(_)) | None => silent += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
        let what = format!("{} has taken no snapshot that it told of", owner.node);
        let problem = Problem::new(Code::RangesMissing, what, "it does not answer");
        Err(problem.remedy("throughline cluster status").remedy("try again in some seconds"))
    }
}

fn incomplete(missing: &[RangeId]) -> Problem {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let what = format!("the snapshots do not hold {}", names.join(", "));
    Problem::new(Code::RangesMissing, what, "ranges moved while they were taken")
        .remedy("try again: throughline snapshot create")
}

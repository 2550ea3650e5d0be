//! What operators ask of who leads, through this node.

use std::collections::{BTreeSet, VecDeque};

use coordinator::machine::reconcile::Observed;
use coordinator::machine::wish::{self, Denied, Request};
use parking_lot::Mutex;
use proto::types::NodeId;

use super::outside::Outside;
use crate::api::backend::{Answer, AsOf, Change, Granted};
use crate::cluster::agent::View;
use crate::problem::{Code, Problem};

/// How many granted requests are remembered (I13).
const REMEMBERED: usize = 256;

/// Passes requests on, each once.
#[derive(Default)]
pub(super) struct Wishes {
    /// What was granted lately under an id, oldest first.
    granted: Mutex<VecDeque<(String, Request)>>,
}

impl Wishes {
    /// Asks who leads, unless it was granted before under the same id, or is only to be checked.
    pub(super) async fn ask(
        &self,
        outside: &Outside,
        change: Change,
    ) -> Result<Answer<Granted>, Problem> {
        let view = outside.view();
        let answer = |change, leader| {
            let as_of = AsOf { map_version: view.read.0, ..AsOf::default() };
            Answer { value: Granted { change, leader }, as_of }
        };
        if self.is_granted(&change)? {
            return Ok(answer(change, outside.leader()));
        }
        check(&view, &change)?;
        let leader = outside.leader().ok_or_else(nobody_leads)?;
        if !change.is_trial {
            let asked = outside.admin.ask(change.request.clone()).await;
            asked.map_err(|why| denied(&leader, why))?;
            self.remember(&change);
        }
        Ok(answer(change, Some(leader)))
    }

    fn is_granted(&self, change: &Change) -> Result<bool, Problem> {
        let granted = self.granted.lock();
        let known = granted.iter().find(|(id, _)| !id.is_empty() && *id == change.request_id);
        match known {
            None => Ok(false),
            Some((_, request)) if *request == change.request => Ok(true),
            Some(_) => {
                let why = "another request was granted under it";
                Err(Problem::new(Code::BadArgument, "cannot take that request id again", why)
                    .remedy("give each request an id of its own"))
            }
        }
    }

    fn remember(&self, change: &Change) {
        if change.request_id.is_empty() {
            return;
        }
        let mut granted = self.granted.lock();
        if granted.len() == REMEMBERED {
            granted.pop_front();
        }
        granted.push_back((change.request_id.clone(), change.request.clone()));
    }
}

/// Whether what is asked for exists. Whoever leads may know more, so for all but a trial nothing else is
/// decided here.
fn check(view: &View, change: &Change) -> Result<(), Problem> {
    let (table, held_dead) = (&view.table, BTreeSet::new());
    let facts = Observed { table, held_dead: &held_dead }.facts();
    let asked = wish::Wishes::default().ask(&change.request, table, &facts);
    let Err(denial) = asked else { return Ok(()) };
    match denial {
        Denied::NoNode(_) => {
            Err(not_granted(Code::NodeNotFound, &denial).remedy("throughline node list"))
        }
        Denied::NoRange(_) => {
            Err(not_granted(Code::RangeNotFound, &denial).remedy("throughline range list"))
        }
        Denied::NotLeading(_)
        | Denied::Busy
        | Denied::NotAlive(_)
        | Denied::Closed(_)
        | Denied::NoCut { .. }
        | Denied::NoNumber(_)
        | Denied::CannotAlign { .. } => match change.is_trial {
            true => Err(not_granted(Code::Denied, &denial).remedy("throughline cluster status")),
            false => Ok(()),
        },
    }
}

fn not_granted(code: Code, denial: &Denied) -> Problem {
    Problem::new(code, "it is not granted", denial.to_string())
}

fn denied(leader: &NodeId, why: String) -> Problem {
    Problem::new(Code::Denied, format!("{leader} does not grant it"), why)
        .remedy("throughline cluster status")
}

fn nobody_leads() -> Problem {
    let why = "who led is silent, and no other node leads yet";
    Problem::new(Code::NobodyLeads, "nothing can be moved now", why)
        .remedy("try again in some seconds")
        .remedy("throughline cluster status")
}

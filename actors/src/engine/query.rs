//! What an engine answers: a transaction, the ranges' reports, cells of indicators.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::log::{Log, LogError};
use proto::types::{RangeId, RecordTime, Slot, TransactionKey};
use ractor::rpc::CallResult;

use super::start::Engine;
use crate::aggregator::{Answer, Query};
use crate::journal::object::{ObjectError, Sealed};
use crate::machine::mailbox::Mailbox;
use crate::machine::range::Found;
use crate::range::{self, Checkpoint, Report};
use crate::sink::{Outlet, Row};

/// How long an actor is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause before an aggregator that was not reached is looked for again.
const AGAIN: Duration = Duration::from_millis(50);

/// What is known about a transaction.
#[derive(Debug)]
pub enum TransactionFound {
    /// It is open, or incomplete and can still be corrected.
    Open {
        /// The legs that have come.
        mailbox: Box<Mailbox>,
        /// When it is due.
        deadline: RecordTime,
    },
    /// It is done, and this is what was said last.
    Done(Box<Row>),
    /// It is done; what was said is no longer kept.
    Forgotten,
    /// Nothing is remembered of it.
    Unknown,
}

/// Cells and how fresh they are.
pub type Cells = Answer;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A range or aggregator did not answer in time.
    #[error("{0} did not answer within {PATIENCE:?}")]
    Silent(String),
    /// There is no such dimension.
    #[error("no scenario has a dimension `{0}`")]
    Dimension(String),
    /// The journal could not be read.
    #[error("read the journal")]
    Log(#[from] LogError),
    /// An object of the journal does not verify.
    #[error("read the journal")]
    Object(#[from] ObjectError),
    /// A checkpoint could not be written.
    #[error("write a checkpoint: {0}")]
    Checkpoint(String),
}

impl Engine {
    /// Every range's report.
    ///
    /// # Errors
    ///
    /// [`QueryError::Silent`] names the first range that did not answer.
    pub async fn reports(&self) -> Result<Vec<Report>, QueryError> {
        let ask = self.ranges().into_iter().map(|target| async move {
            let answer = target.actor.call(range::Message::Report, Some(PATIENCE)).await;
            said(answer, || target.range.to_string())
        });
        futures::future::try_join_all(ask).await
    }

    /// What is known about the transaction with that id, whose key is `key`.
    ///
    /// # Errors
    ///
    /// [`QueryError`], where its range does not answer or the journal cannot be read.
    pub async fn find(
        &self,
        key: TransactionKey,
        id: &[u8],
    ) -> Result<TransactionFound, QueryError> {
        let mut ranges = self.ranges().into_iter();
        let Some(target) = ranges.find(|target| target.keys.contains(key.hash())) else {
            return Ok(TransactionFound::Unknown);
        };
        let answer =
            target.actor.call(|port| range::Message::Find(key, port), Some(PATIENCE)).await;
        Ok(match said(answer, || target.range.to_string())? {
            Found::Open { mailbox, deadline } => TransactionFound::Open { mailbox, deadline },
            Found::Unknown => TransactionFound::Unknown,
            Found::Done { commit } => {
                let row = self.result(target.range, commit, id).await?;
                row.map_or(TransactionFound::Forgotten, |row| TransactionFound::Done(Box::new(row)))
            }
        })
    }

    /// Cells of one dimension, of whoever sums it up; the answer says which ranges are missing in it.
    ///
    /// # Errors
    ///
    /// [`QueryError`], where there is no such dimension or its aggregator does not answer.
    pub async fn cells(&self, dimension: &str, query: Query) -> Result<Cells, QueryError> {
        let unknown = || QueryError::Dimension(dimension.to_owned());
        let aggregators = self.links.aggregators();
        aggregators.of(dimension).ok_or_else(unknown)?;
        let asked = async {
            loop {
                if let Some(answer) = aggregators.ask(dimension, query.clone()).await {
                    return answer;
                }
                // It is about to be elsewhere, or to be reached.
                tokio::time::sleep(AGAIN).await;
            }
        };
        let silent = |_| QueryError::Silent(format!("the aggregator of {dimension}"));
        tokio::time::timeout(PATIENCE, asked).await.map_err(silent)
    }

    /// Has a range write a copy of its store, as of its last commit; `None` where it has committed nothing yet.
    ///
    /// # Errors
    ///
    /// [`QueryError`], where the range does not answer or the disk fails.
    pub async fn checkpoint(
        &self,
        range: RangeId,
        to: std::path::PathBuf,
    ) -> Result<Option<Checkpoint>, QueryError> {
        let Some(target) = self.ranges().into_iter().find(|it| it.range == range) else {
            return Ok(None);
        };
        let ask = |port| range::Message::Checkpoint(to, port);
        let answer = target.actor.call(ask, Some(PATIENCE * 12)).await;
        said(answer, || range.to_string())?.map_err(QueryError::Checkpoint)
    }

    /// The row that the commit with that number (its low half) says about a transaction.
    async fn result(
        &self,
        range: RangeId,
        commit: u32,
        id: &[u8],
    ) -> Result<Option<Row>, QueryError> {
        let holding = self.holdings().into_iter().find(|it| it.id == range);
        let past = holding.into_iter().flat_map(|it| it.past).map(|it| (it.life, it.journal));
        let journals = past.chain([(self.life(), Arc::clone(&self.setup.journal))]);
        let mut searched = BTreeSet::new();
        for (life, journal) in journals.collect::<Vec<_>>().into_iter().rev() {
            if !searched.insert(life) {
                continue;
            }
            if let Some(row) = search(&*journal, range, commit, id).await? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

pub(super) fn said<T>(
    answer: Result<CallResult<T>, impl std::fmt::Debug>,
    who: impl Fn() -> String,
) -> Result<T, QueryError> {
    match answer {
        Ok(CallResult::Success(answer)) => Ok(answer),
        Ok(CallResult::Timeout | CallResult::SenderError) | Err(_) => {
            Err(QueryError::Silent(who()))
        }
    }
}

/// Finds the commit by halving: in a journal a range's commits rise with the slots.
async fn search(
    journal: &dyn Log,
    range: RangeId,
    commit: u32,
    id: &[u8],
) -> Result<Option<Row>, QueryError> {
    let slots = journal.slots().await?;
    let (mut low, mut high) = (0, slots.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let Some((at, number, sealed)) = from(journal, range, &slots[middle..high]).await? else {
            high = middle;
            continue;
        };
        if number == commit {
            let rows = sealed.block(range)?.map(|block| block.rows).unwrap_or_default();
            let is_it = |row: &Row| row.outlet == Outlet::Transactions && row.key == id;
            return Ok(rows.into_iter().rfind(is_it));
        }
        if number < commit {
            low = middle + at + 1;
        } else {
            high = middle;
        }
    }
    Ok(None)
}

/// The first of `slots` that has a block of the range: its place, the low half of the commit, the object.
async fn from(
    journal: &dyn Log,
    range: RangeId,
    slots: &[Slot],
) -> Result<Option<(usize, u32, Sealed)>, QueryError> {
    for (at, &slot) in slots.iter().enumerate() {
        let Some(object) = journal.read(slot).await? else { continue };
        let Ok(sealed) = open(object)? else { continue };
        let number = sealed.ranges().find(|(it, _)| *it == range).map(|(_, commit)| commit);
        if let Some(number) = number {
            return Ok(Some((at, crate::machine::tombstones::Tombstones::commit(number), sealed)));
        }
    }
    Ok(None)
}

/// `Err` inside where the object is something else than a commit.
fn open(object: Bytes) -> Result<Result<Sealed, ()>, ObjectError> {
    match Sealed::open(object) {
        Ok(sealed) => Ok(Ok(sealed)),
        Err(ObjectError::NoCommit) => Ok(Err(())),
        Err(error) => Err(error),
    }
}

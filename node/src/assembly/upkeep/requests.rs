//! Snapshots that somebody has asked for: each is taken once, however often and from wherever it is asked for, and also
//! when nobody waits for it any more.

use std::collections::VecDeque;

use parking_lot::Mutex;
use proto::types::RangeId;
use tokio::sync::{Notify, watch};

use crate::api::backend::Snapshot;
use crate::problem::{Code, Problem};

/// How many requests are remembered (I13).
const REMEMBERED: usize = 256;

/// One node's part of a snapshot of the cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::assembly) struct Part {
    pub(in crate::assembly) snapshot: Snapshot,
    /// The ranges that it holds.
    pub(in crate::assembly) ranges: Vec<RangeId>,
}

type Outcome = Result<Part, Problem>;

/// A snapshot on its way.
#[derive(Clone, Debug)]
pub(in crate::assembly) struct Taking(watch::Receiver<Option<Outcome>>);

impl Taking {
    /// What came of it.
    pub(in crate::assembly) async fn done(mut self) -> Outcome {
        match self.0.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => {
                let why = "the node stopped before it came to it";
                let problem = Problem::new(Code::CatchingUp, "no snapshot was taken", why);
                Err(problem.remedy("try again in some seconds"))
            }
        }
    }

    fn has_failed(&self) -> bool {
        matches!(*self.0.borrow(), Some(Err(_)))
    }
}

/// A snapshot that is to be taken now.
pub(super) struct Asked(watch::Sender<Option<Outcome>>);

impl Asked {
    pub(super) fn done(self, outcome: Outcome) {
        self.0.send_replace(Some(outcome));
    }
}

/// What has been asked for.
#[derive(Default)]
pub(super) struct Requests {
    books: Mutex<Books>,
    news: Notify,
}

#[derive(Default)]
struct Books {
    /// By the ids of requests, oldest first.
    lately: VecDeque<(String, Taking)>,
    waiting: VecDeque<Asked>,
}

impl Requests {
    /// The snapshot of that request: one that is being taken, or was, or will be. One that failed is tried again.
    pub(super) fn ask(&self, id: &str) -> Taking {
        let mut books = self.books.lock();
        books.lately.retain(|(_, taking)| !taking.has_failed());
        let known = books.lately.iter().find(|(known, _)| !id.is_empty() && known == id);
        if let Some((_, taking)) = known {
            return taking.clone();
        }
        let (sender, receiver) = watch::channel(None);
        let taking = Taking(receiver);
        books.waiting.push_back(Asked(sender));
        if books.lately.len() == REMEMBERED {
            books.lately.pop_front();
        }
        books.lately.push_back((id.to_owned(), taking.clone()));
        self.news.notify_one();
        taking
    }

    /// The next that is to be taken.
    pub(super) async fn next(&self) -> Asked {
        loop {
            if let Some(asked) = self.books.lock().waiting.pop_front() {
                return asked;
            }
            self.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::snapshot;

    fn part(name: &str) -> Part {
        Part { snapshot: snapshot(name), ranges: Vec::new() }
    }

    #[tokio::test]
    async fn the_same_request_is_the_same_snapshot_and_one_without_a_name_is_another() {
        let requests = Requests::default();
        let (first, again) = (requests.ask("a"), requests.ask("a"));
        requests.next().await.done(Ok(part("1")));
        let late = requests.ask("a");
        for taking in [first, again, late] {
            assert_eq!(taking.done().await, Ok(part("1")));
        }
        let unnamed = [requests.ask(""), requests.ask("")];
        for (name, taking) in ["2", "3"].into_iter().zip(unnamed) {
            requests.next().await.done(Ok(part(name)));
            assert_eq!(taking.done().await, Ok(part(name)));
        }
    }

    #[tokio::test]
    async fn one_that_failed_is_tried_again_and_one_that_nobody_comes_to_has_failed() {
        let requests = Requests::default();
        let failed = Problem::new(Code::CatchingUp, "it is too early", "nothing was read");
        let taking = requests.ask("a");
        requests.next().await.done(Err(failed.clone()));
        assert_eq!(taking.done().await, Err(failed));
        let taking = requests.ask("a");
        requests.next().await.done(Ok(part("1")));
        assert_eq!(taking.done().await, Ok(part("1")));

        let taking = requests.ask("b");
        drop(requests);
        assert_eq!(taking.done().await.unwrap_err().code, Code::CatchingUp);
    }

    /// I13.
    #[tokio::test]
    async fn so_many_requests_are_remembered_and_no_more() {
        let requests = Requests::default();
        for number in 0..=REMEMBERED {
            requests.ask(&number.to_string());
            requests.next().await.done(Ok(part(&number.to_string())));
        }
        assert_eq!(requests.books.lock().lately.len(), REMEMBERED);
        let (oldest, newest) = (requests.ask("0"), requests.ask(&REMEMBERED.to_string()));
        requests.next().await.done(Ok(part("anew")));
        assert_eq!(oldest.done().await, Ok(part("anew")));
        assert_eq!(newest.done().await, Ok(part(&REMEMBERED.to_string())));
    }
}

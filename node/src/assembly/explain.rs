//! Why a node cannot start or go on, for people: what happened, why, what to do.

use actors::committer::engine_text;
use actors::engine::RestoreError;
use actors::lock::LockError;
use actors::source::SourceError;

use crate::problem::{Code, Problem};

/// The problem that is behind an error of the start, where it is one that people can do something about.
pub(super) fn explain(error: anyhow::Error) -> anyhow::Error {
    let problem = error.chain().find_map(|cause| {
        let source = cause.downcast_ref().map(of_source);
        let lock = || cause.downcast_ref().and_then(of_lock);
        source.or_else(lock).or_else(|| cause.downcast_ref().and_then(of_restore))
    });
    problem.map_or(error, anyhow::Error::from)
}

/// A part of a running node has failed, and the node stops with it.
pub(super) fn failed(why: &str) -> anyhow::Error {
    Problem::new(Code::Unhealthy, "the node has stopped", why)
        .remedy("nothing that was committed is lost: mend the cause, and start the node again")
        .into()
}

fn of_source(error: &SourceError) -> Problem {
    let why = engine_text(error);
    match error {
        SourceError::Missing(_) => {
            Problem::new(Code::BadConfig, "the node cannot read its sources", why)
                .remedy("create the topic, or mend its name in sources.legs of the cluster file")
        }
        SourceError::Unreachable { .. } => {
            Problem::new(Code::Unreachable, "the node cannot reach its sources", why)
                .remedy("start Kafka, or mend sources.kafka.brokers in the cluster file")
        }
        SourceError::Trimmed { .. } | SourceError::Shrunk { .. } => Problem::new(
            Code::CheckFailed,
            "records that were not yet read are gone",
            why,
        )
        .remedy(
            "put the records back from a copy of the topic; the node does not skip them by itself",
        ),
    }
}

fn of_lock(error: &LockError) -> Option<Problem> {
    match error {
        LockError::Held { .. } => {
            let what = "another process runs in this directory";
            Some(
                Problem::new(Code::AlreadyRunning, what, error.to_string())
                    .remedy("stop it, or set storage.dir in the cluster file to another directory"),
            )
        }
        LockError::Failed { .. } => None,
    }
}

fn of_restore(error: &RestoreError) -> Option<Problem> {
    match error {
        RestoreError::Object { .. } | RestoreError::Gap { .. } | RestoreError::Lost { .. } => {
            let what = "the node's state cannot be restored";
            Some(
                Problem::new(Code::CheckFailed, what, error.to_string())
                    .remedy("put back what is damaged or gone, then start the node again"),
            )
        }
        RestoreError::Nowhere { .. } | RestoreError::Rotten { .. } => {
            let what = "the node's state cannot be restored";
            let remedy = "put back the journal or a snapshot from a copy of storage.objects, then start again";
            Some(Problem::new(Code::CheckFailed, what, engine_text(error)).remedy(remedy))
        }
        RestoreError::NoSnapshot(_) => {
            let what = "no snapshot was restored";
            Some(
                Problem::new(Code::CheckFailed, what, error.to_string())
                    .remedy("throughline run: the node looks by itself for what can be restored")
                    .remedy("put back snapshots from a copy of storage.objects"),
            )
        }
        // The source has a word of its own to say.
        RestoreError::Source(_) | RestoreError::Snapshot(_) => None,
        RestoreError::Log(_) | RestoreError::Store(_) | RestoreError::Load(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[track_caller]
    fn check(error: impl Into<anyhow::Error>, code: Code) {
        let explained = explain(error.into().context("start the node"));
        let problem = explained.downcast::<Problem>().unwrap();
        assert_eq!(problem.code, code, "{problem}");
        assert!(!problem.remedy.is_empty());
    }

    #[test]
    fn who_cannot_start_says_what_to_do() {
        check(SourceError::Missing("topic x".to_owned()), Code::BadConfig);
        let dir = std::path::PathBuf::from("data");
        check(LockError::Held { dir, holder: "process 1".to_owned() }, Code::AlreadyRunning);
        let (range, missing) = (proto::types::RangeId(3), 2);
        check(RestoreError::Lost { range, missing }, Code::CheckFailed);
        let refused = "there is no local state; the journals alone: slot s1 is gone".to_owned();
        check(RestoreError::Nowhere { range, refused }, Code::CheckFailed);
        check(RestoreError::NoSnapshot("there is none".to_owned()), Code::CheckFailed);
    }

    #[test]
    fn what_nobody_can_explain_stays_as_it_is() {
        let error = Err::<(), _>(std::fmt::Error).context("start the node").unwrap_err();
        assert!(explain(error).downcast::<Problem>().is_err());
    }
}

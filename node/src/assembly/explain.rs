//! Why a node cannot start or go on, for people: what happened, why, what to do.

use std::io::ErrorKind;

use actors::causes::one_line;
use actors::engine::RestoreError;
use actors::lock::LockError;
use actors::source::SourceError;

use crate::problem::{Code, Problem};
use crate::workload::kafka;

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

/// The problem behind an error about files or Kafka that somebody named on the command line.
pub(super) fn by_hand(error: anyhow::Error, remedy: &str) -> anyhow::Error {
    let doing = error.to_string();
    let problem = error.chain().find_map(|cause| {
        let known = || cause.downcast_ref().cloned();
        let file = || cause.downcast_ref().and_then(|it| of_file(&doing, it, remedy));
        let text = || cause.downcast_ref().map(|it| of_text(&doing, it, remedy));
        let kafka = || cause.downcast_ref().and_then(|it| kafka::problem(&doing, it));
        known().or_else(file).or_else(text).or_else(kafka)
    });
    problem.map_or(error, anyhow::Error::from)
}

/// What a file can be like that was named wrong.
const NAMED_WRONG: [(ErrorKind, Code, &str); 7] = [
    (ErrorKind::NotFound, Code::FileNotFound, "there is no such file or folder"),
    (ErrorKind::PermissionDenied, Code::BadArgument, "it is not permitted"),
    (ErrorKind::IsADirectory, Code::BadArgument, "it is a folder, and a file is wanted"),
    (ErrorKind::NotADirectory, Code::BadArgument, "it is a file, and a folder is wanted"),
    (ErrorKind::AlreadyExists, Code::BadArgument, "something else has that name"),
    (ErrorKind::ReadOnlyFilesystem, Code::BadArgument, "the disk is read-only"),
    (ErrorKind::StorageFull, Code::BadArgument, "the disk is full"),
];

/// `None` where the disk itself fails: there is nothing to mend in what was typed.
fn of_file(doing: &str, error: &std::io::Error, remedy: &str) -> Option<Problem> {
    let known = NAMED_WRONG.iter().find(|(kind, _, _)| *kind == error.kind());
    known.map(|(_, code, why)| Problem::new(*code, format!("cannot {doing}"), *why).remedy(remedy))
}

fn of_text(doing: &str, error: &serde_json::Error, remedy: &str) -> Problem {
    Problem::new(Code::BadArgument, format!("cannot {doing}"), error.to_string()).remedy(remedy)
}

fn of_source(error: &SourceError) -> Problem {
    let why = one_line(error);
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
            Some(Problem::new(Code::CheckFailed, what, one_line(error)).remedy(remedy))
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
        RestoreError::Trimmed { .. } => None,
        RestoreError::Log(_) | RestoreError::Store(_) | RestoreError::Load(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

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

    #[track_caller]
    fn named(error: impl Into<anyhow::Error>, code: Code, what: &str) {
        let problem = by_hand(error.into().context("read x.json"), "name another");
        let problem = problem.downcast::<Problem>().unwrap();
        assert_eq!((problem.code, problem.what.as_str()), (code, what), "{problem}");
        assert!(!problem.why.contains("os error"), "{problem}");
    }

    #[test]
    fn what_was_typed_wrong_is_no_fault_of_ours() {
        let file = |kind: ErrorKind| std::io::Error::from(kind);
        named(file(ErrorKind::NotFound), Code::FileNotFound, "cannot read x.json");
        named(file(ErrorKind::IsADirectory), Code::BadArgument, "cannot read x.json");
        let text = serde_json::from_str::<u8>("{").unwrap_err();
        named(text, Code::BadArgument, "cannot read x.json");
        named(Problem::new(Code::Usage, "as it was", "why"), Code::Usage, "as it was");
        let (timed_out, refused) =
            (RDKafkaErrorCode::OperationTimedOut, RDKafkaErrorCode::TopicAuthorizationFailed);
        named(KafkaError::MetadataFetch(timed_out), Code::Unreachable, "cannot read x.json");
        let other = by_hand(KafkaError::MetadataFetch(refused).into(), "");
        assert!(other.downcast::<Problem>().is_err());
        assert!(by_hand(file(ErrorKind::Other).into(), "").downcast::<Problem>().is_err());
    }

    #[test]
    fn what_nobody_can_explain_stays_as_it_is() {
        let error = Err::<(), _>(std::fmt::Error).context("start the node").unwrap_err();
        assert!(explain(error).downcast::<Problem>().is_err());
    }
}

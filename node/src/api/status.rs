//! A problem on its way through gRPC: `google.rpc.Status` with `ErrorInfo`, and back.

use std::collections::HashMap;
use std::error::Error as _;

use hyper::HeaderMap;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

use crate::problem::{Code, Problem};

const DOMAIN: &str = "throughline.dev";

/// The problem as a status. Its parts are in the metadata, so that no client has to read prose.
pub(super) fn status(problem: &Problem) -> Status {
    let metadata = HashMap::from([
        ("code".to_owned(), problem.code.to_string()),
        ("what".to_owned(), problem.what.clone()),
        ("why".to_owned(), problem.why.clone()),
        ("do".to_owned(), problem.remedy.join("\n")),
    ]);
    let details = ErrorDetails::with_error_info(problem.code.reason(), DOMAIN, metadata);
    Status::with_error_details(problem.code.grpc(), problem.to_string(), details)
}

/// The problem that a status tells of, also one that is not ours.
#[must_use]
pub fn problem_of(status: &Status) -> Problem {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    let Some(mut info) = info else {
        return foreign(status);
    };
    // A newer node may send a reason that this version doesn't know: the gRPC code still tells
    // how the command ends.
    let code = Code::of_reason(&info.reason).unwrap_or_else(|| Code::of_grpc(status.code()));
    let mut part = |name: &str| info.metadata.remove(name).unwrap_or_default();
    let (what, why, remedy) = (part("what"), part("why"), part("do"));
    Problem { code, what, why, remedy: remedy.lines().map(str::to_owned).collect() }
}

/// Whether an answer with these headers comes from no service: one of ours would give its reason.
pub(super) fn is_unknown(headers: &HeaderMap) -> bool {
    let is_refused = headers.get(Status::GRPC_STATUS).is_some_and(|code| code == "12");
    is_refused && !headers.contains_key(Status::GRPC_STATUS_DETAILS)
}

/// A status without our details: from something between, or because the connection itself failed.
fn foreign(status: &Status) -> Problem {
    match status.source() {
        Some(cause) if status.code() == tonic::Code::Unknown => {
            let what = "what answers there is no node, or the connection broke";
            Problem::new(Code::Unreachable, what, actors::causes::one_line(cause))
                .remedy("throughline status --endpoint …   ask another")
        }
        Some(_) | None => {
            Problem::new(Code::of_grpc(status.code()), "the call failed", status.message())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_survives_the_wire_whole() {
        for &code in Code::ALL {
            let problem = Problem::new(code, "cannot x", "y: z").remedy("do a").remedy("do b");
            let status = status(&problem);
            assert_eq!(status.code(), code.grpc());
            assert_eq!(problem_of(&status), problem);
        }
    }

    #[test]
    fn a_reason_from_the_future_ends_as_its_grpc_code_says() {
        let details = ErrorDetails::with_error_info("NEW", DOMAIN, HashMap::new());
        let status = Status::with_error_details(tonic::Code::Unavailable, "m", details);
        assert_eq!(problem_of(&status).code, Code::Unreachable);
    }

    #[test]
    fn a_connection_that_fails_is_no_fault_of_ours() {
        let broken = std::io::Error::other("invalid HTTP version parsed");
        let problem = problem_of(&Status::from_error(Box::new(broken)));
        assert_eq!(problem.code, Code::Unreachable, "{problem}");
        assert!(problem.why.contains("invalid HTTP"), "{problem}");
    }

    #[test]
    fn a_status_of_somebody_else_keeps_its_message() {
        let problem = problem_of(&Status::deadline_exceeded("too slow"));
        assert_eq!(problem, Problem::new(Code::TooSlow, "the call failed", "too slow"));
    }
}

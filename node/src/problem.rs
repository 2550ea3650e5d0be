//! What can go wrong for a person or a program outside: one register of codes for the API and the command line.

pub mod explained;

use std::fmt;

use tonic::Code as Grpc;

/// How a command ends. Scripts depend on the numbers: they never change their meaning.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A fault of ours, or one that we don't know.
    Bug = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Nobody answers, or not in time.
    Unreachable = 4,
    /// Answered, but the cluster is not healthy.
    Unhealthy = 5,
    /// The state of things forbids it now.
    Conflict = 6,
    /// Not allowed.
    Forbidden = 7,
    /// A file or an argument says something impossible.
    Invalid = 8,
    /// A check found loss, duplicates or a wrong result.
    CheckFailed = 9,
    /// Stopped by the person.
    Interrupted = 130,
}

impl Exit {
    /// Every way to end.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Bug,
        Self::Usage,
        Self::NotFound,
        Self::Unreachable,
        Self::Unhealthy,
        Self::Conflict,
        Self::Forbidden,
        Self::Invalid,
        Self::CheckFailed,
        Self::Interrupted,
    ];

    /// The process's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

macro_rules! register {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $reason:literal, $grpc:ident;)*) => {
        /// Everything that has a code. The first two digits are the exit code.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number that people quote.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// The word that programs compare (`ErrorInfo.reason`), never used again for another.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }

            /// The gRPC code under which it travels.
            #[must_use]
            pub const fn grpc(self) -> Grpc {
                match self { $(Self::$name => Grpc::$grpc,)* }
            }
        }
    };
}

register! {
    /// A fault of ours.
    Bug = 101, "BUG", Internal;
    /// The command line is wrong.
    Usage = 290, "USAGE", InvalidArgument;
    /// Nobody remembers that transaction.
    TransactionNotFound = 301, "TRANSACTION_NOT_FOUND", NotFound;
    /// No indicator of that name.
    IndicatorNotFound = 302, "INDICATOR_NOT_FOUND", NotFound;
    /// No snapshot of that name.
    SnapshotNotFound = 303, "SNAPSHOT_NOT_FOUND", NotFound;
    /// No file there.
    FileNotFound = 304, "FILE_NOT_FOUND", NotFound;
    /// The bucket that the cluster file names is not there.
    BucketNotFound = 305, "BUCKET_NOT_FOUND", NotFound;
    /// No node of that name.
    NodeNotFound = 306, "NODE_NOT_FOUND", NotFound;
    /// No range of that number.
    RangeNotFound = 307, "RANGE_NOT_FOUND", NotFound;
    /// No drill of that name.
    DrillNotFound = 308, "DRILL_NOT_FOUND", NotFound;
    /// No node answers at the endpoint.
    Unreachable = 401, "UNREACHABLE", Unavailable;
    /// The answer took too long.
    TooSlow = 402, "TOO_SLOW", DeadlineExceeded;
    /// The ranges that would know do not answer.
    RangesMissing = 403, "RANGES_MISSING", Unavailable;
    /// The node is still restoring.
    CatchingUp = 404, "CATCHING_UP", Unavailable;
    /// The caller asks for more than one answer can hold.
    TooWide = 405, "QUERY_TOO_WIDE", ResourceExhausted;
    /// The object store does not answer.
    StoreUnreachable = 406, "OBJECT_STORE_UNREACHABLE", Unavailable;
    /// No node is known to lead.
    NobodyLeads = 407, "NOBODY_LEADS", Unavailable;
    /// A copy of a cluster was begun and not finished.
    CopyUnfinished = 408, "COPY_UNFINISHED", Unavailable;
    /// The cluster answers and is not well.
    Unhealthy = 501, "UNHEALTHY", FailedPrecondition;
    /// Something like it is already under way.
    AlreadyRunning = 601, "ALREADY_RUNNING", FailedPrecondition;
    /// The list has changed under its page token.
    PageTokenExpired = 602, "PAGE_TOKEN_EXPIRED", FailedPrecondition;
    /// This version cannot do that.
    NotOffered = 603, "NOT_OFFERED", Unimplemented;
    /// Another process listens there.
    AddressTaken = 604, "ADDRESS_TAKEN", FailedPrecondition;
    /// What only a cluster can do, asked of a node that is none.
    Alone = 605, "NO_CLUSTER", FailedPrecondition;
    /// Who leads does not grant it.
    Denied = 606, "DENIED", FailedPrecondition;
    /// Another cluster's state lies there.
    PlaceTaken = 607, "PLACE_TAKEN", FailedPrecondition;
    /// The caller's role may not do that.
    NotAllowed = 701, "ROLE_NEEDED", PermissionDenied;
    /// The object store does not let the node in.
    StoreRefuses = 702, "OBJECT_STORE_REFUSES", PermissionDenied;
    /// An argument's content is impossible.
    BadArgument = 801, "ARGUMENT_INVALID", InvalidArgument;
    /// A filter that cannot be read.
    FilterSyntax = 802, "FILTER_SYNTAX", InvalidArgument;
    /// A dimension that the indicator does not have.
    UnknownDimension = 803, "UNKNOWN_DIMENSION", InvalidArgument;
    /// A configuration that cannot be run.
    BadConfig = 804, "CONFIG_INVALID", InvalidArgument;
    /// An address that may not be listened on.
    NotLoopback = 805, "NOT_LOOPBACK", InvalidArgument;
    /// An object store that does not keep what logs need.
    StoreUnfit = 806, "OBJECT_STORE_UNFIT", FailedPrecondition;
    /// A port for other nodes that would be open to anybody.
    PeerOpen = 807, "PEER_NEEDS_TLS", InvalidArgument;
    /// Certificates for other nodes that cannot be used.
    PeerTls = 808, "PEER_TLS_INVALID", InvalidArgument;
    /// Records are lost, counted twice, or wrong.
    CheckFailed = 901, "CHECK_FAILED", DataLoss;
}

impl Code {
    /// How a command ends that met it.
    #[must_use]
    pub fn exit(self) -> Exit {
        let class = self.number() / 100;
        let ends = |exit: &Exit| u16::from(exit.code()) == class;
        Exit::ALL.into_iter().find(ends).unwrap_or(Exit::Bug)
    }

    /// The code with that reason; `None` where a newer node knows one that we don't.
    #[must_use]
    pub fn of_reason(reason: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.reason() == reason)
    }

    /// The nearest code to an answer that carries no reason of ours.
    #[must_use]
    pub fn of_grpc(code: Grpc) -> Self {
        match code {
            Grpc::Unavailable | Grpc::Cancelled => Self::Unreachable,
            Grpc::DeadlineExceeded => Self::TooSlow,
            Grpc::ResourceExhausted => Self::TooWide,
            Grpc::InvalidArgument | Grpc::OutOfRange => Self::BadArgument,
            Grpc::PermissionDenied | Grpc::Unauthenticated => Self::NotAllowed,
            Grpc::FailedPrecondition | Grpc::Aborted | Grpc::AlreadyExists => Self::AlreadyRunning,
            Grpc::Unimplemented => Self::NotOffered,
            Grpc::DataLoss => Self::CheckFailed,
            Grpc::NotFound => Self::FileNotFound,
            Grpc::Ok | Grpc::Unknown | Grpc::Internal => Self::Bug,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TL-{:04}", self.number())
    }
}

/// What happened, why, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Which of the registered problems it is.
    pub code: Code,
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do, one line each; a command where there is one.
    pub remedy: Vec<String>,
}

impl Problem {
    /// `what` happened because of `why`.
    pub fn new(code: Code, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: why.into(), remedy: Vec::new() }
    }

    /// The same, with one more line of what to do.
    #[must_use]
    pub fn remedy(mut self, line: impl Into<String>) -> Self {
        self.remedy.push(line.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_ways_to_end_share_a_number() {
        let codes: HashSet<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
    }

    #[test]
    fn no_two_codes_share_a_number_or_a_reason() {
        let numbers: HashSet<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        let reasons: HashSet<&str> = Code::ALL.iter().map(|code| code.reason()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        assert_eq!(reasons.len(), Code::ALL.len());
    }

    #[test]
    fn the_first_digits_of_a_code_are_an_exit_code() {
        for code in Code::ALL {
            assert_eq!(u16::from(code.exit().code()), code.number() / 100, "{code}");
        }
    }

    #[test]
    fn a_code_is_found_again_by_its_reason() {
        for code in Code::ALL {
            assert_eq!(Code::of_reason(code.reason()), Some(*code));
        }
        assert_eq!(Code::of_reason("FROM_THE_FUTURE"), None);
    }
}

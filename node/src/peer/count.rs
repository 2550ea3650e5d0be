//! What a node's transport counts: sessions, refusals by reason, messages dropped by reason.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

macro_rules! reasons {
    ($(#[$doc:meta])* $of:ident: $($(#[$each:meta])* $name:ident $label:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $of { $($(#[$each])* $name,)* }

        impl $of {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The reason as a metric's label.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

reasons! {
    /// Why a connection was refused, by us or by the other side.
    Refusal:
    /// The certificate is missing, or no authority of ours has signed it.
    Certificate "certificate";
    /// The certificate is expired, or not valid yet.
    Expired "expired";
    /// It speaks no TLS.
    NotTls "not_tls";
    /// It did not say who it is in time.
    Silent "silent";
    /// It hung up before that.
    HungUp "hung_up";
    /// It speaks something that no node speaks.
    Protocol "protocol";
    /// It is of another cluster.
    Cluster "cluster";
    /// It says another name than its certificate.
    Name "name";
    /// A later life of the same node has been here.
    Stale "stale";
    /// Without TLS, and not on this machine.
    NotLoopback "not_loopback";
    /// The other side has refused us.
    ByPeer "by_peer";
    /// Nobody could be reached.
    Unreachable "unreachable";
}

reasons! {
    /// Why a message was dropped.
    Dropped:
    /// No session to its receiver.
    NoSession "no_session";
    /// Larger than a message may be.
    TooLarge "too_large";
    /// Too much under way to its receiver already.
    Full "full";
    /// Received, without belonging to a session.
    Stranger "stranger";
    /// A question beyond what is worked on at once for a peer.
    Busy "busy";
}

/// What there is to count, at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Sessions that are open, in either direction.
    pub sessions: usize,
    /// Connections refused since the start, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Messages dropped since the start, by reason.
    pub dropped: Vec<(&'static str, u64)>,
}

impl Counts {
    /// Connections refused for that reason.
    #[must_use]
    pub fn refused(&self, reason: Refusal) -> u64 {
        of(&self.refused, reason.label())
    }

    /// Messages dropped for that reason.
    #[must_use]
    pub fn dropped(&self, reason: Dropped) -> u64 {
        of(&self.dropped, reason.label())
    }
}

fn of(counts: &[(&str, u64)], label: &str) -> u64 {
    counts.iter().find(|it| it.0 == label).map_or(0, |it| it.1)
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sessions: AtomicUsize,
    refused: [AtomicU64; Refusal::ALL.len()],
    dropped: [AtomicU64; Dropped::ALL.len()],
}

impl Tally {
    pub(super) fn refuse(&self, reason: Refusal) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn drop(&self, reason: Dropped) {
        self.dropped[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused = Refusal::ALL.iter().zip(&self.refused);
        let dropped = Dropped::ALL.iter().zip(&self.dropped);
        Counts {
            sessions: self.sessions.load(Ordering::Relaxed),
            refused: refused.map(|(reason, it)| (reason.label(), value(it))).collect(),
            dropped: dropped.map(|(reason, it)| (reason.label(), value(it))).collect(),
        }
    }
}

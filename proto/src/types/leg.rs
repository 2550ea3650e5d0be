//! The three messages that a transaction leaves behind.

use std::fmt;

/// One of a transaction's three messages.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Leg {
    /// What the front end recorded.
    Trace = 0,
    /// What was asked of the back end.
    Request = 1,
    /// What the back end answered.
    Response = 2,
}

impl Leg {
    /// All three, in the order in which they happen.
    pub const ALL: [Self; 3] = [Self::Trace, Self::Request, Self::Response];

    /// The leg's place in [`Leg::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The leg at that place in [`Leg::ALL`]; `None` beyond it.
    #[must_use]
    pub const fn from_index(index: u8) -> Option<Self> {
        match index {
            0 => Some(Self::Trace),
            1 => Some(Self::Request),
            2 => Some(Self::Response),
            3.. => None,
        }
    }

    /// The name used in configuration, results and screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

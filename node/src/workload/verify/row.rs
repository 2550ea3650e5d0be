//! A row of output as the checker sees it, wherever it was read.

/// Where rows come out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Outlet {
    /// Joined transactions.
    Transactions,
    /// Legs that came too late even for a correction.
    Late,
    /// Legs that contradict each other.
    Conflicts,
    /// Records that could not be understood.
    DeadLetters,
    /// Indicators, as upserts.
    Indicators,
}

impl Outlet {
    pub(super) const ALL: [Self; 5] =
        [Self::Transactions, Self::Late, Self::Conflicts, Self::DeadLetters, Self::Indicators];

    /// What the topic or file is called after the prefix.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Late => "late",
            Self::Conflicts => "conflicts",
            Self::DeadLetters => "dead-letters",
            Self::Indicators => "indicators",
        }
    }
}

/// A row of output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) outlet: Outlet,
    /// The partition of the outlet, or the number of the file: a range's sequences rise in each.
    pub(super) partition: i32,
    pub(super) value: Option<&'a [u8]>,
    /// The header of that name, as the other three.
    pub(super) range: Option<u64>,
    pub(super) sequence: Option<u64>,
    pub(super) version: Option<u64>,
    /// Of a dead letter: its class, and the topic it comes from.
    pub(super) error: Option<&'a [u8]>,
    pub(super) topic: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    /// A row without headers.
    pub(super) const fn new(outlet: Outlet, partition: i32, value: Option<&'a [u8]>) -> Self {
        let (range, sequence, version) = (None, None, None);
        Self { outlet, partition, value, range, sequence, version, error: None, topic: None }
    }

    /// Takes a header into account; those that no check needs are passed over.
    pub(super) fn set(&mut self, name: &str, text: &'a [u8]) {
        match name {
            "range" => self.range = number(text),
            "sequence" => self.sequence = number(text),
            "version" => self.version = number(text),
            "error" => self.error = Some(text),
            "topic" => self.topic = Some(text),
            _ => {}
        }
    }
}


fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok()
}

//! The lengths of time over which figures are taken.

use std::fmt;

use proto::types::EventTime;

/// A length of time over which figures are taken. Windows begin at multiples of it since the Unix
/// epoch, so a day is a day of UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Window {
    /// One minute.
    Minute = 0,
    /// Five minutes.
    FiveMinutes = 1,
    /// A quarter of an hour.
    Quarter = 2,
    /// One hour.
    Hour = 3,
    /// One day.
    Day = 4,
}

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 5] =
        [Self::Minute, Self::FiveMinutes, Self::Quarter, Self::Hour, Self::Day];

    /// The name used in scenario files and figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// The window of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Its length.
    #[must_use]
    pub const fn length_ms(self) -> i64 {
        const MINUTE: i64 = 60_000;
        match self {
            Self::Minute => MINUTE,
            Self::FiveMinutes => 5 * MINUTE,
            Self::Quarter => 15 * MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => 24 * 60 * MINUTE,
        }
    }

    /// When the window that `time` lies in began.
    #[must_use]
    pub const fn start(self, time: EventTime) -> EventTime {
        // Times before 1970 too belong to the window that began before them.
        EventTime(time.0.saturating_sub(time.0.rem_euclid(self.length_ms())))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_is_found_by_its_name() {
        for window in Window::ALL {
            assert_eq!(Window::from_name(&window.to_string()), Some(window));
        }
        assert_eq!(Window::from_name("2m"), None);
    }

    #[test]
    fn a_window_begins_at_a_multiple_of_its_length() {
        assert_eq!(Window::Minute.start(EventTime(119_999)), EventTime(60_000));
        assert_eq!(Window::Minute.start(EventTime(120_000)), EventTime(120_000));
        assert_eq!(Window::Minute.start(EventTime(-1)), EventTime(-60_000));
        assert_eq!(Window::Day.start(EventTime(86_400_001)), EventTime(86_400_000));
    }

    proptest! {
        #[test]
        fn every_time_lies_in_its_window(time in -1_i64 << 50..1_i64 << 50) {
            for window in Window::ALL {
                let start = window.start(EventTime(time)).0;
                prop_assert!(start <= time && time - start < window.length_ms());
                prop_assert_eq!(start.rem_euclid(window.length_ms()), 0);
            }
        }
    }
}

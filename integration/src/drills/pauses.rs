//! How long results paused, from the times at which they were seen.

/// A stretch without results, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Pause {
    /// How long it was. First, so that the longest is the greatest.
    pub length_ms: u64,
    /// When the first result came behind it.
    pub end_ms: u64,
}

/// The longest pause that touches the time from `from` to `to`. `times` rise. Where no result came behind, it lasts
/// until `to`.
#[must_use]
pub fn longest(times: &[u64], (from, to): (u64, u64)) -> Pause {
    let first = times.partition_point(|it| *it < from);
    let mut before = if first == 0 { from } else { times[first - 1] };
    let mut longest = Pause::default();
    for &time in &times[first..] {
        longest = longest.max(Pause { length_ms: time - before, end_ms: time });
        if time >= to {
            return longest;
        }
        before = time;
    }
    longest.max(Pause { length_ms: to.saturating_sub(before), end_ms: to })
}

/// The value below or at which `percent` of all lie; 0 of none.
#[must_use]
pub fn quantile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[u64], window: (u64, u64), length_ms: u64, end_ms: u64) {
        assert_eq!(longest(times, window), Pause { length_ms, end_ms }, "{times:?} {window:?}");
    }

    #[test]
    fn a_pause_counts_whole_where_it_touches_the_window() {
        check(&[10, 20, 90, 100], (20, 100), 70, 90);
        check(&[10, 20, 90, 100], (50, 95), 70, 90);
        check(&[0, 60, 70, 200, 210], (65, 80), 130, 200);
    }

    #[test]
    fn what_lies_outside_of_the_window_does_not_count() {
        check(&[0, 500, 510, 520, 900], (505, 515), 10, 520);
    }

    #[test]
    fn where_nothing_comes_any_more_the_pause_lasts_to_the_end_of_the_window() {
        check(&[10, 20], (15, 100), 80, 100);
        check(&[], (15, 100), 85, 100);
    }

    #[test]
    fn a_quantile_is_a_value_that_was_seen() {
        assert_eq!(quantile(&[5, 1, 3], 50), 3);
        assert_eq!(quantile(&[5, 1, 3], 99), 5);
        assert_eq!(quantile(&[7], 50), 7);
        assert_eq!(quantile(&[], 50), 0);
    }
}

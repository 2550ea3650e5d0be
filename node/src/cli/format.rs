//! Numbers, sizes and times as people read them.

use prost_types::{Duration, Timestamp};

/// `24010` as `24,010`.
pub(super) fn thousands(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "−" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size with three figures and a binary unit.
#[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
pub(super) fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// A length of time in the two units that matter.
pub(super) fn span_ms(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 if ms < 100 => format!("{ms} ms"),
        0..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        86_400.. => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long something took that people wait for: three figures.
pub(super) fn latency_ms(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        60_000.. => span_ms(ms),
    }
}

/// A share as a percentage; nothing of nothing is a dash, and a little is not nothing.
#[expect(clippy::cast_precision_loss, reason = "two decimals are shown at most")]
pub(super) fn percent(numerator: u64, denominator: u64) -> String {
    if denominator == 0 {
        return "–".to_owned();
    }
    let percent = 100.0 * numerator as f64 / denominator as f64;
    if numerator > 0 && percent < 1.0 {
        return format!("{percent:.2} %");
    }
    format!("{percent:.1} %")
}

/// A message's length of time; a dash where it says none.
pub(super) fn span(duration: Option<&Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), |duration| span_ms(duration_ms(duration)))
}

/// A message's waiting time; a dash where it says none.
pub(super) fn latency(duration: Option<&Duration>) -> String {
    duration.map_or_else(|| "–".to_owned(), |duration| latency_ms(duration_ms(duration)))
}

/// A message's time in UTC; a dash where it says none.
pub(super) fn time(time: Option<&Timestamp>) -> String {
    time.map_or_else(|| "–".to_owned(), ToString::to_string)
}

/// Milliseconds; what is negative is none.
pub(super) fn duration_ms(duration: &Duration) -> u64 {
    let ms = duration.seconds.saturating_mul(1000) + i64::from(duration.nanos / 1_000_000);
    u64::try_from(ms).unwrap_or(0)
}

/// A count that a message carries signed.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// `1 range`, `2 ranges`.
pub(super) fn plural(count: impl Into<i128>, thing: &str) -> String {
    let count = count.into();
    format!("{} {thing}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// The last part of a resource name.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (24_010, "24,010"),
            (-1_234_567, "−1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        for (size, text) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB")]
        {
            assert_eq!(bytes(size), text);
        }
        assert_eq!(bytes(5 << 40), "5.0 TiB");
    }

    #[test]
    fn times_show_two_units() {
        for (ms, text) in [
            (0, "0 ms"),
            (99, "99 ms"),
            (800, "0.8 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 00 s"),
            (7_500_000, "2 h 05 min"),
            (97_200_000, "1 d 03 h"),
        ] {
            assert_eq!(span_ms(ms), text);
        }
    }

    #[test]
    fn waiting_times_have_three_figures() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1254, "1.25 s"),
            (59_999, "59.99 s"),
            (60_000, "1 min 00 s"),
        ] {
            assert_eq!(latency_ms(ms), text);
        }
    }

    #[test]
    fn a_share_of_nothing_is_a_dash() {
        assert_eq!(percent(0, 0), "–");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(3, 3), "100.0 %");
        assert_eq!(percent(12, 24_022), "0.05 %");
        assert_eq!(percent(0, 24_022), "0.0 %");
    }
}

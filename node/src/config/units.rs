//! Durations and sizes: a number with its unit, always.

use std::time::Duration;

const DURATION: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

const SIZE: [(&str, u64); 5] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)];

/// A duration such as `20ms`, `3600s` or `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let ms = sum(text, &DURATION).ok_or("a duration needs a unit: ms, s, m, h or d, as in 90s")?;
    Ok(Duration::from_millis(ms))
}

/// A size in bytes, such as `64MiB` or `1GiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    sum(text, &SIZE)
        .ok_or_else(|| "a size needs a unit: B, KiB, MiB, GiB or TiB, as in 64MiB".to_owned())
}

/// The sum of one number with a unit or more of them; `None` where the text is anything else.
fn sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let factor = units.iter().find(|it| it.0 == unit)?.1;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// The duration in its largest units, as a file would say it.
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, ms) in DURATION.iter().rev() {
        if rest >= *ms {
            text.push_str(&format!("{}{unit}", rest / ms));
            rest %= ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// The size in the largest unit that it is a whole number of.
pub(super) fn show_size(bytes: u64) -> String {
    let units = [SIZE[3], SIZE[2], SIZE[1], SIZE[0]];
    let unit = units.iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{bytes}B"), |(name, factor)| format!("{}{name}", bytes / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_with_its_unit() {
        let check = |text, ms| assert_eq!(duration(text).ok(), Some(Duration::from_millis(ms)));
        check("20ms", 20);
        check("3600s", 3_600_000);
        check("1h30m", 5_400_000);
        check("2d", 172_800_000);
        check("0s", 0);
    }

    #[test]
    fn a_size_is_a_number_with_its_unit() {
        let check = |text, bytes| assert_eq!(size(text).ok(), Some(bytes));
        check("64MiB", 64 << 20);
        check("1GiB", 1 << 30);
        check("512B", 512);
    }

    #[test]
    fn a_number_without_its_unit_is_refused() {
        for text in ["", "90", "s", "-1s", "1.5h", "1 s", "1S", "1h30", "9999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "1", "1G", "1GB", "1gib", "-1B", "1 GiB", "99999999999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for ms in [0, 1, 20, 999, 60_000, 3_600_000, 5_400_020, 90_061_001] {
            let shown = Duration::from_millis(ms);
            assert_eq!(duration(&show_duration(shown)), Ok(shown));
        }
        assert_eq!(show_duration(Duration::from_secs(5400)), "1h30m");
        for bytes in [0, 1, 1023, 1024, 1 << 30, (1 << 30) + 1] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        assert_eq!(show_size(8 << 20), "8MiB");
    }
}

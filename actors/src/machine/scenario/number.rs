//! Exact comparison of numbers as JSON spells them: no rounding, so no two amounts that only look alike.

use std::cmp::Ordering;
use std::fmt;

/// A number as the scenario file spells it.
#[derive(Clone, Debug)]
pub struct Number(String);

impl Number {
    /// The number that `text` spells in JSON's grammar; `None` where it spells none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Decimal::parse(text.as_bytes()).map(|_| Self(text.to_owned()))
    }

    /// How it compares with the number that `json` is; `None` where that is no number.
    pub(super) fn compare_with(&self, json: &[u8]) -> Option<Ordering> {
        if self.0.as_bytes() == json {
            return Some(Ordering::Equal);
        }
        let other = Decimal::parse(json)?;
        Some(Decimal::parse(self.0.as_bytes())?.compare(&other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare_with(other.0.as_bytes()) == Some(Ordering::Equal)
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// ± 0.digits × 10^magnitude, where the first digit is not 0. No digits: zero.
struct Decimal<'a> {
    is_negative: bool,
    magnitude: i64,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    fn parse(json: &'a [u8]) -> Option<Self> {
        let (is_negative, rest) = match json {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, rest) = digits(rest)?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest)?,
            rest => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Self::normal(is_negative, whole, fraction, exponent))
    }

    fn normal(is_negative: bool, whole: &'a [u8], fraction: &'a [u8], exponent: i64) -> Self {
        let whole = after_zeros(whole);
        let significant = if whole.is_empty() { after_zeros(fraction) } else { fraction };
        // Bodies carry at most 65,535 bytes, so lengths are far from the limits of i64.
        let shift = if whole.is_empty() {
            -i64::try_from(fraction.len() - significant.len()).unwrap_or(i64::MAX)
        } else {
            i64::try_from(whole.len()).unwrap_or(i64::MAX)
        };
        let magnitude = exponent.saturating_add(shift);
        Self { is_negative, magnitude, whole, fraction: significant }
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (1, 1) => self.compare_size(other),
            (-1, -1) => other.compare_size(self),
            (one, another) => one.cmp(&another),
        }
    }

    fn sign(&self) -> i8 {
        match (self.is_zero(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        let longer = self.length().max(other.length());
        let size = self.magnitude.cmp(&other.magnitude);
        size.then_with(|| self.digits().take(longer).cmp(other.digits().take(longer)))
    }

    /// Its digits, and then zeros without end.
    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied().chain(std::iter::repeat(b'0'))
    }

    fn length(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }
}

/// One digit or more, and what follows them.
fn digits(json: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = json.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then(|| json.split_at(length))
}

fn exponent(json: &[u8]) -> Option<i64> {
    let (is_negative, rest) = match json {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let (digits, []) = digits(rest)? else { return None };
    let size = digits
        .iter()
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if is_negative { -size } else { size })
}

fn after_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|digit| **digit == b'0').count()..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(one: &str, ordering: Ordering, other: &str) {
        let number = |text| Number::parse(text).unwrap();
        assert_eq!(number(one).compare_with(other.as_bytes()), Some(ordering), "{one} {other}");
        let back = number(other).compare_with(one.as_bytes());
        assert_eq!(back, Some(ordering.reverse()), "{other} {one}");
    }

    #[test]
    fn a_number_is_its_value_however_it_is_spelled() {
        for spelling in ["200", "200.0", "2e2", "2E+2", "0.2e3", "20000e-2", "200.000000"] {
            check("200", Ordering::Equal, spelling);
        }
        check("0", Ordering::Equal, "-0.00e9");
        check("0.05", Ordering::Equal, "5e-2");
    }

    #[test]
    fn numbers_are_in_their_order() {
        check("9", Ordering::Less, "10");
        check("-10", Ordering::Less, "-9");
        check("-1", Ordering::Less, "0");
        check("0", Ordering::Less, "0.001");
        check("0.09", Ordering::Less, "0.1");
        check("1.5", Ordering::Less, "1.51");
        check("12000", Ordering::Greater, "11999.99");
        check("1e999999999999999999999", Ordering::Greater, "5");
        check("1e-999999999999999999999", Ordering::Less, "5");
    }

    #[test]
    fn large_numbers_are_not_rounded() {
        check("9007199254740993", Ordering::Greater, "9007199254740992");
        check("0.1000000000000000000001", Ordering::Greater, "0.1");
    }

    #[test]
    fn what_json_would_not_call_a_number_is_none() {
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "1_000", "NaN", "1 "] {
            assert!(Number::parse(text).is_none(), "{text}");
            let number = Number::parse("1").unwrap();
            assert_eq!(number.compare_with(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers_do(one in any::<i64>(), other in any::<i64>()) {
            check(&one.to_string(), one.cmp(&other), &other.to_string());
        }

        #[test]
        fn fractions_compare_as_their_hundredths_do(one in -9999_i32..9999, other in -9999_i32..9999) {
            let spell = |n: i32| {
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", n.abs() / 100, n.abs() % 100)
            };
            check(&spell(one), one.cmp(&other), &spell(other));
            check(&format!("{one}e-2"), one.cmp(&other), &spell(other));
        }

        #[test]
        fn no_bytes_make_it_fail(json in "[-+.eE0-9]{0,12}") {
            let is_number = serde_json::from_str::<serde_json::Value>(&json).is_ok();
            let huge = Number::parse(&json).is_some() && !is_number; // 1e999 is none for serde_json
            prop_assert!(huge || Number::parse(&json).is_some() == is_number);
        }
    }
}

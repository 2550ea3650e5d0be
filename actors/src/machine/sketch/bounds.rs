//! The sketch's buckets: which values each one takes, and which value it answers with.
//!
//! A bucket begins at `low`, answers `r = low + low/100` and takes every value up to the greatest `high`
//! with `99 * high <= 100 * r`. So for each `x` in it, `r - x <= x/100` and `x - r <= x/100`: the relative
//! error is at most 1 %, by integer arithmetic alone. That is DDSketch's mapping (gamma = 1.01 / 0.99) with
//! bounds rounded to integers: below 99 a bucket is one value, further up each is about 2.02 % wide.

/// How many buckets there are. The last begins beyond 2^62 ms and takes everything above.
pub(super) const BUCKETS: usize = 2_048;

/// The least value of each bucket.
static LOW: [u64; BUCKETS] = lows();

/// For each step of [`step_of`] the bucket of its least value.
static FIRST: [u16; STEPS] = firsts();

/// Steps: one a value below 64, then 64 an octave. A step is narrower than a bucket is wide, so it
/// meets at most one bound.
const STEPS: usize = 59 * 64;

/// The bucket that takes `value`.
pub(super) fn index_of(value: u64) -> usize {
    let first = usize::from(FIRST[step_of(value)]);
    match LOW.get(first + 1) {
        Some(&next) if next <= value => first + 1,
        Some(_) | None => first,
    }
}

/// What the bucket at `index` answers with.
pub(super) fn value_of(index: usize) -> u64 {
    answer_of(LOW[index])
}

const fn answer_of(low: u64) -> u64 {
    low + low / 100
}

#[expect(clippy::cast_possible_truncation, reason = "a step's number is below 3,776")]
const fn step_of(value: u64) -> usize {
    if value < 64 {
        return value as usize;
    }
    let octave = 63 - value.leading_zeros();
    let place = (value >> (octave - 6)) & 63;
    (octave as usize - 5) * 64 + place as usize
}

const fn least_of_step(step: usize) -> u64 {
    if step < 64 {
        return step as u64;
    }
    (64 + (step as u64 & 63)) << (step / 64 - 1)
}

#[expect(clippy::cast_possible_truncation, reason = "the last bucket begins below 2^63")]
const fn lows() -> [u64; BUCKETS] {
    let mut lows = [0; BUCKETS];
    let mut index = 1;
    while index < BUCKETS {
        let high = answer_of(lows[index - 1]) as u128 * 100 / 99;
        lows[index] = high as u64 + 1;
        index += 1;
    }
    lows
}

#[expect(clippy::cast_possible_truncation, reason = "there are 2,048 buckets")]
const fn firsts() -> [u16; STEPS] {
    let lows = lows();
    let mut firsts = [0; STEPS];
    let (mut step, mut bucket) = (0, 0);
    while step < STEPS {
        while bucket + 1 < BUCKETS && lows[bucket + 1] <= least_of_step(step) {
            bucket += 1;
        }
        firsts[step] = bucket as u16;
        step += 1;
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_takes_exactly_the_values_between_its_bounds() {
        for (index, &low) in LOW.iter().enumerate() {
            assert_eq!(index_of(low), index, "least value {low}");
            if let Some(&next) = LOW.get(index + 1) {
                assert!(low < next);
                assert_eq!(index_of(next - 1), index, "greatest value {}", next - 1);
            }
        }
        assert_eq!(index_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn each_step_meets_at_most_one_bound() {
        for step in 0..STEPS - 1 {
            let (from, to) = (least_of_step(step), least_of_step(step + 1));
            assert_eq!((step_of(from), step_of(to - 1)), (step, step));
            let bounds = LOW.iter().filter(|&&low| from < low && low < to).count();
            assert!(bounds <= 1, "step {step} meets {bounds} bounds");
        }
    }

    #[test]
    fn a_bucket_answers_within_one_percent_of_every_value_that_it_takes() {
        for (index, pair) in LOW.windows(2).enumerate() {
            for value in [pair[0], pair[1] - 1] {
                let off = u128::from(value_of(index).abs_diff(value));
                assert!(off * 100 <= u128::from(value), "{value} is answered with {off} off");
            }
        }
    }

    #[test]
    fn the_last_bucket_begins_beyond_any_duration() {
        assert!(LOW[BUCKETS - 1] > 1 << 62);
    }

    #[test]
    fn the_bounds_are_the_ones_that_stored_sketches_were_made_with() {
        let known = [(99, 99), (100, 101), (101, 104), (200, 781), (1_000, 6_933_271_254)];
        for (index, low) in known {
            assert_eq!(LOW[index], low, "bucket {index}");
        }
    }
}

//! Numbers that look random and are a function of a seed, in integers only.

/// Scrambles 64 bits so that each of them depends on all; [`unmix`] undoes it (`SplitMix64`'s finish).
#[must_use]
pub const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(MULTIPLIERS[0]);
    z = (z ^ (z >> 27)).wrapping_mul(MULTIPLIERS[1]);
    z ^ (z >> 31)
}

/// The number that [`mix`] made `z` of.
#[must_use]
pub const fn unmix(z: u64) -> u64 {
    let z = unshift(z, 31).wrapping_mul(inverse(MULTIPLIERS[1]));
    let z = unshift(z, 27).wrapping_mul(inverse(MULTIPLIERS[0]));
    unshift(z, 30)
}

const MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// Undoes `x ^ (x >> shift)`.
const fn unshift(z: u64, shift: u32) -> u64 {
    let mut x = z;
    let mut known_bits = shift;
    while known_bits < u64::BITS {
        x = z ^ (x >> shift);
        known_bits += shift;
    }
    x
}

/// The number that gives 1 when multiplied with the odd number `a`: Newton's method doubles the right
/// bits each time, from three.
const fn inverse(a: u64) -> u64 {
    let mut x = a;
    let mut round = 0;
    while round < 5 {
        x = x.wrapping_mul(2u64.wrapping_sub(a.wrapping_mul(x)));
        round += 1;
    }
    x
}

/// A stream of numbers (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of the stream.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, which must be under 2^32. All are equally likely, to within 2^-32.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.draw() >> 32) * bound) >> 32
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// One of `choices`, which must not be empty.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.place_in(choices.len())]
    }

    /// A place in a list of that length.
    pub fn place_in(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).expect("usize has at most 64 bits");
        usize::try_from(self.below(length)).expect("a place in a list is a usize")
    }
}

/// A distribution, as points (probability in millionths, value) with straight lines between them.
#[derive(Clone, Copy, Debug)]
pub struct Quantiles(pub &'static [(u64, u64)]);

impl Quantiles {
    /// A value of the distribution.
    #[must_use]
    pub fn draw(self, random: &mut Random) -> u64 {
        let at = random.below(1_000_000);
        let above = self.0.partition_point(|&(probability, _)| probability <= at);
        let (Some(&(p0, v0)), Some(&(p1, v1))) = (self.0.get(above - 1), self.0.get(above)) else {
            return self.0.last().map_or(0, |&(_, value)| value);
        };
        // The finer place between two points comes from a second draw: a millionth of the tail is coarse.
        let fine = random.below(1 << 20);
        v0 + (((at - p0) << 20) + fine) * (v1 - v0) / ((p1 - p0) << 20)
    }
}

/// A choice among places of a list, some likelier than others.
#[derive(Clone, Debug)]
pub struct Weights {
    cumulated: Vec<u64>,
}

impl Weights {
    /// Places as likely as these weights, whose sum must be under 2^32.
    #[must_use]
    pub fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let add = |sum: &mut u64, weight: u64| {
            *sum += weight;
            Some(*sum)
        };
        Self { cumulated: weights.into_iter().scan(0, add).collect() }
    }

    /// `count` places, the first the likeliest, each about as likely as 1 / (its number + `flatness`).
    #[must_use]
    pub fn zipf(count: u64, flatness: u64) -> Self {
        Self::new((1..=count).map(|rank| 100_000_000 / (rank + flatness)))
    }

    /// One of the places.
    pub fn draw(&self, random: &mut Random) -> usize {
        let total = self.cumulated.last().copied().unwrap_or(1);
        let at = random.below(total);
        self.cumulated.partition_point(|&sum| sum <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_can_be_undone() {
        for z in (0..1_000).chain([u64::MAX, u64::MAX / 3, 1 << 63]) {
            assert_eq!(unmix(mix(z)), z);
            assert_eq!(mix(unmix(z)), z);
        }
    }

    #[test]
    fn the_stream_is_the_one_that_is_published_for_splitmix64() {
        let mut random = Random::new(1_234_567);
        let first = [random.draw(), random.draw(), random.draw()];
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn quantiles_are_met() {
        let quantiles = Quantiles(&[(0, 10), (500_000, 20), (900_000, 100), (1_000_000, 1_000)]);
        let mut random = Random::new(7);
        let mut values: Vec<u64> = (0..100_000).map(|_| quantiles.draw(&mut random)).collect();
        values.sort_unstable();
        assert!(values[0] >= 10 && values[99_999] < 1_000);
        assert!((19..=21).contains(&values[50_000]), "median {}", values[50_000]);
        assert!((95..=115).contains(&values[90_000]), "p90 {}", values[90_000]);
    }

    #[test]
    fn weights_are_met() {
        let weights = Weights::new([3, 0, 1]);
        let mut random = Random::new(7);
        let mut counts = [0; 3];
        for _ in 0..40_000 {
            counts[weights.draw(&mut random)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((29_500..30_500).contains(&counts[0]), "{counts:?}");
    }
}

//! What tests of this crate and of others need: a log in memory that fails as stores do, and the
//! suite that every log must pass.

pub mod conformance;
pub mod memory_log;

/// Numbers that look random and are the same for the same seed (`SplitMix64`, Steele et al. 2014).
pub fn dice(seed: u64) -> impl FnMut() -> u64 + Send + 'static {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

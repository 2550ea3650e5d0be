//! Free ports on the loopback address, for processes that cannot choose one themselves.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;

/// Below the ports that the kernel gives to clients: one that is free stays so while its owner restarts.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A port on 127.0.0.1 that nobody listens on, and that this process has not been given before.
///
/// Another process may still take it first: who starts something on it tries again with another one.
///
/// # Errors
///
/// Where every port is in use.
pub fn free() -> anyhow::Result<u16> {
    // Test processes that run side by side begin far apart from each other.
    let begin = std::process::id().wrapping_mul(2_654_435_761) % COUNT;
    for _ in 0..COUNT {
        let turn = TAKEN.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = u16::try_from(FIRST + (begin + turn) % COUNT).context("choose a port")?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("choose a port: all of {FIRST}..{} are in use", FIRST + COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_can_be_listened_on() {
        let (one, other) = (free().unwrap(), free().unwrap());
        assert_ne!(one, other);
        TcpListener::bind((Ipv4Addr::LOCALHOST, one)).unwrap();
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let next = free().unwrap() + 1;
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, next));
        assert_ne!(free().unwrap(), next);
    }
}

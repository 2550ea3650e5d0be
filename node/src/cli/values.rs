//! What a person may write for a number or an address, and what is said where it is none.

use std::net::SocketAddr;
use std::num::NonZeroU64;

/// A number of things, at least one.
pub(super) fn count<T: TryFrom<NonZeroU64>>(text: &str) -> Result<T, String> {
    let number: NonZeroU64 = text.parse().map_err(|_| "a whole number from 1 on is wanted")?;
    T::try_from(number).map_err(|_| "that is too many".to_owned())
}

/// How many nodes a process may have: as many as fit into the picture.
pub(super) fn nodes(text: &str) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| (1..=5).contains(number));
    number.ok_or_else(|| "a whole number from 1 to 5 is wanted".to_owned())
}

/// Where to listen.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address with a port is wanted, such as 127.0.0.1:7400".to_owned())
}

#[cfg(test)]
mod tests {
    use std::num::{NonZeroU16, NonZeroU32};

    use super::*;

    #[test]
    fn a_number_of_things_is_at_least_one_and_fits() {
        assert_eq!(count::<NonZeroU16>("65535").unwrap().get(), 65_535);
        for text in ["0", "-1", "abc", "", "1.5", "1e3"] {
            let why = count::<NonZeroU32>(text).unwrap_err();
            assert_eq!(why, "a whole number from 1 on is wanted", "{text}");
        }
        assert_eq!(count::<NonZeroU16>("65536").unwrap_err(), "that is too many");
    }

    #[test]
    fn there_are_one_to_five_nodes() {
        assert_eq!((nodes("1"), nodes("5")), (Ok(1), Ok(5)));
        for text in ["0", "6", "-1", "two", ""] {
            assert_eq!(nodes(text).unwrap_err(), "a whole number from 1 to 5 is wanted", "{text}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        assert_eq!(address("127.0.0.1:7400").unwrap().port(), 7400);
        for text in ["", "7400", "localhost", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(address(text).unwrap_err().contains("127.0.0.1:7400"), "{text}");
        }
    }
}

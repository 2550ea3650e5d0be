//! What single values must be like: each rule turns the file's text into a checked value.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::units::{duration, show_duration, show_size, size};

/// Text that is not empty.
pub(super) fn text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "it must be true or false".to_owned())
}

/// A whole number between two bounds, both included.
pub(super) fn number<T: FromStr + PartialOrd + Display + Copy>(
    least: T,
    most: T,
) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let number = text.parse().ok().filter(|it| *it >= least && *it <= most);
        number.ok_or_else(|| format!("it must be a whole number from {least} to {most}"))
    }
}

/// A duration between two bounds, both included.
pub(super) fn duration_in(
    least: Duration,
    most: Duration,
) -> impl Fn(&str) -> Result<Duration, String> {
    move |text| {
        let value = duration(text)?;
        let (low, high) = (show_duration(least), show_duration(most));
        let is_inside = value >= least && value <= most;
        if is_inside { Ok(value) } else { Err(format!("it must be from {low} to {high}")) }
    }
}

/// A size between two bounds, both included.
pub(super) fn size_in(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let value = size(text)?;
        let (low, high) = (show_size(least), show_size(most));
        let is_inside = value >= least && value <= most;
        if is_inside { Ok(value) } else { Err(format!("it must be from {low} to {high}")) }
    }
}

/// The name of a cluster, scenario, dimension or indicator.
pub(super) fn name(text: &str) -> Result<String, String> {
    let starts_well = text.starts_with(|it: char| it.is_ascii_lowercase());
    let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    if starts_well && text.len() <= 63 && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("a name is 1 to 63 of a-z, 0-9 and -, and begins with a letter".to_owned())
}

/// An address to listen on, as `host:port`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let local = local.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let address = local.or_else(|| text.parse().ok());
    address.ok_or_else(|| "an address is host:port, as in 127.0.0.1:7400".to_owned())
}

/// A JSON pointer (RFC 6901) that is not empty.
pub(super) fn pointer(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("a JSON pointer begins with /, as in \"/{text}\""));
    }
    let is_escape = |part: &str| part.starts_with(['0', '1']);
    if !text.split('~').skip(1).all(is_escape) {
        return Err("in a JSON pointer ~ is written ~0, and / in a name ~1".to_owned());
    }
    if text.len() > 256 {
        return Err("a JSON pointer has at most 256 bytes".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inside() {
        let check = |text, expected: Result<u16, &str>| {
            assert_eq!(number(1_u16, 16)(text), expected.map_err(str::to_owned), "{text}");
        };
        let wrong = Err("it must be a whole number from 1 to 16");
        check("1", Ok(1));
        check("16", Ok(16));
        for text in ["0", "17", "-1", "1.5", "many", "99999999", ""] {
            check(text, wrong);
        }
        let second = duration_in(Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(second("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(second("61s"), Err("it must be from 1s to 1m".to_owned()));
        let mib = size_in(1 << 20, 1 << 30);
        assert_eq!(mib("1024MiB"), Ok(1 << 30));
        assert_eq!(mib("1KiB"), Err("it must be from 1MiB to 1GiB".to_owned()));
    }

    #[test]
    fn a_name_could_be_part_of_a_path() {
        for good in ["a", "bank", "cards-prod-2"] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", "A", "2a", "-a", "a_b", "a/b", "信用卡", &"x".repeat(64)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pointer_begins_with_a_slash() {
        for good in ["/a", "/body/businessKey", "/a~1b", "/~01", "/", "/信用"] {
            assert_eq!(pointer(good).as_deref(), Ok(good));
        }
        for bad in ["", "a", "a/b", "/~", "/~2", "/a~"] {
            assert!(pointer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        assert_eq!(address("localhost:7400"), address("127.0.0.1:7400"));
        assert!(address("[::1]:7400").is_ok());
        for bad in ["127.0.0.1", ":7400", "kafka:7400", "127.0.0.1:70000"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}

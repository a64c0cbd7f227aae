//! Blocks of IP addresses.

use std::net::IpAddr;
use std::str::FromStr;

/// IP addresses that begin alike, written as `10.42.0.0/16` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressBlock {
    address: IpAddr,
    length: u8,
}

/// Why a text is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no block of IP addresses; write one as 10.42.0.0/16 or 2001:db8::/32")]
pub struct AddressBlockError(String);

impl AddressBlock {
    /// One of its addresses, as it was written.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits all of its addresses share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether the other one is a part of it, and not all of it.
    pub fn holds(self, other: Self) -> bool {
        let alike = match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        other.length > self.length && alike >= u32::from(self.length)
    }
}

impl FromStr for AddressBlock {
    type Err = AddressBlockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (address, length) = text.split_once('/')?;
            let address: IpAddr = address.parse().ok()?;
            let length: u8 = length.bytes().all(|sign| sign.is_ascii_digit()).then(|| length.parse().ok())??;
            let longest = if address.is_ipv4() { 32 } else { 128 };
            (length <= longest).then_some(Self { address, length })
        };
        read().ok_or_else(|| AddressBlockError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_block_is_none() {
        for text in [
            "",
            "10.0.0.1",
            "10.0.0.0/33",
            "::/129",
            "010.0.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "example.org/8",
            "/0",
        ] {
            assert!(text.parse::<AddressBlock>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_block_holds_smaller_ones_of_its_own_kind() {
        let block = |text: &str| text.parse::<AddressBlock>().unwrap();
        let holds = |outer: &str, inner: &str| block(outer).holds(block(inner));
        assert!(holds("0.0.0.0/0", "10.0.0.0/8") && holds("10.0.0.0/8", "10.1.0.0/16") && holds("::/0", "fc00::/7"));
        assert!(!holds("10.0.0.0/8", "10.0.0.0/8") && !holds("10.0.0.0/8", "11.0.0.0/16"));
        assert!(!holds("0.0.0.0/0", "::/96") && !holds("10.0.0.0/16", "10.0.0.0/8"));
    }
}

//! Who is named in a NetworkPolicy: the instance's own pods, whom the Platform names, or addresses, of
//! which a block stands for as many as it holds, in whatever notation.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Value, json};

use crate::engine::labels::selects_instance;
use crate::engine::lookup::items;
use crate::plan::Plan;

/// The shortest prefixes of an address block.
struct Shortest {
    v4: u8,
    v6: u8,
}

/// Of a package's own block: what one site or provider has. The pods of a cluster have more.
const OF_PACKAGE: Shortest = Shortest { v4: 20, v6: 48 };
/// Of a block that the Platform names, incoming.
const OF_PLATFORM: Shortest = Shortest { v4: 8, v6: 8 };

/// Where in IPv6 the addresses of IPv4 lie, as their last 32 bits: mapped, compatible, translated (NAT64).
const OF_IPV4: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    (Ipv6Addr::UNSPECIFIED, 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

/// The way that a rule opens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// `from`
    In,
    /// `to`
    Out,
}

impl Direction {
    /// What it is called in `policyTypes`, and where a policy has its rules and a rule its peers.
    pub(crate) const fn fields(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::In => ("Ingress", "ingress", "from"),
            Self::Out => ("Egress", "egress", "to"),
        }
    }
}

/// What is wrong with a peer of this rule.
pub(crate) fn wrong(plan: &Plan, direction: Direction, rule: &Value, peer: &Value) -> Option<String> {
    let of_platform = is_of_platform(plan, peer);
    let Some(block) = peer.get("ipBlock") else {
        let known = of_platform || is_own_pods(plan, peer);
        return (!known)
            .then(|| "a podSelector without a namespaceSelector must be {{ selector(component=\"...\") }}".to_owned());
    };
    let cidr = block.get("cidr").and_then(Value::as_str).unwrap_or_default();
    let Some(addresses) = Block::read(cidr) else {
        return Some(format!("{cidr:?} is no address block; write one as 192.0.2.0/24 or 2001:db8::/64"));
    };
    let excepted = items(block, "/except").iter().map(|except| except.as_str().unwrap_or_default());
    let nothing = |except: &&str| !Block::read(except).is_some_and(|except| addresses.holds(except));
    if let Some(except) = excepted.into_iter().find(nothing) {
        return Some(format!("except {except:?} takes nothing away: it must lie inside of {cidr}"));
    }
    let own = format!("a package's own block is at most a /{}, of IPv6 a /{}", OF_PACKAGE.v4, OF_PACKAGE.v6);
    match (direction, of_platform) {
        (Direction::In, true) if addresses.is_wider_than(&OF_PLATFORM) => Some(format!(
            "lets everybody in: {cidr}, which the Platform's network.ingress names; name the ingress there"
        )),
        (Direction::In, false) if addresses.is_wider_than(&OF_PACKAGE) => {
            Some(format!("lets in too many: {cidr}; write {{{{ network.ingress | json_encode }}}}; {own}"))
        }
        (Direction::Out, false) if addresses.is_wider_than(&OF_PACKAGE) && !is_mail(plan, rule) => Some(format!(
            "leads to too many: {cidr}; write {{{{ network.public | json_encode }}}}; {own}, but for {{{{ smtp.port }}}} alone"
        )),
        _ => None,
    }
}

/// Whether the Platform names this peer.
fn is_of_platform(plan: &Plan, peer: &Value) -> bool {
    let named = [&plan.network.ingress, &plan.network.dns, &plan.network.public];
    *peer != json!({})
        && named.into_iter().flatten().any(|known| serde_json::to_value(known).is_ok_and(|known| known == *peer))
}

/// A peer of the same namespace is one of the instance's own pods.
fn is_own_pods(plan: &Plan, peer: &Value) -> bool {
    peer.get("namespaceSelector").is_none() && selects_instance(plan, peer.pointer("/podSelector/matchLabels"))
}

/// Whether a rule opens the mail server's port and no other: the server is known by its name only.
fn is_mail(plan: &Plan, rule: &Value) -> bool {
    let Some(smtp) = &plan.smtp else { return false };
    let of_mail = |port: &Value| {
        let tcp = port.get("protocol").is_none_or(|protocol| protocol == "TCP");
        tcp && port.get("port") == Some(&Value::from(smtp.port)) && port.get("endPort").is_none()
    };
    items(rule, "/ports").iter().all(of_mail)
}

/// Addresses that begin alike.
#[derive(Clone, Copy)]
struct Block {
    address: IpAddr,
    length: u8,
}

impl Block {
    fn read(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let length: u8 = length.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (length <= longest).then_some(Self { address, length })
    }

    /// Whether the other one is a part of it.
    fn holds(self, other: Self) -> bool {
        let alike = match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        other.length > self.length && alike >= u32::from(self.length)
    }

    fn is_wider_than(self, shortest: &Shortest) -> bool {
        match self.address {
            IpAddr::V4(_) => self.length < shortest.v4,
            IpAddr::V6(address) => {
                let of_ipv4 = |(front, length): &(Ipv6Addr, u8)| {
                    let alike = (address.to_bits() ^ front.to_bits()).leading_zeros();
                    alike >= u32::from(self.length.min(*length)) && self.length < 96 + shortest.v4
                };
                self.length < shortest.v6 || OF_IPV4.iter().any(of_ipv4)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_wide(text: &str) -> bool {
        Block::read(text).unwrap().is_wider_than(&OF_PACKAGE)
    }

    #[test]
    fn a_block_is_as_wide_as_what_it_holds_in_whatever_notation() {
        let wide = "0.0.0.0/0 0.0.0.0/1 128.0.0.0/1 203.0.113.7/0 10.0.0.0/8 10.42.0.0/16 192.0.2.0/19 \
            ::/0 ::/1 8000::/1 2000::/3 2001:db8::1/32 fc00::/7 ::/48 ::/96 \
            ::ffff:0.0.0.0/96 ::ffff:0:0/97 64:ff9b::/64 64:ff9b::/96 64:ff9b:1::/48 64:ff9b:1:2::/96";
        assert_eq!(wide.split_whitespace().filter(|text| !is_wide(text)).collect::<Vec<_>>(), [""; 0]);
        let narrow = "192.0.2.0/20 10.0.0.1/32 2001:db8::/48 fd00:1:2::/64 ::1/128 ::ffff:192.0.2.0/120";
        assert_eq!(narrow.split_whitespace().filter(|text| is_wide(text)).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn what_is_no_block_is_none() {
        for text in ["", "10.0.0.1", "10.0.0.0/33", "::/129", "010.0.0.0/8", "10.0.0.0/-1", "example.org/8", "/0"] {
            assert!(Block::read(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_block_holds_smaller_ones_of_its_own_kind() {
        let holds = |outer: &str, inner: &str| Block::read(outer).unwrap().holds(Block::read(inner).unwrap());
        assert!(holds("0.0.0.0/0", "10.0.0.0/8") && holds("10.0.0.0/8", "10.1.0.0/16") && holds("::/0", "fc00::/7"));
        assert!(!holds("10.0.0.0/8", "10.0.0.0/8") && !holds("10.0.0.0/8", "11.0.0.0/16"));
        assert!(!holds("0.0.0.0/0", "::/96") && !holds("10.0.0.0/16", "10.0.0.0/8"));
    }
}

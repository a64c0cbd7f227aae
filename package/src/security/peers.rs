//! Who is named in a NetworkPolicy: the instance's own pods, whom the Platform names, or addresses, of
//! which a block stands for as many as it holds, in whatever notation.

use std::net::{IpAddr, Ipv6Addr};

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde_json::{Value, json};

use crate::engine::labels::selects_instance;
use crate::engine::lookup::items;
use crate::engine::network;
use crate::plan::Plan;
use commonscloud_api::values::AddressBlock;

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
    let addresses: AddressBlock = match cidr.parse() {
        Ok(addresses) => addresses,
        Err(error) => return Some(error.to_string()),
    };
    let excepted = items(block, "/except").iter().map(|except| except.as_str().unwrap_or_default());
    let nothing = |except: &&str| !except.parse::<AddressBlock>().is_ok_and(|except| addresses.holds(except));
    if let Some(except) = excepted.into_iter().find(nothing) {
        return Some(format!("except {except:?} takes nothing away: it must lie inside of {cidr}"));
    }
    let own = format!("a package's own block is at most a /{}, of IPv6 a /{}", OF_PACKAGE.v4, OF_PACKAGE.v6);
    match (direction, of_platform) {
        (Direction::In, true) if is_wider_than(addresses, &OF_PLATFORM) => Some(format!(
            "lets everybody in: {cidr}, which the Platform's network.ingress names; name the ingress there"
        )),
        (Direction::In, false) if is_wider_than(addresses, &OF_PACKAGE) => {
            Some(format!("lets in too many: {cidr}; write {{{{ network.ingress | json_encode }}}}; {own}"))
        }
        (Direction::Out, false) if is_wider_than(addresses, &OF_PACKAGE) && !is_mail(plan, rule) => Some(format!(
            "leads to too many: {cidr}; write {{{{ network.public | json_encode }}}}; {own}, but for {{{{ network.ports.mail }}}} alone"
        )),
        _ => None,
    }
}

/// Whether the Platform names this peer.
fn is_of_platform(plan: &Plan, peer: &Value) -> bool {
    let is_it = |known: NetworkPolicyPeer| serde_json::to_value(known).is_ok_and(|known| known == *peer);
    *peer != json!({}) && network::named(plan).into_iter().any(is_it)
}

/// A peer of the same namespace is one of the instance's own pods.
fn is_own_pods(plan: &Plan, peer: &Value) -> bool {
    peer.get("namespaceSelector").is_none() && selects_instance(plan, peer.pointer("/podSelector/matchLabels"))
}

/// Whether a rule opens the mail server's ports and no other: the server is known by its name only.
fn is_mail(plan: &Plan, rule: &Value) -> bool {
    let Some(smtp) = &plan.smtp else { return false };
    let named = [smtp.port].into_iter().chain(plan.network.ports.mail.iter().copied());
    let ports: Vec<Value> = named.map(Value::from).collect();
    let of_mail = |port: &Value| {
        let tcp = port.get("protocol").is_none_or(|protocol| protocol == "TCP");
        tcp && port.get("port").is_some_and(|port| ports.contains(port)) && port.get("endPort").is_none()
    };
    items(rule, "/ports").iter().all(of_mail)
}

fn is_wider_than(block: AddressBlock, shortest: &Shortest) -> bool {
    match block.address() {
        IpAddr::V4(_) => block.length() < shortest.v4,
        IpAddr::V6(address) => {
            let of_ipv4 = |(front, length): &(Ipv6Addr, u8)| {
                let alike = (address.to_bits() ^ front.to_bits()).leading_zeros();
                alike >= u32::from(block.length().min(*length)) && block.length() < 96 + shortest.v4
            };
            block.length() < shortest.v6 || OF_IPV4.iter().any(of_ipv4)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_wide(text: &str) -> bool {
        is_wider_than(text.parse().unwrap(), &OF_PACKAGE)
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
}

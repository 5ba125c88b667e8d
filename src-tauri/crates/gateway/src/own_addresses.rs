//! The addresses under which other devices may reach this machine, for a person to pick from.
//!
//! Promises: what only this machine reaches (loopback) and what needs to be told which card it is on (link-local) is left out. Leaves out:
//! whether a firewall lets anybody through.

use crate::disk::off_thread;
use std::io;
use std::net::IpAddr;

/// Version 4 first, since people read it aloud; within a version in the system's order.
pub(crate) async fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let cards = off_thread(if_addrs::get_if_addrs).await??;
    Ok(reachable(cards.iter().map(if_addrs::Interface::ip)))
}

fn reachable(all: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in all.filter(|address| others_reach(*address)) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found.sort_by_key(IpAddr::is_ipv6);
    found
}

fn others_reach(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.to_ipv4_mapped().is_some(),
    };
    !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_others_reach_are_offered_once_each_and_version_4_first() {
        let all = [
            "::1",
            "fe80::1",
            "fd00::5",
            "127.0.0.1",
            "127.1.2.3",
            "169.254.10.1",
            "192.168.1.5",
            "10.0.0.7",
            "0.0.0.0",
            "192.168.1.5",
            "2001:db8::9",
            "::ffff:127.0.0.1",
            "224.0.0.1",
            "ff02::1",
        ];
        let all = all.iter().map(|text| text.parse().expect("an address"));
        let offered: Vec<String> = reachable(all).iter().map(ToString::to_string).collect();
        assert_eq!(offered, ["192.168.1.5", "10.0.0.7", "fd00::5", "2001:db8::9"]);
    }
}

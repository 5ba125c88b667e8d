//! Who holds a port, as far as the system tells (Linux, own processes and those we may look at).

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use utoipa::ToSchema;

/// A program that holds a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortHolder {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// True when both loopback families can be bound now. A machine without IPv6 counts its IPv4 alone.
pub(crate) fn is_free(port: u16) -> bool {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        return false;
    }
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrInUse,
    }
}

/// The first free port from `wish` on.
pub(crate) fn next_free(wish: u16) -> Option<u16> {
    (wish..=wish.saturating_add(200)).find(|port| is_free(*port))
}

/// Who listens on the port.
#[cfg(target_os = "linux")]
pub(crate) fn holder(port: u16) -> Option<PortHolder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(files) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let holds = files.flatten().any(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|target| inodes.iter().any(|inode| target.to_str() == Some(inode.as_str())))
        });
        if holds {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(PortHolder { pid, name: name.trim().to_owned() });
        }
    }
    None
}

/// Other systems have no way that needs neither rights nor another program.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holder(_port: u16) -> Option<PortHolder> {
    None
}

/// Inodes of the listening sockets on `port` in a table of `/proc/net`.
#[cfg(target_os = "linux")]
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTENING: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
            let same = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == LISTENING;
            same.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
        })
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = taken.local_addr().expect("bound").port();
        assert!(!is_free(port));
        assert_eq!(holder(port).map(|holder| holder.pid), Some(std::process::id()));
        drop(taken);
        assert_eq!(holder(port), None);
    }

    #[test]
    fn a_port_taken_on_ipv6_alone_is_not_free() {
        let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
        assert!(!is_free(taken.local_addr().expect("bound").port()));
    }
}

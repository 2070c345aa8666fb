//! The hosts of a node from libpq's three lists: names, addresses and ports.

use std::net::IpAddr;

use crate::model::Host;

/// Reads `host`: names with commas between them. An empty one means the local server.
///
/// # Errors
/// What is wrong with the first wrong name, and what is allowed.
pub fn names(text: &str) -> Result<Vec<String>, String> {
    text.split(',').map(|name| check(name).map(|()| name.to_owned())).collect()
}

/// Reads `hostaddr`: IP addresses with commas between them. An empty one means that of the name.
pub(crate) fn addresses(text: &str) -> Result<Vec<Option<IpAddr>>, String> {
    let address = |text: &str| match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(address) => Ok(Some(address)),
        Err(_) => Err("hostaddr must be an IP address: write a name as host".to_owned()),
    };
    text.split(',').map(|text| address(text.trim())).collect()
}

/// The addresses as a text that [`addresses`] reads.
pub(crate) fn shown(addresses: &[Option<IpAddr>]) -> String {
    let text = |address: &Option<IpAddr>| address.map_or(String::new(), |address| address.to_string());
    addresses.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Reads `port`: numbers with commas between them. An empty one means 5432.
pub(crate) fn ports(text: &str) -> Result<Vec<u16>, String> {
    let port = |text: &str| match text.parse() {
        _ if text.is_empty() => Ok(PORT),
        Ok(1..) => text.parse().map_err(|_| String::new()),
        _ => Err("port must be a number from 1 to 65535".to_owned()),
    };
    text.split(',').map(|text| port(text.trim())).collect()
}

const PORT: u16 = 5432;

/// Combines the three lists as libpq does. `local` is the host that an empty name means.
///
/// # Errors
/// Which of the lists is too long or too short.
pub fn combine(
    names: &[String],
    addresses: &[Option<IpAddr>],
    ports: &[u16],
    local: impl Fn() -> String,
) -> Result<Vec<Host>, String> {
    let count = if names.is_empty() { addresses.len() } else { names.len() };
    if !addresses.is_empty() && addresses.len() != count {
        return Err(format!("hostaddr must have an address for each host: host names {count}"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(format!("port must have one number, or one for each host: host names {count}"));
    }
    let host = |at: usize| {
        let addr = addresses.get(at).copied().flatten();
        let name = names.get(at).filter(|name| !name.is_empty()).cloned();
        let name = name.or_else(|| addr.map(|addr| addr.to_string())).unwrap_or_else(&local);
        Host { name, addr, port: ports.get(at).or(ports.first()).copied().unwrap_or(PORT) }
    };
    Ok((0..count).map(host).collect())
}

/// Checks that a text can be a host name, an address, or the directory of a socket. The message does not repeat the
/// text, which may contain a password by mistake.
fn check(host: &str) -> Result<(), String> {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    let message = if host.contains("://") || host.contains('=') {
        "host looks like a connection string: write it in place of the node's map, or as dsn:"
    } else if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        "host contains a blank or a control character"
    } else if host.starts_with(['/', '@']) || address.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(());
    } else if host.contains('[') {
        "host must be written without [ and ]"
    } else if host.contains(':') {
        "host contains a colon: set the port with port"
    } else if host.contains(['/', '@']) {
        "host must be a host name, an address or a socket directory (which begins with /)"
    } else {
        return Ok(());
    };
    Err(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hosts of three texts, as `name=address:port`.
    fn hosts(host: &str, hostaddr: &str, port: &str) -> Result<Vec<String>, String> {
        let list = |text: &str| !text.is_empty();
        let names = if list(host) { names(host)? } else { Vec::new() };
        let addresses = if list(hostaddr) { addresses(hostaddr)? } else { Vec::new() };
        let ports = if list(port) { ports(port)? } else { Vec::new() };
        let hosts = combine(&names, &addresses, &ports, || "/run".to_owned())?;
        let text = |host: Host| {
            format!("{}={}:{}", host.name, host.addr.map_or(String::new(), |addr| addr.to_string()), host.port)
        };
        Ok(hosts.into_iter().map(text).collect())
    }

    #[test]
    fn lists_are_combined_as_libpq_does() {
        for (host, hostaddr, port, expected) in [
            ("a", "", "", vec!["a=:5432"]),
            ("a,b", "", "1", vec!["a=:1", "b=:1"]),
            ("a,b", "", "1,2", vec!["a=:1", "b=:2"]),
            ("a,b,c", "", ",2,", vec!["a=:5432", "b=:2", "c=:5432"]),
            ("a,b", "10.0.0.1,", "", vec!["a=10.0.0.1:5432", "b=:5432"]),
            ("", "10.0.0.1,::1", "7", vec!["10.0.0.1=10.0.0.1:7", "::1=::1:7"]),
            ("a,", "", "", vec!["a=:5432", "/run=:5432"]),
            ("/tmp,::1", "", "", vec!["/tmp=:5432", "::1=:5432"]),
            ("", "", "1", vec![]),
        ] {
            assert_eq!(hosts(host, hostaddr, port), Ok(expected.into_iter().map(str::to_owned).collect()), "{host}");
        }
        for (host, hostaddr, port) in [
            ("a,b", "10.0.0.1", ""),
            ("a,b", "", "1,2,3"),
            ("a", "", "1,2"),
            ("a b,c", "", ""),
            ("", "name", ""),
            ("a", "", "0"),
        ] {
            assert!(hosts(host, hostaddr, port).is_err(), "{host} {hostaddr} {port}");
        }
    }
}

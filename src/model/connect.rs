//! How a node is connected to beyond host and port, in the terms of libpq.

use std::net::IpAddr;
use std::time::Duration;

/// One of several hosts of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Host name, address, or directory of a unix socket, as in [`NodeConfig::host`](super::NodeConfig::host).
    pub name: String,
    /// The address to connect to in place of the name's own; `hostaddr` of libpq.
    pub addr: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

impl Host {
    /// What is connected to: the address if one is given, else the name.
    pub fn target(&self) -> String {
        self.addr.map_or_else(|| self.name.clone(), |addr| addr.to_string())
    }
}

/// libpq's keywords about a connection that need no TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectConfig {
    /// The address that is connected to in place of the host's own. The host's name still counts for TLS and for the
    /// password file.
    pub hostaddr: Option<IpAddr>,
    /// Hosts that are tried, in order, if the node's own host is not reached or has the wrong role.
    pub further_hosts: Vec<Host>,
    /// What a host must be to be taken.
    pub session_attrs: SessionAttrs,
    /// True if the hosts are tried in random order (`load_balance_hosts=random`).
    pub random_order: bool,
    /// Options of the system's TCP.
    pub tcp: TcpConfig,
    /// `options`, which is sent as it is when a session begins. What our sessions need is set later and wins.
    pub options: Option<String>,
    /// `require_auth`: how the server may ask who we are; `None`: in any way that pgwatch supports.
    pub require_auth: Option<AuthMethods>,
    /// `requirepeer`: the account of the system that the server at a unix socket must run as.
    pub require_peer: Option<String>,
    /// Promises that pgwatch cannot keep, each a text for people: a node with any of them is not connected to.
    pub unmet: Vec<String>,
}

/// libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionAttrs {
    /// Any host.
    #[default]
    Any,
    /// A primary whose sessions may write by default.
    ReadWrite,
    /// A standby, or a server whose sessions may not write by default.
    ReadOnly,
    /// A server that is not in recovery.
    Primary,
    /// A server in recovery.
    Standby,
    /// A standby if one of the hosts is one, else any host.
    PreferStandby,
}

impl SessionAttrs {
    /// All of them, in libpq's order.
    pub const ALL: [Self; 6] =
        [Self::Any, Self::ReadWrite, Self::ReadOnly, Self::Primary, Self::Standby, Self::PreferStandby];

    /// The word of libpq.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }

    /// Reads libpq's word; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attrs| attrs.as_str() == text)
    }

    /// Why a server of this kind is not taken; `None` if it is.
    pub fn refusal(self, in_recovery: bool, read_only: bool) -> Option<&'static str> {
        match self {
            Self::ReadWrite | Self::Primary if in_recovery => Some("it is a standby"),
            Self::ReadWrite if read_only => Some("its sessions are read-only by default"),
            Self::ReadOnly if !in_recovery && !read_only => Some("its sessions may write"),
            Self::Standby | Self::PreferStandby if !in_recovery => Some("it is a primary"),
            _ => None,
        }
    }
}

/// Options of the system's TCP; `None` leaves pgwatch's own default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpConfig {
    /// False if the system is not to check idle connections.
    pub keepalives: Option<bool>,
    /// Time without data before the first check.
    pub keepalives_idle: Option<Duration>,
    /// Time between two checks.
    pub keepalives_interval: Option<Duration>,
    /// Checks without an answer that end the connection.
    pub keepalives_count: Option<u32>,
    /// How long data may stay unacknowledged before the connection ends.
    pub user_timeout: Option<Duration>,
}

impl TcpConfig {
    /// Takes missing options from a weaker source.
    pub fn fill_from(&mut self, weaker: Self) {
        self.keepalives = self.keepalives.or(weaker.keepalives);
        self.keepalives_idle = self.keepalives_idle.or(weaker.keepalives_idle);
        self.keepalives_interval = self.keepalives_interval.or(weaker.keepalives_interval);
        self.keepalives_count = self.keepalives_count.or(weaker.keepalives_count);
        self.user_timeout = self.user_timeout.or(weaker.user_timeout);
    }
}

/// How a server may ask who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// The password itself.
    Password,
    /// A hash of the password with a salt.
    Md5,
    /// GSSAPI, which pgwatch does not support.
    Gss,
    /// SSPI, which pgwatch does not support.
    Sspi,
    /// SCRAM, with or without channel binding.
    ScramSha256,
    /// OAuth, which pgwatch does not support.
    Oauth,
    /// Not at all: the server trusts us, or takes our certificate.
    None,
}

impl AuthMethod {
    /// All of them, in libpq's order.
    pub const ALL: [Self; 7] =
        [Self::Password, Self::Md5, Self::Gss, Self::Sspi, Self::ScramSha256, Self::Oauth, Self::None];

    /// The word of libpq.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Md5 => "md5",
            Self::Gss => "gss",
            Self::Sspi => "sspi",
            Self::ScramSha256 => "scram-sha-256",
            Self::Oauth => "oauth",
            Self::None => "none",
        }
    }
}

/// libpq's `require_auth`: the methods that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMethods(Vec<AuthMethod>);

impl AuthMethods {
    /// Reads a list of words: all of them allowed (`scram-sha-256,none`) or all forbidden (`!password,!md5`).
    /// `None` if it is not such a list.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let forbidden = words.first()?.starts_with('!');
        let mut named = Vec::with_capacity(words.len());
        for word in words {
            let bare = word.strip_prefix('!');
            let method = AuthMethod::ALL.into_iter().find(|method| method.as_str() == bare.unwrap_or(word))?;
            if bare.is_some() != forbidden || named.contains(&method) {
                return None;
            }
            named.push(method);
        }
        let allowed = AuthMethod::ALL.into_iter().filter(|method| named.contains(method) != forbidden);
        Some(Self(allowed.collect()))
    }

    /// True if the server may ask in this way.
    pub fn allow(&self, method: AuthMethod) -> bool {
        self.0.contains(&method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_methods_allows_or_forbids() {
        let allowed = |text| {
            let methods = AuthMethods::parse(text)?;
            Some(AuthMethod::ALL.into_iter().filter(|method| methods.allow(*method)).map(AuthMethod::as_str).collect())
        };
        for (text, expected) in [
            ("scram-sha-256", Some(vec!["scram-sha-256"])),
            ("none, md5", Some(vec!["md5", "none"])),
            ("!password,!md5", Some(vec!["gss", "sspi", "scram-sha-256", "oauth", "none"])),
            ("!password,md5", None),
            ("md5,!none", None),
            ("md5,md5", None),
            ("scram", None),
            ("md5,", None),
        ] {
            assert_eq!(allowed(text), expected, "{text}");
        }
    }

    #[test]
    fn a_host_is_taken_by_its_role() {
        use SessionAttrs::{Any, PreferStandby, Primary, ReadOnly, ReadWrite, Standby};
        // A primary, a primary whose sessions are read-only by default, a standby.
        for (attrs, takes) in [
            (Any, [true, true, true]),
            (ReadWrite, [true, false, false]),
            (ReadOnly, [false, true, true]),
            (Primary, [true, true, false]),
            (Standby, [false, false, true]),
            (PreferStandby, [false, false, true]),
        ] {
            let taken = [(false, false), (false, true), (true, true)]
                .map(|(in_recovery, read_only)| attrs.refusal(in_recovery, read_only).is_none());
            assert_eq!(taken, takes, "{attrs:?}");
            assert_eq!(SessionAttrs::parse(attrs.as_str()), Some(attrs));
        }
    }
}

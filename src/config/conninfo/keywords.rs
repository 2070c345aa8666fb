//! Every keyword of libpq (up to version 19), and how pgwatch treats it.

use std::time::Duration;

use crate::config::nearest::nearest;
use crate::model::{Secret, SslMode};

pub(super) const SEVERAL_HOSTS: &str =
    "several hosts are given: a node is one server, so define one node for each of them";

/// The keywords that have an effect. Messages list these.
const HONOURED: [&str; 15] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "passfile",
    "service",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "channel_binding",
    "connect_timeout",
];

/// Keywords that have no effect in pgwatch, and why.
const WITHOUT_EFFECT: [(&str, &str); 15] = [
    ("application_name", "pgwatch always sets it to pgwatch"),
    ("fallback_application_name", "pgwatch always sets it to pgwatch"),
    ("client_encoding", "pgwatch always uses UTF8"),
    ("keepalives", "the health loop probes every connection"),
    ("keepalives_idle", "the health loop probes every connection"),
    ("keepalives_interval", "the health loop probes every connection"),
    ("keepalives_count", "the health loop probes every connection"),
    ("tcp_user_timeout", "the health loop probes every connection"),
    ("load_balance_hosts", "a node is one host"),
    ("sslcompression", "TLS compression is never used"),
    ("krbsrvname", "pgwatch does not support GSSAPI"),
    ("gsslib", "pgwatch does not support GSSAPI"),
    ("gssdelegation", "pgwatch does not support GSSAPI"),
    ("authtype", "libpq does not use it either"),
    ("tty", "libpq does not use it either"),
];

/// Keywords that pgwatch cannot honour, their values that ask for what it does anyway, and what to do instead.
const REFUSED: [(&str, &[&str], &str); 26] = [
    ("channel_binding", &[], "use prefer or require: channel binding is used wherever the server offers it"),
    ("gssencmode", &["disable", "prefer"], "pgwatch does not support GSSAPI: use sslmode"),
    ("max_protocol_version", &["3.0", "latest"], "leave it out: pgwatch speaks version 3.0"),
    ("min_protocol_version", &["3.0"], "leave it out: pgwatch speaks version 3.0"),
    ("oauth_ca_file", &[], "use a password or password_command"),
    ("oauth_client_id", &[], "use a password or password_command"),
    ("oauth_client_secret", &[], "use a password or password_command"),
    ("oauth_issuer", &[], "use a password or password_command"),
    ("oauth_scope", &[], "use a password or password_command"),
    ("options", &[], "pgwatch sets the options of its own sessions; use ALTER ROLE ... SET instead"),
    ("replication", &["false", "off", "no", "0"], "pgwatch opens ordinary sessions only"),
    ("require_auth", &[], "pgwatch cannot enforce it"),
    ("requirepeer", &[], "pgwatch cannot enforce it"),
    ("requiressl", &["0"], "write sslmode=require"),
    ("scram_client_key", &[], "give a password"),
    ("scram_server_key", &[], "give a password"),
    ("servicefile", &[], "set PGSERVICEFILE"),
    ("ssl_max_protocol_version", &[], "leave it out"),
    ("ssl_min_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2"], "use TLSv1.2 or lower"),
    ("sslcertmode", &["allow"], "leave it out: a client certificate is sent if sslcert names one"),
    ("sslcrl", &[], "pgwatch cannot check revocation lists"),
    ("sslcrldir", &[], "pgwatch cannot check revocation lists"),
    ("sslkeylogfile", &[], "leave it out"),
    ("sslnegotiation", &["postgres"], "leave it out: pgwatch always negotiates TLS within the PostgreSQL protocol"),
    ("sslsni", &["1"], "leave it out: the server's name is always sent"),
    ("target_session_attrs", &["any"], "leave it out: pgwatch watches a node whatever its role"),
];

/// The settings of a connection string; `None` where it sets nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnInfo {
    /// `host`, else `hostaddr`.
    pub host: Option<String>,
    /// 1 to 65535.
    pub port: Option<u16>,
    /// `dbname`.
    pub database: Option<String>,
    /// The role to log in as.
    pub user: Option<String>,
    /// The password, decoded.
    pub password: Option<Secret>,
    /// Path of the password file, as written.
    pub passfile: Option<String>,
    /// A section of the service file. It sets what the string leaves open.
    pub service: Option<String>,
    /// Whether and how to use TLS.
    pub sslmode: Option<SslMode>,
    /// A path, or `system`.
    pub sslrootcert: Option<String>,
    /// Path of the client certificate, as written.
    pub sslcert: Option<String>,
    /// Path of its key, as written.
    pub sslkey: Option<String>,
    /// Passphrase of that key.
    pub sslpassword: Option<Secret>,
    /// Whether channel binding is required; libpq's `disable` is refused.
    pub channel_binding: Option<bool>,
    /// 1 s to 24 h.
    pub connect_timeout: Option<Duration>,
    /// Notes for people on keywords that have no effect.
    pub notes: Vec<String>,
}

impl ConnInfo {
    /// Sets one keyword. Messages never contain the value.
    ///
    /// # Errors
    /// What is wrong, and what is allowed.
    pub(crate) fn set(&mut self, keyword: &str, value: &str) -> Result<(), String> {
        if value.contains('\0') {
            return Err(format!("{keyword} contains a NUL byte"));
        }
        if self.set_honoured(keyword, value)? || value.is_empty() && is_known(keyword) {
            return Ok(());
        }
        if let Some((_, reason)) = WITHOUT_EFFECT.iter().find(|(name, _)| *name == keyword) {
            self.notes.push(format!("{keyword} has no effect: {reason}"));
            return Ok(());
        }
        match REFUSED.iter().find(|(name, ..)| *name == keyword) {
            Some((_, same, _)) if same.contains(&value) => Ok(()),
            Some((_, [], instead)) => Err(format!("{keyword} is not supported: {instead}")),
            Some((_, _, instead)) => Err(format!("this {keyword} is not supported: {instead}")),
            None => Err(unknown(keyword)),
        }
    }

    /// Sets a keyword that has an effect; `Ok(false)` if it is another one. An empty value sets nothing, as with libpq.
    fn set_honoured(&mut self, keyword: &str, value: &str) -> Result<bool, String> {
        let text = (!value.is_empty()).then(|| value.to_owned());
        match keyword {
            "host" | "hostaddr" | "port" if value.contains(',') => return Err(SEVERAL_HOSTS.to_owned()),
            "host" | "hostaddr" if text.is_some() && self.host.is_some() && self.host != text => {
                return Err("host and hostaddr differ: pgwatch connects to host, so remove hostaddr".to_owned());
            }
            "host" | "hostaddr" => {
                check_host(value)?;
                self.host = text.or_else(|| self.host.take());
            }
            "port" => self.port = text.map(|text| port(&text)).transpose()?,
            "dbname" => self.database = text,
            "user" => self.user = text,
            "password" => self.password = text.map(Secret::new),
            "passfile" => self.passfile = text,
            "service" => self.service = text,
            "sslmode" => self.sslmode = text.map(|text| ssl_mode(&text)).transpose()?,
            "sslrootcert" => self.sslrootcert = text,
            "sslcert" => self.sslcert = text,
            "sslkey" => self.sslkey = text,
            "sslpassword" => self.sslpassword = text.map(Secret::new),
            "channel_binding" if value == "prefer" => self.channel_binding = Some(false),
            "channel_binding" if value == "require" => self.channel_binding = Some(true),
            "connect_timeout" => self.set_connect_timeout(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whole seconds. With libpq, 0 waits forever, which pgwatch never does.
    fn set_connect_timeout(&mut self, value: &str) -> Result<(), String> {
        match value.trim().parse::<i32>() {
            _ if value.is_empty() => self.connect_timeout = None,
            Ok(seconds @ 1..=86_400) => {
                self.connect_timeout = Some(Duration::from_secs(u64::from(seconds.unsigned_abs())));
            }
            Ok(i32::MIN..=0) => {
                self.notes.push("connect_timeout has no effect: pgwatch never waits forever".to_owned());
            }
            _ => return Err("connect_timeout must be a number of seconds from 1 to 86400".to_owned()),
        }
        Ok(())
    }
}

/// Checks that a text can be a host name, an address, or the directory of a socket. The message does not repeat the
/// text, which may contain a password by mistake.
///
/// # Errors
/// What is wrong, and what is allowed.
pub(crate) fn check_host(host: &str) -> Result<(), String> {
    let address = host.split_once('%').map_or(host, |(address, _)| address);
    let message = if host.contains("://") || host.contains('=') {
        "host looks like a connection string: write it in place of the node's map, or as dsn:"
    } else if host.contains(',') {
        SEVERAL_HOSTS
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

fn is_known(keyword: &str) -> bool {
    REFUSED.iter().any(|(name, ..)| *name == keyword)
}

fn port(text: &str) -> Result<u16, String> {
    match text.trim().parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("port must be a number from 1 to 65535".to_owned()),
    }
}

/// Reads `sslmode`; the message lists all modes.
fn ssl_mode(text: &str) -> Result<SslMode, String> {
    SslMode::parse(text)
        .ok_or_else(|| format!("sslmode must be one of {}", SslMode::ALL.map(SslMode::as_str).join(", ")))
}

/// The message repeats the keyword only if it looks like a typo of a known one: otherwise it may be a piece of a
/// password.
fn unknown(keyword: &str) -> String {
    match nearest(keyword, HONOURED) {
        Some(known) => format!("unknown keyword \"{keyword}\": did you mean {known}?"),
        None => format!("unknown keyword; known keywords are {}", HONOURED.join(", ")),
    }
}

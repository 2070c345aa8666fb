//! Every keyword of libpq (up to version 19), and how pgwatch treats it.

use std::net::IpAddr;
use std::time::Duration;

use super::details::{Details, one_of};
use super::hosts;
use crate::config::nearest::nearest;
use crate::model::{ChannelBinding, Secret, SslMode};

/// The keywords that have an effect. Messages list the first ones.
const HONOURED: [&str; 33] = [
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
    "options",
    "target_session_attrs",
    "servicefile",
    "load_balance_hosts",
    "require_auth",
    "requirepeer",
    "sslnegotiation",
    "sslsni",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
];
const USUAL: usize = 17;

/// Keywords that have no effect in pgwatch, their values that ask for what it does anyway, and why. None of them
/// promises safety.
const WITHOUT_EFFECT: [(&str, &[&str], &str); 20] = [
    ("application_name", &["pgwatch"], "pgwatch always sets it to pgwatch"),
    ("fallback_application_name", &["pgwatch"], "pgwatch always sets it to pgwatch"),
    ("client_encoding", &["UTF8", "UTF-8", "utf8", "utf-8", "auto"], "pgwatch always uses UTF8"),
    ("sslcompression", &["0"], "TLS compression is never used"),
    ("sslkeylogfile", &[], "pgwatch writes no keys of TLS sessions"),
    ("replication", &["false", "off", "no", "0"], "pgwatch opens ordinary sessions only"),
    ("max_protocol_version", &["3.0", "3.2", "latest"], "pgwatch speaks version 3.0"),
    ("krbsrvname", &[], GSSAPI),
    ("gsslib", &[], GSSAPI),
    ("gssdelegation", &["0"], GSSAPI),
    ("oauth_ca_file", &[], OAUTH),
    ("oauth_client_id", &[], OAUTH),
    ("oauth_client_secret", &[], OAUTH),
    ("oauth_issuer", &[], OAUTH),
    ("oauth_scope", &[], OAUTH),
    ("scram_client_key", &[], SCRAM_KEY),
    ("scram_server_key", &[], SCRAM_KEY),
    ("authtype", &[], "libpq does not use it either"),
    ("tty", &[], "libpq does not use it either"),
    ("requiressl", &["0"], "write sslmode=require"),
];
const GSSAPI: &str = "pgwatch does not support GSSAPI";
const OAUTH: &str = "pgwatch does not support OAuth: use a password or password_command";
const SCRAM_KEY: &str = "pgwatch needs the password itself";

/// The settings of a connection string; `None` where it sets nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnInfo {
    /// `host`: each entry a host; empty if it is not set.
    pub hosts: Vec<String>,
    /// `hostaddr`: the address of each host; empty if it is not set.
    pub hostaddrs: Vec<Option<IpAddr>>,
    /// `port`: one for all hosts, or one for each; empty if it is not set.
    pub ports: Vec<u16>,
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
    /// Path of the service file, as written.
    pub servicefile: Option<String>,
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
    /// Whether SCRAM is bound to the TLS session.
    pub channel_binding: Option<ChannelBinding>,
    /// 1 s to 24 h.
    pub connect_timeout: Option<Duration>,
    /// Everything else that has an effect.
    pub details: Details,
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
        if self.set_usual(keyword, value)? || self.details.set(keyword, value)? {
            return Ok(());
        }
        match WITHOUT_EFFECT.iter().find(|(name, ..)| *name == keyword) {
            Some((_, same, _)) if value.is_empty() || same.contains(&value) => Ok(()),
            Some((_, _, reason)) => {
                self.notes.push(format!("{keyword} has no effect: {reason}"));
                Ok(())
            }
            None => Err(unknown(keyword)),
        }
    }

    /// Sets a keyword that has a field of its own; `Ok(false)` if it is another one. An empty value sets nothing, as with
    /// libpq.
    fn set_usual(&mut self, keyword: &str, value: &str) -> Result<bool, String> {
        let text = (!value.is_empty()).then(|| value.to_owned());
        match keyword {
            "host" if text.is_some() => self.hosts = hosts::names(value)?,
            "hostaddr" if text.is_some() => self.hostaddrs = hosts::addresses(value)?,
            "port" if text.is_some() => self.ports = hosts::ports(value)?,
            "host" | "hostaddr" | "port" => {}
            "dbname" => self.database = text,
            "user" => self.user = text,
            "password" => self.password = text.map(Secret::new),
            "passfile" => self.passfile = text,
            "service" => self.service = text,
            "servicefile" => self.servicefile = text,
            "sslmode" => self.sslmode = text.map(|text| ssl_mode(&text)).transpose()?,
            "requiressl" if value == "1" => self.sslmode = self.sslmode.or(Some(SslMode::Require)),
            "sslrootcert" => self.sslrootcert = text,
            "sslcert" => self.sslcert = text,
            "sslkey" => self.sslkey = text,
            "sslpassword" => self.sslpassword = text.map(Secret::new),
            "channel_binding" => self.channel_binding = text.map(|text| channel_binding(&text)).transpose()?,
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

fn channel_binding(text: &str) -> Result<ChannelBinding, String> {
    ChannelBinding::parse(text).ok_or_else(|| one_of("channel_binding", &["disable", "prefer", "require"]))
}

/// Reads `sslmode`; the message lists all modes.
fn ssl_mode(text: &str) -> Result<SslMode, String> {
    SslMode::parse(text).ok_or_else(|| one_of("sslmode", &SslMode::ALL.map(SslMode::as_str)))
}

/// The message repeats the keyword only if it looks like a typo of a known one: otherwise it may be a piece of a
/// password.
fn unknown(keyword: &str) -> String {
    match nearest(keyword, HONOURED) {
        Some(known) => format!("unknown keyword \"{keyword}\": did you mean {known}?"),
        None => format!("unknown keyword; known keywords are {}", HONOURED.get(..USUAL).unwrap_or_default().join(", ")),
    }
}

//! Whether and how a node uses TLS, in the terms of libpq.

use std::path::PathBuf;

use super::Secret;

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SslMode {
    /// Never with TLS.
    Disable,
    /// Without TLS first; with TLS if the server requires it.
    Allow,
    /// With TLS first; without if the server has none.
    #[default]
    Prefer,
    /// With TLS only, whatever certificate the server shows.
    Require,
    /// With TLS only, and the certificate must be signed by a trusted root.
    VerifyCa,
    /// As [`Self::VerifyCa`], and the certificate must name the host.
    VerifyFull,
}

impl SslMode {
    /// All modes, from the least to the most secure.
    pub const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// The mode in libpq's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Reads libpq's word for a mode; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// The certificate authorities that a server's certificate is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// `sslrootcert=system`: those that this machine trusts.
    System,
    /// Those in this PEM file.
    File(PathBuf),
}

/// TLS settings, named as in libpq.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TlsConfig {
    /// Whether TLS is used, and what the server must prove.
    pub mode: SslMode,
    /// What the server's certificate is checked against; `None`: `~/.postgresql/root.crt` if it exists.
    pub root_cert: Option<RootCert>,
    /// Client certificate; `None`: `~/.postgresql/postgresql.crt` if it exists.
    pub cert: Option<PathBuf>,
    /// Its key; `None`: `~/.postgresql/postgresql.key` if it exists, else the path of the certificate ending in `.key`.
    pub key: Option<PathBuf>,
    /// Passphrase of the key.
    pub key_password: Option<Secret>,
    /// Whether SCRAM is bound to the TLS session.
    pub channel_binding: ChannelBinding,
    /// The oldest version of TLS that is spoken; `None`: 1.2.
    pub min_version: Option<TlsVersion>,
    /// The newest one; `None`: the newest that is known.
    pub max_version: Option<TlsVersion>,
    /// True if TLS begins at once, without asking the server (`sslnegotiation=direct`, servers from 17 on).
    pub direct: bool,
    /// True if the server's name is not sent in clear (`sslsni=0`).
    pub without_sni: bool,
    /// True if no client certificate is shown (`sslcertmode=disable`).
    pub without_cert: bool,
    /// `sslcrl`: certificates that are revoked.
    pub crl: Option<PathBuf>,
    /// `sslcrldir`: a folder of such lists, named by their hashes.
    pub crl_dir: Option<PathBuf>,
}

/// libpq's `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// Where the server offers it.
    #[default]
    Prefer,
    /// Log in only by SCRAM bound to the TLS session.
    Require,
}

impl ChannelBinding {
    /// Reads libpq's word; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            _ => return None,
        })
    }
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `TLSv1`.
    V10,
    /// `TLSv1.1`.
    V11,
    /// `TLSv1.2`.
    V12,
    /// `TLSv1.3`.
    V13,
}

impl TlsVersion {
    /// Reads libpq's word in any case; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [("TLSv1", Self::V10), ("TLSv1.1", Self::V11), ("TLSv1.2", Self::V12), ("TLSv1.3", Self::V13)];
        all.into_iter().find_map(|(word, version)| word.eq_ignore_ascii_case(text).then_some(version))
    }
}

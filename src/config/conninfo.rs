//! libpq's connection strings, `postgres://...` and `host=... port=...`, into a [`ConnInfo`]. Pure: no I/O, no defaults.
//!
//! Every keyword of libpq is known. One that pgwatch cannot honour and that would promise something (`sslcrl`,
//! `gssencmode=require`) is refused; one that does not matter here (`keepalives`) is taken and noted.

use std::time::Duration;

use crate::model::{Secret, SslMode};

mod keywords;
mod pairs;
mod uri;

pub(crate) use keywords::check_host;

/// What a connection string says. What it does not say is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnInfo {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub passfile: Option<String>,
    /// A section of the service file, which fills what the string leaves open.
    pub service: Option<String>,
    pub sslmode: Option<SslMode>,
    /// A path, or `system`.
    pub sslrootcert: Option<String>,
    pub sslcert: Option<String>,
    pub sslkey: Option<String>,
    pub sslpassword: Option<Secret>,
    pub connect_timeout: Option<Duration>,
    /// What was taken without having an effect, for people.
    pub notes: Vec<String>,
}

/// Why a text is no connection string. Never holds a value of it, which might be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnInfoError {
    /// Bytes before the place.
    pub offset: usize,
    pub message: String,
}

impl ConnInfoError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

/// Whether `text` means to be a connection string: a URI, or something with a `=`.
pub fn is_conninfo(text: &str) -> bool {
    uri::scheme(text).is_some() || text.contains('=')
}

/// Reads either form.
///
/// # Errors
/// The first fault, with its place.
pub fn parse(text: &str) -> Result<ConnInfo, ConnInfoError> {
    let settings = match uri::scheme(text) {
        Some(start) => uri::split(text, start)?,
        None => pairs::split(text)?,
    };
    let mut info = ConnInfo::default();
    let mut seen: Vec<&str> = Vec::new();
    for setting in &settings {
        if seen.contains(&setting.keyword.as_str()) {
            return Err(ConnInfoError::new(setting.offset, format!("{} is given twice", setting.keyword)));
        }
        info.set(&setting.keyword, &setting.value).map_err(|message| ConnInfoError::new(setting.offset, message))?;
        seen.push(&setting.keyword);
    }
    Ok(info)
}

/// One keyword of a string with its value, decoded.
struct Setting {
    keyword: String,
    value: String,
    /// Where it begins.
    offset: usize,
}

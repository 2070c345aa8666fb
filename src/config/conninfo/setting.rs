//! One setting of a connection string, and the error for a string that cannot be parsed.

/// A keyword of a connection string with its decoded value.
pub(super) struct Setting {
    pub keyword: String,
    pub value: String,
    /// Bytes before it.
    pub offset: usize,
}

/// Why a text is no connection string. Never contains a value, which might be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnInfoError {
    /// Bytes before the place.
    pub offset: usize,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl ConnInfoError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

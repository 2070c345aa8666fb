//! One setting of a connection string, and the error that tells where a string is wrong.

/// One keyword of a string with its value, decoded.
pub(super) struct Setting {
    pub keyword: String,
    pub value: String,
    /// Where it begins.
    pub offset: usize,
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
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

//! The name of a node: short, cheap to clone, and valid by construction.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A node's name: a letter, then letters, digits, `_` and `-`. Cloning copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(Arc<str>);

/// The text that is no node name; `Display` says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a valid node name: start with a letter, then use letters, digits, - and _", shown(.0))]
pub struct InvalidName(pub String);

/// Text that looks like part of a connection string is not repeated: it may contain a password.
fn shown(text: &str) -> String {
    if text.contains(['@', ':', '/', '=', '%']) { "this".to_owned() } else { format!("{text:?}") }
}

impl NodeName {
    /// Checks `text` against `^[A-Za-z][A-Za-z0-9_-]*$`.
    ///
    /// # Errors
    /// The text, if it does not match.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let mut chars = text.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
        if first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName(text.to_owned()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for NodeName {
    /// `node`, for a node that has no name yet.
    fn default() -> Self {
        Self("node".into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_a_letter() {
        for good in ["a", "A", "eu-primary", "r2_d2", "x-", "Z9"] {
            assert!(NodeName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "_a", "a b", "a.b", "ä", "aé", "a\n", "a/b"] {
            assert!(NodeName::parse(bad).is_err(), "{bad:?}");
        }
    }
}

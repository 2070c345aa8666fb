//! The name of a node: short, cheap to clone, and valid by construction; and how a name is written in SQL.

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

/// The name of a role, a schema or an object as SQL takes it. In quotes, unless it is a name that only the system
/// gives: what looks like a plain word may be a key word.
pub fn quoted(name: &str) -> String {
    let is_of_system = name.starts_with("pg_") && name.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if is_of_system { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The statement that gives a role the rights of a predefined one; `None` if it has them (`held` is `usage`). A role
/// that is a `member` without inheriting lacks only that.
pub fn membership(rights: &str, role: &str, held: &str, version_num: u32) -> Option<String> {
    let (rights, role) = (quoted(rights), quoted(role));
    match held {
        "none" => Some(format!("GRANT {rights} TO {role}")),
        "member" if version_num >= 160_000 => Some(format!("GRANT {rights} TO {role} WITH INHERIT TRUE")),
        "member" => Some(format!("ALTER ROLE {role} INHERIT")),
        _ => None,
    }
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

    #[test]
    fn names_in_sql_are_quoted_unless_the_system_gave_them() {
        for (name, sql) in [
            ("pg_monitor", "pg_monitor"),
            ("mon-ro", "\"mon-ro\""),
            ("user", "\"user\""),
            ("Mon", "\"Mon\""),
            ("a\"b", "\"a\"\"b\""),
            ("pg_x; drop", "\"pg_x; drop\""),
        ] {
            assert_eq!(quoted(name), sql);
        }
    }
}

//! A text that may differ from server to server: a variant for each version and role that needs its own.

use std::fmt;

use crate::model::Role;

/// A version of a server (`14`) or of an extension (`1.10`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// Reads `14`, `14.2`, `1.10`, ignoring what follows the digits (`18beta1`); `None` if it begins with none.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..end)?.parse().ok()
        };
        let mut parts = text.trim().split('.');
        let major = number(parts.next()?)?;
        Some(Self(major, parts.next().map_or(Some(0), number).unwrap_or(0)))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1 == 0 { write!(f, "{}", self.0) } else { write!(f, "{}.{}", self.0, self.1) }
    }
}

/// A text that may differ from server to server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByServer(pub Vec<Variant>);

/// One of the texts, and the servers that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The lowest version that it is for.
    pub since: Version,
    /// The role that it is for; `None`: both.
    pub role: Option<Role>,
    /// The text, in SQL.
    pub text: String,
}

/// Why a view cannot be asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// Its version is too low; this is the lowest that has the view.
    Version(Version),
    /// It has the wrong role; this is the one that has the view.
    Role(Role),
}

impl ByServer {
    /// The same text for all servers.
    pub fn same(text: impl Into<String>) -> Self {
        Self(vec![Variant { since: Version(0, 0), role: None, text: text.into() }])
    }

    /// The text for a version and role: the one with the highest `since` that is not above the version; among those,
    /// the one that names the role.
    ///
    /// # Errors
    /// Which version or role is needed.
    pub fn choose(&self, version: Version, role: Role) -> Result<&str, Lacks> {
        let of_role = || self.0.iter().filter(|variant| variant.role.is_none_or(|wanted| wanted == role));
        let fits = of_role().filter(|variant| variant.since <= version);
        if let Some(variant) = fits.max_by_key(|variant| (variant.since, variant.role.is_some())) {
            return Ok(&variant.text);
        }
        Err(match of_role().map(|variant| variant.since).min() {
            Some(since) => Lacks::Version(since),
            None => Lacks::Role(if role == Role::Primary { Role::Standby } else { Role::Primary }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_people_count_them() {
        let parsed = ["10", "14.2", "1.10", "1.9", "18beta1"].map(|text| Version::parse(text).unwrap());
        assert_eq!(parsed, [Version(10, 0), Version(14, 2), Version(1, 10), Version(1, 9), Version(18, 0)]);
        assert!(parsed[2] > parsed[3]);
        assert_eq!(Version::parse("x"), None);
    }

    #[test]
    fn the_highest_version_that_is_not_above_is_chosen() {
        let variant = |since, role, text: &str| Variant { since: Version(since, 0), role, text: text.to_owned() };
        let by = ByServer(vec![
            variant(13, None, "13"),
            variant(10, None, "10"),
            variant(13, Some(Role::Standby), "13 standby"),
        ]);
        for (version, role, text) in [
            (10, Role::Primary, Ok("10")),
            (12, Role::Standby, Ok("10")),
            (13, Role::Primary, Ok("13")),
            (18, Role::Standby, Ok("13 standby")),
            (9, Role::Primary, Err(Lacks::Version(Version(10, 0)))),
        ] {
            assert_eq!(by.choose(Version(version, 0), role), text, "{version} {role:?}");
        }
        let standby = ByServer(vec![variant(0, Some(Role::Standby), "s")]);
        assert_eq!(standby.choose(Version(15, 0), Role::Primary), Err(Lacks::Role(Role::Standby)));
        assert_eq!(ByServer::same("x").choose(Version(10, 3), Role::Primary), Ok("x"));
    }
}

//! A secret that must never be shown: its `Debug` hides it, it has no `Display`, and it is wiped when dropped.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice};

/// A password or a passphrase: any bytes, which are sent as they are. Comparable, so that a reload sees that it changed.
#[derive(Clone)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// Hides a text or bytes.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Self(SecretSlice::from(secret.into()))
    }

    /// The bytes themselves. Call it only to hand them to a server or a key file.
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The secret as a text, to put it into a field of a form or the configuration of another program. Empty if it is not
    /// UTF-8: only [`Self::bytes`] has every secret.
    pub fn expose(&self) -> &str {
        str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// True if it ends with a line break, which hardly any password does: it was probably read from a file with one.
    pub fn ends_with_line_break(&self) -> bool {
        self.bytes().ends_with(b"\n") || self.bytes().ends_with(b"\r")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "\"***\"");
        assert_eq!(Secret::new("a"), Secret::new("a"));
    }

    #[test]
    fn bytes_are_kept_as_they_are() {
        let latin = Secret::new(b"gr\xfc\xdfe\n".to_vec());
        assert_eq!((latin.bytes(), latin.expose()), (&b"gr\xfc\xdfe\n"[..], ""));
        assert!(latin.ends_with_line_break() && Secret::new("a\r").ends_with_line_break());
        assert!(!Secret::new("a\nb").ends_with_line_break() && !Secret::new("").ends_with_line_break());
    }
}

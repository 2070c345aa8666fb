//! libpq's password file (`~/.pgpass`): finds the line for a connection.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::model::Secret;

/// The largest password file that is read; a larger one is refused.
const MAX_BYTES: u64 = 4 << 20;

/// The password for this connection in the file at `path`, by libpq's rules: the first line that matches, `*` matches
/// anything, `\` escapes a `:` or `\`, a unix socket is `localhost`. Blocks while it reads the file.
///
/// `Ok(None)` if no line matches.
///
/// # Errors
/// A text for people (without any password in it) if the file cannot be read, or if the group or others may read it.
pub fn lookup(path: &Path, host: &str, port: u16, database: &str, user: &str) -> Result<Option<Secret>, String> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("the password file {} is larger than 4 MB", path.display()));
    }
    Ok(find(&bytes, host, port, database, user))
}

/// Checks that the file may be used at all.
///
/// # Errors
/// As [`lookup`].
pub fn check(path: &Path) -> Result<(), String> {
    open(path).map(drop)
}

fn open(path: &Path) -> Result<File, String> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    // Checked before opening: opening a pipe would wait for a writer.
    if !meta.is_file() {
        return Err(format!("the password file {shown} is not a regular file"));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(format!(
            "the password file {shown} is ignored because its group or others can read it: run chmod 0600 {shown}"
        ));
    }
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("the password file {} cannot be read: {error}", path.display())
}

/// [`lookup`] in the contents of a password file, which need not be UTF-8.
pub fn find(contents: &[u8], host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
    // For libpq, a connection through a socket is one to `localhost`, or to the directory if that is not the default
    // one.
    let socket = host.starts_with('/') || host.starts_with('@');
    let hosts = [host, if socket { "localhost" } else { host }];
    let port = port.to_string();
    let password = lines(contents).filter(|line| !line.starts_with(b"#")).find_map(|line| {
        hosts.iter().find_map(|host| {
            [host, port.as_str(), database, user].into_iter().try_fold(line, match_field).map(unescape)
        })
    })?;
    (!password.is_empty()).then(|| Secret::new(password))
}

/// The lines without their ends.
fn lines(contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    contents.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// The rest of `line` after its first field and `:`, if the field is `*` or equals `want`.
fn match_field<'line>(line: &'line [u8], want: &str) -> Option<&'line [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut bytes = line.iter();
    let mut expected = want.bytes();
    loop {
        match bytes.next()? {
            b':' => return expected.next().is_none().then_some(bytes.as_slice()),
            b'\\' => match bytes.next() {
                Some(&escaped) if expected.next() == Some(escaped) => {}
                _ => return None,
            },
            &plain if expected.next() == Some(plain) => {}
            _ => return None,
        }
    }
}

/// The password at the end of a line, up to an unescaped `:`, as libpq reads it.
fn unescape(rest: &[u8]) -> Vec<u8> {
    let mut password = Vec::new();
    let mut bytes = rest.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => password.push(bytes.next().unwrap_or(b'\\')),
            b':' => break,
            byte => password.push(byte),
        }
    }
    password
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_line_that_matches_is_used() {
        let text = "# host:port:database:user:password\n\ndb.example:5432:app:alice:one\n*:*:app:*:two\nlocalhost:5433:*:bob:three\n\
                    a\\:\\:1:*:*:*:four\\:\\\\x\nbad line\n*:*:empty:*:\n";
        let got = |host, port, database, user| {
            find(text.as_bytes(), host, port, database, user).map(|s| s.expose().to_owned())
        };
        assert_eq!(got("db.example", 5432, "app", "alice").as_deref(), Some("one"));
        assert_eq!(got("db.example", 5432, "app", "carol").as_deref(), Some("two"));
        assert_eq!(got("/var/run/postgresql", 5433, "x", "bob").as_deref(), Some("three"));
        assert_eq!(got("a::1", 1, "x", "y").as_deref(), Some("four:\\x"));
        assert_eq!(got("db.example", 5432, "other", "alice"), None);
        assert_eq!(got("any", 1, "empty", "u"), None);
    }

    #[test]
    fn the_first_match_counts_even_if_empty() {
        assert_eq!(find(b"h:1:d:u:\n*:*:*:*:x\n", "h", 1, "d", "u"), None);
        let own = find(b"/run/pg:1:d:u:own\n", "/run/pg", 1, "d", "u");
        assert_eq!(own.as_ref().map(Secret::expose), Some("own"));
    }

    #[test]
    fn a_password_need_not_be_utf_8() {
        let found = find(b"h:1:d:u:gr\xfc\xdfe\r\n", "h", 1, "d", "u").unwrap();
        assert_eq!(found.bytes(), b"gr\xfc\xdfe");
    }

    fn escaped(text: &str) -> String {
        text.replace('\\', "\\\\").replace(':', "\\:")
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([*:\\\\a-z\n]|.)*") {
            find(text.as_bytes(), "h", 1, "d", "u");
        }

        #[test]
        fn escaped_fields_match(host in "[^#/@*\r\n][^\r\n]*", user in "[^\r\n]+", password in "[^\r\n]+") {
            let line = format!("x:1:d:u:other\n{}:*:d:{}:{}\n", escaped(&host), escaped(&user), escaped(&password));
            let found = find(line.as_bytes(), &host, 5432, "d", &user);
            prop_assert_eq!(found.as_ref().map(Secret::expose), Some(password.as_str()));
        }
    }
}

//! Secrets that are known by how they look: tokens of well-known services, stored passwords, and passwords that stand in
//! the options of a command.

/// How a token begins, and how many letters, digits and signs follow at least.
const TOKENS: [(&str, usize); 31] = [
    ("AKIA", 12),
    ("ASIA", 12),
    ("AIza", 10),
    ("SG.", 16),
    ("dop_v1_", 6),
    ("eyJ", 10),
    ("ghp_", 6),
    ("gho_", 6),
    ("ghr_", 6),
    ("ghs_", 6),
    ("ghu_", 6),
    ("github_pat_", 6),
    ("glpat-", 6),
    ("hvs.", 6),
    ("npm_", 30),
    ("pypi-", 30),
    ("rk_live_", 6),
    ("sk-", 16),
    ("sk_live_", 6),
    ("sk_test_", 6),
    ("xapp-", 6),
    ("xoxa-", 6),
    ("xoxb-", 6),
    ("xoxp-", 6),
    ("xoxs-", 6),
    // Passwords as they are stored.
    ("SCRAM-SHA-256$", 1),
    ("$2a$", 2),
    ("$2b$", 2),
    ("$2y$", 2),
    ("$argon2", 2),
    ("$6$", 4),
];
/// `md5` and the digits of a stored password.
const MD5: usize = 32;

/// True if the text holds a secret of a known shape.
pub(super) fn any(text: &[u8]) -> bool {
    let mut before = b' ';
    for (at, &byte) in text.iter().enumerate() {
        let begins = !before.is_ascii_alphanumeric() && before != b'_' || matches!(byte, b'@' | b':');
        before = byte;
        let rest = || text.get(at..).unwrap_or_default();
        let found = begins
            && match byte {
                b'-' => is_option(rest()),
                b'm' => is_md5(rest()),
                b'@' => is_host(rest()) && has_user(text.get(..at).unwrap_or_default()),
                b':' => is_password_file(rest()),
                b'$' | b'A' | b'S' | b'd' | b'e' | b'g' | b'h' | b'n' | b'p' | b'r' | b's' | b'x' => is_token(rest()),
                _ => false,
            };
        if found {
            return true;
        }
    }
    false
}

fn is_token(text: &[u8]) -> bool {
    TOKENS.iter().any(|(prefix, least)| {
        let follows = |byte: &&u8| match prefix.as_bytes() {
            b"AKIA" | b"ASIA" => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            _ => byte.is_ascii_alphanumeric() || b"_-.+/=$:".contains(byte),
        };
        let rest = text.strip_prefix(prefix.as_bytes());
        rest.is_some_and(|rest| rest.iter().take(*least).filter(follows).count() == *least)
    })
}

fn is_md5(text: &[u8]) -> bool {
    let Some(digits) = text.strip_prefix(b"md5") else { return false };
    let count = digits.iter().take(MD5 + 1).take_while(|byte| byte.is_ascii_hexdigit()).count();
    count == MD5
}

/// True for the rest of a login without a scheme: `@h:5432`, `@h/d`, `@//h`.
fn is_host(text: &[u8]) -> bool {
    let host = text.get(1..).unwrap_or_default();
    let host = host.strip_prefix(b"//").unwrap_or(host);
    let length =
        host.iter().take(LONGEST).take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    match host.get(length..).unwrap_or_default() {
        [b':', digit, ..] => length > 0 && digit.is_ascii_digit(),
        [b'/', ..] => length > 0,
        _ => false,
    }
}

/// True if a login precedes: `u:x`, `u/x`.
fn has_user(before: &[u8]) -> bool {
    let is_part = |byte: &&u8| !byte.is_ascii_whitespace() && !b"'\"\\(,;".contains(byte);
    before.iter().rev().take(LONGEST).take_while(is_part).skip(1).any(|byte| matches!(byte, b':' | b'/'))
}

/// True for the rest of a line of a password file: `:5432:db:user:x`.
fn is_password_file(text: &[u8]) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"');
    let line = text.get(1..text.len().min(LONGEST)).unwrap_or_default();
    let mut fields = line.split(is_end).next().unwrap_or_default().split(|byte| *byte == b':');
    let (Some(port), Some(database), Some(user), Some(password)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let is_port = port == b"*" || matches!(port.len(), 4 | 5) && port.iter().all(u8::is_ascii_digit);
    // An address of IPv6 has hexadecimal digits only.
    let is_address = [database, user].iter().all(|field| field.iter().all(u8::is_ascii_hexdigit));
    is_port && !is_address && !password.is_empty()
}

/// True for `-u user:x`, `--user=user:x`, `-px` and `-p x`, where `x` looks like a password: not like a port, a path or a
/// word.
fn is_option(text: &[u8]) -> bool {
    let value = |name: &[u8]| {
        let rest = text.strip_prefix(name)?;
        let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii_start();
        let end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'\\' | b',' | b')' | b';');
        let length = rest.iter().take(LONGEST).position(end).unwrap_or(rest.len().min(LONGEST));
        rest.get(..length)
    };
    let is_login = |login: &[u8]| {
        let colon = login.iter().position(|byte| *byte == b':').unwrap_or(0);
        colon > 0 && colon + 1 < login.len() && !login.get(colon + 1..).is_some_and(|rest| rest.starts_with(b"/"))
    };
    let is_password = |value: &[u8]| {
        let has = |is: fn(&u8) -> bool| value.iter().any(is);
        value.len() >= 3
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
            && !has(|byte| matches!(byte, b'/' | b'%' | b'$' | b'.' | b':' | b'-' | b'_'))
    };
    let logins: [&[u8]; 3] = [b"-u", b"-U", b"--user"];
    let passwords: [&[u8]; 5] = [b"-p", b"-P", b"-w", b"-W", b"-a"];
    logins.into_iter().filter_map(value).any(is_login) || passwords.into_iter().filter_map(value).any(is_password)
}

/// The longest value of an option that is looked at.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_look() {
        for text in [
            "'AKIAIOSFODNN7EXAMPLE'",
            "ghp_abcdef0123",
            "github_pat_11ABCDEF",
            "xoxb-123-456",
            "sk_live_abcdef",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "SCRAM-SHA-256$4096:a",
            "md500112233445566778899aabbccddeeff",
            "$2a$10$abc",
            "mysql -u root -px1y2",
            "mysql -p x1y2",
            "ldapsearch -w x1y2 -b",
            "http -u user:x h",
            "--user=u:x",
            "'u:x@h:5432/d'",
            "u/x@//h:1521/d",
            "h:5432:*:u:x",
            "*:*:*:u:x",
        ] {
            assert!(any(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "scram-sha-256",
            "select a -p from t",
            "cp -p %p /archive/%f",
            "psql -p 5432 -U app -d db1",
            "find -print",
            "mkdir -p /tmp/x1",
            "md5 3fa5, md5sum",
            "task-123456, sky, disk-usage",
            "AKIA, ASIA-PACIFIC, ASIA",
            "$6, $1",
            "-- a comment",
            "a:b@c",
            "mailto:a@b.c",
            "see a@b.c/d",
            "2001:4860:4860::8888:1",
            "12:30:45.123456",
            "{\"a\":1234,\"b\":{\"c\":1}}",
            "generated_by, sgml",
        ] {
            assert!(!any(text.as_bytes()), "{text}");
        }
    }
}

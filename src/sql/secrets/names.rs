//! What names a secret, found in any text without regard to its quoting: a key, a function that takes a secret, a
//! command, a URI with a login. One pass over the bytes, since most texts hold none and are read no further.

use std::sync::LazyLock;

use super::shapes;

/// Names of secrets, looked for in the letters and digits of a text alone: `api_key`, `x-api-key`, `apiKey` and
/// `'api' || 'key'` are all `apikey`. At most 16 bytes each.
const NAMES: [&str; 56] = [
    "passwor",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pswd",
    "passkey",
    "kennwort",
    "motdepasse",
    "contrase",
    "wachtwoord",
    "secret",
    "token",
    "credential",
    "authorization",
    "bearer",
    "jwt",
    "cookie",
    "recoverycode",
    "apikey",
    "accesskey",
    "accountkey",
    "authkey",
    "encryptionkey",
    "masterkey",
    "privatekey",
    "sharedkey",
    "signingkey",
    "sshkey",
    "consumerkey",
    "licensekey",
    "servicekey",
    "sessionkey",
    "sharedaccess",
    "hooksslack",
    "apiwebhooks",
    "conninfo",
    "connstr",
    "connectionstr",
    "archivecommand",
    "restorecommand",
    "accountadd",
    "keyprovider",
    "crypt",
    "hmac",
    "dblink",
    "usermapping",
    // Any option of a foreign server or table may be a secret of its wrapper.
    "createserver",
    "alterserver",
    "createforeigntab",
    "alterforeigntabl",
    "importforeign",
    "foreigndatawrap",
    "identifiedas",
    "identifiedby",
    "identifiedwith",
];

/// [`NAMES`] by their last byte: the bytes of the name as a number, and the bits of that number.
static BY_LAST: LazyLock<[Vec<(u128, u128)>; 256]> = LazyLock::new(|| {
    let mut by_last = std::array::from_fn(|_| Vec::new());
    for name in NAMES {
        let number = name.bytes().fold(0, |number, byte| number << 8 | u128::from(byte));
        let bits = u128::MAX >> (128 - 8 * name.len());
        if let Some(names) = name.bytes().last().and_then(|last| by_last.get_mut(usize::from(last))) {
            names.push((number, bits));
        }
    }
    by_last
});

/// Names of passwords in other scripts, without their first letter where it may be a capital one.
const OTHER_SCRIPTS: [&str; 6] = ["арол", "АРОЛ", "密码", "密碼", "パスワード", "비밀번호"];
/// Names at whose beginning a text may have been cut off, and how many letters of it are enough.
const CUT: [(&str, usize); 6] =
    [("password", 5), ("passphrase", 5), ("secret", 4), ("token", 4), ("credential", 5), ("apikey", 4)];

/// True if the text may hold a secret.
pub(super) fn suspicious(text: &str) -> bool {
    anywhere(text, |text| scan(text, |_| true) || has_login(text, true) || shapes::any(text))
        || ends_in_name(text)
        || !text.is_ascii() && OTHER_SCRIPTS.iter().any(|name| text.contains(name))
}

/// True if the last word of the text is the beginning of a name.
fn ends_in_name(text: &str) -> bool {
    let word = text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    CUT.iter().any(|(name, least)| {
        let is_end = |length: usize| ends_with(word.as_bytes(), name.get(..length).unwrap_or_default());
        (*least..name.len()).any(is_end)
    })
}

/// True if the value of a setting may hold a secret. Names alone are no reason there: `passwordcheck` is a library.
pub(super) fn suspicious_setting(value: &str) -> bool {
    anywhere(value, |text| {
        let given = |end: usize| {
            let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            let (before, after) = text.split_at_checked(end).unwrap_or_default();
            let is_option = before.iter().rev().take(64).take_while(is_part).last() == Some(&b'-');
            let rest = after.iter().skip(after.iter().take(64).take_while(is_part).count());
            let mut rest = rest.skip_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\'));
            is_option || matches!(rest.next(), Some(b'=' | b':')) || is_command(before)
        };
        scan(text, given) || has_login(text, false) || shapes::any(text)
    })
}

/// True if it is true of the text as it is written, in one part, or read.
fn anywhere(text: &str, is: impl Fn(&[u8]) -> bool) -> bool {
    let text = text.as_bytes();
    if is(text) {
        return true;
    }
    let holds = |of: &[u8]| text.iter().any(|byte| of.contains(byte));
    let escapes = holds(b"\\%");
    if escapes && is(&unescaped(text)) {
        return true;
    }
    if !holds(b"'") {
        return false;
    }
    let one = joined(text);
    is(&one) || escapes && is(&joined(&unescaped(&one)))
}

/// Calls `found` with the byte after each name of a secret, until it is true.
fn scan(text: &[u8], mut found: impl FnMut(usize) -> bool) -> bool {
    let by_last = &*BY_LAST;
    // The last 16 letters and digits, and where the last part of a name (`Key` of `api_Key`) began.
    let (mut last, mut part) = (0_u128, 0);
    for (at, &byte) in text.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            part = at + 1;
            continue;
        }
        let lower = byte.to_ascii_lowercase();
        last = last << 8 | u128::from(lower);
        let names = by_last.get(usize::from(lower)).map_or(&[][..], Vec::as_slice);
        if names.iter().any(|(name, bits)| last & bits == *name) && found(at + 1) {
            return true;
        }
        let next = text.get(at + 1).copied().unwrap_or_default();
        let hump = byte.is_ascii_lowercase() && next.is_ascii_uppercase();
        if hump || !next.is_ascii_alphanumeric() {
            let (before, rest) = text.split_at_checked(at + 1).unwrap_or_default();
            let (before, name) = before.split_at_checked(part).unwrap_or_default();
            if (is_short_name(name, rest) || is_of_uri(before, name, rest)) && found(at + 1) {
                return true;
            }
            part = at + 1;
        }
    }
    false
}

/// True if a part of a name is a secret or a command by itself, as other words hold the same letters. `rest` follows it.
fn is_short_name(part: &[u8], rest: &[u8]) -> bool {
    let is = |words: &[&str]| words.iter().any(|word| part.eq_ignore_ascii_case(word.as_bytes()));
    let next = rest.trim_ascii_start();
    match part {
        // U&'\0070assword', whose escape character may be any.
        [b'u' | b'U'] => matches!(rest, [b'&', b'\'' | b'"' | b'\\', ..]),
        _ if is(&["digest", "md5", "sha1", "sha224", "sha256", "sha384", "sha512"]) => {
            matches!(next, [b'(', ..] | [b'-', b'-', ..] | [b'/', b'*', ..])
        }
        _ if is(&["authenticate", "login", "logon", "signin", "signup", "sign", "decode"]) => {
            next.strip_prefix(b"(").is_some_and(|rest| begins_text(rest.trim_ascii_start()))
        }
        _ if is(&["auth", "cred", "creds", "dsn", "otp", "pin", "cvv", "cvc"]) => {
            matches!(next, [b'=' | b':' | b'\'' | b'"' | b'(' | b'\\', ..])
        }
        // COPY ... PROGRAM 'curl -u user:password ...', SUBSCRIPTION ... CONNECTION '...'
        _ if is(&["program", "connection"]) => begins_text(next),
        _ => is_command(part) || ["pass", "pw"].iter().any(|word| ends_with(without_digits(part), word)),
    }
}

/// True for a parameter of a URI that gives access: `?key=`, `&sig=`.
fn is_of_uri(before: &[u8], part: &[u8], rest: &[u8]) -> bool {
    let is = |word: &str| part.eq_ignore_ascii_case(word.as_bytes());
    matches!(before.last(), Some(b'?' | b'&'))
        && rest.starts_with(b"=")
        && ["key", "sig", "signature", "code"].into_iter().any(is)
}

/// True for the beginning of a text in any quotes, or of a comment that may precede one.
fn begins_text(rest: &[u8]) -> bool {
    matches!(rest, [b'\'' | b'$', ..] | [b'e' | b'E' | b'n' | b'N', b'\'', ..] | [b'-', b'-', ..] | [b'/', b'*', ..])
}

/// True for a command that takes a password as its argument.
fn is_command(text: &[u8]) -> bool {
    ["curl", "wget", "sshpass"].iter().any(|command| {
        let before = text.len().checked_sub(command.len() + 1).and_then(|at| text.get(at));
        ends_with(text, command) && !before.is_some_and(u8::is_ascii_alphanumeric)
    })
}

fn ends_with(text: &[u8], word: &str) -> bool {
    let end = text.len().checked_sub(word.len()).and_then(|at| text.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
}

fn without_digits(text: &[u8]) -> &[u8] {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..text.len() - digits).unwrap_or_default()
}

/// True if the text holds a URI with a user or a password. A password may hold a `/` or an `@` that should have been
/// encoded, and a port may be the beginning of a password where the text may have been `cut` off.
fn has_login(text: &[u8], cut: bool) -> bool {
    // The end of the run without blanks that was looked at last: each is searched for `@` once.
    let mut run = 0;
    for (at, _) in text.windows(3).enumerate().filter(|(_, window)| *window == b"://") {
        let begin = at + 3;
        let rest = text.get(begin..).unwrap_or_default();
        if run <= begin {
            let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
            run = begin + length;
            let uri = rest.get(..length).unwrap_or_default();
            let login = uri.iter().rposition(|byte| *byte == b'@').and_then(|at| uri.get(..at));
            if login.is_some_and(|login| login.contains(&b':') || !login.iter().any(|byte| ends_host(*byte))) {
                return true;
            }
        }
        if matches!(rest, [b'\'', ..]) && is_put_together(text.get(..at).unwrap_or_default()) {
            return true;
        }
        let host = rest.iter().take_while(|byte| !ends_host(**byte) && !byte.is_ascii_whitespace()).count();
        let host = rest.get(..host).unwrap_or_default();
        let is_cut = cut && run == text.len();
        if host.contains(&b'@') || !has_ports_only(host) || is_cut && host.contains(&b':') {
            return true;
        }
    }
    false
}

/// True if the scheme before `://'`, to which something is added, is not one that rarely has a login.
fn is_put_together(before: &[u8]) -> bool {
    let length = before.iter().rev().take(16).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let scheme = before.get(before.len() - length..).unwrap_or_default();
    !["http", "https", "file", "s3", "gs"].iter().any(|word| scheme.eq_ignore_ascii_case(word.as_bytes()))
}

fn ends_host(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#' | b'\'' | b'"')
}

/// True if each `:` precedes a port: `h:5432,i:5433`.
fn has_ports_only(host: &[u8]) -> bool {
    host.split(|byte| *byte == b':').skip(1).all(|port| {
        let digits = port.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let next = port.get(digits);
        (1..=5).contains(&digits) && next.is_none_or(|next| matches!(next, b',' | b')' | b';' | b']' | b'>' | b'\\'))
    })
}

/// The text with its parts in one, also inside another text: `'a' 'b'`, `''a'' || ''b''` and `\'a\' || E\'b\'` are `'ab'`.
fn joined(text: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (closing, after) = rest.split_at_checked(quotes(rest).max(1)).unwrap_or((rest, &[]));
        rest = after;
        if closing.contains(&b'\'') {
            while let Some(opened) = opened(rest) {
                rest = opened;
            }
            if rest.len() < after.len() {
                continue;
            }
        }
        read.extend_from_slice(closing);
    }
    read
}

/// What follows the quote that opens the next part of a text, where only blanks and `||` precede it.
fn opened(after: &[u8]) -> Option<&[u8]> {
    let between = after.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'|').count();
    let next = after.get(between..).filter(|_| between > 0)?;
    let next = next.strip_prefix(b"E").or(next.strip_prefix(b"e")).unwrap_or(next);
    let last = next.get(..quotes(next))?.iter().rposition(|byte| *byte == b'\'')?;
    next.get(last + 1..)
}

/// The number of quotes, and of backslashes before them, at the beginning.
fn quotes(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b'\'' | b'\\')).count()
}

/// The text with the escapes of `E'...'`, JSON and URIs read, at any depth: `\\x77`, `\167`, `\u0077` and `%77` are all `w`.
/// What is no ASCII becomes a blank.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (mut byte, mut after) = match first {
            b'%' => code(after, 2, 2, 16).unwrap_or((first, after)),
            _ => (first, after),
        };
        // What is read may be a backslash again.
        while byte == b'\\' {
            (byte, after) = backslash(after);
        }
        read.push(byte);
        rest = after;
    }
    read
}

/// What follows a backslash, and what follows that.
fn backslash(rest: &[u8]) -> (u8, &[u8]) {
    // A text inside a text has them doubled.
    let rest = rest.get(rest.iter().take_while(|byte| **byte == b'\\').count()..).unwrap_or_default();
    let Some((&letter, after)) = rest.split_first() else { return (b' ', rest) };
    let escape = match letter {
        b'x' => code(after, 1, 2, 16),
        b'u' => code(after, 4, 4, 16),
        b'U' => code(after, 8, 8, 16),
        b'0'..=b'7' => code(rest, 1, 3, 8),
        b'b' | b'f' | b'n' | b'r' | b't' => Some((b' ', after)),
        _ => None,
    };
    escape.unwrap_or((letter, after))
}

/// The character that `least` to `most` digits name, and what follows them.
fn code(rest: &[u8], least: usize, most: usize, radix: u32) -> Option<(u8, &[u8])> {
    let digits = rest.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let (digits, after) = rest.split_at_checked(digits).filter(|(digits, _)| digits.len() >= least)?;
    let number = u32::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()?;
    let byte = u8::try_from(number).ok().filter(u8::is_ascii);
    Some((byte.unwrap_or(b' '), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_any_spelling_of_their_name() {
        for text in [
            "password",
            "db_password",
            "PGPASSWORD",
            "dbPassWord",
            "sslpassword",
            "passwd",
            "user-pwd",
            "smtp_pass",
            "pass1",
            "dbPass: x",
            "passHash",
            "user_pw",
            "userPw",
            "client_secret",
            "csrf_token",
            "apiKey",
            "x-api-key",
            "api key",
            "aws_secret_access_key",
            "aws_access_key_id",
            "private_key",
            "-----BEGIN PRIVATE KEY",
            "Authorization",
            "bearer",
            "'pass'\n'word'",
            "'pass' || 'word'",
            "pass/**/word",
            "E'pass\\x77ord'",
            "E'pass\\167ord'",
            "E'pass\\u0077ord'",
            "E'pass\\\\\\\\x77ord'",
            "pass\\word",
            "p%61ssword",
            "U&'p!0061ss' uescape '!'",
            "u&\"x\"",
            "pgp_sym_encrypt",
            "crypt(",
            "md5 (",
            "digest(",
            "sha256(",
            "dblink_connect",
            "create user mapping",
            "identified by",
            "copy t from program 'x'",
            "COPY t TO PROGRAM /* c */ $$x$$",
            "curl -u",
            "digest/**/(",
            "\"auth\": \"x\"",
            "'X-Auth', 'x'",
            "login('u', 'x')",
            "sign('{}', 'x')",
            "decode('eA==', 'base64')",
            "pin = '1'",
            "subscription s connection 'host=h'",
            "alter server s options (set x 'y')",
            "set primary_conninfo = 'x'",
            "https://h/d?a=1&sig=x",
            "https://h/d?key=x",
            "a://u:x@h",
            "concat('a://', u, ':', 'x')",
            "bindpw=x",
            "select 'x' as passw",
            "select 'x' as secre",
            "select 'x' as my_toke",
            "Пароль",
            "a://u@h",
            "a://:x@h",
            "a://u:12/x@h",
            "a://u:x",
            "a://u:12",
            "'http://h/b,a://u:x'",
            "a://u:a/b@h",
            "a://u:it''s@h",
        ] {
            assert!(suspicious(text), "{text}");
        }
    }

    #[test]
    fn other_texts_name_no_secret() {
        for text in [
            "",
            "select 1",
            "passenger, passed, compassion",
            "select program from programs",
            "md5sum",
            "login, sign(1), decode(a, 'hex')",
            "auth.users, pin, connection, key = 'x'",
            "spinning, author: x",
            "select digest, sha256",
            "description of an encyclopedia",
            "public_url",
            "'https://' || host",
            "select '50%', '%a%'",
            "'\\x41\\d'",
            "primary key, foreign_key",
            "'a://h:5432/d' x",
            "'a://h:5432,i:5433', 'x'",
            "see a://h:5432/d now",
            "https://h/a:b",
            "'https://h/@user'",
            "'http://h:80', 'a@b'",
            "x::text",
        ] {
            assert!(!suspicious(text), "{text}");
        }
    }

    #[test]
    fn a_setting_holds_a_secret_where_a_value_is_given() {
        for value in [
            "PGPASSWORD=x rsync %p",
            "host=h password='x'",
            "curl -u u:x ftp://h",
            "/usr/bin/wget --x",
            "sshpass -p x scp",
            "gpg --passphrase x",
            "set app.token=x",
            "{\"api_key\": \"x\"}",
            "postgres://u:x@h",
            "openssl enc -pass pass:x",
            "aws_secret_access_key = x",
        ] {
            assert!(suspicious_setting(value), "{value}");
        }
        for value in [
            "pg_stat_statements,passwordcheck",
            "$libdir/passwordcheck",
            "scram-sha-256",
            "3 columns 3fa5",
            "on api_tokens 3fa5",
            "token_schema, public",
            "cp %p /archive/%f",
            "login in token_admin",
            "https://h:80/x",
        ] {
            assert!(!suspicious_setting(value), "{value}");
        }
    }
}

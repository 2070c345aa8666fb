//! The `postgres://user:password@host:port/database?keyword=value` form, as libpq reads it.

use super::setting::{ConnInfoError, Setting};

const ENCODE: &str = "in a user or password, write @ as %40, : as %3A, / as %2F and % as %25";

/// The length of the scheme in bytes, if `text` is a connection URI.
pub(super) fn scheme(text: &str) -> Option<usize> {
    ["postgresql://", "postgres://"].iter().find(|scheme| text.starts_with(**scheme)).map(|scheme| scheme.len())
}

/// Splits a URI, whose scheme is `start` bytes long, into its settings.
pub(super) fn split(text: &str, start: usize) -> Result<Vec<Setting>, ConnInfoError> {
    let mut pairs = Pairs(Vec::new());
    let whole = Part { text: text.get(start..).unwrap_or_default(), offset: start };
    // As in libpq, an @ before the first / ends the credentials.
    let credentials_end = whole.text.find(['@', '/']).filter(|at| whole.text.as_bytes().get(*at) == Some(&b'@'));
    let rest = match credentials_end {
        Some(at) => {
            let (credentials, rest) = whole.split_at(at, 1);
            match credentials.text.find(':') {
                Some(colon) => {
                    let (user, password) = credentials.split_at(colon, 1);
                    pairs.add_filled("user", user)?;
                    pairs.add_filled("password", password)?;
                }
                None => pairs.add_filled("user", credentials)?,
            }
            rest
        }
        None => whole,
    };
    let (before_query, query) = match rest.text.find('?') {
        Some(at) => rest.split_at(at, 1),
        None => rest.split_at(rest.text.len(), 0),
    };
    let (netloc, database) = match before_query.text.find('/') {
        Some(at) => before_query.split_at(at, 1),
        None => before_query.split_at(before_query.text.len(), 0),
    };
    split_netloc(&mut pairs, netloc)?;
    pairs.add_filled("dbname", database)?;
    split_query(&mut pairs, query)?;
    Ok(pairs.0)
}

/// Hosts with commas between them, each of them `host`, `host:port`, `[::1]:port`, or nothing.
fn split_netloc(pairs: &mut Pairs, netloc: Part<'_>) -> Result<(), ConnInfoError> {
    if netloc.text.contains('@') {
        return Err(ConnInfoError::new(netloc.offset, format!("more than one @: {ENCODE}")));
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    let mut port_offset = None;
    let mut rest = netloc;
    loop {
        let (one, after) = rest.split_at(rest.text.find(',').unwrap_or(rest.text.len()), 1);
        let (host, port) = split_host(one)?;
        hosts.push(decode(host)?);
        if !port.text.is_empty() {
            port_offset = port_offset.or(Some(port.offset));
        }
        ports.push(decode(port)?);
        if after.offset > netloc.offset + netloc.text.len() {
            break;
        }
        rest = after;
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        pairs.0.push(Setting { keyword: "host".to_owned(), value: hosts.join(","), offset: netloc.offset });
    }
    if let Some(offset) = port_offset {
        pairs.0.push(Setting { keyword: "port".to_owned(), value: ports.join(","), offset });
    }
    Ok(())
}

fn split_host(one: Part<'_>) -> Result<(Part<'_>, Part<'_>), ConnInfoError> {
    let (host, after) = if one.text.starts_with('[') {
        let end = one.text.find(']').filter(|end| *end > 1);
        let end = end.ok_or_else(|| {
            ConnInfoError::new(one.offset, "an IPv6 address must be written in brackets, as in [::1]")
        })?;
        let (host, after) = one.split_at(end, 1);
        (Part { text: host.text.get(1..).unwrap_or_default(), offset: host.offset + 1 }, after)
    } else {
        one.split_at(one.text.find(':').unwrap_or(one.text.len()), 0)
    };
    match after.text.strip_prefix(':') {
        Some(port) => Ok((host, Part { text: port, offset: after.offset + 1 })),
        None if after.text.is_empty() => Ok((host, after)),
        None => Err(ConnInfoError::new(after.offset, "only :port, /database or ? may follow the address")),
    }
}

fn split_query(pairs: &mut Pairs, query: Part<'_>) -> Result<(), ConnInfoError> {
    let mut offset = query.offset;
    for pair in query.text.split('&').filter(|_| !query.text.is_empty()) {
        let Some((keyword, value)) = pair.split_once('=') else {
            return Err(ConnInfoError::new(offset, "? must be followed by keyword=value pairs, separated by &"));
        };
        let keyword_part = Part { text: keyword, offset };
        let value = decode(Part { text: value, offset: offset + keyword.len() + 1 })?;
        let keyword = decode(keyword_part)?;
        // libpq does the same, for URIs of JDBC.
        let (keyword, value) = match (keyword.as_str(), value.as_str()) {
            ("ssl", "true") => ("sslmode".to_owned(), "require".to_owned()),
            _ => (keyword, value),
        };
        pairs.0.push(Setting { keyword, value, offset });
        offset += pair.len() + 1;
    }
    Ok(())
}

struct Pairs(Vec<Setting>);

impl Pairs {
    /// Adds a setting unless its text is empty: in a URI, that sets nothing.
    fn add_filled(&mut self, keyword: &str, part: Part<'_>) -> Result<(), ConnInfoError> {
        if !part.text.is_empty() {
            self.0.push(Setting { keyword: keyword.to_owned(), value: decode(part)?, offset: part.offset });
        }
        Ok(())
    }
}

/// A piece of the URI and where it begins.
#[derive(Clone, Copy)]
struct Part<'text> {
    text: &'text str,
    offset: usize,
}

impl<'text> Part<'text> {
    /// The piece before `at`, and the piece after it without its first `skip` bytes.
    fn split_at(self, at: usize, skip: usize) -> (Part<'text>, Part<'text>) {
        let before = self.text.get(..at).unwrap_or_default();
        let after = self.text.get(at + skip..).unwrap_or_default();
        (Part { text: before, offset: self.offset }, Part { text: after, offset: self.offset + at + skip })
    }
}

/// Decodes `%40`.
fn decode(part: Part<'_>) -> Result<String, ConnInfoError> {
    let mut bytes = Vec::with_capacity(part.text.len());
    let mut rest = part.text.bytes().enumerate();
    while let Some((at, byte)) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|(_, digit)| char::from(digit).to_digit(16));
        match digit().zip(digit()).map(|(high, low)| (high * 16 + low) as u8) {
            Some(decoded) if decoded != 0 => bytes.push(decoded),
            _ => return Err(ConnInfoError::new(part.offset + at, format!("% needs two hex digits, not 00; {ENCODE}"))),
        }
    }
    String::from_utf8(bytes).map_err(|_| ConnInfoError::new(part.offset, "the decoded text is not UTF-8"))
}

//! Secrets in what servers tell in words of their own: errors, notices and plans, which quote statements and values.

use std::borrow::Cow;
use std::ops::Range;

use super::{Bare, LONG, MASK, find_uris, is_masked, is_plain, known, masked, mixed_up, names, replaced};
use crate::sql::words::{Kind, Piece, Quotes, pieces};

/// In what libpq says about a connection string, any part of it may be a password.
const OF_CONNECTION: [&str; 6] =
    ["connection info string", "connection option", "connection string", "percent-encoded", "port number:", " URI"];
/// After these words a row or a key is told.
const VALUES: [&str; 2] = [")=(", " contains ("];
/// What precedes the name of something that the server has.
const OBJECTS: [&str; 19] = [
    "ON",
    "TO",
    "grant",
    "column",
    "constraint",
    "database",
    "domain",
    "extension",
    "function",
    "index",
    "publication",
    "relation",
    "role",
    "schema",
    "sequence",
    "server",
    "table",
    "type",
    "view",
];
/// What in the title of a part of a plan says that it is no expression, but a text of a foreign server.
const FOREIGN: [&str; 6] = ["Program", "Command", "Connection", "File", "URL", "Query"];

/// An error or a notice of a server, without the secrets in it. What is named by words alone stays readable: `password
/// authentication failed for user "app"`.
pub fn masked_message(message: &str) -> Cow<'_, str> {
    let of_connection = OF_CONNECTION.iter().any(|words| message.contains(words));
    // A password with an unencoded `@` ends up in the name of the host.
    let of_host = message.contains("host name \"");
    let quotes_connection = of_host || of_connection && message.contains('"');
    if !quotes_connection && !names::suspicious(message) {
        return Cow::Borrowed(message);
    }
    hide(message, |name, before| is_plain(name) && !of_connection && !before.ends_with("near "), true)
}

/// The same of an error that a statement has caused: where the statement holds a secret, the error may quote any part of
/// it.
pub fn masked_message_of<'a>(message: &'a str, statement: &str) -> Cow<'a, str> {
    let shown = masked(statement);
    if !is_masked(&shown) {
        return Cow::Borrowed(message);
    }
    let of_object = |name: &str, before: &str| {
        let word = before.trim_end().rsplit(' ').next().unwrap_or_default();
        OBJECTS.contains(&word) && is_plain(name) && !statement.contains(name)
    };
    hide(message, |name, before| shown.contains(name) || of_object(name, before), false)
}

/// The message without texts, values of rows, and names in double quotes that are not `shown`, which gets what is before
/// the name as well. `bare`: and without what is assigned.
fn hide(message: &str, shown: impl Fn(&str, &str) -> bool, bare: bool) -> Cow<'_, str> {
    let read = without_apostrophes(message);
    let pieces: Vec<Piece<'_>> = pieces(&read, Quotes::Standard).collect();
    let mut hidden = Vec::new();
    for piece in &pieces {
        let is_hidden = match piece.kind {
            Kind::Text(_) => true,
            Kind::Name(_) => !shown(piece.inside(), read.get(..piece.at).unwrap_or_default()),
            _ => false,
        };
        hidden.extend(is_hidden.then(|| piece.range()));
    }
    let values = VALUES.iter().filter_map(|words| Some(message.find(words)? + words.len()));
    hidden.extend(values.map(|from| from..message.rfind(')').filter(|end| *end > from).unwrap_or(message.len())));
    hidden.extend(mixed_up(&pieces).map(|from| from..message.len()));
    find_uris(&pieces, &mut hidden);
    if bare {
        let words: Vec<Piece<'_>> =
            pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Blank | Kind::Comment)).copied().collect();
        Bare { pieces: &pieces, words: &words, end: message.len(), known: known(&words) }.find(&mut hidden);
    }
    replaced(message, hidden).unwrap_or(Cow::Borrowed(MASK))
}

/// The text with the apostrophes of words (`role's`, `can't`) replaced, so that they open no quotes. As long as before.
fn without_apostrophes(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_apostrophe = |at: &usize| {
        let is_letter = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphabetic);
        at.checked_sub(2).is_some_and(|before| is_letter(before) && is_letter(before + 1))
            && bytes.get(at + 1).is_some_and(|letter| matches!(letter, b's' | b't'))
            && bytes.get(at + 2).is_none_or(|next| matches!(next, b' ' | b'.' | b','))
    };
    let found: Vec<usize> = text.match_indices('\'').map(|(at, _)| at).filter(is_apostrophe).collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut read = text.to_owned();
    for at in found {
        read.replace_range(at..=at, "_");
    }
    Cow::Owned(read)
}

/// The lines of a plan, of any format, without the secrets in its expressions.
pub fn masked_plan(plan: &str) -> Cow<'_, str> {
    if !names::suspicious(plan) {
        return Cow::Borrowed(plan);
    }
    let begin = plan.trim_start();
    let is_json = ["[", "{", "- "].iter().any(|sign| begin.starts_with(sign));
    let mut hidden = Vec::new();
    if is_json {
        hidden.extend(texts_of_json(plan));
    } else {
        for quotes in [Quotes::Standard, Quotes::Backslashes] {
            find(&pieces(plan, quotes).collect::<Vec<_>>(), &mut hidden);
        }
        let mut begin = 0;
        for line in plan.split_inclusive('\n') {
            hidden.extend(value_of_line(line).map(|part| begin + part.start..begin + part.end));
            begin += line.len();
        }
    }
    replaced(plan, hidden).unwrap_or(Cow::Borrowed(MASK))
}

/// In expressions a value is a text in quotes or a number.
fn find(pieces: &[Piece<'_>], hidden: &mut Vec<Range<usize>>) {
    let mut is_attribute = false;
    for piece in pieces {
        let is_hidden = match piece.kind {
            Kind::Text(_) => true,
            // In XML an attribute names the format.
            Kind::Name(_) => !is_attribute && !is_plain(piece.inside()),
            _ => false,
        };
        is_attribute = piece.is_sign('=');
        hidden.extend(is_hidden.then(|| piece.range()));
    }
    find_uris(pieces, hidden);
    // Numbers, but not those that say what a step of the plan costs.
    let is_end = |piece: &Piece<'_>| piece.kind == Kind::Blank && piece.source.contains('\n');
    for line in pieces.split(is_end) {
        let is_expression = line.iter().any(|piece| piece.is_sign('(') || piece.is_word("output"));
        let is_step = line.iter().any(|piece| ["cost", "actual", "rows"].iter().any(|word| piece.is_word(word)));
        if is_expression && !is_step {
            let numbers = line.iter().filter(|piece| piece.kind == Kind::Number && piece.source.len() >= LONG);
            hidden.extend(numbers.map(Piece::range));
        }
    }
}

/// The insides of the texts in JSON or YAML that are neither keys nor names.
fn texts_of_json(plan: &str) -> impl Iterator<Item = Range<usize>> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let begin = end + plan.get(end..)?.find('"')? + 1;
        let inside = plan.get(begin..)?;
        let mut is_escaped = false;
        let closing = inside.bytes().position(|byte| {
            let closes = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            closes
        });
        let length = closing.unwrap_or(inside.len());
        end = (begin + length + 1).min(plan.len());
        Some(begin..begin + length)
    })
    .filter(|text| {
        let is_key = plan.get(text.end..).is_some_and(|rest| rest.starts_with("\":"));
        !is_key && !plan.get(text.clone()).is_some_and(is_plain)
    })
}

/// The value in a line like `Foreign Program: curl ...`.
fn value_of_line(line: &str) -> Option<Range<usize>> {
    let text = line.trim_end();
    let colon = text.find(": ")?;
    let (title, value) = text.split_at_checked(colon + 2)?;
    (FOREIGN.iter().any(|word| title.contains(word)) && names::suspicious(value) && !value.starts_with("SELECT "))
        .then_some(colon + 2..text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_shown_without_values() {
        for (message, shown) in [
            ("syntax error at or near \"'x\" in password", "syntax error at or near '***' in password"),
            ("unterminated quoted string at or near \"'password=x\"", "unterminated quoted string at or near '***'"),
            (
                "could not translate host name \"x@h\" to address: no",
                "could not translate host name '***' to address: no",
            ),
            (
                "missing \"=\" after \"x\" in connection info string",
                "missing '***' after '***' in connection info string",
            ),
            ("invalid percent-encoded token: \"x\"", "invalid percent-encoded token: '***'"),
            ("SQL statement \"alter role a password 'x'\"", "SQL statement '***'"),
            ("duplicate: Key (password)=(x, y) already exists.", "duplicate: Key (password)=('***') already exists."),
            ("the password is 'x'", "the password is '***'"),
            ("password: x y", "password: '***'"),
            ("cannot reach postgres://u:x@h/d now", "cannot reach postgres://'***' now"),
            ("the role's password isn't 'x'", "the role's password isn't '***'"),
        ] {
            assert_eq!(masked_message(message), shown);
        }
        for message in [
            "",
            "password authentication failed for user \"app\"",
            "authenticated with an MD5-encrypted password",
            "MD5 password support is deprecated and will be removed in a future release of PostgreSQL.",
            "The password for role \"ex\" will expire in 2 days.",
            "column \"password\" does not exist",
            "permission denied for table tokens",
            "relation \"t\" does not exist",
            "the database system is starting up",
            "could not translate host name \"db1.example.com\" to address",
            "contains function abc with invalid support number 12345 in \"a\"",
            "OAuth bearer authentication failed for user \"a\"",
            "User \"a\" does not have a valid SCRAM secret.",
            "Key (id)=(5) already exists.",
            "invalid input syntax for type integer: \"it's\"",
            "no pg_hba.conf entry for host \"10.0.0.1\", user \"a\", database \"d\", no encryption",
            "password is too short: at least 12345 characters",
        ] {
            assert_eq!(masked_message(message), message);
        }
    }

    #[test]
    fn an_error_quotes_nothing_that_is_hidden_in_its_statement() {
        let statement = "alter role bob password s3cr3t";
        let syntax = "syntax error at or near \"s3cr3t\" (at character 25)";
        assert_eq!(masked_message_of(syntax, statement), "syntax error at or near '***' (at character 25)");
        assert_eq!(masked_message_of(syntax, "select s3cr3t"), syntax);
        let missing = "role \"bob\" does not exist";
        assert_eq!(masked_message_of(missing, statement), missing);
        let statement = "insert into users (name, password) values ('a', 'x')";
        let row = "null value in column \"id\": Failing row contains (null, a, x).";
        assert_eq!(masked_message_of(row, statement), "null value in column \"id\": Failing row contains ('***').");
        let escaped = r"alter role bob password E's\x33cr3t' x";
        assert_eq!(masked_message_of("syntax error at or near \"s3cr3t\"", escaped), "syntax error at or near '***'");
    }

    #[test]
    fn plans_are_shown_without_the_values_of_their_expressions() {
        for (plan, shown) in [
            (
                "Seq Scan on tokens  (cost=0.00..12345.67 rows=12345 width=4)\n  Filter: (password = 'x'::text)",
                "Seq Scan on tokens  (cost=0.00..12345.67 rows=12345 width=4)\n  Filter: (password = '***'::text)",
            ),
            (
                "  Filter: ((token = 12345) AND (a = 'it''s\nx'::text))",
                "  Filter: ((token = '***') AND (a = '***'::text))",
            ),
            (
                "  Output: password, 'x'::text, 12345\n  Rows Removed by Filter: 12345",
                "  Output: password, '***'::text, '***'\n  Rows Removed by Filter: 12345",
            ),
            ("  Function Call: crypt('x'::text, salt)", "  Function Call: crypt('***'::text, salt)"),
            (
                "  Remote SQL: SELECT a FROM t WHERE ((password = 'x'))",
                "  Remote SQL: SELECT a FROM t WHERE ((password = '***'))",
            ),
            ("  Foreign Program: curl -u a:x http://h", "  Foreign Program: '***'"),
            ("  Filter: (a = 'postgres://u:x@h'::text)", "  Filter: (a = '***'::text)"),
            (
                "[\n  \"Relation Name\": \"tokens\",\n  \"Rows\": 12345,\n  \"Filter\": \"(password = 'a\\\"x'::text)\"\n]",
                "[\n  \"Relation Name\": \"tokens\",\n  \"Rows\": 12345,\n  \"Filter\": \"'***'\"\n]",
            ),
            (
                "- Plan: \n    Relation Name: \"tokens\"\n    Filter: \"(password = 'x'::text)\"\n    Output: \n      - \"'x'::text\"",
                "- Plan: \n    Relation Name: \"tokens\"\n    Filter: \"'***'\"\n    Output: \n      - \"'***'\"",
            ),
            ("<Filter>(password = 'x'::text)</Filter>", "<Filter>(password = '***'::text)</Filter>"),
        ] {
            assert_eq!(masked_plan(plan), shown);
        }
        for plan in [
            "Seq Scan on t  (cost=0.00..1.00 rows=12345 width=4)\n  Filter: (a = 'x'::text)",
            "Hash Join  (cost=12345.00..23456.00 rows=12345 width=4)\n  Hash Cond: (a.token = b.token)\n  ->  Seq Scan on passwords b",
            "Sort Key: password\n  Index Cond: (token = $1)\n  Filter: (token = (InitPlan expr_1).col1)",
        ] {
            assert_eq!(masked_plan(plan), plan);
        }
    }
}

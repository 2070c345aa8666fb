//! What a statement of the user would do to our read-only session, told from its first words.
//!
//! This only makes a clear answer: what keeps a read-only node read-only is the `BEGIN READ ONLY` around each
//! statement, which the statement cannot leave and still do something after.

/// The settings that make a session or a transaction read-only.
const GUARDS: [&str; 2] = ["default_transaction_read_only", "transaction_read_only"];

/// Whether the statement asks to leave read-only mode; the answer is what it tried.
pub(crate) fn leaves_read_only(statement: &str) -> Option<&'static str> {
    let words = Words(statement).take(16).collect::<Vec<_>>();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let read_write = words.windows(2).any(|pair| pair[0] == "read" && pair[1] == "write");
    match word(0) {
        "set" => {
            let name = if matches!(word(1), "session" | "local") { word(2) } else { word(1) };
            if GUARDS.contains(&name) {
                Some("SET of a read-only setting")
            } else if read_write && matches!(name, "transaction" | "characteristics") {
                Some("SET TRANSACTION READ WRITE")
            } else {
                None
            }
        }
        "reset" if GUARDS.contains(&word(1)) => Some("RESET of a read-only setting"),
        "begin" | "start" if read_write => Some("a READ WRITE transaction"),
        _ => None,
    }
}

/// The words of a statement in lower case, its quoted names as they are; comments and all signs are skipped.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }
}

impl Iterator for Words<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let first = self.0.chars().next()?;
            if self.0.starts_with("--") {
                self.skip(self.0.find('\n').map_or(self.0.len(), |end| end + 1));
            } else if self.0.starts_with("/*") {
                self.skip(comment_length(self.0));
            } else if first == '"' {
                let inner = self.0.get(1..).unwrap_or_default();
                let end = inner.find('"').unwrap_or(inner.len());
                let name = inner.get(..end).unwrap_or_default().to_owned();
                self.skip(end + 2);
                return Some(name);
            } else if first.is_alphanumeric() || first == '_' {
                let end = self.0.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(self.0.len());
                let word = self.0.get(..end).unwrap_or_default().to_lowercase();
                self.skip(end);
                return Some(word);
            } else {
                self.skip(first.len_utf8());
            }
        }
    }
}

/// Bytes of the comment that `text` begins with; comments nest.
fn comment_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_leave_are_seen() {
        for statement in [
            "set default_transaction_read_only = off",
            "SET SESSION default_transaction_read_only TO 'off'",
            "  -- now\n /* a /* nested */ comment */ Set\tLocal transaction_read_only=0",
            "set \"default_transaction_read_only\" = off",
            "reset default_transaction_read_only",
            "RESET transaction_read_only;",
            "set transaction isolation level serializable, read write",
            "set session characteristics as transaction read write",
            "begin read write",
            "begin work isolation level repeatable read, read /* x */ write",
            "start transaction read write",
        ] {
            assert!(leaves_read_only(statement).is_some(), "{statement}");
        }
    }

    #[test]
    fn other_statements_are_left_alone() {
        for statement in [
            "",
            "select 1",
            "show default_transaction_read_only",
            "select 'set default_transaction_read_only = off'",
            "set work_mem = '1MB'",
            "set transaction read only",
            "begin",
            "reset all",
            "/* set default_transaction_read_only = off",
            "-- set default_transaction_read_only = off",
            "\"",
            "select \"read\" write from t",
        ] {
            assert_eq!(leaves_read_only(statement), None, "{statement}");
        }
    }
}

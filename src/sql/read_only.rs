//! Whether a statement would leave read-only mode, judged by its first words.
//!
//! This only gives a clear error message. What keeps a read-only node read-only is the `BEGIN READ ONLY` around each
//! statement: a statement that leaves it can do nothing afterwards.

use super::{Token, tokens};

/// The settings that make a session or a transaction read-only.
const GUARDS: [&str; 2] = ["default_transaction_read_only", "transaction_read_only"];

/// What the statement tries to do to leave read-only mode, if it does.
pub fn leaves(statement: &str) -> Option<&'static str> {
    let words = tokens(statement).filter_map(text_of).take(16).collect::<Vec<_>>();
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

/// The text of a word or a quoted name: a setting may be quoted.
fn text_of(token: Token<'_>) -> Option<String> {
    match token {
        Token::Word(text) | Token::Name(text) => Some(text),
        _ => None,
    }
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
            assert!(leaves(statement).is_some(), "{statement}");
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
            assert_eq!(leaves(statement), None, "{statement}");
        }
    }
}

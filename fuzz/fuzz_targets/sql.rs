//! SQL of any client: every byte belongs to one piece, every reader ends, and no password remains.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgwatch::sql::words::{Quotes, pieces};
use pgwatch::sql::{acts, plan, read_only, secrets, tokens, verbs};

fuzz_target!(|statement: &str| {
    for quotes in [Quotes::Standard, Quotes::Backslashes] {
        let mut end = 0;
        for piece in pieces(statement, quotes) {
            assert!(!piece.source.is_empty() && piece.at == end);
            assert!(piece.source.contains(piece.inside()));
            end = piece.end();
        }
        assert_eq!(end, statement.len());
    }
    assert!(tokens(statement).count() <= statement.len());
    let _ = (acts::acts(statement), verbs::begins(statement), read_only::leaves(statement), plan::parameters(statement));
    secrets::masked(statement);
    // Any text, as the password of a statement.
    let quoted = statement.replace('\'', "''");
    assert_eq!(secrets::masked(&format!("alter role a password '{quoted}")), "alter role a password '***'");
});

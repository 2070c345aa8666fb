//! Statements around a secret: the bytes choose one, and no part of the secret is shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgwatch::sql::secrets::masked;

#[path = "../../tests/support/secret_statements.rs"]
mod secret_statements;

use secret_statements::{Bytes, MARKER, pieces, statement};

fuzz_target!(|bytes: &[u8]| {
    let secret = statement(&mut Bytes(bytes));
    let shown = masked(&secret);
    assert!(!shown.contains(MARKER), "{secret}\n{shown}");
    assert!(!masked(&shown).contains(MARKER));
    masked(&pieces(&mut Bytes(bytes)));
});

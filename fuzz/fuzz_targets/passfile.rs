//! The password file: any text, looked up for any server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgwatch::config::passfile;

fuzz_target!(|input: (&str, &str, u16, &str, &str)| {
    let (text, host, port, database, user) = input;
    if let Some(password) = passfile::find(text.as_bytes(), host, port, database, user) {
        assert!(!password.bytes().is_empty());
    }
});

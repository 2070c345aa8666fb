//! libpq's connection strings in both forms: a fault points to a character of the text and reveals no value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgwatch::config::conninfo;

fuzz_target!(|text: &str| {
    for text in [text.to_owned(), format!("postgres://{text}"), format!("host=h password={text}")] {
        conninfo::is_conninfo(&text);
        if let Err(error) = conninfo::parse(&text) {
            assert!(text.is_char_boundary(error.offset), "{error} at {}", error.offset);
        }
    }
});

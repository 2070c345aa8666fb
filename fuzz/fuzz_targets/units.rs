//! Durations and sizes: every value that can be read can be written, and reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgwatch::config::units::{format_duration, format_size, parse_duration, parse_size};

fuzz_target!(|text: &str| {
    if let Some(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
    }
    if let Some(size) = parse_size(text) {
        assert_eq!(parse_size(&format_size(size)), Some(size));
    }
});

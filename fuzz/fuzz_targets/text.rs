//! Text of a server made safe for a terminal: the result contains nothing that a terminal obeys or hides, and is never
//! wider than the space for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pgwatch::text;

fuzz_target!(|input: (&str, u8)| {
    let (source, columns) = (input.0, usize::from(input.1));
    let safe = text::safe(source);
    assert!(!safe.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)));
    assert_eq!(text::safe(&safe), safe);
    assert!(text::width(&text::fit(source, columns)) <= columns);
    assert_eq!(text::width(&text::pad(source, columns)), columns);
    assert!(text::wrap(source, columns).iter().all(|line| text::width(line) <= columns.max(1)));
});

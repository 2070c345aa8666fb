//! Random statements around a secret: no part of it is shown.

use std::borrow::Cow;

use pgwatch::sql::secrets::masked;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::secret_statements::{Bytes, MARKER, pieces, statement};

/// The same cases each time: `make fuzz` looks for new ones.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::with_cases(count) }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn no_part_of_a_secret_is_shown(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let statement = statement(&mut Bytes(&bytes));
        let shown = masked(&statement);
        prop_assert!(!shown.contains(MARKER), "{}\n{}", statement, shown);
        // What is shown is shown as it is when it is read again.
        prop_assert!(!masked(&shown).contains(MARKER));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn whatever_is_sent_is_masked_and_its_beginnings_too(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = pieces(&mut Bytes(&bytes));
        for (at, _) in text.char_indices() {
            let cut = text.get(..at).unwrap();
            let shown = masked(cut);
            prop_assert!(matches!(shown, Cow::Owned(_)) || shown == cut);
        }
    }
}

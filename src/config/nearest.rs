//! Finds the known word that an unknown one is a typo of.

/// Longest word that is compared, in characters: the cost of a comparison grows with the square of the length.
const LONGEST: usize = 64;

/// The one of `known` that `word` is a typo of, if one is near enough. Case, `_` and `-` do not count, so that
/// `idleTimeout` finds `idle_timeout`.
pub(crate) fn nearest<'known>(word: &str, known: impl IntoIterator<Item = &'known str>) -> Option<&'known str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let wanted = plain(word);
    let letters = wanted.chars().count();
    // Up to a third of the letters may be wrong, but never all of a short word.
    let allowed = letters / 3;
    let distance = |candidate: &'known str| {
        let plain = plain(candidate);
        let near = plain.chars().count().abs_diff(letters) <= allowed;
        near.then(|| (strsim::damerau_levenshtein(&wanted, &plain), candidate))
    };
    let known = known.into_iter().filter(|candidate| letters <= LONGEST && candidate.len() <= 4 * LONGEST);
    let (best, found) = known.filter_map(distance).min_by_key(|(distance, _)| *distance)?;
    (best <= allowed).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_have_a_nearest_word_and_other_words_have_none() {
        let known = ["host", "port", "idle_timeout", "database"];
        for (word, want) in [
            ("hots", Some("host")),
            ("Port", Some("port")),
            ("prot", Some("port")),
            ("idleTimeout", Some("idle_timeout")),
            ("databse", Some("database")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), want, "{word}");
        }
        let long = "x".repeat(1_000_000);
        assert_eq!(nearest(&long, [long.as_str()]), None, "two texts of a megabyte are not compared");
    }
}

//! The known word that somebody meant who wrote an unknown one.

/// The one of `known` that `word` is a slip of, if it is near enough to be one. Case, `_` and `-` do not count, so that
/// `idleTimeout` finds `idle_timeout`.
pub(crate) fn nearest<'known>(word: &str, known: impl IntoIterator<Item = &'known str>) -> Option<&'known str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let wanted = plain(word);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wanted, &plain(candidate));
    let (best, found) = known.into_iter().map(|candidate| (distance(candidate), candidate)).min_by_key(|(d, _)| *d)?;
    // A third of the letters wrong, but never all of a short word.
    (best <= wanted.chars().count() / 3).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
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
    }
}

//! Formats a statement as people write one: each clause on a line.

use sqlformat::{Dialect, FormatOptions, Indent, QueryParams, format};

use crate::model::contained::contained_now;

/// Longer statements, in bytes, are shown as they are: their layout does not help.
const LONGEST: usize = 20_000;

/// The formatted statement; unchanged if the formatter does not understand it.
pub(crate) fn laid_out(statement: &str) -> String {
    if statement.len() > LONGEST {
        return statement.to_owned();
    }
    let options = FormatOptions { indent: Indent::Spaces(2), dialect: Dialect::PostgreSql, ..FormatOptions::default() };
    // The formatter reads text that anybody may have sent to a server, so a panic must be contained.
    let formatted = contained_now(|| format(statement, &QueryParams::None, &options));
    formatted.unwrap_or_else(|| statement.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_clause_has_its_own_line() {
        let text = "select a, count(*) from t join u on t.id = u.id where a = $1 and b->>'x' = 'y' group by 1";
        insta::assert_snapshot!(laid_out(text), @r"
        select
          a,
          count(*)
        from
          t
          join u on t.id = u.id
        where
          a = $1
          and b ->> 'x' = 'y'
        group by
          1
        ");
    }

    proptest! {
        /// Formatting keeps every word.
        #[test]
        fn formatting_keeps_every_word(text in "(select|from|where|\\(|\\)|'|\"|a|1|\\$1|::|->>|,|;|--|/\\*|\\*/|\n| ){0,30}") {
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&laid_out(&text)), letters(&text));
        }
    }
}

//! Whether `EXPLAIN` may be used on a statement that a server reports. The text comes from other clients, any of which
//! can put `(ANALYZE) DELETE ...` or two statements there, which `EXPLAIN` would run.

use super::words::readings;
use super::{Token, Tokens, tokens, tokens_in};

/// The first words of statements that have a plan.
const PLANNED: [&str; 9] = ["select", "insert", "update", "delete", "merge", "values", "with", "table", "declare"];

/// Whether the statement has parameters (`$1`), or why `EXPLAIN` is not used on it.
pub fn parameters(statement: &str) -> Result<bool, &'static str> {
    let found = one(tokens(statement))?;
    for quotes in readings(statement) {
        one(tokens_in(statement, quotes))?;
    }
    Ok(found)
}

fn one(tokens: Tokens<'_>) -> Result<bool, &'static str> {
    let tokens: Vec<Token<'_>> = tokens.collect();
    let mut statements = tokens.split(|token| token.is(';')).filter(|tokens| !tokens.is_empty());
    let (first, second) = (statements.next().unwrap_or_default(), statements.next());
    if second.is_some() {
        return Err("this is more than one statement, and EXPLAIN takes one");
    }
    let begins = first.iter().find(|token| !token.is('(')).map_or("", Token::word);
    if !PLANNED.contains(&begins) {
        return Err("this has no plan: EXPLAIN takes SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES");
    }
    Ok(first.contains(&Token::Parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_seen() {
        for (statement, has) in [
            ("select $1", true),
            ("select a$1", false),
            ("select '$1', $$ $1 $$, \"$1\"", false),
            ("update t set x = $12 where y", true),
            ("((select 1) union values (2));", false),
            ("-- now\nWITH a AS (select 1) select * from a", false),
            ("declare c cursor for select 1", false),
        ] {
            assert_eq!(parameters(statement), Ok(has), "{statement}");
        }
    }

    #[test]
    fn what_explain_would_run_is_refused() {
        for statement in [
            "",
            ";",
            "begin; select 1",
            "select 1; delete from t",
            "select '\\'; delete from t; --'",
            "analyze select 1",
            "analyze verbose delete from t",
            "(analyze) delete from t",
            "( /* */ analyze true) delete from t",
            "verbose select 1",
            "vacuum t",
            "commit",
            "create table t as select 1",
            "\"select\" 1",
        ] {
            assert!(parameters(statement).is_err(), "{statement}");
        }
    }
}

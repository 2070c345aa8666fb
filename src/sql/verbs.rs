//! Whether a line that may be a command or a statement begins a statement. Words such as `lock`, `set` and `table` also
//! begin commands, so what follows them decides.

use super::{Token, tokens};

/// How a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// With a statement.
    Statement,
    /// With a verb of SQL, but what follows does not make a statement. Holds an example of what would.
    Verb(&'static str),
    /// Without a verb of SQL.
    Nothing,
}

/// The verbs of SQL and how a statement continues after them.
const VERBS: [(&str, &str); 52] = [
    ("abort", "abort;"),
    ("alter", "alter KIND NAME ..."),
    ("analyze", "analyze TABLE, or analyze; for the whole database"),
    ("begin", "begin;"),
    ("call", "call PROCEDURE(...)"),
    ("checkpoint", "checkpoint;"),
    ("close", "close CURSOR"),
    ("cluster", "cluster TABLE"),
    ("comment", "comment on ..."),
    ("commit", "commit;"),
    ("copy", "copy TABLE to stdout"),
    ("create", "create KIND NAME ..."),
    ("deallocate", "deallocate NAME"),
    ("declare", "declare CURSOR cursor for ..."),
    ("delete", "delete from TABLE"),
    ("discard", "discard all"),
    ("do", "do 'BLOCK'"),
    ("drop", "drop KIND NAME"),
    ("end", "end;"),
    ("execute", "execute NAME"),
    ("explain", "explain select ..."),
    ("fetch", "fetch CURSOR"),
    ("grant", "grant RIGHT on ... to ROLE"),
    ("import", "import foreign schema ..."),
    ("insert", "insert into TABLE ..."),
    ("listen", "listen CHANNEL"),
    ("load", "load 'FILE'"),
    ("lock", "lock TABLE"),
    ("merge", "merge into TABLE ..."),
    ("move", "move CURSOR"),
    ("notify", "notify CHANNEL"),
    ("prepare", "prepare NAME as ..."),
    ("reassign", "reassign owned by ROLE to ROLE"),
    ("refresh", "refresh materialized view NAME"),
    ("reindex", "reindex table NAME"),
    ("release", "release SAVEPOINT"),
    ("repack", "repack TABLE"),
    ("reset", "reset NAME"),
    ("revoke", "revoke RIGHT on ... from ROLE"),
    ("rollback", "rollback;"),
    ("savepoint", "savepoint NAME"),
    ("security", "security label ..."),
    ("select", "select ..."),
    ("set", "set NAME = VALUE"),
    ("show", "show NAME"),
    ("start", "start transaction"),
    ("table", "table NAME"),
    ("truncate", "truncate TABLE"),
    ("unlisten", "unlisten CHANNEL"),
    ("update", "update TABLE set ..."),
    ("vacuum", "vacuum TABLE, or vacuum; for the whole database"),
    ("values", "values (...)"),
];

/// Verbs that are a whole statement when only `;` follows.
const ALONE: [&str; 11] =
    ["abort", "analyze", "begin", "checkpoint", "cluster", "commit", "end", "repack", "rollback", "select", "vacuum"];

/// How a line begins. A verb alone does not begin a statement; some verbs do if only `;` follows.
pub fn begins(line: &str) -> Begins {
    let tokens: Vec<Token<'_>> = tokens(line).collect();
    let first = tokens.iter().position(|token| !token.is('(')).unwrap_or(tokens.len());
    let tokens = tokens.get(first..).unwrap_or_default();
    let Some((verb, rest)) = tokens.split_first() else { return Begins::Nothing };
    if verb.word() == "with" {
        // `WITH` names queries before the verb.
        let named = rest.iter().any(|token| token.word() == "as");
        return if named { Begins::Statement } else { Begins::Verb("with NAME as (select ...) select ...") };
    }
    let Some((verb, usage)) = VERBS.iter().find(|(known, _)| *known == verb.word()) else { return Begins::Nothing };
    let goes_on = match rest.iter().position(|token| !token.is(';')) {
        None => !rest.is_empty() && ALONE.contains(verb),
        Some(_) => follows(verb, rest),
    };
    if goes_on { Begins::Statement } else { Begins::Verb(usage) }
}

/// True if a statement with this verb continues like that.
fn follows(verb: &str, rest: &[Token<'_>]) -> bool {
    let next = rest.first().map_or("", Token::word);
    let any = |words: &[&str]| rest.iter().any(|token| words.contains(&token.word()));
    let name = matches!(rest.first(), Some(Token::Word(_) | Token::Name(_) | Token::EscapedName));
    let text = |token: &Token<'_>| matches!(token, Token::Text(_) | Token::EscapedText);
    let opens = rest.first().is_some_and(|token| token.is('('));
    match verb {
        "set" => {
            const KINDS: [&str; 10] =
                ["constraints", "local", "names", "role", "schema", "session", "time", "to", "transaction", "xml"];
            any(&KINDS) || rest.iter().any(|token| token.is('='))
        }
        "do" => next == "language" || rest.first().is_some_and(text),
        "load" => rest.first().is_some_and(text),
        "values" | "checkpoint" => opens,
        "delete" => next == "from",
        "insert" | "merge" => next == "into",
        "comment" => next == "on",
        "import" => next == "foreign",
        "refresh" => next == "materialized",
        "reassign" => next == "owned",
        "security" => next == "label",
        "start" => next == "transaction",
        "discard" => matches!(next, "all" | "plans" | "sequences" | "temp" | "temporary"),
        "update" => any(&["set"]),
        "copy" => any(&["to", "from"]),
        "declare" => any(&["cursor"]),
        "prepare" => any(&["as", "transaction"]),
        "grant" => any(&["to"]),
        "revoke" => any(&["from"]),
        "call" => name && rest.iter().any(|token| token.is('(')),
        "explain" => VERBS.iter().any(|(verb, _)| any(&[verb])) || any(&["with"]),
        "abort" | "end" => matches!(next, "work" | "transaction" | "and"),
        "alter" | "create" | "drop" | "execute" | "listen" | "lock" | "notify" | "release" | "reset" | "savepoint"
        | "show" => name,
        "table" | "truncate" => name || opens,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_verb_decides() {
        for line in [
            "select 1",
            "SELECT(1)",
            "select",
            "(select 1)",
            "-- why\nselect 1",
            "/* why */ lock table t",
            "show all",
            "show search_path",
            "lock t",
            "lock \"T\" in share mode",
            "set work_mem = '1MB'",
            "set work_mem to default",
            "set local role x",
            "set transaction read only",
            "table t",
            "table only t;",
            "values (1)",
            "checkpoint;",
            "analyze;",
            "analyze t",
            "vacuum (verbose) t",
            "explain select 1",
            "explain (analyze) with x as (select 1) table x",
            "comment on table t is 'x'",
            "cluster t",
            "do $$ begin end $$",
            "do language plpgsql 'begin end'",
            "with x as (select 1) select * from x",
            "refresh materialized view x",
            "copy t to stdout",
            "delete from t",
            "drop table t",
            "load 'x'",
            "call p()",
            "start transaction",
            "begin work",
        ] {
            let expected = if line == "select" { Begins::Verb("select ...") } else { Begins::Statement };
            assert_eq!(begins(line), expected, "{line}");
        }
        for line in [
            "lock",
            "lock;",
            "set",
            "set;",
            "set x",
            "table",
            "table;",
            "values",
            "do",
            "do it",
            "explain",
            "comment",
            "cluster",
            "analyze",
            "checkpoint",
            "refresh",
            "refresh 1s",
            "update",
            "show;",
            "reset",
            "with",
            "call me",
        ] {
            assert!(matches!(begins(line), Begins::Verb(_)), "{line}");
        }
        for line in ["", ";", "-- select 1", "locks", "tables t", "settings", "foo bar;", "nodes", "'select 1'", "1"] {
            assert_eq!(begins(line), Begins::Nothing, "{line}");
        }
    }
}

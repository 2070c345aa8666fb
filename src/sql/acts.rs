//! What a statement does that no rollback undoes, judged by its words: the dashboard asks the user before it runs one.
//!
//! A courtesy, not a safeguard: a function of the user's own, a trigger or a view may call any of these unseen.

use super::words::readings;
use super::{Token, Tokens, tokens, tokens_in};

/// One thing that a statement does outside of its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// `pg_reload_conf()`, `VACUUM`.
    pub name: String,
    /// What it does, as the end of a sentence that begins with the name.
    pub does: &'static str,
}

const UNREAD: &str = "may do anything: its code cannot be checked here";
const CONNECTS: &str = "runs statements over a connection of its own";
const RUNS_TEXT: &str = "runs a statement passed as text";
const SEQUENCE: &str = "advances a sequence, which a rollback does not undo";
const SIGNALS: &str = "ends or cancels what other sessions do";
const SERVER: &str = "acts on the whole server";
const WAL: &str = "writes or switches WAL, or stops its replay";
const BACKUP: &str = "starts or stops a backup";
const SLOTS: &str = "changes replication slots";
const ORIGINS: &str = "changes replication origins";
const LOCKS: &str = "takes or releases advisory locks that others may wait for";
const STATISTICS: &str = "discards statistics";
const LARGE_OBJECTS: &str = "changes large objects or files of the server";
const FILES: &str = "changes files of the server";
const STORAGE: &str = "changes storage or caches outside of transactions";

/// Functions that act outside of transactions. A `*` at the end matches any further letters.
const FUNCTIONS: &[(&str, &str)] = &[
    ("pg_terminate_backend", SIGNALS),
    ("pg_cancel_backend", SIGNALS),
    ("pg_promote", "makes a standby a primary"),
    ("pg_reload_conf", "makes the server reload its configuration"),
    ("pg_rotate_logfile*", "starts a new log file"),
    ("pg_logfile_rotate", "starts a new log file"),
    ("pg_log_*", "writes to the server's log or WAL"),
    ("pg_get_process_memory_contexts", SIGNALS),
    ("pg_switch_wal", WAL),
    ("pg_switch_xlog", WAL),
    ("pg_wal_replay_pause", WAL),
    ("pg_wal_replay_resume", WAL),
    ("pg_xlog_replay_pause", WAL),
    ("pg_xlog_replay_resume", WAL),
    ("pg_create_restore_point", WAL),
    ("pg_logical_emit_message", WAL),
    ("pg_export_snapshot", "exports a snapshot, which holds back vacuum"),
    ("pg_start_backup", BACKUP),
    ("pg_stop_backup", BACKUP),
    ("pg_backup_start", BACKUP),
    ("pg_backup_stop", BACKUP),
    ("pg_create_physical_replication_slot", SLOTS),
    ("pg_create_logical_replication_slot", SLOTS),
    ("pg_drop_replication_slot", SLOTS),
    ("pg_copy_physical_replication_slot", SLOTS),
    ("pg_copy_logical_replication_slot", SLOTS),
    ("pg_replication_slot_advance", SLOTS),
    ("pg_logical_slot_get_*", "consumes changes of a replication slot"),
    ("pg_sync_replication_slots", SLOTS),
    ("pg_replication_origin_create", ORIGINS),
    ("pg_replication_origin_drop", ORIGINS),
    ("pg_replication_origin_advance", ORIGINS),
    ("pg_replication_origin_session_setup", ORIGINS),
    ("pg_replication_origin_session_reset", ORIGINS),
    ("pg_replication_origin_xact_*", ORIGINS),
    ("pg_advisory_*", LOCKS),
    ("pg_try_advisory_*", LOCKS),
    ("pg_stat_reset*", STATISTICS),
    ("pg_stat_statements_reset", STATISTICS),
    ("pg_stat_kcache_reset", STATISTICS),
    ("pg_stat_monitor_reset", STATISTICS),
    ("pg_qualstats_reset", STATISTICS),
    ("pg_wait_sampling_reset_profile", STATISTICS),
    ("nextval", SEQUENCE),
    ("setval", SEQUENCE),
    ("lo_creat*", LARGE_OBJECTS),
    ("lo_export", LARGE_OBJECTS),
    ("lo_from_bytea", LARGE_OBJECTS),
    ("lo_import*", LARGE_OBJECTS),
    ("lo_put", LARGE_OBJECTS),
    ("lo_truncate*", LARGE_OBJECTS),
    ("lo_unlink", LARGE_OBJECTS),
    ("lowrite", LARGE_OBJECTS),
    ("pg_file_write", FILES),
    ("pg_file_sync", FILES),
    ("pg_file_rename", FILES),
    ("pg_file_unlink", FILES),
    ("dblink*", CONNECTS),
    ("pg_background_launch*", CONNECTS),
    ("query_to_xml*", RUNS_TEXT),
    ("crosstab*", RUNS_TEXT),
    ("ts_stat", RUNS_TEXT),
    ("ts_rewrite", RUNS_TEXT),
    ("connectby", RUNS_TEXT),
    ("xpath_table", RUNS_TEXT),
    ("pg_prewarm", STORAGE),
    ("autoprewarm_*", STORAGE),
    ("pg_buffercache_evict*", STORAGE),
    ("pg_truncate_visibility_map", STORAGE),
    ("heap_force_*", STORAGE),
    ("brin_summarize_*", STORAGE),
    ("brin_desummarize_range", STORAGE),
    ("gin_clean_pending_list", STORAGE),
    ("binary_upgrade_*", SERVER),
];

/// Statements that act outside of transactions by themselves, by their first words.
const STATEMENTS: &[(&[&str], &str)] = &[
    (&["alter", "system"], "changes the configuration of the server"),
    (&["checkpoint"], "writes all changed pages to disk"),
    (&["load"], "loads a library into the server"),
    (&["vacuum"], "rewrites or cleans tables"),
    (&["cluster"], "rewrites tables"),
    (&["reindex"], "rebuilds indexes"),
    (&["repack"], "rewrites tables"),
    (&["create", "database"], SERVER),
    (&["drop", "database"], SERVER),
    (&["create", "tablespace"], FILES),
    (&["drop", "tablespace"], FILES),
    (&["create", "subscription"], "acts on another server"),
    (&["alter", "subscription"], "acts on another server"),
    (&["drop", "subscription"], "acts on another server"),
    (&["prepare", "transaction"], "leaves a prepared transaction behind"),
    (&["commit", "prepared"], "ends a transaction of another session"),
    (&["rollback", "prepared"], "ends a transaction of another session"),
    (&["execute"], UNREAD),
    (&["call"], UNREAD),
];

/// What the statement does outside of its transaction, each thing once.
pub fn acts(statement: &str) -> Vec<Act> {
    let mut found = Vec::new();
    for quotes in readings(statement) {
        read(tokens_in(statement, quotes), false, &mut found);
    }
    found
}

/// Adds what statements do; with `body` they are the inside of a `DO` block.
fn read(tokens: Tokens<'_>, body: bool, found: &mut Vec<Act>) {
    let tokens: Vec<Token<'_>> = tokens.collect();
    for statement in tokens.split(|token| token.is(';')) {
        if body {
            // In a block a statement may follow BEGIN, THEN, ELSE or LOOP.
            for at in 0..statement.len() {
                let first = at == 0 || matches!(statement[at - 1].word(), "begin" | "then" | "else" | "loop");
                if first {
                    begins(&statement[at..], found);
                }
            }
            if statement.iter().any(|token| token.word() == "execute") {
                add("EXECUTE", UNREAD, found);
            }
            calls(statement, found);
        } else {
            one(statement, found);
        }
    }
}

/// Adds what a statement outside of a block does.
fn one(statement: &[Token<'_>], found: &mut Vec<Act>) {
    let statement = statement.iter().position(|token| !token.is('(')).map_or(statement, |first| &statement[first..]);
    match statement.first().map_or("", Token::word) {
        "explain" => {
            if let Some(inner) = explained(statement) {
                one(inner, found);
            }
        }
        // They name functions but call none.
        "grant" | "revoke" | "comment" | "security" => {}
        "do" => block(statement, found),
        _ => {
            begins(statement, found);
            calls(statement, found);
        }
    }
}

/// Adds what a `DO` block does. Only PL/pgSQL can be read.
fn block(statement: &[Token<'_>], found: &mut Vec<Act>) {
    for pair in statement.windows(2) {
        let readable = match (pair[0].word(), &pair[1]) {
            ("language", Token::Word(language) | Token::Name(language)) => language == "plpgsql",
            ("language", Token::Text(language)) => language == "plpgsql",
            ("language", _) | (_, Token::EscapedText) => false,
            (_, Token::Text(body)) => {
                read(tokens(body), true, found);
                true
            }
            _ => true,
        };
        if !readable {
            add("DO", UNREAD, found);
        }
    }
}

/// The statement inside an `EXPLAIN`, if that runs it.
fn explained<'a, 'b>(statement: &'a [Token<'b>]) -> Option<&'a [Token<'b>]> {
    const PLANNED: [&str; 12] = [
        "select", "with", "values", "table", "insert", "update", "delete", "merge", "execute", "declare", "create",
        "refresh",
    ];
    let inner = statement.iter().position(|token| PLANNED.contains(&token.word()))?;
    let runs = statement[..inner].iter().any(|token| matches!(token.word(), "analyze" | "analyse"));
    runs.then(|| &statement[inner..])
}

/// Adds what the first words of a statement reveal.
fn begins(statement: &[Token<'_>], found: &mut Vec<Act>) {
    let words = |of: &[&str]| statement.len() >= of.len() && of.iter().zip(statement).all(|(a, b)| *a == b.word());
    if let Some((words, does)) = STATEMENTS.iter().find(|(of, _)| words(of)) {
        return add(&words.join(" ").to_uppercase(), does, found);
    }
    let any = |of: &str| statement.iter().any(|token| token.word() == of);
    match statement.first().map_or("", Token::word) {
        "copy" => {
            let beyond = |pair: &[Token<'_>]| {
                let file = matches!(pair[1], Token::Text(_) | Token::EscapedText) || pair[1].word() == "program";
                (matches!(pair[0].word(), "to" | "from") && file).then(|| pair[1].word() == "program")
            };
            match statement.windows(2).find_map(beyond) {
                Some(true) => add("COPY ... PROGRAM", "runs a program on the server", found),
                Some(false) => add("COPY", "reads or writes a file of the server", found),
                None => {}
            }
        }
        verb @ ("create" | "drop" | "alter") if any("concurrently") => {
            add(&format!("{} ... CONCURRENTLY", verb.to_uppercase()), "acts in transactions of its own", found);
        }
        _ => {}
    }
}

/// Adds the functions that are called: a name followed by `(`, with or without a schema.
fn calls(statement: &[Token<'_>], found: &mut Vec<Act>) {
    for (at, token) in statement.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| statement[before].word());
        let next = |step: usize| statement.get(at + step);
        let named = matches!(before, "function" | "procedure" | "routine" | "aggregate");
        let called = next(1).is_some_and(|next| next.is('('));
        match token {
            Token::Word(name) | Token::Name(name) if called && !named => {
                let name = name.to_ascii_lowercase();
                if let Some((_, does)) = FUNCTIONS.iter().find(|(pattern, _)| matches(pattern, &name)) {
                    add(&format!("{name}()"), does, found);
                }
            }
            Token::EscapedName
                if called
                    || (next(1).is_some_and(|next| next.word() == "uescape")
                        && next(3).is_some_and(|next| next.is('('))) =>
            {
                add("a function whose name is written in escapes", UNREAD, found);
            }
            _ => {}
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}

fn add(name: &str, does: &'static str, found: &mut Vec<Act>) {
    if !found.iter().any(|act| act.name == name) {
        found.push(Act { name: name.to_owned(), does });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(statement: &str) -> Vec<String> {
        acts(statement).into_iter().map(|act| act.name).collect()
    }

    #[test]
    fn what_no_rollback_undoes_is_seen() {
        for (statement, name) in [
            ("select pg_terminate_backend(1)", "pg_terminate_backend()"),
            ("SELECT PG_CANCEL_BACKEND (pid) from pg_stat_activity", "pg_cancel_backend()"),
            ("select pg_catalog . pg_promote /* now */ ()", "pg_promote()"),
            ("select \"pg_catalog\".\"pg_reload_conf\"()", "pg_reload_conf()"),
            ("select 1 from pg_rotate_logfile()", "pg_rotate_logfile()"),
            ("with x as (select pg_switch_wal()) select * from x", "pg_switch_wal()"),
            ("table t; select pg_switch_xlog()", "pg_switch_xlog()"),
            ("select 1 -- pause\n, pg_wal_replay_pause()", "pg_wal_replay_pause()"),
            ("select pg_create_restore_point('x')", "pg_create_restore_point()"),
            ("select pg_backup_start('x')", "pg_backup_start()"),
            ("select pg_drop_replication_slot(slot_name) from pg_replication_slots", "pg_drop_replication_slot()"),
            ("select pg_create_logical_replication_slot('a', 'b')", "pg_create_logical_replication_slot()"),
            ("select pg_logical_slot_get_changes('a', null, null)", "pg_logical_slot_get_changes()"),
            ("select pg_replication_origin_advance('a', '0/0')", "pg_replication_origin_advance()"),
            ("select pg_try_advisory_xact_lock(1)", "pg_try_advisory_xact_lock()"),
            ("select pg_stat_reset_shared('io')", "pg_stat_reset_shared()"),
            ("select public.pg_stat_statements_reset()", "pg_stat_statements_reset()"),
            ("select nextval('s')", "nextval()"),
            ("select lo_export(1, '/tmp/x')", "lo_export()"),
            ("select * from dblink('host=h', 'select 1') t(a int)", "dblink()"),
            ("select dblink_exec('x', 'y')", "dblink_exec()"),
            ("select pg_file_unlink('x')", "pg_file_unlink()"),
            ("select pg_logical_emit_message(true, 'a', 'b')", "pg_logical_emit_message()"),
            ("select pg_export_snapshot()", "pg_export_snapshot()"),
            ("select query_to_xml('select pg_promote()', true, true, '')", "query_to_xml()"),
            ("select U&\"pg\\005fpromote\"()", "a function whose name is written in escapes"),
            ("select U&\"pg!005fpromote\" uescape '!' ()", "a function whose name is written in escapes"),
            ("select 'a\\', pg_promote(), '\\'", "pg_promote()"),
            ("select 'a\\', ' , pg_promote() , '\\' ", "pg_promote()"),
            ("(select pg_promote())", "pg_promote()"),
            ("explain analyze select pg_promote()", "pg_promote()"),
            ("EXPLAIN (ANALYZE, verbose) select pg_promote()", "pg_promote()"),
            ("prepare x as select pg_promote()", "pg_promote()"),
            ("execute x(1)", "EXECUTE"),
            ("call app.clean()", "CALL"),
            ("copy t to program 'sh'", "COPY ... PROGRAM"),
            ("COPY (select 1) TO '/tmp/x' WITH CSV", "COPY"),
            ("copy t from E'\\x41'", "COPY"),
            ("checkpoint", "CHECKPOINT"),
            ("load 'auto_explain'", "LOAD"),
            ("/* why */ vacuum full t", "VACUUM"),
            ("alter system set work_mem = '1GB'", "ALTER SYSTEM"),
            ("reindex table t", "REINDEX"),
            ("create unique index concurrently i on t (a)", "CREATE ... CONCURRENTLY"),
            ("drop database x", "DROP DATABASE"),
            ("commit prepared 'x'", "COMMIT PREPARED"),
            ("do $$ begin perform pg_promote(); end $$", "pg_promote()"),
            ("do 'begin perform pg_promote(); end'", "pg_promote()"),
            ("do language plpgsql $$ begin if true then checkpoint; end if; end $$", "CHECKPOINT"),
            ("do $$ begin execute 'select ' || 'pg_promote()'; end $$", "EXECUTE"),
            ("do $x$ begin raise notice 'x'; call y(); end $x$", "CALL"),
            ("do e'begin perform pg\\x5fpromote(); end'", "DO"),
            ("do language plpython3u $$ import os $$", "DO"),
            ("do language 'plpgsql' $$ begin perform pg_promote(); end $$", "pg_promote()"),
        ] {
            assert_eq!(names(statement), [name], "{statement}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        for statement in [
            "",
            "select 1",
            "select 'pg_promote()'",
            "select $$pg_promote()$$, \"pg_promote()\" from t",
            "select 1 -- pg_promote()",
            "select 1 /* pg_promote() */",
            "select pg_promote from t",
            "select proname from pg_proc where proname = 'pg_reload_conf'",
            "select pg_stat_get_numscans(1), currval('s'), lo_get(1)",
            "select pg_current_wal_lsn(), pg_is_wal_replay_paused(), pg_size_pretty(pg_database_size('x'))",
            "select my_pg_promote(), pg_promoted()",
            "explain select pg_promote()",
            "explain (verbose) select nextval('s')",
            "grant execute on function pg_promote(boolean, int) to x",
            "comment on function pg_promote() is 'x'",
            "drop function nextval(text)",
            "copy t to stdout",
            "copy t from stdin with csv",
            "lock table t",
            "set work_mem = '1MB'",
            "show all",
            "insert into t select * from u",
            "create index i on t (a)",
            "do $$ begin raise notice 'pg_promote()'; perform count(*) from t; end $$",
            "U&\"a\"",
        ] {
            assert_eq!(names(statement), <[String; 0]>::default(), "{statement}");
        }
    }

    #[test]
    fn each_thing_is_named_once() {
        let statement = "select pg_promote(), pg_promote(); vacuum; select pg_reload_conf()";
        assert_eq!(names(statement), ["pg_promote()", "VACUUM", "pg_reload_conf()"]);
    }
}

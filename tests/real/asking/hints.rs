//! Hints: each is a statement that helps, and names what the role does not have yet.

use serde_json::Value;

use super::{config, database, run, server};
use crate::support::command::object;
use crate::support::pty::Tui;
use crate::support::servers::ConfigFile;
use crate::support::wait::{PATIENCE, SOON};

/// The error of a view for a role.
fn error_of(config: &ConfigFile, view: &str) -> Option<Value> {
    let (told, _) = object(&["view", view, "--config", config.arg(), "--format", "json"]);
    let node = &told["nodes"][0];
    (node["ok"] == false).then(|| node["error"].clone())
}

#[test]
fn a_hint_is_a_statement_that_helps_and_names_what_is_not_held_yet() {
    let node =
        database("hints", &[r#"create table "My secrets" (n int)"#, "create schema shut; create table shut.t (n int)"]);
    let password = server().password().expose();
    let login = format!("login password '{password}'");
    let roles = [
        format!(r#"create role "mon-ro" {login}; create role "user" {login} in role pg_monitor"#),
        format!(r#"create role "no heir" noinherit {login} in role pg_monitor"#),
        format!(r#"create role "acts" {login}; create role "As Another"; grant "As Another" to "acts""#),
        r#"alter role "acts" set role = 'As Another'"#.to_owned(),
        "revoke execute on function pg_ls_tmpdir(oid) from pg_monitor".to_owned(),
    ];
    run(&node, &roles.each_ref().map(String::as_str));
    // What helps, in the order in which it is found out.
    let inherit = server().psql("select current_setting('server_version_num')::int >= 160000").unwrap() == "t";
    let heir =
        if inherit { r#"GRANT pg_monitor TO "no heir" WITH INHERIT TRUE"# } else { r#"ALTER ROLE "no heir" INHERIT"# };
    for (role, hint) in [
        ("acts", r#"GRANT pg_monitor TO "As Another""#),
        ("no heir", heir),
        ("mon-ro", r#"GRANT pg_monitor TO "mon-ro""#),
    ] {
        let config = config(&node, role);
        let mut tui = Tui::start(&["--config", config.arg()], 160, 60, &[]);
        tui.wait_text("● 1", PATIENCE);
        tui.press("<enter>");
        tui.wait_for(&format!("{role}: {hint}"), SOON, |screen| {
            // The left half of the page.
            let words: String = screen
                .rows(0, 88)
                .flat_map(|row| row.replace('│', " ").chars().collect::<Vec<_>>())
                .filter(|c| !c.is_whitespace())
                .collect();
            words.contains(&hint.split_whitespace().collect::<String>())
        });
    }
    // pg_monitor is named where it would help, and it may not list temporary files.
    for (role, view, hint) in [
        (r#"'"mon-ro"'"#, "temp_files", r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(), pg_ls_tmpdir(oid) TO "mon-ro""#),
        ("user", "temp_files", r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(oid) TO "user""#),
        ("'no heir'", "temp_files", r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(), pg_ls_tmpdir(oid) TO "no heir""#),
        ("'no heir'", "wal_files", heir),
        ("acts", "temp_files", r#"GRANT EXECUTE ON FUNCTION pg_ls_tmpdir(), pg_ls_tmpdir(oid) TO "As Another""#),
        ("acts", "wal_files", r#"GRANT pg_monitor TO "As Another""#),
    ] {
        let role = role.replace('"', "");
        let config = config(&node, &role);
        let error = error_of(&config, view).unwrap_or_else(|| panic!("{role} needs {hint}"));
        assert_eq!((&error["sqlstate"], &error["hint"]), (&"42501".into(), &hint.into()), "{role}: {error}");
        run(&node, &[hint]);
        assert_eq!(error_of(&config, view), None, "{role}");
    }
    // Of a statement of the user too.
    let config = config(&node, "acts");
    let ask = |sql: &str| object(&["query", "--config", config.arg(), "--format", "json", sql]).0["nodes"][0].clone();
    for (sql, hints) in [
        (r#"select * from "My secrets""#, vec![r#"GRANT SELECT ON "My secrets" TO "As Another""#]),
        (
            "select * from shut.t",
            vec![r#"GRANT USAGE ON SCHEMA "shut" TO "As Another""#, r#"GRANT SELECT ON shut.t TO "As Another""#],
        ),
    ] {
        for hint in hints {
            let answer = ask(sql);
            assert_eq!(answer["error"]["hint"], hint, "{answer}");
            run(&node, &[hint]);
        }
        assert_eq!(ask(sql)["ok"], true, "{sql}");
    }
}

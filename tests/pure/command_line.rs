//! The command line after `:`, driven by keys: it says what a line means before `Enter`, a command wins over a
//! statement, pgwatch asks before anything that no rollback undoes, and the answers open.

use pgwatch::app::{Effect, Screen};
use pgwatch::model::{Command, NodeName};
use pgwatch::tui::ColorDepth;

use crate::scene::{self, Scene, production, theme};

fn screen(scene: &mut Scene) -> String {
    scene::text(&scene.draw(120, 40, &theme("dark", ColorDepth::True)))
}

/// The foot of the screen.
fn foot(scene: &mut Scene) -> String {
    screen(scene).lines().last().unwrap_or_default().trim().to_owned()
}

/// The statements that were sent, each with its nodes.
fn sent(effects: &[Effect]) -> Vec<(String, Vec<String>)> {
    let request = |effect: &Effect| match effect {
        Effect::Send(Command::Run(request)) => {
            Some((request.statement.clone(), request.nodes.iter().map(NodeName::to_string).collect()))
        }
        _ => None,
    };
    effects.iter().filter_map(request).collect()
}

#[test]
fn a_command_wins_over_a_statement() {
    // What a person types, what the foot says before Enter, and the tab that is open after it.
    for (line, foot_says, title) in [
        ("lock", "opens Locks", "Locks"),
        ("locks", "opens Locks", "Locks"),
        ("LOCK", "opens Locks", "Locks"),
        ("lock;", "opens Locks", "Locks"),
        ("set", "opens Settings", "Settings"),
        ("table", "opens Tables", "Tables"),
        ("tab", "opens Tables", "Tables"),
        ("checkpoint", "opens Checkpoints", "Checkpoints"),
        ("topo", "opens Topology", "Topology"),
        ("view slots", "opens the view slots", "Slots"),
        ("ev", "opens Events", "Events"),
        ("query", "opens Query", "Query"),
    ] {
        let mut scene = production();
        scene.press(&format!(":{line}"));
        assert!(foot(&mut scene).contains(&format!("⏎ {foot_says}")), "{line}: {}", foot(&mut scene));
        let effects = scene.press("<enter>");
        assert_eq!(sent(&effects), [], "{line}");
        assert!(scene.app.prompt.is_none(), "{line} was taken");
        assert!(screen(&mut scene).contains(title), "{line}:\n{}", screen(&mut scene));
    }
}

#[test]
fn a_statement_says_where_it_runs_and_its_answers_open() {
    for line in [
        "lock table t",
        "lock t in share mode",
        "set work_mem = '1MB'",
        "set local role x",
        "table t",
        "show all",
        "select 1",
        "SELECT(1)",
        "(select 1)",
        "values (1)",
        "explain select 1",
        "explain select pg_promote()",
        "comment on table t is 'x'",
        "analyze t",
        "refresh materialized view v",
        "with x as (select 1) select * from x",
        "do $$ begin null; end $$",
        "rollback;",
    ] {
        for (open, from) in
            [("", Screen::Nodes), ("3", Screen::Topology), ("2", Screen::Topology), ("0", Screen::Events)]
        {
            let mut scene = production();
            scene.press(open);
            scene.press(&format!(":{line}"));
            let said = foot(&mut scene);
            assert!(said.starts_with("⏎ runs on 7 nodes"), "{line}: {said}");
            let ran = sent(&scene.press("<enter>"));
            assert_eq!(ran.len(), 1, "{line}");
            assert_eq!((ran[0].0.as_str(), ran[0].1.len()), (line, 7));
            assert_eq!(scene.app.screen, Screen::Query, "{line} from {from:?}");
        }
    }
}

#[test]
fn a_statement_runs_on_the_marked_nodes_and_says_so() {
    let mut scene = production();
    scene.press("<space><space>:select 1");
    assert!(foot(&mut scene).starts_with("⏎ runs on 2 marked nodes"), "{}", foot(&mut scene));
    assert_eq!(sent(&scene.press("<enter>"))[0].1, ["primary", "replica-1"]);
    let text = screen(&mut scene);
    assert!(text.contains("runs on 2 marked nodes"), "the editor says the same:\n{text}");
    let mut scene = production();
    scene.press("j<space>9");
    assert!(screen(&mut scene).contains("runs on 1 marked node: replica-1"));
}

#[test]
fn an_unknown_line_runs_nothing_and_names_the_nearest_command() {
    for (line, said) in [
        ("l0cks", "is neither a command nor a statement"),
        ("lokcs", "locks?"),
        ("foo bar;", "is neither a command nor a statement"),
        ("foo bar", "is neither a command nor a statement"),
        ("locks primary", "locks takes no argument"),
        ("tables t", "tables takes no argument"),
        ("set x", "set NAME = VALUE"),
        (
            "re",
            "\"re\" may be replication, remove, retry, resume, refresh, reload, receivers, recovery or recovery_prefetch",
        ),
        ("statement", "may be statements or statement_stats"),
        ("analyze", "analyze TABLE"),
        ("vacuum", "vacuum; for the whole database"),
        ("reset", "reset NAME"),
        ("do it", "do 'BLOCK'"),
        ("update orders", "update TABLE set"),
        ("delete replica-1", "delete from TABLE"),
        ("node", "node NAME"),
        ("node nothere", "there is no node named nothere"),
        ("view nothere", "there is no view \"nothere\""),
        ("view", "view NAME"),
        ("-- select 1", "neither a command nor a statement"),
    ] {
        let mut scene = production();
        let effects = scene.press(&format!(":{line}<enter>"));
        assert_eq!(sent(&effects), [], "{line}");
        assert!(foot(&mut scene).contains(said), "{line}: {}", foot(&mut scene));
        assert!(scene.app.prompt.is_some(), "{line} can be corrected");
    }
}

#[test]
fn a_statement_that_no_rollback_undoes_is_always_asked_about() {
    let statement = "select pg_terminate_backend(999999)";
    for keys in [
        format!(":{statement}<enter>"),
        format!("3:{statement}<enter>"),
        format!("9{statement};<enter>"),
        format!("9{statement}<f5>"),
        format!("9{statement}<ctrl-r>"),
    ] {
        let mut scene = production();
        let effects = scene.press(&keys);
        assert_eq!(sent(&effects), [], "{keys}");
        let text = screen(&mut scene);
        for word in
            ["Run this on 7 nodes?", "primary, replica-1", "pg_terminate_backend()", "read-only", "No", "Yes, run"]
        {
            assert!(text.contains(word), "{keys}: {word}\n{text}");
        }
        assert_eq!(sent(&scene.press("<enter>")), [], "{keys}: the choice stands on No");
        scene.press(&keys);
        let ran = sent(&scene.press("y"));
        assert_eq!((ran.len(), ran[0].1.len()), (1, 7), "{keys}");
        assert_eq!(scene.app.screen, Screen::Query);
    }
}

#[test]
fn again_asks_again_and_runs_on_the_same_nodes() {
    let mut scene = production();
    let batch = {
        scene.press("<space>:checkpoint;<enter>");
        let effects = scene.press("y");
        assert_eq!(sent(&effects)[0].1, ["primary"]);
        effects
            .into_iter()
            .find_map(
                |effect| if let Effect::Send(Command::Run(request)) = effect { Some(request.batch) } else { None },
            )
            .unwrap()
    };
    scene.answer(batch, "primary", std::time::Duration::from_millis(1), Ok(scene::one("x", "text", "y")));
    scene.done(batch, std::time::Duration::from_millis(1));
    scene.press("1<space>9");
    assert_eq!(sent(&scene.press("r")), []);
    assert!(screen(&mut scene).contains("Run this on primary?"), "{}", screen(&mut scene));
    assert_eq!(sent(&scene.press("y"))[0].1, ["primary"]);
}

#[test]
fn the_foot_says_when_the_line_will_ask_first() {
    let mut scene = production();
    scene.press(":select pg_reload_conf()");
    assert!(foot(&mut scene).contains("asks, then runs on 7 nodes: pg_reload_conf()"), "{}", foot(&mut scene));
    scene.press("<ctrl-u>re");
    assert!(!foot(&mut scene).contains('⏎'), "an ambiguous word does nothing: {}", foot(&mut scene));
    scene.press("<tab>");
    assert!(foot(&mut scene).contains('⏎'), "a completion is a line as well: {}", foot(&mut scene));
}

//! `x` runs nothing but `EXPLAIN`: the statement of the other client itself is never run.

use pgwatch::app::Effect;
use pgwatch::model::{Command, Role};

use super::{fleet, screen};
use crate::scene::answers::answer;

/// What `x` on the only session sends, or why the foot says that it does not.
fn explained(statement: &str) -> Result<String, String> {
    let mut scene = fleet(&[("primary", Role::Primary, "15.4", Some(1))]);
    scene.press("3");
    let row = format!("pid=1 | database=app | state=active | duration_ms=5000 | query={statement}");
    answer(&mut scene, "primary", "activity", &[&row]);
    screen(&mut scene, 120, 40);
    let effects = scene.press("x");
    let sent = effects.into_iter().find_map(|effect| match effect {
        Effect::Send(Command::Run(request)) => Some(request.statement),
        _ => None,
    });
    sent.ok_or_else(|| screen(&mut scene, 120, 40).lines().rev().nth(1).unwrap().to_owned())
}

#[test]
fn only_a_single_statement_with_a_plan_is_explained() {
    assert_eq!(explained("select 1").unwrap(), "EXPLAIN select 1");
    for (statement, why) in [
        ("begin; select count(*) from stock", "more than one statement"),
        ("select 1; delete from stock", "more than one statement"),
        ("(analyze) delete from stock", "has no plan"),
        ("analyze verbose delete from stock", "has no plan"),
        ("vacuum stock", "has no plan"),
        ("select $1", "PostgreSQL 16"),
        ("select * from users where password = '***'", "hidden, as it may hold a secret"),
        ("(not shown: show_statements is false)", "statements are not shown (show_statements is false)"),
    ] {
        let said = explained(statement).expect_err(statement);
        assert!(said.contains(why), "{statement}: {said}");
    }
}

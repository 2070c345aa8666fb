//! The built-in rules of alerts: each file is valid, and what the rules find on real servers.

mod archiving;
mod dashboard;
mod once;
mod quiet;
mod rules;
mod sequences;
mod slots;
mod status;

use std::fs;

use pgwatch::config::{alerts, views};
use tempfile::TempDir;

#[test]
fn every_built_in_rule_is_valid() {
    for (name, text) in alerts::our_files() {
        match alerts::from_text(name, text, &format!("config/alerts/{name}.yaml"), views::ours()) {
            Ok(rule) => assert!(rule.is_some_and(|rule| rule.remedy.is_some()), "{name} has no remedy"),
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                panic!("{}", problems.join("\n"));
            }
        }
    }
    assert_eq!(alerts::ours().len(), alerts::our_files().len());
}

/// Each rule is in the table that says why its limits are what they are.
#[test]
fn every_built_in_rule_is_explained() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/alerts.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    for (name, _) in alerts::our_files() {
        assert!(rows.iter().any(|row| row.contains(&format!("`{name}`"))), "{name}");
    }
}

/// The example of a page: its first YAML block.
fn example(page: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/").to_owned() + page).unwrap();
    page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[test]
fn the_example_in_the_documentation_is_valid() {
    let mut views = views::ours().clone();
    let view = views::from_text("temp", &example("views.md"), "views.md").unwrap();
    views.insert("temp".to_owned(), std::sync::Arc::new(view));
    let rule = alerts::from_text("spills", &example("alerts.md"), "alerts.md", &views).unwrap().unwrap();
    assert!(rule.needs_rates() && rule.remedy.is_some());
}

/// A user's configuration folder with these rules, by name.
fn home(rules: &[(&str, &str)]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("pgwatch/alerts");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in rules {
        fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
    }
    home
}

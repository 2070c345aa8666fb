//! The built-in views: each file is valid, and each of its variants is run on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "which versions were there to be asked")]

#[path = "../live/mod.rs"]
mod live;
#[path = "../scene/mod.rs"]
mod scene;
#[path = "../support/mod.rs"]
mod support;

mod compare;
mod crowd;
mod logins;
mod nineteen;
mod states;
mod versions;

use pgwatch::config::views;

/// The ten lines that the README and docs/views.md show are a valid view.
#[test]
fn the_view_in_the_documentation_is_valid() {
    for page in ["README.md", "docs/views.md"] {
        let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let view = text.split("```yaml\n").find(|part| part.starts_with("title: ")).expect("a view");
        let view = view.split("```").next().unwrap();
        assert_eq!(views::from_text("temp", view, page).map(|view| view.columns.len()), Ok(4), "{page}");
        assert!(view.lines().count() <= 10, "{page}");
    }
}

#[test]
fn every_built_in_view_is_valid() {
    for (name, text) in views::our_files() {
        if let Err(problems) = views::from_text(name, text, &format!("config/views/{name}.yaml")) {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", problems.join("\n"));
        }
    }
    assert_eq!(views::ours().len(), views::our_files().len());
}

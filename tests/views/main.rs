//! The views that are part of the program: each file is right, and each of its variants is asked of real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "which versions were there to be asked")]

#[path = "../live/mod.rs"]
mod live;
#[path = "../scene/mod.rs"]
mod scene;
#[path = "../support/mod.rs"]
mod support;

mod states;
mod versions;

use pgwatch::config::views;

#[test]
fn every_file_of_ours_is_right() {
    for (name, text) in views::our_files() {
        if let Err(problems) = views::from_text(name, text, &format!("config/views/{name}.yaml")) {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", problems.join("\n"));
        }
    }
    assert_eq!(views::ours().len(), views::our_files().len());
}

//! Stories as data: the events of `scenarios/*.yaml` in, the alerts, the shape and the journal of the fleet out. Those whose
//! names begin with `recorded_` are what real servers did.

use std::fs;
use std::path::Path;

use crate::scene::recording::{Recording, verdict};

#[test]
fn each_story_ends_in_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pure/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let story: Recording =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap().to_str().unwrap();
        insta::with_settings!({ description => story.about.as_str(), omit_expression => true }, {
            insta::assert_snapshot!(name, verdict(&story.play()));
        });
    }
}

//! The page for scripts, `docs/scripts.md`, against what the program prints.

use crate::support::command::{keys, object, servers};
use crate::support::servers::ConfigFile;

/// `docs/scripts.md` lists each field of the status, and no other.
#[test]
fn the_page_for_scripts_lists_the_fields_of_the_status() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scripts.md")).unwrap();
    let section = page.split("## `pgwatch status --format json`").nth(1).unwrap();
    let listed: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(field, _)| field).collect();
    let config = ConfigFile::new("", servers().servers());
    let (report, code) = object(&["status", "--config", config.arg(), "--format", "json"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(keys(&report), listed);
    let nodes = section.lines().find(|line| line.starts_with("| `nodes`")).unwrap();
    let of_node = nodes.split("file: ").nth(1).unwrap();
    let fields: Vec<&str> = of_node.split('`').skip(1).step_by(2).collect();
    assert_eq!(keys(&report["nodes"][1]), fields);
    for object in [&report["nodes"][1]["pool"], &report["nodes"][1]["lag"], &report["verdict"]] {
        let listed =
            format!("{{{}}}", keys(object).iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", "));
        assert!(section.contains(&listed), "{listed}");
    }
}

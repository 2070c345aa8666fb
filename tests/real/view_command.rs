//! `pgwatch view` on nodes that do not have the view, or do not answer.

use crate::support::command::{code, err, object, out, run, servers, with_dead};
use crate::support::servers::ConfigFile;

#[test]
fn a_view_that_a_node_cannot_have_is_no_error() {
    let config = ConfigFile::new("", servers().servers());
    let view = |more: &[&'static str]| [&["view", "receivers", "--config", config.arg()], more].concat();
    let (told, exit) = object(&view(&["--format", "json"]));
    assert_eq!(exit, 0, "{told}");
    let nodes = told["nodes"].as_array().unwrap();
    let primary = nodes.iter().find(|node| node["node"] == "primary").unwrap();
    assert_eq!((&primary["ok"], primary["rows"].as_array().unwrap().len()), (&true.into(), 0), "{primary}");
    assert_eq!(primary["not_applicable"], "not available on a primary");
    for standby in nodes.iter().filter(|node| node["node"] != "primary") {
        assert_eq!(standby["rows"].as_array().unwrap().len(), 1, "{standby}");
        assert!(standby.get("not_applicable").is_none(), "{standby}");
    }
    for format in ["table", "csv"] {
        let output = run(&view(&["--format", format]));
        assert_eq!(code(&output), 0, "{}", err(&output));
        assert_eq!(err(&output).trim(), "primary: not available on a primary");
    }
    let output = run(&view(&["--nodes", "primary"]));
    assert_eq!(code(&output), 0);
    assert!(!err(&output).contains("this node is no standby"), "{}", err(&output));
}

#[test]
fn a_node_that_does_not_answer_is_not_reported_as_empty() {
    let config = with_dead(ConfigFile::new("", servers().servers()));
    let view = |nodes: &'static str| run(&["view", "subscriptions", "--config", config.arg(), "--nodes", nodes]);
    let empty = "this database has no subscriptions";
    let answered = view("primary");
    assert!(code(&answered) == 0 && err(&answered).contains(empty), "{}", err(&answered));
    let dead = view("dead");
    assert!(code(&dead) == 1 && !err(&dead).contains(empty) && err(&dead).contains("dead: "), "{}", err(&dead));
    // A standby cannot have any: the primary's own words are the answer then.
    let all = view("primary,standby1");
    assert_eq!((code(&all), err(&all)), (0, format!("{empty}\nstandby1: not available on a standby\n").as_str()));
    let both = view("primary,dead");
    let said = err(&both);
    assert!(code(&both) == 1 && !said.contains(empty) && said.contains("no rows from primary"), "{said}{}", out(&both));
}

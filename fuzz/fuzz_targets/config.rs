//! The configuration file: whatever it contains, it is read or refused, and each fault has its place.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pgwatch::config::{self, Environment};

fuzz_target!(|text: &str| {
    let env = Environment::empty().with_user("oncall").with_home("/nonexistent").with_var("SET", "value");
    match config::from_text(text, Path::new("/nonexistent/cluster.yaml"), None, &env) {
        Ok(config) => {
            for node in &config.nodes {
                assert!(!node.host.is_empty() && !node.user.is_empty());
                assert!(node.pool.min <= node.pool.max && node.health.timeout <= node.health.interval);
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            let lines = text.lines().count().max(1) + 1;
            for fault in faults {
                let at = fault.position.unwrap_or_else(|| panic!("no position: {fault}"));
                assert!((1..=lines).contains(&at.line) && at.column >= 1, "{fault}");
            }
        }
    }
});

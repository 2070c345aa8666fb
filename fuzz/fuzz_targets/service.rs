//! The service file, read for the service that `--dbname` names.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pgwatch::config::{self, Environment, Flags};

/// In memory if there is such a folder, as the file is written for each input.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = ["/dev/shm", "/tmp"].into_iter().find_map(|folder| tempfile::tempdir_in(folder).ok());
    folder.expect("a temporary folder").keep().join("pg_service.conf")
});

fuzz_target!(|text: &[u8]| {
    fs::write(&*FILE, text).expect("the file is written");
    let env = Environment::empty().with_user("oncall").with_var("PGSERVICEFILE", FILE.display().to_string());
    let flags = Flags { dbname: Some("service=s".to_owned()), ..Flags::default() };
    if let Err(faults) = config::from_flags(&flags, &env) {
        assert!(!faults.is_empty());
    }
});

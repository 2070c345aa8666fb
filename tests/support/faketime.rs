//! Programs whose clock is wrong, by libfaketime (Debian's package `faketime`). Intervals stay right: only the time of day
//! is another one.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use pgwatch::demo::{Install, Server, StopMode, Template};
use tempfile::TempDir;

/// The path of the library, where distributions install it; `None` without it.
pub fn library() -> Option<PathBuf> {
    let places = ["x86_64-linux-gnu/faketime", "aarch64-linux-gnu/faketime", "faketime"];
    places.iter().map(|place| Path::new("/usr/lib").join(place).join("libfaketime.so.1")).find(|path| path.exists())
}

/// The environment of a program whose clock is off by what the file says: `-3600`, for example, and later something
/// else.
pub fn by_file<'a>(library: &'a str, file: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
}

/// Servers of which one reads the time from a file `clock` in its folder, if there is one. Needs the library.
pub fn servers() -> &'static Template {
    static MADE: OnceLock<(TempDir, Template)> = OnceLock::new();
    let (_, template) = MADE.get_or_init(|| {
        let real = Install::find().expect("a PostgreSQL server");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("for everybody");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        for program in fs::read_dir(real.bin()).expect("the server's programs").flatten() {
            if program.file_name() != "postgres" {
                symlink(program.path(), bin.join(program.file_name())).expect("a link");
            }
        }
        let mut script = "#!/bin/sh\nif [ -f clock ]; then\n".to_owned();
        let library = library().expect("libfaketime");
        writeln!(
            script,
            "  export LD_PRELOAD={} FAKETIME=$(cat clock) FAKETIME_DONT_FAKE_MONOTONIC=1",
            library.display()
        )
        .unwrap();
        writeln!(script, "fi\nexec {} \"$@\"", real.bin().join("postgres").display()).unwrap();
        fs::write(bin.join("postgres"), script).expect("a script");
        fs::set_permissions(bin.join("postgres"), Permissions::from_mode(0o755)).expect("for everybody");
        let template = Template::create(Install::at(&bin).expect("programs")).expect("initdb");
        (folder, template)
    });
    template
}

/// Starts a server of such a cluster again, with a clock that is ahead by so many seconds.
pub fn set(server: &Server, seconds: i64) {
    server.stop(StopMode::Fast).expect("stopped");
    let file = server.data_dir().join("clock");
    fs::write(&file, format!("{seconds:+}")).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("for everybody");
    server.start().expect("started with another clock");
    let asked = server.psql("select extract(epoch from clock_timestamp())").expect("it answers");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs_f64();
    let differs = asked.parse::<f64>().expect("a time") - now;
    assert!((differs - seconds as f64).abs() < 60.0, "the clock differs by {differs} s");
}

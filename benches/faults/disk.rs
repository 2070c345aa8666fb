//! A disk that fills up: the WAL of the primary is on a small file system of its own.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;
use std::time::SystemTime;

use pgwatch::demo::{Cluster, StopMode};
use tempfile::TempDir;

use crate::fault::{Begun, Fault, Truth, begun};
use crate::namespace::{is_inside, run};
use crate::stage::{Leftover, Set, Stage};
use crate::support::wait::{PATIENCE, wait_for};

pub const FAULTS: [Fault; 1] =
    [Fault::new("disk full (WAL)", Truth::Down, KINDS, fill).on(small_disk).where_possible(mounts)];

/// The server panics, recovers, panics again, and ends; or it does not finish its recovery.
const KINDS: &[&str] = &["refused", "starting_up", "terminated", "connection_lost", "shutting_down"];

fn mounts() -> Result<(), String> {
    if is_inside() { Ok(()) } else { Err("needs a file system of its own (root)".to_owned()) }
}

fn small_disk() -> Set {
    Set { victim: "primary", prepare: |cluster| Some(move_wal(cluster)), ..Set::default() }
}

/// A mounted file system.
struct Disk {
    path: PathBuf,
    _folder: TempDir,
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = run("umount", &["--lazy", &self.path.display().to_string()]);
    }
}

fn move_wal(cluster: &Cluster) -> Leftover {
    let server = cluster.primary();
    server.stop(StopMode::Fast).expect("stopped");
    let owner = fs::metadata(server.data_dir()).expect("the data folder");
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The owner needs access.
    std::os::unix::fs::chown(folder.path(), Some(owner.uid()), Some(owner.gid())).expect("given away");
    let path = folder.path().join("wal");
    fs::create_dir(&path).expect("a folder");
    let text = path.display().to_string();
    let options = format!("size=48m,mode=0700,uid={},gid={}", owner.uid(), owner.gid());
    run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", &text]).expect("mounted");
    let (wal, before) = (server.data_dir().join("pg_wal"), server.data_dir().join("pg_wal.before"));
    fs::rename(&wal, &before).expect("moved away");
    run("cp", &["-a", &format!("{}/.", before.display()), &text]).expect("copied");
    symlink(&path, &wal).expect("a link");
    server.start().expect("started on its new disk");
    Box::new(Disk { path, _folder: folder })
}

fn fill(stage: &mut Stage) -> Begun {
    let server = stage.victim();
    let filler = server.data_dir().join("pg_wal").join("filler");
    let mut file = File::create(&filler).expect("a file");
    while file.write_all(&[1; 4 << 10]).is_ok() {}
    let at = SystemTime::now();
    let writes =
        "select count(pg_logical_emit_message(false, 'fill', repeat('x', 100000))) from generate_series(1, 2000)";
    let failed = server.psql(writes).is_err();
    assert!(failed, "the disk has room yet");
    begun(at, move |stage| {
        fs::remove_file(&filler).expect("removed");
        let server = stage.victim();
        let up = || match server.postmaster_pid() {
            Some(_) => server.psql("select 1").ok(),
            None => server.start().map(|()| String::new()).ok(),
        };
        wait_for("it is up again", PATIENCE, up);
    })
}

//! A temporary folder that outlives nobody. A shell waits at the end of a pipe that we hold: when we end, in
//! whatever way, it reads the end of the pipe, kills every process that works inside the folder, frozen ones too,
//! and removes the folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::fs::statvfs;
use tempfile::TempDir;

use super::{DemoError, Install};

/// Servers are known by their working folder: a process number could long be somebody else's. SIGKILL reaches
/// stopped processes too, but leaves the System V segment that a server keeps as its lock (line 7 of its file).
const SCRIPT: &str = r#"
trap '' HUP INT TERM
root=$1
read -r _
tries=0
while [ "$tries" -lt 200 ]; do
  inside=$(ls -l /proc/[0-9]*/cwd 2>/dev/null | while read -r line; do
    case $line in *"-> $root" | *"-> $root/"*) pid=${line#*/proc/}; echo "${pid%%/*}" ;; esac
  done)
  [ -n "$inside" ] || break
  kill -9 $inside 2>/dev/null
  sleep 0.02
  tries=$((tries + 1))
done
for file in "$root"/*/postmaster.pid; do
  [ -f "$file" ] && set -- $(sed -n 7p "$file") && [ -n "$2" ] && ipcrm -m "$2" 2>/dev/null
done
rm -rf -- "$root"
"#;

/// Room that a folder in memory must have for a few servers.
const ROOM: u64 = 2 << 30;

/// The folder and its guard. Dropping it does the same as dying.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    guard: Option<Child>,
    /// Removes what the guard could not.
    _rest: TempDir,
}

impl Folder {
    /// A new folder that belongs to the owner of `install`, in `TMPDIR`, else in memory where there is room, else
    /// in the system's temporary folder.
    pub(super) fn create(install: &Install) -> Result<Self, DemoError> {
        let parent = place();
        let dir = tempfile::Builder::new()
            .prefix("pgwatch-")
            .tempdir_in(&parent)
            .map_err(DemoError::io(format!("no temporary folder in {}", parent.display())))?;
        // As the kernel names it: the guard compares working folders.
        let path = dir.path().canonicalize().map_err(DemoError::file(dir.path()))?;
        install.own(&path, 0o700)?;
        let guard = install
            .command("/bin/sh")
            .args(["-c", SCRIPT, "pgwatch-guard"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(DemoError::io("/bin/sh"))?;
        Ok(Self { path, guard: Some(guard), _rest: dir })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

fn place() -> PathBuf {
    if let Some(chosen) = env::var_os("TMPDIR") {
        return chosen.into();
    }
    let memory = Path::new("/dev/shm");
    match statvfs(memory) {
        Ok(space) if space.f_bavail * space.f_frsize >= ROOM => memory.to_owned(),
        _ => env::temp_dir(),
    }
}

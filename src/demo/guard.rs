//! A temporary folder that is removed even if this program is killed. A shell waits at the end of a pipe that we hold
//! open. When this program ends in any way, the shell reads the end of the pipe, kills every process that works inside
//! the folder, including frozen ones, and removes the folder.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::fs::statvfs;
use tempfile::TempDir;

use super::{DemoError, Install, install};

/// Finds servers by their working folder, because the number of a process that ended may belong to another one by now.
/// SIGKILL reaches stopped processes too, but leaves the System V segment that a server keeps as its lock (line 7 of
/// its `postmaster.pid`).
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

/// Free space, in bytes, that a folder in memory must have for a few servers.
const ROOM: u64 = 2 << 30;

/// Longest path of the folder, in bytes. The path of a unix socket has at most 107; this leaves room for the server's
/// folder and the socket.
const LONGEST: usize = 107 - "/standby1234567890/.s.PGSQL.65535".len();

/// The folder and its guard. Dropping it has the same effect as the end of this program.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    guard: Option<Child>,
    /// Removes what the guard could not.
    _rest: TempDir,
}

impl Folder {
    /// A new folder that belongs to the owner of `install`, in the first place where servers can run: `TMPDIR`,
    /// `/dev/shm` if it has room, `/tmp`, `/var/tmp`.
    pub(super) fn create(install: &Install) -> Result<Self, DemoError> {
        let mut first = None;
        for parent in places() {
            match Self::create_in(&parent, install) {
                Ok(folder) => return Ok(folder),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| DemoError::io("a temporary folder")(io::ErrorKind::NotFound.into())))
    }

    fn create_in(parent: &Path, install: &Install) -> Result<Self, DemoError> {
        let dir = tempfile::Builder::new()
            .prefix("pgwatch-")
            .tempdir_in(parent)
            .map_err(DemoError::io(format!("no temporary folder in {}", parent.display())))?;
        // The path in the kernel's own form, because the guard compares it with working folders.
        let path = dir.path().canonicalize().map_err(DemoError::file(dir.path()))?;
        if path.as_os_str().len() > LONGEST {
            let output = "its name is too long for the Unix socket of a server in it".to_owned();
            return Err(DemoError::Failed { what: format!("a folder for servers, {}", path.display()), output });
        }
        install.own(&path, 0o700)?;
        // The owner may lack the right to enter a parent folder.
        let mut enter = install.command("/bin/sh");
        enter.args(["-c", "cd -- \"$0\""]).arg(&path);
        install::run(enter, "")?;
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

fn places() -> Vec<PathBuf> {
    let memory = Path::new("/dev/shm");
    let has_room = statvfs(memory).is_ok_and(|space| space.f_bavail * space.f_frsize >= ROOM);
    let chosen = env::var_os("TMPDIR").filter(|chosen| !chosen.is_empty()).map(PathBuf::from);
    chosen.into_iter().chain(has_room.then(|| memory.to_owned())).chain(["/tmp".into(), "/var/tmp".into()]).collect()
}

//! The PostgreSQL server programs of this machine, run as a user that they accept.

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::DemoError;

/// The environment variables that programs inherit: those by which programs and libraries are found.
const KEPT: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// An installed PostgreSQL and the user that its servers run as.
#[derive(Debug, Clone)]
pub struct Install {
    bin: PathBuf,
    major: u32,
    /// `None`: our own user. A server refuses to run as root, so root uses `postgres`.
    owner: Option<Owner>,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Install {
    /// The newest version in the folders that distributions use, by `pg_config`, and on the `PATH`.
    pub fn find() -> Result<Self, DemoError> {
        let mut places = versioned("/usr/lib/postgresql");
        places.extend(versioned("/usr").into_iter().filter(|path| path.to_string_lossy().contains("pgsql-")));
        if let Ok(output) = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output() {
            places.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        }
        places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let newest = places.iter().filter_map(|bin| Some((major(bin)?, bin))).max_by_key(|(major, _)| *major);
        match newest {
            Some((_, bin)) => Self::at(bin),
            None => Err(DemoError::NoBinaries {
                looked: "/usr/lib/postgresql/*/bin, /usr/pgsql-*/bin, pg_config --bindir and PATH".to_owned(),
            }),
        }
    }

    /// The programs of one folder.
    pub fn at(bin: &Path) -> Result<Self, DemoError> {
        let major = major(bin).ok_or_else(|| DemoError::NoBinaries { looked: bin.display().to_string() })?;
        let owner = if rustix::process::geteuid().is_root() { Some(Owner::postgres()?) } else { None };
        Ok(Self { bin: bin.to_owned(), major, owner })
    }

    /// The major version: 15 for PostgreSQL 15.18.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The folder of its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    pub(super) fn has_program(&self, name: &str) -> bool {
        self.bin.join(name).is_file()
    }

    /// True if the extension's library is installed, so that a server may preload it.
    pub(super) fn has_library(&self, name: &str) -> bool {
        let Some(home) = self.bin.parent() else { return false };
        ["lib", "lib/postgresql"].iter().any(|lib| home.join(lib).join(format!("{name}.so")).exists())
    }

    /// A command that runs one of the server's programs as the owner.
    pub fn program(&self, name: &str) -> Command {
        self.command(self.bin.join(name))
    }

    /// A command that runs any program as the owner, outside the terminal's process group (a Ctrl-C is meant for
    /// pgwatch). It inherits only [`KEPT`]: libpq's variables, the locale, the time zone and files in the home folder
    /// would change what servers and psql do.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.env("HOME", "/").env("LC_ALL", "C").current_dir("/").process_group(0).stdin(Stdio::null());
        if let Some(owner) = self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }

    /// Makes the owner of this installation the owner of a file or folder, with these permissions.
    pub(super) fn own(&self, path: &Path, mode: u32) -> Result<(), DemoError> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(DemoError::file(path))?;
        let Some(owner) = self.owner else { return Ok(()) };
        chown(path, Some(owner.uid), Some(owner.gid)).map_err(DemoError::file(path))
    }

    /// Writes a file that only the owner may read.
    pub(super) fn write(&self, path: &Path, contents: &[u8]) -> Result<(), DemoError> {
        fs::write(path, contents).map_err(DemoError::file(path))?;
        self.own(path, 0o600)
    }
}

impl Owner {
    /// Asks `id`, which knows all sources of users; the standard library has no such call.
    fn postgres() -> Result<Self, DemoError> {
        let ask = |flag: &str| -> Option<u32> {
            let output = Command::new("id").args([flag, "postgres"]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        match (ask("-u"), ask("-g")) {
            (Some(uid), Some(gid)) if uid != 0 => Ok(Self { uid, gid }),
            _ => Err(DemoError::NoUser),
        }
    }
}

/// Runs a program to its end with `input`; returns its output, or its error text as the error.
pub(super) fn run(mut command: Command, input: &str) -> Result<String, DemoError> {
    let what = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(DemoError::io(&what))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If the program ends before it has read everything, its status says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(DemoError::io(&what))?;
    let printed = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let errors = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(DemoError::Failed { what, output: if errors.is_empty() { printed } else { errors } })
}

/// All folders `FOLDER/*/bin`.
fn versioned(folder: &str) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect()
}

/// The major version of the programs in a folder, if they are a complete server.
fn major(bin: &Path) -> Option<u32> {
    if !["initdb", "postgres", "psql"].iter().all(|name| bin.join(name).is_file()) {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

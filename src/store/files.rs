//! Opens files that only their owner can read, and writes files that get their name only when they are complete.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::text::safe;

/// Opens a file for appending that only its owner can read: logs name hosts, roles and databases. A pipe never blocks:
/// opening one without a reader is an error, and so is writing to a full one. A file takes as long as its disk does.
pub fn open_private(path: &Path) -> io::Result<File> {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(nonblocking).open(path)
}

/// Why the file that a flag names cannot be opened or written, as one line for people.
pub fn fault(flag: &str, path: &Path, error: &io::Error) -> String {
    let path = path.display().to_string();
    let why = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NXIO) => "it is a pipe without a reader".to_owned(),
        _ => error.to_string(),
    };
    format!("{flag} {}: {why}", safe(&path))
}

/// Writes a new file that only its owner can read. It gets its name when it is complete, and an existing file of that
/// name is left alone ([`io::ErrorKind::AlreadyExists`]).
pub fn write_whole(path: &Path, contents: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    let mut out = BufWriter::new(&mut file);
    contents(&mut out)?;
    out.flush()?;
    drop(out);
    file.persist_noclobber(path)?;
    Ok(())
}

//! Reads a file that people write. It bounds the size and the time, so that a pipe without a writer does not hold up the
//! start.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::diagnostic::Position;

/// The largest file that is read. 5,000 nodes with every key take half of it.
const MAX_BYTES: u64 = 4 << 20;

/// How long the writer of a pipe may take, as in `--config <(decrypt cluster.yaml)`.
const PATIENCE: Duration = Duration::from_secs(10);

/// The text of a file.
///
/// # Errors
/// Why it cannot be read, or why and where it is not UTF-8.
pub(super) fn text(path: &Path) -> Result<String, (Option<Position>, String)> {
    let bytes = whole(path).map_err(|message| (None, message))?;
    String::from_utf8(bytes).map_err(|error| {
        let before =
            String::from_utf8_lossy(error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default())
                .into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(1, |last| last.chars().count() + 1);
        (Some(Position { line, column }), "this is not UTF-8 text: save the file as UTF-8".to_owned())
    })
}

/// The content of a file, which may be a pipe.
///
/// # Errors
/// A message for people, without the file's name.
pub(super) fn whole(path: &Path) -> Result<Vec<u8>, String> {
    if is_plain(path)? { bounded(start(path)) } else { bounded(in_time(path.to_owned())?) }
}

/// The content of a file that is not a pipe: a pipe can be read only once, and this is called for each node.
///
/// # Errors
/// As [`whole`].
pub(super) fn plain(path: &Path) -> Result<Vec<u8>, String> {
    if is_plain(path)? { bounded(start(path)) } else { Err("is not a regular file".to_owned()) }
}

/// True for a regular file, and for a folder, for which reading reports the error.
fn is_plain(path: &Path) -> Result<bool, String> {
    let meta = std::fs::metadata(path).map_err(|error| said(&error))?;
    Ok(meta.is_file() || meta.is_dir())
}

fn bounded(bytes: io::Result<Vec<u8>>) -> Result<Vec<u8>, String> {
    let bytes = bytes.map_err(|error| said(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("is larger than 4 MB, which is too large for a configuration".to_owned());
    }
    Ok(bytes)
}

/// Reads at most one byte more than a file may have.
fn start(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// [`start`] for a file that may keep its reader waiting. If it does, the thread waits until the program ends.
fn in_time(path: PathBuf) -> Result<io::Result<Vec<u8>>, String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(start(&path)));
    told.recv_timeout(PATIENCE)
        .map_err(|_| "is not a regular file, and nothing could be read from it within 10 s".to_owned())
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::IsADirectory => "is a directory: name a file in it".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

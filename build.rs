//! Embeds every file of `config/views` and `config/alerts` into the program, so that a view or rule is added by adding
//! a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    embed("views")?;
    embed("alerts")
}

/// Writes the names and texts of the files of a folder as a Rust array.
fn embed(what: &str) -> io::Result<()> {
    let folder = Path::new("config").join(what);
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut list = String::from("&[\n");
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let path = fs::canonicalize(path)?.display().to_string();
        let _ = writeln!(list, "    ({name:?}, include_str!({path:?})),");
    }
    list += "]\n";
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(format!("{what}.rs")), list)
}

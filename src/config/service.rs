//! libpq's service file (`pg_service.conf`): named sets of connection settings.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::read;

/// The folder that Debian's libpq uses if `PGSYSCONFDIR` is not set.
const SYSTEM_FOLDER: &str = "/etc/postgresql-common";

/// A section that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub file: PathBuf,
    pub settings: Vec<Setting>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub line: usize,
    pub keyword: String,
    pub value: String,
}

/// Looks for a service as libpq does: in `given` (`servicefile`), `PGSERVICEFILE` or `~/.pg_service.conf`, then in the
/// system's `pg_service.conf`. Blocks while it reads the files.
///
/// # Errors
/// A message for people, if there is no such service or a file cannot be read.
pub(super) fn find(name: &str, given: Option<&Path>, env: &Environment) -> Result<Service, String> {
    let named = given.map(Path::to_owned).or_else(|| env.filled_var("PGSERVICEFILE").map(PathBuf::from));
    let own = named.clone().or_else(|| Some(env.home()?.join(".pg_service.conf")));
    let system = PathBuf::from(env.filled_var("PGSYSCONFDIR").unwrap_or(SYSTEM_FOLDER)).join("pg_service.conf");
    let files: Vec<PathBuf> = own.into_iter().chain([system]).collect();
    for file in &files {
        // Only a file that was named explicitly has to exist.
        if Some(file) != named.as_ref() && !file.exists() {
            continue;
        }
        let bytes = read::plain(file).map_err(|why| format!("the service file {}: {why}", file.display()))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| format!("the service file {} is not UTF-8 text: save it as UTF-8", file.display()))?;
        if let Some(settings) = section(&text, name).map_err(|line| bad_line(file, line))? {
            return Ok(Service { file: file.clone(), settings });
        }
    }
    let looked: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Err(format!("there is no service {name:?} in {}", looked.join(" or ")))
}

fn bad_line(file: &std::path::Path, line: usize) -> String {
    format!(
        "the service file {} has an error in line {line}: only [name], keyword=value and # comments are allowed",
        file.display()
    )
}

/// The settings of a section of the text; `Err` is the number of an invalid line.
fn section(text: &str, name: &str) -> Result<Option<Vec<Setting>>, usize> {
    let mut found = None;
    let mut inside = false;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            inside = header.strip_suffix(']').ok_or(i + 1)? == name;
            if inside {
                found = Some(Vec::new());
            }
        } else if let (true, Some(settings)) = (inside, found.as_mut()) {
            let (keyword, value) = line.split_once('=').ok_or(i + 1)?;
            let (keyword, value) = (keyword.trim_end().to_owned(), value.trim_start().to_owned());
            settings.push(Setting { line: i + 1, keyword, value });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_section_of_a_name_is_read() {
        let text = "# c\n[a]\nhost=x\n  port = 1\n\n[b]\nnonsense\n[a]\nhost=second\n";
        let setting =
            |line, keyword: &str, value: &str| Setting { line, keyword: keyword.to_owned(), value: value.to_owned() };
        assert_eq!(section(text, "a"), Ok(Some(vec![setting(3, "host", "x"), setting(4, "port", "1")])));
        assert_eq!(section(text, "b"), Err(7));
        assert_eq!(section(text, "c"), Ok(None));
    }
}

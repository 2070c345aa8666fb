//! What psql is asked as a reference for a view: `tests/views/reference/*.yaml`, plain SQL from the documentation of the
//! server, with an expression for each column that it vouches for. Texts may differ by version and role, as in a view.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use indexmap::IndexMap;
use pgwatch::demo::Server;
use pgwatch::model::View;
use pgwatch::model::view::{CellKind, Unit};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The value of a cell that the reference leaves open.
pub(super) const ANY: &str = "@any@";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    /// `own`: asked as the very role that pgwatch is logged in as, whose settings it is about.
    login: Option<String>,
    /// `some`: pgwatch may show more rows.
    rows: Option<String>,
    /// Rows whose value here has changed meanwhile are not compared.
    still: Option<String>,
    /// An age that begins again now and then.
    resets: Option<String>,
    with: Option<Text>,
    from: Text,
    columns: IndexMap<String, Option<Text>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Same(String),
    By(IndexMap<serde_yaml::Value, String>),
}

/// Which server is asked: its version (or that of the extension), and whether it is a standby.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub version: (u32, u32),
    pub standby: bool,
}

/// The rows that psql found, by the names of their columns; why there are none.
pub(super) type Found = Result<Vec<Map<String, Value>>, String>;

pub(super) fn all() -> BTreeMap<String, Reference> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views/reference");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            let reference = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap());
            let reference = reference.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), reference)
        })
        .collect()
}

impl Text {
    /// The text with the highest version that is not above the server's; of two the one that names the role.
    fn choose(&self, of: Of) -> Option<&str> {
        let by = match self {
            Self::Same(text) => return Some(text),
            Self::By(by) => by,
        };
        let fitting = by.iter().filter_map(|(key, text)| {
            let key = key.as_str().map_or_else(|| serde_yaml::to_string(key).unwrap(), str::to_owned);
            let mut since = (0, 0);
            let mut role = None;
            for word in key.split_whitespace() {
                match word {
                    "primary" | "standby" => role = Some(word == "standby"),
                    version => since = parsed(version),
                }
            }
            (since <= of.version && role.is_none_or(|standby| standby == of.standby)).then_some((since, role, text))
        });
        fitting.max_by_key(|(since, role, _)| (*since, role.is_some())).map(|(.., text)| text.as_str())
    }
}

/// `1.10` or `16`.
pub(super) fn parsed(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().expect("a version"));
    (parts.next().unwrap(), parts.next().unwrap_or(0))
}

impl Reference {
    pub(super) fn is_own(&self) -> bool {
        self.login.as_deref() == Some("own")
    }

    pub(super) fn may_be_fewer(&self) -> bool {
        self.rows.as_deref() == Some("some")
    }

    pub(super) fn stands_still(&self, before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
        self.still.as_ref().is_none_or(|column| before[column] == after[column])
    }

    pub(super) fn resets(&self, column: &str) -> bool {
        self.resets.as_deref() == Some(column)
    }

    pub(super) fn vouches_for(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// The statement for this server; `None` where it has none of it.
    pub(super) fn sql(&self, view: &View, of: Of, login: &str) -> Option<String> {
        let from = self.from.choose(of)?;
        let with = self.with.as_ref().and_then(|with| with.choose(of)).map(|with| format!("with {with} "));
        let cells = self.columns.iter().map(|(name, text)| {
            let expression = match text {
                None => name,
                Some(text) => text.choose(of).unwrap_or("null"),
            };
            let column = &view.columns[view.column(name).unwrap_or_else(|| panic!("{}: no column {name}", view.name))];
            match (column.kind, column.unit) {
                (CellKind::Interval, Some(Unit::Ms)) => {
                    format!("(extract(epoch from ({expression})::interval) * 1000)::text as \"{name}\"")
                }
                (CellKind::Interval, _) => format!("extract(epoch from ({expression})::interval)::text as \"{name}\""),
                (CellKind::Time, _) => format!("extract(epoch from ({expression})::timestamptz)::text as \"{name}\""),
                _ => format!("({expression})::text as \"{name}\""),
            }
        });
        let cells: Vec<String> = cells.collect();
        let sql = format!("{}select {} from {from}", with.unwrap_or_default(), cells.join(", "));
        Some(sql.replace("@schema@", "public").replace("@login@", &format!("'{login}'")))
    }
}

/// psql too needs these where a role has unusual settings: no serializable transaction is possible on a standby.
const OPTIONS: &str = "-c search_path=pg_catalog -c lock_timeout=2000 -c exit_on_error=off -c standard_conforming_strings=on \
                       -c default_transaction_isolation=read\\ committed -c client_min_messages=warning -c extra_float_digits=3 -c transform_null_equals=off";

/// Asks the server these statements by psql in one session, as this role, over TCP as pgwatch does.
pub(super) fn ask(server: &Server, role: &str, database: &str, asked: &[(&str, String)]) -> BTreeMap<String, Found> {
    let mut psql = server.client(role);
    psql.args(["-A", "-t", "-d", database, "-f", "-", "-h", server.host()]);
    psql.env("PGOPTIONS", OPTIONS).env("PGCLIENTENCODING", "UTF8");
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut script = String::new();
    for (name, sql) in asked {
        writeln!(
            script,
            "\\echo @view {name}\nselect row_to_json(x) from ({sql}) x;\n\\echo @end :ERROR :LAST_ERROR_MESSAGE"
        )
        .unwrap();
    }
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for part in text.split("@view ").skip(1) {
        let (name, rest) = part.split_once('\n').unwrap();
        let (rows, end) = rest.split_once("@end ").unwrap_or((rest, "true psql ended"));
        let answer = match end.trim().strip_prefix("true") {
            Some(error) => Err(error.trim().to_owned()),
            None => Ok(rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect()),
        };
        found.insert(name.to_owned(), answer);
    }
    for (name, _) in asked {
        let why = || Err(String::from_utf8_lossy(&output.stderr).into_owned());
        found.entry((*name).to_owned()).or_insert_with(why);
    }
    found
}

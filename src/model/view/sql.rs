//! The statements that ask one server for a view, for the texts that are asked once for each row, and for one text as a
//! whole.
//!
//! Every text is cut on the server, where one session alone may show a megabyte. A text whose bytes may be in another
//! encoding than the database's would fail the statement, whatever is done with it: its bytes come as hexadecimal digits.

use std::fmt::Write as _;

use super::View;
use super::by_server::{ByServer, Lacks, Version};
use super::column::{CellKind, Source, Unit, ViewColumn};
use crate::model::{Role, quoted};

/// Placeholder in a view's texts for the schema of its extension.
const SCHEMA: &str = "@extschema@";

/// How much of a text is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Characters that are kept. One more is asked for, which shows that there are more.
    pub chars: usize,
    /// Bytes of a text that comes as bytes, between quotes.
    bytes: usize,
}

impl Limit {
    /// What a wrapped row of a table shows.
    pub const ROW: Self = Self { chars: 1_000, bytes: 4_003 };
    /// What is kept of a text that is looked at: all of what a session can show.
    pub const WHOLE: Self = Self { chars: 1_050_000, bytes: 1_050_003 };
}

/// The server that a statement is for, and how it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// Of the extension, where the view has one.
    pub version: Version,
    /// What the server is.
    pub role: Role,
    /// The schema of the extension.
    pub schema: Option<&'a str>,
    /// True if all texts come as bytes: one of them is in no known encoding.
    pub as_bytes: bool,
}

impl View {
    /// The statement for a server. Each row has one cell for each of [`View::asked`], NULL where the server does not have
    /// it, and then one for each of [`View::sized`]: see `size`.
    ///
    /// # Errors
    /// Which version or role is needed.
    pub fn sql(&self, target: Target<'_>) -> Result<String, Lacks> {
        let with = self.with_clause(target)?;
        let from = self.from.choose(target.version, target.role)?;
        let asked: Vec<&ViewColumn> = self.asked().collect();
        let sql = if self.sized().next().is_none() {
            let cells: Vec<String> = asked.iter().map(|column| inline(column, target)).collect();
            format!("{with}select {} from {from}", cells.join(", "))
        } else {
            let cells = asked.iter().map(|column| outer(column, target, Limit::ROW));
            let sizes = self.sized().map(|column| size(column, target, self.is_compared(column)));
            let cells: Vec<String> = cells.chain(sizes).collect();
            format!("{with}select {} from {}", cells.join(", "), inner(&asked, from, target))
        };
        Ok(in_schema(&sql, target.schema))
    }

    /// The statement for the texts of a column with [`ViewColumn::once`]: the cells of the view's key, then the text and
    /// its size. `keys` are the cells of the rows that are asked for; none: all of them.
    ///
    /// # Errors
    /// Which version or role is needed.
    pub fn once_sql(&self, column: usize, keys: &[Vec<Option<&str>>], target: Target<'_>) -> Result<String, Lacks> {
        let Some((column, from)) = self.once(column) else { return Ok(String::new()) };
        let from = from.choose(target.version, target.role)?;
        let with = self.with_clause(target)?;
        let key = self.key_columns();
        let asked: Vec<&ViewColumn> = key.iter().copied().chain([column]).collect();
        let mut cells: Vec<String> = key.iter().map(|key| quoted(&key.name)).collect();
        cells.extend([cut(column, target, Limit::ROW), size(column, target, false)]);
        let mut sql = format!("{with}select {} from {}", cells.join(", "), inner(&asked, from, target));
        if !keys.is_empty() {
            // Which of two columns of a key is unlike is not asked: a few texts too many do no harm.
            let tested = |(at, column): (usize, &&ViewColumn)| (column.kind != CellKind::Bool).then_some(at);
            let tested: Vec<usize> = key.iter().enumerate().filter_map(tested).collect();
            let names = tested.iter().filter_map(|at| Some(format!("{}::text", quoted(&key.get(*at)?.name))));
            // As one constant, so that the server's statistics count one statement, however many keys there are.
            let values = keys.iter().map(|cells| {
                let cells: Vec<&str> = tested.iter().filter_map(|at| cells.get(*at).copied().flatten()).collect();
                format!("\"{}\"", cells.join(",").replace('\\', "\\\\").replace('"', "\\\""))
            });
            let values = literal(&format!("{{{}}}", values.collect::<Vec<_>>().join(",")));
            let names = names.collect::<Vec<_>>().join(", ");
            let _ = write!(sql, " where concat_ws(',', {names}) = any({values}::text[])");
        }
        Ok(in_schema(&sql, target.schema))
    }

    /// The statement for one text as a whole, of the row with this key: the text and its size.
    ///
    /// # Errors
    /// Which version or role is needed.
    pub fn whole_sql(&self, column: usize, key: &[Option<String>], target: Target<'_>) -> Result<String, Lacks> {
        let Some(of) = self.columns.get(column) else { return Ok(String::new()) };
        let from = self.once(column).map_or(&self.from, |(_, from)| from).choose(target.version, target.role)?;
        let with = self.with_clause(target)?;
        let columns = self.key_columns();
        let is = |(column, cell): (&&ViewColumn, &Option<String>)| {
            let name = quoted(&column.name);
            match (cell, column.kind) {
                (None, _) => format!("{name} is null"),
                (Some(cell), CellKind::Bool) => format!("{name} = {}::bool", literal(cell)),
                (Some(cell), _) => format!("{name}::text = {}", literal(cell)),
            }
        };
        let is: Vec<String> = columns.iter().zip(key).map(is).collect();
        let is = if is.is_empty() { "true".to_owned() } else { is.join(" and ") };
        let asked: Vec<&ViewColumn> = columns.iter().copied().chain([of]).collect();
        let (text, size, inner) = (cut(of, target, Limit::WHOLE), size(of, target, false), inner(&asked, from, target));
        let sql = format!("{with}select {text}, {size} from {inner} where {is} limit 1");
        Ok(in_schema(&sql, target.schema))
    }

    /// The asked columns whose size comes with each row: long texts.
    pub fn sized(&self) -> impl Iterator<Item = &ViewColumn> {
        self.asked()
            .filter(|column| is_text(column) && column.once.is_none() && (column.wide || column.encoding.is_some()))
    }

    /// A column whose texts are asked once for each row, and from what.
    pub fn once(&self, column: usize) -> Option<(&ViewColumn, &ByServer)> {
        let column = self.columns.get(column)?;
        Some((column, column.once.as_ref()?))
    }

    fn key_columns(&self) -> Vec<&ViewColumn> {
        self.key.iter().filter_map(|at| self.columns.get(*at)).collect()
    }

    fn is_compared(&self, column: &ViewColumn) -> bool {
        self.compare.and_then(|at| self.columns.get(at)).is_some_and(|compared| compared.name == column.name)
    }

    fn with_clause(&self, target: Target<'_>) -> Result<String, Lacks> {
        let Some(with) = &self.with else { return Ok(String::new()) };
        Ok(format!("with {} ", with.choose(target.version, target.role)?))
    }
}

fn is_text(column: &ViewColumn) -> bool {
    column.kind == CellKind::Text
}

/// A text as a literal, whatever `standard_conforming_strings` is.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn in_schema(sql: &str, schema: Option<&str>) -> String {
    match schema {
        Some(schema) => sql.replace(SCHEMA, &quoted(schema)),
        None => sql.to_owned(),
    }
}

/// The expression of a column in its type, uncut.
fn value(column: &ViewColumn, target: Target<'_>) -> String {
    let Source::Sql { sql, .. } = &column.source else { return "null".to_owned() };
    let sql = sql.choose(target.version, target.role).unwrap_or("null");
    match (column.kind, column.unit) {
        (CellKind::Time, _) => format!("date_part('epoch', ({sql})::timestamptz)"),
        (CellKind::Interval, Some(Unit::Ms)) => format!("date_part('epoch', ({sql})::interval) * 1000"),
        (CellKind::Interval, _) => format!("date_part('epoch', ({sql})::interval)"),
        (kind, _) => format!("({sql})::{}", kind.as_str()),
    }
}

/// A column where nothing is asked of its text but itself.
fn inline(column: &ViewColumn, target: Target<'_>) -> String {
    let (value, name) = (value(column, target), quoted(&column.name));
    match is_text(column) {
        _ if column.once.is_some() => format!("null::text as {name}"),
        true if target.as_bytes => format!("{} as {name}", bytes(&value, Limit::ROW)),
        true => format!("left({value}, {}) as {name}", Limit::ROW.chars + 1),
        false => format!("{value} as {name}"),
    }
}

/// The rows with all texts uncut, as a table in `from`. `offset 0`: each expression is evaluated once, however often its
/// column is used.
fn inner(columns: &[&ViewColumn], from: &str, target: Target<'_>) -> String {
    let cells = columns.iter().flat_map(|column| {
        let name = quoted(&column.name);
        let encoding = column.encoding.as_ref().map(|encoding| format!("({encoding}) as {}", encoding_of(column)));
        [Some(format!("{} as {name}", value(column, target))), encoding]
    });
    let cells: Vec<String> = cells.flatten().collect();
    format!("(select * from (select {} from {from}) c offset 0) v", cells.join(", "))
}

fn encoding_of(column: &ViewColumn) -> String {
    quoted(&format!("{} encoding", column.name))
}

/// A column of [`inner`], its text cut.
fn outer(column: &ViewColumn, target: Target<'_>, limit: Limit) -> String {
    let name = quoted(&column.name);
    match is_text(column) {
        _ if column.once.is_some() => format!("null::text as {name}"),
        true => format!("{} as {name}", cut(column, target, limit)),
        false => name,
    }
}

fn cut(column: &ViewColumn, target: Target<'_>, limit: Limit) -> String {
    let name = quoted(&column.name);
    if target.as_bytes {
        return bytes(&name, limit);
    }
    let plain = format!("left({name}, {})", limit.chars + 1);
    match is_foreign(column) {
        Some(foreign) => format!("case when {foreign} then {} else {plain} end", bytes(&name, limit)),
        None => plain,
    }
}

/// True for a text that may not be in the database's encoding; 0 is `SQL_ASCII`, whose texts may be in any.
fn is_foreign(column: &ViewColumn) -> Option<String> {
    column.encoding.as_ref()?;
    let encoding = encoding_of(column);
    Some(format!("coalesce({encoding} = 0 or {encoding} <> pg_char_to_encoding(getdatabaseencoding()), true)"))
}

/// The bytes of a text between quotes, as hexadecimal digits. `quote_literal` doubles each backslash byte by byte,
/// whatever the bytes mean, so that `decode` finds no escape in them.
fn bytes(text: &str, limit: Limit) -> String {
    format!("encode(substring(decode(quote_literal({text}), 'escape') from 1 for {}), 'hex')", limit.bytes)
}

/// The size of a text in bytes if it is cut or comes as bytes (`x` before it), else NULL; and what tells two compared
/// texts apart beyond the cut.
fn size(column: &ViewColumn, target: Target<'_>, compared: bool) -> String {
    let name = quoted(&column.name);
    let size = format!("octet_length({name})");
    let long = format!("{size} > {}", Limit::ROW.chars);
    let whole = if compared { format!("{size} || ' ' || md5({name})") } else { format!("{size}::text") };
    if target.as_bytes {
        return format!("'x' || {size}");
    }
    let foreign = is_foreign(column).map(|foreign| format!("when {foreign} then 'x' || {size} ")).unwrap_or_default();
    format!("case {foreign}when {long} then {whole} end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::views;

    const TARGET: Target<'static> =
        Target { version: Version(1, 10), role: Role::Primary, schema: Some("a\"b"), as_bytes: false };

    #[test]
    fn texts_are_cut_and_figures_need_none() {
        let statements = &views::ours()["statements"];
        let sql = statements.sql(TARGET).unwrap();
        assert!(
            sql.contains("\"a\"\"b\".pg_stat_statements(false)") && sql.contains("null::text as \"query\""),
            "{sql}"
        );
        let column = statements.column("query").unwrap();
        let keys = vec![vec![Some("10"), Some("5"), Some("-7"), Some("t")]];
        let some = statements.once_sql(column, &keys, TARGET).unwrap();
        assert!(
            some.contains("pg_stat_statements(true)") && some.contains("= any(E'{\"10,5,-7\"}'::text[])"),
            "{some}"
        );
        assert!(!statements.once_sql(column, &[], TARGET).unwrap().contains("any("));
        let key = ["10", "5", "-7", "t"].map(|cell| Some(cell.to_owned()));
        let whole = statements.whole_sql(column, &key, TARGET).unwrap();
        assert!(whole.contains("\"query_id\"::text = E'-7' and \"toplevel\" = E't'::bool"), "{whole}");
    }

    #[test]
    fn a_text_in_a_literal_stays_in_it() {
        assert_eq!(literal(r"it's \x"), r"E'it''s \\x'");
    }
}

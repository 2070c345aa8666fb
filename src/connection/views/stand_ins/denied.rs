//! Which functions and relations of the system catalog the statement of a view can do without, by its text: a function
//! that the role may not use is replaced by NULL, a relation by one without rows.
//!
//! Where rows are chosen, nothing is replaced: with NULL in a condition a table would be empty, as if there were nothing.

use std::collections::BTreeSet;

use crate::model::Role;
use crate::sql::words::{Kind, Piece, Quotes, pieces};

/// What the role may not use, and what stands in for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connection::views) struct Denied {
    pub(in crate::connection::views) name: String,
    pub(in crate::connection::views) stand_in: Instead,
}

impl Denied {
    /// False if servers of this role have no value of it anyway.
    pub(super) fn is_lost_on(&self, role: Role) -> bool {
        match role {
            Role::Primary => !self.name.starts_with("pg_last_") && self.name != "pg_is_wal_replay_paused",
            Role::Standby => !["pg_current_wal_lsn", "pg_walfile_name"].contains(&self.name.as_str()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::connection::views) enum Instead {
    /// For a function with one value: its type.
    Value(String),
    /// For a function with one row: the list of its columns, each of them NULL.
    Row(String),
    /// For what has any number of rows: the same, and there are none.
    Nothing(String),
}

/// What the text uses, and could do without.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::connection::views) struct Used<'a> {
    pub(in crate::connection::views) functions: BTreeSet<&'a str>,
    pub(in crate::connection::views) relations: BTreeSet<&'a str>,
}

pub(in crate::connection::views) fn used(sql: &str, arms: bool) -> Used<'_> {
    let mut used = Used::default();
    for place in places(sql, arms) {
        if place.is_call {
            used.functions.insert(place.name)
        } else {
            used.relations.insert(place.name)
        };
    }
    used
}

/// The text without what is denied, which of it was replaced, and whether rows may be lost with it.
pub(in crate::connection::views) fn without<'a>(
    sql: &str,
    denied: &'a [(Denied, String)],
    arms: bool,
) -> (String, Vec<&'a Denied>, bool) {
    let (mut text, mut end, mut gone, mut rows) = (String::with_capacity(sql.len()), 0, Vec::new(), false);
    for place in places(sql, arms) {
        let Some(of) = denied.iter().map(|(denied, _)| denied).find(|denied| denied.name == place.name) else {
            continue;
        };
        // Inside the arguments of a call that is gone.
        if place.from < end {
            continue;
        }
        let Some(stand_in) = of.stand_in.at(&place) else { continue };
        text.push_str(sql.get(end..place.from).unwrap_or_default());
        text.push_str(&stand_in);
        end = place.to;
        rows |= place.stands == Stands::Arm;
        if !gone.contains(&of) {
            gone.push(of);
        }
    }
    text.push_str(sql.get(end..).unwrap_or_default());
    (text, gone, rows)
}

impl Instead {
    fn at(&self, place: &Place<'_>) -> Option<String> {
        let alias = if place.has_alias { String::new() } else { format!(" {}", place.name) };
        match self {
            Self::Value(of_type) if place.is_call => Some(format!("coalesce(null::{of_type})")),
            Self::Row(columns) if place.stands != Stands::Value => Some(format!("(select {columns}){alias}")),
            Self::Nothing(columns) if matches!(place.stands, Stands::Joined | Stands::Arm) => {
                Some(format!("(select {columns} where false){alias}"))
            }
            _ => None,
        }
    }
}

/// Where a text uses a function or a relation.
#[derive(Debug)]
struct Place<'a> {
    name: &'a str,
    from: usize,
    to: usize,
    is_call: bool,
    stands: Stands,
    has_alias: bool,
}

/// What a function or a relation is to the query around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// A value.
    Value,
    /// What the rows of the query are made of.
    Rows,
    /// The same, of one arm of a UNION.
    Arm,
    /// What is joined by LEFT JOIN.
    Joined,
}

/// A part of a query within the same parentheses.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The parentheses hold a query, not the arguments of a function.
    is_query: bool,
    is_union: bool,
    clause: Clause,
    /// It stands in a condition.
    is_condition: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    Select,
    From,
    /// And what follows it.
    Where,
}

fn places(sql: &str, arms: bool) -> Vec<Place<'_>> {
    let words = pieces(sql, Quotes::Standard).filter(|piece| !matches!(piece.kind, Kind::Blank | Kind::Comment));
    let words: Vec<Piece<'_>> = words.collect();
    let (closing, unions) = (closing(&words), unions(&words));
    let is_union = unions.contains(&usize::MAX);
    let mut parts = vec![Part { is_query: true, is_union, clause: Clause::Select, is_condition: false }];
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(part) = parts.last_mut() else { return found };
        if word.is_sign('(') {
            let is_condition = part.is_condition || part.clause == Clause::Where;
            let is_union = unions.contains(&at);
            parts.push(Part { is_query: false, is_union, clause: Clause::Select, is_condition });
            continue;
        }
        if word.is_sign(')') {
            parts.pop();
            continue;
        }
        if word.kind != Kind::Word {
            continue;
        }
        let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at));
        let follows = |back: usize, of: &str| before(back).is_some_and(|word| word.is_word(of));
        match word.source.to_ascii_lowercase().as_str() {
            "select" => (part.is_query, part.clause) = (true, Clause::Select),
            // Not that of `is distinct from`, nor that of a function's arguments.
            "from" if part.is_query && !follows(1, "distinct") => part.clause = Clause::From,
            "join" => part.clause = Clause::From,
            "where" | "on" | "having" => part.clause = Clause::Where,
            _ if part.is_condition || part.clause == Clause::Where => {}
            _ if before(1).is_some_and(|word| word.is_sign('.')) => {}
            _ => {
                let lateral = 1 + usize::from(follows(1, "lateral"));
                let stands = if part.clause != Clause::From {
                    Stands::Value
                } else if follows(lateral, "join") {
                    let outer = lateral + 1 + usize::from(follows(lateral + 1, "outer"));
                    if follows(outer, "left") { Stands::Joined } else { Stands::Rows }
                } else if follows(1, "from") && part.is_union && arms {
                    Stands::Arm
                } else if follows(lateral, "from") || before(lateral).is_some_and(|word| word.is_sign(',')) {
                    Stands::Rows
                } else {
                    Stands::Value
                };
                let is_call = words.get(at + 1).is_some_and(|next| next.is_sign('('));
                let is_relation = matches!(stands, Stands::Joined | Stands::Arm) && word.source.starts_with("pg_");
                let end = if is_call { closing.get(at + 1).copied().flatten() } else { is_relation.then_some(at) };
                let Some(end) = end else { continue };
                let has_alias = words.get(end + 1).is_some_and(|next| match next.kind {
                    Kind::Name(_) => true,
                    Kind::Word => !NO_ALIAS.iter().any(|word| next.is_word(word)),
                    _ => false,
                });
                let to = words.get(end).map_or(sql.len(), Piece::end);
                found.push(Place { name: word.source, from: word.at, to, is_call, stands, has_alias });
            }
        }
    }
    found
}

/// What may follow a relation that has no alias.
const NO_ALIAS: [&str; 14] = [
    "where", "on", "join", "left", "right", "full", "cross", "inner", "natural", "union", "order", "group", "limit",
    "using",
];

/// For each opening parenthesis the closing one.
fn closing(words: &[Piece<'_>]) -> Vec<Option<usize>> {
    let (mut closing, mut open) = (vec![None; words.len()], Vec::new());
    for (at, word) in words.iter().enumerate() {
        if word.is_sign('(') {
            open.push(at);
        } else if word.is_sign(')')
            && let Some(closed) = open.pop().and_then(|open| closing.get_mut(open))
        {
            *closed = Some(at);
        }
    }
    closing
}

/// The opening parentheses of those that hold a UNION at their own level; the outermost level is `usize::MAX`.
fn unions(words: &[Piece<'_>]) -> BTreeSet<usize> {
    let (mut unions, mut open) = (BTreeSet::new(), vec![usize::MAX]);
    for (at, word) in words.iter().enumerate() {
        if word.is_sign('(') {
            open.push(at);
        } else if word.is_sign(')') {
            open.pop();
        } else if word.is_word("union") {
            unions.extend(open.last().copied());
        }
    }
    unions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(name: &str, stand_in: Instead) -> (Denied, String) {
        (Denied { name: name.to_owned(), stand_in }, String::new())
    }

    #[test]
    fn what_is_denied_is_replaced_where_nothing_depends_on_it() {
        let denied = [
            denied("pg_a", Instead::Value("pg_lsn".to_owned())),
            denied("pg_row", Instead::Row("null::int8 as n".to_owned())),
            denied("pg_set", Instead::Nothing("null::int4 as n".to_owned())),
            denied("pg_view", Instead::Nothing("null::oid as oid".to_owned())),
        ];
        for (sql, left) in [
            ("select pg_a(f(1), ')') + 1", "select coalesce(null::pg_lsn) + 1"),
            ("select pg_a(pg_a(1)), x.pg_a", "select coalesce(null::pg_lsn), x.pg_a"),
            ("select case when pg_a() then 1 end from t", "select case when coalesce(null::pg_lsn) then 1 end from t"),
            ("select 1 from t where t.a = pg_a()", ""),
            ("select 1 from t where t.a in (select pg_a())", ""),
            ("select count(*) filter (where pg_a()) from t", ""),
            ("select 1 from t join u on u.a = pg_a()", ""),
            ("select 1 from pg_a() r", "select 1 from coalesce(null::pg_lsn) r"),
            ("select 1 from t, pg_row() k", "select 1 from t, (select null::int8 as n) k"),
            ("select 1 from pg_row()", "select 1 from (select null::int8 as n) pg_row"),
            (
                "select 1 from t left join lateral pg_set(t.a) s on true",
                "select 1 from t left join lateral (select null::int4 as n where false) s on true",
            ),
            ("select 1 from t, pg_set(t.a) s", ""),
            (
                "select 1 from t left join pg_view on a = b where c",
                "select 1 from t left join (select null::oid as oid where false) pg_view on a = b where c",
            ),
            ("select 1 from t join pg_view v on a = b", ""),
            ("select 1 from pg_view v", ""),
            ("select a is distinct from pg_a() from t", "select a is distinct from coalesce(null::pg_lsn) from t"),
            (
                "with e as (select 1 from t union all select 2 from pg_view v where v.a) select 1 from e",
                "with e as (select 1 from t union all select 2 from (select null::oid as oid where false) v where v.a) select 1 from e",
            ),
        ] {
            let (text, ..) = without(sql, &denied, true);
            assert_eq!(text, if left.is_empty() { sql } else { left });
        }
        let (text, gone, _) = without("select 1 from t union select 2 from pg_view", &denied, false);
        assert_eq!(
            (text.as_str(), gone.len()),
            ("select 1 from t union select 2 from pg_view", 0),
            "rows are compared"
        );
    }
}

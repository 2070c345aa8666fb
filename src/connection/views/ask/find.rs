//! Finds what a view fails for, so that something can stand in for it (`views/stand_ins.rs`).

use tokio::time::Instant;

use super::{Failure, ViewSession};
use crate::connection::error;
use crate::connection::error::sqlstate::DeniedKind;
use crate::connection::views::stand_ins::StandIns;
use crate::connection::views::stand_ins::denied::{Denied, Instead};
use crate::model::{ErrorKind, NodeConfig, NodeError, Role, View, quoted};

impl ViewSession {
    /// After an error of a view: true if there is something in it that does not work, and that it can do without.
    pub(super) async fn finds(
        &mut self,
        node: &NodeConfig,
        view: &View,
        role: Role,
        error: &NodeError,
    ) -> Result<bool, Failure> {
        let sql = self.statement(node, view, role, View::sql).await?;
        let mut found = error.kind == ErrorKind::Permission && self.finds_denied(node, view, &sql).await?;
        if view.extension.is_some() {
            return Ok(found);
        }
        for (probe, text) in self.stand_ins.probes(&sql, error, role) {
            match self.first(node, &text).await {
                Ok(_) => {}
                Err(Failure::Said(error)) => {
                    let why = self.why(view, error).await;
                    self.stand_ins.failed(probe, why, Instant::now());
                    found = true;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(found)
    }

    /// Asks the catalog which functions the role may not call, and each relation whether it can be read.
    async fn finds_denied(&mut self, node: &NodeConfig, view: &View, sql: &str) -> Result<bool, Failure> {
        let used = StandIns::used(view, sql);
        let mut found = false;
        let names = used.functions.iter().copied().collect::<Vec<_>>().join(",");
        let functions = match self.first(node, &functions(&names)).await {
            Ok(row) => row.and_then(|[lines, _]| lines).unwrap_or_default(),
            Err(Failure::Said(_)) => String::new(),
            Err(failure) => return Err(failure),
        };
        for denied in functions.lines().filter_map(function) {
            let message = format!("permission denied for function {}", denied.name);
            let hint = DeniedKind::Function.grant(&quoted(&denied.name), &quoted(&node.user));
            let why = self.why(view, NodeError::new(ErrorKind::Permission, message).with_hint(hint)).await;
            found |= self.stand_ins.denied(denied, why, Instant::now());
        }
        for name in used.relations {
            let why = match self.first(node, &format!("select * from pg_catalog.{name} limit 0")).await {
                Ok(_) => continue,
                Err(Failure::Said(error)) => self.why(view, error).await,
                Err(failure) => return Err(failure),
            };
            let columns = match self.first(node, &columns(name)).await {
                Ok(row) => row.and_then(|[columns, _]| columns),
                Err(Failure::Said(_)) => None,
                Err(failure) => return Err(failure),
            };
            if let Some(columns) = columns {
                let denied = Denied { name: name.to_owned(), stand_in: Instead::Nothing(columns) };
                found |= self.stand_ins.denied(denied, why, Instant::now());
            }
        }
        Ok(found)
    }

    async fn why(&mut self, view: &View, error: NodeError) -> String {
        let error = self.with_remedy(view, error::of_ours(error)).await;
        let hint = error.hint.map(|hint| format!(": {hint}")).unwrap_or_default();
        format!("{}{hint}", error.message)
    }
}

/// The statement for those of the functions that the role may not call, a line each: name, type, kind, list of NULLs.
fn functions(names: &str) -> String {
    format!(
        "select string_agg(concat_ws(e'\\t', name, type, kind, columns), e'\\n') from (select p.proname as name, \
         pg_catalog.format_type(min(p.prorettype), null) as type, \
         case when bool_or(p.proretset) then 's' when min(t.typtype) = 'p' then 'r' else 'v' end as kind, \
         coalesce(min((select string_agg(format('null::%s as %I', pg_catalog.format_type(a.type, null), a.name), ', ' order by at) \
           from unnest(p.proallargtypes, p.proargmodes, p.proargnames) with ordinality a(type, mode, name, at) \
           where a.mode in ('o', 'b', 't'))), \
           format('null::%s as %I', pg_catalog.format_type(min(p.prorettype), null), p.proname)) as columns \
         from pg_catalog.pg_proc p join pg_catalog.pg_type t on t.oid = p.prorettype \
         where p.proname = any('{{{names}}}') and p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace \
         and not pg_catalog.has_function_privilege(p.oid, 'execute') \
         and not exists (select from pg_catalog.pg_aggregate where aggfnoid = p.oid) \
         group by p.proname having min(p.prorettype) = max(p.prorettype)) f where type not like 'any%'"
    )
}

/// A line of the answer.
fn function(line: &str) -> Option<Denied> {
    let mut cells = line.split('\t').map(str::to_owned);
    let (name, of_type, kind, columns) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let stand_in = match kind.as_str() {
        "s" => Instead::Nothing(columns),
        "r" => Instead::Row(columns),
        _ => Instead::Value(of_type),
    };
    Some(Denied { name, stand_in })
}

/// The statement for the list of NULLs that has the columns of a relation. Before 12, `oid` is a hidden one.
fn columns(name: &str) -> String {
    format!(
        "select string_agg(format('null::%s as %I', pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname), ', ' \
         order by a.attnum) from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid \
         where a.attrelid = pg_catalog.to_regclass('pg_catalog.{name}') and (a.attnum > 0 or a.attname = 'oid') and not a.attisdropped \
         and t.typtype <> 'p'"
    )
}

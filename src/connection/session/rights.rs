//! What to do about a right that is missing, asked of the session that missed it: the role that counts is the current
//! one, which need not be the one that logged in, and what it has already, or what would not help, is no remedy.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::dial::Dialled;
use super::settings::{OWN_STATEMENT, SessionKind};
use crate::connection::error::sqlstate::{Denied, DeniedKind, named};
use crate::model::{NodeError, membership, quoted};

/// The statement that would help, for the error of a statement of ours or the user's. `rights` is the predefined role
/// that would be enough for it, where there is one. `None` if the server does not say who we are. Cancel-safe.
pub(crate) async fn remedy(
    client: &Client,
    dialled: &Dialled,
    error: &NodeError,
    rights: Option<&str>,
) -> Option<String> {
    let denied = Denied::of(&error.message);
    let question = question(denied, rights.unwrap_or_default());
    let message = dialled.message(SessionKind::Test, OWN_STATEMENT, &question);
    let messages = client.simple_query(&message).await.ok()?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })?;
    let cell = |at| row.try_get(at).ok().flatten();
    let role = cell(0)?;
    let version = cell(3).and_then(|version| version.parse().ok()).unwrap_or_default();
    let wanted = rights.zip(cell(1)).and_then(|(rights, held)| membership(rights, role, held, version));
    let role = quoted(role);
    Some(match (wanted, denied, cell(2)) {
        (Some(wanted), ..) => wanted,
        // It may read all of that name: the statement needed something else.
        (None, None, _) | (None, Some(_), Some("")) => named(&role),
        (None, Some(denied), Some(objects)) => denied.what.grant(objects, &role),
        (None, Some(denied), None) => denied.grant(&role),
    })
}

/// Who we are; whether we have the rights (`usage`), could take them on (`member`) or not (`none`), NULL where they do not
/// give what was denied; what was denied by its full name, NULL where several objects could be meant; and the version.
fn question(denied: Option<Denied<'_>>, rights: &str) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let objects = denied.and_then(|denied| {
        let name = literal(denied.name);
        match denied.what {
            // All of that name that are denied: which one was called is not known.
            DeniedKind::Function => Some(format!(
                "(select coalesce(string_agg(p.oid::regprocedure::text, ', '), '') from pg_catalog.pg_proc p \
                 where p.proname = {name} and not pg_catalog.has_function_privilege(p.oid, 'execute'))"
            )),
            DeniedKind::Relation => Some(format!(
                "(select case count(*) when 0 then '' when 1 then min(c.oid::regclass::text) end \
                 from pg_catalog.pg_class c where c.relname = {name} and c.relkind in ('r', 'v', 'm', 'f', 'p', 'S') \
                 and not pg_catalog.has_table_privilege(c.oid, 'select'))"
            )),
            DeniedKind::Schema => None,
        }
    });
    // Whether the rights give all that is denied of that name.
    let helps = denied.map_or("true".to_owned(), |Denied { what, name }| {
        let (of, named, right) = match what {
            DeniedKind::Function => ("pg_proc", "proname", "has_function_privilege(%o.oid, 'execute')"),
            DeniedKind::Relation => ("pg_class", "relname", "has_table_privilege(%o.oid, 'select')"),
            DeniedKind::Schema => ("pg_namespace", "nspname", "has_schema_privilege(%o.oid, 'usage')"),
        };
        let (ours, theirs) = (right.replace('%', ""), right.replace('%', "r.oid, "));
        format!(
            "(select coalesce(bool_and(pg_catalog.{theirs}), true) from pg_catalog.{of} o \
             where o.{named} = {} and not pg_catalog.{ours})",
            literal(name)
        )
    });
    format!(
        "select current_user, (select case when pg_catalog.pg_has_role(r.oid, 'usage') then 'usage' \
         when pg_catalog.pg_has_role(r.oid, 'member') then 'member' else 'none' end \
         from pg_catalog.pg_roles r where r.rolname = {} and {helps}), {}, \
         pg_catalog.current_setting('server_version_num')",
        literal(rights),
        objects.as_deref().unwrap_or("null")
    )
}

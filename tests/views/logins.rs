//! A trigger of the login (PostgreSQL 17 and newer) that does what a person has written without pgwatch in mind.

use pgwatch::demo::Cluster;
use pgwatch::model::protocol::QueryProgress;
use pgwatch::model::{BatchId, Command, EventKind, Role};

use crate::support::here::not_run;
use crate::support::watched::{Watched, blocking, name, query};
use crate::versions::installs;

/// It names a table without its schema, and writes: neither works in a session whose startup packet sets `search_path` or
/// `default_transaction_read_only`.
const TRIGGER: &str = "
create table logins (who text default session_user, at timestamptz default now(), isolation text, digits text);
grant insert on logins to public; grant usage on schema public to public;
create function note_login() returns event_trigger language plpgsql as $$ begin
  if not pg_is_in_recovery() then
    insert into logins (isolation, digits) values (current_setting('transaction_isolation'), current_setting('extra_float_digits'));
  end if;
end $$;
create event trigger note_login on login execute function note_login();
alter event trigger note_login enable always";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_trigger_that_writes_does_not_keep_us_out() {
    let installs = installs().into_iter().filter(|install| install.major() >= 17);
    let mut tried = false;
    for install in installs {
        tried = true;
        let major = install.major();
        let cluster = Cluster::builder().install(install).standbys(1).start().unwrap();
        let primary = cluster.primary();
        blocking(|| primary.psql(TRIGGER)).unwrap();
        let mut watched =
            Watched::healthy(cluster.servers().iter().map(pgwatch::demo::Server::node_config).collect()).await;
        for (server, role) in cluster.servers().iter().zip([Role::Primary, Role::Standby]) {
            let facts = watched.ever("figures", |event| match &event.kind {
                EventKind::Facts { node, facts } if node.as_str() == server.name() => Some(facts.clone()),
                _ => None,
            });
            assert_eq!(facts.await.unwrap().role, role, "PostgreSQL {major}");
        }
        watched.handle.send(Command::Run(query(1, "table logins", &[&name("primary")]))).await.unwrap();
        let rows = watched.ever("rows", |event| match &event.kind {
            EventKind::Query { batch: BatchId(1), progress: QueryProgress::NodeDone { outcome, .. } } => {
                Some(outcome.result.clone())
            }
            _ => None,
        });
        let rows = rows.await;
        // `logins` is not to be read by all, but the session is there.
        assert!(rows.is_err_and(|error| error.sqlstate.as_deref() == Some("42501")), "PostgreSQL {major}");
        watched.stop().await;
        let logins = blocking(|| primary.psql("select count(*) >= 3 from logins where who = 'pgwatch'")).unwrap();
        assert_eq!(logins, "t", "PostgreSQL {major}: probe, figures and a statement");
    }
    if !tried {
        not_run("a login trigger", "it needs PostgreSQL 17 (make test-versions)");
    }
}

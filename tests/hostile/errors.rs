//! What is said of each case, by the library half on its own.

use std::collections::HashMap;
use std::time::Duration;

use pgwatch::model::protocol::{QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Command, Event, EventKind, HealthState, NodeError, NodeName};

use crate::cases::{self, Case, QUERY, Running, STATEMENT};
use crate::dashboard;
use crate::support::fake::Stage;
use crate::support::report::{keep, table};
use crate::support::watched::{Watched, blocking};

/// The error that a case came to; `None` where all was well.
type Told = HashMap<String, Option<NodeError>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_has_a_kind_and_a_text() {
    let fakes = Running::start(small());
    let mut watched = Watched::start(fakes.iter().map(Running::node).collect());
    let mut told = Told::new();
    // Figures may come to their end while the statement runs.
    let lets_in = |case: &Case| case.is_asked() || case.stage() == Stage::Facts;
    listen(&mut watched, &mut told, |case| !lets_in(case)).await;
    let asked = small().filter(|case| case.is_asked());
    let request = QueryRequest {
        batch: BatchId(1),
        statement: STATEMENT.to_owned(),
        nodes: asked.map(|case| NodeName::parse(case.name).unwrap()).collect(),
        timeout: QUERY,
        max_rows: 1_000,
        max_bytes: QueryRequest::MAX_BYTES,
    };
    watched.handle.send(Command::Run(request)).await.unwrap();
    listen(&mut watched, &mut told, lets_in).await;
    let mut faults: Vec<String> = small().filter_map(|case| fault(case, told[case.name].as_ref())).collect();
    // A node of which only figures or an answer were odd was never called down for it.
    for case in small().filter(|case| !case.is_down()) {
        let states = watched.states(&NodeName::parse(case.name).unwrap(), 0);
        if states.contains(&HealthState::Unhealthy) {
            faults.push(format!("{}: {states:?}", case.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    watched.stop().await;
    drop(fakes);
    if std::env::var_os("PGWATCH_BLESS").is_some() {
        blocking(|| bless(&told));
    }
}

/// All but the large results: those are measured alone.
fn small() -> impl Iterator<Item = &'static Case> {
    cases::all().iter().filter(|case| !case.is_large)
}

/// Listens until each of these cases came to its end.
async fn listen(watched: &mut Watched, told: &mut Told, of: impl Fn(&Case) -> bool) {
    let wanted: Vec<&Case> = small().filter(|case| of(case)).collect();
    watched
        .until("each came to its end", |event| {
            take(told, event);
            wanted.iter().all(|case| told.contains_key(case.name)).then_some(())
        })
        .await;
}

/// What an event says of the case that its node is.
fn take(told: &mut Told, event: &Event) {
    let find = |node: &NodeName| cases::all().iter().find(|case| case.name == node.as_str());
    match &event.kind {
        EventKind::Health { node, health, .. } if health.state == HealthState::Unhealthy => {
            told.entry(node.to_string()).or_insert(health.error.clone());
        }
        EventKind::Health { node, health, .. }
            if health.state.answers() && find(node).is_some_and(|case| case.kind == "ok") =>
        {
            told.entry(node.to_string()).or_insert(None);
        }
        EventKind::Facts { node, facts: Err(error) } if find(node).is_some_and(|case| case.stage() == Stage::Facts) => {
            told.entry(node.to_string()).or_insert(Some(error.clone()));
        }
        EventKind::Query { progress: QueryProgress::NodeDone { node, outcome }, .. } => {
            told.insert(node.to_string(), outcome.result.as_ref().err().cloned());
        }
        _ => {}
    }
}

/// What is not as the table says.
fn fault(case: &Case, error: Option<&NodeError>) -> Option<String> {
    let Some(error) = error else { return (case.kind != "ok").then(|| format!("{}: all was well", case.name)) };
    let kind = error.kind.as_str();
    // Few words for people, no control characters of a server's, and never a password.
    let fits = error.message.chars().count() < 4_200 && !error.message.contains("secret");
    let is_right = kind == case.kind && error.message.contains(case.says) && fits;
    let message: String = error.message.chars().take(300).collect();
    (!is_right).then(|| format!("{}: {kind}: {message}; not {}: {}", case.name, case.kind, case.says))
}

/// Dashboards that are measured at the same time; most of them wait.
const AT_ONCE: usize = 6;

/// Writes the table of cases, with what each costs a dashboard that watches nothing else.
fn bless(told: &Told) {
    let cases = cases::all();
    let costs: Vec<f64> = std::thread::scope(|scope| {
        let measure = |cases: &'static [Case]| move || cases.iter().map(dashboard::costs).collect::<Vec<_>>();
        let chunks = cases.chunks(cases.len().div_ceil(AT_ONCE));
        let threads: Vec<_> = chunks.map(|cases| scope.spawn(measure(cases))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let honest = cases.iter().position(|case| case.name == "tls-honest").map_or(0.0, |at| costs[at]);
    let rows: Vec<[String; 4]> = cases
        .iter()
        .zip(costs)
        .map(|(case, cost)| {
            let name = case.name.replace('-', " ");
            let memory = format!("{:.0} MB", (cost - honest).max(0.0));
            [name, case.kind.to_owned(), words(case, told), memory]
        })
        .collect();
    let text = format!(
        "`PGWATCH_BLESS=1 cargo test --test hostile`: {} servers, each in a dashboard of its own; memory is the most it \
         took beyond that of an honest server.\n\n{}",
        cases.len(),
        table(&["case", "kind", "what is said", "memory"], rows.iter().map(<[String; 4]>::as_slice))
    );
    keep("docs/reliability.md", "hostile", &text);
}

/// What is said of a case, in a line of a page that is the same after each run: without the port, and not at length.
fn words(case: &Case, told: &Told) -> String {
    let Some(error) = told.get(case.name).and_then(Option::as_ref) else {
        return if case.is_large { "as much of it as is kept" } else { "nothing" }.to_owned();
    };
    let short: String = error.message.chars().take(120).collect();
    let word = |word: &str| match word.strip_prefix("127.0.0.1:") {
        Some(port) => format!("HOST:PORT{}", port.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => word.to_owned(),
    };
    short.split_whitespace().map(word).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// How long a case may take to come to its end.
pub const END: Duration = Duration::from_secs(40);

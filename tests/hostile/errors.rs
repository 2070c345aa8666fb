//! The error of each case, in the library half alone.

use std::collections::HashMap;
use std::time::Duration;

use pgwatch::model::protocol::{QueryProgress, QueryRequest};
use pgwatch::model::{BatchId, Command, Event, EventKind, HealthState, NodeError, NodeName};

use crate::cases::{self, Case, QUERY, Running, STATEMENT};
use crate::dashboard;
use crate::support::fake::Stage;
use crate::support::report::{keep, table};
use crate::support::watched::{Watched, blocking};

/// The error with which a case ended; `None` if it succeeded.
type Told = HashMap<String, Option<NodeError>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_case_has_a_kind_and_a_text() {
    let fakes = Running::start(small());
    let mut watched = Watched::start(fakes.iter().map(Running::node).collect());
    let mut told = Told::new();
    // The facts may end while the statement runs.
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
    // A node with wrong facts or a wrong answer must never have been unhealthy.
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

/// All cases but the large results, which are measured alone.
fn small() -> impl Iterator<Item = &'static Case> {
    cases::all().iter().filter(|case| !case.is_large)
}

/// Reads events until each of these cases has ended.
async fn listen(watched: &mut Watched, told: &mut Told, of: impl Fn(&Case) -> bool) {
    let wanted: Vec<&Case> = small().filter(|case| of(case)).collect();
    watched
        .until("each came to its end", |event| {
            take(told, event);
            wanted.iter().all(|case| told.contains_key(case.name)).then_some(())
        })
        .await;
}

/// What an event says about the case of its node.
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

/// What differs from the table.
fn fault(case: &Case, error: Option<&NodeError>) -> Option<String> {
    let Some(error) = error else { return (case.kind != "ok").then(|| format!("{}: all was well", case.name)) };
    let kind = error.kind.as_str();
    // Short for people, without the server's control characters, and never with a password.
    let fits = error.message.chars().count() < 4_200 && !error.message.contains("secret");
    let is_right = kind == case.kind && error.message.contains(case.says) && fits;
    let message: String = error.message.chars().take(300).collect();
    (!is_right).then(|| format!("{}: {kind}: {message}; not {}: {}", case.name, case.kind, case.says))
}

/// How many dashboards are measured at the same time; most of them wait.
const AT_ONCE: usize = 6;

/// Writes the table of cases, with the cost of each for a dashboard that watches nothing else.
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

/// The error of a case in a line that is the same after each run: without the port, and cut.
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

/// How long a case may take until it has ended.
pub const END: Duration = Duration::from_secs(40);

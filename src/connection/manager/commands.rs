//! Requests and commands: the actor carries out or refuses each at once; what takes time runs in a task that reports
//! back.

use std::time::Duration;

use std::sync::Arc;

use super::Actor;
use super::node::NodeRecord;
use crate::connection::handle::{Reply, Request};
use crate::connection::report::Report;
use crate::connection::session::endpoint::Endpoint;
use crate::connection::session::{self, SessionKind};
use crate::model::protocol::{CommandError, Tested, TextRequest};
use crate::model::{Command, ErrorKind, EventKind, NodeConfig, NodeError, NodeName};

/// How many connection tests may run at the same time.
const TESTS: usize = 16;

impl Actor {
    pub(super) fn request(&mut self, request: Request) {
        match request {
            Request::Command(command, answer) => self.command(command, answer),
            Request::Snapshot(answer) => drop(answer.send(self.nodes.values().map(NodeRecord::snapshot).collect())),
            Request::Shutdown(drain, answer) => self.leave(drain, Some(answer)),
        }
    }

    fn command(&mut self, command: Command, answer: Reply) {
        let subject = subject(&command);
        let done = match command {
            Command::Shutdown { drain } => {
                self.leave(drain, None);
                Ok(())
            }
            Command::CancelBatch(batch) => {
                self.cancel(batch);
                Ok(())
            }
            _ if self.leaving.is_some() => Err(CommandError::ShuttingDown),
            Command::AddNode(node) => self.add(*node, Duration::ZERO),
            Command::EditNode(node) => self.edit(*node),
            Command::RemoveNode(name) => match self.remove(&name, answer) {
                // The answer comes when the node is gone.
                None => return,
                Some(answer) => return self.answer(subject, answer, Err(CommandError::NoSuchNode(name))),
            },
            Command::Pause(name) => self.pause(&name),
            Command::Resume(name) => self.resume(&name),
            Command::Retry(name) => self.node(&name).map(|node| {
                if let Some(crew) = &node.crew {
                    crew.retry_now();
                }
            }),
            Command::SetRefresh(every) => {
                self.refresh.send_replace(every);
                Ok(())
            }
            Command::Reload(nodes) => {
                self.reload(nodes);
                Ok(())
            }
            Command::Test { id, node } => {
                self.test(id, node);
                Ok(())
            }
            Command::Run(request) => self.start_batch(request),
            Command::Look(looks) => {
                self.looks.send_modify(|now| now.looks = looks.into());
                Ok(())
            }
            Command::Text(request) => {
                self.fetch(request);
                Ok(())
            }
            Command::LookNow => {
                self.looks.send_modify(|now| now.asked += 1);
                Ok(())
            }
        };
        self.answer(subject, answer, done);
    }

    fn answer(&mut self, node: Option<NodeName>, answer: Reply, done: Result<(), CommandError>) {
        if let Err(error) = &done {
            self.emit(EventKind::Refused { node, error: error.clone() });
        }
        if let Some(answer) = answer {
            drop(answer.send(done));
        }
    }

    /// Each request has its answer: the viewer's, or the reason why there is none.
    fn fetch(&mut self, request: TextRequest) {
        let (node, id) = (request.node.clone(), request.id);
        let crew = self.nodes.get(&node).and_then(|node| node.crew.as_ref());
        let error = match crew {
            Some(crew) if crew.fetch(request) => return,
            Some(_) => NodeError::new(ErrorKind::Busy, format!("{node} has not sent the last texts yet")),
            None => NodeError::new(ErrorKind::NotConnected, format!("{node} is not connected")),
        };
        self.emit(EventKind::Text { node, id, outcome: Err(error) });
    }

    fn test(&mut self, id: u64, node: Box<NodeConfig>) {
        if self.testing >= TESTS {
            let error = NodeError::new(ErrorKind::Busy, format!("{TESTS} connection tests are running"));
            return self
                .emit(EventKind::Tested { id, outcome: Err(error.with_hint("wait for one of them to finish")) });
        }
        self.testing += 1;
        let reports = self.reports.clone();
        let node = Endpoint::new(Arc::new(*node), self.tunnels.clone());
        node.tunnels().retry_now(&node);
        let test = async move {
            let outcome = match session::open_to(&node, SessionKind::Test).await {
                Ok(session) => {
                    let tested = Tested {
                        server_version: session.server_version.clone(),
                        role: session.role,
                        connect_time: session.connect_time,
                    };
                    session.close(session::GOODBYE).await;
                    Ok(tested)
                }
                Err(error) => Err(error),
            };
            drop(reports.send(Report::Tested(id, outcome)).await);
        };
        let quit = self.quit.clone();
        self.tasks.spawn(async move {
            quit.run_until_cancelled(Box::pin(test)).await;
        });
    }
}

/// The node that a command is about, which the event about a refusal names.
fn subject(command: &Command) -> Option<NodeName> {
    match command {
        Command::AddNode(node) | Command::EditNode(node) => Some(node.name.clone()),
        Command::RemoveNode(name) | Command::Pause(name) | Command::Resume(name) | Command::Retry(name) => {
            Some(name.clone())
        }
        _ => None,
    }
}

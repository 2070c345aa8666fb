//! A fleet that is watched for alerts, without a screen: the connection manager, the rules, and what they found so far.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgwatch::config::{alerts, views};
use pgwatch::fleet::Fleet;
use pgwatch::model::protocol::Look;
use pgwatch::model::{Command, NodeConfig, Rule, Thresholds};
use tokio::time::{Instant, timeout};

use super::watched::Watched;

const REFRESH: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);

/// Our rule of this name with some of its text replaced, such as a limit that no test waits for.
pub fn ours_with(name: &str, replaced: &[(&str, &str)]) -> String {
    let (_, text) = alerts::our_files().iter().find(|(file, _)| *file == name).expect("a rule of ours");
    replaced.iter().fold((*text).to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{name} has no {from}");
        text.replace(from, to)
    })
}

/// The same as a rule, asked each second.
pub fn quick(name: &str, replaced: &[(&str, &str)]) -> Arc<Rule> {
    let rule = alerts::from_text(name, &ours_with(name, replaced), name, views::ours()).unwrap().unwrap();
    Arc::new(Rule { every: Duration::from_secs(1), ..rule })
}

/// A watched fleet, and every alert so far: node, rule, severity and message.
pub struct Judged {
    watched: Watched,
    fleet: Fleet,
    pub fired: Vec<[String; 4]>,
}

impl Judged {
    pub async fn start(nodes: Vec<NodeConfig>, rules: Vec<Arc<Rule>>) -> Self {
        let watched = Watched::start(nodes.clone());
        let mut fleet = Fleet::new(nodes, REFRESH, Thresholds::default(), SystemTime::now());
        fleet.take_rules(views::ours().clone(), rules);
        let look = |(view, every): (&Arc<_>, Duration)| Look { view: Arc::clone(view), nodes: None, pace: Some(every) };
        let looks = fleet.alerts().asked().map(look).collect();
        watched.handle.send(Command::Look(looks)).await.unwrap();
        Self { watched, fleet, fired: Vec::new() }
    }

    /// Takes in what happens until `enough` says so, at most for this time. Returns whether it was enough.
    pub async fn watch(&mut self, time: Duration, mut enough: impl FnMut(&Self) -> bool) -> bool {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if let Ok(Some(event)) = timeout(LOOK, self.watched.events.recv()).await {
                self.fleet.apply(&event);
            }
            self.fleet.advance(SystemTime::now());
            for held in self.fleet.alerts().fired() {
                let alert = &held.alert;
                let (node, rule, message) = (&alert.node, &alert.rule.name, &alert.finding.message);
                let known = |fired: &[String; 4]| fired[0] == node.as_str() && fired[1] == *rule;
                let severity = alert.finding.severity.as_str();
                let key = format!("{severity} {}", alert.finding.key);
                if !self.fired.iter().any(|fired| known(fired) && fired[2] == key) {
                    self.fired.push([node.to_string(), rule.clone(), key, message.clone()]);
                }
            }
            if enough(self) {
                return true;
            }
        }
        false
    }

    /// Fails the test unless this rule finds something on this node. Returns the message.
    pub async fn until(&mut self, time: Duration, node: &str, rule: &str) -> String {
        let found = |of: &Self| of.fired.iter().find(|[on, by, ..]| on == node && by == rule).map(|of| of[3].clone());
        let seen = self.watch(time, |of| found(of).is_some()).await;
        assert!(seen, "{rule} found nothing on {node}; {:?}", self.fired);
        found(self).unwrap_or_default()
    }

    /// True if every node answers.
    pub fn is_healthy(&self) -> bool {
        self.fleet.now().nodes.iter().all(|node| node.health.state.answers())
    }

    pub async fn stop(self) {
        self.watched.stop().await;
    }
}

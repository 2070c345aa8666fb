//! What nodes answered to views: the newest answer of each, with the rates since an earlier one, and the recent
//! values of its figures. Answers of servers become readings only here; `model/view/rates.rs` computes the rates
//! against the earlier answer that is chosen here.
//!
//! An answer is kept if a screen has shown its view ([`Fleet::follow`](super::Fleet::follow)), or if a rule needs rates
//! or the answers of all nodes together. Other answers are read once and dropped: on many nodes they would take more
//! memory than everything else.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::measure::Place;
use super::series::{Past, Series};
use crate::model::protocol::ViewRows;
use crate::model::view::{Moment, Reading};
use crate::model::{ErrorKind, NodeError, NodeName, View};

/// The span over which a rule takes rates, so that a short burst raises no alert.
const RULE_SPAN: Duration = Duration::from_secs(10);

/// How often answers come, and over which span the rates of a table are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) refresh: Duration,
    pub(super) span: Duration,
}

/// What all nodes answered, by the name of the view. A copy shares what each node answered until one of the two
/// changes.
#[derive(Debug, Clone, Default)]
pub struct Readings(HashMap<String, ViewReadings>);

/// What all nodes answered to one view.
#[derive(Debug, Clone)]
pub struct ViewReadings {
    /// The view.
    pub view: Arc<View>,
    /// True once a screen has shown the view.
    followed: bool,
    /// True if a rule needs the answers of all nodes together.
    compared: bool,
    /// True if a rule needs rates.
    rule_rates: bool,
    /// The longest time between two answers that the rules ask for.
    every: Duration,
    nodes: IndexMap<NodeName, Arc<NodeReadings>>,
}

/// What one node answered to one view.
#[derive(Debug, Clone, Default)]
pub struct NodeReadings {
    newest: Option<Arc<Reading>>,
    /// Why the last query failed; `None` if it succeeded.
    error: Option<NodeError>,
    /// True if the node has refused the view since its newest answer.
    refused: bool,
    /// The answers that rates are taken against, oldest first.
    earlier: VecDeque<Arc<Reading>>,
    past: Past,
}

impl Readings {
    /// What the nodes answered to a view; `None` if its answers are not kept.
    pub fn of(&self, view: &str) -> Option<&ViewReadings> {
        self.0.get(view)
    }

    /// Keeps what nodes answer to this view from now on.
    pub(super) fn follow(&mut self, view: &Arc<View>) {
        self.entry(view).followed = true;
    }

    /// The rules were read. `needs` has, for each view that a rule is about: whether a rule compares its answers, whether
    /// one needs rates, and how often it asks.
    pub(super) fn take_needs<'a>(&mut self, needs: impl Iterator<Item = (&'a Arc<View>, bool, bool, Duration)>) {
        for of in self.0.values_mut() {
            (of.compared, of.rule_rates, of.every) = (false, false, Duration::ZERO);
        }
        for (view, compared, rates, every) in needs.filter(|(_, compared, rates, _)| *compared || *rates) {
            let of = self.entry(view);
            of.compared |= compared;
            of.rule_rates |= rates;
            of.every = of.every.max(every);
        }
        self.0.retain(|_, of| of.is_kept());
    }

    /// The views were read. What nodes answered to a view that changed is dropped.
    pub(super) fn take_views(&mut self, views: &IndexMap<String, Arc<View>>) {
        self.0.retain(|name, of| views.get(name).is_some_and(|view| **view == *of.view));
        for (name, of) in &mut self.0 {
            if let Some(view) = views.get(name) {
                of.view = Arc::clone(view);
            }
        }
    }

    /// Drops what a removed node answered.
    pub(super) fn forget(&mut self, node: &NodeName) {
        for of in self.0.values_mut() {
            of.nodes.shift_remove(node);
        }
    }

    /// Takes in that a node was connected to anew: another server may answer at its address now, so that no rate is taken
    /// against earlier answers.
    pub(super) fn connected(&mut self, node: &NodeName) {
        for of in self.0.values_mut() {
            if let Some(node) = of.nodes.get_mut(node).filter(|node| !node.earlier.is_empty()) {
                Arc::make_mut(node).earlier.clear();
            }
        }
    }

    /// Nobody watched a node for a while, or any of them: rates begin again, and series have a gap.
    pub(super) fn skip(&mut self, only: Option<&NodeName>) {
        for (name, of) in self.0.values_mut().flat_map(|of| &mut of.nodes) {
            if only.is_none_or(|only| only == name) {
                Arc::make_mut(of).skip();
            }
        }
    }

    /// Takes in a node's answer to a view, or its error. Returns the answer with the rates that rules use.
    pub(super) fn take(
        &mut self,
        at: Moment,
        node: &NodeName,
        view: &Arc<View>,
        outcome: &Result<Arc<ViewRows>, NodeError>,
        pace: Pace,
        here: &Place<'_>,
    ) -> Option<Arc<Reading>> {
        let Some(of) = self.0.get_mut(&view.name).filter(|of| of.is_kept()) else {
            let rows = outcome.as_ref().ok()?;
            return Some(Arc::new(read(view, at, rows, None, here)));
        };
        let node = Arc::make_mut(of.nodes.entry(node.clone()).or_default());
        match outcome {
            Ok(rows) => {
                // A node may be late, but not as late as that: it was not asked meanwhile.
                let longest = of.view.fresh_for(pace.refresh).max(of.every.max(pace.span) * 3);
                if node.newest.as_ref().is_some_and(|newest| newest.age(at.ours) > longest) {
                    node.skip();
                }
                Some(node.answered(at, &of.view, (of.followed, of.rule_rates), rows, pace.span, here))
            }
            Err(error) => {
                node.refused |= error.kind == ErrorKind::Sql && error.is_lasting();
                node.error = Some(error.clone());
                None
            }
        }
    }

    fn entry(&mut self, view: &Arc<View>) -> &mut ViewReadings {
        self.0.entry(view.name.clone()).or_insert_with(|| ViewReadings {
            view: Arc::clone(view),
            followed: false,
            compared: false,
            rule_rates: false,
            every: Duration::ZERO,
            nodes: IndexMap::new(),
        })
    }
}

impl ViewReadings {
    fn is_kept(&self) -> bool {
        self.followed || self.compared || self.rule_rates
    }

    /// What each node answered, in the order of their first answers.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, &NodeReadings)> {
        self.nodes.iter().map(|(name, node)| (name, &**node))
    }

    /// What one node answered; `None` before its first answer.
    pub fn node(&self, node: &NodeName) -> Option<&NodeReadings> {
        self.nodes.get(node).map(AsRef::as_ref)
    }

    /// The recent values of a figure of a row; `None` where they are not kept.
    pub fn series(&self, node: &NodeName, key: &str, column: usize) -> Option<&Series> {
        self.node(node)?.past.of(key, column)
    }
}

impl NodeReadings {
    /// The newest answer, even if a later query failed.
    pub fn newest(&self) -> Option<&Arc<Reading>> {
        self.newest.as_ref()
    }

    /// Why the last query failed; `None` if it succeeded.
    pub fn error(&self) -> Option<&NodeError> {
        self.error.as_ref()
    }

    /// The outcome of the last query; `None` before the first answer.
    pub fn last(&self) -> Option<Result<&Reading, &NodeError>> {
        match (&self.error, &self.newest) {
            (Some(error), _) => Some(Err(error)),
            (None, Some(reading)) => Some(Ok(reading)),
            (None, None) => None,
        }
    }

    /// The newest answer, unless the node has since refused the view, for example after a promotion.
    pub fn valid(&self) -> Option<&Reading> {
        self.newest.as_deref().filter(|_| !self.refused)
    }

    fn skip(&mut self) {
        self.earlier.clear();
        self.past.skip();
    }

    fn answered(
        &mut self,
        at: Moment,
        view: &View,
        (followed, rule_rates): (bool, bool),
        rows: &Arc<ViewRows>,
        span: Duration,
        here: &Place<'_>,
    ) -> Arc<Reading> {
        let longest = if rule_rates { RULE_SPAN.max(span) } else { span };
        let age = |earlier: &Reading| earlier.age(at.ours);
        while self.earlier.get(1).is_some_and(|earlier| age(earlier) >= longest) {
            self.earlier.pop_front();
        }
        // The newest answer that is old enough, else the oldest one.
        let base = |span: Duration| {
            let old = self.earlier.iter().rev().find(|earlier| age(earlier) >= span);
            old.or_else(|| self.earlier.front())
        };
        let (of_table, of_rule) = (base(span), base(RULE_SPAN));
        let read = |base: Option<&Arc<Reading>>| read(view, at, rows, base.map(AsRef::as_ref), here);
        let newest = Arc::new(read(of_table));
        let same = of_table.map(Arc::as_ptr) == of_rule.map(Arc::as_ptr);
        let for_rules = if !rule_rates || same { Arc::clone(&newest) } else { Arc::new(read(of_rule)) };
        if followed {
            self.past.add(view, &newest);
        }
        if view.has_rates() {
            self.earlier.push_back(Arc::clone(&newest));
        }
        self.newest = Some(newest);
        self.error = None;
        self.refused = false;
        for_rules
    }
}

/// The reading of an answer, with what is known of the node's place in its cluster.
fn read(view: &View, at: Moment, rows: &Arc<ViewRows>, base: Option<&Reading>, here: &Place<'_>) -> Reading {
    let mut reading = Reading::new(view, at, Arc::clone(rows), base);
    if view.has_positions() {
        reading.locate(view, here);
    }
    reading
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::config::views;
    use crate::model::rates::TABLE_SPAN;
    use crate::model::view::Value;
    use crate::model::{Column, RowSet};

    const PACE: Pace = Pace { refresh: Duration::from_secs(2), span: TABLE_SPAN };

    fn at(second: u64) -> Moment {
        Moment::same(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
    }

    /// An answer to the view `receivers` with this many conflicts.
    fn receivers(view: &View, conflicts: u64) -> Arc<ViewRows> {
        let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
        let mut rows = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
        let count = conflicts.to_string();
        rows.push(view.asked().map(|asked| (asked.name == "conflicts").then_some(count.as_str())));
        Arc::new(ViewRows { rows, ..ViewRows::default() })
    }

    fn newest<'a>(readings: &'a Readings, node: &NodeName) -> Option<&'a Arc<Reading>> {
        readings.of("receivers")?.node(node)?.newest()
    }

    #[test]
    fn a_table_takes_rates_over_three_seconds_and_a_rule_over_ten() {
        let view = Arc::clone(&views::ours()["receivers"]);
        let rate = view.column("conflicts_rate").unwrap();
        let node = NodeName::parse("a").unwrap();
        let mut readings = Readings::default();
        readings.follow(&view);
        readings.take_needs([(&view, false, true, Duration::ZERO)].into_iter());
        let value = |reading: &Reading| match reading.value(&view, 0, rate) {
            Value::Rate(rate) => Some(rate),
            _ => None,
        };
        // (second, counter, rate over the table's span, rate over the rules' span)
        let steps = [
            (0, 0, None, None),
            (2, 20, Some(10.0), Some(10.0)),
            (4, 40, Some(10.0), Some(10.0)),
            (6, 40, Some(5.0), Some(40.0 / 6.0)),
            (8, 40, Some(0.0), Some(5.0)),
            (10, 40, Some(0.0), Some(4.0)),
            (12, 40, Some(0.0), Some(2.0)),
            (14, 40, Some(0.0), Some(0.0)),
        ];
        for (second, counter, of_table, of_rule) in steps {
            let outcome = Ok(receivers(&view, counter));
            let for_rules = readings.take(at(second), &node, &view, &outcome, PACE, &Place::unknown()).unwrap();
            let newest = newest(&readings, &node).unwrap();
            assert_eq!((value(newest), value(&for_rules)), (of_table, of_rule), "at {second} s");
        }
        assert!(readings.of("receivers").unwrap().node(&node).unwrap().earlier.len() <= 7);
    }

    /// `pgwatch view --interval` asks for the span. A node that answered several times before counts from its last answer.
    #[test]
    fn a_table_takes_rates_over_the_span_that_is_asked_for() {
        let view = Arc::clone(&views::ours()["receivers"]);
        let rate = view.column("conflicts_rate").unwrap();
        let node = NodeName::parse("a").unwrap();
        for (span, expected) in [(1, 100.0), (3, 34.0), (6, 17.0)] {
            let mut readings = Readings::default();
            readings.follow(&view);
            for (second, counter) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 2), (6, 102)] {
                let pace = Pace { span: Duration::from_secs(span), ..PACE };
                readings.take(at(second), &node, &view, &Ok(receivers(&view, counter)), pace, &Place::unknown());
            }
            let value = newest(&readings, &node).unwrap().value(&view, 0, rate).number().unwrap();
            assert!((value - expected).abs() < 1.0, "over {span} s: {value}");
        }
    }

    /// Nobody looked at the view for a while, the node was paused, or nobody watched at all.
    #[test]
    fn a_rate_is_not_taken_across_a_time_in_which_nobody_asked() {
        let view = Arc::clone(&views::ours()["receivers"]);
        let rate = view.column("conflicts_rate").unwrap();
        let node = NodeName::parse("a").unwrap();
        let value = |readings: &Readings| newest(readings, &node).unwrap().value(&view, 0, rate).number();
        let take = |readings: &mut Readings, second: u64, conflicts: u64| {
            readings.take(at(second), &node, &view, &Ok(receivers(&view, conflicts)), PACE, &Place::unknown());
        };
        let mut readings = Readings::default();
        readings.follow(&view);
        take(&mut readings, 0, 10);
        take(&mut readings, 2, 12);
        assert_eq!(value(&readings), Some(1.0));
        take(&mut readings, 3600, 4000);
        assert_eq!(value(&readings), None, "an hour later");
        take(&mut readings, 3602, 4002);
        assert_eq!(value(&readings), Some(1.0));
        readings.skip(Some(&NodeName::parse("b").unwrap()));
        take(&mut readings, 3604, 4004);
        assert_eq!(value(&readings), Some(1.0), "another node");
        readings.skip(Some(&node));
        take(&mut readings, 3606, 5000);
        assert_eq!(value(&readings), None, "the node was paused");
        // A rule asks rarely, and its rate counts from the answer before.
        readings.take_needs([(&view, false, true, Duration::from_mins(5))].into_iter());
        take(&mut readings, 3906, 5300);
        assert_eq!(value(&readings), Some(1.0));
    }

    #[test]
    fn a_value_tells_how_long_it_has_been_the_same() {
        let view = Arc::clone(&views::ours()["senders"]);
        let length = view.column("reply_age_ms").unwrap();
        let node = NodeName::parse("a").unwrap();
        let mut readings = Readings::default();
        readings.follow(&view);
        // When, the receiver's own clock at its last reply, and how long it has been silent in ms.
        let steps = [
            (0, "7000.5", None),
            (2, "7000.5", Some(2000.0)),
            (4, "7000.5", Some(4000.0)),
            (6, "7000.5", Some(6000.0)),
            (8, "3.25", Some(0.0)),
            (14, "3.25", Some(6000.0)),
        ];
        for (second, reply, expected) in steps {
            let column = |name: &str| Column { name: name.to_owned(), type_name: String::new() };
            let mut rows = RowSet::new(view.asked().map(|asked| column(&asked.name)).collect());
            rows.push(view.asked().map(|asked| (asked.name == "reply_clock").then_some(reply)));
            let outcome = Ok(Arc::new(ViewRows { rows, ..ViewRows::default() }));
            let reading = readings.take(at(second), &node, &view, &outcome, PACE, &Place::unknown()).unwrap();
            assert_eq!(reading.value(&view, 0, length).number(), expected, "at {second} s");
        }
    }

    #[test]
    fn no_rate_is_taken_over_a_new_connection() {
        let view = Arc::clone(&views::ours()["receivers"]);
        let rate = view.column("conflicts_rate").unwrap();
        let node = NodeName::parse("a").unwrap();
        let mut readings = Readings::default();
        readings.follow(&view);
        let answer = |readings: &mut Readings, second: u64, conflicts: u64| {
            readings.take(at(second), &node, &view, &Ok(receivers(&view, conflicts)), PACE, &Place::unknown());
            newest(readings, &node).unwrap().value(&view, 0, rate).number()
        };
        assert_eq!(answer(&mut readings, 0, 10), None);
        assert_eq!(answer(&mut readings, 4, 14), Some(1.0));
        // The address belongs to another server now, which has counted more.
        readings.connected(&node);
        assert_eq!(answer(&mut readings, 8, 5000), None);
        assert_eq!(answer(&mut readings, 12, 5004), Some(1.0));
    }

    #[test]
    fn a_refusal_holds_until_the_node_answers_again() {
        let view = Arc::clone(&views::ours()["receivers"]);
        let node = NodeName::parse("a").unwrap();
        let mut readings = Readings::default();
        readings.follow(&view);
        let fails = |kind| Err(NodeError::new(kind, "no answer"));
        let outcomes = [
            (Ok(receivers(&view, 1)), true),
            (fails(ErrorKind::Timeout), true),
            (fails(ErrorKind::Sql), false),
            (fails(ErrorKind::Timeout), false),
            (Ok(receivers(&view, 1)), true),
        ];
        for (second, (outcome, valid)) in (0..).zip(outcomes) {
            readings.take(at(second), &node, &view, &outcome, PACE, &Place::unknown());
            assert_eq!(
                readings.of("receivers").unwrap().node(&node).unwrap().valid().is_some(),
                valid,
                "at {second} s"
            );
        }
    }

    #[test]
    fn an_answer_that_is_not_needed_again_is_not_kept() {
        let view = Arc::clone(&views::ours()["receivers"]);
        let node = NodeName::parse("a").unwrap();
        let mut readings = Readings::default();
        assert!(readings.take(at(0), &node, &view, &Ok(receivers(&view, 1)), PACE, &Place::unknown()).is_some());
        assert!(readings.of("receivers").is_none());
        readings.follow(&view);
        assert!(readings.take(at(1), &node, &view, &Ok(receivers(&view, 1)), PACE, &Place::unknown()).is_some());
        assert!(newest(&readings, &node).is_some());
        readings.forget(&node);
        assert!(newest(&readings, &node).is_none());
    }
}

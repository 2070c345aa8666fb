//! Which view of a node is asked for next, and when. Pure: time is an argument.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::schedule::backoff::{self, INCURABLE};
use crate::connection::schedule::phase::FASTEST;
use crate::model::protocol::{Look, ViewRows};
use crate::model::{NodeError, NodeName, View};

/// Most views that one node is asked for at the same time, each over a session of its own.
const AT_ONCE: usize = 3;
/// An answer that takes longer than this no longer keeps other views waiting.
const LATE: Duration = Duration::from_millis(250);
/// Pause after each answer, as a multiple of the time that the answer took.
const REST: u32 = 4;

/// The views that screens show and rules need.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looks {
    pub(crate) looks: Arc<[Look]>,
    /// Counts up when everything that screens show is to be asked for at once.
    pub(crate) asked: u64,
}

/// The views that one node is asked for.
#[derive(Debug)]
pub(super) struct Plans {
    views: Vec<Plan>,
    /// [`Looks::asked`] as of the last [`Plans::apply`].
    asked: u64,
    /// The time before which no background query is sent.
    settled: Instant,
}

/// A view, and when it is asked for next.
#[derive(Debug)]
struct Plan {
    view: Arc<View>,
    /// The interval of a view that no screen shows, which is asked for in the background.
    pace: Option<Duration>,
    due: Instant,
    /// Until when it rests after its last answer.
    rests: Instant,
    /// Queries in a row that failed.
    failures: u32,
    /// True if the node could not have the view in the role that it had.
    lacking: bool,
    /// When the running query was sent.
    began: Option<Instant>,
    /// True if the rows changed while the query ran: its answer may lack the change.
    outdated: bool,
}

impl Plans {
    pub(super) fn new(now: Instant) -> Self {
        Self { views: Vec::new(), asked: 0, settled: now }
    }

    /// Takes in that the node is up. No background query is sent before `settled`.
    pub(super) fn node_is_up(&mut self, settled: Instant) {
        self.settled = settled;
    }

    /// Takes in that the node has another role: what it could not have before may be asked for now.
    pub(super) fn role_changed(&mut self, now: Instant) {
        self.views.iter_mut().filter(|plan| plan.lacking).for_each(|plan| plan.due = now);
    }

    /// Takes in that slots or subscriptions of the node changed: what tells of them is due now, except where it was refused.
    pub(super) fn replication_changed(&mut self, now: Instant) {
        let tells = |plan: &&mut Plan| plan.view.events.as_ref().is_some_and(|events| events.of.is_of_replication());
        for plan in self.views.iter_mut().filter(tells).filter(|plan| plan.failures == 0 && !plan.lacking) {
            (plan.due, plan.outdated) = (now.max(plan.rests), plan.began.is_some());
        }
    }

    /// Takes in that the node is down: running queries are lost.
    pub(super) fn clear(&mut self) {
        self.views.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Follows what screens show and rules need now. A view that was planned before keeps its due time.
    pub(super) fn apply(&mut self, looks: &Looks, node: &NodeName, now: Instant) {
        let mut wanted: Vec<&Look> = looks.looks.iter().filter(|look| look.is_at(node)).collect();
        // Of two entries for the same view, the one with the shorter interval counts.
        wanted.sort_by_key(|look| look.pace);
        self.views.retain(|plan| plan.began.is_some() || wanted.iter().any(|look| Arc::ptr_eq(&look.view, &plan.view)));
        let mut applied: Vec<&Arc<View>> = Vec::new();
        for look in wanted {
            if applied.iter().any(|view| Arc::ptr_eq(view, &look.view)) {
                continue;
            }
            applied.push(&look.view);
            let plan = self.views.iter_mut().find(|plan| Arc::ptr_eq(&plan.view, &look.view));
            match plan {
                // A screen shows it now.
                Some(plan) if plan.pace.is_some() && look.pace.is_none() => (plan.pace, plan.due) = (None, now),
                Some(plan) => plan.pace = look.pace,
                None => {
                    let (view, pace) = (Arc::clone(&look.view), look.pace);
                    let due = if pace.is_some() { now.max(self.settled) } else { now };
                    self.views.push(Plan {
                        view,
                        pace,
                        due,
                        rests: now,
                        failures: 0,
                        lacking: false,
                        began: None,
                        outdated: false,
                    });
                }
            }
        }
        if std::mem::replace(&mut self.asked, looks.asked) != looks.asked {
            self.views.iter_mut().filter(|plan| plan.pace.is_none()).for_each(|plan| plan.due = now);
        }
    }

    /// The view to ask for now for a screen: `None` while [`AT_ONCE`] queries run, or one that is not late yet.
    pub(super) fn next(&self, now: Instant) -> Option<usize> {
        let running = self.views.iter().filter_map(|plan| plan.began);
        if running.clone().count() >= AT_ONCE || running.clone().any(|began| now < began + LATE) {
            return None;
        }
        self.first_due(now, |plan| plan.pace.is_none())
    }

    /// The view to ask for in the background once it is this node's turn: only while no other query runs.
    pub(super) fn next_in_background(&self, now: Instant) -> Option<usize> {
        let alone = self.views.iter().all(|plan| plan.began.is_none());
        self.first_due(now, |plan| plan.pace.is_some()).filter(|_| alone)
    }

    /// The view that is due in the background and has no rows, since no session waits for a lock.
    pub(super) fn next_without_rows(&self, now: Instant) -> Option<usize> {
        self.first_due(now, |plan| plan.pace.is_some() && plan.view.needs_waiting)
    }

    fn first_due(&self, now: Instant, of: impl Fn(&Plan) -> bool) -> Option<usize> {
        let due = |(_, plan): &(usize, &Plan)| plan.began.is_none() && plan.due <= now && of(plan);
        let first = self.views.iter().enumerate().filter(due).min_by_key(|(_, plan)| plan.due);
        first.map(|(at, _)| at)
    }

    /// When [`Plans::next`] may return something else than now: a view is due, or a running query is late.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let late = self.views.iter().filter_map(|plan| Some(plan.began? + LATE)).filter(|late| *late > now).min();
        let due = self.views.iter().filter(|plan| plan.began.is_none()).map(|plan| plan.due).min();
        // A view that is due while a query runs waits until that one has ended or is late.
        let due = due.filter(|due| *due > now);
        [late, due].into_iter().flatten().min()
    }

    /// Takes in that the view at `at` is asked for now.
    pub(super) fn begin(&mut self, at: usize, now: Instant) -> Option<Arc<View>> {
        let plan = self.views.get_mut(at)?;
        plan.began = Some(now);
        Some(Arc::clone(&plan.view))
    }

    /// Takes in that a view was answered or failed, and sets when it is asked for next; `jitter` is from 0 to 1.
    /// Returns false if the view is no longer planned.
    pub(super) fn ended(
        &mut self,
        view: &Arc<View>,
        outcome: &Result<ViewRows, NodeError>,
        refresh: Duration,
        now: Instant,
        jitter: f64,
    ) -> bool {
        let Some(plan) = self.views.iter_mut().find(|plan| Arc::ptr_eq(&plan.view, view)) else { return false };
        let began = plan.began.take().unwrap_or(now);
        let pace = plan.pace.unwrap_or(refresh);
        let every = view.every.map_or(pace, |every| every.max(pace)).max(FASTEST);
        plan.failures = if outcome.is_ok() { 0 } else { plan.failures.saturating_add(1) };
        plan.lacking = outcome.as_ref().is_ok_and(|rows| rows.not_applicable.is_some());
        let pause = match outcome {
            Ok(rows) if rows.not_applicable.is_some() => INCURABLE,
            Ok(_) => (now - began) * REST,
            Err(error) => backoff::after(error, plan.failures - 1, jitter),
        };
        plan.rests = now + pause;
        plan.due = if std::mem::take(&mut plan.outdated) { plan.rests } else { plan.rests.max(began + every) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;
    use crate::model::view::{ByServer, RowEvents, RowKind};

    const REFRESH: Duration = Duration::from_secs(1);

    fn node() -> NodeName {
        NodeName::parse("n").unwrap()
    }

    fn view(name: &str) -> Arc<View> {
        Arc::new(View::new(name, ByServer::same("select 1"), Vec::new()))
    }

    /// Views on a screen, and views in the background once a minute.
    fn looks(shown: &[&Arc<View>], background: &[&Arc<View>]) -> Looks {
        let look = |view: &&Arc<View>, pace| Look { view: Arc::clone(view), nodes: None, pace };
        let shown = shown.iter().map(|view| look(view, None));
        let background = background.iter().map(|view| look(view, Some(Duration::from_mins(1))));
        Looks { looks: shown.chain(background).collect(), asked: 0 }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_late_view_delays_no_other_and_three_are_asked_at_once() {
        let now = Instant::now();
        let views = ["a", "b", "c", "d"].map(view);
        let mut plans = Plans::new(now);
        plans.apply(&looks(&views.each_ref(), &[]), &node(), now);
        let mut asked = Vec::new();
        for millis in [0, 100, 249, 250, 400, 500, 750, 1000] {
            let now = now + ms(millis);
            while let Some(at) = plans.next(now) {
                asked.push((millis, plans.begin(at, now).unwrap().name.clone()));
            }
        }
        assert_eq!(asked, [(0, "a".to_owned()), (250, "b".to_owned()), (500, "c".to_owned())]);
        assert_eq!(plans.wake(now + ms(600)), Some(now + ms(750)), "when c is late");
        assert_eq!(plans.wake(now + ms(800)), None, "d waits for an answer");
    }

    #[test]
    fn the_next_query_follows_the_outcome() {
        let failed = |kind| Err(NodeError::new(kind, "no"));
        let passing = Err(NodeError { sqlstate: Some("40001".to_owned()), ..NodeError::new(ErrorKind::Sql, "no") });
        let lacking = ViewRows { not_applicable: Some("too old".to_owned()), ..ViewRows::default() };
        // The outcome of a query, how long it took, and how long after it was sent the next one is due.
        let cases = [
            (Ok(ViewRows::default()), 10, 1_000),
            (Ok(ViewRows::default()), 300, 1_500),
            (Ok(lacking), 10, 60_010),
            (failed(ErrorKind::Permission), 10, 60_010),
            (failed(ErrorKind::Sql), 10, 60_010),
            (passing, 10, 1_010),
            (failed(ErrorKind::ConnectionLost), 10, 1_010),
        ];
        for (outcome, took, due) in cases {
            let (begin, view) = (Instant::now(), view("v"));
            let mut plans = Plans::new(begin);
            plans.apply(&looks(&[&view], &[]), &node(), begin);
            plans.begin(0, begin);
            let now = begin + ms(took);
            assert!(plans.ended(&view, &outcome, REFRESH, now, 0.0));
            assert_eq!(plans.wake(now), Some(begin + ms(due)), "{outcome:?}");
        }
    }

    #[test]
    fn what_a_node_lacked_is_asked_for_when_its_role_changes() {
        let now = Instant::now();
        let (other, own) = (view("of the other role"), view("of this role"));
        let mut plans = Plans::new(now);
        plans.apply(&looks(&[&other, &own], &[]), &node(), now);
        let lacking = ViewRows { not_applicable: Some("not here".to_owned()), ..ViewRows::default() };
        for (at, view, rows) in [(0, &other, lacking), (1, &own, ViewRows::default())] {
            plans.begin(at, now);
            assert!(plans.ended(view, &Ok(rows), REFRESH, now, 0.0));
        }
        let later = now + ms(500);
        assert_eq!(plans.next(later), None);
        plans.role_changed(later);
        assert_eq!(plans.next(later), Some(0));
    }

    #[test]
    fn what_tells_of_slots_is_due_when_they_changed() {
        let now = Instant::now();
        let events = RowEvents {
            of: RowKind::Slot,
            name: Vec::new(),
            only: None,
            disabled: None,
            failing: None,
            errors: Vec::new(),
        };
        let slots =
            Arc::new(View { events: Some(events), ..View::new("slots", ByServer::same("select 1"), Vec::new()) });
        let mut plans = Plans::new(now);
        plans.apply(&looks(&[], &[&slots, &view("other")]), &node(), now);
        // Takes 100 ms, and returns when it is due next if slots change this long after it was sent.
        let mut ask = |sent: u64, change: u64, outcome| {
            plans.begin(0, now + ms(sent));
            if change < 100 {
                plans.replication_changed(now + ms(sent + change));
            }
            assert!(plans.ended(&slots, &outcome, REFRESH, now + ms(sent + 100), 0.0));
            if change >= 100 {
                plans.replication_changed(now + ms(sent + change));
            }
            plans.views[0].due - (now + ms(sent))
        };
        let answer = || Ok(ViewRows::default());
        assert_eq!(ask(0, 50, answer()), ms(500), "the answer may be of before the change");
        assert_eq!(ask(1_000, 200, answer()), ms(500), "it rests for four times as long as the answer took");
        assert_eq!(ask(2_000, 800, answer()), ms(800));
        let refused = Err(NodeError::new(ErrorKind::Permission, "no"));
        assert_eq!(ask(3_000, 200, refused), ms(60_100), "what is refused now is refused in a second");
        assert_eq!(plans.views[1].due, now, "another view does not tell of slots");
    }

    #[test]
    fn what_no_screen_shows_is_asked_alone_and_when_the_node_has_settled() {
        let now = Instant::now();
        let (shown, rule) = (view("shown"), view("rule"));
        let mut plans = Plans::new(now);
        plans.node_is_up(now + ms(2_000));
        plans.apply(&looks(&[&shown], &[&rule]), &node(), now);
        assert_eq!((plans.next(now), plans.next_in_background(now)), (Some(0), None));
        plans.begin(0, now);
        let later = now + ms(2_000);
        assert_eq!(plans.next_in_background(later), None, "another is under way");
        assert!(plans.ended(&shown, &Ok(ViewRows::default()), REFRESH, later, 0.0));
        assert_eq!((plans.next(later), plans.next_in_background(later)), (None, Some(1)));
        // A screen shows it too: now it is due at once.
        plans.apply(&looks(&[&shown, &rule], &[&rule]), &node(), later);
        assert_eq!((plans.next(later), plans.next_in_background(later)), (Some(1), None));
    }

    #[test]
    fn what_has_no_rows_is_found_without_asking_only_for_a_rule() {
        let now = Instant::now();
        let locks = View { needs_waiting: true, ..View::new("locks", ByServer::same("select 1"), Vec::new()) };
        let (locks, other) = (Arc::new(locks), view("other"));
        for (looks, expected) in [(looks(&[], &[&other, &locks]), Some(1)), (looks(&[&locks], &[&other]), None)] {
            let mut plans = Plans::new(now);
            plans.apply(&looks, &node(), now);
            assert_eq!(plans.next_without_rows(now), expected);
        }
    }

    #[test]
    fn a_view_that_is_under_way_stays_until_it_is_answered() {
        let now = Instant::now();
        let view = view("v");
        let mut plans = Plans::new(now);
        plans.apply(&looks(&[&view], &[]), &node(), now);
        plans.begin(0, now);
        plans.apply(&Looks::default(), &node(), now);
        assert!(!plans.is_empty());
        assert!(plans.ended(&view, &Ok(ViewRows::default()), REFRESH, now, 0.0));
        plans.apply(&Looks::default(), &node(), now);
        assert!(plans.is_empty() && !plans.ended(&view, &Ok(ViewRows::default()), REFRESH, now, 0.0));
    }
}

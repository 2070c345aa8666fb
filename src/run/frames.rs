//! When the dashboard draws: how soon a change is on the screen, and which changes share a frame.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::model::{Event, EventKind};

/// How long new figures may wait for a common frame, unless the refresh interval is shorter.
const FIGURES: Duration = Duration::from_secs(1);
/// The shortest time between two frames: changes that come faster are drawn together.
const FRAME: Duration = Duration::from_millis(16);

/// The plan of frames.
pub(super) struct Frames {
    /// When the next frame is due; `None` if nothing changed.
    due: Option<Instant>,
    drawn_at: Instant,
    /// True if there are figures that no frame has shown yet.
    figures_wait: bool,
    /// When a frame last showed new figures.
    figures_at: Option<Instant>,
    /// Events are not read before this time: no frame could show them sooner.
    events_at: Instant,
    /// An event that arrived before that time.
    early: Option<Event>,
    /// True until any node has sent figures: those are read and drawn at once.
    without_figures: bool,
}

impl Frames {
    /// The first frame is due at once.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            due: Some(now),
            drawn_at: now,
            figures_wait: false,
            figures_at: None,
            events_at: now,
            early: None,
            without_figures: true,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Plans a frame for a change, no sooner than `soonest`.
    pub(super) fn plan(&mut self, soonest: Instant) {
        let due = soonest.max(self.drawn_at + FRAME);
        self.due = Some(self.due.map_or(due, |planned| planned.min(due)));
    }

    /// The time to draw figures that arrive now: the first ones at once, later ones together, at most once per `refresh`.
    pub(super) fn next_figures(&mut self, refresh: Duration) -> Instant {
        self.figures_wait = true;
        let pause = FIGURES.min(refresh);
        self.figures_at.map_or_else(Instant::now, |at| at + pause)
    }

    /// Records that a frame was drawn just now, and returns the time.
    pub(super) fn drawn(&mut self) -> Instant {
        self.drawn_at = Instant::now();
        self.due = None;
        if std::mem::take(&mut self.figures_wait) {
            self.figures_at = Some(self.drawn_at);
        }
        self.drawn_at
    }

    /// Records that all waiting events were read. The next ones are read with the next frame.
    pub(super) fn events_read(&mut self) {
        self.events_at = Instant::now() + FRAME;
    }

    /// Plans the frame that shows the first figures of all: at once.
    pub(super) fn plan_first_figures(&mut self) {
        self.without_figures = false;
        self.due = Some(Instant::now());
    }

    /// True if the event brings the first figures of all.
    pub(super) fn brings_first_figures(&self, kind: &EventKind) -> bool {
        self.without_figures && matches!(kind, EventKind::Facts { facts: Ok(_), .. })
    }

    /// The next event, once it is time to read events again. An event that comes too early waits here, and the timer is
    /// set only for such a one. Cancel-safe.
    pub(super) async fn next_event(&mut self, events: &mut mpsc::Receiver<Event>) -> Option<Event> {
        if self.early.is_none() {
            self.early = Some(events.recv().await?);
        }
        let is_first = self.early.as_ref().is_some_and(|event| self.brings_first_figures(&event.kind));
        if !is_first && Instant::now() < self.events_at {
            sleep_until(self.events_at).await;
        }
        self.early.take()
    }
}

/// True if the event may wait for the next common frame: it brings figures, not a change of state.
pub(super) fn is_figure(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Checked { .. }
            | EventKind::Pool { .. }
            | EventKind::Facts { .. }
            | EventKind::Server { .. }
            | EventKind::View { .. }
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use tokio::time::timeout;

    use super::*;
    use crate::model::{Facts, NodeName, PoolStats, ProbeStats, Role};

    fn event(kind: EventKind) -> Event {
        Event { seq: 1, at: SystemTime::UNIX_EPOCH, kind }
    }

    fn pool() -> Event {
        let node = NodeName::parse("a").unwrap();
        event(EventKind::Pool { node, pool: PoolStats::default(), probes: ProbeStats::default() })
    }

    fn figures() -> Event {
        let facts = Ok(Arc::new(Facts::unknown(Role::Primary, SystemTime::UNIX_EPOCH)));
        event(EventKind::Facts { node: NodeName::parse("a").unwrap(), facts })
    }

    async fn waited(frames: &mut Frames, events: &mut mpsc::Receiver<Event>) -> Duration {
        let begin = Instant::now();
        frames.next_event(events).await.unwrap();
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_event_that_comes_too_early_waits() {
        let (send, mut events) = mpsc::channel(4);
        let mut frames = Frames::new();
        send.send(pool()).await.unwrap();
        assert_eq!(waited(&mut frames, &mut events).await, Duration::ZERO);
        frames.events_read();
        send.send(pool()).await.unwrap();
        // The loop drops what it waits for whenever something else comes first: no event is lost with it.
        timeout(FRAME / 2, frames.next_event(&mut events)).await.unwrap_err();
        assert!(waited(&mut frames, &mut events).await >= FRAME / 2);
        frames.events_read();
        tokio::time::sleep(FRAME * 2).await;
        send.send(pool()).await.unwrap();
        assert_eq!(waited(&mut frames, &mut events).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_figures_of_all_are_read_and_drawn_at_once() {
        let (send, mut events) = mpsc::channel(4);
        let mut frames = Frames::new();
        frames.drawn();
        frames.events_read();
        send.send(figures()).await.unwrap();
        assert_eq!(waited(&mut frames, &mut events).await, Duration::ZERO);
        assert!(frames.brings_first_figures(&figures().kind));
        frames.plan_first_figures();
        assert!(frames.is_due());
        frames.drawn();
        frames.events_read();
        send.send(figures()).await.unwrap();
        assert!(waited(&mut frames, &mut events).await >= FRAME / 2);
    }
}

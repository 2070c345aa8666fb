//! How far standbys are behind, in a fleet of a primary and its standbys. Times are seconds of this machine's clock.

use std::sync::Arc;

use super::*;
use crate::fleet::Fleet;
use crate::model::{Event, EventKind, Health, HealthState, NodeConfig, NodeName, ServerFacts, Thresholds};

/// 2 MB of WAL a second.
const PACE: u64 = 2_000_000;

fn at(second: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(10_000.0 + second)
}

/// What happens to the figures of a standby.
type Cut = fn(&mut Facts);

struct Stage(Fleet);

impl Stage {
    /// The primary `p` and the standbys `s` and `c`, all of one cluster.
    fn new() -> Self {
        let nodes = ["p", "s", "c"].map(|name| NodeConfig::new(NodeName::parse(name).unwrap(), name));
        let mut stage = Self(Fleet::new(nodes.into(), Duration::from_secs(1), Thresholds::default(), at(0.0)));
        for name in ["p", "s", "c"] {
            stage.health(0.0, name, HealthState::Healthy);
            stage.server(name, |_| {});
        }
        stage
    }

    fn event(&mut self, second: f64, kind: EventKind) {
        self.0.apply(&Event { seq: 0, at: at(second), kind });
    }

    fn health(&mut self, second: f64, node: &str, state: HealthState) {
        let health = Arc::new(Health { state, ..Health::new(at(second)) });
        let node = NodeName::parse(node).unwrap();
        self.event(second, EventKind::Health { node, from: HealthState::Connecting, health });
    }

    fn server(&mut self, node: &str, change: impl FnOnce(&mut ServerFacts)) {
        let mut server = ServerFacts { system_identifier: Some(7), restores: Some(false), ..ServerFacts::default() };
        change(&mut server);
        self.event(0.0, EventKind::Server { node: NodeName::parse(node).unwrap(), server: Arc::new(server) });
    }

    /// The primary is at this position.
    fn primary(&mut self, second: f64, position: u64) {
        let facts =
            Facts { wal_position: Some(position), timeline: Some(1), ..Facts::unknown(Role::Primary, at(second)) };
        self.facts(second, "p", facts);
    }

    /// A standby has received and replayed up to these positions.
    fn standby(&mut self, second: f64, received: u64, replayed: u64, change: impl FnOnce(&mut Facts)) -> Lag {
        let mut facts = Facts {
            wal_position: Some(replayed),
            received: Some(received),
            receiver: Some("streaming".to_owned()),
            receiver_silent: Some(Duration::from_millis(300)),
            replay_paused: Some(false),
            timeline: Some(1),
            ..Facts::unknown(Role::Standby, at(second))
        };
        change(&mut facts);
        self.facts(second, "s", facts);
        self.0.now().nodes.get(&NodeName::parse("s").unwrap()).unwrap().lag.clone()
    }

    fn facts(&mut self, second: f64, node: &str, facts: Facts) {
        self.event(second, EventKind::Facts { node: NodeName::parse(node).unwrap(), facts: Ok(Arc::new(facts)) });
    }
}

fn seconds(lag: &Lag) -> Option<f64> {
    lag.time.map(|behind| (behind.time.as_secs_f64() * 10.0).round() / 10.0)
}

fn late(lag: &Lag) -> Option<u64> {
    lag.late.map(|late| late.as_secs())
}

fn stopped(facts: &mut Facts) {
    facts.receiver = Some("stopped".to_owned());
    facts.receiver_silent = None;
    facts.timeline = None;
}

#[test]
fn a_standby_that_streams_is_not_late_whatever_the_age_of_the_last_commit() {
    let mut stage = Stage::new();
    for second in 0..30_u32 {
        let (now, end) = (f64::from(second), u64::from(second) * PACE);
        stage.primary(now, end);
        // One transaction has been writing for all of the time.
        let lag = stage.standby(now + 0.1, end + 1000, end, |facts| facts.commit_age = Some(now + 20.0));
        assert!(seconds(&lag) <= Some(0.1) && lag.why().is_none(), "{second}: {lag:?}");
    }
    // Even if it is measured just before the primary.
    let lag = stage.standby(29.2, 29 * PACE - 1000, 29 * PACE - 2000, |facts| facts.commit_age = Some(49.0));
    assert_eq!(seconds(&lag), Some(0.2));
}

#[test]
fn the_record_that_the_end_of_a_page_cuts_is_not_late() {
    let mut stage = Stage::new();
    for second in 0..15_u32 {
        // A page is full every seven seconds.
        let (now, end) = (f64::from(second), 8192 * (10 + u64::from(second) / 7));
        stage.primary(now, end);
        let lag = stage.standby(now, end, end - 48, |facts| facts.commit_age = Some(now + 20.0));
        assert_eq!((seconds(&lag), lag.bytes), (Some(0.0), Some(0)), "{second}: {lag:?}");
    }
    // Of a page that is not cut, what is not replayed is late.
    stage.primary(15.0, 100_000);
    for now in [15.0, 20.0] {
        stage.primary(now, 100_000 + now as u64);
        let lag = stage.standby(now, 100_000, 100_000 - 48, |facts| facts.commit_age = Some(now + 20.0));
        assert!(now < 20.0 || seconds(&lag) > Some(4.0), "{lag:?}");
    }
}

#[test]
fn the_first_answer_of_a_long_transaction_is_in_doubt_and_the_second_tells() {
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    let lag = stage.standby(0.0, 990, 900, |facts| facts.commit_age = Some(20.0));
    assert_eq!((lag.time, lag.late, lag.doubtful), (None, None, true));
    stage.primary(1.0, 2000);
    let lag = stage.standby(1.0, 1990, 1900, |facts| facts.commit_age = Some(21.0));
    assert_eq!((seconds(&lag), lag.doubtful), (Some(0.1), false));
    // A statement that took long was read at any moment meanwhile.
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    let lag = stage.standby(0.9, 990, 900, |facts| {
        (facts.commit_age, facts.elapsed) = (Some(20.0), Duration::from_secs(1));
    });
    assert!(lag.doubtful, "{lag:?}");
    // It is late indeed.
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    stage.standby(0.0, 990, 900, |facts| facts.commit_age = Some(20.0));
    stage.primary(1.0, 2000);
    let lag = stage.standby(1.0, 1990, 900, |facts| facts.commit_age = Some(21.0));
    assert_eq!((seconds(&lag), late(&lag)), (Some(21.0), Some(21)));
}

#[test]
fn a_standby_that_receives_nothing_gets_older_by_the_second() {
    // Cut off, connecting, waiting, or without a position since its start.
    let cases: [(&str, Cut); 4] = [
        ("stopped", stopped),
        ("connecting", |facts| facts.receiver = Some("connecting".to_owned())),
        ("waiting", |facts| facts.receiver = Some("waiting".to_owned())),
        ("nothing received since the start", |facts| {
            stopped(facts);
            facts.received = None;
        }),
    ];
    for (case, cut) in cases {
        let mut stage = Stage::new();
        stage.primary(0.0, 1);
        stage.standby(0.0, 1, 1, |_| {});
        let mut why = None;
        for second in 1..60_u32 {
            let now = f64::from(second);
            stage.primary(now, u64::from(second) * PACE + 1);
            let lag = stage.standby(now, 1, 1, |facts| {
                facts.commit_age = Some(now + 0.5);
                facts.receiver_silent = None;
                cut(facts);
            });
            if second > 1 {
                assert!((seconds(&lag).unwrap() - now).abs() <= 1.1, "{case} at {second}: {lag:?}");
                assert_eq!(lag.bytes, Some(u64::from(second) * PACE), "{case}");
            }
            assert_eq!(lag.receives(), Some(false), "{case}");
            why = lag.why();
        }
        let status = match case {
            "connecting" | "waiting" => format!("is {case}"),
            _ => "does not run".to_owned(),
        };
        assert_eq!(why, Some(format!("receives nothing for 58 s: its WAL receiver {status}")));
    }
}

#[test]
fn a_frozen_receiver_or_sender_still_calls_itself_streaming() {
    let mut stage = Stage::new();
    for second in 0..20_u32 {
        let now = f64::from(second);
        stage.primary(now, u64::from(second) * PACE);
        let lag = stage.standby(now, 5 * PACE, 5 * PACE, |facts| {
            facts.receiver_silent = Some(Duration::from_secs_f64((now - 5.0).max(0.0)));
            facts.commit_age = Some((now - 5.0).max(0.0));
        });
        if second > 11 {
            assert_eq!((seconds(&lag), lag.receives()), (Some(now - 5.0), Some(false)), "{lag:?}");
            assert!(lag.why().unwrap().ends_with("its sender is silent"), "{:?}", lag.why());
        }
    }
    // Where no primary is watched, only a silence longer than the protocol allows tells.
    let mut stage = Stage::new();
    for (silent, receives) in [(29_u32, Some(true)), (36, Some(false))] {
        let lag = stage.standby(f64::from(silent), 100, 100, |facts| {
            facts.receiver_silent = Some(Duration::from_secs(u64::from(silent)));
        });
        assert_eq!(lag.receives(), receives, "{silent}");
    }
}

#[test]
fn a_standby_that_catches_up_over_a_slow_line_receives() {
    let mut stage = Stage::new();
    for second in 0..60_u32 {
        let (now, end) = (f64::from(second), u64::from(second) * PACE);
        stage.primary(now, end);
        let lag = stage.standby(now, end / 3, end / 3, |_| {});
        assert_eq!((lag.receives(), lag.why()), (Some(true), None), "{second}");
        assert!(second < 30 || seconds(&lag) >= Some(19.0), "{second}: {lag:?}");
    }
}

#[test]
fn two_answers_tell_a_frozen_receiver_and_never_an_idle_one() {
    // Nothing was said for 17 s, and the primary is ahead from the first answer on.
    let mut stage = Stage::new();
    let answer = |stage: &mut Stage, now: f64| {
        stage.primary(now, 2000);
        stage.standby(now, 1000, 1000, |facts| {
            facts.receiver_silent = Some(Duration::from_secs_f64(17.0 + now));
            facts.commit_age = Some(17.2 + now);
        })
    };
    let lag = answer(&mut stage, 0.0);
    assert_eq!((lag.receives(), lag.doubtful), (Some(true), true), "{lag:?}");
    let lag = answer(&mut stage, 1.0);
    assert_eq!(lag.why().as_deref(), Some("receives nothing for 18 s: its sender is silent"));
    // An idle sender has said nothing for 20 s, and what was written a moment ago is still on its way.
    let mut stage = Stage::new();
    for second in 0..20_u32 {
        stage.primary(f64::from(second), 1000);
        stage.standby(f64::from(second), 1000, 1000, |facts| {
            facts.receiver_silent = Some(Duration::from_secs(second.into()));
        });
    }
    stage.primary(20.0, 2000);
    let lag = stage.standby(20.0, 1000, 1000, |facts| facts.receiver_silent = Some(Duration::from_secs(20)));
    assert_eq!(lag.receives(), Some(true), "{lag:?}");
}

#[test]
fn how_long_an_idle_sender_may_be_silent_follows_its_setting() {
    for (timeout, silent, receives) in
        [(0_u64, 5000_u64, true), (10, 9, true), (10, 11, false), (600, 300, true), (600, 306, false)]
    {
        let mut stage = Stage::new();
        stage.server("s", |server| server.receiver_timeout = Some(Duration::from_secs(timeout)));
        stage.primary(0.0, 1000);
        let lag = stage.standby(0.0, 1000, 1000, |facts| facts.receiver_silent = Some(Duration::from_secs(silent)));
        assert_eq!(lag.receives(), Some(receives), "{timeout} {silent}");
    }
}

#[test]
fn a_standby_that_answers_before_its_primary_is_measured_against_it_at_once() {
    let mut stage = Stage::new();
    let lag = stage.standby(0.0, 1000, 1000, |facts| facts.receiver = None);
    assert_eq!((lag.against, lag.time), (None, None), "hidden from the role");
    stage.primary(0.1, 1000);
    let lag = &stage.0.now().nodes.get(&NodeName::parse("s").unwrap()).unwrap().lag;
    assert_eq!((seconds(lag), lag.bytes), (Some(0.0), Some(0)), "{lag:?}");
}

#[test]
fn a_paused_replay_a_delay_and_an_archive_have_their_words() {
    let mut stage = Stage::new();
    for second in 0..120_u32 {
        let now = f64::from(second);
        stage.primary(now, u64::from(second) * PACE);
        let lag = stage.standby(now, u64::from(second) * PACE, 0, |facts| facts.replay_paused = Some(true));
        if second == 119 {
            assert_eq!((seconds(&lag), late(&lag)), (Some(119.0), Some(119)));
            assert_eq!(lag.says().as_deref(), Some("1 min old: replay is paused"));
        }
    }
    // Late on purpose by an hour: two minutes are what it is meant to be.
    stage.server("s", |server| server.apply_delay = Some(Duration::from_hours(1)));
    let lag = stage.standby(120.0, 119 * PACE, 0, |_| {});
    assert_eq!((seconds(&lag), late(&lag)), (Some(120.0), Some(0)));
    assert_eq!(lag.why().as_deref(), Some("delayed by 1 h"));
    // Fed from an archive: the last files are not there yet.
    stage.server("s", |server| {
        server.restores = Some(true);
        server.wal_segment = Some(16 << 20);
    });
    let files = 119 * PACE / (16 << 20) * (16 << 20);
    let lag = stage.standby(121.0, files, files - (16 << 20), stopped);
    assert_eq!((late(&lag), lag.receives(), lag.why().as_deref()), (Some(0), Some(true), Some("from the archive")));
    // It is far behind its archive.
    let lag = stage.standby(122.0, 0, 10 * PACE, stopped);
    assert!(late(&lag) > Some(80), "{lag:?}");
}

#[test]
fn an_archive_that_stopped_before_anybody_watched_makes_late() {
    let hour = |facts: &mut Facts| {
        stopped(facts);
        facts.commit_age = Some(3600.0);
    };
    let archive = || {
        let mut stage = Stage::new();
        stage.server("s", |server| server.restores = Some(true));
        stage
    };
    // Four files are missing, or none that the archive could have.
    for (end, expected) in [(64 << 20, Some(3300)), (8 << 20, Some(0))] {
        let mut stage = archive();
        for now in [0.0, 1.0] {
            stage.primary(now, end);
            let lag = stage.standby(now, 0, 0, hour);
            assert!(now < 1.0 || late(&lag) == expected, "{end}: {lag:?}");
        }
    }
    // Without a primary that is watched, an idle one looks the same at first.
    let mut stage = archive();
    let of = |second: f64, stage: &mut Stage| late(&stage.standby(second, 0, 0, hour));
    assert_eq!(
        [0.0, 100.0, 299.0, 310.0, 400.0].map(|second| of(second, &mut stage)),
        [None, None, None, Some(10), Some(100)]
    );
    assert_eq!(late(&stage.standby(401.0, 5000, 5000, hour)), Some(0), "it goes on");
}

#[test]
fn clocks_of_two_servers_are_not_taken_for_one() {
    // The standby's clock is an hour ahead: its last commit seems to be an hour old.
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    let hour = Duration::from_hours(1);
    let ahead = |facts: &mut Facts| {
        facts.server_time += hour;
        facts.clock_ahead = 3600;
        facts.commit_age = Some(3600.4);
    };
    let lag = stage.standby(0.0, 990, 900, ahead);
    assert_eq!(seconds(&lag), Some(0.4), "{lag:?}");
    // And an hour behind: never a negative age.
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    let lag = stage.standby(0.0, 990, 900, |facts| {
        facts.server_time -= hour;
        facts.clock_ahead = -3600;
        facts.commit_age = Some(-3599.7);
    });
    assert_eq!(seconds(&lag), Some(0.3), "{lag:?}");
}

#[test]
fn a_clock_that_was_set_ahead_makes_no_silence() {
    for (silent, receives) in [(3_610, true), (3_640, false)] {
        let mut stage = Stage::new();
        stage.primary(0.0, 1000);
        // Its last message came before the clock was set.
        let lag = stage.standby(0.0, 1000, 1000, |facts| {
            facts.clock_ahead = 3600;
            facts.receiver_silent = Some(Duration::from_secs(silent));
        });
        assert_eq!(lag.receives(), Some(receives), "{lag:?}");
    }
}

#[test]
fn a_standby_whose_primary_is_down_is_not_late_for_what_nobody_wrote() {
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    stage.standby(0.0, 1000, 1000, |_| {});
    stage.health(1.0, "p", HealthState::Unhealthy);
    for second in 1..200_u32 {
        let lag = stage.standby(f64::from(second), 1000, 1000, |facts| {
            facts.commit_age = Some(f64::from(second));
            stopped(facts);
        });
        assert_eq!(late(&lag), Some(0), "{second}");
    }
    // But what it had not replayed before is missing.
    let lag = stage.standby(200.0, 900, 900, stopped);
    assert!(late(&lag) >= Some(199), "{lag:?}");
}

#[test]
fn a_standby_that_was_left_behind_by_a_failover_is_not_up_to_date_because_it_is_ahead() {
    let mut stage = Stage::new();
    stage.primary(0.0, 5000);
    stage.standby(0.0, 5000, 5000, |_| {});
    stage.health(1.0, "p", HealthState::Unhealthy);
    for second in 1..40_u32 {
        let now = f64::from(second);
        let promoted = Facts { wal_position: Some(4000), timeline: Some(2), ..Facts::unknown(Role::Primary, at(now)) };
        stage.facts(now, "c", promoted);
        let lag = stage.standby(now, 5000, 5000, |facts| {
            facts.commit_age = Some(now);
            stopped(facts);
        });
        assert!(second < 39 || late(&lag) >= Some(38), "{lag:?}");
    }
}

#[test]
fn a_standby_that_lost_its_source_before_anybody_watched_is_as_old_as_its_last_commit() {
    let mut stage = Stage::new();
    let mut answer = |second: f64| {
        stage.standby(second, 900, 900, |facts| {
            stopped(facts);
            facts.commit_age = Some(600.0 + second);
        })
    };
    assert!(answer(0.0).doubtful);
    let lag = answer(1.0);
    assert_eq!((seconds(&lag), lag.doubtful, lag.against), (Some(601.0), false, None));
}

#[test]
fn of_two_primaries_the_one_on_the_standbys_timeline_counts() {
    let mut stage = Stage::new();
    stage.primary(0.0, 1000);
    let rival = Facts { wal_position: Some(5000), timeline: Some(2), ..Facts::unknown(Role::Primary, at(0.0)) };
    stage.facts(0.0, "c", rival);
    let lag = stage.standby(0.0, 1000, 1000, |_| {});
    assert_eq!((lag.against.map(|name| name.to_string()).as_deref(), lag.bytes), (Some("p"), Some(0)));
}

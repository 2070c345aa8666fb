//! What a tool does while its server is dead or frozen, and how it leaves: seen on its screen, as a person would.

use std::time::{Duration, Instant};

use pgwatch::demo::{DemoError, Server};
use rustix::process::Signal;

use crate::rig::{Rig, pass};
use crate::support::pty::{Tui, ending};
use crate::support::wait::{PATIENCE, within};
use crate::tools::{ARRIVAL, ENDING, Leaving, Quit, SLEEPER, Session, Tool, Trouble, Troubles};

/// How long the screen is watched before the key is pressed.
const WATCH: Duration = Duration::from_secs(7);
/// How long a tool may take to come back by itself.
pub const BACK: Duration = Duration::from_secs(20);
/// A refresh or two: figures that differ at first settle.
const REFRESH: Duration = Duration::from_millis(1500);
/// A text that is being written is whole.
const MOMENT: Duration = Duration::from_millis(200);

/// What tells of trouble, in any case of letters.
const WORDS: &[&str] = &[
    "lost",
    "refused",
    "error",
    "fail",
    "closed",
    "down",
    "offline",
    "unreachable",
    "unhealthy",
    "degraded",
    "no answer",
    "timeout",
    "timed out",
    "terminat",
    "stale",
    "last ok",
    "reconnect",
    "disconnect",
    "retry",
];

/// All of it, once.
pub fn measure(rig: &Rig, tool: &Tool) -> Result<Troubles, String> {
    Ok(Troubles {
        killed: suffer(rig, tool, Server::kill, Server::start)?,
        frozen: suffer(rig, tool, Server::freeze, Server::thaw)?,
        leaving: leaving(rig, tool)?,
    })
}

type Step = fn(&Server) -> Result<(), DemoError>;

/// Two of the tool look on: from one the key is pressed meanwhile, the other stays to the end.
fn suffer(rig: &Rig, tool: &Tool, begin: Step, end: Step) -> Result<Trouble, String> {
    let server = rig.cluster.primary();
    let sleeper = Session::start(server, SLEEPER);
    let (mut stays, mut leaves) = (with_data(rig, tool)?, with_data(rig, tool)?);
    pass(REFRESH);

    let (before, written, start) = (lines(&stays), stays.written(), Instant::now());
    begin(server).expect("the fault");
    let sign = within(WATCH, || match told(&before, &lines(&stays)) {
        Some(line) => Some(Some(line)),
        None => exited(&mut stays).then_some(None),
    });
    let after = start.elapsed();
    pass(MOMENT);
    let mut trouble = Trouble { told: None, ended: None, drew: false, quit: Quit::Ended, back: None };
    // Whole by now, unless it was there for a moment only.
    let line = told(&before, &lines(&stays)).or(sign.flatten());
    trouble.told = line.map(|line| (line.replace(&rig.one.beside(""), ""), after));
    trouble.ended = stays.exit_within(WATCH.saturating_sub(start.elapsed())).map(|status| (ending(status), after));
    trouble.drew = stays.written() > written;
    if !exited(&mut leaves) {
        trouble.quit = quit(tool, &mut leaves);
    }
    drop(leaves);

    end(server).expect("the end of the fault");
    let over = Instant::now();
    drop(sleeper);
    let arrival = Session::start(server, ARRIVAL);
    let fresh = trouble.ended.is_none() && stays.sees(BACK, |screen| screen.contents().contains(tool.fresh)).is_ok();
    trouble.back = fresh.then(|| over.elapsed());
    drop(arrival);
    tool.leave(stays);
    Ok(trouble)
}

fn with_data(rig: &Rig, tool: &Tool) -> Result<Tui, String> {
    let tui = tool.start(rig)?;
    let shown = tui.sees(PATIENCE, |screen| screen.contents().contains(tool.data));
    shown.map_err(|state| format!("showed no data: {state}"))?;
    Ok(tui)
}

fn exited(tui: &mut Tui) -> bool {
    tui.exit_within(Duration::ZERO).is_some()
}

/// A key, and what it was if that ended it.
type Way<'k> = (&'k str, fn(Duration) -> Quit);

/// By its key, else by Ctrl-C, which a person tries again.
fn quit(tool: &Tool, tui: &mut Tui) -> Quit {
    let ways: [Way<'_>; 3] = [(tool.quit, Quit::Key), ("<c-c>", Quit::CtrlC), ("<c-c>", Quit::CtrlCTwice)];
    for (key, what) in ways {
        let pressed = Instant::now();
        tui.press(key);
        if tui.exit_within(ENDING).is_some() {
            return what(pressed.elapsed());
        }
    }
    Quit::No
}

fn leaving(rig: &Rig, tool: &Tool) -> Result<Leaving, String> {
    let _sleeper = Session::start(rig.cluster.primary(), SLEEPER);
    let left = |tui: &mut Tui| match tui.exit_within(ENDING) {
        Some(_) => tui.restored(),
        None => Err("still running".to_owned()),
    };
    let mut tui = with_data(rig, tool)?;
    let pressed = Instant::now();
    tui.press(tool.quit);
    let after_key = tui.exit_within(ENDING).map(|_| pressed.elapsed());
    let key = left(&mut tui);
    let mut tui = with_data(rig, tool)?;
    tui.signal(Signal::TERM);
    Ok(Leaving { took: after_key, key, signal: left(&mut tui) })
}

fn lines(tui: &Tui) -> Vec<String> {
    tui.screen(|screen| screen.rows(0, 120).collect())
}

/// The first line with a word of trouble that was not in it before, from where it is new, without frames and gaps.
fn told(before: &[String], now: &[String]) -> Option<String> {
    let (now, before) = now.iter().zip(before).find(|(now, before)| {
        let (now, before) = (now.to_lowercase(), before.to_lowercase());
        WORDS.iter().any(|word| now.contains(word) && !before.contains(word))
    })?;
    let words = |line: &str| -> Vec<String> {
        let words = line.split(|c: char| c.is_whitespace() || "│─╭╮╰╯┌┐└┘|`▁▂▃▄▅▆▇█▱▰".contains(c));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (now, before) = (words(now), words(before));
    let same = now.iter().zip(&before).take_while(|(now, before)| now == before).count();
    Some(now[same..].join(" ").chars().take(80).collect())
}

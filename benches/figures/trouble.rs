//! What a tool does while its server is dead or frozen, and how it leaves, as a person would see it on the screen.

use std::time::{Duration, Instant};

use pgwatch::demo::{DemoError, Server};
use rustix::process::Signal;

use crate::rig::{Rig, pass};
use crate::support::pty::{Tui, ending};
use crate::support::wait::{PATIENCE, within};
use crate::tools::{ARRIVAL, ENDING, Leaving, Quit, SLEEPER, Session, Tool, Trouble, Troubles};

/// How long the screen is watched before the key is pressed.
const WATCH: Duration = Duration::from_secs(7);
/// How long a tool may take to recover by itself.
pub const BACK: Duration = Duration::from_secs(20);
/// Time for a refresh or two, so that changing figures settle.
const REFRESH: Duration = Duration::from_millis(1500);
/// Time for a text that is being written to be complete.
const MOMENT: Duration = Duration::from_millis(200);

/// Words that report a fault, in any case.
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

/// Measures everything once.
pub fn measure(rig: &Rig, tool: &Tool) -> Result<Troubles, String> {
    Ok(Troubles {
        killed: suffer(rig, tool, Server::kill, Server::start)?,
        frozen: suffer(rig, tool, Server::freeze, Server::thaw)?,
        leaving: leaving(rig, tool)?,
    })
}

type Step = fn(&Server) -> Result<(), DemoError>;

/// Runs the tool twice: one instance is left by its key during the fault, the other stays to the end.
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
    // Complete by now, unless it was visible only briefly.
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

/// A key, and the result if that ended the tool.
type Way<'k> = (&'k str, fn(Duration) -> Quit);

/// Ends the tool by its key, otherwise by Ctrl-C, as a person would.
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

/// The first line with one of [`WORDS`] that was not in it before, from the first new character, without frames and
/// gaps.
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

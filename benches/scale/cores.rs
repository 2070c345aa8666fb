//! A core for the dashboard alone: otherwise the servers, which work most with many nodes, would decide when it runs, and
//! their load would be measured as its delay.

use std::path::Path;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::support::pty::Tui;

/// The core of the dashboard; `None` if there is only one.
#[derive(Clone, Copy)]
pub struct Core(Option<usize>);

impl Core {
    /// Takes the last core from this process, and so from the servers and threads that it starts from now on.
    pub fn set_apart() -> Self {
        let ours = sched_getaffinity(None).expect("the cores of this process");
        let mut cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| ours.is_set(*core)).collect();
        let last = cores.pop().filter(|_| !cores.is_empty());
        if last.is_some() {
            let mut others = CpuSet::new();
            for core in cores {
                others.set(core);
            }
            sched_setaffinity(None, &others).expect("this process leaves a core");
        }
        Self(last)
    }

    /// Starts the dashboard on its core.
    pub fn start(self, args: &[&str], env: &[(&str, &str)]) -> Tui {
        let program = env!("CARGO_BIN_EXE_pgwatch");
        let Some(core) = self.0 else { return Tui::start(args, 120, 40, env) };
        // Of util-linux, like `setsid`.
        let (core, mut words) = (core.to_string(), vec!["--cpu-list"]);
        words.extend([core.as_str(), program]);
        words.extend(args);
        Tui::start_program(Path::new("taskset"), &words, 120, 40, env)
    }

    /// A sentence for the page.
    pub fn said(self) -> &'static str {
        match self.0 {
            Some(_) => "The dashboard has a core of its own, and the servers share the others",
            None => "The dashboard shares the only core with the servers",
        }
    }
}

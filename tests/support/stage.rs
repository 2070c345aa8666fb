//! A cluster and a dashboard that watches it, for tests of the whole program.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use pgwatch::demo::{Cluster, Server};

use super::pty::{Tui, ending};
use super::servers::{ConfigFile, assert_no_sessions, cluster};
use super::wait::{PATIENCE, SOON, wait_for};

/// The dashboard's own limit (`shutdown_timeout`), with room for a busy machine.
pub const LEAVING: Duration = Duration::from_secs(15);

/// A primary, a standby, and a dashboard that shows both as healthy.
pub struct Stage {
    // The fields are dropped in this order: the dashboard first.
    pub tui: Tui,
    pub config: ConfigFile,
    pub cluster: Cluster,
}

impl Stage {
    pub fn new() -> Self {
        let cluster = cluster().standbys(1).start().unwrap();
        let config = ConfigFile::new("", cluster.servers());
        let tui = Tui::start(&["--config", config.arg()], 120, 40, &[]);
        let stage = Self { tui, config, cluster };
        stage.wait_healthy(2);
        stage
    }

    /// Waits until this many rows of the Nodes screen say healthy.
    #[track_caller]
    pub fn wait_healthy(&self, nodes: usize) {
        self.tui.wait_for(&format!("{nodes} nodes are healthy"), PATIENCE, |screen| {
            screen.contents().lines().filter(|line| line.contains("● healthy")).count() == nodes
        });
    }

    /// Types a statement and waits until it runs on every server; returns to the Nodes screen.
    #[track_caller]
    pub fn run(&mut self, statement: &str) {
        self.tui.press(&format!(":{statement}<enter>"));
        for server in self.cluster.servers() {
            wait_for("the statement runs", SOON, || (running(server, statement) > 0).then_some(()));
        }
        self.tui.press("1");
        self.tui.wait_text("LAST MINUTE", SOON);
    }

    /// The program exits with success in time, gives the terminal back, and leaves no session.
    #[track_caller]
    pub fn assert_left_clean(&mut self) {
        assert_eq!(ending(self.tui.wait_exit(LEAVING)), "code 0", "\n{}", self.tui.screen_text());
        assert_eq!(self.tui.restored(), Ok(()));
        self.assert_no_sessions();
    }

    #[track_caller]
    pub fn assert_no_sessions(&self) {
        for server in self.cluster.servers() {
            // The sessions must end at once; a backend needs a moment after its socket closed.
            assert_no_sessions(server, Duration::from_secs(5));
        }
    }
}

/// How many of our sessions run this statement now.
pub fn running(server: &Server, statement: &str) -> u32 {
    let sql = "select count(*) from pg_stat_activity where application_name = 'pgwatch' and state = 'active'";
    server.psql(&format!("{sql} and query like '%{statement}%'")).unwrap().parse().unwrap()
}

/// The variable that asks for a dashboard that panics; its value is the configuration file.
const PANIC: &str = "PGWATCH_TEST_PANIC";

/// A dashboard in which something panics on [`panic_now`]: the test with this name, which calls
/// [`dashboard_that_panics`], is run again as a program in a terminal.
pub fn panicking(config: &ConfigFile, test: &str) -> Tui {
    let this = std::env::current_exe().unwrap();
    let args = ["--exact", test, "--nocapture"];
    Tui::start_program(&this, &args, 120, 40, &[(PANIC, config.arg()), ("RUST_BACKTRACE", "full")])
}

pub fn panic_now(config: &ConfigFile) {
    std::fs::write(config.path.with_extension("panic"), "").unwrap();
}

/// Does nothing unless [`panicking`] set the variable.
pub fn dashboard_that_panics() {
    let Ok(config) = std::env::var(PANIC) else { return };
    std::thread::spawn({
        let trigger = Path::new(&config).with_extension("panic");
        move || {
            wait_for("the trigger", PATIENCE, || trigger.exists().then_some(()));
            panic!("a panic for a test");
        }
    });
    let code = pgwatch::cli::main(["pgwatch", "--config", &config].map(Into::into));
    assert_ne!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}

//! pgwatch and the tools that it is compared with: how each is started and left, and what its screen shows once it has
//! data. `make peers` installs the others into `target/peers`; for one that could not be installed, a file says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pgwatch::demo::Server;

use crate::readings::Readings;
use crate::rig::{MAX_CONNECTIONS_SHOWN, Rig};
use crate::support::pty::Tui;

/// The role of a session that sleeps from the start: a tool that shows it has data.
pub const SLEEPER: &str = "sleeper";
/// The role of a session that starts after a fault: a tool that shows it has fresh data.
pub const ARRIVAL: &str = "arrival";

/// How long a tool may take to end.
pub const ENDING: Duration = Duration::from_secs(3);

pub struct Tool {
    pub name: &'static str,
    pub role: &'static str,
    /// As typed by a person; words in capitals are placeholders.
    pub command: &'static str,
    /// The key that ends it.
    pub quit: &'static str,
    /// False for `psql`, which is not a dashboard but the minimum of what a tool can do.
    pub full_screen: bool,
    /// What is on its screen once it shows data, and once it shows fresh data after a fault.
    pub data: &'static str,
    pub fresh: &'static str,
    /// The path of the program, or why it is missing.
    pub program: Result<PathBuf, String>,
    pub version: String,
    pub readings: Readings,
    pub troubles: Option<Troubles>,
}

/// What a tool did during each fault, and how it left.
pub struct Troubles {
    pub killed: Trouble,
    pub frozen: Trouble,
    pub leaving: Leaving,
}

pub struct Trouble {
    /// The line that reported it, and how long after the fault.
    pub told: Option<(String, Duration)>,
    /// If it ended by itself: how, and how long after the fault.
    pub ended: Option<(String, Duration)>,
    /// True if it continued to write to the terminal.
    pub drew: bool,
    pub quit: Quit,
    /// How long after the end of the fault it showed fresh data.
    pub back: Option<Duration>,
}

pub enum Quit {
    Key(Duration),
    CtrlC(Duration),
    CtrlCTwice(Duration),
    No,
    /// It had ended by then.
    Ended,
}

pub struct Leaving {
    /// How long its key took.
    pub took: Option<Duration>,
    /// Whether the terminal was restored.
    pub key: Result<(), String>,
    pub signal: Result<(), String>,
}

impl Tool {
    fn peer(name: &'static str, role: &'static str, command: &'static str) -> Self {
        let file = command.split(' ').next().unwrap_or_default();
        let program = installed(file);
        let version = program.as_deref().map_or("–".to_owned(), version);
        Self {
            name,
            role,
            command,
            quit: "q",
            full_screen: true,
            data: SLEEPER,
            fresh: ARRIVAL,
            program,
            version,
            readings: Readings::default(),
            troubles: None,
        }
    }

    /// Starts it in a terminal of 120x40.
    pub fn start(&self, rig: &Rig) -> Result<Tui, String> {
        let program = self.program.as_ref().map_err(Clone::clone)?;
        let server = rig.cluster.primary();
        let (port, password) = (server.port().to_string(), server.password().expose());
        let words = self.command.split(' ').skip(1).map(|word| {
            word.replace("HOST", server.host())
                .replace("PORT", &port)
                .replace("ROLE", self.role)
                .replace("PASSWORD", password)
                .replace("ONE.yaml", &rig.one.path())
                .replace("WATCH.sql", &rig.one.beside("watch.sql"))
        });
        let args: Vec<String> = words.collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Ok(Tui::start_program(program, &args, 120, 40, &[("PGPASSWORD", password)]))
    }

    /// Ends it by its key, or by force.
    pub fn leave(&self, mut tui: Tui) {
        tui.press(self.quit);
        tui.exit_within(ENDING);
    }

    /// Records why it could not be measured.
    pub fn failed(&mut self, why: String) {
        eprintln!("  {}: {why}", self.name);
        self.program = Err(why);
    }
}

/// pgwatch first, then its peers.
pub fn all() -> Vec<Tool> {
    let pgwatch = PathBuf::from(env!("CARGO_BIN_EXE_pgwatch"));
    let mut tools = vec![
        Tool {
            data: MAX_CONNECTIONS_SHOWN,
            fresh: "● 1 ",
            version: version(&pgwatch),
            program: Ok(pgwatch),
            ..Tool::peer("pgwatch", "pgwatch", "pgwatch --config ONE.yaml")
        },
        Tool::peer("pg_activity", "peer_activity", "pg_activity -h HOST -p PORT -U ROLE -d postgres --refresh 1"),
        Tool::peer("pg_glimpse", "peer_glimpse", "pg_glimpse -H HOST -p PORT -U ROLE -d postgres -r 1"),
        Tool::peer(
            "pgmon",
            "peer_mon",
            "pgmon --dsn postgresql://ROLE:PASSWORD@HOST:PORT/postgres?sslmode=disable --refresh-ms 1000",
        ),
        Tool::peer("pg_top", "peer_top", "pg_top -h HOST -p PORT -U ROLE -d postgres -s 1"),
    ];
    let psql = Tool::peer("psql \\watch", "peer_psql", "psql -X -h HOST -p PORT -U ROLE -d postgres -f WATCH.sql");
    tools.push(Tool { quit: "<c-c>", full_screen: false, ..psql });
    tools
}

/// The query that `psql` repeats: all sessions and what they do.
const WATCH_SQL: &str = "select pid, usename, datname, state, wait_event, xact_start, query_start, left(query, 20) \
                             from pg_stat_activity \\watch 1\n";

/// Creates the roles and the file that the tools need.
pub fn prepare(rig: &Rig) {
    create_roles(rig.cluster.primary());
    fs::write(rig.one.beside("watch.sql"), WATCH_SQL).expect("the file is written");
}

/// Creates a role for each tool but pgwatch, whose role exists, and for each session that the tools must show.
fn create_roles(server: &Server) {
    let password = server.password().expose();
    for tool in all().iter().filter(|tool| tool.role != "pgwatch") {
        let sql = format!("create role {} login password '{password}' in role pg_monitor", tool.role);
        server.psql(&sql).expect("a role");
    }
    for role in [SLEEPER, ARRIVAL] {
        server.psql(&format!("create role {role} login password '{password}'")).expect("a role");
    }
}

fn installed(file: &str) -> Result<PathBuf, String> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let program = peers.join("bin").join(file);
    if program.exists() {
        return Ok(program);
    }
    let why = fs::read_to_string(peers.join(format!("{file}.why")));
    Err(why.map_or("`make peers` has not run".to_owned(), |why| why.trim().to_owned()))
}

/// The first word of `--version` that starts with a digit.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or("?").to_owned()
}

/// A session of that role that sleeps until this value is dropped.
pub struct Session<'s> {
    server: &'s Server,
    role: &'static str,
    client: Child,
}

impl<'s> Session<'s> {
    pub fn start(server: &'s Server, role: &'static str) -> Self {
        let client = Command::new("psql")
            .args(["-X", "-h", server.host(), "-p", &server.port().to_string(), "-U", role, "-d", "postgres"])
            .args(["-c", "select pg_sleep(3600)"])
            .env("PGPASSWORD", server.password().expose())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql");
        Self { server, role, client }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // A sleeping backend does not notice that its client has disconnected.
        let role = self.role;
        let sql = format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'");
        let _ = self.server.psql(&sql);
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

//! A case is a script for a fake server and the error that pgwatch must report. The table is in `before.rs` (the
//! session is never established) and `during.rs`.

use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openssl::ssl::SslAcceptor;
use pgwatch::demo::Server;
use pgwatch::model::{NodeConfig, NodeName, PasswordSource, Secret, SslMode};

use crate::support::fake::{Act, Fake, Script, Stage};
use crate::support::servers::ConfigFile;

/// How long a fake server may take until the session is open.
pub const CONNECT: Duration = Duration::from_secs(4);
/// The time limit of the user's statement.
pub const QUERY: Duration = Duration::from_secs(10);
/// The time limit for a large result, on a busy machine.
const LARGE: Duration = Duration::from_secs(30);
/// The user's statement; the fake servers recognise it by its last word.
pub const STATEMENT: &str = "select 1 as hostile";

/// One way to be hostile.
pub struct Case {
    pub name: &'static str,
    script: Arc<Script>,
    /// The kind of the error; `ok` if there is none.
    pub kind: &'static str,
    /// A part of its text.
    pub says: &'static str,
    /// A result of the largest allowed size, measured alone.
    pub is_large: bool,
}

/// A case without TLS.
pub fn case(name: &'static str, stage: Stage, acts: Vec<Act>, kind: &'static str, says: &'static str) -> Case {
    let script = Arc::new(Script { stage, acts, cancel: Vec::new(), tls: None });
    Case { name, script, kind, says, is_large: false }
}

impl Case {
    pub fn with_tls(mut self, acceptor: SslAcceptor) -> Self {
        Arc::get_mut(&mut self.script).unwrap().tls = Some(acceptor);
        self
    }

    pub fn with_cancel(mut self, acts: Vec<Act>) -> Self {
        Arc::get_mut(&mut self.script).unwrap().cancel = acts;
        self
    }

    pub fn large(self) -> Self {
        Self { is_large: true, ..self }
    }

    pub fn stage(&self) -> Stage {
        self.script.stage
    }

    /// True if no session ever lasts, so that the node is down.
    pub fn is_down(&self) -> bool {
        use Stage::{AfterProbe, First, Hello, Password, Probe, Startup};
        self.kind != "ok" && matches!(self.stage(), Hello | Startup | Password | First | Probe | AfterProbe)
    }

    /// True if the fault appears in the answer to the user's statement.
    pub fn is_asked(&self) -> bool {
        matches!(self.stage(), Stage::Pool | Stage::Prepare | Stage::Query)
    }

    fn sslmode(&self) -> SslMode {
        let asks = self.script.tls.is_some() || self.stage() == Stage::Hello;
        if asks { SslMode::Require } else { SslMode::Disable }
    }
}

/// The whole table.
pub fn all() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| crate::before::cases().into_iter().chain(crate::during::cases()).collect())
}

/// A case with its running server.
pub struct Running {
    pub case: &'static Case,
    fake: Fake,
}

impl Running {
    pub fn start(cases: impl Iterator<Item = &'static Case>) -> Vec<Self> {
        cases.map(|case| Self { case, fake: Fake::start(Arc::clone(&case.script)) }).collect()
    }

    pub fn node(&self) -> NodeConfig {
        let mut node = NodeConfig::new(NodeName::parse(self.case.name).unwrap(), "127.0.0.1");
        node.port = self.fake.port();
        "pgwatch".clone_into(&mut node.user);
        node.password = PasswordSource::Given(Secret::new("secret"));
        node.tls.mode = self.case.sslmode();
        (node.pool.min, node.pool.connect_timeout) = (1, CONNECT);
        node.health.timeout = Duration::from_secs(1);
        node.health.slow_after = Duration::from_millis(900);
        node
    }

    /// Its line in a configuration file.
    fn line(&self) -> String {
        format!(
            "  {}: {{host: 127.0.0.1, port: {}, user: pgwatch, password: secret, sslmode: {}, \
             pool: {{min: 1, connect_timeout: {}s}}}}\n",
            self.case.name,
            self.fake.port(),
            self.case.sslmode().as_str(),
            CONNECT.as_secs()
        )
    }
}

/// A file with real servers first and fake ones after them. A machine that runs all of them may be late, so a probe may
/// take its whole interval; nothing else is excused.
pub fn config<'a>(real: impl IntoIterator<Item = &'a Server>, fake: &[Running]) -> ConfigFile {
    let is_large = fake.iter().any(|running| running.case.is_large && running.case.kind == "ok");
    let query = if is_large { LARGE } else { QUERY }.as_secs();
    let head = format!("query_timeout: {query}s\ndefaults: {{health: {{timeout: 1s, slow_after: 900ms}}}}\n");
    let file = ConfigFile::new(&head, real);
    let mut text = fs::read_to_string(&file.path).unwrap();
    for running in fake {
        write!(text, "{}", running.line()).unwrap();
    }
    fs::write(&file.path, text).unwrap();
    file
}

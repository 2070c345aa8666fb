//! A network of our own. If allowed to, the whole command runs in a network namespace, so that packets can be dropped
//! and links can go down without any effect outside. If not, a proxy disturbs the connections instead, and the table
//! says so.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

/// Set inside the namespace.
const INSIDE: &str = "PGWATCH_FAULTS_NAMESPACE";

/// The programs that are needed, and their packages.
const PROGRAMS: [(&str, &str); 3] = [("unshare", "util-linux"), ("ip", "iproute2"), ("nft", "nftables")];

/// Restarts this program inside a namespace, unless it is in one already. The error is why that is impossible.
pub fn enter() -> Result<(), String> {
    if is_inside() {
        run("ip", &["link", "set", "lo", "up"])?;
        return run("nft", &["add", "table", "inet", "faults"]);
    }
    if !rustix::process::geteuid().is_root() {
        return Err("not root".to_owned());
    }
    for (program, package) in PROGRAMS {
        run(program, &["--version"])
            .or_else(|_| run(program, &["-V"]))
            .map_err(|_| format!("no {program} ({package})"))?;
    }
    run("unshare", &["--net", "--mount", "true"])?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let error = Command::new("unshare")
        .args(["--net", "--mount"])
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(error.to_string())
}

pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// An error if we are not in a namespace, for faults that need one.
pub fn needed() -> Result<(), String> {
    if is_inside() { Ok(()) } else { Err("needs a network namespace".to_owned()) }
}

/// Runs a program to its end; the error is its own message.
pub fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// Drops incoming packets of a port by rules of nftables, until the value is dropped.
pub struct Drops {
    chain: String,
}

impl Drops {
    /// Each rule is an nftables match, such as `tcp dport PORT` for packets to the server.
    pub fn new(port: u16, rules: &[String]) -> Self {
        let chain = format!("port{port}");
        // On input: dropping a packet on output is an error for the sender.
        let add = ["add", "chain", "inet", "faults", &chain, "{ type filter hook input priority 0 ; }"];
        run("nft", &add).expect("a chain");
        for rule in rules {
            let mut words = vec!["add", "rule", "inet", "faults", &chain];
            words.extend(rule.split(' '));
            words.push("drop");
            run("nft", &words).expect("a rule");
        }
        Self { chain }
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        for order in ["flush", "delete"] {
            let done = run("nft", &[order, "chain", "inet", "faults", &self.chain]);
            if let Err(error) = done {
                eprintln!("{error}");
            }
        }
    }
}

/// A namespace inside ours, connected by a cable (a pair of virtual interfaces) for each node.
pub struct Link {
    number: u8,
    namespace: String,
    cables: usize,
}

impl Link {
    pub fn new(cables: usize) -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let link = Self { number, namespace: format!("pgwatch-faults-{}-{number}", std::process::id()), cables };
        link.lay().expect("links");
        link
    }

    fn lay(&self) -> Result<(), String> {
        let namespace = &self.namespace;
        run("ip", &["netns", "add", namespace])?;
        run("ip", &["-n", namespace, "link", "set", "lo", "up"])?;
        for cable in 0..self.cables {
            let (ours, theirs) = (self.end(cable), format!("w{}x{cable}", self.number));
            run("ip", &["link", "add", &ours, "type", "veth", "peer", "name", &theirs, "netns", namespace])?;
            let net = |host: u8| format!("10.77.{}.{}/30", self.number, cable as u8 * 4 + host);
            run("ip", &["addr", "add", &net(1), "dev", &ours])?;
            run("ip", &["-n", namespace, "addr", "add", &net(2), "dev", &theirs])?;
            run("ip", &["link", "set", &ours, "up"])?;
            run("ip", &["-n", namespace, "link", "set", &theirs, "up"])?;
        }
        Ok(())
    }

    /// The server's end of a cable.
    fn end(&self, cable: usize) -> String {
        format!("s{}x{cable}", self.number)
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The address of a server from inside.
    pub fn address(&self, cable: usize) -> String {
        format!("10.77.{}.{}", self.number, cable * 4 + 1)
    }

    /// Sets the server's end of a cable down or up.
    pub fn set(&self, cable: usize, way: &str) {
        run("ip", &["link", "set", &self.end(cable), way]).expect("the link moves");
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for cable in 0..self.cables {
            let _ = run("ip", &["link", "delete", &self.end(cable)]);
        }
        let _ = run("ip", &["netns", "delete", &self.namespace]);
    }
}

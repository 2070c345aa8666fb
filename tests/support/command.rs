//! Runs the commands as a script does, and keeps what they printed.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use pgwatch::demo::{Cluster, Server};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::servers::{ConfigFile, NOBODY, cluster};

/// `pgwatch` with an empty home and none of our environment.
pub fn pgwatch(args: &[&str]) -> Command {
    static HOME: OnceLock<TempDir> = OnceLock::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgwatch"));
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", HOME.get_or_init(|| tempfile::tempdir().unwrap()).path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub fn run(args: &[&str]) -> Output {
    pgwatch(args).output().unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by signal {:?}", output.status.signal()))
}

pub fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The single object that a command printed, and its exit code.
#[track_caller]
pub fn object(args: &[&str]) -> (Value, i32) {
    let output = run(args);
    let value = serde_json::from_str(out(&output)).unwrap_or_else(|e| panic!("{e}: {} {}", out(&output), err(&output)));
    (value, code(&output))
}

pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The value of `key` for each node.
pub fn each<'a>(report: &'a Value, key: &str) -> Vec<&'a Value> {
    report["nodes"].as_array().unwrap().iter().map(|node| &node[key]).collect()
}

/// Servers that no test changes: a primary, two standbys, and one that replicates from the first of them.
pub fn servers() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| cluster().standbys(2).cascade().start().unwrap())
}

/// A file with this text.
pub fn file(text: &str) -> ConfigFile {
    let file = ConfigFile::new("", []);
    fs::write(&file.path, text).unwrap();
    file
}

/// The file's nodes, and a node `dead` on a port where nothing listens.
pub fn with_dead(file: ConfigFile) -> ConfigFile {
    let text = fs::read_to_string(&file.path).unwrap();
    fs::write(&file.path, format!("{text}  dead: {{host: 127.0.0.1, port: {NOBODY}, user: pgwatch}}\n")).unwrap();
    file
}

pub fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

pub fn working(server: &Server) -> usize {
    let sql = "select count(*) from pg_stat_activity where application_name = 'pgwatch' and query ~ 'pg_sleep' \
               and state = 'active'";
    server.psql(sql).unwrap().parse().unwrap()
}

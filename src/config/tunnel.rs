//! `tunnel:`, `ssh:` and `kubernetes:` of a node: the way to its server.

use super::diagnostic::{At, Diagnostics};
use super::walk::{self, Section};
use super::yaml::Entry;
use crate::model::tunnel::{LocalEnd, TunnelError};
use crate::model::{Host, TunnelConfig};

const KEYS: [&str; 3] = ["tunnel", "ssh", "kubernetes"];
/// What `tunnel:` says where a node is reached directly, whatever the defaults say.
const NONE: &str = "none";

/// The way to a server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    /// `None`: directly.
    pub tunnel: Option<TunnelConfig>,
    /// The service or pod: the host, unless another one is given.
    pub host: Option<String>,
}

impl Way {
    fn through(tunnel: TunnelConfig) -> Self {
        Self { tunnel: Some(tunnel), host: None }
    }
}

/// The host that a tunnel names: where to find its password, and what its certificate is for.
pub(super) fn host(way: &At<Way>) -> Option<At<Vec<String>>> {
    way.value.host.clone().map(|host| At::new(vec![host], way.position))
}

/// The way that these keys describe, if they do.
pub(super) fn read(keys: Section<'_>, report: &mut Diagnostics) -> Option<At<Way>> {
    let given: Vec<&Entry> = KEYS.iter().filter_map(|key| keys.get(key)).collect();
    if let [first, others @ ..] = given.as_slice() {
        for other in others {
            report.problem(other.position, format!("{} and {} are both given: keep one", first.key, other.key));
        }
    }
    let way = keys.read("tunnel", report, command);
    way.or_else(|| keys.read("ssh", report, ssh)).or_else(|| keys.read("kubernetes", report, kubernetes))
}

fn command(entry: &Entry, report: &mut Diagnostics) -> Option<Way> {
    let text = walk::filled(entry, report)?;
    if text.trim() == NONE {
        return Some(Way { tunnel: None, host: None });
    }
    right(entry, TunnelConfig::new(text.trim()), report).map(Way::through)
}

fn ssh(entry: &Entry, report: &mut Diagnostics) -> Option<Way> {
    let bastion = walk::filled(entry, report)?;
    right(entry, TunnelConfig::ssh(bastion.trim()), report).map(Way::through)
}

fn kubernetes(entry: &Entry, report: &mut Diagnostics) -> Option<Way> {
    let keys = walk::section(entry, &["context", "namespace", "service", "pod", "port"], &[], report);
    let text = |key: &str, report: &mut Diagnostics| keys.read(key, report, walk::filled).map(|at| at.value);
    let context = text("context", report);
    let namespace = text("namespace", report);
    let service = text("service", report);
    let pod = text("pod", report);
    let port = keys.read("port", report, walk::port).map(|at| at.value);
    let (target, host) = match (service, pod) {
        (Some(service), None) => (format!("svc/{service}"), service),
        (None, Some(pod)) => (format!("pod/{pod}"), pod),
        (Some(_), Some(_)) => {
            report.problem(entry.position, "kubernetes: service and pod are both given: keep one");
            return None;
        }
        (None, None) => {
            let is_there = keys.get("service").or(keys.get("pod")).is_some();
            if !is_there {
                report.problem(entry.position, "kubernetes names neither a service nor a pod: add service: or pod:");
            }
            return None;
        }
    };
    let tunnel = TunnelConfig::kubernetes(context.as_deref(), namespace.as_deref(), &target, port);
    right(entry, tunnel, report).map(|tunnel| Way { tunnel: Some(tunnel), host: Some(host) })
}

fn right(entry: &Entry, tunnel: Result<TunnelConfig, TunnelError>, report: &mut Diagnostics) -> Option<TunnelConfig> {
    match tunnel {
        Ok(tunnel) => Some(tunnel),
        Err(error) => {
            report.problem(entry.value.position, format!("{}: {error}", entry.key));
            None
        }
    }
}

/// Why this tunnel cannot lead to that server.
pub(super) fn refused(tunnel: &TunnelConfig, host: &Host) -> Option<String> {
    if host.addr.is_none() && host.name.starts_with(['/', '@']) && tunnel.local_end() == LocalEnd::Socks {
        let name = tunnel.name();
        return Some(format!(
            "{name} reaches servers by name or address, and host is the directory of a unix socket: use tunnel: with \
             a command that forwards {{socket}} to it"
        ));
    }
    tunnel.for_server(host).err().map(|error| format!("tunnel: {error}"))
}

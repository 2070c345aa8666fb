//! A tunnel before a node: the command that makes its server reachable, as text. Pure.

use std::fmt;

use super::Host;

/// A command for `sh -c` that opens a local end through which a server is reached, and runs while it is needed.
///
/// `{host}` and `{port}` stand for the server. One of `{socket}`, `{local_port}` and `{socks}` stands for the local end,
/// which pgwatch chooses each time it starts the command. Nodes share a tunnel if their commands are equal once host and
/// port are filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct TunnelConfig {
    name: String,
    command: String,
    is_shorthand: bool,
}

/// What kind of local end a command opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalEnd {
    /// `{socket}`: the path of a unix socket that leads to the server.
    Socket,
    /// `{local_port}`: a port of 127.0.0.1 that leads to the server.
    Port,
    /// `{socks}`: the path of a unix socket that speaks SOCKS 5 and leads to any server.
    Socks,
}

impl LocalEnd {
    const ALL: [Self; 3] = [Self::Socket, Self::Port, Self::Socks];

    fn placeholder(self) -> &'static str {
        match self {
            Self::Socket => "{socket}",
            Self::Port => "{local_port}",
            Self::Socks => "{socks}",
        }
    }
}

/// What is wrong with a command, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelError(String);

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TunnelError {}

impl TunnelConfig {
    /// The tunnel of this command.
    ///
    /// # Errors
    /// An unknown placeholder, or none or several for the local end.
    pub fn new(command: impl Into<String>) -> Result<Self, TunnelError> {
        let command = command.into();
        let mut ends: Vec<&str> = Vec::new();
        for (_, placeholder) in placeholders(&command) {
            if LocalEnd::ALL.iter().any(|end| end.placeholder() == placeholder) {
                ends.push(placeholder);
            } else if !["{host}", "{port}"].contains(&placeholder) {
                return Err(TunnelError(format!(
                    "{placeholder} is unknown: write {{host}} and {{port}} for the server, and {{socket}}, {{local_port}} \
                     or {{socks}} for the local end"
                )));
            }
        }
        ends.sort_unstable();
        ends.dedup();
        match ends.as_slice() {
            [_] => Ok(Self { name: program(&command).to_owned(), command, is_shorthand: false }),
            [] => Err(TunnelError(
                "the command has no local end: write {socket}, {local_port} or {socks} where it is told to listen"
                    .to_owned(),
            )),
            several => Err(TunnelError(format!("{} are several local ends: keep one", several.join(" and ")))),
        }
    }

    /// `ssh` to this host, with the user's own configuration and agent: one process for all servers behind it.
    ///
    /// # Errors
    /// If it is not a name that `ssh` and a shell take as it is.
    pub fn ssh(bastion: &str) -> Result<Self, TunnelError> {
        plain(bastion)?;
        // A master that lives on in the background would outlive pgwatch, and cannot serve a unix socket.
        let command = format!(
            "ssh -N -T -D {{socks}} -o BatchMode=yes -o ExitOnForwardFailure=yes -o ConnectTimeout=10 \
             -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o ControlMaster=no -o ControlPath=none -- {bastion}"
        );
        Ok(Self { name: format!("ssh {bastion}"), command, is_shorthand: true })
    }

    /// `kubectl port-forward` to a service or a pod, `svc/NAME` or `pod/NAME`. `port` is the node's own if `None`.
    ///
    /// # Errors
    /// If a part is not a name that `kubectl` and a shell take as it is.
    pub fn kubernetes(
        context: Option<&str>,
        namespace: Option<&str>,
        target: &str,
        port: Option<u16>,
    ) -> Result<Self, TunnelError> {
        let mut command = "kubectl".to_owned();
        for (flag, value) in [("--context", context), ("--namespace", namespace)] {
            if let Some(value) = value {
                plain(value)?;
                command = format!("{command} {flag} {value}");
            }
        }
        plain(target)?;
        let port = port.map_or_else(|| "{port}".to_owned(), |port| port.to_string());
        let command = format!("{command} port-forward --address 127.0.0.1 {target} {{local_port}}:{port}");
        Ok(Self { name: format!("kubectl {target}"), command, is_shorthand: true })
    }

    /// What messages call it: `ssh bastion`, `kubectl svc/db`, or the program that the command runs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The command that a shorthand stands for, with all placeholders. `None` for a command of the user's own, which may
    /// contain a secret.
    pub fn stands_for(&self) -> Option<&str> {
        self.is_shorthand.then_some(self.command.as_str())
    }

    /// What it opens.
    pub fn local_end(&self) -> LocalEnd {
        let has = |end: &LocalEnd| placeholders(&self.command).any(|(_, found)| found == end.placeholder());
        LocalEnd::ALL.into_iter().find(has).unwrap_or(LocalEnd::Socket)
    }

    /// The command for this server, with the local end still to be filled in. Nodes with the same one share a tunnel.
    ///
    /// # Errors
    /// If the host contains characters that a shell may act on.
    pub fn for_server(&self, host: &Host) -> Result<String, TunnelError> {
        if placeholders(&self.command).any(|(_, placeholder)| placeholder == "{host}") {
            plain(&host.target()).map_err(|TunnelError(why)| TunnelError(format!("{{host}}: {why}")))?;
        }
        Ok(filled(&self.command, |placeholder| match placeholder {
            "{host}" => Some(host.target()),
            "{port}" => Some(host.port.to_string()),
            _ => None,
        }))
    }
}

impl fmt::Debug for TunnelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A command of [`TunnelConfig::for_server`] with its local end filled in.
pub fn with_local_end(command: &str, end: &str) -> String {
    filled(command, |placeholder| {
        LocalEnd::ALL.iter().any(|end| end.placeholder() == placeholder).then(|| end.to_owned())
    })
}

/// A value that a command line takes as it is, whatever quotes are around it: no character that a shell acts on, and no
/// `-` at its beginning, which would make it an option. Values are refused rather than quoted, since quotes that are
/// right outside of quotes are wrong inside of them.
fn plain(value: &str) -> Result<(), TunnelError> {
    if value.starts_with('-') {
        return Err(TunnelError("a name that begins with - would be read as an option".to_owned()));
    }
    let is_plain = |c: char| c.is_alphanumeric() || "._-:/@%+,".contains(c);
    if value.is_empty() || !value.chars().all(is_plain) {
        return Err(TunnelError(
            "the name cannot be put into a command: it may contain letters, digits and . _ - : / @ % + , only"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The first word of a command, without its folder and without assignments before it.
fn program(command: &str) -> &str {
    let word = command.split_whitespace().find(|word| *word != "exec" && !word.contains('=')).unwrap_or("sh");
    word.rsplit('/').next().unwrap_or(word)
}

/// Where placeholders begin, and each of them: `{word}` of small letters and `_`, unless `$` is before it, which makes it
/// a variable of the shell.
fn placeholders(command: &str) -> impl Iterator<Item = (usize, &str)> {
    command.match_indices('{').filter_map(|(at, _)| {
        let (before, rest) = command.split_at_checked(at)?;
        let (inside, _) = rest.get(1..)?.split_once('}')?;
        let is_word = !inside.is_empty() && inside.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (is_word && !before.ends_with('$'))
            .then(|| rest.split_at_checked(inside.len() + 2))?
            .map(|(found, _)| (at, found))
    })
}

/// The command with the placeholders that `value` knows replaced, once.
fn filled(command: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(command.len());
    let mut done = 0;
    for (at, placeholder) in placeholders(command) {
        if let Some(value) = value(placeholder) {
            out.push_str(command.get(done..at).unwrap_or_default());
            out.push_str(&value);
            done = at + placeholder.len();
        }
    }
    out.push_str(command.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(name: &str, port: u16) -> Host {
        Host { name: name.to_owned(), addr: None, port }
    }

    #[test]
    fn a_command_has_one_local_end_and_no_unknown_placeholder() {
        for (command, end) in [
            ("ssh -N -L {socket}:{host}:{port} bastion", LocalEnd::Socket),
            ("kubectl port-forward svc/db {local_port}:{port}", LocalEnd::Port),
            ("socat TCP-LISTEN:{local_port},bind=127.0.0.1,fork TCP:{host}:{port} # {local_port}", LocalEnd::Port),
            ("ssh -N -D {socks} bastion", LocalEnd::Socks),
            ("x=${x:-y} awk '{print $1} {}' ${socket} {socket}", LocalEnd::Socket),
        ] {
            assert_eq!(TunnelConfig::new(command).unwrap().local_end(), end, "{command}");
        }
        for (command, why) in [
            ("ssh -L 5433:{host}:{port} bastion", "no local end"),
            ("ssh -L {socket}:{host}:{prt} bastion", "{prt} is unknown"),
            ("x {socket} {local_port}", "several local ends"),
            ("ssh ${socket}", "no local end"),
            ("", "no local end"),
        ] {
            let error = TunnelConfig::new(command).unwrap_err().to_string();
            assert!(error.contains(why), "{command}: {error}");
        }
    }

    #[test]
    fn messages_call_a_tunnel_by_its_program() {
        for (command, name) in [
            ("cloud-sql-proxy --port {local_port} p:r:i", "cloud-sql-proxy"),
            ("KUBECONFIG=/x exec /usr/bin/kubectl port-forward svc/db {local_port}:5432", "kubectl"),
        ] {
            assert_eq!(TunnelConfig::new(command).unwrap().name(), name);
        }
        assert_eq!(TunnelConfig::ssh("me@bastion").unwrap().name(), "ssh me@bastion");
    }

    #[test]
    fn shorthands_are_commands() {
        let ssh = TunnelConfig::ssh("me@bastion").unwrap();
        assert_eq!(ssh.local_end(), LocalEnd::Socks);
        assert_eq!(
            ssh.for_server(&host("db1", 5432)).unwrap(),
            ssh.for_server(&host("db2", 5433)).unwrap(),
            "one for all servers"
        );
        let kubernetes = TunnelConfig::kubernetes(Some("prod"), Some("db"), "svc/pg-rw", None).unwrap();
        assert_eq!(
            with_local_end(&kubernetes.for_server(&host("pg-rw", 5432)).unwrap(), "40000"),
            "kubectl --context prod --namespace db port-forward --address 127.0.0.1 svc/pg-rw 40000:5432"
        );
        for tunnel in [ssh, kubernetes] {
            assert_eq!(TunnelConfig::new(tunnel.stands_for().unwrap()).unwrap().local_end(), tunnel.local_end());
        }
        for bad in ["", "-oProxyCommand=id", "a b", "a;id", "$(id)", "`id`", "a\nb", "'a'", "a|b", "~", "a*"] {
            assert!(TunnelConfig::ssh(bad).is_err(), "{bad}");
            assert!(TunnelConfig::kubernetes(None, Some(bad), "svc/a", None).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever the host is: the command stays one simple command in every kind of quotes.
        #[test]
        fn no_host_reaches_the_shell_as_more_than_text(name in "\\PC*") {
            let tunnel = TunnelConfig::new("x {socket} {host} '{host}' \"{host}\"").unwrap();
            if let Ok(command) = tunnel.for_server(&host(&name, 1)) {
                prop_assert!(!name.contains(['\'', '"', '\\', '$', '`', ';', '&', '|', '<', '>', '(', ')', ' ', '*', '?', '[', '~', '#', '!', '\n']));
                prop_assert_eq!(command, format!("x {{socket}} {name} '{name}' \"{name}\""));
            }
        }

        #[test]
        fn no_command_panics(command in "\\PC*[{}$a-z_]*\\PC*") {
            if let Ok(tunnel) = TunnelConfig::new(command) {
                let _ = (tunnel.local_end(), with_local_end(&tunnel.for_server(&host("h", 1)).unwrap_or_default(), "/x"));
            }
        }
    }
}

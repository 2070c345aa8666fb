//! What the configuration reads from the process: variables, the home folder, the user's name. Passed in, so that tests
//! need no process of their own.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::model::{NodeConfig, PasswordSource, RootCert};

/// The environment of a configuration. `Debug` lists the variables without their values, which may be secrets.
#[derive(Clone, Default)]
pub struct Environment {
    vars: HashMap<String, OsString>,
    home: Option<PathBuf>,
    user: Option<String>,
}

impl Environment {
    /// Nothing set at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The environment of this process.
    pub fn of_process() -> Self {
        let vars: HashMap<String, OsString> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
        let account = account_of(rustix::process::geteuid().as_raw());
        let named = |name: &str| Some(vars.get(name).filter(|value| !value.is_empty())?.to_str()?.to_owned());
        Self {
            home: named("HOME").map(PathBuf::from).or_else(|| account.as_ref().map(|(_, home)| home.clone())),
            user: account.map(|(name, _)| name).or_else(|| named("USER")).or_else(|| named("LOGNAME")),
            vars,
        }
    }

    /// The same with one variable more.
    #[must_use]
    pub fn with_var(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// The same with another home folder.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// The same with another user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The value of a variable, which may be empty; `None` if it is unset or not UTF-8.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(OsString::as_os_str).and_then(OsStr::to_str)
    }

    /// The bytes of a variable, which need not be UTF-8; `None` if it is unset.
    pub fn var_bytes(&self, name: &str) -> Option<&[u8]> {
        self.vars.get(name).map(|value| value.as_bytes())
    }

    /// The value of a variable, `None` if it is unset or empty: how libpq reads its own.
    pub fn filled_var(&self, name: &str) -> Option<&str> {
        self.var(name).filter(|value| !value.is_empty())
    }

    /// The home folder, if one is known.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The name of the account that the process runs as: the default role, as with psql.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// `path` with a leading `~` or `~user` replaced by that home folder, as a shell does. A path without one stays as
    /// it is.
    pub fn expand_home(&self, path: &str) -> PathBuf {
        let Some(after) = path.strip_prefix('~') else { return PathBuf::from(path) };
        let (user, rest) = after.split_once('/').unwrap_or((after, ""));
        let home = if user.is_empty() { self.home.clone() } else { home_of(user) };
        match home {
            Some(home) if rest.is_empty() => home,
            Some(home) => home.join(rest),
            None => PathBuf::from(path),
        }
    }

    /// [`Self::expand_home`] for a path of the command line, which need not be UTF-8.
    pub fn expand(&self, path: &Path) -> PathBuf {
        path.to_str().map_or_else(|| path.to_owned(), |text| self.expand_home(text))
    }

    /// [`Self::expand_home`] for every file of a node, for nodes that were typed and not read from a file.
    pub fn expand_node(&self, node: &mut NodeConfig) {
        let tls = &mut node.tls;
        let root = match &mut tls.root_cert {
            Some(RootCert::File(path)) => Some(path),
            Some(RootCert::System) | None => None,
        };
        let passfile = match &mut node.password {
            PasswordSource::File(path) => Some(path),
            _ => None,
        };
        let (crl, crl_dir) = (tls.crl.as_mut(), tls.crl_dir.as_mut());
        for path in [root, tls.cert.as_mut(), tls.key.as_mut(), crl, crl_dir, passfile].into_iter().flatten() {
            *path = self.expand(path);
        }
    }
}

/// `$XDG_CONFIG_HOME/pgwatch/config.yaml`, or `~/.config/pgwatch/config.yaml` without the variable. It need not
/// exist. `None` if no home folder is known.
pub fn default_path(env: &Environment) -> Option<PathBuf> {
    // By the XDG rules, a relative path in the variable is ignored.
    let base = env.filled_var("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(env.home()?.join(".config"))).map(|base| base.join("pgwatch/config.yaml"))
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&String> = self.vars.keys().collect();
        names.sort();
        f.debug_struct("Environment").field("vars", &names).field("home", &self.home).field("user", &self.user).finish()
    }
}

/// The name of the account with this number, from `/etc/passwd`.
pub(crate) fn name_of_account(uid: u32) -> Option<String> {
    account_of(uid).map(|(name, _)| name)
}

/// Name and home of an account, from `/etc/passwd`.
fn account_of(uid: u32) -> Option<(String, PathBuf)> {
    account(|_, id| id.parse() == Ok(uid))
}

fn home_of(user: &str) -> Option<PathBuf> {
    account(|name, _| name == user).map(|(_, home)| home)
}

fn account(wanted: impl Fn(&str, &str) -> bool) -> Option<(String, PathBuf)> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let name = *fields.first()?;
        wanted(name, fields.get(2)?).then(|| Some((name.to_owned(), PathBuf::from(fields.get(5)?))))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value() {
        let env = Environment::empty().with_var("PGPASSWORD", "hunter2");
        let text = format!("{env:?}");
        assert!(text.contains("PGPASSWORD") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_tilde_is_a_home_folder() {
        let env = Environment::empty().with_home("/home/me");
        for (path, expanded) in [
            ("~", "/home/me"),
            ("~/", "/home/me"),
            ("~/a.csv", "/home/me/a.csv"),
            ("~root", "/root"),
            ("~root/a", "/root/a"),
            ("~no-such-user/a", "~no-such-user/a"),
            ("/a/~/b", "/a/~/b"),
            ("a~", "a~"),
            ("", ""),
        ] {
            assert_eq!(env.expand_home(path), Path::new(expanded), "{path}");
        }
    }

    #[test]
    fn this_process_has_a_user() {
        assert!(Environment::of_process().user().is_some());
    }
}

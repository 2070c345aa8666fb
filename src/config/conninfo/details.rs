//! The keywords of libpq that few connection strings have, and what they change in a node.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{AuthMethods, NodeConfig, SessionAttrs, SslMode, TcpConfig, TlsVersion};

/// Rare settings; `None` where nothing is set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Details {
    /// `target_session_attrs`.
    pub session_attrs: Option<SessionAttrs>,
    /// `load_balance_hosts`: true for `random`.
    pub random_order: Option<bool>,
    /// `keepalives` and its siblings, and `tcp_user_timeout`.
    pub tcp: TcpConfig,
    /// `options`.
    pub options: Option<String>,
    /// `require_auth`.
    pub require_auth: Option<AuthMethods>,
    /// `requirepeer`.
    pub require_peer: Option<String>,
    /// `ssl_min_protocol_version`.
    pub min_version: Option<TlsVersion>,
    /// `ssl_max_protocol_version`.
    pub max_version: Option<TlsVersion>,
    /// `sslnegotiation`: true for `direct`.
    pub direct: Option<bool>,
    /// `sslsni`.
    pub sni: Option<bool>,
    /// `sslcertmode`: false for `disable`.
    pub shows_cert: Option<bool>,
    /// `sslcrl`, as written.
    pub crl: Option<PathBuf>,
    /// `sslcrldir`, as written.
    pub crl_dir: Option<PathBuf>,
    /// The keywords that may promise what pgwatch cannot keep; `None` if this value does not.
    pub promises: BTreeMap<&'static str, Option<&'static str>>,
}

impl Details {
    /// Sets one keyword; `Ok(false)` if it is none of these. An empty value sets nothing, as with libpq.
    pub(super) fn set(&mut self, keyword: &str, value: &str) -> Result<bool, String> {
        match keyword {
            _ if value.is_empty() => return Ok(KEYWORDS.contains(&keyword)),
            "target_session_attrs" => {
                let allowed = SessionAttrs::ALL.map(SessionAttrs::as_str);
                self.session_attrs = Some(SessionAttrs::parse(value).ok_or_else(|| one_of(keyword, &allowed))?);
            }
            "load_balance_hosts" => self.random_order = Some(choice(keyword, value, "disable", "random")?),
            "keepalives" => self.tcp.keepalives = Some(number(keyword, value)? != 0),
            "keepalives_idle" => self.tcp.keepalives_idle = seconds(keyword, value)?,
            "keepalives_interval" => self.tcp.keepalives_interval = seconds(keyword, value)?,
            "keepalives_count" => self.tcp.keepalives_count = Some(number(keyword, value)?).filter(|count| *count > 0),
            "tcp_user_timeout" => {
                let millis = number(keyword, value)?;
                self.tcp.user_timeout = (millis > 0).then(|| Duration::from_millis(millis.into()));
            }
            "options" => self.options = Some(value.to_owned()),
            "require_auth" => self.require_auth = Some(auth_methods(value)?),
            "requirepeer" => self.require_peer = Some(value.to_owned()),
            "ssl_min_protocol_version" => self.min_version = Some(tls_version(keyword, value)?),
            "ssl_max_protocol_version" => self.max_version = Some(tls_version(keyword, value)?),
            "sslnegotiation" => self.direct = Some(choice(keyword, value, "postgres", "direct")?),
            "sslsni" => self.sni = Some(choice(keyword, value, "0", "1")?),
            "sslcrl" => self.crl = Some(value.into()),
            "sslcrldir" => self.crl_dir = Some(value.into()),
            "sslcertmode" => {
                self.promise("sslcertmode", value, &["allow", "disable", "require"], "require", CERT_MODE)?;
                self.shows_cert = Some(value != "disable");
            }
            "gssencmode" => self.promise("gssencmode", value, &["disable", "prefer", "require"], "require", GSS)?,
            "min_protocol_version" => {
                let latest = if value == "latest" { "latest" } else { "3.2" };
                self.promise("min_protocol_version", value, &["3.0", "3.2", "latest"], latest, PROTOCOL)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets a keyword whose value `beyond` asks for more than pgwatch can do.
    fn promise(
        &mut self,
        keyword: &'static str,
        value: &str,
        allowed: &[&str],
        beyond: &str,
        why: &'static str,
    ) -> Result<(), String> {
        if !allowed.contains(&value) {
            return Err(one_of(keyword, allowed));
        }
        self.promises.insert(keyword, (value == beyond).then_some(why));
        Ok(())
    }

    /// Makes paths of the names of files.
    pub(in crate::config) fn resolve(&mut self, resolve: impl Fn(&Path) -> PathBuf) {
        for path in [&mut self.crl, &mut self.crl_dir].into_iter().flatten() {
            *path = resolve(path);
        }
    }

    /// Takes missing settings from a weaker source.
    pub(in crate::config) fn fill_from(&mut self, weaker: Self) {
        fn fill<T>(value: &mut Option<T>, weaker: Option<T>) {
            if value.is_none() {
                *value = weaker;
            }
        }
        fill(&mut self.session_attrs, weaker.session_attrs);
        fill(&mut self.random_order, weaker.random_order);
        self.tcp.fill_from(weaker.tcp);
        fill(&mut self.options, weaker.options);
        fill(&mut self.require_auth, weaker.require_auth);
        fill(&mut self.require_peer, weaker.require_peer);
        fill(&mut self.min_version, weaker.min_version);
        fill(&mut self.max_version, weaker.max_version);
        fill(&mut self.direct, weaker.direct);
        fill(&mut self.sni, weaker.sni);
        fill(&mut self.shows_cert, weaker.shows_cert);
        fill(&mut self.crl, weaker.crl);
        fill(&mut self.crl_dir, weaker.crl_dir);
        for (keyword, why) in weaker.promises {
            self.promises.entry(keyword).or_insert(why);
        }
    }

    /// Changes a node, whose `sslmode` is set already. What is not set here stays.
    pub fn apply(&self, node: &mut NodeConfig) {
        let is_socket = node.is_unix_socket();
        let (connect, tls) = (&mut node.connect, &mut node.tls);
        connect.session_attrs = self.session_attrs.unwrap_or(connect.session_attrs);
        connect.random_order = self.random_order.unwrap_or(connect.random_order);
        let weaker = std::mem::replace(&mut connect.tcp, self.tcp);
        connect.tcp.fill_from(weaker);
        connect.options = self.options.clone().or_else(|| connect.options.take());
        connect.require_auth = self.require_auth.clone().or_else(|| connect.require_auth.take());
        connect.require_peer = self.require_peer.clone().or_else(|| connect.require_peer.take());
        tls.min_version = self.min_version.or(tls.min_version);
        tls.max_version = self.max_version.or(tls.max_version);
        tls.direct = self.direct.unwrap_or(tls.direct);
        tls.without_sni = self.sni.map_or(tls.without_sni, |sni| !sni);
        tls.without_cert = self.shows_cert.map_or(tls.without_cert, |shows| !shows);
        tls.crl = self.crl.clone().or_else(|| tls.crl.take());
        tls.crl_dir = self.crl_dir.clone().or_else(|| tls.crl_dir.take());
        if !self.promises.is_empty() {
            connect.unmet = self.promises.values().copied().flatten().map(str::to_owned).collect();
        }
        if tls.direct && tls.mode < SslMode::Require && !is_socket {
            connect.unmet.push("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full".to_owned());
        }
        if tls.max_version.is_some_and(|max| max < tls.min_version.unwrap_or(TlsVersion::V12)) {
            connect.unmet.push(
                "ssl_max_protocol_version is older than ssl_min_protocol_version, which is TLSv1.2 if it is not set"
                    .to_owned(),
            );
        }
        connect.unmet.sort();
        connect.unmet.dedup();
    }
}

const KEYWORDS: [&str; 20] = [
    "target_session_attrs",
    "load_balance_hosts",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "options",
    "require_auth",
    "requirepeer",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "sslnegotiation",
    "sslsni",
    "sslcrl",
    "sslcrldir",
    "sslcertmode",
    "gssencmode",
    "min_protocol_version",
    "max_protocol_version",
];

const CERT_MODE: &str = "sslcertmode=require: pgwatch cannot tell whether the server asked for a client certificate";
const GSS: &str = "gssencmode=require: pgwatch does not support GSSAPI encryption: use sslmode";
const PROTOCOL: &str = "min_protocol_version: pgwatch speaks version 3.0 of the protocol only";

pub(super) fn one_of(keyword: &str, allowed: &[&str]) -> String {
    format!("{keyword} must be one of {}", allowed.join(", "))
}

/// True for `yes`, false for `no`.
fn choice(keyword: &str, value: &str, no: &str, yes: &str) -> Result<bool, String> {
    if value == yes {
        Ok(true)
    } else if value == no {
        Ok(false)
    } else {
        Err(format!("{keyword} must be {no} or {yes}"))
    }
}

/// libpq takes any whole number here and uses the default for one that is not positive.
fn number(keyword: &str, value: &str) -> Result<u32, String> {
    match value.trim().parse::<i32>() {
        Ok(number) => Ok(number.max(0).unsigned_abs()),
        Err(_) => Err(format!("{keyword} must be a whole number")),
    }
}

fn seconds(keyword: &str, value: &str) -> Result<Option<Duration>, String> {
    let seconds = number(keyword, value)?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
}

fn auth_methods(value: &str) -> Result<AuthMethods, String> {
    AuthMethods::parse(value).ok_or_else(|| {
        let all = crate::model::AuthMethod::ALL.map(crate::model::AuthMethod::as_str);
        format!("require_auth must list some of {}, or all with a ! before them to forbid them", all.join(", "))
    })
}

fn tls_version(keyword: &str, value: &str) -> Result<TlsVersion, String> {
    TlsVersion::parse(value).ok_or_else(|| one_of(keyword, &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]))
}

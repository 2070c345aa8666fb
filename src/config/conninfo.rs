//! libpq's connection strings, `postgres://...` and `host=... port=...`, parsed into a [`ConnInfo`]. Pure: no I/O, no
//! defaults.
//!
//! All keywords of libpq are known. One that has no effect here is accepted with a note. A value that promises more
//! safety than pgwatch can give (`gssencmode=require`) is kept: the node says so in place of connecting with less.

mod details;
pub mod hosts;
mod keywords;
mod pairs;
mod setting;
mod uri;

pub use details::Details;
pub use keywords::ConnInfo;
pub use setting::ConnInfoError;

/// True if `text` is meant as a connection string: a URI, or something with a `=`.
pub fn is_conninfo(text: &str) -> bool {
    uri::scheme(text).is_some() || text.contains('=')
}

/// True if a text seems to contain a connection string with a password, valid or not.
pub fn holds_password(text: &str) -> bool {
    let credentials = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    let by_keyword = |(_, rest): (&str, &str)| rest.trim_start().starts_with('=');
    credentials.is_some_and(|(credentials, _)| credentials.contains(':'))
        || text.to_ascii_lowercase().split_once("password").is_some_and(by_keyword)
}

/// Parses a string of either form.
///
/// # Errors
/// The first problem, with its place.
pub fn parse(text: &str) -> Result<ConnInfo, ConnInfoError> {
    let settings = match uri::scheme(text) {
        Some(start) => uri::split(text, start)?,
        None => pairs::split(text)?,
    };
    let mut info = ConnInfo::default();
    let mut seen: Vec<&str> = Vec::new();
    for setting in &settings {
        if seen.contains(&setting.keyword.as_str()) {
            return Err(ConnInfoError::new(setting.offset, format!("{} is given twice", setting.keyword)));
        }
        info.set(&setting.keyword, &setting.value).map_err(|message| ConnInfoError::new(setting.offset, message))?;
        seen.push(&setting.keyword);
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{AuthMethod, ChannelBinding, NodeConfig, NodeName, Secret, SessionAttrs, SslMode, TlsVersion};

    #[test]
    fn passwords_are_recognised() {
        for text in
            ["postgres://u:p@h/d", "x=postgres://u:p@ss:w/rd@h", "host=h password=p", "postgres://h/?PASSWORD = p"]
        {
            assert!(holds_password(text), "{text}");
        }
        for text in ["postgres://u@h:1/d", "host=h user=u", "~/.pgpass", "password", "postgres://h:1/d"] {
            assert!(!holds_password(text), "{text}");
        }
    }

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn uris_are_read_as_libpq_reads_them() {
        let with = |fill: fn(&mut ConnInfo)| {
            let mut info = ConnInfo::default();
            fill(&mut info);
            info
        };
        let text = |text: &str| Some(text.to_owned());
        for (uri, want) in [
            ("postgres://", with(|_| {})),
            ("postgresql://localhost", with(|i| i.hosts = hosts(&["localhost"]))),
            ("postgres:///mydb", with(|i| i.database = Some("mydb".into()))),
            ("postgres://u@", with(|i| i.user = Some("u".into()))),
            ("postgres://h:5433/", with(|i| (i.hosts, i.ports) = (hosts(&["h"]), vec![5433]))),
            (
                "postgres://[2001:db8::1]/d",
                with(|i| (i.hosts, i.database) = (hosts(&["2001:db8::1"]), Some("d".into()))),
            ),
            (
                "postgres:///d?host=/tmp&port=1",
                with(|i| {
                    (i.hosts, i.ports, i.database) = (hosts(&["/tmp"]), vec![1], Some("d".into()));
                }),
            ),
            ("postgres://%2Ftmp/d%20b", with(|i| (i.hosts, i.database) = (hosts(&["/tmp"]), Some("d b".into())))),
            ("postgres://h?ssl=true", with(|i| (i.hosts, i.sslmode) = (hosts(&["h"]), Some(SslMode::Require)))),
            (
                "postgresql://a:1,[::1]:2,c/d",
                with(|i| {
                    (i.hosts, i.ports, i.database) = (hosts(&["a", "::1", "c"]), vec![1, 2, 5432], Some("d".into()));
                }),
            ),
            ("postgres://a,b", with(|i| i.hosts = hosts(&["a", "b"]))),
        ] {
            assert_eq!(parse(uri), Ok(want), "{uri}");
        }
        let info = parse("postgres://us%40er:p%3A%2F%25@h/d?connect_timeout=10&sslrootcert=system").unwrap();
        assert_eq!((info.user, info.sslrootcert), (text("us@er"), text("system")));
        assert_eq!(info.password.map(|p| p.expose().to_owned()), text("p:/%"));
        assert_eq!(info.connect_timeout, Some(Duration::from_secs(10)));
        for bad in [
            "postgres://h:x/",
            "postgres://[::1",
            "postgres://[]",
            "postgres://[::1]x",
            "postgres://h?x",
            "postgres://%zz",
            "postgres://%ff@h",
            "postgres://a,b:x",
            "postgres://a,[b",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        let info = parse("host = db  port=1 password='a b\\'c\\\\' user=x\\ y dbname=''").unwrap();
        assert_eq!((info.hosts, info.ports, info.user.as_deref()), (hosts(&["db"]), vec![1], Some("x y")));
        assert_eq!(info.password.unwrap().expose(), "a b'c\\");
        assert_eq!(info.database, None);
        let info = parse("host=a,b hostaddr=10.0.0.1, port=1,2").unwrap();
        assert_eq!((info.hosts, info.ports), (hosts(&["a", "b"]), vec![1, 2]));
        assert_eq!(info.hostaddrs, [Some([10, 0, 0, 1].into()), None]);
        for bad in
            ["host", "hostaddr=name", "port=0", "port=65536", "sslmode=on", "connect_timeout=x", "=x", "port=1,x"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for text in ["disable", "prefer", "require"] {
            let binding = parse(&format!("channel_binding={text}")).unwrap().channel_binding;
            assert_eq!(binding, ChannelBinding::parse(text), "{text}");
        }
    }

    #[test]
    fn every_keyword_of_libpq_is_honoured_told_or_refused_by_the_node() {
        // A value that asks for what pgwatch does anyway changes nothing, so it gets no warning.
        for text in
            ["sslcrl=''", "options=", "replication=no", "sslcompression=0", "requiressl=0", "client_encoding=auto"]
        {
            assert_eq!(parse(text), Ok(ConnInfo::default()), "{text}");
        }
        for text in ["application_name=x", "krbsrvname=x", "sslkeylogfile=x", "replication=database", "oauth_issuer=x"]
        {
            let info = parse(text).unwrap();
            assert_eq!((info.notes.len(), info.details), (1, Details::default()), "{text}");
        }
        let node = |text: &str| {
            let mut node = NodeConfig::new(NodeName::default(), "h");
            parse(text).unwrap().details.apply(&mut node);
            node
        };
        assert_eq!(node("gssencmode=prefer sslcertmode=allow min_protocol_version=3.0").connect.unmet.len(), 0);
        for text in ["gssencmode=require", "sslcertmode=require", "min_protocol_version=3.2", "sslnegotiation=direct"] {
            assert_eq!(node(text).connect.unmet.len(), 1, "{text}");
        }
        let set = node(
            "target_session_attrs=read-write load_balance_hosts=random options='-c a=b' require_auth=!password \
             requirepeer=postgres keepalives=0 keepalives_idle=7 tcp_user_timeout=1500 sslsni=0 sslcertmode=disable \
             ssl_min_protocol_version=tlsv1.3 sslcrl=/a sslcrldir=/b",
        );
        let (connect, tls) = (&set.connect, &set.tls);
        assert_eq!((connect.session_attrs, connect.random_order), (SessionAttrs::ReadWrite, true));
        assert_eq!((connect.options.as_deref(), connect.require_peer.as_deref()), (Some("-c a=b"), Some("postgres")));
        assert_eq!((connect.tcp.keepalives, connect.tcp.keepalives_idle), (Some(false), Some(Duration::from_secs(7))));
        assert_eq!(connect.tcp.user_timeout, Some(Duration::from_millis(1500)));
        assert!(connect.require_auth.as_ref().is_some_and(|methods| !methods.allow(AuthMethod::Password)));
        assert!(tls.without_sni && tls.without_cert && tls.min_version == Some(TlsVersion::V13));
        assert_eq!((tls.crl.is_some(), tls.crl_dir.is_some()), (true, true));
        for bad in ["gssencmode=x", "target_session_attrs=x", "require_auth=x", "sslsni=2", "keepalives=x", "nothing=x"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    fn quoted(text: &str) -> String {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
    }

    fn encoded(text: &str) -> String {
        text.bytes().flat_map(|byte| format!("%{byte:02x}").into_bytes()).map(char::from).collect()
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_uri_panics(text in "postgres://[a-z:@/?&=%\\[\\],0-9é]*") {
            if let Err(error) = parse(&text) {
                prop_assert!(text.is_char_boundary(error.offset));
            }
        }

        #[test]
        fn no_pairs_panic(text in "((host|port|password|user) ?= ?['a-z0-9\\\\ é]*)*") {
            if let Err(error) = parse(&text) {
                prop_assert!(text.is_char_boundary(error.offset));
            }
        }

        #[test]
        fn both_forms_carry_any_text(user in "[^\0]+", password in "[^\0]+", database in "[^\0]+") {
            let pairs = format!("user={} password={} dbname={}", quoted(&user), quoted(&password), quoted(&database));
            let uri = format!("postgres://{}:{}@/{}", encoded(&user), encoded(&password), encoded(&database));
            for text in [pairs, uri] {
                let info = parse(&text).unwrap();
                prop_assert_eq!(info.user.as_ref(), Some(&user));
                prop_assert_eq!(info.password.as_ref().map(Secret::expose), Some(password.as_str()));
                prop_assert_eq!(info.database.as_ref(), Some(&database));
            }
        }

        #[test]
        fn no_message_reveals_a_password(password in "[A-Z]{6,12}", junk in "[a-z@:/?%=' ,]{0,6}") {
            for text in [
                format!("postgres://u:{password}{junk}@h/d"),
                format!("postgres://u:{junk}{password}@h:x/d"),
                format!("host=h password={password}{junk} x"),
                format!("host=h password={junk}{password}"),
                format!("host=h port={password}"),
                format!("host=h sslmode={password} {junk}"),
            ] {
                if let Err(error) = parse(&text) {
                    prop_assert!(!error.message.contains(&password), "{}", error.message);
                }
            }
        }
    }
}

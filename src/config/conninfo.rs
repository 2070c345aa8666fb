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
    use crate::model::{Secret, SslMode};

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
            ("postgresql://localhost", with(|i| i.host = Some("localhost".into()))),
            ("postgres:///mydb", with(|i| i.database = Some("mydb".into()))),
            ("postgres://u@", with(|i| i.user = Some("u".into()))),
            ("postgres://h:5433/", with(|i| (i.host, i.port) = (Some("h".into()), Some(5433)))),
            (
                "postgres://[2001:db8::1]/d",
                with(|i| (i.host, i.database) = (Some("2001:db8::1".into()), Some("d".into()))),
            ),
            (
                "postgres:///d?host=/tmp&port=1",
                with(|i| {
                    (i.host, i.port, i.database) = (Some("/tmp".into()), Some(1), Some("d".into()));
                }),
            ),
            ("postgres://%2Ftmp/d%20b", with(|i| (i.host, i.database) = (Some("/tmp".into()), Some("d b".into())))),
            ("postgres://h?ssl=true", with(|i| (i.host, i.sslmode) = (Some("h".into()), Some(SslMode::Require)))),
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
            "postgres://a,b",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        let info = parse("host = db  port=1 password='a b\\'c\\\\' user=x\\ y dbname=''").unwrap();
        assert_eq!((info.host.as_deref(), info.port, info.user.as_deref()), (Some("db"), Some(1), Some("x y")));
        assert_eq!(info.password.unwrap().expose(), "a b'c\\");
        assert_eq!(info.database, None);
        assert_eq!(parse("hostaddr=10.0.0.1").unwrap().host.as_deref(), Some("10.0.0.1"));
        for bad in
            ["host", "host=a hostaddr=b", "port=0", "port=65536", "sslmode=on", "connect_timeout=x", "=x", "host=a,b"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for (text, required) in [("prefer", Some(false)), ("require", Some(true))] {
            assert_eq!(parse(&format!("channel_binding={text}")).unwrap().channel_binding, required);
        }
        assert!(parse("channel_binding=disable").is_err());
        // Values that ask for what pgwatch does anyway are accepted.
        for good in ["gssencmode=disable", "target_session_attrs=any", "sslcrl=''", "sslsni=1", "options="] {
            assert_eq!(parse(good), Ok(ConnInfo::default()), "{good}");
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

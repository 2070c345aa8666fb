//! What the server sends before there is a session: TLS, startup, password, the first answer, the first probe.

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;

use crate::cases::{Case, case};
use crate::support::fake::messages::{
    announced, error, greeting, message, notice, ready, row, row_description, status, welcome,
};
use crate::support::fake::{Act, Stage};
use crate::support::tls::Authority;
use Act::{Drip, Forever, Hangup, Polite, Say, Scram, Wait};
use Stage::{AfterProbe, First, Hello, Never, Password, Probe, Startup};

pub const NOT_POSTGRES: &str = "does not speak the PostgreSQL protocol";
pub const WITHOUT_END: &str = "the peer keeps sending data that was not requested";

pub fn cases() -> Vec<Case> {
    [tls(), startup(), greetings(), password(), first_words()].into_iter().flatten().collect()
}

/// Bytes that are no valid message, different at each call.
pub fn garbage() -> Vec<u8> {
    // The seed is constant when the page is written, so that the new page differs only where something changed.
    let seed = if std::env::var_os("PGWATCH_BLESS").is_some() { 1 } else { fastrand::u64(..) };
    eprintln!("garbage of seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    // The first byte must be no letter, or it could be the beginning of a message.
    std::iter::once(0x80 | random.u8(..)).chain((0..4095).map(|_| random.u8(..))).collect()
}

fn tls() -> Vec<Case> {
    let not_postgres = |name, acts| case(name, Hello, acts, "internal", NOT_POSTGRES);
    let record = [b"\x16\x03\x03\x40\x00\x02\xff\xff\xff".as_slice(), &[0; (16 << 10) - 4]].concat();
    vec![
        not_postgres("hello-garbage", vec![Say(garbage())]),
        not_postgres("hello-neither-S-nor-N", vec![Say(b"X".to_vec())]),
        not_postgres("hello-error", vec![Say(error("FATAL", "XX000", "no"))]),
        case("hello-close", Hello, vec![Hangup], "connection_lost", "was lost"),
        case("hello-silence", Hello, vec![], "timeout", "no answer from"),
        case(
            "hello-bytes-behind-S",
            Hello,
            vec![Say([b"S".to_vec(), greeting()].concat())],
            "tls",
            "does not speak TLS",
        ),
        case("hello-N-for-require", Hello, vec![Say(b"N".to_vec())], "tls", "does not support TLS"),
        case("tls-giant-handshake", Hello, vec![Say(b"S".to_vec()), Forever(record.clone())], "tls", "TLS with"),
        case("tls-half-a-record", Hello, vec![Say(b"S\x16\x03\x03".to_vec())], "timeout", "no answer from"),
        case("tls-a-byte-a-second", Hello, vec![Say(b"S".to_vec()), Drip(record.clone())], "timeout", "no answer from"),
        case("tls-5-MB-of-certificates", Startup, vec![], "tls", "TLS with").with_tls(acceptor(5 << 20)),
        case("tls-notices-without-end", Probe, vec![Forever(notice("hi"))], "internal", WITHOUT_END)
            .with_tls(acceptor(0)),
        case("tls-honest", Never, vec![], "ok", "").with_tls(acceptor(0)),
    ]
}

/// Presents a certificate, followed by others of this many bytes.
fn acceptor(bytes: usize) -> SslAcceptor {
    let pair = Authority::new("hostile").server("127.0.0.1");
    let cert = X509::from_pem(&pair.cert).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate(&cert).unwrap();
    acceptor.set_private_key(&PKey::private_key_from_pem(&pair.key).unwrap()).unwrap();
    for _ in 0..bytes / cert.to_der().unwrap().len() {
        acceptor.add_extra_chain_cert(cert.clone()).unwrap();
    }
    acceptor.build()
}

fn startup() -> Vec<Case> {
    let not_postgres = |name, bytes| case(name, Startup, vec![Say(bytes)], "internal", NOT_POSTGRES);
    vec![
        not_postgres("startup-garbage", garbage()),
        not_postgres("startup-length-of-2-GB", announced(b'R', 0x7fff_ffff, b"")),
        not_postgres("startup-negative-length", announced(b'R', u32::MAX, b"")),
        not_postgres("startup-tiny-length", announced(b'R', 3, b"")),
        not_postgres("startup-ready-at-once", ready()),
        not_postgres("startup-row-at-once", row(&[None])),
        not_postgres("startup-another-protocol-version", message(b'v', &[0; 8])),
        not_postgres("startup-error-without-fields", message(b'E', &[0])),
        not_postgres("startup-odd-key", [welcome(), message(b'K', &[7; 12]), ready()].concat()),
        not_postgres("startup-setting-of-no-text", [welcome(), status(b"\xff\xfe", b"\xff"), ready()].concat()),
        case("startup-zeros-without-end", Startup, vec![Forever(vec![0; 99])], "internal", NOT_POSTGRES),
        case("startup-close", Startup, vec![Hangup], "connection_lost", "was lost"),
        case("startup-half-a-message", Startup, vec![Say(b"R\0\0".to_vec())], "timeout", "no answer from"),
        case("startup-a-byte-a-second", Startup, vec![Drip(greeting())], "timeout", "no answer from"),
        case(
            "startup-error-of-no-text",
            Startup,
            vec![Say(message(b'E', b"SFATAL\0C\xff\xff\0M\xc3\x28 bad\0\0"))],
            "sql",
            "bad",
        ),
        case(
            "startup-error-of-200-kB",
            Startup,
            vec![Say(error("FATAL", "XX000", &"long ".repeat(40_000)))],
            "sql",
            "long long",
        ),
        case(
            "startup-rows-after-FATAL",
            Startup,
            vec![Say(error("FATAL", "57P03", "the database system is starting up")), Forever(row(&[None]))],
            "starting_up",
            "starting up",
        ),
    ]
}

/// The client is let in, and the greeting contains something else as well.
fn greetings() -> Vec<Case> {
    let settings = (0..10_000).flat_map(|n| status(format!("setting_{n}").as_bytes(), b"some value")).collect();
    let endless =
        |name, bytes: Vec<u8>| case(name, Startup, vec![Say(welcome()), Forever(bytes)], "internal", WITHOUT_END);
    vec![
        endless("greeting-settings-without-end", status(b"name", b"value")),
        endless("greeting-notices-without-end", notice("welcome")),
        endless("greeting-keys-without-end", message(b'K', &[0; 8])),
        case("greeting-10000-settings", Startup, vec![Say(welcome()), Say(settings)], "internal", WITHOUT_END),
    ]
}

fn password() -> Vec<Case> {
    let refused = |name, acts, says| case(name, Password, acts, "authentication", says);
    let scram = |name, nonce: String, salt: String, iterations, says| {
        refused(name, vec![Scram { nonce, salt, iterations }, Say(message(b'R', b"\0\0\0\x0cv=AAAA"))], says)
    };
    let (nonce, salt) = (|| "{}more".to_owned(), || "c2FsdA==".to_owned());
    let asks = |code: u32| vec![Say(message(b'R', &code.to_be_bytes()))];
    vec![
        case("password-unknown-method", Startup, asks(99), "authentication", "a method that pgwatch does not support"),
        case("password-GSS", Startup, asks(7), "authentication", "unsupported authentication method"),
        case(
            "password-methods-without-end",
            Startup,
            vec![Say(announced(b'R', 300_000, b"\0\0\0\x0a")), Forever(b"SCRAM-SHA-256\0".to_vec())],
            "internal",
            WITHOUT_END,
        ),
        case(
            "password-SASL-without-end",
            Password,
            vec![Scram { nonce: nonce(), salt: salt(), iterations: "4096" }, Forever(message(b'R', b"\0\0\0\x0br=x"))],
            "internal",
            NOT_POSTGRES,
        ),
        case("password-close", Password, vec![Hangup], "connection_lost", "was lost"),
        case("password-silence", Password, vec![], "timeout", "no answer from"),
        scram("scram-iterations-2-31", nonce(), salt(), "2147483648", "was stored with 2147483648 SCRAM iterations"),
        scram("scram-iterations-2-40", nonce(), salt(), "1099511627776", "number too large"),
        scram("scram-no-iterations", nonce(), salt(), "", "cannot parse integer"),
        scram("scram-empty-nonce", String::new(), salt(), "4096", "invalid nonce"),
        scram("scram-foreign-nonce", "somebody-else".to_owned(), salt(), "4096", "invalid nonce"),
        scram("scram-nonce-of-100-kB", format!("{{}}{}", "n".repeat(100_000)), salt(), "4096", "SCRAM"),
        scram("scram-empty-salt", nonce(), String::new(), "4096", "SCRAM"),
        scram("scram-salt-of-100-kB", nonce(), "c2Fs".repeat(25_000), "4096", "SCRAM"),
        scram("scram-salt-that-is-none", nonce(), "=".to_owned(), "4096", "authentication failed"),
        scram("scram-wrong-proof", nonce(), salt(), "4096", "SCRAM"),
    ]
}

/// The client is let in and asks its first question.
fn first_words() -> Vec<Case> {
    let (no, odd) = (NOT_POSTGRES, "internal");
    let columns = || row_description(&[("version", 25), ("standby", 25)]);
    let narrow = [row_description(&[("version", 25)]), row(&[Some(b"15")]), ready()].concat();
    let no_text = [columns(), row(&[Some(b"\xff\xfe"), Some(b"\xff")]), ready()].concat();
    let lying = [columns(), row(&[Some(b"1")]), ready()].concat();
    vec![
        case("first-close", First, vec![Hangup], "connection_lost", "was lost"),
        case("first-row-that-lies", First, vec![Say(lying)], odd, no),
        case("first-rows-without-end", First, vec![Say(columns()), Forever(row(&[None, None]))], odd, WITHOUT_END),
        case("first-row-undescribed", First, vec![Say([row(&[None]), ready()].concat())], odd, no),
        // A version and a role that cannot be read are unknown, and nothing worse happens.
        case("first-answer-too-narrow", First, vec![Say(narrow), Polite], "ok", ""),
        case("first-answer-of-no-text", First, vec![Say(no_text), Polite], "ok", ""),
        case("probe-garbage", Probe, vec![Say(garbage())], odd, no),
        case("probe-length-of-2-GB", Probe, vec![Say(announced(b'D', 0x7fff_ffff, b""))], odd, no),
        case("probe-row", Probe, vec![Say(row(&[None]))], odd, no),
        case("probe-rows-without-end", Probe, vec![Forever(row(&[None]))], odd, ""),
        case("probe-notices-without-end", Probe, vec![Forever(notice("hi"))], odd, WITHOUT_END),
        case("probe-error-without-fields", Probe, vec![Say(message(b'E', &[0]))], odd, no),
        case(
            "probe-half-a-message",
            Probe,
            vec![Say(b"Z\0\0\0".to_vec())],
            "timeout",
            "accepts the login, but does not answer",
        ),
        case("probe-a-byte-a-second", Probe, vec![Drip(ready())], "timeout", "accepts the login, but does not answer"),
        case("probe-close", Probe, vec![Hangup], "connection_lost", "was lost"),
        case(
            "probe-garbage-after-FATAL",
            Probe,
            vec![Say([error("FATAL", "57P01", "terminating connection"), garbage()].concat())],
            "terminated",
            "terminating connection",
        ),
        case("probed-then-ready-without-end", AfterProbe, vec![Forever(ready())], odd, no),
        case("probed-then-notices-without-end", AfterProbe, vec![Forever(notice("hi"))], odd, WITHOUT_END),
        case("probed-then-close", AfterProbe, vec![Hangup], "connection_lost", "was lost"),
        case("probed-then-garbage", AfterProbe, vec![Say(garbage()), Wait], odd, no),
    ]
}

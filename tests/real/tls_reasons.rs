//! Why TLS failed, in words: servers that shake hands with the wrong certificate, version, cipher or protocol.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    AlpnError, SslAcceptor, SslAcceptorBuilder, SslMethod, SslVerifyMode, SslVersion, select_next_proto,
};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::model::{ErrorKind, NodeConfig, NodeError, NodeName, RootCert, SslMode, TlsVersion};

type Pair = (X509, PKey<Private>);

const DAY: i64 = 86_400;

/// A certificate for these names, valid for these days, counted from now, signed by `issuer` or by itself.
fn certificate(common_name: &str, names: &[&str], days: (i64, i64), issuer: Option<&Pair>) -> Pair {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common_name).unwrap();
    let name = name.build();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut cert = X509::builder().unwrap();
    cert.set_version(2).unwrap();
    cert.set_serial_number(&BigNum::from_u32(fastrand::u32(1..)).unwrap().to_asn1_integer().unwrap()).unwrap();
    cert.set_subject_name(&name).unwrap();
    cert.set_issuer_name(issuer.map_or(&name, |(cert, _)| cert.subject_name())).unwrap();
    cert.set_pubkey(&key).unwrap();
    cert.set_not_before(&Asn1Time::from_unix(now + days.0 * DAY).unwrap()).unwrap();
    cert.set_not_after(&Asn1Time::from_unix(now + days.1 * DAY).unwrap()).unwrap();
    if names.is_empty() && issuer.is_none() {
        cert.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    if !names.is_empty() {
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            if name.parse::<std::net::IpAddr>().is_ok() {
                alternatives.ip(name);
            } else {
                alternatives.dns(name);
            }
        }
        let extension = alternatives.build(&cert.x509v3_context(issuer.map(|(cert, _)| &**cert), None)).unwrap();
        cert.append_extension(extension).unwrap();
    }
    cert.sign(issuer.map_or(&key, |(_, key)| key), MessageDigest::sha256()).unwrap();
    (cert.build(), key)
}

fn acceptor((cert, key): &Pair, change: &dyn Fn(&mut SslAcceptorBuilder)) -> Arc<SslAcceptor> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    builder.set_certificate(cert).unwrap();
    builder.set_private_key(key).unwrap();
    change(&mut builder);
    Arc::new(builder.build())
}

/// A server that offers TLS, shakes hands and closes the connection. Returns its port. `asks` is false where TLS begins at
/// once.
fn serve(acceptor: Arc<SslAcceptor>, asks: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let mut request = [0; 8];
            if asks && (socket.read_exact(&mut request).is_err() || socket.write_all(b"S").is_err()) {
                continue;
            }
            // A socket that is closed with bytes unread resets the connection, which may overtake our alert.
            let Ok(mut rest) = socket.try_clone() else { return };
            if let Ok(mut stream) = acceptor.accept(socket) {
                // The client may have sent its startup packet by now.
                let _ = stream.read(&mut request);
            } else {
                let _ = rest.shutdown(std::net::Shutdown::Write);
                let _ = rest.read_to_end(&mut Vec::new());
            }
        }
    });
    port
}

async fn failed(node: &NodeConfig) -> NodeError {
    let error = session::open(node, SessionKind::Test).await.map(drop).expect_err("it opened");
    assert!(error.hint.is_some(), "{error:?}");
    error
}

struct Stage {
    dir: tempfile::TempDir,
    root: Pair,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { dir: tempfile::tempdir().unwrap(), root: certificate("Our root", &[], (-1, 30), None) };
        fs::write(stage.dir.path().join("root.crt"), stage.root.0.to_pem().unwrap()).unwrap();
        stage
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn issue(&self, common_name: &str, names: &[&str], days: (i64, i64)) -> Pair {
        certificate(common_name, names, days, Some(&self.root))
    }

    /// A node at the address that the name `db.test` stands for.
    fn node(&self, port: u16, mode: SslMode) -> NodeConfig {
        let mut node = NodeConfig::new(NodeName::parse("n").unwrap(), "db.test");
        node.connect.hostaddr = Some([127, 0, 0, 1].into());
        node.port = port;
        node.tls.mode = mode;
        node.tls.root_cert = Some(RootCert::File(self.path("root.crt")));
        node
    }
}

#[tokio::test]
async fn a_certificate_is_refused_for_the_true_reason() {
    let stage = Stage::new();
    let valid = (-1, 30);
    let other = certificate("Another root", &[], valid, None);
    let long: Vec<String> = (0..9).map(|at| format!("n{at}.test")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    for (pair, host, said) in [
        (
            stage.issue("x", &["a.test", "b.test"], valid),
            "db.test",
            "not for the name db.test: it is for a.test, b.test",
        ),
        (
            stage.issue("x", &["a.test", "10.1.2.3"], valid),
            "127.0.0.1",
            "not for the address 127.0.0.1: it is for a.test, 10.1.2.3",
        ),
        (stage.issue("127.0.0.1", &[], valid), "127.0.0.1", "it has 127.0.0.1 as its common name only"),
        (stage.issue("a.test", &[], valid), "db.test", "it is for a.test"),
        (stage.issue("x", &long, valid), "db.test", "it is for n0.test, n1.test, n2.test, n3.test and 5 more"),
        (stage.issue("x", &["db.test"], (-30, -1)), "db.test", "has expired"),
        (stage.issue("x", &["db.test"], (1, 30)), "db.test", "is not valid yet"),
        (certificate("x", &["db.test"], valid, None), "db.test", "not signed by a trusted authority but by itself"),
        (certificate("x", &["db.test"], valid, Some(&other)), "db.test", "not signed by a trusted authority"),
    ] {
        let mut node = stage.node(serve(acceptor(&pair, &|_| ()), true), SslMode::VerifyFull);
        host.clone_into(&mut node.host);
        let error = failed(&node).await;
        assert_eq!(error.kind, ErrorKind::Tls, "{error:?}");
        assert!(error.message.contains(said), "{said}: {error:?}");
    }
    // The right names, also with a wildcard or as the common name only: then it is the server that ends the session.
    for (pair, host) in [
        (stage.issue("x", &["a.test", "db.test"], valid), "db.test"),
        (stage.issue("x", &["*.db.test"], valid), "one.db.test"),
        (stage.issue("db.test", &[], valid), "db.test"),
        (stage.issue("x", &["127.0.0.1"], valid), "127.0.0.1"),
    ] {
        let mut node = stage.node(serve(acceptor(&pair, &|_| ()), true), SslMode::VerifyFull);
        host.clone_into(&mut node.host);
        assert_eq!(failed(&node).await.kind, ErrorKind::ConnectionLost, "{host}");
    }
}

#[tokio::test]
async fn a_handshake_fails_for_the_true_reason() {
    let stage = Stage::new();
    let pair = stage.issue("db.test", &["db.test"], (-1, 30));
    let only = |version| {
        move |builder: &mut SslAcceptorBuilder| {
            builder.set_min_proto_version(Some(version)).unwrap();
            builder.set_max_proto_version(Some(version)).unwrap();
        }
    };
    let newest = serve(acceptor(&pair, &only(SslVersion::TLS1_3)), true);
    let older = serve(acceptor(&pair, &only(SslVersion::TLS1_2)), true);
    let certificate_wanted = |version| {
        let only = only(version);
        move |builder: &mut SslAcceptorBuilder| {
            only(builder);
            builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
    };
    let wanted = serve(acceptor(&pair, &certificate_wanted(SslVersion::TLS1_3)), true);
    let cipher = |builder: &mut SslAcceptorBuilder| {
        only(SslVersion::TLS1_2)(builder);
        builder.set_cipher_list("PSK").unwrap();
    };
    let cipherless = serve(acceptor(&pair, &cipher), true);
    let (v12, v13) = (Some(TlsVersion::V12), Some(TlsVersion::V13));
    for (port, min, max, said) in [
        (newest, None, v12, "have no version of TLS in common"),
        (older, v13, None, "have no version of TLS in common"),
        (wanted, None, None, "requires a client certificate"),
        (cipherless, None, None, "rejects the TLS handshake"),
    ] {
        for mode in [SslMode::Require, SslMode::VerifyFull] {
            let mut node = stage.node(port, mode);
            (node.tls.min_version, node.tls.max_version) = (min, max);
            let error = failed(&node).await;
            assert_eq!(error.kind, ErrorKind::Tls, "{error:?}");
            assert!(error.message.contains(said), "{said}: {error:?}");
        }
    }
    for (port, min, max) in [(newest, v13, v13), (older, v12, v12)] {
        let mut node = stage.node(port, SslMode::VerifyFull);
        (node.tls.min_version, node.tls.max_version) = (min, max);
        assert_eq!(failed(&node).await.kind, ErrorKind::ConnectionLost);
    }

    // TLS that begins at once needs a server that agrees to speak PostgreSQL over it.
    let agrees = |builder: &mut SslAcceptorBuilder| {
        builder.set_alpn_select_callback(|_, offered| {
            select_next_proto(b"\x0apostgresql", offered).ok_or(AlpnError::NOACK)
        });
    };
    for (port, kind, said) in [
        (
            serve(acceptor(&pair, &|_| ()), false),
            ErrorKind::Tls,
            "does not speak PostgreSQL over TLS that begins at once",
        ),
        (serve(acceptor(&pair, &agrees), false), ErrorKind::ConnectionLost, ""),
    ] {
        let mut node = stage.node(port, SslMode::VerifyFull);
        node.tls.direct = true;
        let error = failed(&node).await;
        assert_eq!(error.kind, kind, "{error:?}");
        assert!(error.message.contains(said), "{error:?}");
    }
}

/// Revokes a certificate as an authority does, by the openssl command.
fn revoke(stage: &Stage, revoked: Option<&X509>) {
    let run = |args: &[&str]| {
        let output = std::process::Command::new("openssl").args(args).current_dir(stage.dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let write = |name: &str, contents: &[u8]| fs::write(stage.path(name), contents).unwrap();
    write("ca.key", &stage.root.1.private_key_to_pem_pkcs8().unwrap());
    write("ca.cnf", b"[ca]\ndefault_ca = c\n[c]\ndatabase = index\ndefault_md = sha256\ndefault_crl_days = 1\n");
    if !stage.path("index").exists() {
        write("index", b"");
    }
    let common = ["ca", "-config", "ca.cnf", "-cert", "root.crt", "-keyfile", "ca.key"];
    if let Some(revoked) = revoked {
        write("revoked.crt", &revoked.to_pem().unwrap());
        run(&[&common[..], &["-revoke", "revoked.crt"]].concat());
    }
    run(&[&common[..], &["-gencrl", "-out", "root.crl"]].concat());
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let stage = Stage::new();
    let pair = stage.issue("db.test", &["db.test"], (-1, 30));
    let port = serve(acceptor(&pair, &|_| ()), true);
    let with = |list: Option<&Path>| {
        let mut node = stage.node(port, SslMode::VerifyFull);
        node.tls.crl = list.map(Path::to_owned);
        node
    };
    let list = stage.path("root.crl");
    let error = failed(&with(Some(&list))).await;
    assert!(error.message.contains("sslcrl") && error.message.contains("cannot be used"), "{error:?}");
    revoke(&stage, None);
    assert_eq!(failed(&with(Some(&list))).await.kind, ErrorKind::ConnectionLost, "it is not revoked");
    // A list that changes is read again.
    revoke(&stage, Some(&pair.0));
    let touched = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    fs::File::open(&list).unwrap().set_modified(touched).unwrap();
    let error = failed(&with(Some(&list))).await;
    assert_eq!(error.kind, ErrorKind::Tls, "{error:?}");
    assert!(error.message.contains("is revoked"), "{error:?}");
    assert_eq!(failed(&with(None)).await.kind, ErrorKind::ConnectionLost);
}

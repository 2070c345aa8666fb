//! Every `sslmode` against real servers: with TLS, without, with the wrong certificate.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use pgwatch::connection::pool::NodePool;
use pgwatch::connection::query;
use pgwatch::connection::session::{self, SessionKind};
use pgwatch::demo::{Cluster, Install, Server, Template};
use pgwatch::model::protocol::QueryRequest;
use pgwatch::model::{BatchId, ErrorKind, NodeConfig, NodeError, RootCert, Secret, SslMode};
use tokio_util::sync::CancellationToken;

struct Authority {
    cert: X509,
    key: PKey<Private>,
}

struct Issued {
    cert: X509,
    key: PKey<Private>,
}

impl Issued {
    fn cert_pem(&self) -> Vec<u8> {
        self.cert.to_pem().unwrap()
    }

    fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }
}

fn begin(name: &str, key: &PKey<Private>, last_day: i64) -> X509Builder {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(fastrand::u32(..)).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now - 10 * 86_400).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now + last_day * 86_400).unwrap()).unwrap();
    builder
}

fn rsa() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = rsa();
        let mut builder = begin(name, &key, 30);
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { cert: builder.build(), key }
    }

    fn issue(&self, name: &str, key: PKey<Private>, last_day: i64) -> Issued {
        let mut builder = begin(name, &key, last_day);
        builder.set_issuer_name(self.cert.subject_name()).unwrap();
        let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(Some(&self.cert), None));
        builder.append_extension(names.unwrap()).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        Issued { cert: builder.build(), key }
    }

    fn pem(&self) -> Vec<u8> {
        self.cert.to_pem().unwrap()
    }
}

fn file(dir: &Path, name: &str, contents: &[u8], mode: u32) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, contents).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn with_tls(template: &Template, issued: &Issued, authority: &Authority) -> Cluster {
    Cluster::builder()
        .template(template)
        .config("ssl", "on")
        .config("ssl_cert_file", "server.crt")
        .config("ssl_key_file", "server.key")
        .config("ssl_ca_file", "ca.crt")
        .file("server.crt", issued.cert_pem())
        .file("server.key", issued.key_pem())
        .file("ca.crt", authority.pem())
        .hba("hostssl all bycert 127.0.0.1/32 cert")
        .hba("hostssl all onlytls 127.0.0.1/32 scram-sha-256")
        .hba("host all onlytls 127.0.0.1/32 reject")
        .hba("hostnossl all onlyplain 127.0.0.1/32 scram-sha-256")
        .hba("host all onlyplain 127.0.0.1/32 reject")
        .start()
        .unwrap()
}

fn node(server: &Server, mode: SslMode, root: Option<&Path>) -> NodeConfig {
    let mut node = server.node_config();
    "localhost".clone_into(&mut node.host);
    node.tls.mode = mode;
    node.tls.root_cert = root.map(|path| RootCert::File(path.to_owned()));
    node
}

fn request(statement: &str, timeout: Duration) -> QueryRequest {
    QueryRequest {
        batch: BatchId(1),
        statement: statement.to_owned(),
        nodes: Vec::new(),
        timeout,
        max_rows: 10,
        max_bytes: 1_000,
    }
}

/// True if the server says that the session is encrypted.
async fn encrypted(node: &NodeConfig) -> Result<bool, NodeError> {
    let session = session::open(node, SessionKind::Test).await?;
    session.close(Duration::from_secs(5)).await;
    let pool = NodePool::new(node.clone().into());
    pool.set_available(Ok(()));
    let request = request("select ssl from pg_stat_ssl where pid = pg_backend_pid()", Duration::from_secs(30));
    let outcome = query::run(&pool, &request, Instant::now(), &CancellationToken::new(), &|_| {}).await;
    pool.close(Instant::now() + Duration::from_secs(10)).await;
    Ok(outcome.result?.rows.cell(0, 0) == Some("t"))
}

async fn refused(node: &NodeConfig) -> String {
    let error = encrypted(node).await.expect_err(&format!("{:?}", node.tls));
    assert_eq!(error.kind, ErrorKind::Tls, "{error:?}");
    error.message
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_keeps_its_promise() {
    let dir = tempfile::tempdir().unwrap();
    let template = Template::create(Install::find().unwrap()).unwrap();
    let authority = Authority::new("Our authority");
    let other = Authority::new("Another authority");
    let root = file(dir.path(), "root.crt", &authority.pem(), 0o644);
    let wrong_root = file(dir.path(), "wrong.crt", &other.pem(), 0o644);
    let cluster = with_tls(&template, &authority.issue("localhost", rsa(), 30), &authority);
    let server = cluster.primary();
    for name in ["onlytls", "onlyplain"] {
        let password = server.password().expose();
        server.psql(&format!("create role {name} login password '{password}'")).unwrap();
    }

    let is =
        async |node: &NodeConfig| encrypted(node).await.unwrap_or_else(|error| panic!("{:?}: {error:?}", node.tls));
    for (mode, expected) in [
        (SslMode::Disable, false),
        (SslMode::Allow, false),
        (SslMode::Prefer, true),
        (SslMode::Require, true),
        (SslMode::VerifyCa, true),
        (SslMode::VerifyFull, true),
    ] {
        assert_eq!(is(&node(server, mode, Some(&root))).await, expected, "{mode:?}");
    }
    assert!(is(&node(server, SslMode::Require, None)).await);

    // Roles that pg_hba.conf admits only with, or only without, TLS.
    for (user, mode, expected) in [
        ("onlytls", SslMode::Allow, true),
        ("onlytls", SslMode::Prefer, true),
        ("onlyplain", SslMode::Prefer, false),
        ("onlyplain", SslMode::Allow, false),
    ] {
        let mut node = node(server, mode, None);
        user.clone_into(&mut node.user);
        assert_eq!(is(&node).await, expected, "{user} {mode:?}");
    }
    for (user, mode) in [("onlytls", SslMode::Disable), ("onlyplain", SslMode::Require)] {
        let mut node = node(server, mode, None);
        user.clone_into(&mut node.user);
        assert_eq!(encrypted(&node).await.unwrap_err().kind, ErrorKind::Authentication, "{user} {mode:?}");
    }

    // A certificate from another authority.
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let message = refused(&node(server, mode, Some(&wrong_root))).await;
        assert!(message.contains("not signed by a trusted authority"), "{message}");
    }
    assert!(!is(&node(server, SslMode::Prefer, Some(&wrong_root))).await, "prefer goes on without, as libpq does");
    let mut system = node(server, SslMode::VerifyFull, None);
    system.tls.root_cert = Some(RootCert::System);
    assert!(refused(&system).await.contains("not signed by a trusted authority"));

    // The right certificate, but for another host name.
    let mut named = node(server, SslMode::VerifyFull, Some(&root));
    "127.0.0.1".clone_into(&mut named.host);
    let message = refused(&named).await;
    assert!(message.contains("not for the address 127.0.0.1"), "{message}");
    named.tls.mode = SslMode::VerifyCa;
    assert!(is(&named).await);

    // A cancel request takes the same way.
    let pool = NodePool::new(node(server, SslMode::VerifyFull, Some(&root)).into());
    pool.set_available(Ok(()));
    let request = request("select pg_sleep(60)", Duration::from_millis(700));
    let outcome = query::run(&pool, &request, Instant::now(), &CancellationToken::new(), &|_| {}).await;
    assert_eq!(outcome.result.unwrap_err().kind, ErrorKind::StatementTimeout);
    pool.close(Instant::now() + Duration::from_secs(10)).await;
    let left = server.psql("select count(*) from pg_stat_activity where application_name = 'pgwatch'").unwrap();
    assert_eq!(left.trim(), "0");

    // A file that cannot be read is reported.
    let garbage = file(dir.path(), "garbage.crt", b"no certificate", 0o644);
    assert!(refused(&node(server, SslMode::VerifyCa, Some(&garbage))).await.contains("contains no certificate"));
    let missing = dir.path().join("missing.crt");
    assert!(refused(&node(server, SslMode::VerifyCa, Some(&missing))).await.contains("missing.crt"));

    // Expired, and no TLS at all.
    let cluster = with_tls(&template, &authority.issue("localhost", rsa(), -1), &authority);
    let message = refused(&node(cluster.primary(), SslMode::VerifyCa, Some(&root))).await;
    assert!(message.contains("has expired"), "{message}");
    let cluster = Cluster::builder().template(&template).start().unwrap();
    for mode in [SslMode::Disable, SslMode::Allow, SslMode::Prefer] {
        assert!(!is(&node(cluster.primary(), mode, Some(&root))).await);
    }
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let message = refused(&node(cluster.primary(), mode, Some(&root))).await;
        assert!(message.contains("does not support TLS"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_certificates_of_every_form_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let template = Template::create(Install::find().unwrap()).unwrap();
    let authority = Authority::new("Our authority");
    let cluster = with_tls(&template, &authority.issue("localhost", rsa(), 30), &authority);
    let server = cluster.primary();
    server.psql("create role bycert login").unwrap();
    let mut base = node(server, SslMode::Require, None);
    "bycert".clone_into(&mut base.user);

    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let ec = EcKey::generate(&group).unwrap();
    let (one, two) =
        (authority.issue("bycert", rsa(), 30), authority.issue("bycert", PKey::from_ec_key(ec.clone()).unwrap(), 30));
    let one_cert = file(dir.path(), "one.crt", &one.cert_pem(), 0o644);
    let two_cert = file(dir.path(), "two.crt", &two.cert_pem(), 0o644);
    let pkcs1 = one.key.rsa().unwrap().private_key_to_pem().unwrap();
    let sealed = one.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"open sesame").unwrap();
    let sealed_ec = ec.private_key_to_pem_passphrase(Cipher::aes_256_cbc(), b"open sesame").unwrap();
    let with = |cert: &Path, key: PathBuf, password: Option<&str>| {
        let mut node = base.clone();
        (node.tls.cert, node.tls.key) = (Some(cert.to_owned()), Some(key));
        node.tls.key_password = password.map(Secret::new);
        node
    };
    for (name, cert, key, password) in [
        ("PKCS#8", &one_cert, one.key_pem(), None),
        ("PKCS#1", &one_cert, pkcs1, None),
        ("DER", &one_cert, one.key.private_key_to_der().unwrap(), None),
        ("encrypted PKCS#8", &one_cert, sealed.clone(), Some("open sesame")),
        ("EC", &two_cert, ec.private_key_to_pem().unwrap(), None),
        ("encrypted EC", &two_cert, sealed_ec, Some("open sesame")),
    ] {
        let key = file(dir.path(), &format!("{}.key", name.replace(['#', ' '], "_")), &key, 0o600);
        let got = encrypted(&with(cert, key, password)).await;
        assert!(got.as_ref().is_ok_and(|encrypted| *encrypted), "{name}: {got:?}");
    }

    let sealed = file(dir.path(), "sealed.key", &sealed, 0o600);
    assert!(refused(&with(&one_cert, sealed.clone(), None)).await.contains("sslpassword is not set"));
    let message = refused(&with(&one_cert, sealed, Some("hunter2"))).await;
    assert!(message.contains("does not decrypt it") && !message.contains("hunter2"), "{message}");
    let open_to_all = file(dir.path(), "open.key", &one.key_pem(), 0o644);
    assert!(refused(&with(&one_cert, open_to_all, None)).await.contains("other users can read it"));
    assert!(refused(&with(&one_cert, dir.path().join("none.key"), None)).await.contains("none.key"));

    // No client certificate, one from another authority, and one for another role.
    let error = encrypted(&base).await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate.as_deref()), (ErrorKind::Authentication, Some("28000")), "{error:?}");
    let stranger = Authority::new("Another authority").issue("bycert", rsa(), 30);
    let cert = file(dir.path(), "stranger.crt", &stranger.cert_pem(), 0o644);
    let key = file(dir.path(), "stranger.key", &stranger.key_pem(), 0o600);
    let message = refused(&with(&cert, key, None)).await;
    assert!(message.contains("client certificate"), "{message}");
    let another = authority.issue("somebody", rsa(), 30);
    let cert = file(dir.path(), "another.crt", &another.cert_pem(), 0o644);
    let key = file(dir.path(), "another.key", &another.key_pem(), 0o600);
    assert_eq!(encrypted(&with(&cert, key, None)).await.unwrap_err().kind, ErrorKind::Authentication);
}

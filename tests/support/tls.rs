//! Certificates for tests: our own authority, the certificates that it signs, and servers that use them.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

use pgwatch::demo::Builder;

/// In seconds.
const DAY: i64 = 86_400;

/// Signs certificates; `sslrootcert` names its own.
pub struct Authority {
    cert: X509,
    key: PKey<Private>,
}

/// A certificate and its key (PKCS#8), in PEM.
pub struct Pair {
    pub cert: Vec<u8>,
    pub key: Vec<u8>,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = new_key();
        let mut cert = begin(name, &key);
        cert.set_issuer_name(&common_name(name)).unwrap();
        cert.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        cert.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap()).unwrap();
        cert.sign(&key, MessageDigest::sha256()).unwrap();
        Self { cert: cert.build(), key }
    }

    /// The certificate of the authority itself, in PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.cert.to_pem().unwrap()
    }

    /// For a server with this host name or address.
    pub fn server(&self, host: &str) -> Pair {
        let mut names = SubjectAlternativeName::new();
        if host.parse::<std::net::IpAddr>().is_ok() {
            names.ip(host);
        } else {
            names.dns(host);
        }
        self.sign(host, Some(&names))
    }

    /// The same, but expired.
    pub fn expired(&self, host: &str) -> Pair {
        let mut names = SubjectAlternativeName::new();
        names.ip(host);
        self.sign_until(now() - 60, host, Some(&names))
    }

    /// For a client that logs in as this role.
    pub fn client(&self, role: &str) -> Pair {
        self.sign(role, None)
    }

    fn sign(&self, name: &str, names: Option<&SubjectAlternativeName>) -> Pair {
        self.sign_until(now() + DAY, name, names)
    }

    fn sign_until(&self, end: i64, name: &str, names: Option<&SubjectAlternativeName>) -> Pair {
        let key = new_key();
        let mut cert = begin(name, &key);
        cert.set_not_after(&Asn1Time::from_unix(end).unwrap()).unwrap();
        cert.set_issuer_name(self.cert.subject_name()).unwrap();
        if let Some(names) = names {
            let names = names.build(&cert.x509v3_context(Some(&self.cert), None)).unwrap();
            cert.append_extension(names).unwrap();
        }
        cert.sign(&self.key, MessageDigest::sha256()).unwrap();
        Pair { cert: cert.build().to_pem().unwrap(), key: key.private_key_to_pem_pkcs8().unwrap() }
    }
}

/// Servers that offer TLS with this certificate, and trust client certificates of that authority.
pub fn with_tls<'a>(builder: Builder<'a>, server: &Pair, clients: &Authority) -> Builder<'a> {
    builder
        .file("server.crt", server.cert.clone())
        .file("server.key", server.key.clone())
        .file("clients.crt", clients.pem())
        .config("ssl", "on")
        .config("ssl_cert_file", "server.crt")
        .config("ssl_key_file", "server.key")
        .config("ssl_ca_file", "clients.crt")
}

fn new_key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

fn begin(name: &str, key: &PKey<Private>) -> X509Builder {
    let mut cert = X509::builder().unwrap();
    cert.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    cert.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    cert.set_subject_name(&common_name(name)).unwrap();
    // Valid from yesterday, as clocks differ.
    cert.set_not_before(&Asn1Time::from_unix(now() - DAY).unwrap()).unwrap();
    cert.set_not_after(&Asn1Time::from_unix(now() + DAY).unwrap()).unwrap();
    cert.set_pubkey(key).unwrap();
    cert
}

fn common_name(name: &str) -> X509Name {
    let mut text = X509Name::builder().unwrap();
    text.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    text.build()
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

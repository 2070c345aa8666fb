//! Which certificates a server may show and which one we show: the files that libpq's settings name, and the connectors
//! built from them. A connector takes milliseconds to build (it reads the machine's roots), so the last ones are kept
//! until one of their files changes.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use native_tls::{Certificate, Identity, Protocol, TlsConnector, TlsStream};
use openssl::pkey::PKey;
use openssl::x509::X509;

use super::server_certificate::{self, Revocations};
use crate::connection::wire::fault::{PeerFault, TlsError};
use crate::model::{RootCert, SslMode, TlsConfig, TlsVersion};

/// How many connectors are kept; the nodes of a cluster usually share one.
const KEPT: usize = 16;

static KNOWN: Mutex<Vec<(Files, Arc<Trust>)>> = Mutex::new(Vec::new());

/// Makes TLS connections, and says which servers are trusted.
pub(crate) struct Trust {
    /// It verifies the chain of certificates, but not the name: what is wrong with a name can be said only by whoever has
    /// the certificate, and OpenSSL keeps that of a handshake that it ended.
    pub(crate) connector: TlsConnector,
    names: bool,
    alpn: bool,
    revocations: Option<Revocations>,
}

impl Trust {
    /// Checks the server after the handshake, as libpq does: its name, whether its certificate is revoked, and the
    /// protocol. Nothing was sent yet.
    pub(crate) fn check<S: Read + Write>(&self, stream: &TlsStream<S>, host: &str) -> Result<(), TlsError> {
        if self.alpn && !matches!(stream.negotiated_alpn(), Ok(Some(protocol)) if protocol == b"postgresql") {
            return Err(TlsError::Peer(PeerFault::NoAlpn));
        }
        if !self.names && self.revocations.is_none() {
            return Ok(());
        }
        let shown = stream.peer_certificate().ok().flatten().and_then(|shown| shown.to_der().ok());
        let shown = shown.and_then(|shown| X509::from_der(&shown).ok());
        let shown = shown.ok_or_else(|| TlsError::Peer(PeerFault::Unchecked("it cannot be read".to_owned())))?;
        if self.names {
            server_certificate::check_name(&shown, host).map_err(TlsError::Peer)?;
        }
        self.revocations.as_ref().map_or(Ok(()), |lists| lists.check(&shown)).map_err(TlsError::Peer)
    }
}

/// What a connector was built from.
#[derive(Debug, Clone, PartialEq)]
struct Files {
    verify: Verify,
    root: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    crl: Option<PathBuf>,
    tls: TlsConfig,
    /// The modification time of each file.
    changed: Vec<Option<SystemTime>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verify {
    Nothing,
    Chain,
    ChainAndName,
}

/// The trust for these settings. Reads the files again when one has changed.
pub(crate) fn trust(tls: &TlsConfig) -> Result<Arc<Trust>, TlsError> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let files = Files::find(tls, home.as_deref());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, trust)) = known.iter().find(|(made_of, _)| *made_of == files) {
        return Ok(Arc::clone(trust));
    }
    let trust = Arc::new(files.build()?);
    known.retain(|(made_of, _)| made_of.tls != files.tls);
    known.truncate(KEPT - 1);
    known.insert(0, (files, Arc::clone(&trust)));
    Ok(trust)
}

impl Files {
    /// Follows libpq: if `~/.postgresql/root.crt` exists, the chain is verified with it. If no client certificate is
    /// named, `postgresql.crt` is shown to the server, with the key in `postgresql.key`. Unlike libpq, a `verify` mode
    /// without any root trusts the machine's roots.
    fn find(tls: &TlsConfig, home: Option<&Path>) -> Self {
        let default = |name: &str| home.map(|home| home.join(".postgresql").join(name)).filter(|path| path.exists());
        let system = tls.root_cert == Some(RootCert::System);
        let root = match &tls.root_cert {
            Some(RootCert::File(path)) => Some(path.clone()),
            Some(RootCert::System) => None,
            None => default("root.crt"),
        };
        let verify = match tls.mode {
            SslMode::VerifyFull => Verify::ChainAndName,
            // Anybody can get a certificate that chains to the machine's roots, so it proves nothing unless its name is
            // checked.
            _ if system => Verify::ChainAndName,
            SslMode::VerifyCa => Verify::Chain,
            _ if root.is_some() => Verify::Chain,
            _ => Verify::Nothing,
        };
        // As in libpq, a revocation list needs a root of the user's own beside it.
        let crl = match (&root, &tls.crl, &tls.crl_dir) {
            (_, Some(path), _) => Some(path.clone()),
            (Some(_), None, None) => default("root.crl"),
            _ => None,
        };
        let identity = tls.cert.clone().or_else(|| default("postgresql.crt")).map(|cert| {
            let key =
                tls.key.clone().or_else(|| default("postgresql.key")).unwrap_or_else(|| cert.with_extension("key"));
            (cert, key)
        });
        let identity = identity.filter(|_| !tls.without_cert);
        let all =
            root.iter().chain(&crl).chain(&tls.crl_dir).chain(identity.iter().flat_map(|(cert, key)| [cert, key]));
        let changed = all.map(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok()).collect();
        Self { verify, root, identity, crl, tls: tls.clone(), changed }
    }

    fn build(&self) -> Result<Trust, TlsError> {
        let mut builder = TlsConnector::builder();
        builder.min_protocol_version(Some(protocol(self.tls.min_version.unwrap_or(TlsVersion::V12))));
        builder.max_protocol_version(self.tls.max_version.map(protocol));
        builder.use_sni(!self.tls.without_sni);
        builder.danger_accept_invalid_certs(self.verify == Verify::Nothing);
        builder.danger_accept_invalid_hostnames(true);
        if self.tls.direct {
            postgres_native_tls::set_postgresql_alpn(&mut builder);
        }
        if let Some(path) = &self.root {
            builder.disable_built_in_roots(true);
            let roots = Certificate::stack_from_pem(&read("sslrootcert", path)?).unwrap_or_default();
            if roots.is_empty() {
                return Err(TlsError::of_file("sslrootcert", path, "it contains no certificate in PEM format"));
            }
            for root in roots {
                builder.add_root_certificate(root);
            }
        }
        if let Some((cert, key)) = &self.identity {
            builder.identity(self.identity(cert, key)?);
        }
        let revocations = (self.verify != Verify::Nothing && (self.crl.is_some() || self.tls.crl_dir.is_some()))
            .then(|| Revocations::read(self.root.as_deref(), self.crl.as_deref(), self.tls.crl_dir.as_deref()));
        Ok(Trust {
            connector: builder.build()?,
            names: self.verify == Verify::ChainAndName,
            alpn: self.tls.direct,
            revocations: revocations.transpose()?,
        })
    }

    fn identity(&self, cert: &Path, key: &Path) -> Result<Identity, TlsError> {
        let chain = read("sslcert", cert)?;
        let pkcs8 = self.private_key(key)?;
        Identity::from_pkcs8(&chain, &pkcs8).map_err(|error| TlsError::of_file("sslcert", cert, &error.to_string()))
    }

    /// The key as PKCS#8, the form that native-tls takes. The file may be PKCS#1, EC, encrypted or DER.
    fn private_key(&self, path: &Path) -> Result<Vec<u8>, TlsError> {
        check_mode(path)?;
        let bytes = read("sslkey", path)?;
        let password = self.tls.key_password.as_ref();
        // An empty passphrase if none is given: without one, openssl would ask for it on the terminal.
        let passphrase = password.map_or(&b""[..], |password| password.bytes());
        let parsed = PKey::private_key_from_pem_passphrase(&bytes, passphrase)
            .or_else(|_| PKey::private_key_from_pkcs8_passphrase(&bytes, passphrase))
            .or_else(|_| PKey::private_key_from_der(&bytes));
        let reason = match (String::from_utf8_lossy(&bytes).contains("ENCRYPTED"), password) {
            (true, None) => "it is encrypted, and sslpassword is not set",
            (true, Some(_)) => "it is encrypted, and sslpassword does not decrypt it",
            (false, _) => "it is not a private key in PEM or DER format",
        };
        let key = parsed.map_err(|_| TlsError::of_file("sslkey", path, reason))?;
        key.private_key_to_pem_pkcs8()
            .map_err(|_| TlsError::of_file("sslkey", path, "openssl cannot convert it to PKCS#8"))
    }
}

fn protocol(version: TlsVersion) -> Protocol {
    match version {
        TlsVersion::V10 => Protocol::Tlsv10,
        TlsVersion::V11 => Protocol::Tlsv11,
        TlsVersion::V12 => Protocol::Tlsv12,
        TlsVersion::V13 => Protocol::Tlsv13,
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::of_file(what, path, &error.to_string()))
}

/// libpq's rule: only its owner may read a key, and its group too if root owns it.
fn check_mode(path: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(path).map_err(|error| TlsError::of_file("sslkey", path, &error.to_string()))?;
    let forbidden = if meta.uid() == 0 { 0o027 } else { 0o077 };
    if meta.mode() & forbidden == 0 {
        return Ok(());
    }
    Err(TlsError::of_file("sslkey", path, "other users can read it: run chmod 0600 on it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mode: SslMode, root_cert: Option<RootCert>, home: &Path) -> (Verify, bool, bool) {
        let files = Files::find(&TlsConfig { mode, root_cert, ..TlsConfig::default() }, Some(home));
        (files.verify, files.root.is_some(), files.identity.is_some())
    }

    #[test]
    fn files_in_the_home_directory_are_used_as_libpq_does() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(found(SslMode::Require, None, home.path()), (Verify::Nothing, false, false));
        assert_eq!(found(SslMode::VerifyCa, None, home.path()), (Verify::Chain, false, false));
        let dir = home.path().join(".postgresql");
        fs::create_dir(&dir).unwrap();
        for name in ["root.crt", "postgresql.crt", "postgresql.key"] {
            fs::write(dir.join(name), "").unwrap();
        }
        assert_eq!(found(SslMode::Prefer, None, home.path()), (Verify::Chain, true, true));
        assert_eq!(found(SslMode::Require, None, home.path()), (Verify::Chain, true, true));
        assert_eq!(found(SslMode::VerifyFull, None, home.path()), (Verify::ChainAndName, true, true));
        let system = Some(RootCert::System);
        assert_eq!(found(SslMode::Require, system, home.path()), (Verify::ChainAndName, false, true));
    }
}

//! What is checked in the certificate of a server after its chain was verified: the names in it, and whether it is
//! revoked. OpenSSL does both.

use std::net::IpAddr;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::SslFiletype;
use openssl::stack::Stack;
use openssl::x509::store::{File, HashDir, X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext, X509StoreContextRef, X509VerifyResult};

use crate::connection::wire::fault::{PeerFault, TlsError};

/// Checks that the certificate is for this name or address.
pub(super) fn check_name(shown: &X509, host: &str) -> Result<(), PeerFault> {
    let result = verified_name(shown, host).map_err(|error| PeerFault::Unchecked(error.to_string()))?;
    if result == X509VerifyResult::OK {
        return Ok(());
    }
    Err(PeerFault::WrongName { names: names_of(shown), common_name: common_name_of(shown) })
}

/// Verifies the certificate as one that is trusted, whatever its age: only the name may be wrong then.
fn verified_name(shown: &X509, host: &str) -> Result<X509VerifyResult, ErrorStack> {
    let mut wanted = X509VerifyParam::new()?;
    wanted.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    wanted.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
    match host.parse::<IpAddr>() {
        Ok(address) => wanted.set_ip(address)?,
        Err(_) => wanted.set_host(host)?,
    }
    let mut trusted = X509StoreBuilder::new()?;
    trusted.add_cert(shown.clone())?;
    trusted.set_param(&wanted)?;
    verified(&trusted.build(), shown)
}

fn verified(trusted: &X509Store, shown: &X509) -> Result<X509VerifyResult, ErrorStack> {
    let verify = |context: &mut X509StoreContextRef| {
        let verified = context.verify_cert()?;
        Ok(if verified { X509VerifyResult::OK } else { context.error() })
    };
    X509StoreContext::new()?.init(trusted, shown, Stack::new()?.as_ref(), verify)
}

/// The DNS names and addresses that the certificate is for.
fn names_of(shown: &X509) -> Vec<String> {
    let alternatives = shown.subject_alt_names();
    let name = |name: &openssl::x509::GeneralNameRef| {
        let address = || match name.ipaddress()? {
            bytes @ [_, _, _, _] => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        };
        name.dnsname().map(str::to_owned).or_else(|| address().map(|address| address.to_string()))
    };
    alternatives.iter().flatten().filter_map(name).collect()
}

fn common_name_of(shown: &X509) -> Option<String> {
    let entry = shown.subject_name().entries_by_nid(Nid::COMMONNAME).last()?;
    Some(entry.data().to_string().ok()?.clone())
}

/// Lists of revoked certificates, with the authorities that signed them.
pub(super) struct Revocations(X509Store);

impl Revocations {
    /// Reads the lists. `roots`: the trusted authorities; those of the machine if there is no file.
    pub(super) fn read(roots: Option<&Path>, list: Option<&Path>, folder: Option<&Path>) -> Result<Self, TlsError> {
        let mut store = X509StoreBuilder::new().map_err(|error| unusable(&error))?;
        match roots {
            Some(path) => store
                .add_lookup(X509Lookup::<File>::file())
                .and_then(|lookup| lookup.load_cert_file(path, SslFiletype::PEM))
                .map_err(|_| TlsError::of_file("sslrootcert", path, "it contains no certificate in PEM format"))?,
            None => store.set_default_paths().map_err(|error| unusable(&error))?,
        }
        if let Some(path) = list {
            std::fs::metadata(path).map_err(|error| TlsError::of_file("sslcrl", path, &error.to_string()))?;
            store
                .add_lookup(X509Lookup::<File>::file())
                .and_then(|lookup| lookup.load_crl_file(path, SslFiletype::PEM))
                .map_err(|_| TlsError::of_file("sslcrl", path, "it contains no revocation list in PEM format"))?;
        }
        if let Some(path) = folder {
            let name = path.to_str().filter(|_| path.is_dir());
            let name = name.ok_or_else(|| TlsError::of_file("sslcrldir", path, "it is no directory"))?;
            store
                .add_lookup(X509Lookup::<HashDir>::hash_dir())
                .and_then(|lookup| lookup.add_dir(name, SslFiletype::PEM))
                .map_err(|_| TlsError::of_file("sslcrldir", path, "it cannot be read"))?;
        }
        store
            .set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)
            .map_err(|error| unusable(&error))?;
        Ok(Self(store.build()))
    }

    /// Checks that no certificate between this one and a root is revoked.
    pub(super) fn check(&self, shown: &X509) -> Result<(), PeerFault> {
        match verified(&self.0, shown) {
            Ok(X509VerifyResult::OK) => Ok(()),
            Ok(result) => Err(PeerFault::Revocation { code: result.as_raw(), text: result.error_string().to_owned() }),
            Err(error) => Err(PeerFault::Unchecked(error.to_string())),
        }
    }
}

fn unusable(error: &ErrorStack) -> TlsError {
    TlsError::Certificate(format!("the revocation lists cannot be used: {error}"))
}

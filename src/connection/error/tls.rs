//! Why TLS failed, by the codes of OpenSSL. Its texts differ between versions, so they are only
//! added in parentheses.

use std::error::Error as _;
use std::fmt::Write as _;

use openssl::error::ErrorStack;

use super::lost::lost;
use crate::connection::wire::fault::{LIBRARY_SSL, PeerFault, TlsError, alert_of_reason};
use crate::model::{ErrorKind, NodeConfig, NodeError, TlsVersion};

const NAME: &str = "connect by a name that is in the certificate, or use sslmode=verify-ca";
const ROOT: &str = "set sslrootcert to the certificate of the authority that signed it";
const CLIENT: &str = "check sslcert and sslkey against the server's ssl_ca_file";
const VERSIONS: &str = "compare the server's ssl_min_protocol_version and ssl_max_protocol_version with the node's";
const CRL: &str = "update the files of sslcrl and sslcrldir";

pub(crate) fn of_tls(error: &TlsError, node: &NodeConfig) -> NodeError {
    match error {
        TlsError::NotSupported => {
            let mode = node.tls.mode.as_str();
            let text = format!("{} does not support TLS, but sslmode={mode} requires it", node.address());
            NodeError::new(ErrorKind::Tls, text).with_hint("set ssl = on on the server, or use sslmode=prefer")
        }
        TlsError::NotPostgres => NodeError::new(ErrorKind::Internal, format!("{}: {error}", node.address()))
            .with_hint("check that a PostgreSQL server listens on this host and port"),
        TlsError::Certificate(what) => {
            NodeError::new(ErrorKind::Tls, what.clone()).with_hint("correct the file, or the setting that names it")
        }
        TlsError::Handshake(error) => of_handshake(error, node),
        TlsError::Peer(fault) => of_peer(fault, node),
        TlsError::Io(error) => lost(node, &error.to_string()),
    }
}

fn of_handshake(error: &native_tls::Error, node: &NodeConfig) -> NodeError {
    let text = error.to_string();
    let source = error.source();
    if source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>) {
        return closed(node);
    }
    let stack = source.and_then(|source| source.downcast_ref::<ErrorStack>());
    let reasons = stack.into_iter().flat_map(ErrorStack::errors).filter(|error| error.library_code() == LIBRARY_SSL);
    for reason in reasons.map(openssl::error::Error::reason_code) {
        if reason == CERTIFICATE_VERIFY_FAILED {
            return of_verification(verify_code(error).unwrap_or_default(), &text, node);
        }
        if let Some(alert) = alert_of_reason(reason) {
            return of_alert(alert, &text, node);
        }
        if let Some(error) = of_reason(reason, &text, node) {
            return error;
        }
    }
    if source.is_none() {
        return closed(node);
    }
    failed(node, &text)
}

fn closed(node: &NodeConfig) -> NodeError {
    let error = lost(node, "it was closed during the TLS handshake");
    if node.tls.direct {
        error.with_hint("sslnegotiation=direct needs a server of version 17 or later: leave it out for an older one")
    } else {
        error
    }
}

fn failed(node: &NodeConfig, text: &str) -> NodeError {
    told(
        &format!("TLS with {} failed", node.address()),
        text,
        "check that it is a PostgreSQL server with TLS 1.2 or later",
    )
}

fn told(message: &str, text: &str, hint: &str) -> NodeError {
    NodeError::new(ErrorKind::Tls, format!("{message} ({})", short(text))).with_hint(hint)
}

/// `SSL_R_CERTIFICATE_VERIFY_FAILED`.
const CERTIFICATE_VERIFY_FAILED: i32 = 134;

/// `native_tls` keeps the result of the verification and shows it in its `Debug` form only: as
/// `X509VerifyResult { code: 10, ...`.
fn verify_code(error: &native_tls::Error) -> Option<i32> {
    let text = format!("{error:?}");
    let (_, after) = text.rsplit_once("X509VerifyResult { code: ")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// By the `X509_V_ERR_` of OpenSSL.
pub(super) fn of_verification(code: i32, text: &str, node: &NodeConfig) -> NodeError {
    let address = node.address();
    let (message, hint) = match code {
        9 => (format!("the certificate of {address} is not valid yet"), "check the clocks of both machines"),
        10 => (format!("the certificate of {address} has expired"), "renew it on the server"),
        18 => (
            format!("the certificate of {address} is not signed by a trusted authority but by itself"),
            "set sslrootcert to that certificate",
        ),
        2 | 19 | 20 | 21 | 27 => (format!("the certificate of {address} is not signed by a trusted authority"), ROOT),
        7 => (
            format!("the certificate of {address} is not signed by the authority that it names"),
            "set sslrootcert to the present certificate of that authority",
        ),
        23 => (format!("the certificate of {address} is revoked"), "replace it on the server"),
        3 | 33 => (format!("no revocation list covers the certificate of {address}"), CRL),
        11 | 12 => (format!("the revocation list for the certificate of {address} is not valid now"), CRL),
        24 | 26 | 79 => (
            format!("the certificate of {address}, or one that signed it, was not issued for this purpose"),
            "issue it as a server's certificate, and those that sign as authorities (basicConstraints, keyUsage)",
        ),
        66..=68 => (
            format!("the certificate of {address}, or one that signed it, has a key or a signature that is too weak"),
            "issue it with a key of 2048 bits or more and SHA-256",
        ),
        _ => (format!("the certificate of {address} is not accepted"), ROOT),
    };
    told(&message, text, hint)
}

/// By the `SSL_R_` of OpenSSL: what went wrong on our side of the handshake.
fn of_reason(reason: i32, text: &str, node: &NodeConfig) -> Option<NodeError> {
    let address = node.address();
    let (message, hint) = match reason {
        // UNSUPPORTED_PROTOCOL, NO_PROTOCOLS_AVAILABLE, VERSION_TOO_HIGH, VERSION_TOO_LOW
        258 | 191 | 166 | 396 => (format!("{address} and pgwatch have no version of TLS in common"), VERSIONS),
        // WRONG_VERSION_NUMBER, HTTP_REQUEST, RECORD_LAYER_FAILURE, PACKET_LENGTH_TOO_LONG
        267 | 156 | 313 | 198 => (
            format!("what answers at {address} does not speak TLS"),
            "check host and port; sslnegotiation=direct needs a server of version 17 or later",
        ),
        // NO_SHARED_CIPHER, NO_CIPHERS_AVAILABLE, WRONG_CIPHER_RETURNED
        193 | 181 | 261 => {
            (format!("{address} and pgwatch have no cipher in common"), "check the server's ssl_ciphers")
        }
        // DH_KEY_TOO_SMALL
        394 => (format!("{address} offers a key exchange that is too weak"), "check the server's ssl_dh_params_file"),
        // UNEXPECTED_EOF_WHILE_READING
        294 => return Some(closed(node)),
        _ => return None,
    };
    Some(told(&message, text, hint))
}

/// By the number of the alert (RFC 8446, 6.2): what the server has against us.
pub(crate) fn of_alert(alert: u8, text: &str, node: &NodeConfig) -> NodeError {
    let address = node.address();
    let shown = if node.tls.cert.is_some() { "sslcert" } else { "the client certificate" };
    let (message, hint) = match alert {
        48 => (format!("{address} rejects the client certificate: it does not know the issuer"), CLIENT),
        45 => (format!("{address} rejects {shown}: it has expired"), "renew the client certificate"),
        44 => (format!("{address} rejects {shown}: it is revoked"), "get a new client certificate"),
        42 | 43 | 46 => (format!("{address} rejects the client certificate"), CLIENT),
        116 => (format!("{address} requires a client certificate"), CLIENT),
        70 => (format!("{address} and pgwatch have no version of TLS in common"), version_hint(node)),
        71 => (format!("{address} asks for stronger ciphers than pgwatch offers"), "check the server's ssl_ciphers"),
        112 => (format!("{address} does not know the name {}", node.host), "check host, or set sslsni=0"),
        120 => (
            format!("{address} does not speak PostgreSQL over TLS that begins at once"),
            "leave sslnegotiation=direct out; it needs a server of version 17 or later",
        ),
        // handshake_failure: no cipher or no version in common, or, before TLS 1.3, no certificate of ours.
        40 => (
            format!("{address} rejects the TLS handshake"),
            "compare versions and ciphers of both sides; if it requires a client certificate, set sslcert and sslkey",
        ),
        _ => (format!("{address} rejects the TLS handshake"), CLIENT),
    };
    told(&message, text, hint)
}

fn version_hint(node: &NodeConfig) -> &'static str {
    if node.tls.max_version.is_some() || node.tls.min_version > Some(TlsVersion::V12) {
        VERSIONS
    } else {
        "pgwatch speaks TLS 1.2 and 1.3 unless ssl_min_protocol_version says otherwise"
    }
}

fn of_peer(fault: &PeerFault, node: &NodeConfig) -> NodeError {
    let (address, host) = (node.address(), &node.host);
    match fault {
        PeerFault::WrongName { names, common_name } => {
            let what = if host.parse::<std::net::IpAddr>().is_ok() { "address" } else { "name" };
            let is_for = match (names.as_slice(), common_name) {
                (_, Some(name)) if name == host => {
                    format!("it has {name} as its common name only, where an address does not count")
                }
                ([], Some(name)) => format!("it is for {name}"),
                ([], None) => "it names nothing".to_owned(),
                (names, _) => format!("it is for {}", within(names)),
            };
            let text = format!("the certificate of {address} is not for the {what} {host}: {is_for}");
            let hint = match common_name {
                Some(name) if name == host => "issue it with the address as a subjectAltName, or use sslmode=verify-ca",
                _ => NAME,
            };
            NodeError::new(ErrorKind::Tls, text).with_hint(hint)
        }
        PeerFault::Revocation { code, text } => {
            let error = of_verification(*code, text, node);
            match code {
                2 | 20 | 21 => error.with_hint(
                    "to check revocation, sslrootcert must have all authorities between the root and the certificate",
                ),
                _ => error,
            }
        }
        PeerFault::NoAlpn => {
            NodeError::new(ErrorKind::Tls, format!("{address} does not speak PostgreSQL over TLS that begins at once"))
                .with_hint("leave sslnegotiation=direct out; it needs a server of version 17 or later")
        }
        PeerFault::Unchecked(why) => {
            NodeError::new(ErrorKind::Tls, format!("the certificate of {address} cannot be checked: {why}"))
                .with_hint(NAME)
        }
    }
}

/// The first names of a certificate that may have hundreds.
fn within(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        let _ = write!(text, " and {} more", names.len() - SHOWN);
    }
    text
}

/// A server closed the connection after it saw our certificate; a reset may overtake the alert with the reason.
pub(crate) fn rejected(node: &NodeConfig) -> NodeError {
    let text = format!(
        "{} closed the connection on receiving the client certificate, which it probably rejects",
        node.address()
    );
    NodeError::new(ErrorKind::Tls, text).with_hint(CLIENT)
}

/// The reason in an error of OpenSSL, without file names and numbers: the text in the last parentheses, or the field
/// after the function.
fn short(text: &str) -> &str {
    if let Some((_, inner)) = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) {
        return inner;
    }
    text.split(':').nth(4).filter(|reason| !reason.is_empty()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn node(host: &str) -> NodeConfig {
        NodeConfig::new(NodeName::parse("n1").unwrap(), host)
    }

    #[test]
    fn a_certificate_is_said_to_be_for_its_names() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (host, alternatives, common_name, said) in [
            ("db", names(&["a", "b"]), Some("a"), "is not for the name db: it is for a, b"),
            ("10.0.0.9", names(&["a"]), None, "is not for the address 10.0.0.9: it is for a"),
            ("db", names(&[]), Some("other"), "is not for the name db: it is for other"),
            ("db", names(&[]), None, "is not for the name db: it names nothing"),
            ("10.0.0.9", names(&[]), Some("10.0.0.9"), "it has 10.0.0.9 as its common name only"),
            ("db", names(&["a", "b", "c", "d", "e", "f"]), None, "it is for a, b, c, d and 2 more"),
        ] {
            let fault = PeerFault::WrongName { names: alternatives, common_name: common_name.map(str::to_owned) };
            let error = of_tls(&TlsError::Peer(fault), &node(host));
            assert!(error.message.contains(said), "{}", error.message);
            assert_eq!(error.kind, ErrorKind::Tls);
        }
    }

    #[test]
    fn each_alert_and_result_has_its_words() {
        let text =
            "error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:../ssl/record/rec_layer_s3.c:1586:";
        assert_eq!(
            of_alert(48, text, &node("db")).message,
            "db:5432 rejects the client certificate: it does not know the issuer (tlsv1 alert unknown ca)"
        );
        assert!(of_alert(116, text, &node("db")).message.contains("requires a client certificate"));
        assert!(of_alert(70, text, &node("db")).message.contains("no version of TLS in common"));
        assert_eq!((alert_of_reason(1116), alert_of_reason(134), alert_of_reason(1300)), (Some(116), None, None));
        for (code, said) in [
            (10, "has expired"),
            (18, "by itself"),
            (20, "not signed by a trusted authority"),
            (23, "revoked"),
            (999, "not accepted"),
        ] {
            let error = of_verification(code, "x (why)", &node("db"));
            assert!(error.message.contains(said) && error.message.ends_with("(why)"), "{}", error.message);
        }
    }
}

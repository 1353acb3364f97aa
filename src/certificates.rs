//! The certificate authorities that this machine trusts, for HTTPS.

use anyhow::bail;
use ureq::tls::{Certificate, RootCerts};

/// Reads the system's authorities, which takes some ms.
///
/// # Errors
/// There are none.
pub fn system() -> anyhow::Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let cause = found
            .errors
            .first()
            .map_or("there are none".to_owned(), ToString::to_string);
        bail!(
            "cannot read the system's certificates: {cause}; install the package ca-certificates"
        );
    }
    Ok(RootCerts::from(found.certs.iter().map(|certificate| {
        Certificate::from_der(certificate).to_owned()
    })))
}

//! TLS towards the relay: whose certificates are trusted, and for which name.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::domain;
use super::verdict::{Cause, Fault, bare_host, without_os_number};
use crate::settings::Relay;

/// What every TLS connection to the relay begins with.
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates to trust: the system's and those of `ca_file`.
    pub(super) fn new(relay: &Relay) -> Result<Tls, Fault> {
        let unfit = || {
            Fault::new(
                Cause::Local,
                "smtp.host is no name that a certificate could have",
            )
        };
        let host = domain::to_ascii(bare_host(&relay.host)).ok_or_else(unfit)?;
        let name = ServerName::try_from(host).map_err(|_| unfit())?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault::new(Cause::Local, format!("cannot set up TLS: {error}")))?;
        let config = if relay.verify {
            let roots = roots(relay.ca_file.as_deref())?;
            builder.with_root_certificates(roots).with_no_client_auth()
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                .with_no_client_auth()
        };
        Ok(Tls {
            config: Arc::new(config),
            name,
        })
    }

    /// A connection that has said nothing yet.
    pub(super) fn connection(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
    }
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    // One odd certificate among the system's must not switch mail off: those that can't be read are left out.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let Some(path) = ca_file else {
        return Ok(roots);
    };
    let local = |words| Fault::new(Cause::Local, words);
    let file = format!("smtp.ca_file {}", path.display());
    let pem = std::fs::read(path).map_err(|error| {
        let error = without_os_number(&error.to_string());
        local(format!("cannot read {file}: {error}"))
    })?;
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|error| local(format!("cannot use {file}: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| local(format!("cannot use {file}: {error}")))?;
        found = true;
    }
    if !found {
        return Err(local(format!("no certificate in {file}: it must be PEM")));
    }
    Ok(roots)
}

/// Stands in for the verifier with `smtp.verify = false`. Whoever may show any certificate may as well sign with its
/// key, so signatures are not looked at either.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

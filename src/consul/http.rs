//! One HTTP request to the Consul agent: TLS, the deadline, and what each way of failing means.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, RequestBuilder};

use crate::output::Log;
use crate::settings;
use crate::text::{fit, one_line};
use crate::trouble::{Case, Trouble};

/// A KV folder of 10,000 nodes takes some 5 MB; beyond this it is no answer to our question.
const BODY_BYTES: u64 = 16 * 1024 * 1024;

/// The library's own buffers are larger, and filled with zeros before use.
const INPUT_BUFFER_BYTES: usize = 32 * 1024;

/// A request is a line and a few headers, one of them the token.
const OUTPUT_BUFFER_BYTES: usize = 16 * 1024;

/// Characters of an error's body that are quoted.
const QUOTED_CHARS: usize = 200;

/// A connection to one agent, kept alive between requests.
pub(super) struct Http {
    agent: Agent,
    base: String,
    token: Option<settings::Secret>,
    timeout_secs: f64,
    /// How many requests got no answer in time.
    silences: AtomicU32,
}

/// What the agent answered.
pub(super) struct Answer {
    /// The method and the whole URL, for errors.
    question: String,
    /// HTTP status.
    pub(super) status: u16,
    /// The reason that goes with it, e.g. `Forbidden`.
    reason: &'static str,
    /// The header `X-Consul-Results-Filtered-By-ACLs`: there is more than the token may see. Consul 1.11 and later send it.
    pub(super) filtered: bool,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum Silence {
    /// The time was up.
    Timeout(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<Silence> for anyhow::Error {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Timeout(error) | Silence::Other(error) => error,
        }
    }
}

impl Http {
    pub(super) fn new(settings: &settings::Consul) -> anyhow::Result<Self> {
        let base = base_url(&settings.address)?;
        if let Some(token) = &settings.token
            && !token.reveal().bytes().all(|byte| byte.is_ascii_graphic())
        {
            bail!("the Consul token holds characters that none has, e.g. a space or a line break");
        }
        let mut config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            .input_buffer_size(INPUT_BUFFER_BYTES)
            .output_buffer_size(OUTPUT_BUFFER_BYTES)
            // The agent is asked directly: a proxy for the way out knows nothing of a loopback address.
            .proxy(None)
            // The token must not travel to wherever a redirect points.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("petanotify/", env!("CARGO_PKG_VERSION")));
        // Reading the system's certificates takes some ms, which the usual loopback address needn't pay for.
        if base.starts_with("https:") {
            config = config.tls_config(tls(settings)?);
        }
        Ok(Http {
            agent: Agent::with_parts(
                config.build(),
                DefaultConnector::default(),
                Lookup::default(),
            ),
            base,
            token: settings.token.clone(),
            timeout_secs: settings.timeout.as_secs_f64(),
            silences: AtomicU32::new(0),
        })
    }

    /// How many requests got no answer in time so far.
    pub(super) fn silences(&self) -> u32 {
        self.silences.load(Ordering::Relaxed)
    }

    /// `GET` of a path with its query.
    pub(super) fn get(&self, path: &str, log: &Log) -> Result<Answer, Silence> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let send = || self.with_token(request).call();
        self.exchange("GET", path, send, log)
    }

    /// `POST` of a JSON document.
    pub(super) fn post(&self, path: &str, json: &str, log: &Log) -> Result<Answer, Silence> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let send = || self.with_token(request).send(json);
        self.exchange("POST", path, send, log)
    }

    /// `PUT` of a path with its query, and a body that may be empty.
    pub(super) fn put(&self, path: &str, body: &[u8], log: &Log) -> Result<Answer, Silence> {
        let request = self.agent.put(format!("{}{path}", self.base));
        let send = || self.with_token(request).send(body);
        self.exchange("PUT", path, send, log)
    }

    fn with_token<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("X-Consul-Token", token.reveal()),
            None => request,
        }
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        send: impl FnOnce() -> Result<Response<Body>, ureq::Error>,
        log: &Log,
    ) -> Result<Answer, Silence> {
        let started = Instant::now();
        let result = send().and_then(|mut response| {
            let body = response
                .body_mut()
                .with_config()
                .limit(BODY_BYTES)
                .read_to_vec()?;
            Ok((response, body))
        });
        log.info(format_args!(
            "consul {method} {path}: {} ms",
            started.elapsed().as_millis()
        ));
        let question = format!("Consul: {method} {}{path}", self.base);
        match result {
            Ok((response, body)) => Ok(Answer {
                question,
                status: response.status().as_u16(),
                reason: response.status().canonical_reason().unwrap_or("unknown"),
                filtered: response
                    .headers()
                    .get("X-Consul-Results-Filtered-By-ACLs")
                    .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")),
                body,
            }),
            Err(ureq::Error::Timeout(_)) => {
                self.silences.fetch_add(1, Ordering::Relaxed);
                Err(Silence::Timeout(anyhow!(Trouble::new(
                    Case::Unreachable,
                    format!("{question}: no answer within {} s", self.timeout_secs),
                    "is the agent well (systemctl status consul)? (consul.timeout)"
                ))))
            }
            Err(error) => {
                let mut trouble = cause(&error);
                trouble.words = format!("{question}: {}", trouble.words);
                Err(Silence::Other(anyhow!(trouble)))
            }
        }
    }
}

impl Answer {
    /// An error about this answer.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{}: {what}", self.question)
    }

    /// The error that a status other than the wanted one is.
    ///
    /// `policy` is the rule that a token needs, in the language of Consul's policies.
    pub(super) fn refused(&self, policy: &str) -> anyhow::Error {
        let words = self.words();
        let colon = if words.is_empty() { "" } else { ": " };
        let (case, advice) = match self.status {
            403 if words.contains("ACL not found") => (
                Case::NotLetIn,
                "Consul does not know the token: see consul.token_file or CONSUL_HTTP_TOKEN"
                    .to_owned(),
            ),
            401 | 403 => (Case::NotAllowed, must_contain(policy)),
            400 if words.contains("HTTPS server") => (
                Case::Other,
                "consul.address must begin with https://".to_owned(),
            ),
            300..=399 | 404 => (
                Case::Other,
                "is this a Consul agent? see consul.address".to_owned(),
            ),
            // A session belongs to a node of the catalog, and ends with its check serfHealth.
            500 if words.contains("registration") => (
                Case::Other,
                "the agent registers its node within a minute, if its own token (acl.tokens.agent) may do so: \
                 node_prefix \"\" { policy = \"write\" }"
                    .to_owned(),
            ),
            _ => {
                return self.error(format_args!(
                    "{} {}{colon}{words}",
                    self.status, self.reason
                ));
            }
        };
        let words = format!(
            "{}: {} {}{colon}{words}",
            self.question, self.status, self.reason
        );
        anyhow!(Trouble::new(case, words, advice))
    }

    /// The error that an answer is from which the access control has taken something away.
    pub(super) fn hides(&self, what: &str, policy: &str) -> anyhow::Error {
        let words = format!("{}: {what}", self.question);
        anyhow!(Trouble::new(Case::NotAllowed, words, must_contain(policy)))
    }

    /// The first line of the body that is not blank.
    pub(super) fn words(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let line = body.lines().map(one_line).find(|line| !line.is_empty());
        fit(&line.unwrap_or_default(), QUOTED_CHARS)
    }
}

/// Looks names up within the deadline, for which the library starts a thread in each request; an address needs none.
#[derive(Debug, Default)]
struct Lookup {
    names: DefaultResolver,
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        match socket_address(uri) {
            Some(address) => {
                let mut found = self.empty();
                found.push(address);
                Ok(found)
            }
            None => self.names.resolve(uri, config, timeout),
        }
    }
}

/// The address that a URL consists of, if that is one and no name.
fn socket_address(uri: &Uri) -> Option<SocketAddr> {
    let authority = uri.authority()?;
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(host).parse().ok()?;
    Some(SocketAddr::new(address, authority.port_u16()?))
}

/// The address without a trailing slash and with a scheme, if it is one that can be asked.
fn base_url(address: &str) -> anyhow::Result<String> {
    if address.starts_with("unix:") || address.starts_with('/') {
        bail!(
            "consul.address is the Unix socket {address}, but only http and https are spoken here: \
             give the agent's HTTP address, e.g. http://127.0.0.1:8500"
        );
    }
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        // As CONSUL_HTTP_ADDR is usually written.
        format!("http://{address}")
    };
    let url = url.trim_end_matches('/').to_owned();
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::authority);
    if host.is_some_and(|host| host.as_str().contains('@')) {
        bail!("consul.address must not contain a login; a token goes into consul.token_file");
    }
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http" | "https") if host.is_some() && !url.contains(['?', '#']) => Ok(url),
        _ => bail!(
            "consul.address {url:?} is no address to ask: give it as http://HOST:PORT or https://HOST:PORT"
        ),
    }
}

fn tls(settings: &settings::Consul) -> anyhow::Result<TlsConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = TlsConfig::builder().disable_verification(!settings.verify);
    if settings.verify {
        config = config.root_certs(match &settings.ca_file {
            Some(path) => RootCerts::from(certificates(path, "consul.ca_file")?),
            None => crate::certificates::system()
                .map_err(|error| anyhow!("{error:#} or set consul.ca_file"))?,
        });
    }
    if let Some((certificate, key)) = &settings.client_certificate {
        config = config.client_cert(Some(client_certificate(certificate, key, &provider)?));
    }
    Ok(config.unversioned_rustls_crypto_provider(provider).build())
}

/// The certificates of a PEM file; at least one. `key` is the setting that names the file.
fn certificates(path: &Path, key: &str) -> anyhow::Result<Vec<Certificate<'static>>> {
    let pem = fs::read(path).with_context(|| format!("cannot read {key} {}", path.display()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => bail!("{key} {} is no valid PEM: {error}", path.display()),
        }
    }
    if certificates.is_empty() {
        bail!("{key} {} contains no certificate in PEM", path.display());
    }
    Ok(certificates)
}

fn client_certificate(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> anyhow::Result<ClientCert> {
    let chain = certificates(certificate, "consul.client_certificate_file")?;
    let pem = fs::read(key)
        .with_context(|| format!("cannot read consul.client_key_file {}", key.display()))?;
    let private = PrivateKey::from_pem(&pem).map_err(|_| {
        anyhow!(
            "consul.client_key_file {} contains no private key in PEM",
            key.display()
        )
    })?;
    // The TLS layer would panic at the first request if the two did not belong together.
    let der = PrivateKeyDer::try_from(private.der().to_vec())
        .map_err(|cause| anyhow!("consul.client_key_file {}: {cause}", key.display()))?;
    let ders = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der().to_vec()))
        .collect();
    CertifiedKey::from_der(ders, der, provider).map_err(|cause| {
        anyhow!(
            "consul.client_certificate_file {} and consul.client_key_file {} can't be used together: {cause}",
            certificate.display(),
            key.display()
        )
    })?;
    Ok(ClientCert::new_with_certs(&chain, private))
}

/// What a token needs that may not do what was asked.
pub(super) fn must_contain(policy: &str) -> String {
    format!("the token's policy must contain {policy}")
}

/// What went wrong, in words, and what to do about it.
fn cause(error: &ureq::Error) -> Trouble {
    let unreachable = |words: String, advice: &str| Trouble::new(Case::Unreachable, words, advice);
    match error {
        ureq::Error::Io(error) => match tls_cause(error) {
            Some(cause) => cause,
            None if error.kind() == io::ErrorKind::ConnectionRefused => unreachable(
                "connection refused".to_owned(),
                "is the agent running (systemctl status consul)? else see consul.address",
            ),
            None => unreachable(error.to_string(), "see consul.address"),
        },
        ureq::Error::HostNotFound => unreachable("no such host".to_owned(), "see consul.address"),
        ureq::Error::Rustls(error) => tls_words(error),
        ureq::Error::BodyExceedsLimit(_) => no_agent(format!(
            "the answer is too long: more than {} MiB",
            BODY_BYTES / (1024 * 1024)
        )),
        error => no_agent(error.to_string()),
    }
}

fn no_agent(words: String) -> Trouble {
    let advice = "is this a Consul agent? see consul.address";
    Trouble::new(Case::Other, words, advice)
}

fn tls_cause(error: &io::Error) -> Option<Trouble> {
    error
        .get_ref()?
        .downcast_ref::<rustls::Error>()
        .map(tls_words)
}

fn tls_words(error: &rustls::Error) -> Trouble {
    let advice = match error {
        rustls::Error::InvalidCertificate(_) => {
            "which certificate authority signed it, and for which name? see consul.ca_file and consul.address"
        }
        rustls::Error::AlertReceived(_) => {
            "does the agent ask for a client certificate? see consul.client_certificate_file and consul.client_key_file"
        }
        _ => "does the agent speak TLS on this port? see consul.address",
    };
    Trouble::new(Case::Other, format!("TLS: {error}"), advice)
}

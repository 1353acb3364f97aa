//! The edge to a dead man's switch: a service that raises the alarm when it has not heard of us for a while.
//!
//! Whoever knows the address can keep the switch quiet, so no message shows more of it than the server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use rustls::crypto::ring;
use ureq::http::Uri;
use ureq::tls::TlsConfig;

use crate::certificates;
use crate::settings::Secret;

/// What a beat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// The pass was complete.
    Complete,
    /// It was not: `/fail` is appended to the path.
    Failed,
}

/// Sends one beat: a `GET` that is answered with a status of 2xx within `timeout`, connecting included. Redirects are not
/// followed; a proxy of the environment (`HTTPS_PROXY`) is used.
///
/// # Errors
/// What went wrong, in words for the admin, without the address.
pub fn beat(url: &Secret, beat: Beat, timeout: Duration) -> anyhow::Result<()> {
    let address = match beat {
        Beat::Complete => url.reveal().to_owned(),
        Beat::Failed => failed(url.reveal()),
    };
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("petanotify/", env!("CARGO_PKG_VERSION")));
    if address.starts_with("https:") {
        let tls = TlsConfig::builder()
            .root_certs(certificates::system()?)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
        config = config.tls_config(tls.build());
    }
    let answer = config.build().new_agent().get(address).call();
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => bail!("{}", answered(answer.status())),
        Err(error) => Err(anyhow!(cause(&error, timeout))),
    }
}

/// The server of an address, all else left out: `https://hc-ping.com/...`
pub fn shown(url: &Secret) -> String {
    let uri = url.reveal().parse::<Uri>().ok();
    let server = uri.as_ref().and_then(|uri| {
        let port = uri.port().map(|port| format!(":{port}"));
        let (scheme, host) = (uri.scheme_str()?, uri.host()?);
        Some(format!("{scheme}://{host}{}", port.unwrap_or_default()))
    });
    format!("{}/...", server.unwrap_or_default())
}

/// The address with `/fail` at the end of its path.
fn failed(url: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{}/fail?{query}", path.trim_end_matches('/')),
        None => format!("{}/fail", url.trim_end_matches('/')),
    }
}

fn answered(status: ureq::http::StatusCode) -> String {
    let advice = match status.as_u16() {
        300..=399 => "; redirects are not followed, so give the address it leads to",
        401 | 403 | 404 | 410 => "; is the address still the one that the service names?",
        _ => "",
    };
    format!("the answer is {status}{advice}")
}

/// What went wrong. An error of the library may quote the address, so only those that are known not to are passed on.
fn cause(error: &ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => {
            format!(
                "no answer within {} s (heartbeat.timeout)",
                timeout.as_secs_f64()
            )
        }
        ureq::Error::HostNotFound => "no such host".to_owned(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
            Some(error) => format!("TLS: {}", error as &rustls::Error),
            None if error.kind() == io::ErrorKind::ConnectionRefused => {
                "connection refused".to_owned()
            }
            None => error.to_string(),
        },
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
            "the proxy that the environment names (HTTPS_PROXY) cannot be used".to_owned()
        }
        _ => "the answer makes no sense; is this the address of a web server?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_of_an_address_is_shown() {
        for (url, expected) in [
            ("https://hc-ping.com/5ec7e7-uuid", "https://hc-ping.com/..."),
            ("http://u:pa55@h:8080/x?key=pa55", "http://h:8080/..."),
            ("https://[::1]:3/a", "https://[::1]:3/..."),
            ("no address", "/..."),
        ] {
            assert_eq!(shown(&Secret::new(url)), expected);
        }
    }

    #[test]
    fn a_failure_is_told_at_the_end_of_the_path() {
        for (url, expected) in [
            ("https://h/uuid", "https://h/uuid/fail"),
            ("https://h/uuid/", "https://h/uuid/fail"),
            (
                "https://h/push/key?status=up",
                "https://h/push/key/fail?status=up",
            ),
            ("https://h", "https://h/fail"),
        ] {
            assert_eq!(failed(url), expected);
        }
    }
}

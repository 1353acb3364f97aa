//! What a mail server's certificate says, for people to read. Whether it is to be trusted is not decided here.

use std::net::IpAddr;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::time::Time;

use crate::text::one_line;

/// A certificate (RFC 5280).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it was issued to: the common name, or what else the subject has.
    pub subject: String,
    /// The host names and addresses that it is for (`subjectAltName`).
    pub names: Vec<String>,
    /// Who issued it, told like the subject.
    pub issuer: String,
    /// The last moment of its validity.
    pub expires: Timestamp,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// It is none, or one that breaks the rules of RFC 5280.
    pub(super) fn parse(der: &CertificateDer<'_>) -> Result<Certificate, String> {
        let unreadable = |error: x509_cert::der::Error| error.to_string();
        let certificate = x509_cert::Certificate::from_der(der).map_err(unreadable)?;
        let content = certificate.tbs_certificate();
        let names = match content.get_extension::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().filter_map(host_name).collect(),
            Ok(None) => Vec::new(),
            Err(error) => return Err(unreadable(error)),
        };
        Ok(Certificate {
            subject: told(content.subject()),
            names,
            issuer: told(content.issuer()),
            expires: moment(content.validity().not_after)?,
        })
    }

    /// The name of the certificate by which it is for `host` (RFC 6125, section 6.4): the same, or `*.` and all but the
    /// first label.
    pub fn name_for(&self, host: &str) -> Option<&str> {
        let host = host.strip_suffix('.').unwrap_or(host);
        let domain = match host.parse::<IpAddr>() {
            Ok(_) => None,
            Err(_) => host.split_once('.').map(|(_, domain)| domain),
        };
        let fits = |name: &&String| {
            name.eq_ignore_ascii_case(host)
                || (name.strip_prefix("*."))
                    .zip(domain)
                    .is_some_and(|(wild, domain)| wild.eq_ignore_ascii_case(domain))
        };
        self.names.iter().find(fits).map(String::as_str)
    }
}

fn host_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(one_line(name.as_str())),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn told(name: &Name) -> String {
    let text = match (name.common_name(), name.organization()) {
        (Ok(Some(common)), _) => common.value().into_owned(),
        (_, Ok(Some(organization))) => organization.value().into_owned(),
        _ => name.to_string(),
    };
    one_line(&text)
}

fn moment(time: Time) -> Result<Timestamp, String> {
    let seconds = time.to_unix_duration().as_secs();
    let seconds = i64::try_from(seconds).map_err(|error| error.to_string())?;
    Timestamp::from_second(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{CertificateParams, DnType, Issuer, KeyPair, date_time_ymd};

    use super::*;

    fn issued() -> Certificate {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        let mut name = rcgen::DistinguishedName::new();
        name.push(DnType::OrganizationName, "A private\u{7} CA");
        authority.distinguished_name = name;
        let issuer = Issuer::new(authority, KeyPair::generate().unwrap());
        let names = [
            "mail.example.org",
            "*.Relay.example.org",
            "192.0.2.7",
            "2001:db8::7",
        ];
        let mut params = CertificateParams::new(names.map(str::to_owned)).unwrap();
        params.distinguished_name.push(DnType::CommonName, "mail");
        params.not_after = date_time_ymd(2030, 2, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Certificate::parse(certificate.der()).unwrap()
    }

    #[test]
    fn names_issuer_and_end_are_read() {
        let certificate = issued();
        assert_eq!(certificate.subject, "mail");
        assert_eq!(certificate.issuer, "A private CA");
        assert_eq!(
            certificate.names,
            [
                "mail.example.org",
                "*.Relay.example.org",
                "192.0.2.7",
                "2001:db8::7"
            ]
        );
        assert_eq!(certificate.expires.to_string(), "2030-02-01T00:00:00Z");
        let garbage = CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
        assert!(Certificate::parse(&garbage).is_err());
    }

    #[test]
    fn the_name_for_a_host_is_found() {
        let certificate = issued();
        for (host, name) in [
            ("mail.example.org", Some("mail.example.org")),
            ("MAIL.example.org.", Some("mail.example.org")),
            ("a.relay.example.org", Some("*.Relay.example.org")),
            ("a.b.relay.example.org", None),
            ("relay.example.org", None),
            ("192.0.2.7", Some("192.0.2.7")),
            ("192.0.2.8", None),
            ("2001:db8::7", Some("2001:db8::7")),
            ("mail", None),
        ] {
            assert_eq!(certificate.name_for(host), name, "{host}");
        }
    }
}

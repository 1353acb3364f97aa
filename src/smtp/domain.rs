//! Domain names as SMTP wants them: our own for EHLO, and international ones in ASCII.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use lettre::transport::smtp::extension::ClientId;

/// Longest label and longest name of the DNS (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 253;

/// What this machine calls itself in EHLO: its node name if that can be a full domain name, else an address literal
/// (RFC 5321, section 4.1.4), since many servers turn away a bare host name.
pub(super) fn hello_name(node_name: &str) -> ClientId {
    let name = node_name.strip_suffix('.').unwrap_or(node_name);
    // A name that ends in digits would be taken for an IPv4 address.
    let last_is_number = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let qualified = name.contains('.') && name.len() <= NAME_MAX && name.split('.').all(is_label);
    if qualified && !last_is_number {
        ClientId::Domain(name.to_owned())
    } else {
        ClientId::Ipv4(Ipv4Addr::LOCALHOST)
    }
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The name with every international label in its ASCII form (UTS 46, non-transitional). A plain ASCII name stays as it
/// is; `None` when there is no such form or it is too long for the DNS.
pub(super) fn to_ascii(name: &str) -> Option<String> {
    if name.is_ascii() {
        return Some(name.to_owned());
    }
    // Full-width characters would become ASCII ones: `＞` and an ideographic space must not end an address.
    Uts46::new()
        .to_ascii(
            name.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::VerifyAllowRootDot,
        )
        .map(Cow::into_owned)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn international_names_become_ascii() {
        for (name, ascii) in [
            ("example.org", "example.org"),
            ("Example.ORG", "Example.ORG"),
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("faß.de", "xn--fa-hia.de"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("пример.испытание", "xn--e1afmkfd.xn--80akhbyknj4f"),
            // RFC 3492, section 7.1 (P).
            ("Majiでkoiする5秒前", "xn--majikoi5-783gue6qz075azm5e"),
            // Composed or not, it is the same name.
            ("mu\u{308}nchen.example", "xn--mnchen-3ya.example"),
            ("münchen.example.", "xn--mnchen-3ya.example."),
        ] {
            assert_eq!(to_ascii(name).as_deref(), Some(ascii), "{name}");
        }
        let too_long = "ü".repeat(70);
        for name in [
            too_long.as_str(),
            "ü＞.example",
            "ü\u{3000}.example",
            "ü..example",
        ] {
            assert_eq!(to_ascii(name), None, "{name}");
        }
    }

    #[test]
    fn the_node_name_is_used_when_it_is_a_domain() {
        for (node, hello) in [
            ("node1.storage.example", "node1.storage.example"),
            ("node1.storage.example.", "node1.storage.example"),
            ("node1", "[127.0.0.1]"),
            ("", "[127.0.0.1]"),
            (".", "[127.0.0.1]"),
            ("node_1.example", "[127.0.0.1]"),
            ("-node.example", "[127.0.0.1]"),
            ("node..example", "[127.0.0.1]"),
            ("10.0.0.1", "[127.0.0.1]"),
            ("a b.example", "[127.0.0.1]"),
            ("a\r\nQUIT.example", "[127.0.0.1]"),
        ] {
            assert_eq!(hello_name(node).to_string(), hello, "{node}");
        }
    }
}

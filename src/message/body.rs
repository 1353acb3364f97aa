//! What a mail holds below its headers: plain text, and HTML beside it. Pure.

use anyhow::Result;
use lettre::message::header::ContentType;
use lettre::message::{self, MessageBuilder, MultiPart, SinglePart};

use crate::queue::MailId;

/// The parts of a mail, encoded: they are the same for all who are told of an alert.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    plain: message::Body,
    html: Option<message::Body>,
    /// Begins all boundaries, and occurs in none of the parts.
    boundary: String,
}

impl Body {
    pub(crate) fn new(plain: String, html: Option<String>) -> Self {
        // RFC 2045, section 6.7: no line of quoted-printable holds "=_".
        let mut boundary = "=_petanotify_".to_owned();
        let occurs = |boundary: &str| {
            plain.contains(boundary) || html.as_ref().is_some_and(|html| html.contains(boundary))
        };
        while occurs(&boundary) {
            boundary.push('_');
        }
        Body {
            plain: message::Body::new(plain),
            html: html.map(message::Body::new),
            boundary,
        }
    }

    /// The mail with these headers. The boundary is made of the mail's id, so that the mail is the same at every attempt.
    ///
    /// # Errors
    /// The library refuses the parts.
    pub(crate) fn put_into(&self, message: MessageBuilder, id: &MailId) -> Result<Vec<u8>> {
        let part = |kind: ContentType, body: &message::Body| {
            let part = SinglePart::builder().header(kind);
            part.body(body.clone())
        };
        let plain = part(ContentType::TEXT_PLAIN, &self.plain);
        let mail = match &self.html {
            None => message.singlepart(plain)?,
            Some(html) => message.multipart(
                MultiPart::alternative()
                    .boundary(format!("{}{id}", self.boundary))
                    .singlepart(plain)
                    // RFC 2046, section 5.1.4: the richest one is the last.
                    .singlepart(part(ContentType::TEXT_HTML, html)),
            )?,
        };
        Ok(mail.formatted())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use lettre::Message;

    use super::*;

    #[test]
    fn a_boundary_is_the_same_at_every_attempt_and_nowhere_in_the_parts() {
        let id = MailId::new("osds-0", 0, None);
        for text in [
            "",
            "\n--=_petanotify_\n",
            "=_petanotify__ and =_petanotify_",
        ] {
            let raw = || {
                let body = Body::new(text.to_owned(), Some(text.to_owned()));
                let message = Message::builder().from("a@example.org".parse().unwrap());
                let message = message.to("b@example.org".parse().unwrap());
                let message = message.date(std::time::SystemTime::UNIX_EPOCH);
                body.put_into(message, &id).unwrap()
            };
            let mail = raw();
            assert_eq!(mail, raw());
            let parsed = mailparse::parse_mail(&mail).unwrap();
            let parts: Vec<String> = (parsed.subparts.iter())
                .map(|part| part.get_body().unwrap().replace("\r\n", "\n"))
                .collect();
            assert_eq!(parts.len(), 2, "{text:?}");
            for part in parts {
                assert_eq!(part.trim_end(), text.trim_end());
            }
        }
    }
}

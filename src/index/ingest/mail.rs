//! A message (RFC 5322, MIME) as a document: every part of text, however deep.

use mail_parser::{Address, Message, MessageParser, MimeHeaders as _, PartType};

use super::html;
use crate::index::document::{Document, Kind, MAX_BODY, cut};

/// Deepest message within a message that is read.
const DEEPEST: usize = 8;

/// The document of a message, or `None` when it has no header at all.
pub(super) fn document(raw: &[u8], id: String) -> Option<Document> {
    let message = MessageParser::default().parse(raw)?;
    let mut document = Document::new(Kind::Mail, id);
    document.date =
        message.date().filter(|date| date.is_valid()).map(mail_parser::DateTime::to_timestamp);
    document.from = people(message.from()).join(", ");
    document.to = people(message.to());
    document.cc = people(message.cc());
    document.subject = message.subject().unwrap_or_default().to_owned();
    texts(&message, &mut document, 0);
    Some(document)
}

/// Adds the texts of all parts, in order, and the names of attachments.
fn texts(message: &Message<'_>, to: &mut Document, depth: usize) {
    for part in &message.parts {
        if let Some(name) = part.attachment_name() {
            to.attachments.push(name.to_owned());
        }
        match &part.body {
            PartType::Text(text) => append(&mut to.body, text),
            PartType::Html(text) => append(&mut to.body, &html::read(text).text),
            PartType::Message(inner) if depth < DEEPEST => {
                append(&mut to.body, inner.subject().unwrap_or_default());
                append(&mut to.body, &people(inner.from()).join(", "));
                texts(inner, to, depth + 1);
            }
            _ => {}
        }
    }
}

fn append(body: &mut String, text: &str) {
    if body.len() < MAX_BODY && !text.is_empty() {
        if !body.is_empty() {
            body.push_str("\n\n");
        }
        body.push_str(text);
        cut(body, MAX_BODY);
    }
}

/// `Name <address>` of each, groups opened.
fn people(address: Option<&Address<'_>>) -> Vec<String> {
    let all = address.into_iter().flat_map(Address::iter);
    all.filter_map(|one| match (one.name.as_deref(), one.address.as_deref()) {
        (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
        (Some(only), None) | (None, Some(only)) => Some(only.to_owned()),
        (None, None) => None,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Document {
        document(raw.replace('\n', "\r\n").as_bytes(), "id".into()).unwrap()
    }

    #[test]
    fn headers_are_decoded() {
        let mail = read(
            "From: =?iso-8859-1?Q?J=F6rg?= <joerg@example.org>\nTo: Friends: a@b.org, C <c@d.org>;\n\
             Cc: e@f.org\nSubject: =?utf-8?B?w6ljb2xl?= and\n more\n\
             Date: Fri, 02 Jan 2026 03:04:05 +0100\n\nText\n",
        );
        assert_eq!(mail.from, "Jörg <joerg@example.org>");
        assert_eq!(mail.to, ["a@b.org", "C <c@d.org>"]);
        assert_eq!(mail.cc, ["e@f.org"]);
        assert_eq!(mail.subject, "école and more");
        assert_eq!(mail.date, Some(1_767_319_445));
        assert_eq!(mail.body.trim(), "Text");
    }

    #[test]
    fn every_part_of_text_is_found() {
        let mail = read(
            "From: a@b.org\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\
             Content-Type: multipart/alternative; boundary=i\n\n--i\n\
             Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: 8bit\n\nplain\n\
             --i\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n\
             PHA+aGlkZGVuIGJhc2U2NDwvcD48c2NyaXB0PmV2aWwoKTwvc2NyaXB0Pg==\n--i--\n--o\n\
             Content-Type: message/rfc822\n\nFrom: inner@b.org\nSubject: forwarded\n\ninside\n--o\n\
             Content-Type: application/pdf; name=\"=?utf-8?Q?r=C3=A9sum=C3=A9.pdf?=\"\n\
             Content-Disposition: attachment\n\n%PDF\n--o--\n",
        );
        for word in ["plain", "hidden base64", "forwarded", "inner@b.org", "inside"] {
            assert!(mail.body.contains(word), "{word} in {:?}", mail.body);
        }
        assert!(!mail.body.contains("evil"));
        assert_eq!(mail.attachments, ["résumé.pdf"]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(raw in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            let _ = document(&raw, "id".into());
        }
    }
}

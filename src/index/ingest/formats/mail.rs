//! A message (RFC 5322, MIME) as a document: every part of text, however deep.

use std::borrow::Cow;
use std::path::Path;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    Address, Encoding, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders as _, PartType,
};

use crate::index::document::{Document, Kind, MAX_BODY, cut, message_id, thread_key};
use crate::index::ingest::formats::detect::{Form, PDF, detect};
use crate::index::ingest::formats::legacy_charset::Charset;
use crate::index::ingest::formats::pdf::Attached;
use crate::index::ingest::formats::{catch_panic, charset, cte, flags, html, rfc2047};

/// Most messages within messages that are read as such: the parser's tree is as deep.
const NESTED: usize = 50;
/// Most multiparts of a message that are taken apart. For each whose boundary never comes the parser
/// reads on to the end, so of long messages there are fewer ([`SCANNED`]).
const MULTIPARTS: u64 = 4096;
/// Bytes that may be read in vain: some seconds of it.
const SCANNED: u64 = 4 << 30;
/// Most parts whose names and types are kept.
const PARTS: usize = 1 << 14;

impl Document {
    /// The document of a message (RFC 5322) under the id of its bytes; `None` of what has no header
    /// at all, and of what the parser of messages gives up on.
    ///
    /// Every part of text is in its body, however deep: other charsets and encodings decoded, HTML as
    /// a reader would see it, messages within. The time and the depth this takes are bounded.
    ///
    /// ```
    /// use bulla::index::Document;
    /// let mail = Document::of_message(b"From: a@b.org\nSubject: =?utf-8?Q?caf=C3=A9?=\n\nToday.\n");
    /// assert_eq!(mail.unwrap().subject, "café");
    /// ```
    pub fn of_message(raw: &[u8]) -> Option<Self> {
        document(raw, message_id(raw), &mut Attached::new(None)).ok()
    }
}

/// Why nothing was made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("not a message: it has no header")]
    NoHeader,
    /// The parser gave up with a panic: with its assertions compiled in, some broken
    /// `multipart/digest` make it.
    #[error("the parts of this message are too broken to be told apart")]
    Broken,
}

/// The parts of a message.
pub(crate) fn parse(raw: &[u8]) -> Result<Message<'_>, Unread> {
    let parsed =
        catch_panic::caught(|| MessageParser::default().parse(raw)).ok_or(Unread::Broken)?;
    parsed.ok_or(Unread::NoHeader)
}

/// The document of a message, and of PDFs attached to it.
pub(crate) fn document(
    raw: &[u8],
    id: String,
    attached: &mut Attached,
) -> Result<Document, Unread> {
    let tamed = tame(raw);
    let readable = readable_header(&tamed);
    let message = parse(readable.as_ref())?;
    let mut document = Document::new(Kind::Mail, id);
    let sent = message.date().or_else(|| message.received().and_then(|way| way.date.as_ref()));
    document.date = sent.filter(|date| date.is_valid()).map(mail_parser::DateTime::to_timestamp);
    document.from = people(message.from()).join(", ");
    document.to = people(message.to());
    document.cc = people(message.cc());
    document.subject = message.subject().unwrap_or_default().to_owned();
    document.size = raw.len() as u64;
    document.message_id = message.message_id().map(str::to_owned);
    document.in_reply_to = ids(message.in_reply_to());
    document.references = ids(message.references());
    let before = document.references.first().or(document.in_reply_to.first());
    document.thread =
        before.or(document.message_id.as_ref()).map_or_else(String::new, |root| thread_key(root));
    document.flags = flags::of_header(message.header_raw("Status"), message.header_raw("X-Status"));
    texts(&message, &mut document, attached);
    document.types.sort_unstable();
    document.types.dedup();
    let nothing =
        document.from.is_empty() && document.subject.is_empty() && document.date.is_none();
    if nothing && document.to.is_empty() && document.body.trim().is_empty() {
        // It is called a message, and is none.
        append(&mut document.body, &charset::text(raw));
    }
    Ok(document)
}

/// Adds the texts of all parts, in order, the names of attachments, and the types.
fn texts(message: &Message<'_>, to: &mut Document, attached: &mut Attached) {
    // What the last part of plain text said: HTML beside it often says the same.
    let mut plain: Option<&str> = None;
    for part in &message.parts {
        if let Some(name) = part.attachment_name()
            && to.attachments.len() < PARTS
        {
            to.attachments.push(name.to_owned());
        }
        if !part.is_multipart() && to.types.len() < PARTS {
            to.types.push(type_of(part));
        }
        if let Some((bytes, behind)) = cte::mended(part, raw_of(message, part)) {
            if let Some(text) = mended_text(part, &bytes, attached) {
                append(&mut to.body, &text);
            }
            append(&mut to.body, charset::text(behind).trim());
            plain = None;
            continue;
        }
        match &part.body {
            PartType::Text(text) => {
                append(&mut to.body, &reread(message, part, text, false));
                plain = Some(text);
            }
            PartType::Html(text) => {
                let page = html::read(&reread(message, part, text, true)).text;
                if !plain.take().is_some_and(|plain| says_the_same(plain, &page)) {
                    append(&mut to.body, &page);
                }
            }
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                if let Some(text) = text_within(part, bytes, attached) {
                    append(&mut to.body, &text);
                }
            }
            PartType::Message(inner) => {
                append(&mut to.body, inner.subject().unwrap_or_default());
                append(&mut to.body, &people(inner.from()).join(", "));
                texts(inner, to, attached);
            }
            PartType::Multipart(_) => {}
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

/// The type of a part, in lower case.
fn type_of(part: &MessagePart<'_>) -> String {
    let given = part.content_type().map(|given| {
        format!("{}/{}", given.ctype(), given.subtype().unwrap_or_default()).to_ascii_lowercase()
    });
    given.unwrap_or_else(|| match &part.body {
        PartType::Message(_) => "message/rfc822".to_owned(),
        _ => "text/plain".to_owned(),
    })
}

/// The text of a part; read again when the parser did not know its charset, or was told a wrong one.
fn reread<'a>(
    message: &'a Message<'_>,
    part: &'a MessagePart<'_>,
    text: &'a str,
    is_html: bool,
) -> Cow<'a, str> {
    let label = charset_of(part);
    if !text.contains('\u{fffd}')
        && !text.contains("\u{1b}$")
        && !label.is_some_and(Charset::is_of_mail)
    {
        return Cow::Borrowed(text);
    }
    let raw = raw_of(message, part);
    let bytes = match part.encoding {
        Encoding::None => Some(Cow::Borrowed(raw)),
        Encoding::Base64 => base64_decode(raw).map(Cow::Owned),
        Encoding::QuotedPrintable => quoted_printable_decode(raw).map(Cow::Owned),
    };
    let Some(bytes) = bytes else { return Cow::Borrowed(text) };
    match bytes {
        Cow::Borrowed(bytes) => charset::labelled(bytes, label, is_html),
        Cow::Owned(bytes) => Cow::Owned(charset::labelled(&bytes, label, is_html).into_owned()),
    }
}

/// A part as it stands in the message.
fn raw_of<'a>(message: &'a Message<'_>, part: &MessagePart<'_>) -> &'a [u8] {
    let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize);
    raw.unwrap_or_default()
}

fn charset_of<'a>(part: &'a MessagePart<'_>) -> Option<&'a str> {
    part.content_type().and_then(|given| given.attribute("charset"))
}

/// The text of a part whose encoding was broken, if it is one of text.
fn mended_text<'a>(
    part: &MessagePart<'_>,
    bytes: &'a [u8],
    attached: &mut Attached,
) -> Option<Cow<'a, str>> {
    match type_of(part).as_str() {
        "text/html" => {
            let page = charset::labelled(bytes, charset_of(part), true);
            Some(Cow::Owned(html::read(&page).text))
        }
        other if other.starts_with("text/") => {
            Some(charset::labelled(bytes, charset_of(part), false))
        }
        _ => text_within(part, bytes, attached),
    }
}

/// Whether two texts have the same letters.
fn says_the_same(one: &str, other: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    one.len() < (1 << 20) && letters(one) == letters(other)
}

/// The text of a part that does not call itself text, but is by its type or its name.
fn text_within<'a>(
    part: &MessagePart<'_>,
    bytes: &'a [u8],
    attached: &mut Attached,
) -> Option<Cow<'a, str>> {
    let name = type_of(part);
    let (kind, subtype) = name.split_once('/')?;
    // Multiparts that were not taken apart are told by their types, those that are not to be as well.
    let named = matches!(kind, "text" | "message" | "multipart" | "xessage" | "xultipart")
        || matches!(subtype, "json" | "xml" | "javascript" | "x-sh" | "sql" | "x-patch")
        || subtype.is_empty()
        || subtype.ends_with("+json")
        || subtype.ends_with("+xml");
    let path = Path::new(part.attachment_name().unwrap_or_default());
    let head = bytes.get(..bytes.len().min(8 << 10)).unwrap_or_default();
    let form = detect(head, path);
    if form == PDF {
        return attached.read(bytes, part.attachment_name()).map(Cow::Owned);
    }
    let is_text = match form {
        Form::Binary(_) => false,
        Form::File(..) => named || path.extension().is_some(),
        Form::Mbox | Form::Mail | Form::Lines => true,
    };
    // A name without an ending this program knows says nothing.
    let known = named || !matches!(form, Form::File(Kind::Text, "text/plain")) || is_plain(path);
    if !is_text || !known {
        return None;
    }
    Some(match form {
        Form::File(Kind::Html, _) => Cow::Owned(html::read(&charset::html(bytes)).text),
        _ => charset::text(bytes),
    })
}

fn is_plain(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|e| {
        matches!(
            e.as_str(),
            "txt"
                | "text"
                | "log"
                | "conf"
                | "cfg"
                | "ini"
                | "toml"
                | "yaml"
                | "yml"
                | "rst"
                | "tex"
                | "org"
                | "adoc"
                | "asc"
                | "srt"
        )
    })
}

/// A message whose tree the parser can make in bounded time and depth: types of multiparts and
/// messages beyond the bounds become such as it does not take apart.
fn tame(raw: &[u8]) -> Cow<'_, [u8]> {
    let multiparts = MULTIPARTS.min((SCANNED / (raw.len() as u64).max(1)).max(64));
    let (mut parted, mut nested) = (0u64, 0usize);
    let mut tamed: Option<Vec<u8>> = None;
    let is = |at: usize, word: &[u8]| {
        raw.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
    };
    for at in raw.iter().enumerate().filter_map(|(at, byte)| (*byte == b'/').then_some(at)) {
        let before = |word: &[u8]| at.checked_sub(word.len()).filter(|from| is(*from, word));
        let (from, most) = if let Some(from) = before(b"multipart") {
            parted += 1;
            // What stands in a digest is a message without saying so.
            nested += usize::from(is(at + 1, b"digest"));
            (from, parted > multiparts || nested > NESTED)
        } else if let Some(from) =
            before(b"message").filter(|_| is(at + 1, b"rfc822") || is(at + 1, b"global"))
        {
            nested += 1;
            (from, nested > NESTED)
        } else {
            continue;
        };
        if most && let Some(byte) = tamed.get_or_insert_with(|| raw.to_vec()).get_mut(from) {
            *byte = b'x';
        }
    }
    tamed.map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// A message whose header the parser can read: some write theirs in bare bytes of their charset, or
/// cut letters in two.
fn readable_header(raw: &[u8]) -> Cow<'_, [u8]> {
    let end =
        raw.windows(2).position(|pair| pair == b"\n\n" || pair == b"\n\r").unwrap_or(raw.len());
    let (header, rest) = raw.split_at_checked(end).unwrap_or((raw, &[]));
    let text = match std::str::from_utf8(header) {
        Ok(_) => Cow::Borrowed(header),
        Err(_) => Cow::Owned(charset::text(header).into_owned().into_bytes()),
    };
    match (rfc2047::joined(&text), &text) {
        (Cow::Borrowed(_), Cow::Borrowed(_)) => Cow::Borrowed(raw),
        (header, _) => Cow::Owned([&*header, rest].concat()),
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

/// Message-IDs of a field, without their brackets.
fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(one) => vec![one.to_string()],
        HeaderValue::TextList(all) => all.iter().map(|one| one.to_string()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

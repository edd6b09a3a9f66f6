//! What is indexed: one message, one letter, one file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tantivy::TantivyDocument;
use tantivy::schema::document::CompactDocValue;
use tantivy::schema::{Field, OwnedValue, Value as _};

use super::schema::Fields;
use super::words;
use crate::crypto;
use crate::text;
use crate::wire::{self, Decode, Encode, Record};

/// Greatest text of a body that is kept and searched, in bytes: 16 MiB. The rest is cut off.
pub const MAX_BODY: usize = 16 << 20;
/// Greatest length of any other text of a document, a list counted whole, in bytes: 64 KiB.
pub const MAX_FIELD: usize = 64 << 10;

/// Longest id in bytes.
pub const MAX_ID: usize = 256;

/// What a document was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Kind {
    /// An Internet message (RFC 5322).
    Mail,
    /// A letter, from the JSON lines of `open --json`.
    Letter,
    /// An HTML file.
    Html,
    /// A file of text.
    Text,
}

impl Kind {
    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Letter => "letter",
            Self::Html => "html",
            Self::Text => "text",
        }
    }
}

/// A document as it is put in and given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Names it within the index, in 1 to [`MAX_ID`] bytes; a document with the id of another takes its place.
    pub id: String,
    /// What it was.
    pub kind: Kind,
    /// The file it came from, absolute; `None` for a letter.
    pub path: Option<PathBuf>,
    /// Where it begins in that file, in bytes, when the file holds many (mbox).
    pub offset: Option<u64>,
    /// Seconds since 1970-01-01T00:00:00Z, when known.
    pub date: Option<i64>,
    /// The sender, as `Name <address>`; empty when there is none.
    pub from: String,
    /// Recipients, as `Name <address>`.
    pub to: Vec<String>,
    /// Recipients in copy.
    pub cc: Vec<String>,
    /// Subject; of a file, its name or title.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Names of attachments.
    pub attachments: Vec<String>,
    /// Further `key`, `value` pairs of a letter: kept, not searched.
    pub headers: Vec<(String, String)>,
}

/// The id of a message: of its bytes alone, so that one message found twice is one document.
pub(super) fn message_id(message: &[u8]) -> String {
    id(&[b"mail\0", message])
}

/// The id of a file: of its path and its bytes, so that two copies are two documents and an
/// edited file is a new one (which takes the place of the old one).
pub(super) fn file_id(path: &Path, content: &[u8]) -> String {
    id(&[b"file\0", path.as_os_str().as_encoded_bytes(), b"\0", content])
}

/// 32 hexadecimal digits of SHA-256.
fn id(parts: &[&[u8]]) -> String {
    text::hex_encode(crypto::sha256(parts).first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// Cuts a text to at most `max` bytes at a character.
pub(super) fn cut(text: &mut String, max: usize) {
    text.truncate(words::floor(text, max));
}

/// Everything but the body, as it is stored.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) kind: Kind,
    path: Option<Vec<u8>>,
    pub(super) offset: Option<u64>,
    pub(super) date: Option<i64>,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) subject: String,
    attachments: Vec<String>,
    headers: Vec<(String, String)>,
}

impl Record for Head {
    const NAME: &'static str = "document head";
    const VERSION: u8 = 1;
    const MAX: usize = 1 << 20;
}

impl Head {
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.path.as_deref().map(path_from)
    }
}

#[cfg(unix)]
fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_from(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::new(&*String::from_utf8_lossy(bytes)))
}

/// The number documents are sorted and filtered by: seconds, then the first two bytes that the
/// id stands for, inverted, so that falling order is newest first, then by id. A document
/// without a date has second 0; dates begin with second 1.
pub(super) fn order(date: Option<i64>, id: &str) -> u64 {
    let head = id.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let head = head.unwrap_or_else(|| {
        id.as_bytes().first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes))
    });
    date.map_or(0, order_from) | u64::from(!head)
}

/// The lowest [`order`] of a moment.
pub(super) fn order_from(date: i64) -> u64 {
    u64::try_from(date).unwrap_or(0).clamp(1, (1 << 47) - 1) << 16
}

impl Document {
    /// An empty document of a kind under an id.
    pub fn new(kind: Kind, id: String) -> Self {
        Self {
            id,
            kind,
            path: None,
            offset: None,
            date: None,
            from: String::new(),
            to: Vec::new(),
            cc: Vec::new(),
            subject: String::new(),
            body: String::new(),
            attachments: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Whether it is a whole file, which an edited version of the file replaces.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, Kind::Html | Kind::Text)
    }

    /// The term of [`Fields::source`].
    pub(super) fn source(path: &Path) -> String {
        id(&[b"source\0", path.as_os_str().as_encoded_bytes()])
    }

    /// Cuts what is longer than [`MAX_BODY`] and [`MAX_FIELD`].
    fn bounded(mut self) -> Self {
        cut(&mut self.body, MAX_BODY);
        cut(&mut self.from, MAX_FIELD);
        cut(&mut self.subject, MAX_FIELD);
        for list in [&mut self.to, &mut self.cc, &mut self.attachments] {
            let mut room = MAX_FIELD;
            list.retain_mut(|item| {
                cut(item, room);
                room -= item.len();
                !item.is_empty()
            });
        }
        let mut room = MAX_FIELD;
        self.headers.retain(|(key, value)| {
            let fits = key.len() + value.len() <= room;
            room -= if fits { key.len() + value.len() } else { 0 };
            fits
        });
        self
    }

    /// The engine's fields of this document, and the bytes they take.
    pub(super) fn into_fields(self, to: &Fields) -> Result<Queued, wire::Error> {
        let document = self.bounded();
        let mut values: Vec<(Field, OwnedValue)> = Vec::new();
        if let Some(path) = &document.path {
            values.push((to.path, path.to_string_lossy().into_owned().into()));
            if document.is_file() {
                values.push((to.source, Self::source(path).into()));
            }
        }
        values.push((to.order, order(document.date, &document.id).into()));
        for address in document.to.iter().chain(&document.cc) {
            values.push((to.to, address.clone().into()));
        }
        for name in &document.attachments {
            values.push((to.attachment, name.clone().into()));
        }
        values.push((to.id, document.id.clone().into()));
        values.push((to.from, document.from.clone().into()));
        values.push((to.subject, document.subject.clone().into()));
        let head = wire::encode(&Head {
            id: document.id,
            kind: document.kind,
            path: document.path.map(|path| path.as_os_str().as_encoded_bytes().to_vec()),
            offset: document.offset,
            date: document.date,
            from: document.from,
            to: document.to,
            cc: document.cc,
            subject: document.subject,
            attachments: document.attachments,
            headers: document.headers,
        })?;
        let bytes = 2 * head.len() + document.body.len();
        values.push((to.head, head.into()));
        values.push((to.body, document.body.into()));
        Ok(Queued { values, bytes, room: None })
    }

    /// The document that was stored.
    pub(super) fn from_stored(stored: &TantivyDocument, fields: &Fields) -> Result<Self, Stored> {
        let head = head(stored, fields)?;
        let path = head.path();
        Ok(Self {
            path,
            id: head.id,
            kind: head.kind,
            offset: head.offset,
            date: head.date,
            from: head.from,
            to: head.to,
            cc: head.cc,
            subject: head.subject,
            body: body(stored, fields).to_owned(),
            attachments: head.attachments,
            headers: head.headers,
        })
    }
}

/// Why a stored document cannot be read: its cells opened, so another version wrote it.
pub(super) type Stored = wire::Error;

/// The head of a stored document.
pub(super) fn head(stored: &TantivyDocument, fields: &Fields) -> Result<Head, Stored> {
    let value: Option<CompactDocValue<'_>> = stored.get_first(fields.head);
    wire::decode(value.as_ref().and_then(|value| value.as_bytes()).unwrap_or_default())
}

/// The body of a stored document.
pub(super) fn body<'a>(stored: &'a TantivyDocument, fields: &Fields) -> &'a str {
    stored.get_first(fields.body).and_then(|value| value.as_str()).unwrap_or_default()
}

/// A document on its way to the engine, with the room it takes up in the queue.
pub(super) struct Queued {
    values: Vec<(Field, OwnedValue)>,
    /// Bytes of its texts.
    pub(super) bytes: usize,
    /// Given back when the engine is done with it.
    pub(super) room: Option<super::queue::Taken>,
}

impl tantivy::Document for Queued {
    type Value<'a> = &'a OwnedValue;
    type FieldsValuesIter<'a> = std::iter::Map<
        std::slice::Iter<'a, (Field, OwnedValue)>,
        fn(&'a (Field, OwnedValue)) -> (Field, &'a OwnedValue),
    >;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.values.iter().map(|(field, value)| (*field, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(message_id(b"x"), message_id(b"x"));
        assert_eq!(message_id(b"x").len(), 32);
        assert_ne!(file_id(Path::new("/a"), b"x"), file_id(Path::new("/b"), b"x"));
        assert_ne!(file_id(Path::new("/a"), b"x"), message_id(b"x"));
    }

    #[test]
    fn order_is_newest_first_then_by_id() {
        let mut all = vec![(Some(5), "0a00"), (Some(7), "ffff"), (None, "00"), (Some(7), "0001")];
        all.push((Some(-3), "zz"));
        all.sort_by_key(|(date, id)| std::cmp::Reverse(order(*date, id)));
        assert_eq!(
            all.iter().map(|(_, id)| *id).collect::<Vec<_>>(),
            ["0001", "ffff", "0a00", "zz", "00"]
        );
        assert!(order(Some(7), "ffff") >= order_from(7) && order(Some(6), "0000") < order_from(7));
    }

    fn sample() -> Head {
        Head {
            id: "ab".into(),
            kind: Kind::Html,
            path: Some(b"/\xff".to_vec()),
            offset: Some(300),
            date: Some(-1),
            from: "a".into(),
            to: vec!["b".into()],
            cc: Vec::new(),
            subject: "é".into(),
            attachments: vec!["c".into()],
            headers: vec![("k".into(), "v".into())],
        }
    }

    #[test]
    fn golden_bytes() {
        let bytes = wire::encode(&sample()).unwrap();
        assert_eq!(
            text::hex_encode(&bytes),
            "010261620201022fff01fb2c01010101610101620002c3a901016301016b0176"
        );
        assert_eq!(wire::decode::<Head>(&bytes).unwrap(), sample());
        assert_eq!(sample().path().unwrap().as_os_str().as_encoded_bytes(), b"/\xff");
    }

    proptest::proptest! {
        #[test]
        fn heads_come_back(
            texts in proptest::collection::vec("\\PC{0,20}", 4),
            date in proptest::option::of(proptest::prelude::any::<i64>()),
            list in proptest::collection::vec("\\PC{0,9}", 0..5),
        ) {
            let mut head = sample();
            (head.date, head.to, head.cc) = (date, list.clone(), list);
            let [id, from, subject, key] = texts.try_into().unwrap();
            (head.id, head.from, head.subject) = (id, from, subject);
            head.headers = vec![(key.clone(), key)];
            let bytes = wire::encode(&head).unwrap();
            proptest::prop_assert_eq!(wire::decode::<Head>(&bytes).unwrap(), head);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)
        ) {
            let _ = wire::decode::<Head>(&[&[1], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn hostile_lengths_are_cut() {
        let fields = Fields::of(&Fields::schema()).unwrap();
        let mut document = Document::new(Kind::Mail, "i".into());
        document.from = "é".repeat(1 << 20);
        document.subject = "s".repeat(1 << 20);
        document.to = vec!["t".repeat(1000); 1000];
        document.cc = document.to.clone();
        document.attachments = document.to.clone();
        document.headers = vec![("k".repeat(1000), String::new()); 1000];
        document.body = "b".repeat(MAX_BODY + 1);
        assert!(document.into_fields(&fields).unwrap().bytes < MAX_BODY + (1 << 20));
    }
}

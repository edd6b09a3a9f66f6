//! Summary of a document: everything but its text, and the number it is sorted by.

use std::collections::BTreeSet;

use tantivy::TantivyDocument;
use tantivy::schema::Value as _;

use crate::index::document::fields::Fields;
use crate::wire::{Decode, Encode, FilePath, Record};

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
    /// A PDF file.
    Pdf,
    /// A file of Markdown.
    Markdown,
    /// A file of a programming language.
    Code,
}

impl Kind {
    /// The word for it in JSON and behind `type:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Letter => "letter",
            Self::Html => "html",
            Self::Text => "text",
            Self::Pdf => "pdf",
            Self::Markdown => "markdown",
            Self::Code => "code",
        }
    }
}

/// What a mail folder says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[non_exhaustive]
pub enum Flag {
    /// Not read yet.
    Unread,
    /// Marked by its reader.
    Flagged,
    /// Answered.
    Replied,
    /// Passed on to others.
    Passed,
    /// Not sent yet.
    Draft,
    /// To be thrown away.
    Trashed,
}

impl Flag {
    /// Every flag.
    pub(crate) const ALL: [Self; 6] =
        [Self::Unread, Self::Flagged, Self::Replied, Self::Passed, Self::Draft, Self::Trashed];

    /// The word for it in JSON and behind `is:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Flagged => "flagged",
            Self::Replied => "replied",
            Self::Passed => "passed",
            Self::Draft => "draft",
            Self::Trashed => "trashed",
        }
    }
}

/// Everything that is known of a document but its text, as it is stored and searched.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Summary {
    /// Names it within the index, in 1 to `MAX_ID` bytes; a document with the id of another takes its place.
    pub id: String,
    /// What it was.
    pub kind: Kind,
    /// The file it came from, absolute; `None` for a letter.
    pub path: Option<FilePath>,
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
    /// Names of attachments.
    pub attachments: Vec<String>,
    /// MIME types of its parts, or its own when it has none: `text/html`, `application/pdf`.
    pub types: Vec<String>,
    /// Bytes it has where it came from; 0 when that is not known.
    pub size: u64,
    /// The Message-ID of a mail, without its angle brackets.
    pub message_id: Option<String>,
    /// Message-IDs of what it answers.
    pub in_reply_to: Vec<String>,
    /// Message-IDs of what came before it in its thread, the first first.
    pub references: Vec<String>,
    /// Names its thread, alike in all of its documents; `thread_key` makes one. Empty for a
    /// document that is in none.
    pub thread: String,
    /// What its mail folder says of it.
    pub flags: BTreeSet<Flag>,
    /// Words its reader put on it (`is_tag`).
    pub tags: BTreeSet<String>,
    /// Further `key`, `value` pairs of a letter: kept, not searched.
    pub headers: Vec<(String, String)>,
}

impl Record for Summary {
    const NAME: &'static str = "document head";
    const VERSION: u8 = 2;
    const MAX: usize = 2 << 20;
}

impl Summary {
    /// The summary of an empty document.
    pub(super) fn new(kind: Kind, id: String) -> Self {
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
            attachments: Vec::new(),
            types: Vec::new(),
            size: 0,
            message_id: None,
            in_reply_to: Vec::new(),
            references: Vec::new(),
            thread: String::new(),
            flags: BTreeSet::new(),
            tags: BTreeSet::new(),
            headers: Vec::new(),
        }
    }
}

/// The body of a stored document.
pub(crate) fn body<'a>(stored: &'a TantivyDocument, fields: &Fields) -> &'a str {
    stored.get_first(fields.body).and_then(|value| value.as_str()).unwrap_or_default()
}

/// The number documents are sorted and filtered by: seconds, then the first two bytes that the
/// id stands for, inverted, so that falling order is newest first, then by id. A document
/// without a date has second 0; dates begin with second 1.
pub(crate) fn order(date: Option<i64>, id: &str) -> u64 {
    let head = id.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let head = head.unwrap_or_else(|| {
        id.as_bytes().first_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes))
    });
    date.map_or(0, order_from) | u64::from(!head)
}

/// The lowest [`order`] of a moment.
pub(crate) fn order_from(date: i64) -> u64 {
    u64::try_from(date).unwrap_or(0).clamp(1, (1 << 47) - 1) << 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use crate::wire;

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

    fn sample() -> Summary {
        Summary {
            id: "ab".into(),
            kind: Kind::Html,
            path: Some(FilePath::from_bytes(b"/\xff")),
            offset: Some(300),
            date: Some(-1),
            from: "a".into(),
            to: vec!["b".into()],
            cc: Vec::new(),
            subject: "é".into(),
            attachments: vec!["c".into()],
            types: vec!["t".into()],
            size: 300,
            message_id: Some("m".into()),
            in_reply_to: vec!["r".into()],
            references: vec!["q".into(), "r".into()],
            thread: "h".into(),
            flags: BTreeSet::from([Flag::Trashed, Flag::Unread]),
            tags: BTreeSet::from(["x".into()]),
            headers: vec![("k".into(), "v".into())],
        }
    }

    #[test]
    fn golden_bytes() {
        let bytes = wire::encode(&sample()).unwrap();
        assert_eq!(
            text::hex_encode(&bytes),
            "020261620201022fff01fb2c01010101610101620002c3a90101630101\
             74fb2c0101016d0101720201710172016802000501017801016b0176"
        );
        assert_eq!(wire::decode::<Summary>(&bytes).unwrap(), sample());
        assert_eq!(sample().path.unwrap().as_os_str().as_encoded_bytes(), b"/\xff");
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
            proptest::prop_assert_eq!(&wire::decode::<Summary>(&bytes).unwrap(), &head);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)
        ) {
            let _ = wire::decode::<Summary>(&[&[1], bytes.as_slice()].concat());
        }
    }
}

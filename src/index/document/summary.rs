//! What is stored of a document beside its body, and the number it is sorted by.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use tantivy::TantivyDocument;
use tantivy::schema::Value as _;

use crate::index::document::fields::Fields;
use crate::index::document::{Document, Flag, Kind};
use crate::wire::{Decode, Encode, Record};

/// Everything but the body, as it is stored.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    path: Option<Vec<u8>>,
    pub(crate) offset: Option<u64>,
    pub(crate) date: Option<i64>,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) subject: String,
    pub(crate) attachments: Vec<String>,
    pub(crate) types: Vec<String>,
    pub(crate) size: u64,
    pub(crate) message_id: Option<String>,
    in_reply_to: Vec<String>,
    references: Vec<String>,
    pub(crate) thread: String,
    pub(crate) flags: BTreeSet<Flag>,
    pub(crate) tags: BTreeSet<String>,
    headers: Vec<(String, String)>,
}

impl Record for Head {
    const NAME: &'static str = "document head";
    const VERSION: u8 = 2;
    const MAX: usize = 2 << 20;
}

impl Head {
    /// The head of a document, and its body.
    pub(crate) fn of(document: Document) -> (Self, String) {
        let head = Self {
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
            types: document.types,
            size: document.size,
            message_id: document.message_id,
            in_reply_to: document.in_reply_to,
            references: document.references,
            thread: document.thread,
            flags: document.flags,
            tags: document.tags,
            headers: document.headers,
        };
        (head, document.body)
    }

    /// The document of a head and a body.
    pub(crate) fn into_document(self, body: String) -> Document {
        Document {
            path: self.path(),
            id: self.id,
            kind: self.kind,
            offset: self.offset,
            date: self.date,
            from: self.from,
            to: self.to,
            cc: self.cc,
            subject: self.subject,
            body,
            attachments: self.attachments,
            types: self.types,
            size: self.size,
            message_id: self.message_id,
            in_reply_to: self.in_reply_to,
            references: self.references,
            thread: self.thread,
            flags: self.flags,
            tags: self.tags,
            headers: self.headers,
        }
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.path.as_deref().map(path_from)
    }
}

/// A path of the bytes that stand for it.
#[cfg(unix)]
pub(crate) fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// A path of the bytes that stand for it.
#[cfg(not(unix))]
pub(crate) fn path_from(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::new(&*String::from_utf8_lossy(bytes)))
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
            proptest::prop_assert_eq!(&wire::decode::<Head>(&bytes).unwrap(), &head);
            let (again, body) = Head::of(head.clone().into_document("body".into()));
            proptest::prop_assert_eq!((again, body.as_str()), (head, "body"));
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)
        ) {
            let _ = wire::decode::<Head>(&[&[1], bytes.as_slice()].concat());
        }
    }
}

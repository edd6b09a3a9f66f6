//! What is indexed: one message, one letter, one file.

use std::ops::{Deref, DerefMut};
use std::path::Path;

use crate::crypto;
use crate::index::analysis::tokenizer;
use crate::text;

pub(super) mod budget;
pub(super) mod fields;
pub(super) mod queued;
pub(super) mod summary;
pub(super) mod summary_store;

pub use summary::{Flag, Kind, Summary};

/// Greatest text of a body that is kept and searched, in bytes: 16 MiB. The rest is cut off.
pub const MAX_BODY: usize = 16 << 20;
/// Greatest length of any other text of a document, a list counted whole, in bytes: 64 KiB.
pub(crate) const MAX_FIELD: usize = 64 << 10;

/// Longest id in bytes.
pub(crate) const MAX_ID: usize = 256;
/// Longest tag in bytes.
pub(crate) const MAX_TAG: usize = 64;
/// Most tags of a document.
pub(crate) const MAX_TAGS: usize = 256;

/// Longest Message-ID that is kept, in bytes: that of a line (RFC 5322, section 2.1.1).
const MAX_MESSAGE_ID: usize = 998;

/// Whether a text may be a tag: 1 to `MAX_TAG` bytes without blanks, control characters,
/// quotation marks, commas and parentheses, and neither `-` nor `+` in front.
pub(crate) fn is_tag(text: &str) -> bool {
    let fits = |c: char| {
        !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '(' | ')' | ',' | '*')
    };
    (1..=MAX_TAG).contains(&text.len())
        && !text.starts_with(['-', '+'])
        && text.chars().all(fits)
        && !text.chars().any(text::is_hostile)
}

/// A document as it is put in and given back: its summary, whose fields are read as its own, and its
/// text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Everything but the text.
    pub summary: Summary,
    /// The text.
    pub body: String,
}

impl Deref for Document {
    type Target = Summary;

    fn deref(&self) -> &Summary {
        &self.summary
    }
}

impl DerefMut for Document {
    fn deref_mut(&mut self) -> &mut Summary {
        &mut self.summary
    }
}

/// The key of the thread that a message with this Message-ID began: 32 hexadecimal digits.
pub(crate) fn thread_key(root: &str) -> String {
    id(&[b"thread\0", root.as_bytes()])
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

/// The id of a line of a file: of its bytes alone.
pub(super) fn line_id(line: &[u8]) -> String {
    id(&[b"line\0", line])
}

/// Returns the first 16 bytes of SHA-256 as a number: what is hashed may be chosen by strangers.
pub(super) fn hashed(parts: &[&[u8]]) -> u128 {
    u128::from_be_bytes(crypto::truncate(&crypto::sha256(parts)))
}

/// 32 hexadecimal digits of SHA-256.
fn id(parts: &[&[u8]]) -> String {
    text::hex_encode(&hashed(parts).to_be_bytes())
}

/// Cuts a text to at most `max` bytes at a character.
pub(super) fn cut(text: &mut String, max: usize) {
    text.truncate(tokenizer::floor(text, max));
}

impl Document {
    /// An empty document of a kind under an id.
    pub fn new(kind: Kind, id: String) -> Self {
        Self { summary: Summary::new(kind, id), body: String::new() }
    }

    /// Whether it is a whole file, which an edited version of the file replaces.
    pub(super) fn is_file(&self) -> bool {
        !matches!(self.kind, Kind::Mail | Kind::Letter)
    }

    /// The term of the field `source`.
    pub(super) fn source(path: &Path) -> String {
        id(&[b"source\0", path.as_os_str().as_encoded_bytes()])
    }

    /// Bytes that it takes up in memory, about.
    pub(super) fn memory(&self) -> usize {
        let of = |text: &String| size_of::<String>() + text.capacity();
        let lists = [
            &self.to,
            &self.cc,
            &self.attachments,
            &self.types,
            &self.in_reply_to,
            &self.references,
        ];
        let texts = [&self.id, &self.from, &self.subject, &self.body, &self.thread];
        let headers = self.headers.iter().flat_map(|(key, value)| [key, value]);
        let all =
            lists.into_iter().flatten().chain(texts).chain(&self.message_id).chain(&self.tags);
        let path = self.path.as_ref().map_or(0, |path| path.as_os_str().len());
        size_of::<Self>() + path + all.chain(headers).map(of).sum::<usize>()
    }

    /// Cuts what is longer than [`MAX_BODY`] and [`MAX_FIELD`].
    pub(super) fn bounded(mut self) -> Self {
        cut(&mut self.body, MAX_BODY);
        cut(&mut self.from, MAX_FIELD);
        cut(&mut self.subject, MAX_FIELD);
        cut(&mut self.thread, MAX_ID);
        let summary = &mut self.summary;
        for list in [
            &mut summary.to,
            &mut summary.cc,
            &mut summary.attachments,
            &mut summary.types,
            &mut summary.in_reply_to,
            &mut summary.references,
        ] {
            let mut room = MAX_FIELD;
            list.retain_mut(|item| {
                cut(item, room);
                room -= item.len();
                !item.is_empty()
            });
        }
        // A name that is cut is another name.
        self.message_id.take_if(|id| id.is_empty() || id.len() > MAX_MESSAGE_ID);
        self.tags.retain(|tag| is_tag(tag));
        while self.tags.len() > MAX_TAGS {
            self.tags.pop_last();
        }
        let mut room = MAX_FIELD;
        self.headers.retain(|(key, value)| {
            // Each takes up some room, empty ones too.
            let length = key.len() + value.len() + 2;
            let fits = length <= room;
            room -= if fits { length } else { 0 };
            fits
        });
        self
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
    fn all_that_a_stranger_can_fill_counts_as_memory() {
        let empty = Document::new(Kind::Mail, "i".into());
        let text = || "t".repeat(1000);
        let fill: [fn(&mut Document, String); 13] = [
            |document, text| document.id = text,
            |document, text| document.path = Some(Path::new(&text).into()),
            |document, text| document.from = text,
            |document, text| document.to = vec![text],
            |document, text| document.cc = vec![text],
            |document, text| document.subject = text,
            |document, text| document.body = text,
            |document, text| document.attachments = vec![text],
            |document, text| document.types = vec![text],
            |document, text| document.message_id = Some(text),
            |document, text| document.in_reply_to = vec![text],
            |document, text| document.references = vec![text],
            |document, text| document.headers = vec![(text, String::new())],
        ];
        for (number, fill) in fill.into_iter().enumerate() {
            let mut document = empty.clone();
            fill(&mut document, text());
            assert!(document.memory() > empty.memory() + 900, "field {number}");
        }
    }

    #[test]
    fn tags() {
        for good in ["x", "to-do", "größe", "a/b", &"t".repeat(MAX_TAG)] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", "a b", "-x", "+x", "a\"", "(a", "a,b", "a*", "\u{1b}[", "\u{202e}x"] {
            assert!(!is_tag(bad), "{bad}");
        }
        assert!(!is_tag(&"t".repeat(MAX_TAG + 1)));
    }
}

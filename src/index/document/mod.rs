//! What is indexed: one message, one letter, one file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::crypto;
use crate::index::analysis::tokenizer;
use crate::text;
use crate::wire::{Decode, Encode};

pub(super) mod budget;
pub(super) mod fields;
pub(super) mod queued;
pub(super) mod summary;
pub(super) mod summary_store;

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
    pub const ALL: [Self; 6] =
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

/// Whether a text may be a tag: 1 to `MAX_TAG` bytes without blanks, control characters,
/// quotation marks, commas and parentheses, and neither `-` nor `+` in front.
pub fn is_tag(text: &str) -> bool {
    let fits = |c: char| {
        !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '(' | ')' | ',' | '*')
    };
    (1..=MAX_TAG).contains(&text.len())
        && !text.starts_with(['-', '+'])
        && text.chars().all(fits)
        && !text.chars().any(text::is_hostile)
}

/// A document as it is put in and given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Names it within the index, in 1 to `MAX_ID` bytes; a document with the id of another takes its place.
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
    /// Names its thread, alike in all of its documents; [`thread_key`] makes one. Empty for a
    /// document that is in none.
    pub thread: String,
    /// What its mail folder says of it.
    pub flags: BTreeSet<Flag>,
    /// Words its reader put on it ([`is_tag`]).
    pub tags: BTreeSet<String>,
    /// Further `key`, `value` pairs of a letter: kept, not searched.
    pub headers: Vec<(String, String)>,
}

/// The key of the thread that a message with this Message-ID began: 32 hexadecimal digits.
pub fn thread_key(root: &str) -> String {
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
        let path = self.path.as_ref().map_or(0, |path| path.capacity());
        size_of::<Self>() + path + all.chain(headers).map(of).sum::<usize>()
    }

    /// Cuts what is longer than [`MAX_BODY`] and [`MAX_FIELD`].
    pub(super) fn bounded(mut self) -> Self {
        cut(&mut self.body, MAX_BODY);
        cut(&mut self.from, MAX_FIELD);
        cut(&mut self.subject, MAX_FIELD);
        cut(&mut self.thread, MAX_ID);
        for list in [
            &mut self.to,
            &mut self.cc,
            &mut self.attachments,
            &mut self.types,
            &mut self.in_reply_to,
            &mut self.references,
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
            |document, text| document.path = Some(text.into()),
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

//! Text of a PDF as a document, by any reader, and of PDFs attached to a message.

use std::time::{Duration, Instant};

use crate::crypto;
use crate::index::document::{Document, MAX_BODY, MAX_FIELD, cut};
use crate::text;
use crate::wire::{Decode, Encode, Record};

/// Time that the PDFs attached to one message may take; the last one begun is read to its end.
const ATTACHED: Duration = Duration::from_secs(20);
/// Most of them that are named because they could not be read.
const UNREAD: usize = 16;
/// What a PDF says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[non_exhaustive]
pub struct Pdf {
    /// Its title; empty when it has none.
    pub title: String,
    /// Who wrote it; empty when it does not say.
    pub author: String,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub created: Option<i64>,
    /// Its pages' text, cut at [`MAX_BODY`].
    pub text: String,
}

impl Record for Pdf {
    const NAME: &'static str = "text of a PDF";
    const VERSION: u8 = 1;
    const MAX: usize = MAX_BODY;
}

/// Reads a PDF for [`BuildOptions::pdf`](crate::index::BuildOptions::pdf), or says in words why it cannot.
///
/// What strangers send may keep a reader of PDFs busy for hours, have it take all memory, overflow its
/// stack. This function has to return all the same; the program `bulla` has one that calls
/// [`Pdf::read`] in a process that the kernel bounds.
pub(crate) type PdfReader = fn(&[u8]) -> Result<Pdf, String>;

/// What says of a document which bytes it was made of.
const CONTENT: &str = "sha256";

impl Pdf {
    /// Makes a document say what this says; it was made of these bytes.
    pub(crate) fn put_into(self, document: &mut Document, bytes: &[u8]) {
        if !self.title.is_empty() {
            document.subject = self.title;
        }
        document.from = self.author;
        document.date = self.created.or(document.date);
        document.body = self.text;
        document.headers = vec![(CONTENT.to_owned(), content(bytes))];
    }
}

fn content(bytes: &[u8]) -> String {
    text::hex_encode(&crypto::sha256(&[bytes]))
}

/// Whether a document was made of these bytes.
pub(crate) fn is_of(document: &Document, bytes: &[u8]) -> bool {
    let content = content(bytes);
    document.headers.iter().any(|(name, value)| name == CONTENT && *value == content)
}

/// PDFs attached to one message: read in bounded time.
pub(crate) struct Attached {
    reader: Option<PdfReader>,
    /// Time that is left.
    left: Duration,
    /// What was not read, and why.
    pub(crate) unread: Vec<String>,
}

impl Attached {
    pub(crate) fn new(reader: Option<PdfReader>) -> Self {
        Self { reader, left: ATTACHED, unread: Vec::new() }
    }

    /// The text of one, its title before it.
    pub(crate) fn read(&mut self, bytes: &[u8], name: Option<&str>) -> Option<String> {
        let reader = self.reader?;
        let start = Instant::now();
        let read = match self.left.is_zero() {
            true => Err("those before it in this message took too long".to_owned()),
            false => reader(bytes),
        };
        self.left = self.left.saturating_sub(start.elapsed());
        match read {
            Ok(Pdf { title, text, .. }) if title.is_empty() => Some(text),
            Ok(Pdf { title, text, .. }) => Some(format!("{title}\n{text}")),
            Err(why) => {
                if self.unread.len() < UNREAD {
                    let mut name = one_line(name.unwrap_or("a PDF"));
                    cut(&mut name, 256);
                    self.unread.push(format!("attached {name}: {why}"));
                }
                None
            }
        }
    }
}

/// A text as one line of at most [`MAX_FIELD`].
pub(super) fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    cut(&mut line, MAX_FIELD);
    line
}

//! Files with many documents: told apart one by one, and taken up again where a commit came between.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::index::document::{Document, message_id};
use crate::index::ingest::formats::detect::Form;
use crate::index::ingest::formats::jsonl;
use crate::index::ingest::formats::mbox::Messages;
use crate::index::ingest::sources::catalogue::{Entry, Holding, Shape};
use crate::index::ingest::sources::source::{self, Source};
use crate::index::ingest::sources::walk::Found;

/// A file with many documents, half read.
pub(crate) struct Reading {
    pub(crate) path: Arc<Path>,
    pub(crate) found: Found,
    pub(crate) fresh: bool,
    pub(crate) packed: bool,
    /// Where in the file the part that is read begins.
    begin: u64,
    /// Bytes read of that.
    read: u64,
    pub(crate) holds: Vec<Holding>,
    /// It goes on where it ended before; what it held then is in `holds`.
    pub(crate) resumed: bool,
    of: Of,
}

/// How its documents are told apart.
enum Of {
    Messages(Messages<Box<dyn BufRead>>),
    Lines(Source),
}

/// A part of a file with many documents.
pub(crate) enum Piece {
    /// A message, by its id.
    Message(String),
    /// A line that is a document.
    Line(Box<Document>),
    /// An empty line.
    Blank,
    /// Something that is left out, and why.
    Skipped(String),
}

impl Reading {
    /// Begins to read a file. What it held where it ended before is in `holds`.
    pub(crate) fn begin(found: Found, source: Source, holds: Vec<Holding>, most: u64) -> Self {
        Self {
            path: found.path.as_path().into(),
            found,
            fresh: source.fresh,
            packed: source.packed,
            begin: source.begin,
            read: 0,
            holds,
            resumed: source.begin > 0,
            of: match source.form {
                Form::Lines => Of::Lines(source),
                _ => Of::Messages(source.messages(most)),
            },
        }
    }

    /// Returns how far the file was read.
    pub(crate) fn at(&self) -> u64 {
        self.begin + self.read
    }

    /// Reads the next piece into `raw`, and tells its length in the file; `None` at the end.
    pub(crate) fn next(
        &mut self,
        raw: &mut Vec<u8>,
        most: u64,
    ) -> io::Result<Option<(u64, Piece)>> {
        let (length, piece) = match &mut self.of {
            Of::Messages(messages) => {
                let Some(one) = messages.next_into(raw)? else { return Ok(None) };
                let piece = if one.too_long {
                    Piece::Skipped(format!("longer than {most} bytes"))
                } else {
                    Piece::Message(message_id(raw))
                };
                (one.length, piece)
            }
            Of::Lines(source) => {
                let length = source.line(raw, most)?;
                if length == 0 {
                    return Ok(None);
                }
                let piece = match raw.trim_ascii() {
                    b"" if length > most => {
                        Piece::Skipped(format!("a line of more than {most} bytes"))
                    }
                    b"" => Piece::Blank,
                    line => match jsonl::line(line) {
                        Ok(document) => Piece::Line(Box::new(document)),
                        Err(why) => Piece::Skipped(why),
                    },
                };
                (length, piece)
            }
        };
        self.read += length;
        Ok(Some((length, piece)))
    }

    fn shape(&self) -> Shape {
        match self.of {
            Of::Messages(_) => Shape::Mbox,
            Of::Lines(_) => Shape::Lines,
        }
    }

    /// Returns what a commit remembers of the part that was read.
    pub(crate) fn so_far(&self) -> Entry {
        let mut stat = self.found.stat;
        stat.size = self.at();
        Entry {
            stat,
            fresh: true,
            content: source::sample_of(&self.path, &self.found.stat, stat.size).unwrap_or(0),
            end: stat.size,
            shape: self.shape(),
            binary: None,
            holds: self.holds.clone(),
        }
    }

    /// Returns what is remembered of the file.
    pub(crate) fn whole(self) -> (PathBuf, Entry) {
        let path = self.path.to_path_buf();
        // Of a packed one the part that was read before cannot be found again.
        let end = if self.packed { 0 } else { self.at() };
        let content = source::sample_of(&path, &self.found.stat, end).unwrap_or(0);
        let entry = Entry {
            stat: self.found.stat,
            fresh: self.fresh,
            content: if self.packed { 0 } else { content },
            end,
            shape: self.shape(),
            binary: None,
            holds: self.holds,
        };
        (path, entry)
    }
}

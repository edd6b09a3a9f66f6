//! From files to documents.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::Error;
use super::document::{Document, Kind, file_id, message_id};
use super::writer::Writer;
use crate::files;
use crate::progress::Progress;

mod detect;
mod html;
mod jsonl;
mod mail;
mod mbox;
mod original;
mod walk;

pub use original::{Lost, Original, Part};

/// Greatest file, and greatest message of an mbox, that is read unless told otherwise: 64 MiB.
pub const MAX_FILE: u64 = 64 << 20;
/// Bytes read between two commits: what a killed build loses at most, some seconds of work. Each
/// commit leaves segments, and every query opens every segment.
const COMMIT_EVERY: u64 = 256 << 20;
/// What was skipped is named so often; beyond that it is counted only.
const NAMED: usize = 1000;

/// How to walk and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildOptions {
    /// Whether to follow links found in folders (those given are always followed).
    pub follow_links: bool,
    /// Greatest file or message in bytes; greater ones are skipped, an mbox of any length is read.
    pub max_file: u64,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self { follow_links: false, max_file: MAX_FILE }
    }
}

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Documents that are new.
    pub added: u64,
    /// Documents that were there already.
    pub unchanged: u64,
    /// Files and messages that could not be read, or hold no text.
    pub skipped: u64,
    /// The first thousand of these.
    pub named: Vec<Skipped>,
    /// Bytes read.
    pub bytes: u64,
}

/// Something that was not indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file or folder.
    pub path: PathBuf,
    /// Where in the file, when it holds many messages.
    pub offset: Option<u64>,
    /// Why.
    pub why: String,
}

impl Report {
    fn skip(&mut self, path: &Path, offset: Option<u64>, why: impl ToString) {
        self.skipped += 1;
        if self.named.len() < NAMED {
            self.named.push(Skipped { path: path.to_owned(), offset, why: why.to_string() });
        }
    }
}

impl Writer<'_> {
    /// Indexes files and folders: mbox, Maildir, mail, HTML, text. What is in the index already
    /// is left as it is. A file that cannot be read is named in the report and never fatal.
    ///
    /// `progress` counts bytes. Every 256 MiB are committed, and so is the end.
    pub fn build(
        &mut self,
        paths: &[PathBuf],
        options: &BuildOptions,
        progress: &dyn Progress,
    ) -> Result<Report, Error> {
        self.read_ids()?;
        let mut total = 0;
        for path in paths {
            walk::walk(path, self.index.folder(), options, |found| {
                total += found.map_or(0, |file| file.length);
                Ok(())
            })?;
        }
        progress.total(total);
        let mut build =
            Build { writer: self, report: Report::default(), options, progress, uncommitted: 0 };
        for path in paths {
            // Absolute, so that a hit is found from any working folder.
            let path = std::path::absolute(path).map_err(Error::io(path))?;
            let folder = build.writer.index.folder().to_owned();
            walk::walk(&path, &folder, options, |found| match found {
                Ok(file) => build.file(&file),
                Err(skipped) => {
                    build.report.skip(&skipped.path, None, skipped.why);
                    Ok(())
                }
            })?;
        }
        let report = build.report;
        self.all = None;
        self.commit()?;
        Ok(report)
    }
}

/// A build under way.
struct Build<'a, 'b> {
    writer: &'a mut Writer<'b>,
    report: Report,
    options: &'a BuildOptions,
    progress: &'a dyn Progress,
    uncommitted: u64,
}

impl Build<'_, '_> {
    fn file(&mut self, found: &walk::Found) -> Result<(), Error> {
        let before = self.report.bytes;
        let result = match File::open(&found.path) {
            Ok(file) => self.opened(found, BufReader::with_capacity(64 << 10, file)),
            Err(error) => Err(Failed::Read(error)),
        };
        // What was skipped is done as well.
        let read = self.report.bytes - before;
        self.progress.advance(found.length.saturating_sub(read));
        match result {
            Ok(()) => Ok(()),
            Err(Failed::Read(error)) => {
                self.report.skip(&found.path, None, error);
                Ok(())
            }
            Err(Failed::Index(error)) => Err(error),
        }
    }

    fn opened(&mut self, found: &walk::Found, mut input: BufReader<File>) -> Result<(), Failed> {
        let form = detect::detect(input.fill_buf()?, &found.path);
        if form == detect::Form::Mbox {
            return self.mbox(&found.path, input);
        }
        if form == detect::Form::Binary {
            self.report.skip(&found.path, None, "not text");
            return Ok(());
        }
        let content = files::read_to_limit(input, self.options.max_file.min(u64::MAX - 1))?;
        self.read(content.len() as u64);
        match form {
            detect::Form::Mail => self.message(&found.path, None, &content),
            _ => self.whole_file(found, form, &content),
        }
    }

    fn read(&mut self, bytes: u64) {
        self.report.bytes += bytes;
        self.uncommitted += bytes;
        self.progress.advance(bytes);
    }

    fn mbox(&mut self, path: &Path, input: impl BufRead) -> Result<(), Failed> {
        let mut messages = mbox::Messages::new(input, self.options.max_file);
        let mut message = Vec::new();
        while let Some(found) = messages.next_into(&mut message)? {
            self.read(found.length);
            if found.too_long {
                let why = format!("longer than {} bytes", self.options.max_file);
                self.report.skip(path, Some(found.offset), why);
            } else {
                self.message(path, Some(found.offset), &message)?;
            }
        }
        Ok(())
    }

    fn message(&mut self, path: &Path, offset: Option<u64>, raw: &[u8]) -> Result<(), Failed> {
        let id = message_id(raw);
        if self.writer.knows(&id)? {
            self.report.unchanged += 1;
            return Ok(());
        }
        let Some(mut document) = mail::document(raw, id) else {
            self.report.skip(path, offset, "not a message");
            return Ok(());
        };
        document.path = Some(path.to_owned());
        document.offset = offset;
        self.add(document)
    }

    fn whole_file(
        &mut self,
        found: &walk::Found,
        form: detect::Form,
        content: &[u8],
    ) -> Result<(), Failed> {
        let id = file_id(&found.path, content);
        if self.writer.knows(&id)? {
            self.report.unchanged += 1;
            return Ok(());
        }
        let text = String::from_utf8_lossy(content);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut document = Document::new(Kind::Text, id);
        if form == detect::Form::Html {
            let page = html::read(text);
            document.kind = Kind::Html;
            document.subject = page.title;
            document.body = page.text;
        } else {
            document.body = text.to_owned();
        }
        if document.subject.is_empty() {
            let name = found.path.file_name().unwrap_or_default();
            document.subject = name.to_string_lossy().into_owned();
        }
        document.date = found.modified;
        document.path = Some(found.path.clone());
        self.add(document)
    }

    fn add(&mut self, document: Document) -> Result<(), Failed> {
        self.writer.put(document)?;
        self.report.added += 1;
        if self.uncommitted >= COMMIT_EVERY {
            self.uncommitted = 0;
            self.writer.commit()?;
        }
        Ok(())
    }
}

/// Why a file ended early: the file is to blame, or the index.
enum Failed {
    Read(io::Error),
    Index(Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Index(error)
    }
}

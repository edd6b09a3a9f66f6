//! Files with many documents: read one by one, in as many commits as they need.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::index::document::message_id;
use crate::index::ingest::formats::detect::Form;
use crate::index::ingest::formats::jsonl;
use crate::index::ingest::formats::mbox::Messages;
use crate::index::ingest::sources::build::{Build, Failed};
use crate::index::ingest::sources::catalogue::{Entry, Holding, Shape};
use crate::index::ingest::sources::pool::Pool;
use crate::index::ingest::sources::source::{self, Source};
use crate::index::ingest::sources::walk::Found;
use crate::index::writer::Known;

/// A file with many documents, half read.
pub(crate) struct Reading {
    pub(crate) path: Arc<Path>,
    pub(crate) found: Found,
    pub(crate) fresh: bool,
    pub(crate) packed: bool,
    /// Where in the file the part that is read begins.
    pub(crate) begin: u64,
    /// Bytes read of that.
    pub(crate) read: u64,
    pub(crate) holds: Vec<Holding>,
    /// It goes on where it ended before; what it held then is in `holds`.
    pub(crate) resumed: bool,
    pub(crate) of: Of,
}

impl Reading {
    fn shape(&self) -> Shape {
        match self.of {
            Of::Messages(_) => Shape::Mbox,
            Of::Lines(_) => Shape::Lines,
        }
    }
}

/// How its documents are told apart.
pub(crate) enum Of {
    Messages(Messages<Box<dyn io::BufRead>>),
    Lines(Source),
}

impl Build<'_> {
    /// Reads the next document of a file with many.
    pub(crate) fn next(
        &mut self,
        mut reading: Reading,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
        raw: &mut Vec<u8>,
    ) -> Result<(), (PathBuf, Failed)> {
        let path = reading.path.to_path_buf();
        match self.read_one(&mut reading, pool, known, raw) {
            Ok(true) => {
                self.reading = Some(reading);
                Ok(())
            }
            Ok(false) => {
                self.ended(reading);
                Ok(())
            }
            // What was read of it stays, unless more was known before.
            Err(error) => {
                reading.fresh = true;
                if reading.resumed || self.catalogue.get(&path).is_none() {
                    self.ended(reading);
                }
                Err((path, error))
            }
        }
    }

    fn read_one(
        &mut self,
        reading: &mut Reading,
        pool: &Pool<'_>,
        known: &mut Known<'_>,
        raw: &mut Vec<u8>,
    ) -> Result<bool, Failed> {
        let most = self.options.max_file;
        let at = reading.begin + reading.read;
        let (length, job) = match &mut reading.of {
            Of::Messages(messages) => {
                let Some(one) = messages.next_into(raw)? else { return Ok(false) };
                let job = if one.too_long {
                    Err(format!("longer than {most} bytes"))
                } else {
                    Ok((message_id(raw), None))
                };
                (one.length, job)
            }
            Of::Lines(source) => {
                let length = source.line(raw, most)?;
                if length == 0 {
                    return Ok(false);
                }
                let job = match raw.trim_ascii() {
                    b"" if length > most => Err(format!("a line of more than {most} bytes")),
                    b"" => {
                        reading.read += length;
                        self.advance(reading, length);
                        return Ok(true);
                    }
                    line => jsonl::line(line).map(|document| (document.id.clone(), Some(document))),
                };
                (length, job)
            }
        };
        reading.read += length;
        self.advance(reading, length);
        let (id, ready) = match job {
            Ok(job) => job,
            Err(why) => {
                self.report.skip(&reading.path, Some(at), why);
                return Ok(true);
            }
        };
        let holding = match ready {
            None => {
                let bytes = std::mem::take(raw);
                let job = self.job(id, bytes, Form::Mbox, &reading.path, Some(at), &reading.found);
                self.offer(job, pool, known)?
            }
            Some(mut document) => {
                let (holding, is_new) = self.hold(&id, at, known)?;
                if is_new {
                    document.path = Some(reading.path.to_path_buf());
                    document.offset = Some(at);
                    pool.sink().send(document)?;
                }
                holding
            }
        };
        reading.holds.push(holding);
        Ok(true)
    }

    /// Of a packed file it is not known how far it was read.
    fn advance(&mut self, reading: &Reading, length: u64) {
        self.report.bytes += length;
        self.uncommitted += length;
        if !reading.packed {
            self.progress.advance(length);
        }
    }

    /// A file with many documents was read to its end.
    fn ended(&mut self, reading: Reading) {
        if reading.packed {
            self.progress.advance(reading.found.stat.size);
        }
        let resumed = reading.resumed;
        let (path, entry) = entry_of(reading);
        self.close(&path, entry, resumed);
    }

    /// Puts into the catalogue how far the file at hand was read, before a commit: a killed build
    /// goes on there.
    pub(crate) fn mark(&mut self) {
        let Some(reading) = &mut self.reading else { return };
        let known = self.catalogue.get(&reading.path).is_some();
        if reading.packed || (known && !reading.resumed) {
            return;
        }
        reading.resumed = true;
        let mut stat = reading.found.stat;
        stat.size = reading.begin + reading.read;
        let entry = Entry {
            stat,
            fresh: true,
            content: source::sample_of(&reading.path, &reading.found.stat, stat.size).unwrap_or(0),
            end: stat.size,
            shape: reading.shape(),
            binary: None,
            holds: reading.holds.clone(),
        };
        self.catalogue.put(reading.path.to_path_buf(), entry);
    }
}

/// What is remembered of a file with many documents.
fn entry_of(reading: Reading) -> (PathBuf, Entry) {
    let path = reading.path.to_path_buf();
    // Of a packed one the part that was read before cannot be found again.
    let end = if reading.packed { 0 } else { reading.begin + reading.read };
    let content = source::sample_of(&path, &reading.found.stat, end).unwrap_or(0);
    let entry = Entry {
        stat: reading.found.stat,
        fresh: reading.fresh,
        content: if reading.packed { 0 } else { content },
        end,
        shape: reading.shape(),
        binary: None,
        holds: reading.holds,
    };
    (path, entry)
}

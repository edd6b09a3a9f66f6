//! Writing: one writer at a time, readers meanwhile see the last commit.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use tantivy::schema::Term;
use tantivy::{IndexWriter, TantivyError};

use super::Error;
use super::document::{Document, Queued};
use super::engine::Index;
use super::query::Query;
use super::queue::Room;
use crate::crypto;

/// Threads that index, beside the one that reads and parses.
const THREADS: usize = 1;
/// Memory for postings not yet written, of all threads together, in bytes.
const HEAP: usize = 96 << 20;
/// Texts of documents between parser and engine, in bytes.
const QUEUE: usize = 32 << 20;

/// Puts documents into an index and takes them out. What is not committed is forgotten when the
/// writer is dropped.
pub struct Writer<'a> {
    pub(super) index: &'a Index,
    engine: IndexWriter<Queued>,
    room: Arc<Room>,
    /// Ids put in by this writer, hashed.
    new: HashSet<u128>,
    /// Every id in the index, hashed, once it was worth reading them all.
    pub(super) all: Option<HashSet<u128>>,
}

impl Index {
    /// Opens the index for writing; [`Error::Busy`] while another does.
    pub fn writer(&self) -> Result<Writer<'_>, Error> {
        let engine = self.checked(self.engine.writer_with_num_threads(THREADS, HEAP))?;
        self.directory.sweep().map_err(Error::io(self.folder()))?;
        self.reload()?;
        let (room, new) = (Room::new(QUEUE), HashSet::new());
        Ok(Writer { index: self, engine, room, new, all: None })
    }
}

impl Writer<'_> {
    /// Adds a document, in place of one with the same id; of a file, also in place of what the
    /// file was before.
    pub fn add(&mut self, document: Document) -> Result<(), Error> {
        if self.knows(&document.id)? {
            self.engine.delete_term(Term::from_field_text(self.index.fields.id, &document.id));
        }
        self.put(document)
    }

    /// Adds a document whose id is not in the index.
    pub(super) fn put(&mut self, document: Document) -> Result<(), Error> {
        if let (true, Some(path)) = (document.is_file(), &document.path) {
            let source = Document::source(path);
            self.engine.delete_term(Term::from_field_text(self.index.fields.source, &source));
        }
        self.new.insert(hashed(&document.id));
        let mut queued = document
            .into_fields(&self.index.fields)
            .map_err(|error| Error::Engine(error.to_string()))?;
        queued.room = Some(self.room.take(queued.bytes));
        let added = self.engine.add_document(queued);
        self.checked(added).map(drop)
    }

    /// Whether a document with this id is in the index or was put in since.
    pub(super) fn knows(&self, id: &str) -> Result<bool, Error> {
        let hash = hashed(id);
        if self.new.contains(&hash) {
            return Ok(true);
        }
        if let Some(all) = &self.all {
            return Ok(all.contains(&hash));
        }
        match self.index.find(id) {
            Ok((found, _)) => Ok(found == id),
            Err(Error::UnknownId(_) | Error::AmbiguousId(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Reads every id once, so that [`Writer::knows`] need not look each up.
    pub(super) fn read_ids(&mut self) -> Result<(), Error> {
        let mut all = HashSet::new();
        self.index.each_id("", |id, _| {
            all.insert(hashed(id));
            true
        })?;
        self.all = Some(all);
        Ok(())
    }

    /// Removes one document by its id, or the beginning of it, and returns the whole id.
    pub fn remove_id(&mut self, id: &str) -> Result<String, Error> {
        let (id, _) = self.index.find(id)?;
        self.engine.delete_term(Term::from_field_text(self.index.fields.id, &id));
        self.forget();
        Ok(id)
    }

    /// Removes what a query finds, and returns how many documents these are.
    pub fn remove(&mut self, query: &Query) -> Result<u64, Error> {
        let found = self.index.count(query)?;
        let removed = self.engine.delete_query(query.compile(&self.index.fields));
        self.checked(removed)?;
        self.forget();
        Ok(found)
    }

    /// What was removed may be added again.
    fn forget(&mut self) {
        self.new.clear();
        self.all = None;
    }

    /// Makes everything so far durable, and visible to this index.
    pub fn commit(&mut self) -> Result<(), Error> {
        let committed = self.engine.commit();
        self.checked(committed)?;
        self.index.reload()
    }

    /// Commits, waits for merges under way, and closes.
    pub fn finish(mut self) -> Result<(), Error> {
        self.commit()?;
        self.index.checked(self.engine.wait_merging_threads())?;
        self.index.reload()
    }

    fn checked<T>(&self, result: Result<T, TantivyError>) -> Result<T, Error> {
        self.index.checked(result)
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", self.index.folder().display())
    }
}

/// 16 bytes of SHA-256: ids of letters are chosen by strangers.
fn hashed(id: &str) -> u128 {
    let hash = crypto::sha256(&[id.as_bytes()]);
    hash.first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}

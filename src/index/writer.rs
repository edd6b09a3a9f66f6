//! Writing: one writer at a time, readers meanwhile see the last commit.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use tantivy::merge_policy::NoMergePolicy;
use tantivy::schema::{Field, Term};
use tantivy::{IndexWriter, Searcher, TantivyError};

use crate::index::document::budget::Room;
use crate::index::document::queued::Queued;
use crate::index::document::summary_store::Heads;
use crate::index::document::{Document, MAX_ID, hashed};
use crate::index::engine::{Index, living};
use crate::index::error::Error;
use crate::index::query::Query;
use crate::index::query::compile::Terms;
use crate::index::storage::rekey;

pub(super) mod tag;

/// Memory for postings not yet written, in bytes. One thread indexes what others read and parse:
/// every further one would leave a segment of its own, with a dictionary of its own, for every
/// search to look into; and so would less memory.
const HEAP: usize = 96 << 20;
/// Texts of documents between parser and engine, in bytes.
const QUEUE: usize = 32 << 20;

/// Puts documents into an index and takes them out. What is not committed is forgotten when the
/// writer is dropped.
pub struct Writer<'a> {
    pub(super) index: &'a Index,
    pub(super) engine: IndexWriter<Queued>,
    room: Arc<Room>,
    /// Ids put in by this writer, hashed.
    new: HashSet<u128>,
    /// Every id in the index, hashed, once it was worth reading them all.
    pub(super) all: Option<HashSet<u128>>,
    /// What every commit says: the file of the catalogue.
    pub(super) catalogue: Option<String>,
}

/// What [`Index::purge`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Segments that held something deleted, and were written anew without it.
    pub segments: u64,
    /// Documents that were still in them, deleted.
    pub documents: u64,
}

/// The end of a writer that documents go into, from many threads at once.
#[derive(Clone, Copy)]
pub(super) struct Sink<'a> {
    index: &'a Index,
    engine: &'a IndexWriter<Queued>,
    room: &'a Arc<Room>,
}

impl Sink<'_> {
    /// Puts a document in, beside whatever has its id.
    pub(super) fn send(&self, document: Document) -> Result<(), Error> {
        let mut queued = document
            .into_fields(&self.index.fields)
            .map_err(|error| Error::Engine(error.to_string()))?;
        queued.room = Some(self.room.take(queued.bytes));
        let added = self.engine.add_document(queued);
        self.index.checked(added).map(drop)
    }

    /// Takes out what has an id, of all that was put in before.
    pub(super) fn delete(&self, id: &str) {
        self.engine.delete_term(Term::from_field_text(self.index.fields.id, id));
    }
}

/// The ids that a writer knows.
pub(super) struct Known<'a> {
    index: &'a Index,
    new: &'a mut HashSet<u128>,
    all: Option<&'a HashSet<u128>>,
}

impl Known<'_> {
    /// Whether a document with this id is in the index or is expected.
    pub(super) fn knows(&self, id: &str) -> Result<bool, Error> {
        let hash = hashed(&[id.as_bytes()]);
        if self.new.contains(&hash) {
            return Ok(true);
        }
        if let Some(all) = self.all {
            return Ok(all.contains(&hash));
        }
        match self.index.find(id) {
            Ok((found, _)) => Ok(found == id),
            Err(Error::UnknownId(_) | Error::AmbiguousId(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Knows an id from now on.
    pub(super) fn expect(&mut self, id: &str) {
        self.new.insert(hashed(&[id.as_bytes()]));
    }
}

impl Index {
    /// Opens the index for writing; [`Error::Busy`] while another does.
    pub fn writer(&self) -> Result<Writer<'_>, Error> {
        let engine = self.checked(self.engine.writer_with_num_threads(1, HEAP))?;
        // Failures of writers before this one have been told.
        drop(self.directory.opened().take_failure());
        rekey::recover_rotation(&self.directory)?;
        self.directory.sweep().map_err(Error::io(self.folder()))?;
        self.reload()?;
        let (room, new) = (Room::new(QUEUE), HashSet::new());
        let catalogue = self.catalogue()?;
        Ok(Writer { index: self, engine, room, new, all: None, catalogue })
    }

    /// Makes deleted what was removed or replaced: segments that hold some of it are written anew
    /// without it, and the index key is changed. The secrets of the files before stand in lists
    /// that only the old key opens, and that is overwritten: nothing opens their cells any more,
    /// wherever a copy of them may lie.
    pub fn purge(&self) -> Result<Purged, Error> {
        let mut writer = self.writer()?;
        writer.engine.set_merge_policy(Box::new(NoMergePolicy));
        let metas = self.checked(self.engine.searchable_segment_metas())?;
        let mut purged = Purged::default();
        for segment in metas.iter().filter(|segment| segment.has_deletes()) {
            let merged = writer.engine.merge(&[segment.id()]).wait();
            self.checked(merged)?;
            purged.segments += 1;
            purged.documents += u64::from(segment.num_deleted_docs());
        }
        rekey::rotate_key(&self.directory, false)?;
        drop(writer);
        self.reload()?;
        Ok(purged)
    }

    /// Changes the index key and those of all files: each is written anew under a new one, cell by
    /// cell, which takes as much room again while it lasts.
    pub fn rekey(&self) -> Result<(), Error> {
        let writer = self.writer()?;
        rekey::rotate_key(&self.directory, true)?;
        drop(writer);
        self.reload()
    }
}

impl Writer<'_> {
    /// Adds a document, in place of one with the same id; of a file, also in place of what the
    /// file was before. It has the tags of what it replaces, besides its own. What is longer than [`MAX_BODY`](super::MAX_BODY) and
    /// `MAX_FIELD` is cut.
    pub fn add(&mut self, document: Document) -> Result<(), Error> {
        if self.knows(&document.id)? {
            self.engine.delete_term(Term::from_field_text(self.index.fields.id, &document.id));
        }
        self.put(document)
    }

    /// Adds a document that is in the index, with nothing of what it was.
    pub(super) fn replace(&mut self, document: Document) -> Result<(), Error> {
        self.engine.delete_term(Term::from_field_text(self.index.fields.id, &document.id));
        self.push(document)
    }

    /// Adds a document whose id is not in the index, or was taken out.
    pub(super) fn put(&mut self, mut document: Document) -> Result<(), Error> {
        self.carry_tags(&mut document)?;
        self.push(document)
    }

    fn push(&mut self, document: Document) -> Result<(), Error> {
        if document.id.is_empty() || document.id.len() > MAX_ID {
            return Err(Error::Id { max: MAX_ID, got: document.id.len() });
        }
        if let (true, Some(path)) = (document.is_file(), &document.path) {
            let source = Document::source(path);
            self.engine.delete_term(Term::from_field_text(self.index.fields.source, &source));
        }
        let (sink, mut known) = self.split();
        known.expect(&document.id);
        sink.send(document)
    }

    /// Where documents go, and what is known of ids: two threads may have one each.
    pub(super) fn split(&mut self) -> (Sink<'_>, Known<'_>) {
        let sink = Sink { index: self.index, engine: &self.engine, room: &self.room };
        (sink, Known { index: self.index, new: &mut self.new, all: self.all.as_ref() })
    }

    /// Whether a document with this id is in the index or was put in since.
    pub(super) fn knows(&mut self, id: &str) -> Result<bool, Error> {
        self.split().1.knows(id)
    }

    /// Reads every id once, so that [`Writer::knows`] need not look each up.
    pub(super) fn read_ids(&mut self) -> Result<(), Error> {
        self.all = Some(self.index.ask(|searcher| {
            let mut all = HashSet::new();
            self.index.each_id(searcher, "", |id, _| {
                all.insert(hashed(&[id.as_bytes()]));
                true
            })?;
            Ok(all)
        })?);
        Ok(())
    }

    /// Removes one document by its id, or the beginning of it, commits, and returns the whole id.
    pub fn remove_id(&mut self, id: &str) -> Result<String, Error> {
        let (id, _) = self.index.find(id)?;
        self.engine.delete_term(Term::from_field_text(self.index.fields.id, &id));
        self.forget()?;
        Ok(id)
    }

    /// Removes what a query finds, commits, and returns how many documents that were.
    ///
    /// What was added before is committed first. The cells of removed documents stay until the
    /// engine merges their segment.
    pub fn remove(&mut self, query: &Query) -> Result<u64, Error> {
        self.commit()?;
        let found = self.index.count(query)?;
        let terms = Terms { fields: &self.index.fields, stems: &self.index.stems };
        let removed = self.engine.delete_query(query.compiled(terms));
        self.checked(removed)?;
        self.forget()?;
        Ok(found)
    }

    /// Commits, so that the index alone knows what is there: what was removed may come again.
    pub(super) fn forget(&mut self) -> Result<(), Error> {
        self.commit()?;
        self.new.clear();
        self.all = None;
        Ok(())
    }

    /// Makes everything so far durable, and visible to this index.
    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        let committed = self.engine.prepare_commit().and_then(|mut prepared| {
            if let Some(catalogue) = &self.catalogue {
                prepared.set_payload(catalogue);
            }
            prepared.commit()
        });
        self.index.checked(committed)?;
        self.index.reload()
    }

    /// Commits, waits for merges under way, and closes.
    pub fn finish(mut self) -> Result<(), Error> {
        self.commit()?;
        self.index.checked(self.engine.wait_merging_threads())?;
        // What was found damaged since is not to trouble every merge from now on, nor is what was
        // merged to be kept until the next commit.
        self.index.directory.tidy()?;
        self.index.reload()
    }

    /// Gives a document the tags of the one it will replace.
    fn carry_tags(&self, document: &mut Document) -> Result<(), Error> {
        let fields = &self.index.fields;
        let mut before = vec![Term::from_field_text(fields.id, &document.id)];
        if let (true, Some(path)) = (document.is_file(), &document.path) {
            before.push(Term::from_field_text(fields.source, &Document::source(path)));
        }
        let tags = self.index.ask(|searcher| {
            let (mut tags, heads) = (BTreeSet::new(), Heads::default());
            if !has_terms(searcher, fields.tag)? {
                return Ok(tags);
            }
            for term in &before {
                for address in living(searcher, term)? {
                    tags.extend(heads.get(searcher, address)?.tags);
                }
            }
            Ok(tags)
        })?;
        document.tags.extend(tags);
        Ok(())
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

/// Whether any segment holds a term of a field.
fn has_terms(searcher: &Searcher, field: Field) -> Result<bool, TantivyError> {
    for reader in searcher.segment_readers() {
        if reader.inverted_index(field)?.terms().num_terms() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

//! Tags: words that a reader puts on documents, and which stay there.
//!
//! A document with other tags is put in anew, in one commit for all: the engine changes none in
//! place. A document that is indexed again, as mail whose flags have changed or a file that was
//! edited, takes the tags of what it replaces.

use std::collections::BTreeSet;

use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocAddress, DocSet as _, Searcher, TERMINATED, TantivyError};

use crate::index::Error;
use crate::index::document::summary_store::Heads;
use crate::index::document::{Document, MAX_TAGS, is_tag};
use crate::index::query::Query;
use crate::index::search::collect::Found;
use crate::index::search::results::SearchOptions;
use crate::index::writer::Writer;

/// What [`Writer::tag`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retagged {
    /// Documents that the query found.
    pub found: u64,
    /// Those of them whose tags are others now.
    pub changed: u64,
}

impl Writer<'_> {
    /// Puts tags on what a query finds, takes tags away, and commits. What was added before is
    /// committed first.
    ///
    /// A tag that is none ([`is_tag`]) is refused, and so is one too many ([`MAX_TAGS`]); then
    /// nothing has changed.
    pub fn tag(
        &mut self,
        query: &Query,
        add: &BTreeSet<String>,
        remove: &BTreeSet<String>,
    ) -> Result<Retagged, Error> {
        if let Some(bad) = add.iter().chain(remove).find(|tag| !is_tag(tag)) {
            return Err(Error::Tag(bad.clone()));
        }
        self.commit()?;
        let options = SearchOptions { limit: usize::MAX, ..SearchOptions::default() };
        let found = Found::new(self.index, query, &options)?;
        let mut done = Retagged { found: found.total, changed: 0 };
        let mut changed = Vec::new();
        for address in found.addresses() {
            let Some(head) = found.if_whole(found.head(address))? else { continue };
            let mut tags: BTreeSet<_> = head.tags.difference(remove).cloned().collect();
            tags.extend(add.iter().cloned());
            if tags.len() > MAX_TAGS {
                return Err(Error::Tags { id: head.id, max: MAX_TAGS });
            }
            if tags != head.tags {
                changed.push((address, tags));
            }
        }
        done.changed = changed.len() as u64;
        for (address, tags) in changed {
            let document = found.if_whole(found.document(address))?;
            let Some(mut document) = document else { continue };
            document.tags = tags;
            self.replace(document)?;
        }
        self.forget()?;
        Ok(done)
    }

    /// Gives a document the tags of the one it will replace.
    pub(crate) fn carry_tags(&self, document: &mut Document) -> Result<(), Error> {
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

/// The documents with a term that were not removed.
pub(crate) fn living(searcher: &Searcher, term: &Term) -> Result<Vec<DocAddress>, TantivyError> {
    let mut found = Vec::new();
    for (at, reader) in (0..).zip(searcher.segment_readers()) {
        let index = reader.inverted_index(term.field())?;
        let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else {
            continue;
        };
        while postings.doc() != TERMINATED {
            if !reader.is_deleted(postings.doc()) {
                found.push(DocAddress::new(at, postings.doc()));
            }
            postings.advance();
        }
    }
    Ok(found)
}

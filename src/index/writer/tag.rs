//! Changes of tags on the documents that a query finds.
//!
//! The engine changes no document in place, so one with other tags replaces itself; all of them in
//! one commit.

use std::collections::BTreeSet;

use crate::index::document::{MAX_TAGS, is_tag};
use crate::index::error::Error;
use crate::index::query::Query;
use crate::index::search::collect::Found;
use crate::index::search::options::SearchOptions;
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
    /// A tag that is none (`is_tag`) is refused, and so is one too many (`MAX_TAGS`); then
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
}

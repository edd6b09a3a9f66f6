//! Queries against the engine, and what comes back.

use std::ops::Deref;

use tantivy::{TantivyDocument, TantivyError};

use crate::index::document::Summary;
use crate::index::document::summary::body;
use crate::index::engine::Index;
use crate::index::error::Error;
use crate::index::query::Query;
use crate::index::search::collect::{Found, Place};
use crate::index::search::highlight::{Marks, Snippet};
use crate::index::search::options::SearchOptions;

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// Documents that match, returned or not.
    pub total: u64,
    /// Those asked for.
    pub hits: Vec<Hit>,
}

/// One document found. Its texts are a stranger's: clean them before a terminal sees them.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Everything but its text; its fields are read as the hit's own.
    pub summary: Summary,
    /// The place of the match in the text.
    pub snippet: Snippet,
    /// BM25 score; 0 when it was not asked for.
    pub score: f32,
}

impl Deref for Hit {
    type Target = Summary;

    fn deref(&self) -> &Summary {
        &self.summary
    }
}

impl Hit {
    /// The path, with `#` and the offset behind it when the file holds many documents.
    pub fn location(&self) -> Option<String> {
        let path = self.path.as_ref()?.display();
        Some(match self.offset {
            Some(offset) => format!("{path}#{offset}"),
            None => path.to_string(),
        })
    }
}

impl Index {
    /// Counts the documents a query finds.
    pub(crate) fn count(&self, query: &Query) -> Result<u64, Error> {
        let options = SearchOptions { limit: 0, ..SearchOptions::default() };
        Ok(Found::new(self, query, &options)?.total)
    }

    /// Finds documents. What is damaged is left out, see [`Index::left_out`].
    pub fn search(&self, query: &Query, options: &SearchOptions) -> Result<Results, Error> {
        let hits = self.hits(query, options)?;
        Ok(Results { total: hits.total(), hits: hits.collect::<Result<_, _>>()? })
    }

    /// Finds documents, and reads each when it is its turn: the first is there before the last is
    /// looked at. What is damaged is left out, see [`Index::left_out`].
    pub fn hits(&self, query: &Query, options: &SearchOptions) -> Result<Hits<'_>, Error> {
        let found = Found::new(self, query, options)?;
        let marks = options.snippets.then(|| Marks::new(query.shown(), &self.stems));
        Ok(Hits { index: self, marks, ready: Vec::new(), found, scores: options.scores })
    }
}

/// Documents found, in their order, each read when it is asked for.
pub struct Hits<'a> {
    index: &'a Index,
    marks: Option<Marks>,
    pub(crate) found: Found<'a>,
    /// The next ones, the last first.
    ready: Vec<(Place, f32)>,
    scores: bool,
}

/// Hits whose scores are worked out together.
const TOGETHER: usize = 32;

impl Hits<'_> {
    /// Documents that match, returned or not.
    pub fn total(&self) -> u64 {
        self.found.total
    }

    /// The places of the next ones.
    fn refill(&mut self) -> Result<(), Error> {
        let places: Vec<Place> = self.found.next(TOGETHER)?;
        self.found.ahead(places.iter().map(|place| place.address), self.marks.is_some());
        let scores = match self.scores {
            true => self.found.scores(&places)?,
            false => vec![0.0; places.len()],
        };
        self.ready = places.into_iter().zip(scores).rev().collect();
        Ok(())
    }

    fn hit(&mut self, place: Place, score: f32) -> Result<Hit, TantivyError> {
        let summary = self.found.head(place.address)?;
        let snippet = match &mut self.marks {
            Some(marks) => {
                let stored: TantivyDocument = self.found.searcher.doc(place.address)?;
                Snippet::new(body(&stored, &self.index.fields), marks)
            }
            None => Snippet::default(),
        };
        Ok(Hit { summary, snippet, score })
    }
}

impl Iterator for Hits<'_> {
    type Item = Result<Hit, Error>;

    fn next(&mut self) -> Option<Result<Hit, Error>> {
        loop {
            if self.ready.is_empty()
                && let Err(error) = self.refill()
            {
                return Some(Err(error));
            }
            let (place, score) = self.ready.pop()?;
            let hit = self.hit(place, score);
            match self.found.if_whole(hit) {
                Ok(Some(hit)) => return Some(Ok(hit)),
                // It is damaged, and others are not.
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

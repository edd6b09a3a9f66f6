//! Queries against the engine, and what comes back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tantivy::{TantivyDocument, TantivyError};

use crate::index::document::summary::{Head, body};
use crate::index::document::{Flag, Kind};
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
    /// The document's id.
    pub id: String,
    /// What it was.
    pub kind: Kind,
    /// The file it came from.
    pub path: Option<PathBuf>,
    /// Where it begins in that file, when the file holds many.
    pub offset: Option<u64>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub date: Option<i64>,
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// Recipients in copy.
    pub cc: Vec<String>,
    /// Subject.
    pub subject: String,
    /// Names of attachments.
    pub attachments: Vec<String>,
    /// MIME types of its parts.
    pub types: Vec<String>,
    /// Bytes it had where it came from; 0 when that is not known.
    pub size: u64,
    /// The Message-ID of a mail.
    pub message_id: Option<String>,
    /// The key of its thread; empty when it is in none.
    pub thread: String,
    /// What its mail folder said of it.
    pub flags: BTreeSet<Flag>,
    /// What its reader put on it.
    pub tags: BTreeSet<String>,
    /// The place of the match in the text.
    pub snippet: Snippet,
    /// BM25 score; 0 when it was not asked for.
    pub score: f32,
}

impl Hit {
    fn new(head: Head, snippet: Snippet, score: f32) -> Self {
        Self {
            path: head.path(),
            id: head.id,
            kind: head.kind,
            offset: head.offset,
            date: head.date,
            from: head.from,
            to: head.to,
            cc: head.cc,
            subject: head.subject,
            attachments: head.attachments,
            types: head.types,
            size: head.size,
            message_id: head.message_id,
            thread: head.thread,
            flags: head.flags,
            tags: head.tags,
            snippet,
            score,
        }
    }

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
    pub fn count(&self, query: &Query) -> Result<u64, Error> {
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
        let head = self.found.head(place.address)?;
        let snippet = match &mut self.marks {
            Some(marks) => {
                let stored: TantivyDocument = self.found.searcher.doc(place.address)?;
                Snippet::new(body(&stored, &self.index.fields), marks)
            }
            None => Snippet::default(),
        };
        Ok(Hit::new(head, snippet, score))
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

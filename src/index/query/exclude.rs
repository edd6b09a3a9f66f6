//! What must not match, asked in the one way that every scorer of the engine bears.
//!
//! The engine asks an excluded scorer whether it holds a document that lies before the one it
//! stands at, by `seek_danger`; phrases assert that nobody does.

use std::fmt;

use tantivy::query::{EnableScoring, Explanation, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, SegmentReader};

use crate::index::query::compile::Compiled;

/// The same query, whose scorers are asked by `doc` and `seek` alone.
pub(super) fn steady(query: Box<Compiled>) -> Box<Compiled> {
    Box::new(SteadyQuery(query))
}

struct SteadyQuery(Box<Compiled>);

impl Clone for SteadyQuery {
    fn clone(&self) -> Self {
        Self(self.0.box_clone())
    }
}

impl fmt::Debug for SteadyQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl tantivy::query::Query for SteadyQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(SteadyWeight(self.0.weight(scoring)?)))
    }
}

struct SteadyWeight(Box<dyn Weight>);

impl Weight for SteadyWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(SteadyScorer(self.0.scorer(reader, boost)?)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        self.0.explain(reader, doc)
    }
}

/// `seek_danger` is that of the trait, which looks at `doc` first.
struct SteadyScorer(Box<dyn Scorer>);

impl DocSet for SteadyScorer {
    fn advance(&mut self) -> DocId {
        self.0.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.0.seek(target)
    }

    fn doc(&self) -> DocId {
        self.0.doc()
    }

    fn size_hint(&self) -> u32 {
        self.0.size_hint()
    }
}

impl Scorer for SteadyScorer {
    fn score(&mut self) -> Score {
        self.0.score()
    }
}

//! Words near each other: documents that hold all of them, of which positions are compared.

use std::fmt;

use tantivy::postings::{Postings as _, SegmentPostings};
use tantivy::query::{EnableScoring, Explanation, FuzzyTermQuery, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

use crate::index::query::prefix::{ENDINGS, range};

/// A place of a phrase: how far behind its first, and what may stand there.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) offset: u32,
    pub(super) terms: Vec<Term>,
    /// What begins as the first of the terms may stand there too.
    pub(super) open: bool,
    /// So many letters of it may be others.
    pub(super) like: Option<u8>,
}

/// Each side at most so many words from the next one, before or behind it.
pub(super) struct NearQuery {
    field: Field,
    sides: Vec<Vec<Slot>>,
    distance: u32,
    /// Finds what holds every side, wherever.
    every: Box<dyn Query>,
}

impl NearQuery {
    pub(super) fn new(
        field: Field,
        sides: Vec<Vec<Slot>>,
        distance: u32,
        every: Box<dyn Query>,
    ) -> Self {
        Self { field, sides, distance, every }
    }
}

impl Clone for NearQuery {
    fn clone(&self) -> Self {
        let every = self.every.box_clone();
        Self { field: self.field, sides: self.sides.clone(), distance: self.distance, every }
    }
}

impl fmt::Debug for NearQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NearQuery({:?}, {})", self.sides, self.distance)
    }
}

impl Query for NearQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let every = self.every.weight(scoring)?;
        Ok(Box::new(NearWeight { query: self.clone(), every }))
    }
}

struct NearWeight {
    query: NearQuery,
    every: Box<dyn Weight>,
}

impl Weight for NearWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let every = self.every.scorer(reader, boost)?;
        let mut sides = Vec::new();
        // Where no document holds all, positions need not be read.
        if every.doc() != TERMINATED {
            for side in &self.query.sides {
                let places = side.iter().map(|slot| self.place(reader, slot));
                sides.push(Side { places: places.collect::<tantivy::Result<_>>()? });
            }
        }
        let mut scorer = NearScorer { every, sides, distance: self.query.distance };
        if !scorer.holds() {
            scorer.advance();
        }
        Ok(Box::new(scorer))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        self.every.explain(reader, doc)
    }
}

impl NearWeight {
    fn place(&self, reader: &SegmentReader, slot: &Slot) -> tantivy::Result<Place> {
        let index = reader.inverted_index(self.query.field)?;
        let option = IndexRecordOption::WithFreqsAndPositions;
        let mut postings = Vec::new();
        for term in &slot.terms {
            postings.extend(index.read_postings(term, option)?);
        }
        if let (true, Some(first)) = (slot.open, slot.terms.first()) {
            postings.clear();
            let (from, to) = range(self.query.field, first.value().as_str().unwrap_or_default());
            let mut terms = index
                .terms()
                .range()
                .ge(from.serialized_value_bytes())
                .lt(to.serialized_value_bytes())
                .limit(ENDINGS.into())
                .into_stream()?;
            while terms.advance() {
                postings.push(index.read_postings_from_terminfo(terms.value(), option)?);
            }
        }
        if let (Some(distance), Some(word)) = (slot.like, slot.terms.first()) {
            postings.clear();
            let automaton = FuzzyTermQuery::new(word.clone(), distance, true).automaton()?;
            let mut terms = index.terms().search(automaton).into_stream()?;
            while terms.advance() && postings.len() < ENDINGS as usize {
                // A mark of ours is no word.
                if terms.key().first().is_some_and(|first| *first >= b' ') {
                    postings.push(index.read_postings_from_terminfo(terms.value(), option)?);
                }
            }
        }
        Ok(Place { offset: slot.offset, postings })
    }
}

/// The occurrences of what may stand at a place.
struct Place {
    offset: u32,
    postings: Vec<SegmentPostings>,
}

/// The occurrences of a phrase.
struct Side {
    places: Vec<Place>,
}

impl Place {
    /// Where it stands in a document, taken back to the beginning of the phrase; in order.
    fn beginnings(&mut self, doc: DocId) -> Vec<u32> {
        let mut all = Vec::new();
        for postings in &mut self.postings {
            if postings.doc() < doc {
                postings.seek(doc);
            }
            if postings.doc() == doc {
                postings.append_positions_with_offset(0, &mut all);
            }
        }
        all.sort_unstable();
        all.dedup();
        all.into_iter().filter_map(|at| at.checked_sub(self.offset)).collect()
    }
}

impl Side {
    /// Where the phrase begins in a document, in order.
    fn beginnings(&mut self, doc: DocId) -> Vec<u32> {
        let mut places = self.places.iter_mut();
        let Some(first) = places.next() else { return Vec::new() };
        let mut all = first.beginnings(doc);
        for place in places {
            let other = place.beginnings(doc);
            all.retain(|at| other.binary_search(at).is_ok());
        }
        all
    }

    /// Words from its first to its last.
    fn length(&self) -> u32 {
        self.places.iter().map(|place| place.offset).max().unwrap_or(0)
    }
}

/// Whether one of `these` ends at most `distance` before one of `those` begins, or the other way
/// round. Both are in order; a word that both share does not count.
fn are_near(these: (&[u32], u32), those: (&[u32], u32), distance: u32) -> bool {
    let follows = |(first, length): (&[u32], u32), second: &[u32]| {
        first.iter().any(|begin| {
            let end = begin + length;
            let next = second.partition_point(|at| *at <= end);
            second.get(next).is_some_and(|at| at - end <= distance)
        })
    };
    follows(these, those.0) || follows(those, these.0)
}

struct NearScorer {
    every: Box<dyn Scorer>,
    sides: Vec<Side>,
    distance: u32,
}

impl NearScorer {
    /// Whether the document at hand is one, or there is none.
    fn holds(&mut self) -> bool {
        let doc = self.every.doc();
        if doc == TERMINATED {
            return true;
        }
        let mut last: Option<(Vec<u32>, u32)> = None;
        for side in &mut self.sides {
            let beginnings = side.beginnings(doc);
            let this = (beginnings, side.length());
            if let Some(last) = &last
                && !are_near((&last.0, last.1), (&this.0, this.1), self.distance)
            {
                return false;
            }
            last = Some(this);
        }
        true
    }
}

impl DocSet for NearScorer {
    fn advance(&mut self) -> DocId {
        loop {
            let doc = self.every.advance();
            if self.holds() {
                return doc;
            }
        }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let doc = self.every.seek(target);
        if self.holds() { doc } else { self.advance() }
    }

    fn doc(&self) -> DocId {
        self.every.doc()
    }

    fn size_hint(&self) -> u32 {
        self.every.size_hint()
    }
}

impl Scorer for NearScorer {
    fn score(&mut self) -> Score {
        self.every.score()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness() {
        let near = |a: &[u32], b: &[u32], distance| are_near((a, 0), (b, 0), distance);
        assert!(near(&[3], &[4], 1) && near(&[4], &[3], 1) && !near(&[3], &[5], 1));
        assert!(near(&[3, 50], &[9, 47], 3) && !near(&[3, 50], &[9, 46], 3));
        // The same word does not stand beside itself.
        assert!(!near(&[3], &[3], 5) && near(&[3, 5], &[3, 5], 2));
        // From the end of the one to the beginning of the other.
        assert!(are_near((&[3], 2), (&[8], 0), 3) && !are_near((&[3], 2), (&[8], 0), 2));
        assert!(are_near((&[8], 0), (&[3], 2), 3) && !are_near((&[3], 2), (&[5], 0), 9));
    }

    proptest::proptest! {
        #[test]
        fn as_compared_one_by_one(
            a in proptest::collection::btree_set(0u32..60, 0..12),
            b in proptest::collection::btree_set(0u32..60, 0..12),
            (long, other, distance) in (0u32..4, 0u32..4, 1u32..9),
        ) {
            let (a, b): (Vec<u32>, Vec<u32>) = (a.into_iter().collect(), b.into_iter().collect());
            let slow = a.iter().any(|one| b.iter().any(|two| {
                let behind = |end: u32, begin: u32| begin > end && begin - end <= distance;
                behind(one + long, *two) || behind(two + other, *one)
            }));
            proptest::prop_assert_eq!(are_near((&a, long), (&b, other), distance), slow);
        }
    }
}

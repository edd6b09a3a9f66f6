//! Which documents a query finds, and in what order, before any of them is shown.

use std::collections::VecDeque;

use tantivy::collector::{Count, TopDocs};
use tantivy::columnar::Column;
use tantivy::query::{EnableScoring, Weight};
use tantivy::{
    DocAddress, DocId, Searcher, SegmentOrdinal, SegmentReader, TantivyDocument, TantivyError,
};

use crate::index::document::fields::{ORDER, SIZE};
use crate::index::document::summary::{body, order};
use crate::index::document::summary_store::Heads;
use crate::index::document::{Document, Summary};
use crate::index::engine::Index;
use crate::index::error::Error;
use crate::index::query::Query;
use crate::index::query::compile::{Compiled, Terms};
use crate::index::query::plan::Bounds;
use crate::index::search::options::{SearchOptions, Sort};
use crate::index::search::prefetch;

/// Bytes of a document's number in the column of dates, and of the cells that reading a document
/// takes, about: what tells whether to read the column or the documents.
const NUMBER: u64 = 6;
const DOCUMENT: u64 = 8 << 10;

/// Documents that are read at once.
const FEW: usize = 32;

/// A document found, and its place in the order: the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    rank: u64,
    pub(crate) address: DocAddress,
}

/// What a query found, in order.
pub(crate) struct Found<'a> {
    index: &'a Index,
    pub(crate) searcher: Searcher,
    heads: Heads,
    compiled: Box<Compiled>,
    sort: Sort,
    /// Documents that match.
    pub(crate) total: u64,
    /// Documents that match, by segment, each list in order.
    pub(crate) matched: Vec<Vec<DocId>>,
    places: VecDeque<Place>,
    /// Places that share a rank, in the order of their ids, the last first.
    group: Vec<Place>,
    /// To be left out before the first given.
    skip: usize,
    left: usize,
}

impl<'a> Found<'a> {
    pub(crate) fn new(
        index: &'a Index,
        query: &Query,
        options: &SearchOptions,
    ) -> Result<Self, Error> {
        let (expr, bounds) = match options.sort {
            Sort::Relevance => (query.0.clone(), Bounds::NONE),
            Sort::Date | Sort::Oldest => query.plan(),
        };
        let terms = Terms { fields: &index.fields, stems: &index.stems };
        let most = options.limit.saturating_add(options.offset);
        index.ask(|searcher| {
            if index.directory.disk().waited() {
                prefetch::look_up(searcher, &terms.parts(&expr));
            }
            let mut found = Self {
                compiled: terms.compile(&expr),
                index,
                searcher: searcher.clone(),
                sort: options.sort,
                total: 0,
                matched: Vec::new(),
                places: VecDeque::new(),
                group: Vec::new(),
                heads: Heads::default(),
                skip: options.offset,
                left: options.limit,
            };
            if options.limit == 0 && !bounds.any() {
                found.total = found.compiled.count(searcher)? as u64;
            } else if options.sort == Sort::Relevance {
                found.best(most)?;
            } else {
                found.dated(&bounds, most)?;
            }
            Ok(found)
        })
    }

    /// The best matches.
    fn best(&mut self, most: usize) -> Result<(), TantivyError> {
        let documents = usize::try_from(self.searcher.num_docs()).unwrap_or(usize::MAX);
        let top = TopDocs::with_limit(most.clamp(1, documents.max(1))).order_by_score();
        let (best, total) = self.searcher.search(&*self.compiled, &(top, Count))?;
        self.total = total as u64;
        let place = |(score, address)| Place { rank: rank_of(score), address };
        self.places = best.into_iter().map(place).collect();
        Ok(())
    }

    /// By date, those within the bounds.
    fn dated(&mut self, bounds: &Bounds, most: usize) -> Result<(), TantivyError> {
        let weight = self.weight(false)?;
        let mut matched = Vec::new();
        for reader in self.searcher.segment_readers() {
            let mut docs: Vec<DocId> = Vec::new();
            weight.for_each_no_score(reader, &mut |batch| {
                docs.extend(batch.iter().filter(|doc| !reader.is_deleted(**doc)));
            })?;
            matched.push(docs);
        }
        // A few that will be shown are read in any case.
        let shown = matched.iter().map(Vec::len).sum::<usize>() <= most.min(FEW);
        let mut places = Vec::new();
        for ((at, reader), docs) in (0..).zip(self.searcher.segment_readers()).zip(&mut matched) {
            let column = u64::from(reader.max_doc()) * NUMBER;
            let read = shown || docs.len() as u64 * DOCUMENT <= column;
            if read {
                self.ahead(docs.iter().map(|doc| DocAddress::new(at, *doc)), false);
            }
            let keys = Keys::new(self, at, reader, bounds, read)?;
            let mut failed = None;
            docs.retain(|doc| {
                let key = keys.of(*doc);
                let fits = key.as_ref().is_ok_and(|(order, size)| bounds.hold(*order, *size));
                match key {
                    Ok((order, _)) if fits => {
                        let address = DocAddress::new(at, *doc);
                        places.push(Place { rank: rank_of_date(order, self.sort), address });
                    }
                    Ok(_) => {}
                    Err(error) => failed = Some(error),
                }
                fits
            });
            failed.map_or(Ok(()), Err)?;
        }
        self.total = places.len() as u64;
        self.matched = matched;
        if most > 0 && most < places.len() {
            let (_, last, _) = places.select_nth_unstable(most - 1);
            // Those of the same moment are put in order by their ids, later.
            let last = last.rank;
            places.retain(|place| place.rank <= last);
        }
        places.sort_unstable();
        self.places = places.into();
        Ok(())
    }

    fn weight(&self, scores: bool) -> Result<Box<dyn Weight>, TantivyError> {
        self.compiled.weight(match scores {
            true => EnableScoring::enabled_from_searcher(&self.searcher),
            false => EnableScoring::disabled_from_searcher(&self.searcher),
        })
    }

    /// What was asked of a document found, or nothing where that is damaged: its segment is left
    /// out from now on, which [`Index::left_out`] says.
    pub(crate) fn if_whole<T>(&self, result: Result<T, TantivyError>) -> Result<Option<T>, Error> {
        match self.index.checked(result) {
            Ok(value) => Ok(Some(value)),
            Err(Error::Damaged(_)) if !self.index.left_out().is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn head(&self, address: DocAddress) -> Result<Summary, TantivyError> {
        self.heads.get(&self.searcher, address)
    }

    /// Tells the system which documents will be read, with their bodies or without.
    pub(crate) fn ahead(&self, addresses: impl Iterator<Item = DocAddress>, bodies: bool) {
        if !self.index.directory.disk().waited() {
            return;
        }
        for address in addresses.take(FEW) {
            prefetch::head(&self.heads, &self.searcher, address);
            if bodies {
                prefetch::body(&self.searcher, address);
            }
        }
    }

    /// A document whole.
    pub(crate) fn document(&self, address: DocAddress) -> Result<Document, TantivyError> {
        let stored: TantivyDocument = self.searcher.doc(address)?;
        let body = body(&stored, &self.index.fields).to_owned();
        Ok(Document { summary: self.head(address)?, body })
    }

    /// Every document found.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = DocAddress> {
        self.places.iter().map(|place| place.address)
    }

    /// The places of the next ones, so many or the last.
    pub(crate) fn next(&mut self, most: usize) -> Result<Vec<Place>, Error> {
        let mut next = Vec::new();
        while next.len() < most && self.left > 0 {
            if self.group.is_empty() {
                self.fill_group()?;
            }
            let Some(place) = self.group.pop() else { break };
            if self.skip > 0 {
                self.skip -= 1;
            } else {
                self.left -= 1;
                next.push(place);
            }
        }
        Ok(next)
    }

    /// Takes those that share the next rank.
    fn fill_group(&mut self) -> Result<(), Error> {
        let Some(first) = self.places.pop_front() else { return Ok(()) };
        self.group.push(first);
        while let Some(next) = self.places.front()
            && next.rank == first.rank
            && self.sort != Sort::Relevance
        {
            self.group.push(*next);
            self.places.pop_front();
        }
        if self.group.len() > 1 && self.group.len() > self.skip {
            let mut named = Vec::new();
            for place in std::mem::take(&mut self.group) {
                let head = self.if_whole(self.head(place.address))?;
                named.extend(head.map(|head| (head.id, place)));
            }
            named.sort_unstable_by(|one, other| other.cmp(one));
            self.group = named.into_iter().map(|(_, place)| place).collect();
        }
        Ok(())
    }

    /// The scores of a few, worked out for these alone; 0 where what they are made of is damaged.
    pub(crate) fn scores(&self, places: &[Place]) -> Result<Vec<f32>, Error> {
        if self.sort == Sort::Relevance {
            return Ok(places.iter().map(|place| score_of(place.rank)).collect());
        }
        let scores = self.weight(true).and_then(|weight| scores(&self.searcher, &*weight, places));
        Ok(self.if_whole(scores)?.unwrap_or_else(|| vec![0.0; places.len()]))
    }
}

/// Where the numbers come from that documents are sorted and bounded by.
enum Keys<'a> {
    /// Columns, read whole.
    Columns(Column<u64>, Option<Column<u64>>),
    /// The documents themselves.
    Documents(&'a Found<'a>, SegmentOrdinal),
}

impl<'a> Keys<'a> {
    fn new(
        found: &'a Found<'a>,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
        bounds: &Bounds,
        read: bool,
    ) -> Result<Self, TantivyError> {
        if read {
            return Ok(Self::Documents(found, segment));
        }
        let columns = reader.fast_fields();
        let sizes = bounds.has_sizes().then(|| columns.u64(SIZE)).transpose()?;
        Ok(Self::Columns(columns.u64(ORDER)?, sizes))
    }

    /// Date and size.
    fn of(&self, doc: DocId) -> Result<(u64, u64), TantivyError> {
        match self {
            Self::Columns(dates, sizes) => {
                let size = sizes.as_ref().and_then(|sizes| sizes.first(doc));
                Ok((dates.first(doc).unwrap_or(0), size.unwrap_or(0)))
            }
            Self::Documents(found, segment) => {
                let head = found.head(DocAddress::new(*segment, doc))?;
                Ok((order(head.date, &head.id), head.size))
            }
        }
    }
}

/// The rank of an [`order`] number.
fn rank_of_date(order: u64, sort: Sort) -> u64 {
    match sort {
        // The lower half of the number is that of the id, inverted.
        Sort::Oldest if order >> 16 > 0 => order ^ 0xffff,
        Sort::Oldest => (1 << 63) | (order ^ 0xffff),
        _ => !order,
    }
}

/// The rank of a score: those of floats that are not negative are in the order of their bits.
fn rank_of(score: f32) -> u64 {
    u64::from(!score.max(0.0).to_bits())
}

fn score_of(rank: u64) -> f32 {
    f32::from_bits(!u32::try_from(rank).unwrap_or(u32::MAX))
}

fn scores(
    searcher: &Searcher,
    weight: &dyn Weight,
    places: &[Place],
) -> Result<Vec<f32>, TantivyError> {
    let mut in_order: Vec<(DocAddress, usize)> =
        places.iter().map(|place| place.address).zip(0..).collect();
    // A scorer only moves forward.
    in_order.sort_unstable();
    let mut scores = vec![0.0; places.len()];
    for segment in in_order.chunk_by(|one, other| one.0.segment_ord == other.0.segment_ord) {
        let Some((first, _)) = segment.first() else { continue };
        let mut scorer = weight.scorer(searcher.segment_reader(first.segment_ord), 1.0)?;
        for (address, place) in segment {
            if scorer.doc() < address.doc_id {
                scorer.seek(address.doc_id);
            }
            if let (true, Some(score)) = (scorer.doc() == address.doc_id, scores.get_mut(*place)) {
                *score = scorer.score();
            }
        }
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks() {
        let sorted = |sort| {
            let mut all = [(None, "00"), (Some(5), "0a00"), (Some(7), "ffff"), (Some(7), "0001")];
            all.sort_by_key(|(date, id)| rank_of_date(order(*date, id), sort));
            all.iter().map(|(_, id)| *id).collect::<Vec<_>>()
        };
        assert_eq!(sorted(Sort::Date), ["0001", "ffff", "0a00", "00"]);
        assert_eq!(sorted(Sort::Oldest), ["0a00", "0001", "ffff", "00"]);
        assert!(rank_of(2.5) < rank_of(2.25) && rank_of(0.1) < rank_of(0.0));
        assert_eq!(score_of(rank_of(2.5)), 2.5);
    }
}

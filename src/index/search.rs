//! Queries against the engine, and what comes back.

use std::cmp::Reverse;
use std::ops::Bound;
use std::path::PathBuf;

use tantivy::collector::{Collector, Count, TopDocs};
use tantivy::query::{
    AllQuery, BooleanQuery, EnableScoring, Occur, PhrasePrefixQuery, PhraseQuery, RangeQuery,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{DocAddress, DocSet as _, Order, Searcher, TantivyDocument, TantivyError};

use super::Error;
use super::engine::Index;
use super::head::{body, head, order_from};
use super::query::{Expr, FieldName, Query};
use super::schema::{Fields, ORDER};
use super::snippet::Snippet;

/// In which order hits come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Newest first, then by id; documents without a date last.
    #[default]
    Date,
    /// Best match first (BM25).
    Relevance,
}

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchOptions {
    /// Most hits to return.
    pub limit: usize,
    /// Hits to leave out before the first returned.
    pub offset: usize,
    /// Their order.
    pub sort: Sort,
    /// Whether to make snippets.
    pub snippets: bool,
    /// Whether to work scores out when the order does not need them.
    pub scores: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { limit: 20, offset: 0, sort: Sort::Date, snippets: true, scores: true }
    }
}

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
    /// Subject.
    pub subject: String,
    /// The place of the match in the text.
    pub snippet: Snippet,
    /// BM25 score; 0 when it was not asked for.
    pub score: f32,
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
    pub fn count(&self, query: &Query) -> Result<u64, Error> {
        let query = query.compile(&self.fields);
        Ok(self.ask(|searcher| searcher.search(&query, &Count))? as u64)
    }

    /// Finds documents.
    pub fn search(&self, query: &Query, options: &SearchOptions) -> Result<Results, Error> {
        let compiled = query.compile(&self.fields);
        let (total, mut hits) =
            self.ask(|searcher| self.search_in(searcher, query, &*compiled, options))?;
        if options.sort == Sort::Date {
            hits.sort_by(|(one, a), (other, b)| {
                (Reverse(one), &a.id).cmp(&(Reverse(other), &b.id))
            });
        }
        Ok(Results { total, hits: hits.into_iter().map(|(_, hit)| hit).collect() })
    }

    fn search_in(
        &self,
        searcher: &Searcher,
        query: &Query,
        compiled: &Compiled,
        options: &SearchOptions,
    ) -> Result<(u64, Keyed), TantivyError> {
        let documents = usize::try_from(searcher.num_docs()).unwrap_or(usize::MAX);
        let limit = options.limit.min(documents.saturating_sub(options.offset));
        if limit == 0 {
            return Ok((searcher.search(compiled, &Count)? as u64, Vec::new()));
        }
        let top = TopDocs::with_limit(limit).and_offset(options.offset);
        let (found, total): (Vec<(Option<u64>, _, _)>, _) = match options.sort {
            Sort::Date => {
                let by_date = top.order_by_fast_field::<u64>(ORDER, Order::Desc);
                let (found, total) = both(searcher, compiled, by_date)?;
                let scores = match options.scores {
                    true => scores(searcher, compiled, found.iter().map(|(_, at)| *at))?,
                    false => vec![0.0; found.len()],
                };
                let found = found.into_iter().zip(scores);
                (found.map(|((key, at), score)| (key, at, score)).collect(), total)
            }
            Sort::Relevance => {
                let (found, total) = both(searcher, compiled, top.order_by_score())?;
                (found.into_iter().map(|(score, at)| (None, at, score)).collect(), total)
            }
        };
        let mut hits = Vec::with_capacity(found.len());
        for (key, address, score) in found {
            hits.push((key, self.hit(searcher, address, query, options.snippets, score)?));
        }
        Ok((total, hits))
    }

    fn hit(
        &self,
        searcher: &Searcher,
        address: DocAddress,
        query: &Query,
        snippets: bool,
        score: f32,
    ) -> Result<Hit, TantivyError> {
        let stored: TantivyDocument = searcher.doc(address)?;
        let head = head(&stored, &self.fields)
            .map_err(|error| TantivyError::SystemError(error.to_string()))?;
        let snippet = match snippets {
            true => Snippet::new(body(&stored, &self.fields), &query.marks()),
            false => Snippet::default(),
        };
        Ok(Hit {
            path: head.path(),
            id: head.id,
            offset: head.offset,
            date: head.date,
            from: head.from,
            to: head.to,
            subject: head.subject,
            snippet,
            score,
        })
    }
}

/// Most words that the open end of a phrase may stand for, in each field of each segment. The
/// engine takes some 2 KiB for each beforehand.
const ENDINGS: u32 = 1 << 13;

/// Hits, with the number they are sorted by.
type Keyed = Vec<(Option<u64>, Hit)>;

type Compiled = dyn tantivy::query::Query;

fn both<C: Collector>(
    searcher: &Searcher,
    query: &Compiled,
    collector: C,
) -> Result<(C::Fruit, u64), TantivyError> {
    let (found, total) = searcher.search(query, &(collector, Count))?;
    Ok((found, total as u64))
}

/// The scores of a few documents, worked out for these alone.
fn scores(
    searcher: &Searcher,
    query: &Compiled,
    addresses: impl Iterator<Item = DocAddress>,
) -> Result<Vec<f32>, TantivyError> {
    let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
    let mut places: Vec<(DocAddress, usize)> = addresses.zip(0..).collect();
    // A scorer only moves forward.
    places.sort_unstable();
    let mut scores = vec![0.0; places.len()];
    for segment in places.chunk_by(|one, other| one.0.segment_ord == other.0.segment_ord) {
        let Some(reader) = segment.first().map(|at| searcher.segment_reader(at.0.segment_ord))
        else {
            continue;
        };
        let mut scorer = weight.scorer(reader, 1.0)?;
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

impl Query {
    /// The engine's form of the query.
    pub(super) fn compile(&self, fields: &Fields) -> Box<Compiled> {
        compile(&self.0, fields)
    }
}

fn compile(expr: &Expr, fields: &Fields) -> Box<Compiled> {
    match expr {
        Expr::And(all) => {
            let mut clauses: Vec<_> = all
                .iter()
                .map(|one| match one {
                    Expr::Not(inner) => (Occur::MustNot, compile(inner, fields)),
                    other => (Occur::Must, compile(other, fields)),
                })
                .collect();
            if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
                clauses.push((Occur::Must, Box::new(AllQuery)));
            }
            Box::new(BooleanQuery::new(clauses))
        }
        Expr::Or(all) => {
            let all = all.iter().map(|one| compile(one, fields));
            Box::new(BooleanQuery::union(all.collect()))
        }
        Expr::Not(inner) => Box::new(BooleanQuery::new(vec![
            (Occur::Must, Box::new(AllQuery)),
            (Occur::MustNot, compile(inner, fields)),
        ])),
        // Whoever is written to is a recipient, in copy or not.
        Expr::Words { field: Some(FieldName::To), words, open } => {
            let both = [fields.to, fields.cc].map(|field| consecutive(field, words, *open));
            Box::new(BooleanQuery::union(both.into()))
        }
        Expr::Words { field: Some(field), words, open } => {
            consecutive(fields.named(*field), words, *open)
        }
        Expr::Words { field: None, words, open } => {
            let all = fields.anywhere().map(|field| consecutive(field, words, *open));
            Box::new(BooleanQuery::union(all.into()))
        }
        // Second 0 is that of documents without a date.
        Expr::Before(moment) => between(fields, Bound::Included(1 << 16), Bound::Excluded(*moment)),
        Expr::After(moment) => {
            between(fields, Bound::Included(order_from(*moment)), Bound::Unbounded)
        }
    }
}

fn between(fields: &Fields, from: Bound<u64>, to: Bound<i64>) -> Box<Compiled> {
    let term = |value| Term::from_field_u64(fields.order, value);
    Box::new(RangeQuery::new(from.map(term), to.map(order_from).map(term)))
}

fn consecutive(field: Field, words: &[String], open: bool) -> Box<Compiled> {
    let mut terms: Vec<_> = words.iter().map(|word| Term::from_field_text(field, word)).collect();
    match (words, open) {
        ([only], true) => {
            // Above every word that begins so: no word holds the highest code point.
            let end = Term::from_field_text(field, &format!("{only}\u{10ffff}"));
            let start = terms.pop().map_or(Bound::Unbounded, Bound::Included);
            Box::new(RangeQuery::new(start, Bound::Excluded(end)))
        }
        ([_], false) => match terms.pop() {
            Some(term) => Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)),
            None => Box::new(tantivy::query::EmptyQuery),
        },
        (_, false) => Box::new(PhraseQuery::new(terms)),
        (_, true) => {
            let mut query = PhrasePrefixQuery::new(terms);
            query.set_max_expansions(ENDINGS);
            Box::new(query)
        }
    }
}

impl Fields {
    fn named(&self, name: FieldName) -> Field {
        match name {
            FieldName::From => self.from,
            FieldName::To => self.to,
            FieldName::Cc => self.cc,
            FieldName::Subject => self.subject,
            FieldName::Body => self.body,
            FieldName::Attachment => self.attachment,
            FieldName::Path => self.path,
        }
    }
}

//! Compiler of queries: from our tree to the engine's.

use std::fmt;
use std::ops::Bound;

use tantivy::query::{
    AllQuery, BitSetDocSet, BooleanQuery, ConstScorer, EmptyQuery, EnableScoring, Explanation,
    FuzzyTermQuery, Occur, PhrasePrefixQuery, PhraseQuery, RangeQuery, Scorer, TermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader};

use crate::index::analysis::stemmer::Stems;
use crate::index::analysis::tokenizer::{self, Sought};
use crate::index::document::fields::Fields;
use crate::index::document::summary::order_from;
use crate::index::query::expr::{Expr, FieldName, Form, Key, Phrase, Query};
use crate::index::query::near::{NearQuery, Slot};
use crate::index::query::prefix::{ENDINGS, range};

/// A query as the engine takes it.
pub(crate) type Compiled = dyn tantivy::query::Query;

/// What compiling asks of an index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) stems: &'a Stems,
}

impl Query {
    /// The whole query as the engine takes it.
    pub(crate) fn compiled(&self, terms: Terms<'_>) -> Box<Compiled> {
        terms.compile(&self.0)
    }
}

impl Terms<'_> {
    pub(crate) fn compile(&self, expr: &Expr) -> Box<Compiled> {
        let fields = self.fields;
        match expr {
            Expr::All => Box::new(AllQuery),
            Expr::And(all) => self.and(all),
            Expr::Or(all) => any(all.iter().map(|one| self.compile(one)).collect()),
            Expr::Not(inner) => Box::new(BooleanQuery::new(vec![
                (Occur::Must, Box::new(AllQuery)),
                (Occur::MustNot, steady(self.compile(inner))),
            ])),
            Expr::Text { field, phrase } => {
                let named = self.named(*field);
                any(named.iter().map(|field| self.phrase(*field, phrase)).collect())
            }
            Expr::Near { field, distance, phrases } => {
                let named = self.named(*field);
                any(named.iter().map(|field| self.near(*field, *distance, phrases)).collect())
            }
            Expr::Value { key: Key::Id, value, .. } => {
                any(vec![beginning(fields.id, value), whole(fields.message, value)])
            }
            Expr::Value { key, value, open } => {
                let field = match key {
                    Key::Id => fields.id,
                    Key::Thread => fields.thread,
                    Key::Tag => fields.tag,
                    Key::Type => fields.kind,
                };
                if *open { beginning(field, value) } else { whole(field, value) }
            }
            Expr::Flag(flag) => whole(fields.flag, flag.name()),
            Expr::Date { from, to } => {
                // Second 0 is that of documents without a date.
                let from = from.map_or(1 << 16, order_from);
                let to = to.map(order_from).map_or(Bound::Unbounded, Bound::Excluded);
                between(fields.order, Bound::Included(from), to)
            }
            Expr::Size { from, to } => between(
                fields.size,
                from.map_or(Bound::Included(0), Bound::Included),
                to.map_or(Bound::Unbounded, Bound::Included),
            ),
        }
    }

    /// The parts of a query that are looked up in dictionaries, each on its own.
    pub(crate) fn parts(&self, expr: &Expr) -> Vec<Box<Compiled>> {
        match expr {
            Expr::All | Expr::Date { .. } | Expr::Size { .. } => Vec::new(),
            Expr::And(all) | Expr::Or(all) => all.iter().flat_map(|one| self.parts(one)).collect(),
            Expr::Not(inner) => self.parts(inner),
            // Many endings take too much memory to be looked up at once, see `ENDINGS`.
            Expr::Text { phrase, .. } if is_open(phrase) => Vec::new(),
            Expr::Text { field, phrase } => {
                let named = self.named(*field);
                named.iter().map(|field| self.phrase(*field, phrase)).collect()
            }
            Expr::Near { field, phrases, .. } => {
                let of = |phrase: &Phrase| Expr::Text { field: *field, phrase: phrase.clone() };
                phrases.iter().flat_map(|phrase| self.parts(&of(phrase))).collect()
            }
            Expr::Value { .. } | Expr::Flag(_) => vec![self.compile(expr)],
        }
    }

    fn and(&self, all: &[Expr]) -> Box<Compiled> {
        let mut clauses: Vec<_> = all
            .iter()
            .map(|one| match one {
                Expr::Not(inner) => (Occur::MustNot, steady(self.compile(inner))),
                other => (Occur::Must, self.compile(other)),
            })
            .collect();
        if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
            clauses.push((Occur::Must, Box::new(AllQuery)));
        }
        Box::new(BooleanQuery::new(clauses))
    }

    /// The engine's fields of a name.
    fn named(&self, name: Option<FieldName>) -> Vec<Field> {
        let fields = self.fields;
        match name {
            None => fields.anywhere().to_vec(),
            Some(FieldName::From) => vec![fields.from],
            // Whoever is written to is a recipient, in copy or not.
            Some(FieldName::To) => vec![fields.to, fields.cc],
            Some(FieldName::Cc) => vec![fields.cc],
            Some(FieldName::Subject) => vec![fields.subject],
            Some(FieldName::Body) => vec![fields.body],
            Some(FieldName::Attachment) => vec![fields.attachment],
            Some(FieldName::Path) => vec![fields.path],
        }
    }

    fn phrase(&self, field: Field, phrase: &Phrase) -> Box<Compiled> {
        let sought = tokenizer::sought(&phrase.text);
        let term = |text: &str| Term::from_field_text(field, text);
        if let (Form::Fuzzy(distance), Some(one)) = (phrase.form, sought.first()) {
            return Box::new(LikeQuery { word: term(&one.exact), distance });
        }
        let open = phrase.form == Form::Open && sought.last().is_some_and(|last| last.may_go_on);
        let exact = || sought.iter().map(|one| (one.offset, term(&one.exact))).collect();
        match self.languages(field, phrase.form) {
            [] => consecutive(exact(), open),
            languages => any(languages
                .iter()
                .map(|language| {
                    let stem = |one: &Sought| (one.offset, term(&one.stem(language)));
                    consecutive(sought.iter().map(stem).collect(), false)
                })
                .collect()),
        }
    }

    /// The languages by whose stems the words of a field are looked up.
    fn languages(&self, field: Field, form: Form) -> &[&'static str] {
        match form {
            Form::Plain if self.fields.is_prose(field) => self.stems.languages(),
            _ => &[],
        }
    }

    fn near(&self, field: Field, distance: u32, phrases: &[Phrase]) -> Box<Compiled> {
        let every = phrases.iter().map(|one| (Occur::Must, self.phrase(field, one))).collect();
        let sides = phrases.iter().map(|one| self.slots(field, one)).collect();
        Box::new(NearQuery::new(field, sides, distance, Box::new(BooleanQuery::new(every))))
    }

    /// What may stand at each place of a phrase.
    fn slots(&self, field: Field, phrase: &Phrase) -> Vec<Slot> {
        let sought = tokenizer::sought(&phrase.text);
        let last = sought.len().saturating_sub(1);
        let languages = self.languages(field, phrase.form);
        let slot = |(at, one): (usize, &Sought)| {
            let mut texts: Vec<_> = languages.iter().map(|language| one.stem(language)).collect();
            if texts.is_empty() {
                texts.push(one.exact.clone());
            }
            Slot {
                offset: u32::try_from(one.offset).unwrap_or(u32::MAX),
                terms: texts.iter().map(|text| Term::from_field_text(field, text)).collect(),
                open: phrase.form == Form::Open && at == last && one.may_go_on,
                like: match phrase.form {
                    Form::Fuzzy(distance) => Some(distance),
                    _ => None,
                },
            }
        };
        sought.iter().enumerate().map(slot).collect()
    }
}

/// Whether it is several words of which the last may go on.
fn is_open(phrase: &Phrase) -> bool {
    phrase.form == Form::Open && tokenizer::sought(&phrase.text).len() > 1
}

fn any(mut all: Vec<Box<Compiled>>) -> Box<Compiled> {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            Box::new(BooleanQuery::union(all))
        }
        None => Box::new(EmptyQuery),
    }
}

fn between(field: Field, from: Bound<u64>, to: Bound<u64>) -> Box<Compiled> {
    let term = |value| Term::from_field_u64(field, value);
    Box::new(RangeQuery::new(from.map(term), to.map(term)))
}

fn whole(field: Field, value: &str) -> Box<Compiled> {
    Box::new(TermQuery::new(Term::from_field_text(field, value), IndexRecordOption::Basic))
}

fn beginning(field: Field, value: &str) -> Box<Compiled> {
    let (from, to) = range(field, value);
    Box::new(RangeQuery::new(Bound::Included(from), Bound::Excluded(to)))
}

fn consecutive(mut terms: Vec<(usize, Term)>, open: bool) -> Box<Compiled> {
    if terms.len() > 1 {
        if !open {
            return Box::new(PhraseQuery::new_with_offset(terms));
        }
        let mut query = PhrasePrefixQuery::new_with_offset(terms);
        query.set_max_expansions(ENDINGS);
        return Box::new(query);
    }
    match (terms.pop(), open) {
        (None, _) => Box::new(EmptyQuery),
        (Some((_, term)), false) => Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)),
        (Some((_, term)), true) => {
            let value = term.value().as_str().unwrap_or_default().to_owned();
            beginning(term.field(), &value)
        }
    }
}

/// Words that differ from one by so many letters (Levenshtein).
#[derive(Debug, Clone)]
struct LikeQuery {
    word: Term,
    distance: u8,
}

impl tantivy::query::Query for LikeQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for LikeQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let index = reader.inverted_index(self.word.field())?;
        let automaton = FuzzyTermQuery::new(self.word.clone(), self.distance, true).automaton()?;
        let mut found = BitSet::with_max_value(reader.max_doc());
        let mut terms = index.terms().search(automaton).into_stream()?;
        while terms.advance() {
            // What begins with a control character is a mark of ours, and no word.
            if terms.key().first().is_none_or(|first| *first < b' ') {
                continue;
            }
            let mut block =
                index.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !block.docs().is_empty() {
                for doc in block.docs() {
                    found.insert(*doc);
                }
                block.advance();
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("a word like it", 1.0))
    }
}

/// Wraps an excluded query so that its scorers are asked by `doc` and `seek` alone. The engine asks
/// an excluded scorer by `seek_danger` for documents before the one it stands at, and phrases assert
/// that this does not happen.
fn steady(query: Box<Compiled>) -> Box<Compiled> {
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

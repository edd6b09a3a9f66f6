//! The query language. `FORMAT.md` has its grammar.
//!
//! A query is read into a tree ([`Expr`]), which is printed again as text that reads as the same
//! tree, explained in words, and compiled for the engine.

use std::str::FromStr;

use crate::index::analysis::stemmer::Stems;
use crate::index::analysis::tokenizer::APART;
use crate::index::document::Flag;
use crate::index::engine::Index;
use crate::index::search::highlight::Marks;

mod compile;
mod date;
mod distance;
mod error;
mod exclude;
mod explain;
mod field;
mod near;
mod parse;
mod plan;
mod print;
mod size;

pub(super) use compile::{Compiled, Terms};
pub(super) use distance::is_like;
pub use error::QueryError;
pub use explain::Explained;
pub(super) use plan::Bounds;

/// Deepest nesting of parentheses and negations.
pub(super) const DEEPEST: usize = 64;
/// Longest query in bytes.
pub(super) const LONGEST: usize = 16 << 10;
/// Words apart that `NEAR` without a number allows.
pub(super) const NEAR: u32 = 10;
/// Greatest number behind `NEAR/`.
pub(super) const FARTHEST: u32 = 1000;
/// Most ways to choose one word of each side of `NEAR`.
pub(super) const WAYS: usize = 64;
const _: () = assert!((FARTHEST as usize) < APART);

/// A query that was understood. It is printed as a query that means the same, at any time.
///
/// ```
/// use bulla::index::Query;
/// let query = Query::parse("from:alice (invoice OR bill*)").unwrap();
/// assert_eq!(query.to_string(), "from:alice (invoice OR bill*)");
/// assert_eq!(Query::parse(&query.to_string()).unwrap(), query);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(pub(super) Expr);

/// The tree of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    /// Every document.
    All,
    /// At least two.
    And(Vec<Expr>),
    /// At least two.
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// Words in a field, or in any.
    Text {
        field: Option<FieldName>,
        phrase: Phrase,
    },
    /// Each phrase at most so many words away from the next, on either side of it.
    Near {
        field: Option<FieldName>,
        distance: u32,
        phrases: Vec<Phrase>,
    },
    /// A whole value, or the beginning of one.
    Value {
        key: Key,
        value: String,
        open: bool,
    },
    /// What a mail folder says.
    Flag(Flag),
    /// Seconds since 1970: on or after the first, before the second.
    Date {
        from: Option<i64>,
        to: Option<i64>,
    },
    /// Bytes: at least the first, at most the second.
    Size {
        from: Option<u64>,
        to: Option<u64>,
    },
}

/// Consecutive words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    /// As it was written, with single spaces, without quotation marks; it holds at least one word
    /// ([`crate::index::analysis::tokenizer`]).
    pub(super) text: String,
    pub(super) form: Form,
}

/// How the words of a phrase are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As a document's words are taken.
    Plain,
    /// The last word may go on.
    Open,
    /// One word, with so many letters changed, left out, put in or swapped with their neighbour.
    Fuzzy(u8),
    /// The words themselves, without other words of their stems.
    Exact,
}

/// What stands before `*`, of which one is as good as many.
fn opened(text: &str) -> Option<&str> {
    let is_end = |c: char| c == '*' || c.is_whitespace();
    text.trim_end().ends_with('*').then(|| text.trim_end_matches(is_end))
}

/// Fields that words can be looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldName {
    From,
    To,
    Cc,
    Subject,
    Body,
    Attachment,
    Path,
}

/// What is compared as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Id,
    Thread,
    Tag,
    Type,
}

impl FieldName {
    pub(super) const ALL: [Self; 7] =
        [Self::From, Self::To, Self::Cc, Self::Subject, Self::Body, Self::Attachment, Self::Path];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
            Self::Cc => "cc",
            Self::Subject => "subject",
            Self::Body => "body",
            Self::Attachment => "attachment",
            Self::Path => "path",
        }
    }
}

impl Key {
    pub(super) const ALL: [Self; 4] = [Self::Id, Self::Thread, Self::Tag, Self::Type];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Thread => "thread",
            Self::Tag => "tag",
            Self::Type => "type",
        }
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

impl Query {
    /// Reads a query. Dates such as `yesterday` are those of the moment it is read.
    ///
    /// ```
    /// use bulla::index::Query;
    /// assert!(Query::parse("from:alice after:2026-01 \"release notes\"").is_ok());
    /// assert_eq!(Query::parse("(one OR two").unwrap_err().at, 11);
    /// ```
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::parse_at(text, jiff::Timestamp::now().as_second())
    }

    /// Reads a query as if it were so many seconds since 1970-01-01T00:00:00Z.
    pub fn parse_at(text: &str, now: i64) -> Result<Self, QueryError> {
        parse::parse(text, now).map(Self)
    }

    /// How the query was understood, in words.
    pub fn explain(&self) -> Explained {
        explain::explain(&self.0)
    }

    /// What a match may show in a body: what to mark.
    pub(super) fn marks(&self, stems: &Stems) -> Marks {
        let mut phrases = Vec::new();
        self.0.marks(&mut phrases);
        Marks::new(phrases, stems)
    }

    /// The whole query as the engine takes it.
    pub(super) fn compiled(&self, index: &Index) -> Box<Compiled> {
        Terms { fields: &index.fields, stems: &index.stems }.compile(&self.0)
    }
}

impl Expr {
    fn marks<'a>(&'a self, marks: &mut Vec<&'a Phrase>) {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.marks(marks)),
            Self::Text { field: None | Some(FieldName::Body), phrase } => marks.push(phrase),
            Self::Near { field: None | Some(FieldName::Body), phrases, .. } => {
                marks.extend(phrases);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

//! Tree of a query: what was asked, before it is printed, explained or compiled.

use crate::index::analysis::tokenizer::APART;
use crate::index::document::Flag;

/// Deepest nesting of parentheses and negations.
pub(crate) const DEEPEST: usize = 64;
/// Longest query in bytes.
pub(crate) const LONGEST: usize = 16 << 10;
/// Words apart that `NEAR` without a number allows.
pub(crate) const NEAR: u32 = 10;
/// Greatest number behind `NEAR/`.
pub(crate) const FARTHEST: u32 = 1000;
/// Most ways to choose one word of each side of `NEAR`.
pub(crate) const WAYS: usize = 64;
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
pub struct Query(pub(crate) Expr);

/// The tree of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr {
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
pub(crate) struct Phrase {
    /// As it was written, with single spaces, without quotation marks; it holds at least one word
    /// ([`crate::index::analysis::tokenizer`]).
    pub(crate) text: String,
    pub(crate) form: Form,
}

/// How the words of a phrase are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
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
pub(crate) fn opened(text: &str) -> Option<&str> {
    let is_end = |c: char| c == '*' || c.is_whitespace();
    text.trim_end().ends_with('*').then(|| text.trim_end_matches(is_end))
}

/// Fields that words can be looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldName {
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
pub(crate) enum Key {
    Id,
    Thread,
    Tag,
    Type,
}

impl FieldName {
    pub(crate) const ALL: [Self; 7] =
        [Self::From, Self::To, Self::Cc, Self::Subject, Self::Body, Self::Attachment, Self::Path];

    pub(crate) fn name(self) -> &'static str {
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
    pub(crate) const ALL: [Self; 4] = [Self::Id, Self::Thread, Self::Tag, Self::Type];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Thread => "thread",
            Self::Tag => "tag",
            Self::Type => "type",
        }
    }
}

impl Query {
    /// The words that a match may show in a body: those to mark.
    pub(crate) fn shown(&self) -> Vec<&Phrase> {
        let mut phrases = Vec::new();
        self.0.marks(&mut phrases);
        phrases
    }
}

impl Expr {
    /// Returns the only one, or else what is made of many.
    pub(super) fn one_or(mut all: Vec<Self>, many: impl FnOnce(Vec<Self>) -> Self) -> Self {
        match all.pop() {
            Some(only) if all.is_empty() => only,
            Some(last) => {
                all.push(last);
                many(all)
            }
            None => many(all),
        }
    }

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

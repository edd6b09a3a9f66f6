//! The query language.
//!
//! ```text
//! query  = or
//! or     = and *("OR" and)
//! and    = not *(["AND"] not)
//! not    = *("NOT" / "-") item
//! item   = "(" or ")" / field ":" item / date-field ":" date / phrase / word ["*"]
//! phrase = DQUOTE *any DQUOTE ["*"]
//! ```
//!
//! Operators are upper case. Words beside each other are AND-ed. A word or phrase is taken apart by
//! the rule documents are: `a@b.org` and `sched_setattr` are phrases of two or three
//! words. `*` behind a word or phrase leaves the end of its last word open (that of a phrase to
//! 8,192 words a field and segment). `after:` is on or
//! after, `before:` strictly before the first moment (UTC) of a day, month or year.

use std::fmt;
use std::str::FromStr;

use super::words;

/// Deepest nesting of parentheses and negations.
const DEEPEST: usize = 64;
/// Longest query in bytes.
const LONGEST: usize = 16 << 10;

/// A query that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query(pub(super) Expr);

/// Why a query was not understood: what was expected, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct QueryError {
    /// Byte of the query at which a caret belongs; its length when something lacks at the end.
    pub at: usize,
    /// What should stand there.
    pub expected: String,
}

/// The tree of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// Consecutive words in a field, or in any; the last may be a beginning only.
    Words {
        field: Option<FieldName>,
        words: Vec<String>,
        open: bool,
    },
    /// Seconds: on or after.
    After(i64),
    /// Seconds: strictly before.
    Before(i64),
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

const FIELDS: [(&str, FieldName); 7] = [
    ("from", FieldName::From),
    ("to", FieldName::To),
    ("cc", FieldName::Cc),
    ("subject", FieldName::Subject),
    ("body", FieldName::Body),
    ("attachment", FieldName::Attachment),
    ("path", FieldName::Path),
];

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FIELDS.iter().find(|(_, field)| field == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl Query {
    /// Reads a query.
    ///
    /// ```
    /// use bulla::index::Query;
    /// assert!(Query::parse("from:alice after:2026-01 \"release notes\"").is_ok());
    /// assert_eq!(Query::parse("(one OR two").unwrap_err().at, 11);
    /// ```
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        if text.len() > LONGEST {
            return Err(QueryError { at: LONGEST, expected: format!("at most {LONGEST} bytes") });
        }
        let expr = parser.or(None)?;
        parser.blanks();
        match parser.peek() {
            None => Ok(Self(expr)),
            Some(_) => parser.expected("an opening parenthesis before this one"),
        }
    }

    /// The words, phrases and beginnings that a match may show in a body: what to mark.
    pub(super) fn marks(&self) -> Vec<(&[String], bool)> {
        let mut marks = Vec::new();
        self.0.marks(&mut marks);
        marks
    }
}

impl Expr {
    fn marks<'a>(&'a self, marks: &mut Vec<(&'a [String], bool)>) {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().for_each(|one| one.marks(marks)),
            Self::Words { field: None | Some(FieldName::Body), words, open } => {
                marks.push((words, *open));
            }
            Self::Words { .. } | Self::Not(_) | Self::After(_) | Self::Before(_) => {}
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn expected<T>(&self, what: impl Into<String>) -> Result<T, QueryError> {
        Err(QueryError { at: self.at, expected: what.into() })
    }

    /// Takes an operator: upper case, and a word of its own.
    fn operator(&mut self, name: &str) -> bool {
        self.blanks();
        let Some(behind) = self.rest().strip_prefix(name) else { return false };
        let found =
            behind.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"'));
        self.at += if found { name.len() } else { 0 };
        found
    }

    fn or(&mut self, field: Option<FieldName>) -> Result<Expr, QueryError> {
        let mut all = vec![self.and(field)?];
        while self.operator("OR") {
            all.push(self.and(field)?);
        }
        Ok(one_or(all, Expr::Or))
    }

    fn and(&mut self, field: Option<FieldName>) -> Result<Expr, QueryError> {
        let mut all = vec![self.not(field)?];
        loop {
            let explicit = self.operator("AND");
            self.blanks();
            let ends = matches!(self.peek(), None | Some(')')) || self.stands("OR");
            if ends && !explicit {
                return Ok(one_or(all, Expr::And));
            }
            all.push(self.not(field)?);
        }
    }

    /// Whether an operator stands here.
    fn stands(&mut self, name: &str) -> bool {
        let at = self.at;
        let found = self.operator(name);
        self.at = at;
        found
    }

    fn not(&mut self, field: Option<FieldName>) -> Result<Expr, QueryError> {
        self.blanks();
        if self.operator("NOT") || self.eat('-') {
            return self.deeper(|parser| Ok(Expr::Not(Box::new(parser.not(field)?))));
        }
        self.item(field)
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth == DEEPEST {
            return self.expected(format!("at most {DEEPEST} parentheses or negations deep"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn item(&mut self, field: Option<FieldName>) -> Result<Expr, QueryError> {
        if self.stands("AND") || self.stands("OR") || matches!(self.peek(), None | Some(')')) {
            return self.expected("a word, a phrase or an opening parenthesis");
        }
        let start = self.at;
        if self.eat('(') {
            return self.deeper(|parser| {
                let inner = parser.or(field)?;
                parser.blanks();
                if parser.eat(')') { Ok(inner) } else { parser.expected("a closing parenthesis") }
            });
        }
        if self.eat('"') {
            let Some(length) = self.rest().find('"') else {
                self.at = self.text.len();
                return self.expected("a closing quotation mark");
            };
            let phrase = self.rest().get(..length).unwrap_or_default();
            self.at += length + 1;
            return self.words(field, start, phrase);
        }
        if let Some(name) = self.field_name() {
            return self.deeper(|parser| parser.fielded(start, name));
        }
        let word = self.bare();
        self.words(field, start, word)
    }

    /// A name before a colon, which is taken too. `http://…` is no field.
    fn field_name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let name = rest.split(|c: char| !c.is_ascii_alphabetic()).next()?;
        let behind = rest.get(name.len()..)?.strip_prefix(':')?;
        if name.is_empty() || behind.starts_with("//") {
            return None;
        }
        self.at += name.len() + 1;
        Some(name)
    }

    fn fielded(&mut self, start: usize, name: &str) -> Result<Expr, QueryError> {
        if name == "after" || name == "before" {
            let at = self.at;
            let quoted = self.eat('"');
            let text = self.bare();
            if quoted {
                self.eat('"');
            }
            let Some(moment) = first_moment(text) else {
                let expected = "a date as YYYY-MM-DD, YYYY-MM or YYYY".to_owned();
                return Err(QueryError { at, expected });
            };
            return Ok(if name == "after" { Expr::After(moment) } else { Expr::Before(moment) });
        }
        let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = FIELDS.iter().map(|(known, _)| format!("{known}:")).collect();
            let known = known.join(", ");
            let expected = format!("one of {known}, after:, before:, or quotation marks around it");
            return Err(QueryError { at: start, expected });
        };
        if self.peek().is_none_or(char::is_whitespace) {
            return self.expected(format!("what to look for behind {field}:"));
        }
        self.item(Some(*field))
    }

    /// Up to a blank, a parenthesis or a quotation mark.
    fn bare(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"'))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn words(
        &mut self,
        field: Option<FieldName>,
        start: usize,
        text: &str,
    ) -> Result<Expr, QueryError> {
        let open = self.eat('*') || text.ends_with('*');
        let words = words::words(text);
        if words.is_empty() {
            let expected = "a word with a letter or a digit".to_owned();
            return Err(QueryError { at: start, expected });
        }
        Ok(Expr::Words { field, words, open })
    }
}

fn one_or(mut all: Vec<Expr>, many: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            many(all)
        }
        None => many(all),
    }
}

/// The first second (UTC) of a day, month or year.
fn first_moment(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| match parts.next() {
        None => Some(1),
        Some(part) if part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse::<i16>().ok()
        }
        Some(_) => None,
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() {
        return None;
    }
    let date = jiff::civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests;

//! Parser of queries: from text to a tree.

use std::str::FromStr;

use crate::index::analysis::tokenizer;
use crate::index::document::{Flag, is_tag};
use crate::index::query::error::{QueryError, nearest, not_ours};
use crate::index::query::expr::{
    DEEPEST, Expr, FARTHEST, FieldName, Form, Key, LONGEST, NEAR, Phrase, Query, WAYS, opened,
};
use crate::index::query::field::{Scope, names};
use crate::index::query::{date, size};

const LETTERS: &str = "1 or 2 letters behind ~";
const WORD: &str = "a word, a phrase or an opening parenthesis";

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
    pub(crate) fn parse_at(text: &str, now: i64) -> Result<Self, QueryError> {
        parse(text, now).map(Self)
    }
}

fn parse(text: &str, now: i64) -> Result<Expr, QueryError> {
    let mut parser = Parser { text, at: 0, depth: 0, now };
    if text.len() > LONGEST {
        return parser.fail(tokenizer::floor(text, LONGEST), format!("at most {LONGEST} bytes"));
    }
    let expr = parser.or(Scope::Any)?;
    parser.blanks();
    match parser.peek() {
        None => Ok(expr),
        Some(_) => parser.expected("an opening parenthesis before this one"),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    now: i64,
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
        self.fail(self.at, what)
    }

    fn fail<T>(&self, at: usize, expected: impl Into<String>) -> Result<T, QueryError> {
        Err(QueryError { at, expected: expected.into(), meant: None })
    }

    fn meant<T>(
        &self,
        at: usize,
        expected: impl Into<String>,
        meant: impl Into<String>,
    ) -> Result<T, QueryError> {
        Err(QueryError { at, expected: expected.into(), meant: Some(meant.into()) })
    }

    /// Takes an operator: upper case, and a word of its own.
    fn operator(&mut self, name: &str) -> bool {
        self.blanks();
        let Some(behind) = self.rest().strip_prefix(name) else { return false };
        let found = behind.chars().next().is_none_or(ends_word);
        self.at += if found { name.len() } else { 0 };
        found
    }

    fn or(&mut self, scope: Scope) -> Result<Expr, QueryError> {
        let mut all = vec![self.and(scope)?];
        while self.operator("OR") {
            all.push(self.and(scope)?);
        }
        Ok(Expr::one_or(all, Expr::Or))
    }

    fn and(&mut self, scope: Scope) -> Result<Expr, QueryError> {
        let mut all = vec![self.not(scope)?];
        loop {
            let explicit = self.operator("AND");
            self.blanks();
            let ends = matches!(self.peek(), None | Some(')')) || self.stands("OR");
            if ends && !explicit {
                return Ok(Expr::one_or(all, Expr::And));
            }
            all.push(self.not(scope)?);
        }
    }

    /// Whether an operator stands here.
    fn stands(&mut self, name: &str) -> bool {
        let at = self.at;
        let found = self.operator(name);
        self.at = at;
        found
    }

    fn not(&mut self, scope: Scope) -> Result<Expr, QueryError> {
        self.blanks();
        if self.operator("NOT") || self.eat('-') {
            return self.deeper(|parser| Ok(Expr::Not(Box::new(parser.not(scope)?))));
        }
        self.near(scope)
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

    /// Items with `NEAR` between them.
    fn near(&mut self, scope: Scope) -> Result<Expr, QueryError> {
        self.blanks();
        let first_at = self.at;
        let first = self.item(scope)?;
        let Some(distance) = self.near_operator()? else { return Ok(first) };
        let (field, phrases) = self.near_side(first_at, first)?;
        // What is near a word of a field is looked for in that field.
        let scope = field.map_or(scope, Scope::Text);
        let mut ways: Vec<Vec<Phrase>> = phrases.into_iter().map(|one| vec![one]).collect();
        loop {
            self.blanks();
            let at = self.at;
            let side = self.item(scope)?;
            let (its, phrases) = self.near_side(at, side)?;
            if its != field {
                return self.fail(at, "a word of the same field on both sides of NEAR");
            }
            if ways.len() * phrases.len() > WAYS {
                return self.fail(at, format!("at most {WAYS} ways to choose words for NEAR"));
            }
            let longer = |way: &Vec<Phrase>| {
                let way = way.clone();
                phrases.iter().map(move |one| [&way[..], std::slice::from_ref(one)].concat())
            };
            ways = ways.iter().flat_map(longer).collect();
            let before = self.at;
            match self.near_operator()? {
                None => {
                    let near = |phrases| Expr::Near { field, distance, phrases };
                    return Ok(Expr::one_or(ways.into_iter().map(near).collect(), Expr::Or));
                }
                Some(other) if other == distance => {}
                Some(_) => {
                    self.at = before;
                    self.blanks();
                    return self.expected(format!("NEAR/{distance} again, or parentheses"));
                }
            }
        }
    }

    /// What may stand on one side of `NEAR`: words, or one of several.
    fn near_side(
        &self,
        at: usize,
        side: Expr,
    ) -> Result<(Option<FieldName>, Vec<Phrase>), QueryError> {
        let all = match side {
            Expr::Or(all) => all,
            one => vec![one],
        };
        let mut phrases = Vec::new();
        let mut fields = Vec::new();
        for one in all {
            let Expr::Text { field, phrase } = one else {
                let expected = "a word, a phrase, a beginning*, or some with OR between, on both \
                                sides of NEAR";
                return self.fail(at, expected);
            };
            phrases.push(phrase);
            fields.push(field);
        }
        match fields.first() {
            Some(first) if fields.iter().all(|field| field == first) => Ok((*first, phrases)),
            _ => self.fail(at, "words of the same field on both sides of NEAR"),
        }
    }

    fn near_operator(&mut self) -> Result<Option<u32>, QueryError> {
        let before = self.at;
        self.blanks();
        let at = self.at;
        let Some(behind) = self.rest().strip_prefix("NEAR") else {
            self.at = before;
            return Ok(None);
        };
        if behind.chars().next().is_none_or(ends_word) {
            self.at += "NEAR".len();
            return Ok(Some(NEAR));
        }
        let Some(number) = behind.strip_prefix('/') else {
            self.at = before;
            return Ok(None);
        };
        let number = number.split(ends_word).next().unwrap_or_default();
        match number.parse() {
            Ok(distance @ 1..=FARTHEST) => {
                self.at = at + "NEAR/".len() + number.len();
                Ok(Some(distance))
            }
            _ => self.fail(at + "NEAR/".len(), format!("a number from 1 to {FARTHEST}")),
        }
    }

    fn item(&mut self, scope: Scope) -> Result<Expr, QueryError> {
        if self.stands("AND")
            || self.stands("OR")
            || matches!(self.peek(), None | Some(')'))
            || (self.rest().starts_with("NEAR") && self.stands_near())
        {
            return self.expected(WORD);
        }
        let start = self.at;
        if self.eat('(') {
            return self.deeper(|parser| {
                let inner = parser.or(scope)?;
                parser.blanks();
                match parser.eat(')') {
                    true => Ok(inner),
                    false => parser.expected("a closing parenthesis"),
                }
            });
        }
        if let Some(name) = self.field_name() {
            return self.deeper(|parser| parser.fielded(start, name));
        }
        match scope {
            Scope::Any | Scope::Text(_) => self.text(scope.field()),
            Scope::Value(key) => self.value(key),
            Scope::Is => self.flag(),
            Scope::Date | Scope::After | Scope::Before => self.date(scope),
            Scope::Size => {
                let (at, text) = self.token()?;
                match size::range(text) {
                    Some((from, to)) => Ok(Expr::Size { from, to }),
                    None => self.fail(at, size::EXPECTED),
                }
            }
        }
    }

    fn stands_near(&mut self) -> bool {
        let at = self.at;
        let found = self.near_operator();
        self.at = at;
        !matches!(found, Ok(None))
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
        let Some(scope) = Scope::named(name) else {
            let known: Vec<_> = names().map(|known| format!("{known}:")).collect();
            let known = known.join(", ");
            let expected = format!("one of {known}, or quotation marks around it");
            return match nearest(name, names()) {
                Some(known) => self.meant(start, expected, format!("{known}:")),
                None => self.fail(start, expected),
            };
        };
        if self.peek().is_none_or(|c| c.is_whitespace() || c == ')') {
            return self.expected(format!("what to look for behind {name}:"));
        }
        self.item(scope)
    }

    /// Up to a blank, a parenthesis or a quotation mark.
    fn bare(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(ends_word).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// What stands between quotation marks, the first of which is taken.
    fn quoted(&mut self, start: usize) -> Result<&'a str, QueryError> {
        let Some(length) = self.rest().find('"') else {
            return self.fail(start, "a closing quotation mark for this one");
        };
        let inside = self.rest().get(..length).unwrap_or_default();
        self.at += length + 1;
        Ok(inside)
    }

    /// A value, in quotation marks or not, and where it begins.
    fn token(&mut self) -> Result<(usize, &'a str), QueryError> {
        let start = self.at;
        if self.eat('"') {
            return Ok((start, self.quoted(start)?));
        }
        Ok((start, self.bare()))
    }

    /// Words: bare or quoted, exact behind `=`, open before `*`, fuzzy before `~`.
    fn text(&mut self, field: Option<FieldName>) -> Result<Expr, QueryError> {
        let start = self.at;
        let exact = self.eat('=');
        let quoted = self.peek() == Some('"');
        let (at, text) = self.token()?;
        if !quoted && text == "*" && !exact && field.is_none() {
            return Ok(Expr::All);
        }
        let (text, form) = match quoted {
            true => match opened(text) {
                Some(text) => (text, Form::Open),
                None => (text, self.behind_quotes()?),
            },
            false => self.form(at, text)?,
        };
        let form = match (exact, form) {
            (false, form) => form,
            (true, Form::Plain) => Form::Exact,
            (true, _) => return self.fail(start, "a whole word behind =, without * or ~"),
        };
        match (tokenizer::words(text).len(), form) {
            (0, _) => self.fail(start, "a word with a letter or a digit"),
            (2.., Form::Fuzzy(_)) => self.fail(start, "one word before ~"),
            _ => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                Ok(Expr::Text { field, phrase: Phrase { text, form } })
            }
        }
    }

    fn behind_quotes(&mut self) -> Result<Form, QueryError> {
        if self.eat('*') {
            return Ok(Form::Open);
        }
        let at = self.at;
        if !self.eat('~') {
            return Ok(Form::Plain);
        }
        let distance = self.bare();
        fuzzy(distance).map_or_else(|| self.fail(at + 1, LETTERS), Ok)
    }

    /// What stands behind a bare word, and what is no word at all.
    fn form(&self, at: usize, text: &'a str) -> Result<(&'a str, Form), QueryError> {
        not_ours(text).map_or(Ok(()), |(offset, expected, meant)| {
            Err(QueryError { at: at + offset, expected: expected.into(), meant })
        })?;
        if let Some(word) = opened(text) {
            return Ok((word, Form::Open));
        }
        let Some((word, distance)) = text.rsplit_once('~') else { return Ok((text, Form::Plain)) };
        if !word.ends_with(char::is_alphanumeric)
            || !distance.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Ok((text, Form::Plain));
        }
        match fuzzy(distance) {
            Some(form) => Ok((word, form)),
            None => self.fail(at + word.len() + 1, LETTERS),
        }
    }

    fn value(&mut self, key: Key) -> Result<Expr, QueryError> {
        let quoted = self.peek() == Some('"');
        let (at, text) = self.token()?;
        let (text, open) = match opened(text) {
            Some(text) => (text, true),
            None => (text, quoted && self.eat('*')),
        };
        let value = match key {
            Key::Type => text.to_ascii_lowercase(),
            // As mail programs print it.
            Key::Id => text.trim_start_matches('<').trim_end_matches('>').to_owned(),
            Key::Thread | Key::Tag => text.to_owned(),
        };
        let fits = match key {
            Key::Tag => (open && value.is_empty()) || is_tag(&value),
            _ => !value.is_empty() && !value.contains(char::is_control),
        };
        if !fits {
            return self.fail(
                at,
                match key {
                    Key::Id => "an id, or the beginning of one",
                    Key::Thread => "the key of a thread, as search --json shows it",
                    Key::Tag => "a tag",
                    Key::Type => "a type, as mail, html, pdf or image/png",
                },
            );
        }
        // Of an id and of a thread the beginning is enough.
        let open = open || matches!(key, Key::Id | Key::Thread);
        Ok(Expr::Value { key, value, open })
    }

    fn flag(&mut self) -> Result<Expr, QueryError> {
        let (at, text) = self.token()?;
        let name = text.to_ascii_lowercase();
        if name == "read" {
            return Ok(Expr::Not(Box::new(Expr::Flag(Flag::Unread))));
        }
        if let Some(flag) = Flag::ALL.iter().find(|flag| flag.name() == name) {
            return Ok(Expr::Flag(*flag));
        }
        let all = || Flag::ALL.iter().map(|flag| flag.name()).chain(["read"]);
        let expected = format!("one of {}", all().collect::<Vec<_>>().join(", "));
        match nearest(&name, all()) {
            Some(meant) => self.meant(at, expected, format!("is:{meant}")),
            None => self.fail(at, expected),
        }
    }

    fn date(&mut self, scope: Scope) -> Result<Expr, QueryError> {
        let (at, text) = self.token()?;
        let range = match scope {
            Scope::After => date::span(text, self.now).map(|(from, _)| (Some(from), None)),
            Scope::Before => date::span(text, self.now).map(|(from, _)| (None, Some(from))),
            _ => match date::range(text, self.now) {
                Ok(range) => Some(range),
                Err(offset) => return self.fail(at + offset, date::EXPECTED),
            },
        };
        let Some((from, to)) = range else { return self.fail(at, date::EXPECTED) };
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return self.fail(at, "a date before the one behind ..");
        }
        Ok(Expr::Date { from, to })
    }
}

/// How many letters may differ.
fn fuzzy(distance: &str) -> Option<Form> {
    match distance {
        "" | "1" => Some(Form::Fuzzy(1)),
        "2" => Some(Form::Fuzzy(2)),
        _ => None,
    }
}

/// Where a bare word ends.
fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

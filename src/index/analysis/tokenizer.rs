//! What a word is: one rule for documents, queries and the marks in snippets.
//!
//! Text is taken to NFKD (Unicode Standard Annex #15), its marks are dropped, its letters are
//! lower case. A word is then a longest run of letters and digits, and of apostrophes of all
//! shapes between two of these; everything else parts words, `_`, `@` and `.` too, so an address
//! is found by its parts and, as a phrase, whole. Of a word longer than 64 bytes the first 64
//! count.
//!
//! Each word has one position, and there one or more terms:
//!
//! - its exact form, which leaves apostrophes out: `don't`, `don’t` and `dont` are one word;
//! - what stands between its apostrophes: `l'avion` is found by `avion`, `Alice's` by `alice`;
//! - of Han, Hiragana, Katakana and Hangul, which are written without spaces (or inflected without
//!   bounds), each character is a word, and a further term is the pair it makes with the next one,
//!   over the end of a line too;
//! - in an index with [`Stems`], the stems of all these in its languages.
//!
//! [`sought`] says what the words of a query are looked up as.

use std::collections::VecDeque;
use std::ops::Range;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::char::compose;

use crate::index::analysis::fold::{fold, is_apostrophe, is_letter, is_voicing};
use crate::index::analysis::stemmer::{self, Cache, Stems};

/// Bytes of a folded word that count.
pub(crate) const LONGEST: usize = 64;
/// Most apostrophes within a word; the next one parts it.
const APOSTROPHES: usize = 3;

/// A word of a text, with one position.
#[derive(Debug, Clone, Default)]
pub(crate) struct Word {
    /// Its exact form.
    pub(crate) form: String,
    /// Where it stands in the text.
    pub(crate) source: Range<usize>,
    /// What stands between its apostrophes, as bytes of the form and of the text; empty when it
    /// has none.
    parts: Vec<(Range<usize>, Range<usize>)>,
    /// It is one character of a script without spaces, and makes this pair with the next.
    pair: Option<String>,
    /// It is one character of a script without spaces.
    single: bool,
}

impl Word {
    /// What it is found by without its stems: its exact form first.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &str> {
        let parts = self.parts.iter().filter_map(|(form, _)| self.form.get(form.clone()));
        std::iter::once(self.form.as_str()).chain(parts).chain(self.pair.as_deref())
    }

    fn clear(&mut self) {
        self.form.clear();
        self.parts.clear();
        self.pair = None;
        self.single = false;
        self.source = 0..0;
    }
}

/// Walks over the words of a text.
pub(crate) struct Words<'a> {
    text: &'a str,
    /// Where the characters not yet folded begin.
    at: usize,
    /// Characters folded ahead, each with its place in the text.
    ahead: VecDeque<(char, Range<usize>)>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, ahead: VecDeque::new() }
    }

    /// Reads the next word; false at the end.
    pub(crate) fn read(&mut self, word: &mut Word) -> bool {
        word.clear();
        if self.plain(word) {
            return true;
        }
        while let Some((c, _)) = self.peek(0) {
            if is_letter(c) {
                if stands_alone(c) {
                    self.single(word)
                } else {
                    self.run(word)
                }
                return true;
            }
            self.ahead.pop_front();
            if self.ahead.is_empty() && self.plain(word) {
                return true;
            }
        }
        false
    }

    /// The most frequent word by far: ASCII, and followed by ASCII that ends it.
    fn plain(&mut self, word: &mut Word) -> bool {
        if !self.ahead.is_empty() {
            return false;
        }
        let bytes = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let parts = |b: &u8| b.is_ascii() && !b.is_ascii_alphanumeric();
        let start = bytes.iter().position(|b| !parts(b)).unwrap_or(bytes.len());
        self.at += start;
        let bytes = bytes.get(start..).unwrap_or_default();
        let length = bytes.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(bytes.len());
        let ended = bytes.get(length).is_none_or(|b| b.is_ascii() && *b != b'\'');
        if length == 0 || !ended {
            return false;
        }
        word.source = self.at..self.at + length;
        self.at += length;
        let counts = word.source.start..word.source.end.min(word.source.start + LONGEST);
        word.form.push_str(self.text.get(counts).unwrap_or_default());
        word.form.make_ascii_lowercase();
        true
    }

    /// A run of letters, digits and apostrophes between them.
    fn run(&mut self, word: &mut Word) {
        let mut full = false;
        let (mut form_begins, mut source_begins) = (0, None);
        let mut apostrophes = 0;
        while let Some((c, place)) = self.peek(0) {
            if is_letter(c) && !stands_alone(c) {
                self.ahead.pop_front();
                source_begins.get_or_insert(place.start);
                full = full || word.form.len() + c.len_utf8() > LONGEST;
                if !full {
                    word.form.push(c);
                }
                if word.source.is_empty() {
                    word.source = place;
                } else {
                    word.source.end = place.end;
                }
                continue;
            }
            let joins = is_apostrophe(c)
                && apostrophes < APOSTROPHES
                && !full
                && self.peek(1).is_some_and(|(next, _)| is_letter(next) && !stands_alone(next));
            if !joins && !is_voicing(c) {
                break;
            }
            self.ahead.pop_front();
            if joins {
                apostrophes += 1;
                let source = source_begins.take().unwrap_or(word.source.end)..word.source.end;
                word.parts.push((form_begins..word.form.len(), source));
                form_begins = word.form.len();
            }
        }
        if apostrophes > 0 && form_begins < word.form.len() {
            let source = source_begins.unwrap_or(word.source.end)..word.source.end;
            word.parts.push((form_begins..word.form.len(), source));
        }
    }

    /// One character of a script without spaces, and the pair with the next.
    fn single(&mut self, word: &mut Word) {
        let Some((c, place, used)) = self.composed(0) else { return };
        word.single = true;
        word.form.push(c);
        word.source = place;
        self.ahead.drain(..used.min(self.ahead.len()));
        // The end of one line is no end of a word.
        let (mut at, mut lines) = (0, 0);
        while let Some((c, _)) = self.peek(at)
            && c.is_whitespace()
        {
            lines += usize::from(c == '\n');
            at += 1;
            if lines > 1 || at > 8 {
                return;
            }
        }
        if (at == 0 || lines == 1)
            && let Some((next, _)) = self.peek(at)
            && is_letter(next)
            && stands_alone(next)
            && let Some((next, ..)) = self.composed(at)
        {
            word.pair = Some([c, next].iter().collect());
        }
    }

    /// The character ahead with what it is composed of (Hangul syllables, voiced kana): it, its
    /// place, and how many are used.
    fn composed(&mut self, at: usize) -> Option<(char, Range<usize>, usize)> {
        let (mut c, mut place) = self.peek(at)?;
        let mut used = 1;
        while let Some((next, behind)) = self.peek(at + used)
            && let Some(whole) = compose(c, next)
        {
            c = whole;
            place.end = behind.end;
            used += 1;
        }
        Some((c, place, used))
    }

    /// A folded character ahead, not yet used.
    fn peek(&mut self, at: usize) -> Option<(char, Range<usize>)> {
        while self.ahead.len() <= at {
            let c = self.text.get(self.at..)?.chars().next()?;
            let place = self.at..self.at + c.len_utf8();
            self.at = place.end;
            fold(c, |part| self.ahead.push_back((part, place.clone())));
        }
        self.ahead.get(at).cloned()
    }
}

/// The exact forms of a text's words.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut walk, mut word) = (Words::new(text), Word::default());
    while walk.read(&mut word) {
        found.push(word.form.clone());
    }
    found
}

/// A word of a query, or a pair of characters of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Positions behind the first word: a phrase asks for these distances.
    pub(crate) offset: usize,
    /// The term of its exact form.
    pub(crate) exact: String,
    /// It may go on (`begin*`). A pair cannot: what goes on behind it is another pair.
    pub(crate) may_go_on: bool,
    /// The word as it was written, of which stems are made.
    written: String,
}

impl Sought {
    /// The term of its stem in one of the index's languages; its exact form where it has none.
    pub(crate) fn stem(&self, language: &str) -> String {
        let stem = if self.may_go_on { stemmer::stem(language, &self.written) } else { None };
        stem.unwrap_or_else(|| self.exact.clone())
    }
}

/// What the words of a query are looked up as: consecutive words are a phrase over all of these.
/// One character of a script without spaces is looked up itself, more are looked up by pairs.
pub(crate) fn sought(text: &str) -> Vec<Sought> {
    let mut found: Vec<Sought> = Vec::new();
    let (mut walk, mut word) = (Words::new(text), Word::default());
    let (mut offset, mut paired) = (0, false);
    while walk.read(&mut word) {
        let written = text.get(word.source.clone()).unwrap_or_default().to_owned();
        let exact = match &word.pair {
            Some(pair) => Some(pair.clone()),
            // The second half of the pair before.
            None if paired => None,
            None => Some(word.form.clone()),
        };
        let may_go_on = !word.single;
        found.extend(exact.map(|exact| Sought { offset, exact, may_go_on, written }));
        paired = word.pair.is_some();
        offset += 1;
    }
    found
}

/// The last boundary of a character at or before `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Scripts written without spaces, and Hangul, whose words carry their grammar behind them.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}'
        | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// First character of a value that is the first of its head in the field `heads`.
const FIRST: char = '\u{1}';
/// First character of the values behind it.
const NEXT: char = '\u{2}';
/// Positions between two heads: no phrase holds words of both, nor are they near each other.
pub(crate) const APART: usize = 2000;

/// The values of one head, as [`WordTokenizer::heads`] takes them.
pub(crate) fn head_values<'a>(
    values: impl IntoIterator<Item = &'a String>,
) -> impl Iterator<Item = String> {
    let marks = std::iter::once(FIRST).chain(std::iter::repeat(NEXT));
    values.into_iter().zip(marks).map(|(value, mark)| format!("{mark}{value}"))
}

/// The rule as the engine wants it.
#[derive(Clone, Default)]
pub(crate) struct WordTokenizer {
    stems: Cache,
    /// Values say where a head begins.
    heads: bool,
}

impl WordTokenizer {
    pub(crate) fn new(stems: Stems) -> Self {
        Self { stems: Cache::new(stems), heads: false }
    }

    /// That of the field in which all heads are.
    pub(crate) fn heads(stems: Stems) -> Self {
        Self { stems: Cache::new(stems), heads: true }
    }
}

/// The terms of one value of one field.
pub(crate) struct WordStream<'a> {
    words: Words<'a>,
    stems: &'a mut Cache,
    word: Word,
    /// Further terms of the word, given from the end.
    further: Vec<String>,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        let (mut text, mut token) = (text, Token::default());
        if self.heads {
            if text.starts_with(FIRST) {
                token.position = APART;
            }
            text = text.get(1..).unwrap_or_default();
        }
        WordStream {
            words: Words::new(text),
            stems: &mut self.stems,
            word: Word::default(),
            further: Vec::new(),
            token,
        }
    }
}

impl WordStream<'_> {
    /// The terms of the word besides its exact form.
    fn others(&mut self) {
        let text = self.words.text;
        self.further.extend(self.word.terms().skip(1).map(str::to_owned));
        if !self.word.single {
            self.stems
                .append(text.get(self.word.source.clone()).unwrap_or_default(), &mut self.further);
            for (_, source) in &self.word.parts {
                self.stems.append(text.get(source.clone()).unwrap_or_default(), &mut self.further);
            }
        }
        self.further.sort_unstable();
        self.further.dedup();
        self.further.retain(|term| *term != self.word.form);
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        if let Some(term) = self.further.pop() {
            self.token.text = term;
            return true;
        }
        if !self.words.read(&mut self.word) {
            return false;
        }
        self.others();
        self.token.text.clone_from(&self.word.form);
        self.token.offset_from = self.word.source.start;
        self.token.offset_to = self.word.source.end;
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests;

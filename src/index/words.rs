//! What a word is: one rule for documents, queries and the marks in snippets.
//!
//! Text is taken to NFKD (Unicode Standard Annex #15), its marks are dropped, its letters are
//! lower case. A word is then a longest run of letters and digits; everything else parts words,
//! apostrophes of all shapes, `_`, `@` and `.` too, so an address is found by its parts and, as a
//! phrase, whole. Ideographs and kana are a word each, so that text without spaces is found by
//! phrases of them. Of a word longer than 64 bytes the first 64 count.

use std::ops::Range;

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Bytes of a folded word that count.
pub(super) const LONGEST: usize = 64;

/// Walks over the words of a text.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
    /// What the source character before `at` folds to, and how much of it is used.
    folded: Vec<char>,
    used: usize,
    source: Range<usize>,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, folded: Vec::new(), used: 0, source: 0..0 }
    }

    /// Puts the next word, folded, into `word` and returns where its source stands in the text.
    pub(super) fn next_into(&mut self, word: &mut String) -> Option<Range<usize>> {
        word.clear();
        let mut range: Option<Range<usize>> = None;
        let mut full = false;
        while let Some(c) = self.peek() {
            if !c.is_alphanumeric() {
                self.used += 1;
                if range.is_some() {
                    break;
                }
                continue;
            }
            if stands_alone(c) && range.is_some() {
                break;
            }
            self.used += 1;
            full = full || word.len() + c.len_utf8() > LONGEST;
            if !full {
                word.push(c);
            }
            range.get_or_insert(self.source.clone()).end = self.source.end;
            if stands_alone(c) {
                break;
            }
        }
        range
    }

    /// The next folded character, not yet used.
    fn peek(&mut self) -> Option<char> {
        while self.used >= self.folded.len() {
            let c = self.text.get(self.at..)?.chars().next()?;
            self.source = self.at..self.at + c.len_utf8();
            self.at = self.source.end;
            self.used = 0;
            fold(c, &mut self.folded);
        }
        self.folded.get(self.used).copied()
    }
}

/// The folded words of a text.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut walk, mut word) = (Words::new(text), String::new());
    while walk.next_into(&mut word).is_some() {
        found.push(word.clone());
    }
    found
}

/// The last boundary of a character at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn fold(c: char, out: &mut Vec<char>) {
    out.clear();
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    // Soft hyphen, joiners, byte order mark: they are not seen, so they part nothing.
    if matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}') {
        return;
    }
    decompose_compatible(c, |part| {
        let lower = part.to_lowercase().filter(|l| !is_combining_mark(*l));
        if !is_combining_mark(part) {
            // Final sigma is the same letter.
            out.extend(lower.map(|l| if l == 'ς' { 'σ' } else { l }));
        }
    });
}

/// Scripts written without spaces.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The rule as the engine wants it.
#[derive(Clone)]
pub(super) struct WordTokenizer;

/// The words of one value of one field.
pub(super) struct WordStream<'a> {
    words: Words<'a>,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        WordStream { words: Words::new(text), token: Token::default() }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(range) = self.words.next_into(&mut self.token.text) else { return false };
        self.token.offset_from = range.start;
        self.token.offset_to = range.end;
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
mod tests {
    use super::*;

    #[test]
    fn folding() {
        assert_eq!(words("Naïve CAFÉ ﬁn Straße"), ["naive", "cafe", "fin", "straße"]);
        assert_eq!(words("don't don’t"), ["don", "t", "don", "t"]);
        assert_eq!(words("sched_setattr(2)"), ["sched", "setattr", "2"]);
        assert_eq!(words("Jo.Doe@example.org"), ["jo", "doe", "example", "org"]);
        assert_eq!(words("ΟΔΟΣ οδος"), ["οδοσ", "οδοσ"]);
        assert_eq!(words("İstanbul so\u{ad}ft ½"), ["istanbul", "soft", "1", "2"]);
        assert_eq!(words("日本語abc"), ["日", "本", "語", "abc"]);
        assert_eq!(words("  -- "), Vec::<String>::new());
    }

    #[test]
    fn a_long_word_is_cut_alike_everywhere() {
        let long = "a".repeat(100);
        assert_eq!(words(&long), ["a".repeat(64)]);
        // The cut never splits a character, and nothing shorter slips in behind it.
        let odd = format!("{}éß1", "a".repeat(63));
        assert_eq!(words(&odd), [format!("{}e", "a".repeat(63))]);
    }

    #[test]
    fn offsets_are_of_the_source() {
        let text = "x Ünï½ y";
        let (mut walk, mut word) = (Words::new(text), String::new());
        let mut found = Vec::new();
        while let Some(range) = walk.next_into(&mut word) {
            found.push((word.clone(), &text[range]));
        }
        let want = [("x", "x"), ("uni1", "Ünï½"), ("2", "½"), ("y", "y")];
        assert_eq!(found, want.map(|(a, b)| (a.to_owned(), b)));
    }

    proptest::proptest! {
        #[test]
        fn words_of_words_are_themselves(text in "\\PC{0,80}") {
            for word in words(&text) {
                proptest::prop_assert!(word.len() <= LONGEST);
                proptest::prop_assert_eq!(words(&word), vec![word]);
            }
        }
    }
}

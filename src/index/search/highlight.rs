//! The place of a match, cut out of a text.

use std::ops::Range;

use memchr::memchr2_iter;
use strsim::osa_distance;

use crate::index::analysis::stemmer::{Cache, Stems};
use crate::index::analysis::tokenizer::{Word, Words, floor};
use crate::index::query::expr::{Form, Phrase};

/// Bytes shown before the first match, about.
const BEFORE: usize = 60;
/// Bytes shown in all, about.
const WIDTH: usize = 200;
/// Places looked at more closely for each mark.
const TRIES: usize = 100;

/// One line of a document with what matched in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snippet {
    /// The text, on one line, without control characters; from the beginning when what matched
    /// stands elsewhere (in the subject, say).
    pub text: String,
    /// Bytes of `text` that matched, in order, apart from each other.
    pub marks: Vec<Range<usize>>,
}

/// What to mark in texts.
pub(crate) struct Marks {
    marks: Vec<Mark>,
    /// First bytes of the words that matter; all of them when any word may.
    begins: [bool; 256],
    /// Stems of the words of texts, where words stand for their stems.
    stems: Cache,
}

/// Consecutive words.
#[derive(Debug)]
struct Mark {
    /// The terms by which each is met: the word's own, and its stems.
    words: Vec<Vec<String>>,
    form: Form,
}

/// A word of a text, by the terms it is found by.
struct Seen {
    terms: Vec<String>,
    source: Range<usize>,
}

impl Marks {
    pub(in crate::index) fn new(phrases: Vec<&Phrase>, stems: &Stems) -> Self {
        let mut cache = Cache::new(stems.clone());
        let mark = |one: &Phrase| {
            let mut words = Vec::new();
            let (mut walk, mut word) = (Words::new(&one.text), Word::default());
            while walk.read(&mut word) {
                let mut terms = vec![word.form.clone()];
                if one.form == Form::Plain {
                    cache.append(written(&one.text, &word), &mut terms);
                }
                words.push(terms);
            }
            Mark { words, form: one.form }
        };
        let marks: Vec<Mark> =
            phrases.into_iter().map(mark).filter(|mark| !mark.words.is_empty()).collect();
        // Stems and words that are like one begin otherwise than it.
        let loose = |mark: &Mark| {
            matches!(mark.form, Form::Fuzzy(_)) || mark.form == Form::Plain && !stems.is_empty()
        };
        let mut begins = [marks.iter().any(loose); 256];
        for term in marks.iter().flat_map(|mark| mark.words.iter().flatten()) {
            let first = term.as_bytes().first().and_then(|b| begins.get_mut(usize::from(*b)));
            first.into_iter().for_each(|begin| *begin = true);
        }
        Self { marks, begins, stems: cache }
    }

    /// Whether a word can be one of those marked.
    fn matters(&self, word: &Word) -> bool {
        let begins = |term: &str| term.as_bytes().first().map(|b| usize::from(*b));
        word.terms().filter_map(begins).any(|first| self.begins.get(first).is_some_and(|b| *b))
    }
}

fn written<'a>(text: &'a str, word: &Word) -> &'a str {
    text.get(word.source.clone()).unwrap_or_default()
}

impl Mark {
    /// Whether the words read end with these.
    fn ends(&self, window: &[Seen]) -> bool {
        let Some(tail) = window.len().checked_sub(self.words.len()) else { return false };
        let tail = window.get(tail..).unwrap_or_default();
        let last = self.words.len() - 1;
        tail.iter().zip(&self.words).enumerate().all(|(at, (seen, wanted))| {
            seen.terms.iter().any(|got| {
                wanted.iter().any(|want| match self.form {
                    Form::Open if at == last => got.starts_with(want.as_str()),
                    Form::Fuzzy(most) => is_like(got, want, most),
                    _ => got == want,
                })
            })
        })
    }
}

impl Snippet {
    pub(crate) fn new(text: &str, marks: &mut Marks) -> Self {
        let first = likely(text, marks)
            .or_else(|| matches(text, marks, 1).first().map(|range| range.start))
            .unwrap_or(0);
        let start = floor(text, first.saturating_sub(BEFORE));
        // Begin with a whole word, if there is one before the match.
        let start = match text.get(start..first) {
            Some(lead) if start > 0 => start + lead.find(char::is_whitespace).unwrap_or_default(),
            _ => start,
        };
        let end = floor(text, start + WIDTH);
        let text = one_line(text.get(start..end).unwrap_or_default());
        let marks = matches(&text, marks, usize::MAX);
        Self { text, marks }
    }
}

/// Whether two words differ in so many letters at the most, as the engine's automata count them; most
/// words do in their length alone.
fn is_like(one: &str, other: &str, most: u8) -> bool {
    let most = usize::from(most);
    let apart = one.chars().count().abs_diff(other.chars().count());
    apart <= most && osa_distance(one, other) <= most
}

/// Blanks of all kinds become one space, control characters go.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line
}

/// The first place where a mark stands as it was written, but for the case of ASCII: looked for in
/// bytes, as most are found so, and long before all words were read.
fn likely(text: &str, marks: &mut Marks) -> Option<usize> {
    let bytes = text.as_bytes();
    let first = |mark: &Mark| mark.words.first()?.first().cloned();
    let needles: Vec<String> =
        marks.marks.iter().filter_map(first).filter(|needle| needle.is_ascii()).collect();
    let mut best: Option<usize> = None;
    for needle in needles {
        let Some(begin) = needle.bytes().next() else { continue };
        let end = best.unwrap_or(bytes.len());
        let begins = memchr2_iter(begin, begin.to_ascii_uppercase(), bytes.get(..end)?);
        let stands = |at: &usize| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            before.is_none_or(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
                && bytes
                    .get(*at..*at + needle.len())
                    .is_some_and(|b| b.eq_ignore_ascii_case(needle.as_bytes()))
        };
        // It may go on as another word, or not as the phrase does.
        let is_marked = |at: &usize| {
            let piece = text.get(*at..floor(text, *at + WIDTH)).unwrap_or_default();
            matches(piece, marks, 1).first().is_some_and(|range| range.start == 0)
        };
        best = begins.filter(stands).take(TRIES).find(is_marked).or(best);
    }
    best
}

/// Where the marks stand in a text, the first `most` of them.
fn matches(text: &str, marks: &mut Marks, most: usize) -> Vec<Range<usize>> {
    let longest = marks.marks.iter().map(|mark| mark.words.len()).max().unwrap_or(0);
    let stemmed = marks.marks.iter().any(|mark| mark.form == Form::Plain);
    let mut found: Vec<Range<usize>> = Vec::new();
    // The last words read that matter, as many as the longest mark has; words in between end it.
    let mut window: Vec<Seen> = Vec::new();
    let (mut walk, mut word) = (Words::new(text), Word::default());
    while longest > 0 && found.len() < most && walk.read(&mut word) {
        if !marks.matters(&word) {
            window.clear();
            continue;
        }
        if window.len() == longest {
            window.remove(0);
        }
        let mut terms: Vec<String> = word.terms().map(str::to_owned).collect();
        if stemmed {
            marks.stems.append(written(text, &word), &mut terms);
        }
        window.push(Seen { terms, source: word.source.clone() });
        let here = marks.marks.iter().filter(|mark| mark.ends(&window));
        let longest_here = here.map(|mark| mark.words.len()).max();
        let Some(first) = longest_here.and_then(|count| window.iter().nth_back(count - 1)) else {
            continue;
        };
        let range = first.source.start..word.source.end;
        match found.last_mut().filter(|last| last.end > range.start) {
            Some(last) => last.end = range.end,
            None => found.push(range),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::query::Query;

    #[test]
    fn words_that_are_like() {
        for (one, other, far) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ab", "ba", 1),
            ("ca", "abc", 3),
            ("abcd", "badc", 2),
            ("invocie", "invoice", 1),
            ("recieved", "receive", 2),
            ("größe", "grösse", 2),
        ] {
            for most in 0..4 {
                assert_eq!(is_like(one, other, most), far <= most.into(), "{one} {other} {most}");
                assert_eq!(is_like(other, one, most), far <= most.into(), "{other} {one} {most}");
            }
        }
    }

    fn shown(text: &str, query: &str) -> (String, Vec<String>) {
        shown_in("", text, query)
    }

    fn shown_in(stems: &str, text: &str, query: &str) -> (String, Vec<String>) {
        let query = Query::parse(query).unwrap();
        let snippet = Snippet::new(text, &mut Marks::new(query.shown(), &stems.parse().unwrap()));
        let marks = snippet.marks.iter().map(|range| snippet.text[range.clone()].to_owned());
        (snippet.text.clone(), marks.collect())
    }

    #[test]
    fn what_matched_is_marked() {
        let (text, marks) =
            shown("The\tquick\n\n Brown\u{7} fox, the brown dog", "\"brown fox\" dog");
        assert_eq!(text, "The quick Brown fox, the brown dog");
        assert_eq!(marks, ["Brown fox", "dog"]);
        assert_eq!(shown("Memory and mémoire", "mem* -and").1, ["Memory", "mémoire"]);
        assert_eq!(shown("one wird, two worlds", "word~1 OR NOT two").1, ["wird"]);
        assert_eq!(shown("one wird, two worlds", "word~2").1, ["wird", "worlds"]);
        assert_eq!(shown("a tool in the box", "tool NEAR/3 box").1, ["tool", "box"]);
        assert_eq!(shown("l'avion d'Alice", "avion alice").1, ["l'avion", "d'Alice"]);
        assert_eq!(shown("Bills, billing", "bill").1, Vec::<String>::new());
        assert_eq!(shown_in("en", "Bills, billing", "bill").1, ["Bills", "billing"]);
        assert_eq!(shown_in("en", "Bills, billing", "=bills").1, ["Bills"]);
        assert_eq!(shown("日本語です", "本語").1, ["本語"]);
        assert_eq!(shown("nothing here", "absent").1, Vec::<String>::new());
    }

    #[test]
    fn a_late_match_is_in_the_window_and_characters_are_whole() {
        let text = format!("{}needle {}", "é€ ".repeat(500), "ü".repeat(500));
        let (text, marks) = shown(&text, "needle");
        assert!(text.len() < WIDTH + 10);
        assert_eq!(marks, ["needle"]);
        // What begins so, or is only a part of the phrase, is passed over.
        let before = format!("needles, a needle. {}", "hay ".repeat(500));
        assert_eq!(shown(&format!("{before}Needle case"), "\"needle case\"").1, ["Needle case"]);
        assert_eq!(shown(&format!("needles {before}"), "needle").1, ["needle"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_and_any_mark(text in "\\PC{0,400}", word in "[a-z]{1,2}") {
            let phrase = Phrase { text: word, form: Form::Open };
            let mut marks = Marks::new(vec![&phrase], &Stems::default());
            let snippet = Snippet::new(&text, &mut marks);
            for mark in snippet.marks {
                proptest::prop_assert!(snippet.text.get(mark).is_some());
            }
        }
    }
}

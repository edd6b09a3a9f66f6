//! The place of a match, cut out of a text.

use std::ops::Range;

use super::query::{Form, Phrase, distance};
use super::stems::{Cache, Stems};
use super::words::{Word, Words, floor};

/// Bytes shown before the first match, about.
const BEFORE: usize = 60;
/// Bytes shown in all, about.
const WIDTH: usize = 200;

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
pub(super) struct Marks {
    marks: Vec<Mark>,
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
    pub(super) fn new(phrases: Vec<&Phrase>, stems: &Stems) -> Self {
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
        let marks = phrases.into_iter().map(mark).filter(|mark| !mark.words.is_empty()).collect();
        Self { marks, stems: cache }
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
                    Form::Fuzzy(most) => distance(got, want) <= usize::from(most),
                    _ => got == want,
                })
            })
        })
    }
}

impl Snippet {
    pub(super) fn new(text: &str, marks: &mut Marks) -> Self {
        let first = matches(text, marks, 1).first().map_or(0, |range| range.start);
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

/// Where the marks stand in a text, the first `most` of them.
fn matches(text: &str, Marks { marks, stems }: &mut Marks, most: usize) -> Vec<Range<usize>> {
    let longest = marks.iter().map(|mark| mark.words.len()).max().unwrap_or(0);
    let stemmed = marks.iter().any(|mark| mark.form == Form::Plain);
    let mut found: Vec<Range<usize>> = Vec::new();
    // The last words read, as many as the longest mark has.
    let mut window: Vec<Seen> = Vec::new();
    let (mut walk, mut word) = (Words::new(text), Word::default());
    while longest > 0 && found.len() < most && walk.read(&mut word) {
        if window.len() == longest {
            window.remove(0);
        }
        let mut terms: Vec<String> = word.terms().map(str::to_owned).collect();
        if stemmed {
            stems.append(written(text, &word), &mut terms);
        }
        window.push(Seen { terms, source: word.source.clone() });
        let here = marks.iter().filter(|mark| mark.ends(&window));
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
    use super::super::query::Query;
    use super::*;

    fn shown(text: &str, query: &str) -> (String, Vec<String>) {
        shown_in("", text, query)
    }

    fn shown_in(stems: &str, text: &str, query: &str) -> (String, Vec<String>) {
        let query = Query::parse(query).unwrap();
        let snippet = Snippet::new(text, &mut query.marks(&stems.parse().unwrap()));
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

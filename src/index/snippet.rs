//! The place of a match, cut out of a text.

use std::ops::Range;

use super::words::Words;
use super::words::floor;

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

/// Consecutive words; whether the last may go on.
type Mark<'a> = (&'a [String], bool);

impl Snippet {
    pub(super) fn new(text: &str, marks: &[Mark<'_>]) -> Self {
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
fn matches(text: &str, marks: &[Mark<'_>], most: usize) -> Vec<Range<usize>> {
    let longest = marks.iter().map(|(words, _)| words.len()).max().unwrap_or(0);
    let mut found: Vec<Range<usize>> = Vec::new();
    // The last words read, as many as the longest mark has.
    let mut window: Vec<(String, Range<usize>)> = Vec::new();
    let (mut walk, mut word) = (Words::new(text), String::new());
    while longest > 0 && found.len() < most {
        let Some(range) = walk.next_into(&mut word) else { break };
        if window.len() == longest {
            window.rotate_left(1);
            window.pop();
        }
        window.push((word.clone(), range.clone()));
        let ends_here = |mark: &&Mark<'_>| ends_with(&window, mark);
        let longest_here = marks.iter().filter(ends_here).map(|(words, _)| words.len()).max();
        let Some(start) = longest_here.and_then(|count| window.iter().nth_back(count - 1)) else {
            continue;
        };
        let range = start.1.start..range.end;
        match found.last_mut().filter(|last| last.end > range.start) {
            Some(last) => last.end = range.end,
            None => found.push(range),
        }
    }
    found
}

fn ends_with(window: &[(String, Range<usize>)], (words, open): &Mark<'_>) -> bool {
    let Some(tail) = window.len().checked_sub(words.len()).and_then(|from| window.get(from..))
    else {
        return false;
    };
    let last = words.len().saturating_sub(1);
    tail.iter().zip(words.iter()).enumerate().all(|(at, ((got, _), want))| {
        got == want || (*open && at == last && got.starts_with(want.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::query::Query;
    use super::*;

    fn shown(text: &str, query: &str) -> (String, Vec<String>) {
        let query = Query::parse(query).unwrap();
        let snippet = Snippet::new(text, &query.marks());
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
            let words = [word];
            let snippet = Snippet::new(&text, &[(&words, true)]);
            for mark in snippet.marks {
                proptest::prop_assert!(snippet.text.get(mark).is_some());
            }
        }
    }
}

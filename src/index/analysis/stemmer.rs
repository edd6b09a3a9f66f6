//! Stems: the forms of a word under one term, for the languages an index was made with.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use snowball_stemmers_rs::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;

use crate::index::analysis::fold;

/// Stands before a stem, so that no word is one: no word holds a control character.
const MARK: char = '\u{1}';
/// Stems kept by one thread, in words; common words come again and again.
const KEPT: usize = 1 << 16;

/// Letters that a language is written in: words in others have no stem in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Arabic,
    Devanagari,
    Tamil,
}

/// A language that words can be stemmed in, by its code in ISO 639-1.
type Language = (&'static str, Algorithm, Script);

/// All of them, in order of their codes.
const LANGUAGES: [Language; 26] = [
    ("ar", Algorithm::Arabic, Script::Arabic),
    ("ca", Algorithm::Catalan, Script::Latin),
    ("cs", Algorithm::Czech, Script::Latin),
    ("da", Algorithm::Danish, Script::Latin),
    ("de", Algorithm::German, Script::Latin),
    ("el", Algorithm::Greek, Script::Greek),
    ("en", Algorithm::English, Script::Latin),
    ("es", Algorithm::Spanish, Script::Latin),
    ("et", Algorithm::Estonian, Script::Latin),
    ("eu", Algorithm::Basque, Script::Latin),
    ("fi", Algorithm::Finnish, Script::Latin),
    ("fr", Algorithm::French, Script::Latin),
    ("ga", Algorithm::Irish, Script::Latin),
    ("hi", Algorithm::Hindi, Script::Devanagari),
    ("hu", Algorithm::Hungarian, Script::Latin),
    ("hy", Algorithm::Armenian, Script::Armenian),
    ("it", Algorithm::Italian, Script::Latin),
    ("lt", Algorithm::Lithuanian, Script::Latin),
    ("nl", Algorithm::Dutch, Script::Latin),
    ("no", Algorithm::Norwegian, Script::Latin),
    ("pt", Algorithm::Portuguese, Script::Latin),
    ("ro", Algorithm::Romanian, Script::Latin),
    ("ru", Algorithm::Russian, Script::Cyrillic),
    ("sv", Algorithm::Swedish, Script::Latin),
    ("ta", Algorithm::Tamil, Script::Tamil),
    ("tr", Algorithm::Turkish, Script::Latin),
];

/// The languages whose stems an index holds besides the words themselves, as in `en,de`; none
/// unless it was made with some.
///
/// ```
/// use bulla::index::Stems;
/// let stems: Stems = "de,en".parse()?;
/// assert_eq!(stems.to_string(), "de,en");
/// assert!("xx".parse::<Stems>().is_err());
/// # Ok::<(), bulla::index::StemsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stems(Vec<&'static str>);

/// A code that names no language this program has stems for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected languages out of {}, got {got:?}", known())]
pub struct StemsError {
    got: String,
}

fn known() -> String {
    LANGUAGES.map(|(code, ..)| code).join(",")
}

impl FromStr for Stems {
    type Err = StemsError;

    fn from_str(list: &str) -> Result<Self, StemsError> {
        let mut codes = Vec::new();
        for code in list.split(',').map(str::trim).filter(|code| !code.is_empty()) {
            let Some((code, ..)) = LANGUAGES.iter().find(|(known, ..)| *known == code) else {
                return Err(StemsError { got: code.to_owned() });
            };
            codes.push(*code);
        }
        codes.sort_unstable();
        codes.dedup();
        Ok(Self(codes))
    }
}

impl fmt::Display for Stems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl Stems {
    /// Whether words stand for themselves alone.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The codes, in order.
    pub(crate) fn languages(&self) -> &[&'static str] {
        &self.0
    }
}

/// The term of a word's stem in a language; `None` when it is in other letters, and its exact form
/// is its only one.
///
/// `word` is as it was written; the stem is made of its letters with their marks, then folded.
pub(crate) fn stem(language: &str, word: &str) -> Option<String> {
    let (code, algorithm, script) = LANGUAGES.iter().find(|(code, ..)| *code == language)?;
    let first = word.chars().find(|c| c.is_alphabetic())?;
    if script_of(first) != Some(*script) {
        return None;
    }
    let word: String = word
        .chars()
        .map(|c| if fold::is_apostrophe(c) { '\'' } else { c })
        .flat_map(char::to_lowercase)
        .nfc()
        .collect();
    let stem = fold::folded(&Stemmer::create(*algorithm).stem(&word));
    if stem.is_empty() {
        return None;
    }
    Some(format!("{MARK}{code}{stem}"))
}

fn script_of(c: char) -> Option<Script> {
    Some(match c {
        '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{530}'..='\u{58f}' => Script::Armenian,
        '\u{600}'..='\u{6ff}' => Script::Arabic,
        '\u{900}'..='\u{97f}' => Script::Devanagari,
        '\u{b80}'..='\u{bff}' => Script::Tamil,
        _ => return None,
    })
}

/// Stems as the engine's threads make them, each with the words it met before.
#[derive(Clone, Default)]
pub(crate) struct Cache {
    stems: Stems,
    kept: HashMap<String, Vec<String>>,
}

impl Cache {
    pub(crate) fn new(stems: Stems) -> Self {
        Self { stems, kept: HashMap::new() }
    }

    /// Appends the terms of a word's stems, one a language at most.
    pub(crate) fn append(&mut self, word: &str, to: &mut Vec<String>) {
        if self.stems.is_empty() {
            return;
        }
        if let Some(known) = self.kept.get(word) {
            to.extend_from_slice(known);
            return;
        }
        let made: Vec<String> =
            self.stems.languages().iter().filter_map(|language| stem(language, word)).collect();
        to.extend_from_slice(&made);
        if self.kept.len() == KEPT {
            self.kept.clear();
        }
        self.kept.insert(word.to_owned(), made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(language: &str, word: &str) -> Option<String> {
        stem(language, word).map(|term| term[1..].to_owned())
    }

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for (language, words) in [
            ("en", ["Running", "runs"]),
            ("en", ["Alice's", "alice"]),
            ("en", ["don’t", "dont"]),
            ("de", ["Häuser", "Hauses"]),
            ("fr", ["éléphants", "elephant"]),
            ("ru", ["книги", "книгу"]),
            ("el", ["ανθρώπων", "ανθρωπος"]),
            ("es", ["programación", "programaciones"]),
        ] {
            assert_eq!(of(language, words[0]), of(language, words[1]), "{words:?}");
            assert!(of(language, words[0]).is_some(), "{words:?}");
        }
    }

    #[test]
    fn words_in_other_letters_have_none() {
        assert_eq!(of("en", "книги"), None);
        assert_eq!(of("ru", "books"), None);
        assert_eq!(of("en", "2026"), None);
        assert_eq!(of("en", "日本"), None);
    }

    #[test]
    fn languages_are_sorted_and_lists_read_back() {
        assert!(LANGUAGES.is_sorted_by_key(|(code, ..)| code));
        assert_eq!("de, en,de".parse::<Stems>().unwrap().to_string(), "de,en");
        assert!("".parse::<Stems>().unwrap().is_empty());
        let refused = "en,tlh".parse::<Stems>().unwrap_err().to_string();
        assert!(refused.contains("got \"tlh\"") && refused.contains("de,el,en"), "{refused}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(word in "[a-zA-Zéüßığıøæåçñøאж-ёα-ώάا-ي\u{1100}-\u{11ff}क-ह்அ-ஹ'’0-9]{0,24}") {
            for (language, ..) in LANGUAGES {
                if let Some(term) = stem(language, &word) {
                    proptest::prop_assert!(term.len() < 200);
                }
            }
        }
    }
}

//! What is said of a query that was not understood.

use std::fmt;

use strsim::osa_distance;

/// Why a query was not understood: what was expected, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct QueryError {
    /// Byte of the query at which a caret belongs; its length when something lacks at the end.
    pub at: usize,
    /// What should stand there.
    pub expected: String,
    /// What was perhaps meant: text to stand there instead.
    pub meant: Option<String>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)?;
        match &self.meant {
            Some(meant) => write!(f, "; perhaps {meant} was meant"),
            None => Ok(()),
        }
    }
}

/// Signs of other query languages: where, what is expected, what was meant.
pub(super) fn not_ours(text: &str) -> Option<(usize, &'static str, Option<String>)> {
    match text {
        "&&" => return Some((0, "a word", Some("AND".into()))),
        "||" => return Some((0, "a word", Some("OR".into()))),
        _ => {}
    }
    if let Some(word) = text.strip_prefix('!')
        && word.starts_with(char::is_alphanumeric)
    {
        return Some((0, "NOT or - before what must not be there", Some(format!("-{word}"))));
    }
    let inner = text.strip_prefix('/').and_then(|text| text.strip_suffix('/'));
    if inner.is_some_and(|inner| inner.contains(['[', '\\', '^', '$', '|', '+', '?', '*', '{'])) {
        return Some((0, "words: regular expressions are not understood", None));
    }
    if let Some(at) = [".*", ".+", ".?"].iter().find_map(|sign| text.find(sign)) {
        let word = text.get(..at).filter(|word| word.ends_with(char::is_alphanumeric));
        let meant = word.map(|word| format!("{word}*"));
        return Some((at, "words: regular expressions are not understood", meant));
    }
    if let Some((one, other)) = text.split_once('|')
        && one.ends_with(char::is_alphanumeric)
        && other.starts_with(char::is_alphanumeric)
    {
        return Some((one.len(), "OR between words", Some(format!("{one} OR {other}"))));
    }
    let star = text.find('*').filter(|star| star + 1 < text.len())?;
    Some((star, "* at the end of a word only", None))
}

/// What is typed so: of the same beginning, or by two letters other.
pub(super) fn nearest(
    typed: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let most = if typed.len() < 4 { 1 } else { 2 };
    let distances = names.map(|name| match name.strip_prefix(typed) {
        Some(_) if typed.len() > 2 => (0, name),
        _ => (osa_distance(typed, name), name),
    });
    distances.filter(|(far, _)| *far <= most).min_by_key(|(far, _)| *far).map(|(_, name)| name)
}

//! Beginnings of words: the range of terms that a prefix stands for.

use tantivy::schema::{Field, Term};

/// Most words that the open end of a phrase may stand for, in each field of each segment. The
/// engine takes some 2 KiB for each beforehand.
pub(super) const ENDINGS: u32 = 1 << 13;

/// Above every text that begins so: none holds the highest code point behind it.
const HIGHEST: char = '\u{10ffff}';

/// Returns the terms that begin so: from the first on, before the second.
pub(super) fn range(field: Field, value: &str) -> (Term, Term) {
    let term = |text: &str| Term::from_field_text(field, text);
    (term(value), term(&format!("{value}{HIGHEST}")))
}

//! Folding of characters: compatibility forms, marks, case and apostrophes.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// The letters and digits of a text, folded.
pub(super) fn folded(text: &str) -> String {
    let mut out = String::new();
    text.chars().for_each(|c| fold(c, |part| out.extend(Some(part).filter(|c| is_letter(*c)))));
    out
}

/// Apostrophes, and the quotes, primes and letters that are typed for them.
pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '\u{b4}'
            | '\u{2b9}'
            | '\u{2bb}'
            | '\u{2bc}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{201b}'
            | '\u{2032}'
            | '\u{ff07}'
    )
}

/// Whether a character is part of a word wherever it stands.
pub(super) fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_apostrophe(c)
}

/// The marks that make kana others, which stay.
pub(super) fn is_voicing(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}')
}

/// Gives the characters that one stands for: NFKD, without marks, in lower case.
pub(super) fn fold(c: char, mut out: impl FnMut(char)) {
    match c {
        '\0'..='\u{7f}' => return out(c.to_ascii_lowercase()),
        // Soft hyphen, joiners, byte order mark: they are not seen, so they part nothing.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => return,
        // Syllables stay whole.
        '\u{ac00}'..='\u{d7a3}' => return out(c),
        // An accent for an apostrophe, whose decomposition begins with a space.
        c if is_apostrophe(c) => return out('\''),
        _ => {}
    }
    decompose_compatible(c, |part| {
        if is_combining_mark(part) && !is_voicing(part) {
            return;
        }
        for lower in part.to_lowercase().filter(|l| !is_combining_mark(*l) || is_voicing(*l)) {
            // Final sigma is the same letter.
            out(if lower == 'ς' { 'σ' } else { lower });
        }
    });
}

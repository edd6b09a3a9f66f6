//! Text of a stranger on a terminal and in the name of a file.

use std::str;

use unicode_properties::{GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _};
use unicode_script::{Script, UnicodeScript as _};

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Returns the text with every character escaped (`\u{202e}`) that moves a cursor, reorders what is
/// around it, or is not seen. Joiners stay where a script or an emoji needs them.
pub fn printable(text: &str) -> String {
    escape(text, |_| false)
}

/// [`printable`] for bodies of several lines: line feed and tab stay.
pub fn printable_lines(text: &str) -> String {
    escape(text, |c| c == '\n' || c == '\t')
}

fn escape(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    each(text, |c, shown| {
        if shown || stays(c) {
            out.push(c);
        } else if matches!(c, '\n' | '\r' | '\t') {
            out.extend(c.escape_default());
        } else {
            out.extend(c.escape_unicode());
        }
    });
    out
}

/// Calls `with` for each character, and says whether it may be shown.
fn each(text: &str, mut with: impl FnMut(char, bool)) {
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let shown = !is_hidden(c) || is_joined(before, c, chars.peek().copied());
        with(c, shown);
        // A selector of emoji style stands between an emoji and what joins it to the next.
        if !(shown && is_variation_selector(c)) {
            before = Some(c);
        }
    }
}

/// Returns whether a terminal would obey a character, or show what is around it in another order.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Returns whether a character is not seen, or cannot be known to be: of the categories Cc, Cf, Co, Cn, Zl
/// and Zp, and others that Unicode lets a font leave out (Default_Ignorable_Code_Point), or that
/// are drawn blank and are no space.
pub(super) fn is_hidden(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let unseen = matches!(
        c.general_category(),
        G::Control
            | G::Format
            | G::PrivateUse
            | G::Unassigned
            | G::Surrogate
            | G::LineSeparator
            | G::ParagraphSeparator
    );
    unseen
        || matches!(c, '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{16fe4}' | '\u{1d159}' | '\u{e0000}'..='\u{e0fff}')
        || is_variation_selector(c)
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Returns whether a joiner or a selector of style does its work where it stands.
fn is_joined(before: Option<char>, c: char, after: Option<char>) -> bool {
    let is_emoji = |c: char| !c.is_ascii() && c.is_emoji_char();
    let both = |of: fn(char) -> bool| before.is_some_and(of) && after.is_some_and(of);
    match c {
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(is_emoji),
        ZERO_WIDTH_JOINER => both(is_emoji) || both(is_cursive),
        ZERO_WIDTH_NON_JOINER => both(is_cursive),
        _ => false,
    }
}

/// Returns whether a letter or mark is of a script that is written with joiners.
fn is_cursive(c: char) -> bool {
    use Script as S;
    let scripts = [
        S::Arabic,
        S::Syriac,
        S::Nko,
        S::Mongolian,
        S::Devanagari,
        S::Bengali,
        S::Gurmukhi,
        S::Gujarati,
        S::Oriya,
        S::Tamil,
        S::Telugu,
        S::Kannada,
        S::Malayalam,
        S::Sinhala,
        S::Khmer,
        S::Myanmar,
        S::Tibetan,
    ];
    !is_hidden(c) && scripts.contains(&c.script())
}

/// Returns a stranger's file name reduced to its last path component, safe to create in a folder:
/// no separators, nothing that [`printable`] escapes, no leading dot, at most 200 bytes. `None`
/// when nothing is left.
pub fn file_name(text: &str) -> Option<String> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name = String::new();
    each(last, |c, shown| {
        if shown {
            name.push(c);
        }
    });
    name = name.trim().trim_start_matches(['.', '-', '~']).trim().to_owned();
    while name.len() > 200 {
        name.pop();
    }
    (!name.is_empty()).then_some(name)
}

/// Passes bytes on to a terminal, and stops before the first that it would obey.
///
/// A character may come in pieces: its first bytes are held back until the rest came, since some
/// terminals obey a single byte 0x80 to 0x9f (C1) that belongs to no character.
#[derive(Debug, Default)]
pub struct TerminalGuard {
    held: Vec<u8>,
}

impl TerminalGuard {
    /// Returns the bytes that may be written now; `None` when a terminal would obey some of them.
    pub fn pass(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut seen = std::mem::take(&mut self.held);
        seen.extend_from_slice(bytes);
        let mut rest = seen.as_slice();
        while !rest.is_empty() {
            let (valid, invalid, after) = match str::from_utf8(rest) {
                Ok(text) => (text, &[][..], &[][..]),
                Err(error) => {
                    let (valid, rest) = rest.split_at(error.valid_up_to());
                    let length = error.error_len().unwrap_or(0);
                    let (invalid, after) = rest.split_at(length);
                    if length == 0 {
                        self.held = after.to_vec();
                    }
                    let after = if length == 0 { &[][..] } else { after };
                    (str::from_utf8(valid).unwrap_or_default(), invalid, after)
                }
            };
            if valid.chars().any(|c| !"\r\n\t".contains(c) && is_hostile(c)) || has_c1(invalid) {
                return None;
            }
            rest = after;
        }
        seen.truncate(seen.len() - self.held.len());
        Some(seen)
    }

    /// Returns what is held back at the end of the output; `None` as [`TerminalGuard::pass`].
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let held = std::mem::take(&mut self.held);
        (!has_c1(&held)).then_some(held)
    }
}

fn has_c1(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 0x80..=0x9f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_names() {
        assert_eq!(file_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(file_name("C:\\x\\evil.exe").as_deref(), Some("evil.exe"));
        assert_eq!(file_name(".bashrc").as_deref(), Some("bashrc"));
        assert_eq!(file_name("a\u{1b}[31m\0b").as_deref(), Some("a[31mb"));
        assert_eq!(file_name("fdp\u{202e}\u{e0041}.exe").as_deref(), Some("fdp.exe"));
        assert_eq!(file_name("-rf").as_deref(), Some("rf"));
        assert_eq!(file_name("x/.."), None);
        assert_eq!(file_name(&"é".repeat(300)).unwrap().len(), 200);
    }

    #[test]
    fn what_is_not_seen_is_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(printable_lines("a\n\tb\r"), "a\n\tb\\r");
        assert_eq!(
            printable("pay\u{e0061}pal \u{200b}x\u{ad}"),
            "pay\\u{e0061}pal \\u{200b}x\\u{ad}"
        );
        assert_eq!(printable("a\u{9b}b\u{e000}\u{378}"), "a\\u{9b}b\\u{e000}\\u{378}");
        assert_eq!(printable("pay\u{200d}pal\u{200c}"), "pay\\u{200d}pal\\u{200c}");
        assert_eq!(printable("a\u{fe0f}\u{3164}"), "a\\u{fe0f}\\u{3164}");
        for fine in [
            "café ☕ naïve",
            "family 👨\u{200d}👩\u{200d}👧 ok",
            "❤\u{fe0f}\u{200d}🔥",
            "👩🏽\u{200d}🚀",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "日本語　テキスト",
            "e\u{301}",
        ] {
            assert_eq!(printable(fine), fine);
        }
    }

    fn passed(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let mut guard = TerminalGuard::default();
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(guard.pass(piece)?);
        }
        out.extend(guard.finish()?);
        Some(out)
    }

    #[test]
    fn no_c1_byte_reaches_a_terminal() {
        for byte in 0x80..=0x9f_u8 {
            let bare = [b"ab", &[byte][..], b"31m"].concat();
            let encoded = format!("ab{}31m", char::from(byte)).into_bytes();
            // The beginning of a character that is broken off, or never ends.
            let broken = [b"ab", &[0xe2, byte][..], b"31m"].concat();
            let open = [b"ab", &[0xf0, 0x90, byte][..]].concat();
            let later = [b"ab", &[0xff, byte][..]].concat();
            for text in [bare, encoded, broken, open, later] {
                assert_eq!(passed(&[&text]), None, "{text:x?}");
                for at in 0..text.len() {
                    let (one, two) = text.split_at(at);
                    assert_eq!(passed(&[one, two]), None, "{text:x?} at {at}");
                }
                let single: Vec<&[u8]> = text.chunks(1).collect();
                assert_eq!(passed(&single), None, "{text:x?} byte by byte");
            }
        }
        assert_eq!(passed(&[b"a\x1b[2J"]), None);
        assert_eq!(passed(&["a\u{202e}".as_bytes()]), None);
        // Latin-1 above C1 is only wrong, and what ends in the middle is held and then given out.
        assert_eq!(passed(&[b"na\xefve\xff"]), Some(b"na\xefve\xff".to_vec()));
        let mut guard = TerminalGuard::default();
        assert_eq!(guard.pass(b"a\xe2\x9b"), Some(b"a".to_vec()));
        assert_eq!(guard.pass(b"\xb0b"), Some("⛰b".into()));
    }

    proptest! {
        #[test]
        fn text_passes_a_terminal_whole_however_it_is_cut(text in "\\PC*", at in any::<prop::sample::Index>()) {
            prop_assume!(!text.chars().any(is_hostile));
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(passed(&[one, two]), Some(bytes.to_vec()));
        }

        #[test]
        fn what_is_printed_has_nothing_hidden(text in any::<String>()) {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(is_hostile));
            prop_assert_eq!(printable(&shown), shown);
        }
    }
}

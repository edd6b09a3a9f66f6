//! Bytes to text, when nobody said by which charset, or said wrong.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use crate::index::ingest::formats::legacy_charset::Charset;

/// Bytes that a guess is made of.
const GUESSED: usize = 64 << 10;
/// Bytes in which HTML names its charset (HTML standard, "prescan a byte stream").
const PRESCAN: usize = 1024;

/// The text of a file: by its byte order mark, as UTF-8, or as a guess has it.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(bytes.get(mark..).unwrap_or_default()).0;
    }
    match std::str::from_utf8(bytes) {
        // Seven bits, and yet not letters as they are.
        Ok(text) if text.contains("\u{1b}$") => ISO_2022_JP.decode_without_bom_handling(bytes).0,
        Ok(text) => Cow::Borrowed(text),
        Err(_) => guessed(bytes),
    }
}

/// The text of a page: by its byte order mark, by what its head says, or as above.
pub(crate) fn html(bytes: &[u8]) -> Cow<'_, str> {
    if Encoding::for_bom(bytes).is_none()
        && std::str::from_utf8(bytes).is_err()
        && let Some(encoding) = declared(bytes)
    {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    text(bytes)
}

/// The text of bytes that a charset's name came with, which may mean nothing.
pub(crate) fn labelled<'a>(bytes: &'a [u8], label: Option<&str>, is_html: bool) -> Cow<'a, str> {
    match label.and_then(Charset::named) {
        // Named so, and yet it is not.
        Some(Charset::Web(encoding))
            if encoding == UTF_8 && std::str::from_utf8(bytes).is_err() =>
        {
            guessed(bytes)
        }
        Some(charset) => charset.decode(bytes),
        None if is_html => html(bytes),
        None => text(bytes),
    }
}

/// What browsers would take the bytes for.
fn guessed(bytes: &[u8]) -> Cow<'_, str> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    // Plain letters tell nothing: a guess is made of what lies around the others.
    let first = bytes.iter().position(|b| !b.is_ascii()).unwrap_or(0).saturating_sub(GUESSED / 8);
    let part = bytes.get(first..bytes.len().min(first + GUESSED)).unwrap_or_default();
    detector.feed(part, first + part.len() == bytes.len());
    // A text cut within a character, or with a wrong byte in it, is UTF-8 all the same.
    if String::from_utf8_lossy(part).matches('\u{fffd}').count() * 16
        < part.iter().filter(|b| !b.is_ascii()).count()
    {
        return String::from_utf8_lossy(bytes);
    }
    detector.guess(None, Utf8Detection::Allow).decode_without_bom_handling(bytes).0
}

/// The charset that a page names in its first kilobyte: `charset=` in a tag.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes.get(..bytes.len().min(PRESCAN))?.to_ascii_lowercase();
    let mut rest = head.as_slice();
    while let Some(at) = rest.windows(7).position(|window| window == b"charset") {
        rest = rest.get(at + 7..)?;
        let value = rest.trim_ascii_start();
        let Some(value) = value.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or(value.strip_prefix(b"'")).unwrap_or(value);
        let end = value
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || b"-_:.".contains(b)))
            .unwrap_or(value.len());
        let named = Encoding::for_label(value.get(..end)?)?;
        // Whoever wrote that in single bytes did not mean it (the standard says the same).
        let wide = named == UTF_16BE || named == UTF_16LE;
        return if wide { None } else { Some(named) };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_names_and_guesses() {
        assert_eq!(text("é".as_bytes()), "é");
        assert_eq!(text(b"\xef\xbb\xbfx"), "x");
        assert_eq!(text(b"\xff\xfeh\0\xe9\0"), "hé");
        assert_eq!(text(b"\xfe\xff\0h\0\xe9"), "hé");
        assert_eq!(text(b"na\xefve caf\xe9, tr\xe8s bien"), "naïve café, très bien");
        // «Привет, как дела?» in KOI8-R and windows-1251.
        let koi8 = b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcb\xc1\xcb \xc4\xc5\xcc\xc1? \xfa\xc4\xd2\xc1\xd7\xd3\xd4\xd7\xd5\xca\xd4\xc5";
        assert_eq!(text(koi8), "Привет, как дела? Здравствуйте");
        let page =
            b"<meta http-equiv=content-type content='text/html; charset=windows-1251'>\xcf\xf0";
        assert!(html(page).ends_with("Пр"));
        assert!(html(b"<meta charset = \"iso-8859-2\">\xb1").ends_with('ą'));
        assert_eq!(labelled(b"\xcf\xf0", Some("windows-1251"), false), "Пр");
        assert_eq!(labelled("é".as_bytes(), Some("x-none"), false), "é");
        // Named UTF-8, and it is not.
        assert!(labelled(b"tr\xe8s bien, caf\xe9", Some("utf-8"), false).contains("café"));
        // UTF-8 with one byte lost is not taken for something else.
        let mut odd = "größer als alles andere, schöne Grüße".repeat(20).into_bytes();
        odd.push(0xc3);
        assert!(text(&odd).starts_with("größer"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = (text(&bytes), html(&bytes), labelled(&bytes, Some("gbk"), true));
        }
    }
}

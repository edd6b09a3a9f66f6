//! Transfer encodings (RFC 2045, section 6) that are broken: cut off, with signs that do not belong
//! there, or with something else behind them, such as the footer of a mailing list.

use mail_parser::decoders::base64::base64_decode;
use mail_parser::{MessagePart, MimeHeaders as _};

/// What a part was before it was encoded, and what stands behind that in plain letters. `None` when
/// the parser understood it, or when nothing of it is encoded as it says.
pub(crate) fn mended<'a>(part: &MessagePart<'_>, raw: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
    if !part.is_encoding_problem {
        return None;
    }
    let named = part.content_transfer_encoding()?.trim();
    if named.eq_ignore_ascii_case("base64") {
        return base64(raw);
    }
    named.eq_ignore_ascii_case("quoted-printable").then(|| (quoted_printable(raw), &[][..]))
}

/// The lines that are base64, and the rest.
fn base64(raw: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut letters = Vec::with_capacity(raw.len());
    let mut read = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let line_end = read + line.len();
        let line = line.trim_ascii();
        let end = line.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let (text, padding) = line.split_at_checked(end)?;
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if padding.len() > 2 || !text.iter().all(is_letter) {
            break;
        }
        letters.extend_from_slice(text);
        read = line_end;
        if !padding.is_empty() {
            break;
        }
    }
    if letters.is_empty() {
        return None;
    }
    // Of a group of four that was cut, two or three letters still say something.
    match letters.len() % 4 {
        0 => {}
        1 => letters.truncate(letters.len() - 1),
        left => letters.resize(letters.len() + 4 - left, b'='),
    }
    Some((base64_decode(&letters)?, raw.get(read..).unwrap_or_default()))
}

/// What is no escape stands for itself.
pub(crate) fn quoted_printable(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'=' {
            out.push(byte);
            continue;
        }
        let digit = |at: usize| behind.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let blank = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        if let (Some(high), Some(low)) = (digit(0), digit(1)) {
            out.push((high << 4 | low) as u8);
            rest = behind.get(2..).unwrap_or_default();
        } else if behind.get(blank).is_none_or(|byte| *byte == b'\n') {
            // The line goes on.
            rest = behind.get(blank + 1..).unwrap_or_default();
        } else {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_far_as_it_goes() {
        let read = |raw: &'static str| {
            base64(raw.as_bytes()).map(|(bytes, rest)| {
                (String::from_utf8(bytes).unwrap(), std::str::from_utf8(rest).unwrap())
            })
        };
        let some = |text: &str, rest| Some((text.to_owned(), rest));
        assert_eq!(read("aGVsbG8gd29y\r\nbGQ=\r\n"), some("hello world", ""));
        assert_eq!(read("aGVsbG8gd29y\nbG"), some("hello worl", ""));
        assert_eq!(read("aGVsbG8gd29y\nb"), some("hello wor", ""));
        assert_eq!(read("aGVsbG8=\n____\nTo leave\n"), some("hello", "____\nTo leave\n"));
        assert_eq!(read("aGVsbG8=\nWord\n"), some("hello", "Word\n"));
        assert_eq!(read("aGVs\n-- \nfooter"), some("hel", "-- \nfooter"));
        assert_eq!(read("not at all, this"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn quoted_printable_with_signs_of_its_own() {
        let read = |raw: &str| String::from_utf8(quoted_printable(raw.as_bytes())).unwrap();
        assert_eq!(read("caf=C3=A9 a=b so=\r\nft x= \t\r\ny=3d="), "café a=b soft xy=");
        assert_eq!(read("q=1&r==zz=\n"), "q=1&r==zz");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = (base64(&bytes), quoted_printable(&bytes));
        }
    }
}

//! Charsets of mail that the standard of the web leaves out: those of Korean and Chinese mail in
//! seven bits, which switch between two by escapes, and UTF-32.

use std::borrow::Cow;

use encoding_rs::{BIG5, EUC_KR, Encoding, GBK};

/// A charset by the name it has in mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// One of the web's.
    Web(&'static Encoding),
    /// RFC 1557.
    Iso2022Kr,
    /// RFC 1843.
    Hz,
    /// Its bytes in the order of their mark, or as they look.
    Utf32,
}

impl Charset {
    /// The one that is called so.
    pub(crate) fn named(label: &str) -> Option<Self> {
        let label = label.trim();
        let is = |names: &[&str]| names.iter().any(|name| label.eq_ignore_ascii_case(name));
        // Some of these the web knows, as what must not be read.
        if is(&["iso-2022-kr", "csiso2022kr"]) {
            return Some(Self::Iso2022Kr);
        }
        if is(&["hz-gb-2312", "hz"]) {
            return Some(Self::Hz);
        }
        if is(&["utf-32", "utf-32le", "utf-32be", "utf32", "ucs-4", "iso-10646-ucs-4"]) {
            return Some(Self::Utf32);
        }
        if is(&["big5hkscs", "big5_hkscs"]) {
            return Some(Self::Web(BIG5));
        }
        Encoding::for_label_no_replacement(label.as_bytes()).map(Self::Web)
    }

    /// Whether those who go by the web's list read it wrong.
    pub(crate) fn is_of_mail(label: &str) -> bool {
        !matches!(Self::named(label), None | Some(Self::Web(_)))
    }

    /// The text of bytes, signs of replacement for what is none.
    pub(crate) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Web(encoding) => encoding.decode(bytes).0,
            Self::Utf32 => Cow::Owned(utf_32(bytes)),
            Self::Hz => Cow::Owned(GBK.decode(&hz(bytes)).0.into_owned()),
            Self::Iso2022Kr => Cow::Owned(EUC_KR.decode(&iso_2022_kr(bytes)).0.into_owned()),
        }
    }

    /// The same, of what is nothing else.
    pub(crate) fn decode_strictly(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Web(encoding) => {
                encoding.decode_without_bom_handling_and_without_replacement(bytes)
            }
            other => Some(other.decode(bytes)).filter(|text| !text.contains('\u{fffd}')),
        }
    }
}

/// As GBK: letters between `~{` and `~}` have their eighth bit.
fn hz(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut wide, mut rest) = (false, bytes);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let second = behind.first().copied().unwrap_or_default();
        match (byte, second) {
            (b'~', b'{' | b'}' | b'~' | b'\n') => {
                match second {
                    b'{' => wide = true,
                    b'}' => wide = false,
                    b'~' => out.push(b'~'),
                    _ => {}
                }
                rest = behind.get(1..).unwrap_or_default();
            }
            (b'\n', _) => {
                wide = false;
                out.push(byte);
            }
            _ => out.push(if wide { byte | 0x80 } else { byte }),
        }
    }
    out
}

/// As EUC-KR: letters between SO and SI have their eighth bit, and what announces them is left out.
fn iso_2022_kr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut wide, mut rest) = (false, bytes);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            0x1b if behind.starts_with(b"$)C") => rest = behind.get(3..).unwrap_or_default(),
            0x0e => wide = true,
            0x0f => wide = false,
            b'\n' => {
                wide = false;
                out.push(byte);
            }
            0x21..=0x7e if wide => out.push(byte | 0x80),
            other => out.push(other),
        }
    }
    out
}

fn utf_32(bytes: &[u8]) -> String {
    let (fours, _) = bytes.as_chunks::<4>();
    // Its mark, or the first letter of most texts.
    let little = matches!(fours.first(), Some([_, _, 0, 0]));
    let number = |four: &[u8; 4]| match little {
        true => u32::from_le_bytes(*four),
        false => u32::from_be_bytes(*four),
    };
    let letters = fours.iter().map(|four| char::from_u32(number(four)).unwrap_or('\u{fffd}'));
    letters.filter(|letter| *letter != '\u{feff}').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(label: &str, bytes: &[u8]) -> String {
        Charset::named(label).unwrap().decode(bytes).into_owned()
    }

    #[test]
    fn charsets_that_the_web_leaves_out() {
        let korean = b"\x1b$)C\x0e>H3gGO<<?d\x0f body\n\x0e>H3g\nplain";
        assert_eq!(decoded("ISO-2022-KR", korean), "안녕하세요 body\n안녕\nplain");
        assert_eq!(decoded("hz-gb-2312", b"~{Dc:CJ@=g~} a~~b ~\nc~{Dc\nd"), "你好世界 a~b c你\nd");
        assert_eq!(decoded("big5hkscs", b"\xa4\xa4\xa4\xe5"), "中文");
        assert_eq!(decoded("utf-32", b"\xff\xfe\0\0g\0\0\0\xf6\0\0\0"), "gö");
        assert_eq!(decoded("utf-32be", b"\0\0\0g\0\0\0\xf6"), "gö");
        assert_eq!(decoded("utf-32", b"\0\x11\xff\xff"), "\u{fffd}");
        assert_eq!(decoded("latin1", b"\xf6"), "ö");
        assert_eq!(Charset::named("x-none"), None);
        assert!(Charset::is_of_mail("HZ") && !Charset::is_of_mail("utf-8"));
    }

    #[test]
    fn a_piece_of_a_letter_is_no_text() {
        let utf_8 = Charset::named("utf-8").unwrap();
        assert_eq!(utf_8.decode_strictly(b"\xe6\x9d"), None);
        assert_eq!(utf_8.decode_strictly(b"\xe6\x9d\xb1").unwrap(), "東");
        let hz = Charset::named("hz").unwrap();
        assert_eq!(hz.decode_strictly(b"~{Dc~}").unwrap(), "你");
    }
}

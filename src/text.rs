//! Text forms of bytes: Bech32 (BIP 173 without its length limit, as age uses it), strict
//! canonical base64 and hexadecimal, armored blocks, and text of a stranger made safe to print.

mod display;
mod name;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bech32::primitives::checksum::Checksum;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

pub use self::display::{TerminalGuard, file_name, is_hostile, printable, printable_lines};
pub use self::name::mixes_scripts;
pub(crate) use self::name::{Likeness, name_fault};

/// Columns of base64 in an armored block (RFC 7468).
const COLUMNS: usize = 64;

/// Why a text form could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not Bech32, or its checksum is wrong. The text may be secret, so it is not repeated.
    #[error("not a Bech32 string with a right checksum (a character was lost or mistyped)")]
    Bech32,
    /// Bech32 with another prefix than the one wanted.
    #[error("expected a string that begins with {expected:?}")]
    Prefix {
        /// Human-readable part, in the case it is printed in.
        expected: &'static str,
    },
    /// Not canonical base64.
    #[error("not canonical base64")]
    Base64,
    /// Not hexadecimal of the length wanted.
    #[error("expected {expected} hexadecimal digits, got {got} characters")]
    Hex {
        /// Digits wanted.
        expected: usize,
        /// Characters that came.
        got: usize,
    },
    /// No such armored block.
    #[error("not a {label} block: {why}")]
    Armor {
        /// Label of the block wanted.
        label: &'static str,
        /// The first rule it breaks.
        why: &'static str,
    },
}

/// Formats a time in seconds of Unix time as RFC 3339 has it.
pub fn date(seconds: impl TryInto<i64>) -> String {
    let time = seconds.try_into().ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// BIP 173's code without the limit of 90 characters: an `age1pq1` recipient has 1,959.
enum Long {}

impl Checksum for Long {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    type CorrectionField = <Bech32 as Checksum>::CorrectionField;
    const ROOT_GENERATOR: Self::CorrectionField = Bech32::ROOT_GENERATOR;
    const ROOT_EXPONENTS: core::ops::RangeInclusive<usize> = Bech32::ROOT_EXPONENTS;
    const CODE_LENGTH: usize = 16 << 10;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = Bech32::TARGET_RESIDUE;
}

/// Encodes bytes as Bech32 in the case of `prefix`: an upper-case prefix makes an upper-case
/// string (secrets), a lower-case one a lower-case string (public).
pub(crate) fn bech32_encode(prefix: &'static str, bytes: &[u8]) -> Zeroizing<String> {
    let upper = prefix.bytes().any(|b| b.is_ascii_uppercase());
    let hrp = Hrp::parse(prefix);
    let encode = if upper { bech32::encode_upper::<Long> } else { bech32::encode_lower::<Long> };
    #[expect(
        clippy::expect_used,
        reason = "an empty string in place of a key would be kept as one"
    )]
    let encoded = hrp
        .map(|hrp| encode(hrp, bytes))
        .expect("prefixes are constants of this crate, and valid")
        .expect("what is encoded here is far below the limit of the code");
    Zeroizing::new(encoded)
}

/// Decodes a Bech32 string that must have `prefix`, in the same case throughout.
pub(crate) fn bech32_decode(prefix: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    if text.get(..prefix.len()).is_none_or(|head| head != prefix)
        || text.as_bytes().get(prefix.len()) != Some(&b'1')
    {
        return Err(Error::Prefix { expected: prefix });
    }
    let checked = CheckedHrpstring::new::<Long>(text).map_err(|_| Error::Bech32)?;
    // A `1` inside the data part would have moved the separator.
    if checked.hrp().to_string().len() != prefix.len() {
        return Err(Error::Prefix { expected: prefix });
    }
    // What five-bit groups leave over must be short and zero, or two strings would mean one key.
    let bits = checked.data_part_ascii_no_checksum().len() * 5;
    let bytes = Zeroizing::new(checked.byte_iter().collect::<Vec<u8>>());
    if bits % 8 >= 5 || bech32_encode(prefix, &bytes).as_str() != text {
        return Err(Error::Bech32);
    }
    Ok(bytes)
}

/// Standard base64 with padding.
pub fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Standard base64 with padding; anything not canonical is refused.
pub fn base64_decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    STANDARD.decode(text).map_err(|_| Error::Base64)
}

/// Standard base64 without padding, as in age headers.
pub(crate) fn base64_encode_unpadded(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Standard base64 without padding; anything not canonical is refused.
pub(crate) fn base64_decode_unpadded(text: &[u8]) -> Result<Vec<u8>, Error> {
    STANDARD_NO_PAD.decode(text).map_err(|_| Error::Base64)
}

/// The alphabet for URLs (RFC 4648, section 5), without padding.
pub(crate) fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The alphabet for URLs, without padding; anything not canonical is refused.
pub(crate) fn base64url_decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Base64)
}

/// Lower-case hexadecimal.
pub fn hex_encode(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' - 10 + n });
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out
}

/// Exactly `N` bytes of lower-case hexadecimal.
pub fn hex_decode<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let wrong = || Error::Hex { expected: 2 * N, got: text.chars().count() };
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return Err(wrong());
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        if let [high, low] = pair {
            *byte = digit(*high).zip(digit(*low)).map(|(h, l)| h << 4 | l).ok_or_else(wrong)?;
        }
    }
    Ok(out)
}

/// A whole armored block in the strict form of RFC 7468, for short things such as cards.
pub(crate) fn armor_encode(label: &str, bytes: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    let body = base64_encode(bytes);
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(COLUMNS));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// Reads a block written by [`armor_encode`], as people paste it: text around it, blank space at the ends
/// of lines and CR LF line ends are allowed. Every line of it but the last has 64 columns, and there is
/// one block.
pub(crate) fn armor_decode(label: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    let wrong = |why| Error::Armor { label, why };
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim_end);
    if !lines.any(|line| line == begin) {
        return Err(wrong("its first line is missing"));
    }
    let mut body = String::new();
    let mut short = false;
    loop {
        let line = lines.next().ok_or_else(|| wrong("its end line is missing"))?;
        if line == end {
            break;
        }
        if short || line.len() > COLUMNS {
            return Err(wrong("its lines are not 64 columns wide"));
        }
        short = line.len() < COLUMNS;
        body.push_str(line);
    }
    if lines.any(|line| line == begin) {
        return Err(wrong("another one follows"));
    }
    base64_decode(body.as_bytes()).map_err(|_| wrong("it is not canonical base64"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bech32_refusals() {
        let text = bech32_encode("bulla", &[7; 32]);
        assert_eq!(bech32_decode("bulla", &text).unwrap().as_slice(), [7; 32]);
        assert!(matches!(bech32_decode("age", &text), Err(Error::Prefix { expected: "age" })));
        assert!(bech32_decode("bulla", &text.to_uppercase()).is_err());
        let mut swapped = text.to_string();
        let last = swapped.pop().unwrap();
        swapped.push(if last == 'q' { 'p' } else { 'q' });
        assert!(matches!(bech32_decode("bulla", &swapped), Err(Error::Bech32)));
        let long = bech32_encode("age1pq", &[9; 1216]);
        assert_eq!(bech32_decode("age1pq", &long).unwrap().len(), 1216);
        assert_eq!(long.len(), 1959);
        let secret = bech32_encode("BULLA-SECRET-KEY-", &[1; 32]);
        assert!(secret.starts_with("BULLA-SECRET-KEY-1"));
        assert_eq!(bech32_decode("BULLA-SECRET-KEY-", &secret).unwrap().len(), 32);
    }

    #[test]
    fn armor_refusals() {
        let block = armor_encode("BULLA CARD", &[5; 100]);
        assert_eq!(armor_decode("BULLA CARD", &block).unwrap(), [5; 100]);
        let crlf = format!("# from a friend\r\n\r\n{}", block.replace('\n', "\r\n"));
        assert_eq!(armor_decode("BULLA CARD", &crlf).unwrap(), [5; 100]);
        let mail = format!("\u{feff}Hi,\n\n{block}\nmore\n");
        assert_eq!(armor_decode("BULLA CARD", &mail).unwrap(), [5; 100]);
        for broken in [
            block.replace("CARD", "COIN"),
            block.replace("-----END", "-----AND"),
            format!("{block}{block}"),
            block.replacen("BQUF", "BQU\nF", 1),
            String::new(),
        ] {
            assert!(armor_decode("BULLA CARD", &broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = bech32_encode("age", &bytes);
            prop_assert_eq!(bech32_decode("age", &text).unwrap().to_vec(), bytes.clone());
            prop_assert_eq!(armor_decode("X", &armor_encode("X", &bytes)).unwrap(), bytes.clone());
            if let Ok(array) = <[u8; 32]>::try_from(bytes.as_slice()) {
                prop_assert_eq!(hex_decode::<32>(&hex_encode(&array)).unwrap(), array);
            }
        }

        #[test]
        fn any_text_is_survived(text in "\\PC*") {
            let _ = bech32_decode("age", &text);
            let _ = armor_decode("X", &text);
            let _ = hex_decode::<4>(&text);
            if let Some(name) = file_name(&text) {
                prop_assert!(!name.contains('/') && !name.starts_with('.'));
            }
        }
    }
}

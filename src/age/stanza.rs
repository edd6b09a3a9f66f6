//! A stanza: one recipient's line in the header (C2SP age.md, "Recipient stanza").

use crate::text::{base64_decode_unpadded, base64_encode_unpadded};

use super::error::Error;

/// Columns of base64 in a line of a stanza's body.
pub(super) const COLUMNS: usize = 64;

/// `-> kind arg…` and a body. What they mean is the business of the recipient type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    /// Recipient type: `X25519`, `scrypt`, `mlkem768x25519` or one that we do not know.
    pub kind: String,
    /// Arguments, none of them empty, of visible ASCII.
    pub args: Vec<String>,
    /// Body, decoded.
    pub body: Vec<u8>,
}

impl Stanza {
    /// Appends the stanza's text, if its words can be written.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        out.extend_from_slice(b"->");
        for word in std::iter::once(&self.kind).chain(&self.args) {
            check_word(word)?;
            out.push(b' ');
            out.extend_from_slice(word.as_bytes());
        }
        out.push(b'\n');
        let body = base64_encode_unpadded(&self.body);
        let lines = body.as_bytes().chunks_exact(COLUMNS);
        // The last line is short, or empty: it marks the end.
        let rest = lines.remainder();
        for line in lines {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.extend_from_slice(rest);
        out.push(b'\n');
        Ok(())
    }

    /// The words of a first line, without its `-> `; the body comes after.
    pub(super) fn parse_words(line: &[u8]) -> Result<Self, Error> {
        let line = std::str::from_utf8(line).map_err(|_| BAD_WORD)?;
        let mut words = line.split(' ').map(|word| check_word(word).map(|()| word.to_owned()));
        let kind = words.next().unwrap_or(Err(BAD_WORD))?;
        Ok(Self { kind, args: words.collect::<Result<_, _>>()?, body: Vec::new() })
    }

    /// The body, when it is as long as the recipient type says.
    pub(super) fn body_of<const N: usize>(&self) -> Result<&[u8; N], Error> {
        self.body
            .as_slice()
            .try_into()
            .map_err(|_| Error::Header("the body of a stanza has another length than its type has"))
    }
}

/// Decodes an argument that must be `N` bytes of canonical base64.
pub(super) fn decode_argument<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let bytes = base64_decode_unpadded(text.as_bytes())
        .map_err(|_| Error::Header("an argument of a stanza is not canonical base64"))?;
    bytes
        .try_into()
        .map_err(|_| Error::Header("an argument of a stanza has another length than its type has"))
}

/// For recipient types with a fixed number of arguments.
pub(super) const BAD_COUNT: Error =
    Error::Header("a stanza has more or fewer arguments than its type has");

const BAD_WORD: Error =
    Error::Header("the words of a stanza are not visible ASCII with single spaces between");

fn check_word(word: &str) -> Result<(), Error> {
    let visible = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
    if visible { Ok(()) } else { Err(BAD_WORD) }
}

//! What an input is, from its first bytes.

use std::io::{self, Chain, Cursor, Read};

use crate::letter::envelope;

/// Blanks before armor are allowed; so many bytes are looked at.
const WINDOW: usize = 1024 + 64;

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A sealed file, or bytes that were meant for one: [`Dearmored`](crate::age::Dearmored)
    /// reads it.
    Age,
    /// An envelope stream: [`EnvelopeReader`](crate::letter::EnvelopeReader) reads it.
    Envelopes,
    /// Not a byte.
    Empty,
    /// Something else.
    Unknown,
}

/// An input with the bytes that were looked at put back.
pub(crate) type Sniffed<R> = Chain<Cursor<Vec<u8>>, R>;

/// Says what an input is. Reads no more than it takes to tell, so a stream that is still
/// being written is not waited for.
pub fn sniff<R: Read>(mut input: R) -> io::Result<(Input, Sniffed<R>)> {
    let mut seen = Vec::new();
    let kind = loop {
        if let Some(kind) = recognise(&seen) {
            break kind;
        }
        if input.by_ref().take(1).read_to_end(&mut seen)? == 0 {
            break if seen.is_empty() { Input::Empty } else { Input::Unknown };
        }
    };
    Ok((kind, Cursor::new(seen).chain(input)))
}

/// What these first bytes say, or `None` when it takes more.
fn recognise(seen: &[u8]) -> Option<Input> {
    let armor = seen.trim_ascii_start();
    let marks: [(&[u8], &[u8], Input); 6] = [
        (seen, &envelope::MAGIC, Input::Envelopes),
        (seen, b"age-encryption.org/", Input::Age),
        (armor, b"-----BEGIN AGE ENCRYPTED FILE-----", Input::Age),
        // Files that an editor or a shell rewrote as text: the opener says so.
        (seen, b"\xff\xfe", Input::Age),
        (seen, b"\xfe\xff", Input::Age),
        (seen, b"\xef\xbb\xbf", Input::Age),
    ];
    if let Some((_, _, kind)) = marks.iter().find(|(start, mark, _)| start.starts_with(mark)) {
        Some(*kind)
    } else if seen.len() < WINDOW && marks.iter().any(|(start, mark, _)| mark.starts_with(start)) {
        None
    } else {
        Some(Input::Unknown)
    }
}

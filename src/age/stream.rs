//! The payload: chunks of 64 KiB, each under ChaCha20-Poly1305 (C2SP age.md, "Payload"; the
//! STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015).
//!
//! The nonce of a chunk is its number and a mark on the last one. The key is derived from a
//! fresh file key and a fresh random nonce, so no nonce is used twice; the numbers make
//! reordered chunks fail, and the mark makes a truncated file fail.

use crate::crypto::{Aead, TAG};

use super::error::Error;

/// Bytes of plaintext in every chunk but the last.
pub(super) const CHUNK: usize = 64 << 10;
/// Bytes of every sealed chunk but the last.
pub(super) const SEALED: usize = CHUNK + TAG;

/// What is done with every chunk of a payload.
pub(super) trait Codec: Sync {
    /// Bytes of every chunk but the last as they are read.
    const TAKES: usize;

    /// Works on the first `len` bytes of `slot` in place. Returns how many bytes at its start
    /// are to be written, and an error that ends the payload after them.
    fn run(&self, place: Place, slot: &mut [u8], len: usize) -> (usize, Result<(), Error>);
}

/// Where a chunk stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Number, from 0.
    pub(super) number: u64,
    /// Whether the input ends after it.
    pub(super) last: bool,
}

/// Seals chunks.
pub(super) struct Sealing(pub(super) Aead);

/// Opens chunks.
pub(super) struct Opening(pub(super) Aead);

impl Codec for Sealing {
    const TAKES: usize = CHUNK;

    fn run(&self, place: Place, slot: &mut [u8], len: usize) -> (usize, Result<(), Error>) {
        let sealed = slot.get_mut(..len + TAG);
        if let Some((chunk, tag)) = sealed.and_then(|s| s.split_last_chunk_mut::<TAG>()) {
            *tag = self.0.seal(&nonce(place.number, place.last), &[], chunk);
        }
        (len + TAG, Ok(()))
    }
}

impl Codec for Opening {
    const TAKES: usize = SEALED;

    fn run(&self, place: Place, slot: &mut [u8], len: usize) -> (usize, Result<(), Error>) {
        let Place { number, last } = place;
        let sealed = slot.get_mut(..len).and_then(|s| s.split_last_chunk_mut::<TAG>());
        let Some((chunk, tag)) = sealed else { return (0, Err(Error::Truncated)) };
        // Only an empty file has an empty chunk.
        if chunk.is_empty() && number > 0 {
            return (0, Err(Error::Payload { chunk: number }));
        }
        // A refused chunk is still ciphertext, so it can be tried again.
        let mut open = |mark| self.0.open(&nonce(number, mark), &[], chunk, tag).is_ok();
        let full = len == SEALED;
        match last {
            _ if open(last) => (len - TAG, Ok(())),
            // A chunk of the middle at the end, or the last one with more after it: what is
            // authentic is given out, and the file is broken all the same.
            true if full && open(false) => (CHUNK, Err(Error::Truncated)),
            false if open(true) => (CHUNK, Err(Error::Trailing)),
            _ => (0, Err(Error::Payload { chunk: number })),
        }
    }
}

/// 11 bytes of big-endian number, and 1 on the last chunk.
fn nonce(number: u64, last: bool) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    [0, 0, 0, a, b, c, d, e, f, g, h, last.into()]
}

/// Plaintext bytes in a payload of so many sealed bytes, if there can be such a payload.
pub(super) fn plaintext_len(sealed: u64) -> Option<u64> {
    let (chunk, tag) = (SEALED as u64, TAG as u64);
    let rest = sealed % chunk;
    let possible = sealed == tag || rest == 0 || rest > tag;
    (sealed > 0 && possible).then(|| sealed - sealed.div_ceil(chunk) * tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nonces() {
        assert_eq!(nonce(0, false), [0; 12]);
        assert_eq!(nonce(0x0102, true), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1]);
        assert_eq!(nonce(u64::MAX, false), [0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0]);
    }

    #[test]
    fn impossible_lengths() {
        for sealed in [0, 1, 15, SEALED as u64 + 1, SEALED as u64 + 16] {
            assert_eq!(plaintext_len(sealed), None, "{sealed}");
        }
    }

    proptest! {
        #[test]
        fn lengths_there_and_back(plain in 0u64..1 << 40) {
            let chunks = plain.div_ceil(CHUNK as u64).max(1);
            prop_assert_eq!(plaintext_len(plain + 16 * chunks), Some(plain));
        }
    }
}

//! The plaintext of a letter as a stream: front matter, body in blocks, its signature, padding.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::crypto::SigningSecret;
use crate::letter::proof::{SignedBody, TRAILER};
use crate::padding::padme;

/// Greatest block of a body or of a sealed letter, in bytes.
pub(super) const BLOCK: usize = 64 << 10;
/// First bytes of a letter. No text in UTF-8 begins with 0x8b.
pub(super) const MAGIC: [u8; 8] = *b"\x8bbulla L";
/// Shortest plaintext in bytes: notes of a few lines are all alike.
const FLOOR: u64 = 4096;

/// The length of a letter whose unpadded length is `length`.
pub(super) fn padded(length: u64) -> u64 {
    padme(length.max(FLOOR))
}

/// Yields a letter's plaintext while it reads the body, one block at a time.
pub(super) struct Plaintext<R> {
    body: R,
    /// Signs the body at its end.
    trailer: Option<(SignedBody, SigningSecret)>,
    /// Bytes to hand out, `at` of them gone.
    block: Zeroizing<Vec<u8>>,
    at: usize,
    /// Bytes up to the end of `block`.
    length: u64,
    /// Zeros after `block`, once the body has ended.
    padding: Option<u64>,
}

impl<R: Read> Plaintext<R> {
    /// `front` is all that stands before the first block.
    pub(super) fn new(
        front: Vec<u8>,
        body: R,
        trailer: Option<(SignedBody, SigningSecret)>,
    ) -> Self {
        let length = front.len() as u64;
        Self { body, trailer, block: Zeroizing::new(front), at: 0, length, padding: None }
    }

    /// Reads the next block; blocks are full but the last, so the length of a letter depends
    /// on that of its body only. The end mark follows a short block at once, and a body that
    /// ended is not read again.
    fn refill(&mut self) -> io::Result<()> {
        self.at = 0;
        self.block.clear();
        // Room for the end too: a vector that grows leaves its old bytes unwiped.
        self.block.reserve(4 + BLOCK + 4 + TRAILER);
        self.block.extend_from_slice(&[0; 4]);
        let got = self.body.by_ref().take(BLOCK as u64).read_to_end(&mut self.block)?;
        if let Some((head, body)) = self.block.split_first_chunk_mut::<4>() {
            // At most BLOCK, which fits.
            *head = (got as u32).to_be_bytes();
            if let Some((signed, _)) = &mut self.trailer {
                signed.update(body);
            }
        }
        if got > 0 && got < BLOCK {
            self.block.extend_from_slice(&[0; 4]);
        }
        if got < BLOCK
            && let Some((signed, signer)) = self.trailer.take()
        {
            self.block.extend_from_slice(&signed.sign(&signer));
        }
        self.length += self.block.len() as u64;
        if got < BLOCK {
            self.padding = Some(padded(self.length) - self.length);
        }
        Ok(())
    }
}

impl<R: Read> Read for Plaintext<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() && self.padding.is_none() {
            self.refill()?;
        }
        let mut ready = self.block.get(self.at..).unwrap_or_default();
        if ready.is_empty() {
            let zeros = self.padding.unwrap_or_default();
            let got = io::repeat(0).take(zeros).read(out)?;
            self.padding = Some(zeros - got as u64);
            Ok(got)
        } else {
            let got = ready.read(out)?;
            self.at += got;
            Ok(got)
        }
    }
}

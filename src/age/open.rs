//! Opening.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::num::NonZeroUsize;

use crate::crypto::Aead;

use super::error::Error;
use super::header::Header;
use super::key::NONCE;
use super::pump::pump;
use super::recipient::Identity;
use super::stream::Opening;

/// A file whose header is authenticated: what remains is the payload.
#[derive(Debug)]
pub struct Opener<R> {
    header: Header,
    payload: Aead,
    input: BufReader<R>,
    workers: Option<NonZeroUsize>,
}

impl<R: Read> Opener<R> {
    /// Reads the header, finds the first identity that fits and verifies the header's MAC.
    ///
    /// `input` is binary: see [`super::Dearmored`] for files that may be armored.
    pub fn new(input: R, identities: &[&dyn Identity]) -> Result<Self, Error> {
        let mut input = BufReader::new(input);
        let header = Header::read(&mut input)?;
        let file_key = header.unlock(identities)?;
        let mut nonce = [0; NONCE];
        input.read_exact(&mut nonce).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Error::Header("the nonce after it is cut short"),
            _ => error.into(),
        })?;
        Ok(Self { header, payload: file_key.payload(&nonce), input, workers: None })
    }

    /// Works on so many cores, the caller's thread included. Without this: on as many as the
    /// process may use, up to eight.
    pub fn workers(self, workers: NonZeroUsize) -> Self {
        Self { workers: Some(workers), ..self }
    }

    /// The whole header, from the version line to the line feed after the MAC.
    pub(crate) fn header(&self) -> &[u8] {
        self.header.bytes()
    }

    /// Opens the payload and returns its length in bytes.
    ///
    /// `output` gets authenticated chunks only, in order. It gets those before a damaged one
    /// too, so what it got is worth something only when this returns `Ok`.
    pub fn open(self, output: impl Write + Send) -> Result<u64, Error>
    where
        R: Send,
    {
        pump(&Opening(self.payload), self.input, output, self.workers)
    }
}

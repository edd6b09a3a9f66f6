//! Sealing.

use std::io::{Read, Write};
use std::num::NonZeroUsize;

use crate::crypto;

use super::error::Error;
use super::header::Header;
use super::key::{FileKey, NONCE};
use super::pump::pump;
use super::recipient::{Class, Recipient};
use super::stream::{Sealing, plaintext_len};

/// A new file with its header written: what remains is the payload.
#[derive(Debug)]
pub struct Sealer {
    header: Vec<u8>,
    file_key: FileKey,
    workers: Option<NonZeroUsize>,
}

impl Sealer {
    /// Makes a file key and wraps it to every recipient.
    pub fn new(recipients: &[&dyn Recipient]) -> Result<Self, Error> {
        check_mix(recipients)?;
        let file_key = FileKey::generate()?;
        let mut stanzas = Vec::new();
        for recipient in recipients {
            stanzas.extend(recipient.wrap(&file_key)?);
        }
        let header = Header::build(stanzas, &file_key)?.into_bytes();
        Ok(Self { header, file_key, workers: None })
    }

    /// Works on so many cores, the caller's thread included. Without this: on as many as the
    /// process may use, up to eight.
    pub fn workers(self, workers: NonZeroUsize) -> Self {
        Self { workers: Some(workers), ..self }
    }

    /// The whole header, from the version line to the line feed after the MAC. It is bound to
    /// the payload by the file key.
    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }

    /// Seals all of `input` and returns its length in bytes. The sealer is used up: a file key
    /// seals one payload.
    pub fn seal(
        self,
        input: impl Read + Send,
        mut output: impl Write + Send,
    ) -> Result<u64, Error> {
        let nonce = crypto::random::<NONCE>()?;
        output.write_all(&[&self.header, nonce.as_slice()].concat())?;
        let written = pump(&Sealing(self.file_key.payload(&nonce)), input, output, self.workers)?;
        Ok(plaintext_len(written).unwrap_or_default())
    }
}

fn check_mix(recipients: &[&dyn Recipient]) -> Result<(), Error> {
    let has = |class| recipients.iter().any(|recipient| recipient.class() == class);
    match recipients.len() {
        0 => Err(Error::NoRecipients),
        2.. if has(Class::Passphrase) => Err(Error::PassphraseNotAlone),
        _ if has(Class::Classic) && has(Class::PostQuantum) => Err(Error::MixedRecipients),
        _ => Ok(()),
    }
}

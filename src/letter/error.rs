//! Reasons why a letter or an envelope stream is refused.

use std::io;

use crate::age;
use crate::crypto;
use crate::identity::{self, Fingerprint};
use crate::wire;

/// Why a letter or an envelope stream was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sealed file could not be sealed or opened.
    #[error(transparent)]
    Age(age::Error),
    /// A record that does not decode.
    #[error(transparent)]
    Record(wire::Error),
    /// Bytes that follow no rule of the format.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// "letter", "envelope stream".
        what: &'static str,
        /// The first rule they break.
        why: &'static str,
    },
    /// A part of the heading is longer than allowed, or has characters it must not have.
    #[error("{field}: {why}")]
    Heading {
        /// Which part.
        field: &'static str,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The input ends in the middle.
    #[error("the {0} is truncated")]
    Truncated(&'static str),
    /// The end mark of an envelope stream says that what wrote it failed.
    #[error("what wrote the envelope stream failed, with status {status}")]
    Source {
        /// Its exit status.
        status: u8,
    },
    /// The sealed bytes of an envelope are not those its sender sealed.
    #[error("an envelope was changed on its way: its hash does not match")]
    Hash,
    /// A letter whose sender is not proven: its signature or MAC does not verify, or is missing.
    #[error("the letter names a sender who did not sign it")]
    Forged,
    /// A letter whose sender is proven less than such a letter needs: by a MAC that a thief of the
    /// recipient's keys can make, say.
    #[error("the letter's sender is not proven: {0}")]
    Unproven(&'static str),
    /// A letter whose body is not the one that its sender signed.
    #[error("the letter's body is not the one that its sender signed")]
    ForgedBody,
    /// A letter whose sender's card is none.
    #[error("the letter's sender shows a card that is refused: {0}")]
    SenderCard(#[source] identity::Error),
    /// A letter written to somebody else and sealed again to us.
    #[error("the letter was written to somebody else, to {to}")]
    Readdressed {
        /// To whom.
        to: Fingerprint,
    },
    /// Sealing as a sender whose card is another's.
    #[error("the sender's card belongs to another identity")]
    NotTheSender,
    /// An envelope was begun and not finished before the next call.
    #[error("an envelope of the stream was left unfinished")]
    Unfinished,
    /// The place the body goes to failed.
    #[error("the output could not be written: {0}")]
    Output(#[source] io::Error),
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// The reader or writer below failed.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for Error {
    /// Takes an [`Error`] that travelled through [`io::Read`] or [`io::Write`] out again.
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Io)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<age::Error> for Error {
    fn from(error: age::Error) -> Self {
        match error {
            age::Error::Io(error) => error.into(),
            error => Self::Age(error),
        }
    }
}

impl From<wire::Error> for Error {
    fn from(error: wire::Error) -> Self {
        match error {
            wire::Error::Io(error) => error.into(),
            error => Self::Record(error),
        }
    }
}

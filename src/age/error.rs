//! What can go wrong with a sealed file.

use std::io;

use crate::crypto;
use crate::text;

/// Why a file could not be sealed, opened or inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The armor breaks a rule of RFC 7468 as age narrows it.
    #[error("malformed armor: {0}")]
    Armor(&'static str),
    /// The header breaks a rule of the format.
    #[error("malformed age header: {0}")]
    Header(&'static str),
    /// A shell or an editor rewrote the file as text; the bytes are lost.
    #[error("the file was rewritten as text on its way: {0}")]
    Mangled(&'static str),
    /// A later age format.
    #[error("expected version v1 of the age format, got another one")]
    Version,
    /// The header is longer than this program writes or reads.
    #[error("age header of more than {max} bytes")]
    HeaderTooLong {
        /// Limit in bytes.
        max: usize,
    },
    /// No identity fits any of the stanzas.
    #[error("no identity matches any of the recipients the file is sealed to")]
    NoMatch,
    /// The file is sealed to a passphrase, and to another one.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The scrypt work factor would take too much time and memory.
    #[error("expected a scrypt work factor of at most 2^{max}, got 2^{got}")]
    WorkFactor {
        /// Greatest one accepted, as a power of two.
        max: u8,
        /// The one asked for, as a power of two.
        got: u8,
    },
    /// A stanza gave a file key, and the header is not authenticated by it.
    #[error("the age header was changed: its MAC does not verify")]
    HeaderMac,
    /// A chunk of the payload is not authenticated.
    #[error("chunk {chunk} of the payload was changed, or is not in its place")]
    Payload {
        /// Its number, from 0.
        chunk: u64,
    },
    /// The payload ends before its final chunk.
    #[error("the file is truncated: its final chunk is missing")]
    Truncated,
    /// Bytes follow the final chunk.
    #[error("data follows the final chunk of the file")]
    Trailing,
    /// Nobody to seal to.
    #[error("expected at least one recipient, got none")]
    NoRecipients,
    /// One classic recipient would undo the protection of the post-quantum ones.
    #[error("post-quantum and classic recipients cannot share a file")]
    MixedRecipients,
    /// Who knows a passphrase takes the file for one of somebody who knows it too; a second
    /// recipient would make that false.
    #[error("a passphrase must be the only recipient of a file")]
    PassphraseNotAlone,
    /// A text that is no recipient or identity of a kind we know.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// The reader or writer failed. The error is passed on as it came, so what the caller's own
    /// reader or writer put inside can be taken out again.
    #[error(transparent)]
    Io(io::Error),
}

/// Why a text is no recipient or identity that we can use. The text itself is never repeated:
/// it may be a secret in the wrong place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The right prefix, and something mistyped or lost.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// Well-formed text of the wrong length.
    #[error("expected a key of {expected} bytes, got {got}")]
    Length {
        /// Bytes wanted.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Bytes that are no public key: a point of low order, or coefficients out of range.
    #[error("the recipient is not a valid public key")]
    Invalid,
    /// `ssh-ed25519 …`, `ssh-rsa …` or an OpenSSH private key.
    #[error("SSH keys are not supported")]
    Ssh,
    /// `age1NAME1…` or `AGE-PLUGIN-NAME-1…`.
    #[error("age plugins are not supported (this key needs age-plugin-{0})")]
    Plugin(String),
    /// A secret where a public key was expected.
    #[error("expected a recipient, got a secret identity")]
    IsIdentity,
    /// A public key where a secret was expected.
    #[error("expected an identity, got a public recipient")]
    IsRecipient,
    /// Nothing we know.
    #[error("expected a recipient that begins with age1 or age1pq1")]
    UnknownRecipient,
    /// Nothing we know.
    #[error("expected an identity that begins with AGE-SECRET-KEY-1 or AGE-SECRET-KEY-PQ-1")]
    UnknownIdentity,
}

impl From<io::Error> for Error {
    /// Takes an [`Error`] that travelled through [`io::Read`] out again.
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

//! Reasons why an identity, a card or a key file is refused.

use crate::age;
use crate::crypto;
use crate::text;
use crate::wire;

/// Why an identity, a card or a key file was refused. No message repeats a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the text of an identity, a card or a fingerprint.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A card whose record is malformed or of another version.
    #[error(transparent)]
    Record(#[from] wire::Error),
    /// A decoded key of the wrong length.
    #[error("expected {expected} bytes of key, got {got}")]
    Length {
        /// Bytes wanted.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// A card whose self-signature fails: it was changed after it was made.
    #[error("the card's own signature does not verify: it was changed on its way")]
    CardSignature,
    /// A card with a public key nobody can own: of low order, or not in its field.
    #[error("the card's {0} key is no usable public key")]
    CardKey(&'static str),
    /// A card whose record is encoded in another way than ours.
    #[error("the card is not in its canonical encoding")]
    CardEncoding,
    /// A name that no card may bear.
    #[error("a name on a card has at most {max} characters, none invisible: {why}")]
    CardName {
        /// Limit in characters.
        max: usize,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A relay address that no card may bear.
    #[error(
        "a relay address begins with https://, http:// or relay+https:// and has no blanks: {why}"
    )]
    CardRelay {
        /// The rule it breaks.
        why: &'static str,
    },
    /// A key file longer than allowed.
    #[error("a key file of {got} bytes, at most {max} are allowed")]
    KeyfileLength {
        /// Limit in bytes.
        max: usize,
        /// What came, in bytes.
        got: usize,
    },
    /// A key file that is neither text nor sealed.
    #[error("the key file is not text")]
    KeyfileText,
    /// A key file with no identity in it.
    #[error("no identity in the key file")]
    KeyfileEmpty,
    /// A line of a key file that is no identity. The line may be secret: only its number is told.
    #[error("line {line} of the key file: {why}")]
    KeyfileLine {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The passphrase does not open the key file.
    #[error("wrong passphrase for the key file")]
    WrongPassphrase,
    /// A key file that is sealed, but damaged or not to a passphrase.
    #[error("the locked key file cannot be opened: {0}")]
    Locked(#[source] age::Error),
    /// The sealed-file layer refused.
    #[error(transparent)]
    Age(age::Error),
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

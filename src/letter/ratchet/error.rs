//! Reasons why the ratchet refuses.

use crate::crypto;
use crate::kem;
use crate::state;
use crate::wire;

/// Why the ratchet refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stanza of our type with another shape.
    #[error("malformed bulla-ratchet-v1 stanza: {0}")]
    Malformed(&'static str),
    /// A stanza whose key is known, and which was changed.
    #[error("the letter's ratchet stanza is damaged")]
    Damaged,
    /// The contact has not answered our offer yet: seal to the
    /// contact's card, with `Ratchet::offer` inside.
    #[error("the contact has not answered the offer of a new session")]
    Unanswered,
    /// Every number was used.
    #[error("no number is left in the session")]
    Exhausted,
    /// The key of this letter was used up since it was opened.
    #[error("the letter was opened before: its key is gone")]
    Spent,
    /// A state, an offer or a header that does not decode.
    #[error(transparent)]
    Record(wire::Error),
    /// The state's file.
    #[error(transparent)]
    State(#[from] state::Error),
    /// A key or ciphertext of the contact's is invalid.
    #[error("the contact's ratchet key is refused: {0}")]
    Key(#[from] kem::Error),
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

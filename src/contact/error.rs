//! Reasons why the contact book refuses.

use crate::crypto;
use crate::identity;
use crate::state;
use crate::wire;

/// Why the book refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no contact may bear.
    #[error("a contact's name has 1 to {max} characters and no path or control characters: {why}")]
    Name {
        /// Limit in characters.
        max: usize,
        /// The rule it breaks.
        why: &'static str,
    },
    /// No contact of that name.
    #[error("no contact is named {0:?}")]
    Unknown(String),
    /// The name belongs to another contact. Names that differ in case only are one name.
    #[error("the name {0:?} belongs to another contact")]
    NameTaken(String),
    /// The card's keys are in the book already, under this name.
    #[error("this card is in the book already, as {0:?}")]
    CardKnown(String),
    /// The contact has a card with the same keys that is as new or newer.
    #[error("{0:?} has another card with the same keys that is as new or newer")]
    CardOlder(String),
    /// More contacts than the book takes.
    #[error("the book is full: it takes {max} contacts")]
    Full {
        /// Limit.
        max: usize,
    },
    /// More of something than is kept.
    #[error("there are {max} {what}, and no room for more")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// Limit.
        max: usize,
    },
    /// One person, introduced to himself.
    #[error("somebody is not introduced to himself")]
    Oneself,
    /// A card that came by hand has a capability, which an introduction would pass on.
    #[error("the card of {0:?} came by hand and lets every reader of it push: it is not passed on")]
    HandedCard(String),
    /// Two of whom nobody can write to the other.
    #[error("neither card names a relay, so neither of the two can write to the other")]
    Unreachable,
    /// What an introducer writes is longer than allowed.
    #[error("a note has {max} bytes at most")]
    Note {
        /// Limit.
        max: usize,
    },
    /// What an introducer tells is nothing this program knows.
    #[error("an introduction that cannot be read: {0}")]
    Introduction(#[source] wire::Error),
    /// Nobody of that name was introduced, or it was too long ago.
    #[error("nobody named {0:?} was introduced")]
    NotIntroduced(String),
    /// An invite behind an introduction that is not the two's alone.
    #[error("the invite is not a secret one")]
    NotPrivate,
    /// Every sequence number to a contact was used.
    #[error("no sequence number is left for {0:?}")]
    Exhausted(String),
    /// A card in the book, or one to add, is no card.
    #[error(transparent)]
    Card(#[from] identity::Error),
    /// The state's file.
    #[error(transparent)]
    State(#[from] state::Error),
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

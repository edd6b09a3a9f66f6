//! Ways in which trust in a card came.

use crate::identity::Fingerprint;
use crate::wire::{Decode, Encode};

/// How one came to believe that a card is its owner's, the weakest first. New ways are added
/// at the end: a variant's place is its number in the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[non_exhaustive]
pub enum Trust {
    /// A card added by hand: as good as the way it came.
    CardByHand,
    /// Paired by a secret invite: as good as the way the invite went.
    SecretInvite,
    /// Paired, and each typed the digits that the other showed.
    Digits,
    /// Paired, and one typed the words that the other said.
    Words,
    /// Paired because somebody introduced the two: as good as he is honest.
    Introduced(Introducer),
    /// Both compared the 60 digits over their fingerprints and the pairing.
    Compared,
}

impl Trust {
    /// Returns how much it takes to be deceived, for comparing two ways: greater is stronger.
    pub(crate) fn strength(&self) -> u8 {
        match self {
            Self::CardByHand => 0,
            Self::Introduced(_) => 1,
            Self::SecretInvite => 2,
            Self::Digits => 3,
            Self::Words => 4,
            Self::Compared => 5,
        }
    }
}

/// Contact who introduced another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Introducer {
    /// Their name here when they did.
    pub name: String,
    pub(super) fingerprint: [u8; 32],
}

impl Introducer {
    /// Returns the name of their public keys.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.fingerprint)
    }
}

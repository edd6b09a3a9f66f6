//! A new machine that is about to become one of an identity's.

use crate::identity::Fingerprint;
use crate::state::Kept;
use crate::wire::{Decode, Encode, Record};

/// State of a new machine between runs, under the identity that it throws away.
#[derive(Debug, Default, Encode, Decode)]
pub(crate) struct Takeover {
    expected: Option<[u8; 32]>,
    /// The identity is being installed: one that is found in its place may be it.
    pub(crate) installing: bool,
}

impl Record for Takeover {
    const NAME: &'static str = "takeover";
    const VERSION: u8 = 1;
    const MAX: usize = 64;
}

impl Kept for Takeover {
    const FILE: &'static str = "takeover";
}

impl Takeover {
    /// Returns the fingerprint of the identity that the user confirmed, or that a script expects.
    pub(crate) fn expected(&self) -> Option<Fingerprint> {
        self.expected.map(Fingerprint::from_bytes)
    }

    /// Remembers it.
    pub(crate) fn expect(&mut self, fingerprint: &Fingerprint) {
        self.expected = Some(fingerprint.to_bytes());
    }
}

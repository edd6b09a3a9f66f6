//! A letter that was opened and may have to be opened again: its key is still there.

use std::fmt;

use crate::letter::ratchet::sessions::Machine;
use crate::letter::ratchet::state::Pending;
use crate::wire::{Decode, Encode, Record};

/// What opening a letter changes in a ratchet, put off until the command that was given it has
/// succeeded.
#[derive(Default, Encode, Decode)]
pub(crate) struct Owed(pub Option<Due>);

/// The change.
#[derive(Clone, Encode, Decode)]
pub(crate) struct Due {
    /// Fingerprint of the letter's sender.
    pub contact: [u8; 32],
    /// His machine.
    pub machine: Machine,
    /// For [`Sessions::apply`](crate::letter::ratchet::Sessions::apply).
    pub pending: Pending,
    /// When he wrote it, as he says.
    pub written: u64,
}

impl Record for Owed {
    const NAME: &'static str = "key to be erased";
    const VERSION: u8 = 1;
    const MAX: usize = 4 << 10;
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Due(..)")
    }
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owed(..)")
    }
}

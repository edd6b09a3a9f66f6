//! Letters that were opened and may have to be opened again: their keys are still there.

use std::fmt;

use crate::letter::ratchet::Machine;
use crate::letter::ratchet::Pending;
use crate::state::Kept;
use crate::wire::Decode;
use crate::wire::Encode;
use crate::wire::Record;

/// Most letters in hand at once; keys of further ones are erased when they are opened.
const MAX_OWED: usize = 64;

/// What opening changes in a ratchet, put off until the command that was given the letter has
/// succeeded.
#[derive(Default, Encode, Decode)]
pub struct Owed(Vec<Due>);

/// One letter's change.
#[derive(Clone, Encode, Decode)]
pub struct Due {
    /// The relay's id of the letter.
    pub id: [u8; 32],
    /// Fingerprint of its sender.
    pub contact: [u8; 32],
    /// His machine.
    pub machine: Machine,
    /// For [`Sessions::apply`](super::Sessions::apply).
    pub pending: Pending,
}

impl Record for Owed {
    const NAME: &'static str = "keys to be erased";
    const VERSION: u8 = 1;
    const MAX: usize = 256 << 10;
}

impl Kept for Owed {
    const FILE: &'static str = "owed";
}

impl Owed {
    /// Puts a change off. `false`: there are too many, and it is to be applied now.
    pub fn put_off(&mut self, due: Due) -> bool {
        self.0.retain(|known| known.id != due.id);
        let room = self.0.len() < MAX_OWED;
        if room {
            self.0.push(due);
        }
        room
    }

    /// The change of a letter.
    pub fn of(&self, id: &[u8; 32]) -> Option<&Due> {
        self.0.iter().find(|due| due.id == *id)
    }

    /// Forgets it, once it was applied.
    pub fn done(&mut self, id: &[u8; 32]) {
        self.0.retain(|due| due.id != *id);
    }
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

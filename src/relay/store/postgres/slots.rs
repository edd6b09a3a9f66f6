//! Which cluster has a mailbox: 1024 slots by the hash of its name.

use crate::crypto;
use crate::relay::protocol::Mailbox;

/// Slots there are, for ever.
pub(super) const SLOTS: i16 = 1024;

/// The slot of a mailbox: the first two bytes of the SHA-256 of its name, modulo 1024.
pub(super) fn of(mailbox: &Mailbox) -> i16 {
    let [high, low, ..] = crypto::sha256(&[&mailbox.0]);
    (i16::from(high & 3) << 8) | i16::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These numbers are in databases: they never change.
    #[test]
    fn golden_slots() {
        let slots = [0u8, 1, 2, 255].map(|n| of(&Mailbox([n; 32])));
        assert_eq!(slots, [616, 717, 391, 918]);
        assert!(slots.iter().all(|slot| (0..SLOTS).contains(slot)));
    }
}

//! Mailboxes that are made for one other person, and what is to be closed at a relay.

use std::sync::Arc;

use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// A mailbox of one's own that is made for one other person: where it is, and the random index
/// that its keys are derived by.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Own {
    /// The relay's URL.
    pub relay: String,
    /// As `contact_mailbox` or
    /// `meeting_mailbox` take it.
    pub index: [u8; 16],
}

/// Something at a relay that is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Closing {
    /// A mailbox that was made for a contact, here or on another machine.
    Mailbox(Own),
    /// A mailbox in which a pairing met.
    Meeting(Own),
    /// A capability for the mailbox on the own card.
    Capability {
        /// The relay of the mailbox.
        relay: String,
        /// The capability.
        capability: Arc<Secret<32>>,
    },
}

impl Closing {
    /// Returns the relay's URL.
    pub(crate) fn relay(&self) -> &str {
        match self {
            Self::Mailbox(own) | Self::Meeting(own) => &own.relay,
            Self::Capability { relay, .. } => relay,
        }
    }
}

//! Where a message goes.

use std::sync::Arc;

use crate::contact::pairing::error::Error;
use crate::crypto;
use crate::identity;
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// A mailbox on a relay, and the right to push to it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Address {
    /// URL of the relay, as on a card.
    pub relay: String,
    /// The mailbox's id: an Ed25519 public key.
    pub mailbox: [u8; 32],
    /// The capability to push there.
    pub capability: Arc<Secret<32>>,
}

impl Address {
    pub(in crate::contact) fn check(&self) -> Result<(), Error> {
        identity::check_relay(&self.relay).map_err(Error::Relay)?;
        crypto::check_signing_key(&self.mailbox).map_err(|_| Error::Mailbox)
    }
}

/// Bytes for a mailbox. Pushing the same bytes again is one message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Outgoing {
    /// The other side's mailbox.
    pub address: Address,
    /// [`MESSAGE`](super::MESSAGE) bytes that look random.
    pub bytes: Vec<u8>,
}

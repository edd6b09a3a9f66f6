//! Way for the invite between two contacts who were introduced to each other.

use std::sync::Arc;

use crate::contact::introduction::invite_capability;
use crate::identity::Fingerprint;
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// The secret that an introducer gave both, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Route {
    pub(super) of: [u8; 32],
    pub(super) by: [u8; 32],
    pub(super) secret: Arc<Secret<32>>,
    pub(super) state: State,
}

/// How far a route is used.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum State {
    Fresh,
    /// As the joiner: the mailbox on the own card is open to the capability, at this relay.
    Open(String),
    /// As the inviter: the invite was pushed.
    Sent,
}

impl Route {
    /// Derives the capability; `joiner` is the fingerprint of the contact who takes the invite up.
    pub(crate) fn capability(&self, joiner: &Fingerprint) -> Secret<32> {
        invite_capability(&self.secret, joiner)
    }
}

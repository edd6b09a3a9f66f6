//! One of the owner's other machines: which mailboxes the two have for each other, and what it is to
//! be told.

use crate::contact::pairs::mailbox::Own;
use crate::identity::{Fingerprint, Identity};
use crate::wire::{self, Decode, Encode, Record};

/// Labels of the mailboxes between two machines: that of the older machine, and of the newer.
const TO_OLDER: &[u8] = &[1];
const TO_NEWER: &[u8] = &[2];

/// Another machine of the owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Machine {
    /// The fingerprint that the newer of the two had before it had the identity.
    pub(super) id: [u8; 32],
    /// Whether this machine is the newer one.
    newer_here: bool,
    /// URL of the relay of both mailboxes.
    relay: String,
    pub(super) news: Vec<News>,
}

/// A contact was revoked, or the revocation was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct News {
    pub(super) fingerprint: [u8; 32],
    /// When, in seconds of Unix time.
    pub date: u64,
    /// Whether the contact is revoked since then.
    pub revoked: bool,
}

/// News as one machine writes them to another.
#[derive(Debug, Encode, Decode)]
pub(super) struct Letter {
    /// The machine that writes, as the reader knows it.
    pub(super) from: [u8; 32],
    pub(super) news: Vec<News>,
}

impl Record for Letter {
    const NAME: &'static str = "news from another machine";
    const VERSION: u8 = 1;
    const MAX: usize = 16 << 10;
}

impl News {
    /// Makes news of a contact.
    pub(crate) fn new(contact: &Fingerprint, date: u64, revoked: bool) -> Self {
        Self { fingerprint: contact.to_bytes(), date, revoked }
    }

    /// Returns the contact's fingerprint.
    pub(crate) fn contact(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.fingerprint)
    }
}

impl Machine {
    /// Makes what each of two machines keeps of the other. `id` is the fingerprint that the newer
    /// one had before.
    pub(crate) fn new(id: &Fingerprint, newer_here: bool, relay: &str) -> Self {
        Self { id: id.to_bytes(), newer_here, relay: relay.to_owned(), news: Vec::new() }
    }

    /// Returns what names the pair of machines.
    pub(crate) fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Derives the mailbox that this machine reads.
    pub(crate) fn inbox(&self, identity: &Identity) -> Own {
        self.mailbox(identity, self.newer_here)
    }

    /// Derives the mailbox that the other machine reads.
    pub(crate) fn outbox(&self, identity: &Identity) -> Own {
        self.mailbox(identity, !self.newer_here)
    }

    fn mailbox(&self, identity: &Identity, of_newer: bool) -> Own {
        let purpose = if of_newer { TO_NEWER } else { TO_OLDER };
        Own { relay: self.relay.clone(), index: identity.machine_index(&self.id, purpose) }
    }

    /// Returns what the other machine is to be told.
    pub(crate) fn news(&self) -> &[News] {
        &self.news
    }

    /// Encodes the news for the other machine.
    ///
    /// # Errors
    ///
    /// Of the encoding.
    pub(crate) fn letter(&self) -> Result<Vec<u8>, wire::Error> {
        wire::encode(&Letter { from: self.id, news: self.news.clone() })
    }
}

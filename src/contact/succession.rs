//! Successors: new identities of contacts whose old ones were stolen.
//!
//! The owner's side keeps what is still to be told ([`Untold`]); the contact's side keeps which new
//! identity was announced by which old one ([`Successors`]), beside the
//! [introduction](crate::contact::Introductions) that waits for the user.

use crate::contact::error::Error;
use crate::contact::pairing::{Invite, Kind, Outgoing};
use crate::contact::pairs::mailbox::Own;
use crate::identity::{Card, Fingerprint};
use crate::state::Kept;
use crate::wire::{self, Decode, Encode, Record};

/// Announcements that are remembered; the oldest is forgotten.
const MAX: usize = 512;

/// Announcement to a contact by an old identity: the new card, and an invite of the new identity.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Succession {
    card: Vec<u8>,
    /// For this contact alone.
    pub invite: Invite,
}

impl Record for Succession {
    const NAME: &'static str = "succession";
    const VERSION: u8 = 1;
    const MAX: usize = 4096;
}

impl Succession {
    /// Announces the owner of a card.
    pub(crate) fn new(card: &Card, invite: Invite) -> Self {
        Self { card: card.to_bytes().to_vec(), invite }
    }

    /// Reads what [`Succession::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::NotPrivate`] when others could read the invite: it is sealed, so it is a secret one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let read: Self = wire::decode(bytes).map_err(Error::Introduction)?;
        read.card()?;
        if !matches!(read.invite.kind(), Kind::Secret(_)) {
            return Err(Error::NotPrivate);
        }
        Ok(read)
    }

    /// Encodes it for a letter.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        wire::encode(self).map_err(Error::Introduction)
    }

    /// Returns the new card.
    pub(crate) fn card(&self) -> Result<Card, Error> {
        Ok(Card::from_bytes(&self.card)?)
    }
}

/// A new identity, and the old one that announced it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Announced {
    old: [u8; 32],
    new: [u8; 32],
}

/// Successors that contacts announced and that are not paired with.
#[derive(Debug, Default, Encode, Decode)]
pub(crate) struct Successors {
    /// The oldest first.
    announced: Vec<Announced>,
}

impl Record for Successors {
    const NAME: &'static str = "successors";
    const VERSION: u8 = 1;
    const MAX: usize = 64 << 10;
}

impl Kept for Successors {
    const FILE: &'static str = "successors";
}

impl Successors {
    /// Remembers that `old` announced `new`.
    pub(crate) fn announce(&mut self, old: &Fingerprint, new: &Fingerprint) {
        let one = Announced { old: old.to_bytes(), new: new.to_bytes() };
        self.announced.retain(|known| *known != one);
        if self.announced.len() >= MAX {
            self.announced.remove(0);
        }
        self.announced.push(one);
    }

    /// Returns whether `old` announced `new`.
    pub(crate) fn is_of(&self, old: &Fingerprint, new: &Fingerprint) -> bool {
        self.announced.contains(&Announced { old: old.to_bytes(), new: new.to_bytes() })
    }

    /// Forgets a successor that is paired with, or was refused.
    pub(crate) fn forget(&mut self, new: &Fingerprint) {
        self.announced.retain(|known| known.new != new.to_bytes());
    }
}

/// A contact who is to be told of the new identity, by letters that the old one sealed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Untold {
    /// The contact's name.
    pub name: String,
    /// The letters, one for each machine of the contact.
    pub letters: Vec<Outgoing>,
    /// Mailbox in which the new identity waits for the contact: registered before a letter leaves.
    pub meeting: Own,
    /// The new identity's mailbox for the contact's letters.
    pub mailbox: Own,
    /// When the invite expires, in seconds of Unix time.
    pub expires: u64,
}

/// Contacts who are still to be told of this identity.
#[derive(Debug, Default, Encode, Decode)]
pub(crate) struct Untolds {
    /// Those contacts.
    pub contacts: Vec<Untold>,
}

impl Record for Untolds {
    const NAME: &'static str = "untold contacts";
    const VERSION: u8 = 1;
    const MAX: usize = 16 << 20;
}

impl Kept for Untolds {
    const FILE: &'static str = "untold";
}

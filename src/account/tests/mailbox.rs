//! One mailbox at a relay in memory: what it holds, and what a relay that lies shows of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto;
use crate::relay::client::{Error, Pushed};
use crate::relay::protocol::{CapabilityId, Entry, Id, Mailbox, Terms};

pub(super) const HOUR: u64 = 3600;
/// Life of a message, in seconds.
pub(super) const LIFE: u64 = 30 * 24 * HOUR;
/// Seconds for which a relay knows what was acknowledged.
const ACKED: u64 = 24 * HOUR;
pub(super) const MAX_CAPABILITIES: usize = 100;

/// Lies of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lie {
    /// Lists no message.
    Hides,
    /// Deletes nothing, and says that it did.
    KeepsAcknowledged,
    /// Lists every message that was ever pushed to the mailbox.
    Replays,
    /// Lists the newest message first.
    Reorders,
    /// Hands out bytes of which one is changed.
    FlipsBytes,
    /// Hands out the bytes of another message.
    SwapsBytes,
    /// Says that every message has another size.
    Resizes,
    /// Lists messages in each mailbox that were pushed to any.
    Misdelivers,
    /// Registers, and says that it refused.
    DeniesRegistration,
    /// Takes pushes, and drops them.
    DropsPushes,
    /// Takes pushes, and says that there is no such mailbox.
    DeniesPushes,
    /// Says of every mailbox that there is none.
    DeniesMailboxes,
}

#[derive(Clone, Default)]
pub(super) struct Stored {
    pub(super) capabilities: BTreeMap<CapabilityId, (Terms, u64)>,
    pub(super) messages: Vec<Message>,
    pub(super) acked: BTreeMap<Id, u64>,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: Id,
    pub(super) bytes: Vec<u8>,
    pub(super) capability: CapabilityId,
    pub(super) expires: u64,
}

impl Message {
    pub(super) fn entry(&self) -> Entry {
        Entry { id: self.id, size: self.bytes.len() as u64, expires: self.expires }
    }
}

/// What a relay may claim of a mailbox.
pub(super) struct Claims<'a> {
    pub(super) name: Mailbox,
    pub(super) lies: &'a BTreeSet<Lie>,
    pub(super) pushed: &'a [(Mailbox, Message)],
    pub(super) now: u64,
}

impl Claims<'_> {
    pub(super) fn are(&self, lie: Lie) -> bool {
        self.lies.contains(&lie)
    }

    /// Returns the messages that are shown, oldest first.
    pub(super) fn shown(&self, mailbox: &Stored) -> Vec<Message> {
        if self.are(Lie::Hides) {
            return Vec::new();
        }
        let mut shown = mailbox.messages.clone();
        let is_here = |to: &Mailbox| *to == self.name;
        for (to, message) in self.pushed {
            if (self.are(Lie::Misdelivers) || self.are(Lie::Replays) && is_here(to))
                && shown.iter().all(|other| other.id != message.id)
            {
                shown.push(message.clone());
            }
        }
        if self.are(Lie::Reorders) {
            shown.reverse();
        }
        shown
    }

    /// Returns the bytes that are handed out for an id.
    pub(super) fn bytes(&self, mailbox: &Stored, id: &Id) -> Result<Vec<u8>, Error> {
        let shown = self.shown(mailbox);
        let found = shown.iter().find(|message| message.id == *id).ok_or(Error::NoMessage(*id))?;
        let mut bytes = found.bytes.clone();
        if self.are(Lie::FlipsBytes) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        if self.are(Lie::SwapsBytes)
            && let Some(other) = self.pushed.iter().find(|(_, other)| other.id != *id)
        {
            bytes.clone_from(&other.1.bytes);
        }
        Ok(bytes)
    }
}

impl Stored {
    pub(super) fn expire(&mut self, now: u64) {
        self.messages.retain(|message| now < message.expires);
        self.acked.retain(|_, at| now < *at + ACKED);
        self.capabilities.retain(|_, (terms, _)| terms.expires.is_none_or(|end| now < end));
    }

    pub(super) fn push(&mut self, message: Message, now: u64) -> Result<Pushed, Error> {
        if crypto::sha256(&[&message.bytes]) != message.id.0 {
            return Err(Error::Refused { code: "wrong_hash".into(), message: String::new() });
        }
        let (terms, total) = *self.capabilities.get(&message.capability).ok_or(Error::Denied)?;
        let known = self.messages.iter().any(|other| other.id == message.id);
        if known || self.acked.get(&message.id).is_some_and(|at| now < *at + ACKED) {
            return Ok(Pushed::Already);
        }
        if terms.total.is_some_and(|most| total >= most) {
            return Err(Error::Denied);
        }
        let (messages, bytes) = self.share(&message.capability);
        if terms.messages.is_some_and(|most| messages >= most)
            || terms.bytes.is_some_and(|most| bytes + message.bytes.len() as u64 > most)
        {
            return Err(Error::Full("share_full".into()));
        }
        self.capabilities.insert(message.capability, (terms, total + 1));
        self.messages.push(message);
        Ok(Pushed::New)
    }

    /// Returns how many messages of a capability wait, and their bytes.
    pub(super) fn share(&self, capability: &CapabilityId) -> (u64, u64) {
        let of = self.messages.iter().filter(|message| message.capability == *capability);
        of.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.bytes.len() as u64))
    }
}

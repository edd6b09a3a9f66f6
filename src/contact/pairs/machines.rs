//! The owner's other machines: which mailboxes they have, and what they are to be told.
//!
//! All keys come from one identity, so a machine that knows the index of a mailbox can close it. When
//! a machine is taken into use the two know each other's mailboxes: the new one is told those of the
//! old one, and chooses its own by [`Identity::machine_index`], which the old one computes too. A
//! mailbox that is made later is known to its machine alone; the two therefore also have a mailbox
//! each for [`News`] from the other.

use super::Closing;
use super::MAX_LINKS;
use super::Own;
use super::Pairs;
use crate::identity::Fingerprint;
use crate::identity::Identity;
use crate::identity::MAX_MACHINES;
use crate::wire;
use crate::wire::Decode;
use crate::wire::Encode;
use crate::wire::Record;

/// News that wait for one machine: as many as fit a notice. The oldest makes room.
const MAX_NEWS: usize = 256;
/// Labels of the mailboxes between two machines: that of the older machine, and of the newer.
const TO_OLDER: &[u8] = &[1];
const TO_NEWER: &[u8] = &[2];

/// Another machine of the owner.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Machine {
    /// The fingerprint that the newer of the two had before it had the identity.
    id: [u8; 32],
    /// Whether this machine is the newer one.
    newer_here: bool,
    /// URL of the relay of both mailboxes.
    relay: String,
    news: Vec<News>,
}

/// A contact was revoked, or the revocation was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct News {
    fingerprint: [u8; 32],
    /// When, in seconds of Unix time.
    pub date: u64,
    /// Whether the contact is revoked since then.
    pub revoked: bool,
}

/// News as one machine writes them to another.
#[derive(Debug, Encode, Decode)]
struct Letter {
    /// The machine that writes, as the reader knows it.
    from: [u8; 32],
    news: Vec<News>,
}

impl Record for Letter {
    const NAME: &'static str = "news from another machine";
    const VERSION: u8 = 1;
    const MAX: usize = 16 << 10;
}

impl News {
    /// Makes news of a contact.
    pub fn new(contact: &Fingerprint, date: u64, revoked: bool) -> Self {
        Self { fingerprint: contact.to_bytes(), date, revoked }
    }

    /// Returns the contact's fingerprint.
    pub fn contact(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.fingerprint)
    }
}

impl Machine {
    /// Makes what each of two machines keeps of the other. `id` is the fingerprint that the newer
    /// one had before.
    pub fn new(id: &Fingerprint, newer_here: bool, relay: &str) -> Self {
        Self { id: id.to_bytes(), newer_here, relay: relay.to_owned(), news: Vec::new() }
    }

    /// Returns what names the pair of machines.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Derives the mailbox that this machine reads.
    pub fn inbox(&self, identity: &Identity) -> Own {
        self.mailbox(identity, self.newer_here)
    }

    /// Derives the mailbox that the other machine reads.
    pub fn outbox(&self, identity: &Identity) -> Own {
        self.mailbox(identity, !self.newer_here)
    }

    fn mailbox(&self, identity: &Identity, of_newer: bool) -> Own {
        let purpose = if of_newer { TO_NEWER } else { TO_OLDER };
        Own { relay: self.relay.clone(), index: identity.machine_index(&self.id, purpose) }
    }

    /// Returns what the other machine is to be told.
    pub fn news(&self) -> &[News] {
        &self.news
    }

    /// Encodes the news for the other machine.
    ///
    /// # Errors
    ///
    /// Of the encoding.
    pub fn letter(&self) -> Result<Vec<u8>, wire::Error> {
        wire::encode(&Letter { from: self.id, news: self.news.clone() })
    }
}

impl Pairs {
    /// The other machines that are known here.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Remembers another machine.
    pub fn add_machine(&mut self, machine: Machine) {
        if self.machines.iter().any(|known| known.id == machine.id) {
            return;
        }
        if self.machines.len() >= MAX_MACHINES {
            self.machines.remove(0);
        }
        self.machines.push(machine);
    }

    /// Remembers the mailboxes that a new machine makes for the contacts, of which it is told now:
    /// by [`Identity::machine_index`], at the relays of the mailboxes here.
    pub fn foresee(&mut self, identity: &Identity, machine: &Fingerprint) {
        let open = self.mailboxes().filter(|(_, contact)| contact != machine);
        let foreseen: Vec<_> = open
            .map(|(own, contact)| {
                let index = identity.machine_index(&machine.to_bytes(), &contact.to_bytes());
                (contact, Own { relay: own.relay.clone(), index })
            })
            .collect();
        foreseen.into_iter().for_each(|(contact, own)| self.add_elsewhere(&contact, own));
    }

    /// Remembers a mailbox for a contact on another machine.
    pub fn add_elsewhere(&mut self, contact: &Fingerprint, own: Own) {
        let here = self.links.iter().any(|link| link.mailbox == own);
        if !here && !self.elsewhere.iter().any(|(_, known)| *known == own) {
            if self.elsewhere.len() >= MAX_LINKS {
                self.elsewhere.remove(0);
            }
            self.elsewhere.push((contact.to_bytes(), own));
        }
    }

    /// Remembers to tell the other machines, except the one with this id.
    pub fn tell_machines(&mut self, news: &News, except: Option<&[u8; 32]>) {
        for machine in self.machines.iter_mut().filter(|machine| Some(&machine.id) != except) {
            machine.news.retain(|old| old.fingerprint != news.fingerprint);
            if machine.news.len() >= MAX_NEWS {
                machine.news.remove(0);
            }
            machine.news.push(news.clone());
        }
    }

    /// Forgets news that another machine was told.
    pub fn told(&mut self, id: &[u8; 32], news: &[News]) {
        for machine in self.machines.iter_mut().filter(|machine| machine.id == *id) {
            machine.news.retain(|one| !news.contains(one));
        }
    }

    /// Reads the news of another machine: its id, and what it says.
    ///
    /// # Errors
    ///
    /// Of the encoding.
    pub fn read_news(bytes: &[u8]) -> Result<([u8; 32], Vec<News>), wire::Error> {
        let Letter { from, news } = wire::decode(bytes)?;
        Ok((from, news))
    }

    pub(super) fn machines_are_sound(&self) -> bool {
        self.machines.len() <= MAX_MACHINES
            && self.elsewhere.len() <= MAX_LINKS
            && self.closing.len() <= MAX_LINKS
    }

    /// Adds what another copy of this state knows of machines.
    pub(super) fn merge_machines(
        &mut self,
        machines: Vec<Machine>,
        elsewhere: Vec<([u8; 32], Own)>,
        closing: Vec<(Closing, u64)>,
    ) {
        machines.into_iter().for_each(|machine| self.add_machine(machine));
        for (contact, own) in elsewhere {
            self.add_elsewhere(&Fingerprint::from_bytes(contact), own);
        }
        closing.into_iter().for_each(|(closing, until)| self.close_later(closing, until));
    }
}

//! The owner's other machines: which mailboxes they have, and what they are to be told.
//!
//! All keys come from one identity, so a machine that knows the index of a mailbox can close it. When
//! a machine is taken into use the two know each other's mailboxes: the new one is told those of the
//! old one, and chooses its own by [`Identity::machine_index`], which the old one computes too. A
//! mailbox that is made later is known to its machine alone; the two therefore also have a mailbox
//! each for [`News`] from the other.

use crate::contact::pairs::machine::{Letter, Machine, News};
use crate::contact::pairs::mailbox::{Closing, Own};
use crate::contact::pairs::{MAX_LINKS, Pairs};
use crate::identity::{Fingerprint, Identity, MAX_MACHINES};
use crate::wire;

/// News that wait for one machine: as many as fit a notice. The oldest makes room.
const MAX_NEWS: usize = 256;

impl Pairs {
    /// The other machines that are known here.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Remembers another machine.
    pub(crate) fn add_machine(&mut self, machine: Machine) {
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
    pub(crate) fn foresee(&mut self, identity: &Identity, machine: &Fingerprint) {
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
    pub(crate) fn add_elsewhere(&mut self, contact: &Fingerprint, own: Own) {
        let here = self.links.iter().any(|link| link.mailbox == own);
        if !here && !self.elsewhere.iter().any(|(_, known)| *known == own) {
            if self.elsewhere.len() >= MAX_LINKS {
                self.elsewhere.remove(0);
            }
            self.elsewhere.push((contact.to_bytes(), own));
        }
    }

    /// Remembers to tell the other machines, except the one with this id.
    pub(crate) fn tell_machines(&mut self, news: &News, except: Option<&[u8; 32]>) {
        for machine in self.machines.iter_mut().filter(|machine| Some(&machine.id) != except) {
            machine.news.retain(|old| old.fingerprint != news.fingerprint);
            if machine.news.len() >= MAX_NEWS {
                machine.news.remove(0);
            }
            machine.news.push(news.clone());
        }
    }

    /// Forgets news that another machine was told.
    pub(crate) fn told(&mut self, id: &[u8; 32], news: &[News]) {
        for machine in self.machines.iter_mut().filter(|machine| machine.id == *id) {
            machine.news.retain(|one| !news.contains(one));
        }
    }

    /// Reads the news of another machine: its id, and what it says.
    ///
    /// # Errors
    ///
    /// Of the encoding.
    pub(crate) fn read_news(bytes: &[u8]) -> Result<([u8; 32], Vec<News>), wire::Error> {
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

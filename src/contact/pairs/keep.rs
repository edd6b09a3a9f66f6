//! Links that are kept in a backup, and put back from one.

use crate::contact::error::Error;
use crate::contact::pairs::mailbox::Own;
use crate::contact::pairs::{Link, MAX_LINKS, Pairs};
use crate::identity::{Fingerprint, MAX_MACHINES};

impl Pairs {
    /// Returns the part that a backup keeps: the links, and what is known of other machines. Pairings under way are not: an invite that was used since,
    /// or digits that were mistyped, would be good once more. Nor are introductions, for the same
    /// reason.
    pub(crate) fn kept(&self) -> Self {
        Self {
            links: self.links.clone(),
            machines: self.machines.clone(),
            elsewhere: self.elsewhere.clone(),
            closing: self.closing.clone(),
            ..Self::default()
        }
    }

    /// Whether it is as [`Pairs::kept`] and a pairing leave it.
    pub(crate) fn is_sound(&self) -> bool {
        self.underway.is_empty()
            && self.introductions.is_empty()
            && self.abandoned.is_empty()
            && self.routes.is_empty()
            && self.barred.is_empty()
            && self.machines_are_sound()
            && self.links.len() <= MAX_LINKS
            && self.links.iter().all(|link| link.is_sound())
    }

    /// How many mailboxes letters come to.
    pub fn open(&self) -> usize {
        self.mailboxes().count()
    }

    /// Adds the links of the same owner that are not here; says how many. A link that is here stays
    /// as it is: what came after the backup holds.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn merge(&mut self, other: Self) -> Result<usize, Error> {
        let mut links = other.links;
        links.retain(|link| !self.links.iter().any(|known| known.mailbox == link.mailbox));
        let added = links.len();
        if self.links.len() + added > MAX_LINKS {
            return Err(Error::TooMany { what: "links", max: MAX_LINKS });
        }
        // The newest is last, and what is here is newer than what was kept.
        links.append(&mut self.links);
        self.links = links;
        self.merge_machines(other.machines, other.elsewhere, other.closing);
        Ok(added)
    }
}

impl Pairs {
    /// Takes the contacts of another machine of the same owner. With each of them whom this one has
    /// no link with it gets one: the same secret, where they take letters, and a mailbox of its own,
    /// as `own` makes it for a contact from that of the other machine. Remembers the mailboxes of
    /// the other machines. Says how many links are new.
    ///
    /// # Errors
    ///
    /// Of `own`; [`Error::TooMany`].
    pub(crate) fn take_over<E: From<Error>>(
        &mut self,
        other: Self,
        own: impl Fn(&Fingerprint, &Own) -> Result<Own, E>,
    ) -> Result<usize, E> {
        let mut taken = 0;
        let theirs = other.links.iter().filter(|link| link.open);
        let theirs = theirs.map(|link| (link.fingerprint, link.mailbox.clone()));
        let elsewhere: Vec<_> = theirs.chain(other.elsewhere.iter().cloned()).collect();
        // Who paired twice has the last of it, unless that was closed.
        for link in other.links.into_iter().rev().filter(|link| link.open) {
            if self.links.iter().any(|known| known.fingerprint == link.fingerprint) {
                continue;
            }
            if self.links.len() >= MAX_LINKS {
                return Err(Error::TooMany { what: "links", max: MAX_LINKS }.into());
            }
            let mailbox = own(&Fingerprint::from_bytes(link.fingerprint), &link.mailbox)?;
            self.links.push(Link { mailbox, ..link });
            taken += 1;
        }
        for (contact, own) in elsewhere {
            self.add_elsewhere(&Fingerprint::from_bytes(contact), own);
        }
        Ok(taken)
    }
}

impl Link {
    fn is_sound(&self) -> bool {
        (1..=MAX_MACHINES).contains(&self.machines.len())
            && self.machines.iter().all(|machine| machine.check().is_ok())
    }
}

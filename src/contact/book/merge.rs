//! A book that is put back from a backup, beside what is in the book already.

use crate::contact::book::{Book, Contact, MAX_ANONYMOUS, MAX_CONTACTS, MAX_STRANGERS, Taken};
use crate::contact::error::Error;
use crate::contact::memory::Received;
use crate::contact::name::check_name;
use crate::identity::Card;

/// What `Book::merge` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Contacts that were not in the book.
    pub added: usize,
    /// Contacts that were, and of whom something later is known now.
    pub updated: usize,
    /// Contacts whose name belongs to another here, or may not be one: the name there, and the one
    /// they got.
    pub renamed: Vec<(String, String)>,
}

impl Book {
    /// What a backup keeps of the book: all but the places of letters sent. Numbers that are used
    /// after the backup are not in it, so whoever goes on from it begins a new stream to each.
    pub(crate) fn kept(&self) -> Self {
        let mut book = self.clone();
        book.contacts.iter_mut().for_each(|contact| contact.sent = None);
        book
    }

    /// Adds what another book of the same owner has besides. Later settings and cards hold, and
    /// the later way that trust came; what either remembers of letters stays remembered, within
    /// the bounds of a book, where the other's goes first.
    ///
    /// # Errors
    ///
    /// [`Error::Full`]; and when the other was not written by a book: [`Error::Card`]. The book is changed in part then, and to be dropped.
    pub(crate) fn merge(&mut self, other: Self) -> Result<Merged, Error> {
        let mut merged = Merged::default();
        if other.settings.changed > self.settings.changed {
            self.settings = other.settings;
        }
        for contact in other.contacts {
            self.merge_contact(contact, &mut merged)?;
        }
        for (_, handed) in other.handed {
            self.take_card(&Card::from_bytes(&handed)?)?;
        }
        self.sort();
        for (sender, received) in other.strangers.into_iter().rev().take(MAX_STRANGERS) {
            self.merge_stranger(sender, received);
        }
        self.anonymous.merge(other.anonymous, MAX_ANONYMOUS);
        self.merge_marks(other.marks);
        Ok(merged)
    }

    fn merge_contact(&mut self, mut theirs: Contact, merged: &mut Merged) -> Result<(), Error> {
        let card = theirs.card()?;
        theirs.fingerprint = card.fingerprint().to_bytes();
        let updated = self.take_card(&card)? == Taken::New;
        if let Some(ours) = self.contacts.iter_mut().find(|c| c.fingerprint == theirs.fingerprint) {
            let before = ours.clone();
            if ours.since < theirs.since {
                (ours.trust, ours.since) = (theirs.trust, theirs.since);
            }
            ours.received.merge(theirs.received);
            merged.updated += usize::from(updated || *ours != before);
            return Ok(());
        }
        if self.contacts.len() >= MAX_CONTACTS {
            return Err(Error::Full { max: MAX_CONTACTS });
        }
        // A name that was fine for an older program need not be now.
        let wanted = Some(theirs.name.as_str()).filter(|name| check_name(name).is_ok());
        let name = self.free_name(wanted.unwrap_or("contact"));
        if name != theirs.name {
            merged.renamed.push((theirs.name, name.clone()));
        }
        // Put together anew, whatever bounds the other one's writer has kept.
        let mut received = self.take_stranger(&theirs.fingerprint).unwrap_or_default();
        received.merge(theirs.received);
        self.contacts.push(Contact { name, received, sent: None, ..theirs });
        merged.added += 1;
        Ok(())
    }

    /// Takes what is remembered of a sender who is no contact there. One that is new here counts as
    /// longest silent.
    fn merge_stranger(&mut self, sender: [u8; 32], received: Received) {
        if let Some(known) = self.contacts.iter_mut().find(|c| c.fingerprint == sender) {
            return known.received.merge(received);
        }
        if let Some((_, known)) = self.strangers.iter_mut().find(|s| s.0 == sender) {
            return known.merge(received);
        }
        if self.strangers.len() < MAX_STRANGERS {
            let mut anew = Received::default();
            anew.merge(received);
            self.strangers.insert(0, (sender, anew));
        }
    }
}

//! The book: contacts by name, the owner's own settings, and what is remembered of letters.

mod cards;
mod mark;
pub(super) mod merge;
mod succeed;

use crate::contact::error::Error;
use crate::contact::memory::{Ids, Place, Receipt, Received};
use crate::contact::name::{check_name, fold, numbered};
use crate::contact::trust::{Introducer, Trust};
use crate::crypto;
use crate::identity::{Card, Fingerprint};
use crate::state::{Kept, StateFile};
use crate::text;
use crate::wire::{Decode, Encode, Record};

/// Contacts in a book. With the bounds of `memory` the fullest book fits its record.
const MAX_CONTACTS: usize = 512;
/// Unknown senders whose letters are remembered; the one longest silent is forgotten.
const MAX_STRANGERS: usize = 64;
/// Ids of anonymous letters remembered; the oldest is forgotten.
const MAX_ANONYMOUS: usize = 4096;

/// What the owner of the book says of himself: what his card is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// His name on the card.
    pub name: String,
    /// His relay, where letters to him are pushed.
    pub relay: Option<String>,
    /// Generation of the capability on his card.
    pub generation: u32,
    /// When these were last changed, in seconds of Unix time: the date of the card.
    pub changed: u64,
}

/// Somebody in the book.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Contact {
    name: String,
    fingerprint: [u8; 32],
    /// Verified when it was added and again by [`Contact::card`]: a signature a contact would
    /// be a slow way to look one up.
    card: Vec<u8>,
    trust: Trust,
    since: u64,
    /// The last letter numbered.
    sent: Option<Place>,
    received: Received,
}

impl Contact {
    /// The name its owner of the book gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its public keys.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.fingerprint)
    }

    /// Its card.
    pub(crate) fn card(&self) -> Result<Card, Error> {
        Ok(Card::from_bytes(&self.card)?)
    }

    /// How its card came to be trusted.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// When that was, in seconds of Unix time.
    pub fn since(&self) -> u64 {
        self.since
    }
}

impl From<&Contact> for Introducer {
    fn from(contact: &Contact) -> Self {
        Self { name: contact.name.clone(), fingerprint: contact.fingerprint }
    }
}

/// What `Book::add` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// The contact is new.
    New,
    /// The contact was there; its card is replaced by a later one with the same keys.
    Refreshed,
    /// The contact was there with this very card.
    Unchanged,
}

/// The mark of one fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Mark {
    fingerprint: [u8; 32],
    /// The strongest verification, and when it was made, in seconds of Unix time.
    verified: Option<(Trust, u64)>,
    /// When it was revoked, in seconds of Unix time.
    revoked: Option<u64>,
}

/// Outcome of adding a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It is kept, and was not known.
    New,
    /// It is known.
    Known,
    /// One of its kind that is as new or newer is kept.
    Older,
}

/// Contacts, settings, and what is remembered of letters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Book {
    /// What the owner says of himself.
    pub settings: Settings,
    contacts: Vec<Contact>,
    /// The one heard last is last.
    strangers: Vec<([u8; 32], Received)>,
    anonymous: Ids,
    /// The oldest first.
    marks: Vec<Mark>,
    /// Cards with a capability, handed out by hand, of contacts who also have a card without.
    handed: Vec<([u8; 32], Vec<u8>)>,
}

impl Record for Book {
    const NAME: &'static str = "contact book";
    const VERSION: u8 = 3;
    const MAX: usize = 16 << 20;
    // Version 1 had no marks, version 2 no cards beside those of the contacts.
    const OLDER: &'static [(u8, &'static [u8])] = &[(1, &[0, 0]), (2, &[0])];
}

impl Kept for Book {
    const FILE: &'static str = "book";
}

/// The contact book in a folder, under the key that
/// [`Identity::storage_key`](crate::identity::Identity::storage_key) gives for
/// [`STORAGE_BOOK`](crypto::label::STORAGE_BOOK).
pub(crate) type BookFile = StateFile<Book>;

impl Book {
    /// All contacts, by name.
    pub fn contacts(&self) -> impl ExactSizeIterator<Item = &Contact> {
        self.contacts.iter()
    }

    /// The contact of a name; upper and lower case are one.
    pub fn get(&self, name: &str) -> Result<&Contact, Error> {
        let at = self.position(name)?;
        self.contacts.get(at).ok_or_else(|| Error::Unknown(name.into()))
    }

    /// Returns what the names of all contacts look like.
    pub fn lookalikes(&self) -> Lookalikes<'_> {
        Lookalikes(self.contacts.iter().map(|of| (text::Likeness::of(&of.name), of)).collect())
    }

    /// The contact with these public keys.
    pub fn by_fingerprint(&self, fingerprint: &Fingerprint) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.fingerprint == fingerprint.to_bytes())
    }

    /// Adds a contact; `now` is Unix time in seconds.
    ///
    /// A card with the same keys replaces the one under the same name when it is later: its
    /// owner has another relay or name. Other keys under a known name are another person:
    /// the old contact must be removed first.
    ///
    /// # Errors
    ///
    /// [`Error::Name`], [`Error::NameTaken`], [`Error::CardKnown`] when the keys are in the
    /// book under another name, [`Error::CardOlder`], [`Error::Full`].
    pub(crate) fn add(
        &mut self,
        name: &str,
        card: &Card,
        trust: Trust,
        now: u64,
    ) -> Result<Added, Error> {
        check_name(name)?;
        let fingerprint = card.fingerprint().to_bytes();
        if let Some(known) = self.contacts.iter().find(|c| c.fingerprint == fingerprint) {
            if fold(&known.name) != fold(name) {
                return Err(Error::CardKnown(known.name.clone()));
            }
            let name = known.name.clone();
            return match self.take_card(card)? {
                Taken::New => Ok(Added::Refreshed),
                Taken::Known => Ok(Added::Unchanged),
                Taken::Older => Err(Error::CardOlder(name)),
            };
        }
        if self.position(name).is_ok() {
            return Err(Error::NameTaken(name.into()));
        }
        if self.contacts.len() >= MAX_CONTACTS {
            return Err(Error::Full { max: MAX_CONTACTS });
        }
        // What came from this sender while he was a stranger stays remembered.
        let received = self.take_stranger(&fingerprint).unwrap_or_default();
        self.contacts.push(Contact {
            name: name.into(),
            fingerprint,
            card: card.to_bytes().to_vec(),
            trust,
            since: now,
            sent: None,
            received,
        });
        self.sort();
        Ok(Added::New)
    }

    /// Takes somebody as a contact who was paired with; returns his name here.
    ///
    /// Who is in the book keeps his name; else he gets the one that is wanted, or calls himself by,
    /// with a number behind it when it is another's.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] when the wanted name is none, [`Error::Full`].
    pub(crate) fn pair(
        &mut self,
        wanted: Option<&str>,
        card: &Card,
        trust: Trust,
        now: u64,
    ) -> Result<String, Error> {
        // Whatever the contact shows from here on, a stronger verification stays on record.
        self.verify_as_known(&card.fingerprint());
        self.verify(&card.fingerprint(), &trust, now);
        let fingerprint = card.fingerprint().to_bytes();
        self.take_card(card)?;
        if let Some(known) = self.contacts.iter_mut().find(|c| c.fingerprint == fingerprint) {
            // Who is known in a better way than by somebody's word stays so.
            let better = !matches!(known.trust, Trust::CardByHand | Trust::Introduced(_))
                && matches!(trust, Trust::Introduced(_));
            if !better {
                (known.trust, known.since) = (trust, now);
            }
            return Ok(known.name.clone());
        }
        let own = Some(card.name()).filter(|name| check_name(name).is_ok());
        let name = self.free_name(wanted.or(own).unwrap_or("contact"));
        self.add(&name, card, trust, now)?;
        Ok(name)
    }

    fn free_name(&self, name: &str) -> String {
        numbered(name, |name| self.position(name).is_ok())
    }

    /// Gives a contact another name.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), Error> {
        check_name(new)?;
        let at = self.position(old)?;
        if self.position(new).is_ok_and(|other| other != at) {
            return Err(Error::NameTaken(new.into()));
        }
        if let Some(contact) = self.contacts.get_mut(at) {
            contact.name = new.into();
        }
        self.sort();
        Ok(())
    }

    /// Removes a contact and returns it. What came from it stays remembered, as of a stranger.
    pub(crate) fn remove(&mut self, name: &str) -> Result<Contact, Error> {
        let at = self.position(name)?;
        if let Some(fingerprint) = self.contacts.get(at).map(Contact::fingerprint) {
            self.verify_as_known(&fingerprint);
        }
        let contact = self.contacts.remove(at);
        self.handed.retain(|(of, _)| *of != contact.fingerprint);
        self.remember_stranger(contact.fingerprint, contact.received.clone());
        Ok(contact)
    }

    /// The place of the next letter to a contact. It must be durable before the letter leaves:
    /// see [`BookFile::next_outgoing`](crate::contact::BookFile::next_outgoing).
    pub(crate) fn next_outgoing(&mut self, name: &str) -> Result<Place, Error> {
        let at = self.position(name)?;
        let contact = self.contacts.get_mut(at).ok_or_else(|| Error::Unknown(name.into()))?;
        let last = match contact.sent {
            Some(place) => place,
            None => Place { stream: crypto::random()?, seq: 0 },
        };
        let seq = last.seq.checked_add(1).ok_or_else(|| Error::Exhausted(contact.name.clone()))?;
        Ok(*contact.sent.insert(Place { seq, ..last }))
    }

    /// Begins a new stream with the next letter to somebody: the numbers so far may have been used
    /// by another copy of this book.
    pub(crate) fn begin_stream(&mut self, fingerprint: &Fingerprint) {
        let fingerprint = fingerprint.to_bytes();
        for contact in self.contacts.iter_mut().filter(|c| c.fingerprint == fingerprint) {
            contact.sent = None;
        }
    }

    /// What the memory says of a letter, before any of it is let out. `sender` is whom its
    /// authenticator proved, `None` when it is anonymous; `id` the letter's id.
    pub(crate) fn check(
        &self,
        sender: Option<&Fingerprint>,
        id: &[u8; 16],
        place: Option<Place>,
    ) -> Receipt {
        let Some(sender) = sender else { return self.anonymous.check(id) };
        let known = self.by_fingerprint(sender).map(|contact| &contact.received);
        let stranger = || self.strangers.iter().find(|s| s.0 == sender.to_bytes()).map(|s| &s.1);
        match known.or_else(stranger) {
            Some(received) => received.check(id, place),
            None => Received::default().check(id, place),
        }
    }

    /// Remembers a letter, when all of it was let out and is durable: killed in between, the
    /// letter comes again rather than being lost. Returns what [`Book::check`] says, which may
    /// have changed meanwhile.
    pub(crate) fn record(
        &mut self,
        sender: Option<&Fingerprint>,
        id: &[u8; 16],
        place: Option<Place>,
    ) -> Receipt {
        let Some(sender) = sender.map(|fingerprint| fingerprint.to_bytes()) else {
            let receipt = self.anonymous.check(id);
            if receipt != Receipt::Replay {
                self.anonymous.push(id, MAX_ANONYMOUS);
            }
            return receipt;
        };
        if let Some(contact) = self.contacts.iter_mut().find(|c| c.fingerprint == sender) {
            return contact.received.record(id, place);
        }
        let mut received = self.take_stranger(&sender).unwrap_or_default();
        let receipt = received.record(id, place);
        self.remember_stranger(sender, received);
        receipt
    }

    fn remember_stranger(&mut self, sender: [u8; 32], received: Received) {
        if self.strangers.len() >= MAX_STRANGERS {
            self.strangers.remove(0);
        }
        self.strangers.push((sender, received));
    }

    fn take_stranger(&mut self, sender: &[u8; 32]) -> Option<Received> {
        let at = self.strangers.iter().position(|(stranger, _)| stranger == sender)?;
        Some(self.strangers.remove(at).1)
    }

    fn position(&self, name: &str) -> Result<usize, Error> {
        let wanted = fold(name);
        self.contacts
            .iter()
            .position(|contact| fold(&contact.name) == wanted)
            .ok_or_else(|| Error::Unknown(name.into()))
    }

    fn sort(&mut self) {
        self.contacts.sort_by_cached_key(|contact| fold(&contact.name));
    }
}

/// Contacts by what their names look like.
#[derive(Debug)]
pub struct Lookalikes<'a>(Vec<(text::Likeness, &'a Contact)>);

impl<'a> Lookalikes<'a> {
    /// Finds another contact than the owner of these public keys whose name looks like this one.
    pub fn find(&self, name: &str, owner: &Fingerprint) -> Option<&'a Contact> {
        let wanted = text::Likeness::of(name);
        let found = self.0.iter().find(|(likeness, contact)| {
            contact.fingerprint() != *owner && likeness.is_like(&wanted)
        });
        found.map(|(_, contact)| *contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;
    use crate::secret::Secret;

    #[test]
    fn a_name_of_an_older_book_stays_readable_and_can_be_changed() {
        let card = |byte: u8| {
            let identity = Identity::from_seed(Secret::take(&mut [byte; 32])).unwrap();
            identity.card("", None, 0, 1).unwrap()
        };
        let mut book = Book::default();
        book.add("ann", &card(1), Trust::CardByHand, 1).unwrap();
        book.add("bob", &card(2), Trust::CardByHand, 1).unwrap();
        let old = "an\u{200b}n";
        assert!(matches!(book.rename("ann", old), Err(Error::Name { .. })));
        book.contacts[0].name = old.into();
        let bytes = crate::wire::encode(&book).unwrap();
        let mut read: Book = crate::wire::decode(&bytes).unwrap();
        assert_eq!(read.by_fingerprint(&card(1).fingerprint()).unwrap().name(), old);
        // A zero-width space is left out of what a name looks like.
        let like = read.lookalikes().find("ann", &card(3).fingerprint()).map(Contact::name);
        assert_eq!(like, Some(old));
        // A backup that has it brings the contact back under another name.
        let mut restored = Book::default();
        let merged = restored.merge(read.clone()).unwrap();
        assert_eq!(merged.renamed, [(old.to_owned(), "contact".to_owned())]);
        read.rename(old, "ann").unwrap();
        assert_eq!(read.get("ann").unwrap().fingerprint(), card(1).fingerprint());
    }
}

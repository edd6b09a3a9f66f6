//! Contacts: cards added by hand, verification, devices of a contact, and removal.

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::Event;
use crate::account::revoke::mark;
use crate::contact::pairing::SafetyNumber;
use crate::contact::{self, Added, News, Trust};
use crate::identity::{Card, Fingerprint};
use crate::letter::ratchet;
use crate::text::hex_encode;

/// The 60 digits that both sides see, and what they are computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The contact's name.
    pub name: String,
    /// The contact's fingerprint.
    pub fingerprint: Fingerprint,
    /// The digits.
    pub digits: SafetyNumber,
    /// Whether they also cover the secret of the last pairing.
    pub paired: bool,
}

/// Outcome of [`Context::remove_contact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The contact that is gone, if the name was one's.
    pub contact: Option<RemovedContact>,
    /// What is still open at relays, or not told to other devices.
    pub open: usize,
}

/// A contact that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedContact {
    /// Its name.
    pub name: String,
    /// Mailboxes for it that are closed here.
    pub here: usize,
    /// Mailboxes for it that are closed for other devices of the owner.
    pub elsewhere: usize,
}

impl Account {
    /// Adds a contact by a card that came by hand, or replaces its card by a later one.
    ///
    /// # Errors
    ///
    /// Those of `Book::add`.
    pub fn add_contact(&self, name: &str, card: &Card) -> Result<Added, Error> {
        let now = self.now();
        Ok(self.book_file()?.update(|book| book.add(name, card, Trust::CardByHand, now))?)
    }

    /// Returns the digits that both sides must see.
    pub fn verification(&self, name: &str) -> Result<Verification, Error> {
        let (book, pairs) = (self.book()?, self.pairs()?);
        let contact = book.get(name)?;
        let fingerprint = contact.fingerprint();
        let secret = pairs.pairwise_of(&fingerprint).into_iter().next();
        let digits = SafetyNumber::of(&self.fingerprint(), &fingerprint, secret.as_deref());
        let (name, paired) = (contact.name().to_owned(), secret.is_some());
        Ok(Verification { name, fingerprint, digits, paired })
    }

    /// Stores that the two sides see the same digits.
    pub fn mark_verified(&self, fingerprint: &Fingerprint) -> Result<(), Error> {
        let now = self.now();
        self.book_file()?.update(|book| {
            book.verify(fingerprint, &Trust::Compared, now);
            Ok::<_, contact::Error>(())
        })?;
        Ok(())
    }

    /// Offers new keys with the next letter to a contact.
    ///
    /// # Errors
    ///
    /// [`Error::NotPaired`].
    pub fn renew_keys(&self, name: &str) -> Result<(), Error> {
        let fingerprint = self.book()?.get(name)?.fingerprint();
        let secret = self.pairs()?.pairwise_of(&fingerprint).into_iter().next();
        let secret = secret.ok_or_else(|| Error::NotPaired { name: name.into() })?;
        let now = self.now();
        self.sessions_file(&fingerprint)?.update(|sessions| sessions.renew(&secret, now))?;
        Ok(())
    }

    /// Forgets the device of a contact whose mailbox begins with `device`, in hexadecimal digits: no
    /// letter goes there any more.
    ///
    /// # Errors
    ///
    /// [`Error::DevicesNamed`] unless there is exactly one.
    pub fn drop_device(&self, name: &str, device: &str) -> Result<(), Error> {
        let fingerprint = self.book()?.get(name)?.fingerprint();
        let (pairs, wanted) = (self.pairs()?, device.to_lowercase());
        let machines = pairs.machines_of(&fingerprint).iter().map(|machine| machine.mailbox);
        let found: Vec<_> =
            machines.filter(|mailbox| hex_encode(mailbox).starts_with(&wanted)).collect();
        let [mailbox] = found[..] else {
            return Err(Error::DevicesNamed { name: name.into(), count: found.len() });
        };
        self.pairs_file()?.update(|pairs| {
            pairs.forget_machine(&fingerprint, &mailbox);
            Ok::<_, contact::Error>(())
        })?;
        self.sessions_file(&fingerprint)?.update(|sessions| {
            sessions.forget(&mailbox);
            Ok::<_, ratchet::Error>(())
        })?;
        Ok(())
    }

    /// Finds a contact by name, or any key by its whole fingerprint. Returns the fingerprint and what
    /// it is called.
    pub fn find_contact(&self, name: &str) -> Result<(Fingerprint, String), Error> {
        let book = self.book()?;
        match book.get(name) {
            Ok(contact) => Ok((contact.fingerprint(), contact.name().to_owned())),
            Err(unknown) => {
                let fingerprint = Fingerprint::parse(name).map_err(|_| unknown)?;
                Ok((fingerprint, self.title(&fingerprint)?))
            }
        }
    }
}

impl Context<'_> {
    /// Closes what is open for a contact, and forgets it; its revocation stays. A name of an
    /// introduction refuses it, and one of pairings under way gives them up.
    ///
    /// # Errors
    ///
    /// [`contact::Error::Unknown`] when nothing has the name.
    pub fn remove_contact(&self, name: &str) -> Result<Removed, Error> {
        let account = self.account;
        let book = account.book()?;
        let fingerprint = match book.get(name) {
            Ok(contact) => contact.fingerprint(),
            Err(_) if account.pairs()?.introductions.get(name, account.now()).is_ok() => {
                self.refuse_introduction(name)?;
                return Ok(Removed { contact: None, open: self.close_revoked()? });
            }
            Err(unknown) => {
                return match self.give_up(name)? {
                    0 => Err(unknown.into()),
                    _ => Ok(Removed { contact: None, open: 0 }),
                };
            }
        };
        let (here, elsewhere) = mark(account, &News::new(&fingerprint, account.now(), true), None)?;
        // The contact's name last: after a crash in between, the same can be typed again.
        account.sessions_file(&fingerprint)?.remove()?;
        account.forget_letters_of(&fingerprint)?;
        account.pairs_file()?.update(|pairs| {
            pairs.unlink(&fingerprint);
            Ok::<_, contact::Error>(())
        })?;
        let gone = account.book_file()?.update(|book| book.remove(name))?;
        self.events.event(Event::ContactRemoved { name: gone.name(), fingerprint });
        // What was to pair under the name as well would bring it back.
        self.give_up(name)?;
        let open = self.close_revoked()?;
        let name = gone.name().to_owned();
        Ok(Removed { contact: Some(RemovedContact { name, here, elsewhere }), open })
    }

    fn give_up(&self, name: &str) -> Result<usize, Error> {
        let given_up = self.give_up_pairings(name)?;
        for one in &given_up {
            self.events.event(Event::PairingGivenUp { one });
        }
        Ok(given_up.len())
    }
}

//! Replacement of a stolen identity: a new one takes its place, and the old one tells the contacts.
//!
//! Everything that needs the old key is made first and stored under the new one. Then the caller
//! replaces the key file, and then the contacts are told; those who are not reached are told later.

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::Event;
use crate::account::mailboxes::PairingMailboxes;
use crate::account::send::{kind, push_all, seal_control};
use crate::contact::pairing::{Own as OwnSide, Pairing};
use crate::contact::{self, Contact, Purpose, Succession, Underway, Untold, WAITS};
use crate::identity::Card;
use crate::letter::Notice;
use crate::relay::protocol::Terms;

/// Contacts that were told of a new identity.
#[derive(Debug, Default)]
pub struct Told {
    /// Names of those that were.
    pub told: Vec<String>,
    /// Names of those that are still to be told.
    pub left: Vec<String>,
}

impl Account {
    /// Returns whether contacts are still to be told of this identity.
    pub fn has_untold(&self) -> Result<bool, Error> {
        Ok(!self.untold_file()?.read()?.contacts.is_empty())
    }
}

impl Context<'_> {
    /// Prepares the account of a new identity in the place of this one: its contact book, and for each
    /// contact a pairing that waits and letters that tell of it. Returns the names of those who cannot
    /// be told, and why. Changes nothing that this account needs.
    ///
    /// # Errors
    ///
    /// [`Error::IdentityIsNew`] while contacts are still to be told of this one.
    pub fn announce_successor(&self, new: &Account) -> Result<Vec<(String, Error)>, Error> {
        let old = self.account;
        if old.has_untold()? {
            return Err(Error::IdentityIsNew);
        }
        let book = old.book()?;
        new.book_file()?.update(|new| new.merge(book.clone()).map(drop))?;
        let card = new.card()?;
        let mut unreachable = Vec::new();
        for contact in book.contacts() {
            let fingerprint = contact.fingerprint();
            if book.revoked(&fingerprint).is_some() || fingerprint == old.fingerprint() {
                continue;
            }
            let made = self.announce_to(new, &card, contact);
            let stored = made.and_then(|(untold, underway)| {
                // One that is not told has no use for the pairing; the other way round it could not
                // answer.
                new.pairs_file()?.update(|pairs| pairs.begin(underway))?;
                new.untold_file()?.update(|all| {
                    all.contacts.push(untold);
                    Ok::<_, contact::Error>(())
                })?;
                Ok(())
            });
            if let Err(error) = stored {
                unreachable.push((contact.name().to_owned(), error));
            }
        }
        Ok(unreachable)
    }

    fn announce_to(
        &self,
        new: &Account,
        card: &Card,
        contact: &Contact,
    ) -> Result<(Untold, Underway), Error> {
        let old = self.account;
        let fingerprint = contact.fingerprint();
        let since_pairing = old.pairs()?.mailbox_of(&fingerprint).map(|own| own.relay.clone());
        let settings = old.book()?.settings.relay;
        let relay = self.relay.clone().or(since_pairing).or(settings);
        let relay = self.relays.relay(&relay.ok_or(Error::NoOwnRelay)?)?;
        let made = PairingMailboxes::new(&*relay)?;
        let now = new.now();
        let expires = now.saturating_add(WAITS);
        let address = new.address(&made.letters);
        let own = OwnSide { identity: new.identity(), card, address };
        let at = made.meeting_address(&self.of(new));
        let (pairing, invite) = Pairing::offer_secret(&own, at, expires, now)?;
        let content = Succession::new(card, invite).to_bytes()?;
        let notice = Notice { kind: kind::SUCCESSOR, content };
        let name = contact.name();
        let letters = seal_control(self, &contact.card()?, Some(name), &notice)?;
        let (meeting, mailbox) = (made.meeting.clone(), made.letters.clone());
        let purpose = Purpose::Successor(fingerprint.to_bytes());
        let underway = Underway { purpose, ..made.underway(Some(name.into()), pairing, None) };
        Ok((Untold { name: name.into(), letters, meeting, mailbox, expires }, underway))
    }

    /// Registers the mailbox on the card of a new identity, where the old one had a relay. Returns
    /// whether it had one.
    pub fn register_successor(&self) -> Result<bool, Error> {
        let settings = self.account.book()?.settings;
        let Some(relay) = settings.relay else { return Ok(false) };
        let identity = self.account.identity();
        let (key, capability) =
            (identity.card_mailbox(), identity.card_capability(settings.generation));
        let relay = self.relays.relay(&relay)?;
        self.open_mailbox(&*relay, &key, &capability, &Terms::default()).map(|()| true)
    }

    /// Tells the contacts of a new identity who were not told.
    pub fn tell_untold(&self) -> Result<Told, Error> {
        let mut all = Told::default();
        if !self.account.has_state() {
            return Ok(all);
        }
        for one in self.account.untold_file()?.read()?.contacts {
            let name = one.name.as_str();
            match self.tell_one(&one) {
                Ok(()) => {
                    self.events.event(Event::ToldOfSuccessor { name });
                    all.told.push(name.to_owned());
                }
                // No letter of the old identity reaches them any more.
                Err(error) if error.is_denied() || one.expires <= self.account.now() => {
                    self.events.event(Event::CannotBeTold { name, error });
                }
                // One relay that is away does not keep the others from being told.
                Err(error) => {
                    self.events.event(Event::NotToldYet { name, error });
                    all.left.push(name.to_owned());
                    continue;
                }
            }
            self.account.untold_file()?.update(|all| {
                all.contacts.retain(|other| other.meeting != one.meeting);
                Ok::<_, contact::Error>(())
            })?;
        }
        Ok(all)
    }

    fn tell_one(&self, one: &Untold) -> Result<(), Error> {
        let made = PairingMailboxes { meeting: one.meeting.clone(), letters: one.mailbox.clone() };
        let relay = self.relays.relay(&one.meeting.relay)?;
        made.register(self, &*relay, one.expires)?;
        push_all(self, &one.letters)
    }
}

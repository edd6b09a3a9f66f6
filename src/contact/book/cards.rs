//! Cards of one contact: the one from a pairing, which proves the keys, and the one handed out by
//! hand, which also lets its readers push.
//!
//! Both are signed as a whole, so neither can be completed from the other. Each kind is replaced by a
//! later card of its kind alone.

use crate::contact::book::{Book, Contact, Taken};
use crate::contact::error::Error;
use crate::identity::{Card, Fingerprint};

impl Book {
    /// Returns the contact's newest card that has a capability. Only a card handed out by hand has
    /// one.
    ///
    /// # Errors
    ///
    /// [`Error::Card`].
    pub(crate) fn handed_card(&self, contact: &Fingerprint) -> Result<Option<Card>, Error> {
        let fingerprint = contact.to_bytes();
        if let Some((_, handed)) = self.handed.iter().find(|(of, _)| *of == fingerprint) {
            return Ok(Some(Card::from_bytes(handed)?));
        }
        let card = self.by_fingerprint(contact).map(Contact::card).transpose()?;
        Ok(card.filter(|card| card.capability().is_some()))
    }

    /// Returns the contact's newest card of either kind: with the latest name and relay.
    ///
    /// # Errors
    ///
    /// [`Error::Card`].
    pub fn newest_card(&self, contact: &Contact) -> Result<Card, Error> {
        let card = contact.card()?;
        let handed = self.handed_card(&contact.fingerprint())?;
        Ok(handed.filter(|handed| handed.created() > card.created()).unwrap_or(card))
    }

    /// Keeps a card of a known contact unless a card of its kind is as new.
    pub(super) fn take_card(&mut self, card: &Card) -> Result<Taken, Error> {
        let fingerprint = card.fingerprint().to_bytes();
        let Self { contacts, handed, .. } = self;
        let Some(contact) = contacts.iter_mut().find(|one| one.fingerprint == fingerprint) else {
            return Ok(Taken::Known);
        };
        let known = contact.card()?;
        let bytes = card.to_bytes().to_vec();
        match (known.capability().is_some(), card.capability().is_some()) {
            (true, false) => {
                let handed_card = std::mem::replace(&mut contact.card, bytes);
                handed.retain(|(of, _)| *of != fingerprint);
                handed.push((fingerprint, handed_card));
                Ok(Taken::New)
            }
            (false, true) => {
                let place = match handed.iter_mut().find(|(of, _)| *of == fingerprint) {
                    Some((_, place)) => place,
                    None => {
                        handed.push((fingerprint, bytes));
                        return Ok(Taken::New);
                    }
                };
                replace(place, card)
            }
            _ => replace(&mut contact.card, card),
        }
    }
}

fn replace(place: &mut Vec<u8>, card: &Card) -> Result<Taken, Error> {
    if *place == card.to_bytes() {
        return Ok(Taken::Known);
    }
    if Card::from_bytes(place)?.created() >= card.created() {
        return Ok(Taken::Older);
    }
    *place = card.to_bytes().to_vec();
    Ok(Taken::New)
}

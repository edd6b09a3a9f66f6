//! Introductions: somebody whom two know says that they should know each other.
//!
//! What each of the two is told is an [`Introduction`]; what waits until both have accepted is
//! [`Introduced`]. How they pair then is in [`pairing`](crate::contact::pairing).

use std::sync::Arc;

use crate::contact::book::Contact;
use crate::contact::error::Error;
use crate::contact::name::{check_name, numbered};
use crate::contact::pairing::{Invite, Kind};
use crate::contact::trust::Introducer;
use crate::crypto::{self, label};
use crate::identity::{Card, Fingerprint};
use crate::secret::Secret;
use crate::text::printable;
use crate::wire::{self, Decode, Encode, Record};

/// How long an introduction waits, in seconds: 30 days, as long as relays keep letters.
pub(crate) const WAITS: u64 = 30 * 24 * 3600;
/// Bytes of what the introducer writes.
const MAX_NOTE: usize = 1024;
/// Introductions that wait at once, whoever made them: each may be 5 KiB.
const MAX: usize = 256;
/// Those of one introducer.
const MAX_BY: usize = 16;
/// Invites whose introduction has not come; the one longest there makes room.
const MAX_EARLY: usize = 16;

/// Record about one of the two, as the introducer tells it to the other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Told {
    card: Vec<u8>,
    /// What the introducer calls him.
    name: String,
    note: String,
    /// Whether it is the reader who makes the invite, and the other who takes it up.
    invites: bool,
}

/// Introduction to one of the two: the other's card, and a secret that both get.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Introduction {
    told: Told,
    /// The joiner opens their card's mailbox to the [capability](invite_capability) derived from
    /// it, and the inviter pushes the invite with it. Version 1 has none.
    secret: Option<Arc<Secret<32>>>,
}

impl Record for Introduction {
    const NAME: &'static str = "introduction";
    const VERSION: u8 = 2;
    const OLDER: &'static [(u8, &'static [u8])] = &[(1, &[0])];
    const MAX: usize = 4096;
}

/// Derives the capability that the invite is pushed with, from the secret of an introduction and the
/// fingerprint of the contact who takes the invite up.
pub(crate) fn invite_capability(secret: &Secret<32>, joiner: &Fingerprint) -> Secret<32> {
    crypto::hkdf(secret.expose(), &joiner.to_bytes(), label::INTRODUCTION_CAPABILITY)
}

impl Introduction {
    /// What the first and the second are told of each other.
    ///
    /// The invite goes to the mailbox on a card, so the one who is invited has a relay on his; when
    /// both have, it is the one with the greater fingerprint.
    ///
    /// # Errors
    ///
    /// [`Error::Oneself`], [`Error::Unreachable`], [`Error::Note`]; [`Error::HandedCard`] when a
    /// card would pass its capability on.
    pub(crate) fn of(one: &Contact, other: &Contact, note: &str) -> Result<[Self; 2], Error> {
        if one.fingerprint() == other.fingerprint() {
            return Err(Error::Oneself);
        }
        if note.len() > MAX_NOTE {
            return Err(Error::Note { max: MAX_NOTE });
        }
        let (ones, others) = (one.card()?, other.card()?);
        for (contact, card) in [(one, &ones), (other, &others)] {
            if card.capability().is_some() {
                return Err(Error::HandedCard(contact.name().to_owned()));
            }
        }
        let first_invites = match (ones.relay(), others.relay()) {
            (Some(_), Some(_)) => one.fingerprint().to_bytes() < other.fingerprint().to_bytes(),
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return Err(Error::Unreachable),
        };
        let secret: Arc<Secret<32>> = Arc::new(crypto::random_secret()?);
        let tell = |of: &Contact, card: &Card, invites| {
            let told = Told {
                card: card.to_bytes().to_vec(),
                name: of.name().to_owned(),
                note: note.to_owned(),
                invites,
            };
            Self { told, secret: Some(secret.clone()) }
        };
        Ok([tell(other, &others, first_invites), tell(one, &ones, !first_invites)])
    }

    /// Reads what an introducer wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let read: Self = wire::decode(bytes).map_err(Error::Introduction)?;
        read.card()?;
        if read.told.note.len() > MAX_NOTE {
            return Err(Error::Note { max: MAX_NOTE });
        }
        Ok(read)
    }

    /// The record that [`Introduction::from_bytes`] reads.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        wire::encode(self).map_err(Error::Introduction)
    }

    /// The card of the other.
    pub(crate) fn card(&self) -> Result<Card, Error> {
        self.told.card()
    }

    /// Returns the secret that both get, if there is one.
    pub(crate) fn secret(&self) -> Option<&Arc<Secret<32>>> {
        self.secret.as_ref()
    }
}

impl Told {
    fn card(&self) -> Result<Card, Error> {
        Ok(Card::from_bytes(&self.card)?)
    }
}

/// Somebody who was introduced and is not paired with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Introduced {
    /// The name under which he is accepted or refused.
    pub name: String,
    by: Introducer,
    fingerprint: [u8; 32],
    told: Told,
    accepted: bool,
    /// His, when he accepted.
    invite: Option<Invite>,
    since: u64,
}

impl Introduced {
    /// Who introduced him.
    pub fn by(&self) -> &Introducer {
        &self.by
    }

    /// The name of his public keys.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.fingerprint)
    }

    /// His card, as the introducer has it.
    pub(crate) fn card(&self) -> Result<Card, Error> {
        self.told.card()
    }

    /// What the introducer wrote, made safe to print.
    pub fn note(&self) -> String {
        printable(&self.told.note)
    }

    /// Whether the invite is made here, and he takes it up.
    pub(crate) fn invites(&self) -> bool {
        self.told.invites
    }

    /// Whether he was accepted here.
    pub fn accepted(&self) -> bool {
        self.accepted
    }

    /// Returns whether the contact was accepted here, and the invite has not come.
    pub(super) fn awaits_invite(&self) -> bool {
        self.accepted && !self.told.invites && self.invite.is_none()
    }

    /// Returns whether this introducer made it.
    pub(super) fn is_by(&self, introducer: &[u8; 32]) -> bool {
        self.by.fingerprint == *introducer
    }

    /// His invite, when he was accepted here and accepted too.
    pub(crate) fn invite(&self) -> Option<&Invite> {
        self.invite.as_ref().filter(|_| self.accepted)
    }

    /// When it is forgotten, in seconds of Unix time.
    pub fn until(&self) -> u64 {
        self.since.saturating_add(WAITS)
    }
}

/// An invite of somebody whose introduction has not come.
#[derive(Debug, Clone, Encode, Decode)]
struct Early {
    from: [u8; 32],
    invite: Invite,
    since: u64,
}

/// Introductions that wait.
#[derive(Debug, Default, Encode, Decode)]
pub struct Introductions {
    waiting: Vec<Introduced>,
    /// The oldest first.
    early: Vec<Early>,
}

impl Introductions {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.early.is_empty()
    }

    /// Those that wait at `now`, in seconds of Unix time.
    pub fn waiting(&self, now: u64) -> impl Iterator<Item = &Introduced> {
        self.waiting.iter().filter(move |one| now < one.until())
    }

    /// The one of a name; upper and lower case are one.
    ///
    /// # Errors
    ///
    /// [`Error::NotIntroduced`].
    pub(crate) fn get(&self, name: &str, now: u64) -> Result<&Introduced, Error> {
        let wanted = name.to_lowercase();
        self.waiting(now)
            .find(|one| one.name.to_lowercase() == wanted)
            .ok_or_else(|| Error::NotIntroduced(name.into()))
    }

    /// Remembers what somebody in the book told, of whom it is sure that he did. `taken` says of a
    /// name whether it belongs to a contact. Who introduces the same again replaces what he told.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn hear(
        &mut self,
        by: Introducer,
        told: Introduction,
        taken: impl Fn(&str) -> bool,
        now: u64,
    ) -> Result<&Introduced, Error> {
        self.lapse(now);
        let told = told.told;
        let card = told.card()?;
        let fingerprint = card.fingerprint().to_bytes();
        let same = |one: &Introduced| {
            one.fingerprint == fingerprint && one.by.fingerprint == by.fingerprint
        };
        let at = match self.waiting.iter().position(same) {
            Some(at) => at,
            None => {
                let by_him = |one: &&Introduced| one.by.fingerprint == by.fingerprint;
                if self.waiting.iter().filter(by_him).count() >= MAX_BY {
                    let what = "introductions by one contact that wait";
                    return Err(Error::TooMany { what, max: MAX_BY });
                }
                if self.waiting.len() >= MAX {
                    return Err(Error::TooMany { what: "introductions that wait", max: MAX });
                }
                let name = self.free_name(&told, &card, taken);
                let told = told.clone();
                let by = by.clone();
                let new = Introduced {
                    name,
                    by,
                    fingerprint,
                    told,
                    accepted: false,
                    invite: None,
                    since: now,
                };
                self.waiting.push(new);
                self.waiting.len() - 1
            }
        };
        let early = self.early.iter().position(|early| early.from == fingerprint);
        let early = early.map(|at| self.early.remove(at).invite);
        let one = self.waiting.get_mut(at).ok_or_else(|| Error::NotIntroduced(String::new()))?;
        // What was accepted stays what was accepted.
        if !one.accepted {
            (one.told, one.by, one.since) = (told, by, now);
        }
        one.invite = early.or(one.invite.take());
        Ok(one)
    }

    /// Remembers the successor that a contact's old identity announces, with the invite of the new one.
    /// As [`Introductions::hear`] otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn announce(
        &mut self,
        by: Introducer,
        card: &Card,
        invite: &Invite,
        taken: impl Fn(&str) -> bool,
        now: u64,
    ) -> Result<&Introduced, Error> {
        let (old, new) = (by.fingerprint, card.fingerprint().to_bytes());
        let told = Told {
            card: card.to_bytes().to_vec(),
            name: by.name.clone(),
            note: String::new(),
            invites: false,
        };
        self.hear(by, Introduction { told, secret: None }, taken, now)?;
        let found = self.waiting.iter_mut();
        let mut found = found.filter(|one| one.by.fingerprint == old && one.fingerprint == new);
        let one = found.next().ok_or_else(|| Error::NotIntroduced(String::new()))?;
        one.invite = Some(invite.clone());
        Ok(one)
    }

    /// Remembers an invite that came from the owner of a card, for his introduction. Says whose it
    /// is; nobody's when none has come yet.
    ///
    /// # Errors
    ///
    /// [`Error::NotPrivate`] when others could read the invite: it is sealed, so it is a secret one.
    pub(crate) fn invited(
        &mut self,
        from: &Fingerprint,
        invite: &Invite,
        now: u64,
    ) -> Result<Vec<&Introduced>, Error> {
        if !matches!(invite.kind(), Kind::Secret(_)) {
            return Err(Error::NotPrivate);
        }
        self.lapse(now);
        let from = from.to_bytes();
        let his = |one: &Introduced| one.fingerprint == from && !one.told.invites;
        for one in self.waiting.iter_mut().filter(|one| his(one)) {
            one.invite = Some(invite.clone());
        }
        if !self.waiting.iter().any(his) {
            self.early.retain(|early| early.from != from);
            if self.early.len() >= MAX_EARLY {
                self.early.remove(0);
            }
            self.early.push(Early { from, invite: invite.clone(), since: now });
        }
        Ok(self.waiting.iter().filter(|one| his(one)).collect())
    }

    /// Remembers that somebody is to be paired with, under another name if one is given.
    ///
    /// # Errors
    ///
    /// [`Error::NotIntroduced`].
    pub(crate) fn accept(
        &mut self,
        name: &str,
        renamed: Option<&str>,
        now: u64,
    ) -> Result<&Introduced, Error> {
        let fingerprint = self.get(name, now)?.fingerprint;
        let wanted = name.to_lowercase();
        let found = self
            .waiting
            .iter_mut()
            .find(|one| one.fingerprint == fingerprint && one.name.to_lowercase() == wanted);
        let one = found.ok_or_else(|| Error::NotIntroduced(name.into()))?;
        one.accepted = true;
        if let Some(renamed) = renamed {
            one.name = renamed.to_owned();
        }
        Ok(one)
    }

    /// Refuses an introduction, and forgets it.
    ///
    /// # Errors
    ///
    /// [`Error::NotIntroduced`].
    pub(crate) fn refuse(&mut self, name: &str, now: u64) -> Result<Introduced, Error> {
        let one = self.get(name, now)?.clone();
        self.waiting.retain(|other| *other != one);
        Ok(one)
    }

    /// Forgets everything of somebody: he is paired with, or is about to be.
    pub(crate) fn forget(&mut self, fingerprint: &Fingerprint) {
        let fingerprint = fingerprint.to_bytes();
        self.waiting.retain(|one| one.fingerprint != fingerprint);
        self.early.retain(|early| early.from != fingerprint);
    }

    /// Forgets what somebody introduced who is no contact any more.
    pub(crate) fn forget_by(&mut self, introducer: &Fingerprint) {
        let introducer = introducer.to_bytes();
        self.waiting.retain(|one| one.by.fingerprint != introducer);
    }

    /// Forgets what nobody accepted in time.
    pub(crate) fn lapse(&mut self, now: u64) {
        self.waiting.retain(|one| now < one.until());
        self.early.retain(|early| now < early.since.saturating_add(WAITS));
    }

    fn free_name(&self, told: &Told, card: &Card, taken: impl Fn(&str) -> bool) -> String {
        let names = [told.name.as_str(), card.name()];
        let name = names.into_iter().find(|name| check_name(name).is_ok()).unwrap_or("contact");
        let waits = |name: &str| {
            let name = name.to_lowercase();
            self.waiting.iter().any(|one| one.name.to_lowercase() == name)
        };
        numbered(name, |name| taken(name) || waits(name))
    }
}

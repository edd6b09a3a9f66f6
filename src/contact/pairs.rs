//! What comes of invites: pairings under way, and what two who paired hold together.

pub(super) mod abandoned;
mod keep;
pub(super) mod machine;
mod machines;
pub(super) mod mailbox;
mod revoke;
pub(super) mod route;
mod routes;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::contact::error::Error;
use crate::contact::introduction::{Introduced, Introductions};
use crate::contact::pairing::{Address, Paired, Pairing};
use crate::contact::pairs::machine::Machine;
use crate::contact::pairs::mailbox::{Closing, Own};
use crate::contact::pairs::route::Route;
use crate::identity::{Card, Fingerprint, MAX_MACHINES};
use crate::secret::Secret;
use crate::state::Kept;
use crate::wire::{Decode, Encode, Record};

/// Pairings under way at once: each may be 96 KiB.
const MAX_UNDERWAY: usize = 100;
/// Links: twice as many as there are contacts, for who pairs again.
const MAX_LINKS: usize = 1024;

/// What an invite is for. New ones are added at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Purpose {
    /// To know somebody.
    #[default]
    Contact,
    /// To take a further machine of one's own into use.
    Machine,
    /// The machine is there, behind this card that it throws away, and waits to be handed what it
    /// needs.
    Waiting(Vec<u8>),
    /// It was handed all of it.
    Served,
    /// To pair again with the contact of this fingerprint, under a new identity.
    Successor([u8; 32]),
}

impl Purpose {
    /// Returns whether a contact comes of it.
    pub(crate) fn is_contact(&self) -> bool {
        matches!(self, Self::Contact | Self::Successor(_))
    }
}

/// A pairing that is not over.
#[derive(Debug, Clone, Encode, Decode)]
pub struct Underway {
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// The name the other side is to have here; else it is what he calls himself.
    pub name: Option<String>,
    /// The mailbox in which its messages come.
    pub meeting: Own,
    /// The mailbox that is made for his letters.
    pub(crate) mailbox: Own,
    /// How far it is.
    pub pairing: Pairing,
    /// Whom it is with, when somebody introduced him.
    pub(crate) introduced: Option<Introduced>,
}

impl Underway {
    /// Whether a card is of the one it is with, as far as that is known beforehand.
    pub(crate) fn is_with(&self, card: &Card) -> bool {
        let fingerprint = card.fingerprint();
        match &self.purpose {
            Purpose::Successor(of) if *of != fingerprint.to_bytes() => false,
            _ => self.introduced.as_ref().is_none_or(|one| one.fingerprint() == fingerprint),
        }
    }
}

/// What is held together with somebody since a pairing.
#[derive(Debug, Clone, Encode, Decode)]
struct Link {
    fingerprint: [u8; 32],
    mailbox: Own,
    /// It was not closed.
    open: bool,
    /// Where his machines take letters, that of the pairing first.
    machines: Vec<Address>,
    pairwise: Arc<Secret<32>>,
}

/// An attempt by digits or words that brought no contact.
#[derive(Debug, Clone, Encode, Decode)]
struct Abandoned {
    /// The name the contact was to have.
    name: Option<String>,
    /// Fingerprint of the card that was handed over, if the pairing came so far.
    fingerprint: Option<[u8; 32]>,
    /// When it was given up, in seconds of Unix time.
    when: u64,
}

/// Pairings under way, and links.
#[derive(Debug, Default, Encode, Decode)]
pub struct Pairs {
    underway: Vec<Underway>,
    /// The newest last.
    links: Vec<Link>,
    /// Those who were introduced and are not paired with.
    pub introductions: Introductions,
    routes: Vec<Route>,
    /// The owner's other machines.
    machines: Vec<Machine>,
    /// Mailboxes for contacts on other machines, with the contact's fingerprint.
    elsewhere: Vec<([u8; 32], Own)>,
    /// Mailboxes and capabilities still to close at a relay, and until when that is tried, in seconds
    /// of Unix time.
    closing: Vec<(Closing, u64)>,
    /// Pairings, by the index of their mailbox, that must not end with a contact revoked since they
    /// began.
    barred: Vec<([u8; 16], [u8; 32])>,
    /// Attempts that ended without a contact, the oldest first.
    abandoned: Vec<Abandoned>,
}

impl Record for Pairs {
    const NAME: &'static str = "pairings";
    const VERSION: u8 = 2;
    // Version 1 ended with the introductions.
    const OLDER: &'static [(u8, &'static [u8])] = &[(1, &[0, 0, 0, 0, 0, 0])];
    const MAX: usize = 16 << 20;
}

impl Kept for Pairs {
    const FILE: &'static str = "pairs";
}

impl Pairs {
    /// The pairings that are not over.
    pub fn underway(&self) -> &[Underway] {
        &self.underway
    }

    /// The one whose messages come in this mailbox.
    pub(crate) fn at(&self, meeting: &Own) -> Option<&Underway> {
        self.underway.iter().find(|one| one.meeting == *meeting)
    }

    /// Remembers a pairing that begins.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn begin(&mut self, pairing: Underway) -> Result<(), Error> {
        if self.underway.len() >= MAX_UNDERWAY {
            return Err(Error::TooMany { what: "pairings under way", max: MAX_UNDERWAY });
        }
        self.underway.push(pairing);
        Ok(())
    }

    /// Remembers how far a pairing has come.
    pub(crate) fn go_on(&mut self, meeting: &Own, pairing: Pairing) {
        if let Some(one) = self.underway.iter_mut().find(|one| one.meeting == *meeting) {
            one.pairing = pairing;
        }
    }

    /// Remembers how far the machine at the other end of a pairing has come.
    pub(crate) fn serve(&mut self, meeting: &Own, purpose: Purpose) {
        if let Some(one) = self.underway.iter_mut().find(|one| one.meeting == *meeting) {
            one.purpose = purpose;
        }
    }

    /// Remembers what a pairing brought; `mailbox` is the one that was made for it.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn link(&mut self, mailbox: Own, paired: &Paired) -> Result<(), Error> {
        if self.links.iter().any(|link| link.mailbox == mailbox) {
            return Ok(());
        }
        if self.links.len() >= MAX_LINKS {
            return Err(Error::TooMany { what: "links", max: MAX_LINKS });
        }
        self.links.push(Link {
            fingerprint: paired.card.fingerprint().to_bytes(),
            mailbox,
            open: true,
            machines: vec![paired.address.clone()],
            pairwise: Arc::new(Secret::take(&mut { *paired.pairwise.expose() })),
        });
        Ok(())
    }

    /// Where letters to somebody go, one to each of his machines, since the last pairing with him.
    pub fn machines_of(&self, fingerprint: &Fingerprint) -> &[Address] {
        self.link_of(fingerprint).map_or(&[], |link| &link.machines)
    }

    /// The mailbox made for somebody, where his answers come, since the last pairing with him;
    /// `None` too when it is closed.
    pub(crate) fn mailbox_of(&self, fingerprint: &Fingerprint) -> Option<&Own> {
        self.link_of(fingerprint).filter(|link| link.open).map(|link| &link.mailbox)
    }

    /// The secrets of the pairings with somebody, the last first.
    pub(crate) fn pairwise_of(&self, fingerprint: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        self.links_of(fingerprint).rev().map(|link| link.pairwise.clone()).collect()
    }

    /// Those who are paired with, each once.
    pub(crate) fn contacts(&self) -> BTreeSet<[u8; 32]> {
        self.links.iter().map(|link| link.fingerprint).collect()
    }

    /// Remembers where a machine of somebody's takes letters, by a letter that was proven to be
    /// his. Says whether that is news.
    pub(crate) fn heard_of(&mut self, fingerprint: &Fingerprint, machine: Address) -> bool {
        let fingerprint = fingerprint.to_bytes();
        let link = self.links.iter_mut().rfind(|link| link.fingerprint == fingerprint);
        let Some(Link { machines, .. }) = link else { return false };
        match machines.iter_mut().find(|known| known.mailbox == machine.mailbox) {
            Some(known) if *known == machine => return false,
            Some(known) => *known = machine,
            None => {
                if machines.len() >= MAX_MACHINES {
                    machines.remove(0);
                }
                machines.push(machine);
            }
        }
        true
    }

    /// Forgets a machine of somebody's.
    pub(crate) fn forget_machine(&mut self, fingerprint: &Fingerprint, mailbox: &[u8; 32]) {
        let fingerprint = fingerprint.to_bytes();
        for link in self.links.iter_mut().filter(|link| link.fingerprint == fingerprint) {
            link.machines.retain(|known| known.mailbox != *mailbox);
        }
    }

    fn link_of(&self, fingerprint: &Fingerprint) -> Option<&Link> {
        self.links_of(fingerprint).next_back()
    }

    fn links_of(&self, fingerprint: &Fingerprint) -> impl DoubleEndedIterator<Item = &Link> {
        let fingerprint = fingerprint.to_bytes();
        self.links.iter().filter(move |link| link.fingerprint == fingerprint)
    }

    /// The mailboxes that letters come to, and whom each was made for.
    pub(crate) fn mailboxes(&self) -> impl Iterator<Item = (&Own, Fingerprint)> {
        let of = |link: &Link| Fingerprint::from_bytes(link.fingerprint);
        let open = self.links.iter().filter(|link| link.open);
        open.map(move |link| (&link.mailbox, of(link)))
    }

    /// Returns whether a mailbox was ever made for a contact who is still known, open or closed.
    pub(crate) fn had_mailboxes(&self) -> bool {
        !self.links.is_empty()
    }

    /// Those of them that were made for somebody.
    pub(crate) fn mailboxes_of(&self, fingerprint: &Fingerprint) -> Vec<Own> {
        self.links_of(fingerprint).filter(|link| link.open).map(|l| l.mailbox.clone()).collect()
    }

    /// Remembers that a mailbox is closed.
    pub(crate) fn close(&mut self, mailbox: &Own) {
        for link in self.links.iter_mut().filter(|link| link.mailbox == *mailbox) {
            link.open = false;
        }
    }

    /// Forgets the links with somebody.
    pub(crate) fn unlink(&mut self, fingerprint: &Fingerprint) {
        self.links.retain(|link| link.fingerprint != fingerprint.to_bytes());
    }
}

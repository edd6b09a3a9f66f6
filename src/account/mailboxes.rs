//! Mailboxes of the account: the one on its card, those made for contacts, and those between its
//! devices.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::Event;
use crate::contact::pairing::{Address, Pairing};
use crate::contact::{self, Introduced, Own, Purpose, Underway};
use crate::crypto::{self, SigningSecret};
use crate::relay::client::pull::{Away, Owned};
use crate::relay::client::{Error as RelayError, Transport, bearer_text};
use crate::relay::protocol::{Capability, CapabilityId, Terms};
use crate::secret::Secret;

/// How long after the end of an invite its mailbox takes messages: as long as a relay keeps them.
const AFTER: u64 = 30 * 24 * 3600;
/// How many generations another device may be ahead of this one, and how many old ones are looked for.
const REACH: u32 = 256;

/// A mailbox that letters come to.
#[derive(Debug, Clone)]
pub struct OwnMailbox {
    /// Key and relay.
    pub owned: Owned,
    /// What it is for.
    pub purpose: MailboxPurpose,
}

/// Purpose of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxPurpose {
    /// Letters to the owner's card.
    Card,
    /// Letters of one contact, of this name.
    Contact(Own, String),
    /// News from another device of the owner.
    Device,
}

impl MailboxPurpose {
    /// Returns the contact's name, if it is for one.
    pub fn contact(&self) -> Option<&str> {
        match self {
            Self::Contact(_, name) => Some(name),
            _ => None,
        }
    }
}

/// Answers of relays for mailboxes of the account.
#[derive(Debug)]
pub struct Asked<T> {
    /// The mailboxes whose relay answered, each with the answer.
    pub answers: Vec<(OwnMailbox, T)>,
    /// Mailboxes that failed; those at one relay that failed alike are one error.
    pub failed: Vec<Error>,
    /// How many mailboxes did not fail.
    pub visited: usize,
}

/// Mailboxes that failed, by relay and reason.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<Failure>);

#[derive(Debug)]
struct Failure {
    relay: String,
    /// The text of the reason.
    why: String,
    mailboxes: Vec<String>,
    error: Error,
}

impl Failures {
    /// Adds a mailbox that failed.
    pub(crate) fn add(&mut self, mailbox: &OwnMailbox, error: Error) {
        let (relay, why) = (mailbox.owned.relay.url(), error.to_string());
        let title = mailbox.purpose.to_string();
        match self.0.iter_mut().find(|it| it.relay == relay && it.why == why) {
            Some(same) => same.mailboxes.push(title),
            None => self.0.push(Failure { relay, why, mailboxes: vec![title], error }),
        }
    }

    /// Returns how many mailboxes failed.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|it| it.mailboxes.len()).sum()
    }

    /// Returns an error for each relay and reason. One that names the mailbox itself stays as it is.
    pub(crate) fn finish(self) -> Vec<Error> {
        let error = |Failure { relay, mut mailboxes, error, .. }: Failure| {
            if matches!(error, Error::MailboxGone { .. }) {
                return error;
            }
            mailboxes.sort();
            mailboxes.dedup();
            let mailboxes = mailboxes.join(", ");
            Error::Mailboxes { mailboxes, relay, source: Box::new(error) }
        };
        self.0.into_iter().map(error).collect()
    }
}

impl fmt::Display for MailboxPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card => f.write_str("the mailbox on the card"),
            Self::Contact(_, name) => write!(f, "the mailbox for {name}"),
            Self::Device => f.write_str("the mailbox between your machines"),
        }
    }
}

/// Outcome of [`Context::register`].
#[derive(Debug, Clone)]
pub struct Registered {
    /// The relay's URL.
    pub relay: String,
    /// The public key that names the mailbox.
    pub mailbox: [u8; 32],
    /// Whether the relay did not know it before.
    pub new: bool,
    /// Generation of the capability on the card.
    pub generation: u32,
    /// That capability's id at the relay.
    pub capability: CapabilityId,
    /// What may be pushed with it.
    pub terms: Terms,
}

impl Context<'_> {
    fn own_url(&self) -> Result<Option<String>, Error> {
        match &self.relay {
            Some(url) => Ok(Some(url.clone())),
            None => Ok(self.account.book()?.settings.relay),
        }
    }

    /// Returns the account's relay: the one that is named, else the one it registered at.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelay`].
    pub fn own_relay(&self) -> Result<Arc<dyn Transport>, Error> {
        let url = self.own_url()?.ok_or(Error::NoRelay)?;
        Ok(self.relays.relay(&url)?)
    }

    /// Returns the same, or else the relay at `url`.
    pub(crate) fn own_relay_or(&self, url: &str) -> Result<Arc<dyn Transport>, Error> {
        Ok(self.relays.relay(self.own_url()?.as_deref().unwrap_or(url))?)
    }

    /// Returns the mailboxes that letters come to, the card's first. With a relay that is named for
    /// this run they are those at that relay.
    pub fn mailboxes(&self) -> Result<Vec<OwnMailbox>, Error> {
        let (book, pairs) = (self.account.book()?, self.account.pairs()?);
        let identity = self.account.identity();
        let named = self.relay.as_ref().map(|url| self.relays.relay(url)).transpose()?;
        let named = named.map(|relay| relay.url());
        let mut places: Vec<(String, SigningSecret, MailboxPurpose)> = Vec::new();
        // An account that never registered one has only those that pairings made, open or closed. One
        // without any state may have registered elsewhere: a job starts without a home each time.
        let unused = !pairs.had_mailboxes() && book.contacts().len() == 0 && !book.has_revoked();
        if book.settings.relay.is_some() || unused {
            let url = named.clone().or(book.settings.relay.clone()).ok_or(Error::NoRelay)?;
            places.push((url, identity.card_mailbox(), MailboxPurpose::Card));
        }
        let here = |own: &Own| named.as_ref().is_none_or(|named| *named == own.relay);
        for (own, contact) in pairs.mailboxes().filter(|(own, _)| here(own)) {
            let known = book.by_fingerprint(&contact).map(|contact| contact.name().to_owned());
            let name = known.unwrap_or_else(|| contact.to_string());
            let key = identity.contact_mailbox(&own.index);
            places.push((own.relay.clone(), key, MailboxPurpose::Contact(own.clone(), name)));
        }
        for own in pairs.machines().iter().map(|machine| machine.inbox(identity)).filter(here) {
            let key = identity.contact_mailbox(&own.index);
            places.push((own.relay, key, MailboxPurpose::Device));
        }
        let at_relay = |(url, key, purpose): (String, SigningSecret, _)| {
            let owned = Owned { relay: self.relays.relay(&url)?, key: Arc::new(key) };
            Ok(OwnMailbox { owned, purpose })
        };
        places.into_iter().map(at_relay).collect()
    }

    /// Asks all relays for each of the mailboxes, at the same time, so that none holds another. Two
    /// mailboxes in a row that cannot be reached stand for all at their relay.
    pub fn ask_all<T: Send>(
        &self,
        ask: impl Fn(&OwnMailbox) -> Result<T, RelayError> + Sync,
    ) -> Result<Asked<T>, Error> {
        let all = self.mailboxes()?;
        let mut relays: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, mailbox) in all.iter().enumerate() {
            relays.entry(mailbox.owned.relay.url()).or_default().push(at);
        }
        let answers = Mutex::new(BTreeMap::new());
        let (all_boxes, tell, ask) = (&all, &answers, &ask);
        thread::scope(|scope| {
            for boxes in relays.values() {
                scope.spawn(move || {
                    let mut away = Away::default();
                    for &at in boxes {
                        let Some(mailbox) = all_boxes.get(at) else { continue };
                        let answer = away.error().map_or_else(|| ask(mailbox), Err);
                        away.count(answer.as_ref().err());
                        let mut answers = tell.lock().unwrap_or_else(PoisonError::into_inner);
                        answers.insert(at, answer);
                    }
                });
            }
        });
        let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut failures = Failures::default();
        let (mut there, count) = (Vec::new(), all.len());
        for (at, mailbox) in all.into_iter().enumerate() {
            let Some(answer) = answers.remove(&at) else { continue };
            match self.if_there(&mailbox.purpose, answer) {
                Ok(Some(answer)) => there.push((mailbox, answer)),
                Ok(None) => {}
                Err(error) => failures.add(&mailbox, error),
            }
        }
        let visited = count.saturating_sub(failures.count());
        Ok(Asked { answers: there, failed: failures.finish(), visited })
    }

    /// Returns the outcome of a request to one of the mailboxes; `None` when the relay has no such
    /// mailbox and nothing is missed: another device of the owner closed it.
    ///
    /// # Errors
    ///
    /// [`Error::MailboxGone`] when letters of a contact are lost by that.
    pub fn if_there<T>(
        &self,
        purpose: &MailboxPurpose,
        outcome: Result<T, RelayError>,
    ) -> Result<Option<T>, Error> {
        match (outcome, purpose) {
            (Err(RelayError::NoMailbox), MailboxPurpose::Device) => Ok(None),
            (Err(RelayError::NoMailbox), MailboxPurpose::Contact(own, name)) => {
                self.is_gone(own, name).map(|()| None)
            }
            (outcome, _) => Ok(outcome.map(Some)?),
        }
    }

    /// Deals with a mailbox for a contact that its relay does not have.
    fn is_gone(&self, own: &Own, name: &str) -> Result<(), Error> {
        let (pairs, book) = (self.account.pairs()?, self.account.book()?);
        let contact = pairs.mailboxes().find(|(open, _)| *open == own).map(|(_, contact)| contact);
        if contact.is_some_and(|contact| book.revoked(&contact).is_some()) {
            self.account.pairs_file()?.update(|pairs| {
                pairs.close(own);
                Ok::<_, contact::Error>(())
            })?;
            return Ok(());
        }
        let (name, relay) = (name.to_owned(), own.relay.clone());
        if pairs.machines().is_empty() {
            return Err(Error::MailboxGone { name, relay });
        }
        self.events.event(Event::MailboxGone { name, relay });
        Ok(())
    }

    /// Registers the mailbox on the card at the account's relay, and lets those who have the card push
    /// to it. With `renew` the card gets a new capability, and those on earlier cards are revoked.
    /// `terms` restrict what may be pushed; without them those that are there stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelay`], [`Error::NoState`] when a new capability could not be remembered, and what
    /// the relay says.
    pub fn register(&self, renew: bool, terms: Option<Terms>) -> Result<Registered, Error> {
        if renew {
            // A generation that is not remembered would be lost with this run.
            self.account.folder()?;
        }
        let relay = self.own_relay()?;
        let key = self.account.identity().card_mailbox();
        let new = relay.register(&key, self.token.as_ref())?;

        let known = relay.capabilities(&key)?;
        let current = self.newest_generation(&known)?;
        let generation = match renew {
            true => current.checked_add(1).ok_or(Error::LastGeneration)?,
            false => current,
        };
        let id = self.card_capability(generation);
        let before = terms_of(&known, &self.card_capability(current));
        let allowed = terms.or(before).unwrap_or_default();
        if terms.is_some() || terms_of(&known, &id).is_none() {
            relay.allow(&key, &id, &allowed)?;
        }
        // The new one is good and remembered before the old one goes: after a crash in between, the next
        // run finds it.
        self.account.change_settings(|settings| {
            settings.relay = Some(relay.url());
            settings.generation = generation;
        })?;
        for old in generation.saturating_sub(REACH)..generation {
            let id = self.card_capability(old);
            if has(&known, &id) {
                relay.revoke(&key, &id)?;
            }
        }
        let (relay, mailbox) = (relay.url(), key.public());
        Ok(Registered { relay, mailbox, new, generation, capability: id, terms: allowed })
    }

    /// Returns the id at the relay of the capability on the card of a generation.
    pub fn card_capability(&self, generation: u32) -> CapabilityId {
        CapabilityId::of(&bearer_text(&self.account.identity().card_capability(generation)))
    }

    /// Returns the generation of the card: the one remembered here, or a later one that another device
    /// took. A relay that hides or shows old ones brings none of them back.
    fn newest_generation(&self, known: &[Capability]) -> Result<u32, Error> {
        let ours = self.account.book()?.settings.generation;
        let later = (ours..=ours.saturating_add(REACH)).rev();
        let mut later = later.filter(|generation| has(known, &self.card_capability(*generation)));
        Ok(later.next().unwrap_or(ours))
    }

    /// Registers a mailbox, and allows the capability to push to it.
    pub(crate) fn open_mailbox(
        &self,
        relay: &dyn Transport,
        key: &SigningSecret,
        capability: &Secret<32>,
        terms: &Terms,
    ) -> Result<(), Error> {
        relay.register(key, self.token.as_ref())?;
        Ok(relay.allow(key, &CapabilityId::of(&bearer_text(capability)), terms)?)
    }

    /// Opens a mailbox that the letters of a contact, or of another device, come to.
    pub(crate) fn open_for_letters(&self, relay: &dyn Transport, own: &Own) -> Result<(), Error> {
        let identity = self.account.identity();
        let key = identity.contact_mailbox(&own.index);
        let capability = identity.contact_capability(&own.index, 0);
        self.open_mailbox(relay, &key, &capability, &Terms::default())
    }

    /// Closes a mailbox that is not needed. A relay that is away keeps an empty one.
    pub(crate) fn close_unneeded(&self, own: &Own) {
        let key = self.account.identity().contact_mailbox(&own.index);
        match self.relays.relay(&own.relay).and_then(|relay| relay.close(&key)) {
            Err(error) if !is_denied(&error) => {
                self.events.event(Event::MailboxLeft { error: error.into() });
            }
            _ => {}
        }
    }
}

fn has(known: &[Capability], id: &CapabilityId) -> bool {
    known.iter().any(|capability| capability.id == *id)
}

fn terms_of(known: &[Capability], id: &CapabilityId) -> Option<Terms> {
    known.iter().find(|capability| capability.id == *id).map(|capability| capability.terms)
}

/// Returns whether a relay takes nothing there: the mailbox is closed, or the capability revoked.
pub(crate) fn is_denied(error: &RelayError) -> bool {
    matches!(error, RelayError::Denied | RelayError::NoMailbox)
}

/// The two mailboxes that are made for a pairing: one to meet in, one for the letters to come.
#[derive(Debug, Clone)]
pub(crate) struct PairingMailboxes {
    pub(crate) meeting: Own,
    pub(crate) letters: Own,
}

impl PairingMailboxes {
    /// Chooses two that no other pairing has, at a relay. Nothing is registered.
    pub(crate) fn new(relay: &dyn Transport) -> Result<Self, Error> {
        let own =
            || -> Result<_, Error> { Ok(Own { relay: relay.url(), index: crypto::random()? }) };
        Ok(Self { meeting: own()?, letters: own()? })
    }

    /// Returns the pairing that is under way over them.
    pub(crate) fn underway(
        self,
        name: Option<String>,
        pairing: Pairing,
        introduced: Option<Introduced>,
    ) -> Underway {
        Underway {
            purpose: Purpose::Contact,
            name,
            meeting: self.meeting,
            mailbox: self.letters,
            pairing,
            introduced,
        }
    }

    /// Returns what the other side needs to write to the meeting.
    pub(crate) fn meeting_address(&self, cx: &Context<'_>) -> Address {
        let (identity, index) = (cx.account.identity(), &self.meeting.index);
        Address {
            relay: self.meeting.relay.clone(),
            mailbox: identity.meeting_mailbox(index).public(),
            capability: identity.meeting_capability(index).into(),
        }
    }

    /// Registers both. `expires` is the end of the invite in seconds of Unix time.
    pub(crate) fn register(
        &self,
        cx: &Context<'_>,
        relay: &dyn Transport,
        expires: u64,
    ) -> Result<(), Error> {
        let terms = Terms {
            expires: Some(expires.saturating_add(AFTER).div_ceil(3600) * 3600),
            messages: Some(16),
            ..Terms::default()
        };
        let (identity, meeting) = (cx.account.identity(), &self.meeting.index);
        let key = identity.meeting_mailbox(meeting);
        cx.open_mailbox(relay, &key, &identity.meeting_capability(meeting), &terms)?;
        cx.open_for_letters(relay, &self.letters)
    }
}

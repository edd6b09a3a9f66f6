//! Letters to contacts: which copies a recipient gets, under which key, and with which number.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use crate::account::account::Account;
use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::event::{Event, Events};
use crate::contact::pairing::{Address, Outgoing};
use crate::contact::{Book, Pairs, Place};
use crate::crypto;
use crate::identity::Card;
use crate::letter::ratchet::{LetterKey, Machine, Next, Sessions};
use crate::letter::{Draft, EnvelopeWriter, Heading, Notice, Postscript, Routing, Sender};
use crate::relay::client::Inbox;
use crate::relay::protocol::{Id, Mailbox};
use crate::secret::Secret;

/// Kinds of control messages, which letters carry from program to program.
pub(crate) mod kind {
    /// The sender introduces a contact: an [`Introduction`](crate::contact::Introduction).
    pub(crate) const INTRODUCTION: u16 = 1;
    /// The sender, who was introduced, accepts: the line of an invite.
    pub(crate) const INVITE: u16 = 2;
    /// A further machine of the sender's is in use; the letter's postscript says all of it.
    pub(crate) const MACHINE: u16 = 3;
    /// The sender's identity was stolen, and has a successor: a [`Succession`](crate::contact::Succession).
    pub(crate) const SUCCESSOR: u16 = 4;
    /// From a machine to another of the same owner: contacts were revoked.
    pub(crate) const NEWS: u16 = 5;
}

/// The recipient of a letter.
#[derive(Debug, Clone)]
pub struct Recipient {
    card: Card,
    /// The card with a capability, where there is one: a card from a pairing has none.
    handed: Option<Card>,
    /// The name in the contact book, under which letters are numbered.
    name: Option<String>,
}

impl Recipient {
    /// Returns the contact of a name.
    ///
    /// # Errors
    ///
    /// [`contact::Error::Unknown`](crate::contact::Error::Unknown).
    pub fn contact(book: &Book, name: &str) -> Result<Self, Error> {
        let contact = book.get(name)?;
        let card = contact.card()?;
        let handed = book.handed_card(&card.fingerprint())?;
        Ok(Self { card, handed, name: Some(contact.name().into()) })
    }

    /// Returns the owner of a card. Letters to a card whose owner is a contact are numbered with the
    /// other letters to that contact.
    pub fn card(book: &Book, card: Card) -> Result<Self, Error> {
        let known = book.by_fingerprint(&card.fingerprint());
        let name = known.map(|contact| contact.name().to_owned());
        Self::named(book, card, name)
    }

    fn named(book: &Book, card: Card, name: Option<String>) -> Result<Self, Error> {
        let handed = match card.capability() {
            Some(_) => Some(card.clone()),
            None => book.handed_card(&card.fingerprint())?,
        };
        Ok(Self { card, handed, name })
    }

    /// Returns the contact's name, or else that on the card.
    pub(crate) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.card.name())
    }

    /// Returns whether both are one: the same keys.
    pub fn is(&self, other: &Self) -> bool {
        self.card.fingerprint() == other.card.fingerprint()
    }

    /// Returns the copies of a letter: to the mailboxes made in pairing, else to that on the card. An
    /// anonymous letter goes to the card's, since the others say who it is from.
    fn copies(&self, pairs: Option<&Pairs>) -> Result<Vec<LetterCopy>, Error> {
        let fingerprint = self.card.fingerprint();
        let secret = pairs.and_then(|pairs| pairs.pairwise_of(&fingerprint).into_iter().next());
        let machines = pairs.map_or(&[][..], |pairs| pairs.machines_of(&fingerprint));
        if secret.is_none() || machines.is_empty() {
            let handed = self.handed.as_ref();
            let capability = handed.and_then(Card::capability);
            let (Some(card), Some(capability)) = (handed, capability) else {
                return Err(self.no_capability(pairs.is_none()));
            };
            let routing = Routing {
                relay: card.relay().map(str::to_owned),
                mailbox: *card.mailbox(),
                capability: Some(capability.clone()),
            };
            return Ok(vec![LetterCopy { routing, pairwise: secret, machine: None }]);
        }
        let copy = |machine: &Address| LetterCopy {
            routing: routing(machine),
            pairwise: secret.clone(),
            machine: Some(machine.mailbox),
        };
        Ok(machines.iter().map(copy).collect())
    }

    fn no_capability(&self, anonymous: bool) -> Error {
        let title = match self.title() {
            "" => self.card.fingerprint().to_string(),
            title => title.to_owned(),
        };
        Error::NoCapability { title, name: self.name.clone(), anonymous }
    }
}

/// One of the copies of a letter: there is one for each machine of the recipient.
#[derive(Debug)]
struct LetterCopy {
    routing: Routing,
    /// The secret of the pairing.
    pairwise: Option<Arc<Secret<32>>>,
    /// The machine, whose session seals it.
    machine: Option<Machine>,
}

fn routing(address: &Address) -> Routing {
    Routing {
        relay: Some(address.relay.clone()),
        mailbox: address.mailbox,
        capability: Some(address.capability.clone()),
    }
}

/// A recipient and the copies they get.
#[derive(Debug)]
pub struct Addressed {
    to: Recipient,
    copies: Vec<LetterCopy>,
}

impl Addressed {
    /// Returns how many copies the letter has.
    pub fn copies(&self) -> usize {
        self.copies.len()
    }
}

/// Seals letters of an account, or anonymous ones.
pub struct LetterSealer<'a> {
    sender: Option<(&'a Account, Card, Pairs)>,
    events: &'a dyn Events,
}

impl<'a> LetterSealer<'a> {
    /// Seals letters as this account.
    pub fn new(account: &'a Account, events: &'a dyn Events) -> Result<Self, Error> {
        Ok(Self { sender: Some((account, account.card()?, account.pairs()?)), events })
    }

    /// Seals letters without a sender.
    pub fn anonymous(events: &'a dyn Events) -> Self {
        Self { sender: None, events }
    }

    /// Finds where a letter goes. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoCapability`] when it would go to the mailbox on a card that has none.
    pub fn address(&self, to: Recipient) -> Result<Addressed, Error> {
        let copies = to.copies(self.sender.as_ref().map(|(_, _, pairs)| pairs))?;
        Ok(Addressed { to, copies })
    }

    /// Takes the keys and the number of the next letter to a recipient, and hands each copy to `seal`.
    ///
    /// Both are used up durably before `seal` is called: neither is used twice, whatever becomes of
    /// the letter.
    pub fn seal<E: From<Error>>(
        &self,
        to: &Addressed,
        heading: &Heading,
        mut seal: impl FnMut(&Routing, Draft<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.seal_with(to, heading, None, &mut seal)
    }

    fn seal_with<E: From<Error>>(
        &self,
        Addressed { to, copies }: &Addressed,
        heading: &Heading,
        notice: Option<&Notice>,
        seal: &mut impl FnMut(&Routing, Draft<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (place, keyed) = match &self.sender {
            Some((account, _, pairs)) => keyed(account, self.events, pairs, to, copies)?,
            None => (None, copies.iter().map(|copy| (copy, Keyed::default())).collect()),
        };
        let place = place.map(|Place { stream, seq }| (stream, seq));
        let id = crypto::random().map_err(Error::from)?;
        for (copy, Keyed { key, mut postscript, .. }) in keyed {
            if copy.routing.relay.is_none() && notice.is_none() {
                self.events.event(Event::NoRelayOnCard { name: to.title().into() });
            }
            postscript.notice = notice.cloned();
            let sender = self.sender.as_ref().map(|(account, card, _)| Sender {
                identity: account.identity(),
                card,
                pairwise: copy.pairwise.as_deref(),
            });
            let heading = Heading { place, ..heading.clone() };
            let draft = Draft { id, to: &to.card, sender, heading, postscript, key };
            seal(&copy.routing, draft)?;
        }
        Ok(())
    }
}

/// How a copy is sealed: to the card, unless there is a key.
#[derive(Default)]
struct Keyed {
    key: Option<LetterKey>,
    postscript: Postscript,
    /// There was no state: what was numbered before is not known either.
    restarted: bool,
}

/// Copies of a letter, each with how it is sealed.
type KeyedCopies<'a> = Vec<(&'a LetterCopy, Keyed)>;

/// Takes keys and number of the next letter to a recipient, durably.
fn keyed<'a>(
    account: &Account,
    events: &dyn Events,
    pairs: &Pairs,
    to: &Recipient,
    copies: &'a [LetterCopy],
) -> Result<(Option<Place>, KeyedCopies<'a>), Error> {
    let keyed = copies.iter().map(|copy| Ok((copy, copy.key(account, events, pairs, to)?)));
    let keyed: KeyedCopies<'_> = keyed.collect::<Result<_, Error>>()?;
    let Some(name) = to.name.as_ref().filter(|_| account.has_state()) else {
        return Ok((None, keyed));
    };
    let restarted = keyed.iter().any(|(_, keyed)| keyed.restarted);
    let place = account.book_file()?.update(|book| {
        if restarted {
            book.begin_stream(&to.card.fingerprint());
        }
        book.next_outgoing(name)
    })?;
    Ok((Some(place), keyed))
}

impl LetterCopy {
    /// Takes the key of the next letter to a machine, or offers new ones where there are none here.
    fn key(
        &self,
        account: &Account,
        events: &dyn Events,
        pairs: &Pairs,
        to: &Recipient,
    ) -> Result<Keyed, Error> {
        let (Some(machine), Some(secret)) = (&self.machine, &self.pairwise) else {
            return Ok(Keyed::default());
        };
        let contact = to.card.fingerprint();
        match Sessions::next(&account.sessions_file(&contact)?, machine, secret, account.now())? {
            Next::Key(key) => Ok(Keyed { key: Some(*key), ..Keyed::default() }),
            Next::Offer { offer, new } => {
                events.event(Event::KeysOffered { name: to.title().into() });
                let postscript = Postscript {
                    machine: Some(*machine),
                    reply: pairs.mailbox_of(&contact).map(|own| routing(&account.address(own))),
                    offer: Some(offer.encode()?),
                    notice: None,
                };
                Ok(Keyed { key: None, postscript, restarted: new })
            }
        }
    }
}

impl Context<'_> {
    /// Seals a letter to contacts, by their names, and pushes it to their relays.
    ///
    /// The body is read once and held in memory. A heading without a date gets the time of the clock.
    ///
    /// # Errors
    ///
    /// Nothing is pushed when a name is unknown or a recipient cannot be reached. A relay that refuses
    /// ends it: recipients before it have their letters.
    pub fn send(&self, to: &[&str], heading: &Heading, mut body: impl Read) -> Result<(), Error> {
        let sealer = LetterSealer::new(self.account, self.events)?;
        let book = self.account.book()?;
        let to = to.iter().map(|name| sealer.address(Recipient::contact(&book, name)?));
        let to = to.collect::<Result<Vec<_>, Error>>()?;
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)?;
        let date = if heading.date == 0 { self.account.now() } else { heading.date };
        let heading = &Heading { date, ..heading.clone() };
        for to in &to {
            let mut letters = Vec::new();
            sealer.seal(to, heading, |routing, draft| {
                let mut sealed = Vec::new();
                draft.seal(bytes.as_slice(), &mut sealed)?;
                letters.push((routing.clone(), sealed));
                Ok::<_, Error>(())
            })?;
            for (routing, sealed) in letters {
                push(self, &self.outgoing(routing, sealed, to.to.title())?)?;
            }
        }
        Ok(())
    }

    /// Seals a letter to contacts, by their names, into an envelope stream that any way carries.
    pub fn seal<W: io::Write + Send>(
        &self,
        to: &[&str],
        heading: &Heading,
        body: &[u8],
        envelopes: &mut EnvelopeWriter<W>,
    ) -> Result<(), Error> {
        let sealer = LetterSealer::new(self.account, self.events)?;
        let book = self.account.book()?;
        for name in to {
            let to = sealer.address(Recipient::contact(&book, name)?)?;
            sealer.seal(&to, heading, |routing, draft| {
                let mut envelope = envelopes.begin(routing)?;
                draft.seal(body, &mut envelope)?;
                envelope.finish()?;
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }

    fn outgoing(&self, routing: Routing, bytes: Vec<u8>, name: &str) -> Result<Outgoing, Error> {
        let relay = routing.relay.or_else(|| self.relay.clone());
        let relay = relay.ok_or_else(|| Error::NoRelayOnCard { name: name.into() })?;
        let capability =
            routing.capability.ok_or_else(|| Error::NoMailbox { name: name.into() })?;
        let address = Address { relay, mailbox: routing.mailbox, capability };
        Ok(Outgoing { address, bytes })
    }
}

/// Seals a control message for each machine of a recipient. `name` is theirs in the contact book, if
/// they are there.
pub(crate) fn seal_control(
    cx: &Context<'_>,
    to: &Card,
    name: Option<&str>,
    notice: &Notice,
) -> Result<Vec<Outgoing>, Error> {
    let sealer = LetterSealer::new(cx.account, cx.events)?;
    let to = Recipient::named(&cx.account.book()?, to.clone(), name.map(str::to_owned))?;
    let to = sealer.address(to)?;
    let mut letters = Vec::new();
    sealer.seal_with(&to, &heading(cx), Some(notice), &mut |routing, draft| {
        let mut sealed = Vec::new();
        draft.seal(io::empty(), &mut sealed)?;
        letters.push(cx.outgoing(routing.clone(), sealed, to.to.card.name())?);
        Ok::<_, Error>(())
    })?;
    Ok(letters)
}

/// Sends a control message to each machine of a contact, else to the card.
pub(crate) fn send_control(
    cx: &Context<'_>,
    to: &Card,
    name: Option<&str>,
    notice: &Notice,
) -> Result<(), Error> {
    push_all(cx, &seal_control(cx, to, name, notice)?)
}

/// Sends a control message to one address.
pub(crate) fn send_control_to(
    cx: &Context<'_>,
    to: &Card,
    address: &Address,
    notice: &Notice,
) -> Result<(), Error> {
    let sealer = LetterSealer::new(cx.account, cx.events)?;
    let copy = LetterCopy { routing: routing(address), pairwise: None, machine: None };
    let to = Recipient { card: to.clone(), handed: None, name: None };
    let mut sealed = Vec::new();
    let addressed = Addressed { to, copies: vec![copy] };
    sealer.seal_with(&addressed, &heading(cx), Some(notice), &mut |_, draft| {
        Ok::<_, Error>(draft.seal(io::empty(), &mut sealed)?)
    })?;
    push(cx, &Outgoing { address: address.clone(), bytes: sealed })
}

fn heading(cx: &Context<'_>) -> Heading {
    Heading { date: cx.account.now(), ..Heading::default() }
}

/// Pushes sealed bytes to where they go.
pub(crate) fn push(cx: &Context<'_>, letter: &Outgoing) -> Result<(), Error> {
    let Outgoing { address, bytes } = letter;
    let relay = cx.relays.relay(&address.relay)?;
    let inbox =
        Inbox { mailbox: Mailbox(address.mailbox), capability: Some(address.capability.clone()) };
    let id = Id(crypto::sha256(&[bytes]));
    relay.push(&inbox, &id, &mut Cursor::new(bytes), bytes.len() as u64)?;
    Ok(())
}

/// Pushes messages, in their order.
pub(crate) fn push_all(cx: &Context<'_>, letters: &[Outgoing]) -> Result<(), Error> {
    letters.iter().try_for_each(|letter| push(cx, letter))
}

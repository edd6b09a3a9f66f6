//! Pairing by every method: an invite is made here, or taken up.

use crate::account::context::Context;
use crate::account::error::Error;
use crate::account::mailboxes::PairingMailboxes;
use crate::account::send::push_all;
use crate::account::step::{id, warn_of_earlier};
use crate::contact::pairing::{
    Expected, Invite, Kind, Outgoing, Own as OwnSide, Pairing, Role, Waits, Words,
};
use crate::contact::{self, Own, Purpose, Underway};
use crate::identity::Fingerprint;
use crate::secret::SecretString;
use crate::text;

/// Human-readable part of the line of an invite for a device. The rest is that of a secret invite.
const DEVICE: &str = "bulla-device-";
const CONTACT: &str = "bulla-invite-";
/// Name in events for a contact that was given none yet.
const UNNAMED: &str = "this contact";

/// How the two sides of a pairing make sure of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The line of the invite is secret.
    Secret,
    /// Each side types the digits that the other shows.
    Digits,
    /// The joiner types words that the inviter tells them.
    Words,
    /// The line is secret, and hands over the whole identity to another device of its owner.
    Device,
}

/// An invite that was made.
#[derive(Debug)]
pub struct Invitation {
    /// The line to hand over. For [`Method::Secret`] and [`Method::Device`] it is a secret.
    pub line: SecretString,
    /// The words to tell, for [`Method::Words`].
    pub words: Option<SecretString>,
    /// End of the invite in seconds of Unix time.
    pub expires: u64,
    /// The pairing, for [`Look::only`](crate::account::Look::only).
    pub meeting: Own,
    /// The identity that is handed over, for [`Method::Device`].
    pub hands_over: Option<Fingerprint>,
    /// Earlier attempts with a contact of this name that did not finish.
    pub earlier: contact::Unfinished,
}

/// The line of an invite, parsed.
#[derive(Debug)]
pub enum InviteLine {
    /// To become a contact.
    Contact(Invite),
    /// To hand an identity over to another device of its owner.
    Device(Invite),
}

impl InviteLine {
    /// Returns whether bytes are the beginning of an invite's line.
    pub fn may_begin(bytes: &[u8]) -> bool {
        Invite::may_begin(bytes) || Self::is_device(bytes)
    }

    fn is_device(bytes: &[u8]) -> bool {
        let bytes = bytes.trim_ascii_start();
        bytes.get(..DEVICE.len()).is_some_and(|head| head.eq_ignore_ascii_case(DEVICE.as_bytes()))
    }

    /// Parses a line.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceInvite`] and those of `Invite::parse`.
    pub fn parse(line: &str) -> Result<Self, Error> {
        if !Self::is_device(line.as_bytes()) {
            return Ok(Self::Contact(Invite::parse(line)?));
        }
        let line = line.trim();
        let lower = line.bytes().any(|byte| byte.is_ascii_lowercase());
        // From a QR code it comes in upper case.
        let line: SecretString =
            if lower { line.to_owned() } else { line.to_ascii_lowercase() }.into();
        let record = text::bech32_decode(DEVICE, &line).map_err(Error::DeviceInvite)?;
        Ok(Self::Device(Invite::parse(&text::bech32_encode(CONTACT, &record))?))
    }

    fn device(invite: &Invite) -> Result<SecretString, Error> {
        Ok(text::bech32_encode(DEVICE, &text::bech32_decode(CONTACT, &invite.to_line()?)?))
    }
}

impl Context<'_> {
    /// Makes an invite that is good for `lifetime` seconds; registers its mailboxes at the account's
    /// relay. The contact will be called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelay`], and what the relay says; nothing is stored then.
    pub fn invite(
        &self,
        method: Method,
        name: Option<&str>,
        lifetime: u64,
    ) -> Result<Invitation, Error> {
        if let Some(name) = name {
            contact::check_name(name)?;
        }
        let account = self.account;
        let relay = self.own_relay()?;
        let expires = account.now().saturating_add(lifetime);
        let made = PairingMailboxes::new(&*relay)?;
        made.register(self, &*relay, expires)?;
        let card = account.card()?;
        let address = account.address(&made.letters);
        let own = OwnSide { identity: account.identity(), card: &card, address };
        let (at, now) = (made.meeting_address(self), account.now());
        let (pairing, invite, words) = match method {
            Method::Words => {
                let (pairing, invite, words) = Pairing::offer_words(&own, at, expires, now)?;
                (pairing, invite, Some(words.to_text()))
            }
            Method::Digits => {
                let (pairing, invite) = Pairing::offer_public(&own, at, expires, now)?;
                (pairing, invite, None)
            }
            Method::Secret | Method::Device => {
                let (pairing, invite) = Pairing::offer_secret(&own, at, expires, now)?;
                (pairing, invite, None)
            }
        };
        let (purpose, line) = match method {
            Method::Device => (Purpose::Machine, InviteLine::device(&invite)?),
            _ => (Purpose::Contact, invite.to_line()?),
        };
        let meeting = made.meeting.clone();
        let underway = made.underway(name.map(str::to_owned), pairing, None);
        let earlier = account.pairs_file()?.update(|pairs| {
            let earlier = pairs.unfinished(None, name, None);
            pairs.begin(Underway { purpose, ..underway })?;
            Ok::<_, contact::Error>(earlier)
        })?;
        let hands_over = (method == Method::Device).then(|| account.fingerprint());
        Ok(Invitation { line, words, expires, meeting, hands_over, earlier })
    }

    /// Tells of earlier attempts to pair with a contact of this name that did not finish.
    pub fn tell_of_earlier(&self, name: Option<&str>, earlier: contact::Unfinished) {
        warn_of_earlier(self.events, name.unwrap_or(UNNAMED), earlier);
    }

    /// Returns whether an invite was taken up here before, or is the account's own.
    pub fn knows_invite(&self, invite: &Invite) -> Result<bool, Error> {
        Ok(self.account.pairs()?.underway().iter().any(|one| one.pairing.is_of(invite)))
    }

    /// Takes up an invite by a method that the user names: the line may have been replaced by an
    /// attacker's. `expect` is called for an invite that was not taken up before. Returns the pairing.
    ///
    /// # Errors
    ///
    /// [`Error::OwnInvite`], [`Error::InviteUsed`], [`pairing::Error::OtherMethod`]; those of
    /// `expect`. Nothing is stored or pushed then.
    ///
    /// [`pairing::Error::OtherMethod`]: crate::contact::pairing::Error::OtherMethod
    pub fn join<E: From<Error>>(
        &self,
        invite: &Invite,
        name: Option<&str>,
        expect: impl FnOnce() -> Result<Expectation, E>,
    ) -> Result<Own, E> {
        if let Some(name) = name {
            contact::check_name(name).map_err(Error::from)?;
        }
        let pairs = self.account.pairs_file()?.read().map_err(Error::from)?;
        if let Some(known) = pairs.underway().iter().find(|one| one.pairing.is_of(invite)) {
            if known.pairing.role() == Role::Inviter {
                return Err(Error::OwnInvite.into());
            }
            return match known.pairing.waits_for() {
                Waits::Over(end) if end != contact::pairing::End::Paired => {
                    Err(Error::PairingEnded(end).into())
                }
                // Accepted before: it continues.
                _ => Ok(known.meeting.clone()),
            };
        }
        let expected = expect()?;
        Ok(self.join_new(invite, name, &expected)?)
    }

    fn join_new(
        &self,
        invite: &Invite,
        name: Option<&str>,
        expected: &Expectation,
    ) -> Result<Own, Error> {
        let pairs = self.account.pairs_file()?;
        let (underway, send) = self.take_up(invite, expected.as_expected(), |made, pairing| {
            made.underway(name.map(str::to_owned), pairing, None)
        })?;
        let meeting = underway.meeting.clone();
        let earlier = pairs.update(|pairs| {
            let earlier = pairs.unfinished(None, name, None);
            pairs.begin(underway)?;
            Ok::<_, contact::Error>(earlier)
        })?;
        if !matches!(expected, Expectation::Secret) {
            self.tell_of_earlier(name, earlier);
        }
        match push_all(self, &send) {
            Err(error) if error.is_denied() => {
                // Its mailbox is closed: nothing was said, and nothing can come of it.
                let pairs = pairs.read()?;
                let one: Vec<_> = pairs.at(&meeting).into_iter().collect();
                self.end_pairings(&one)?;
                Err(Error::InviteUsed)
            }
            sent => sent.map(|()| meeting),
        }
    }

    /// Takes up an invite; what is returned is stored before the messages are pushed.
    pub(crate) fn take_up(
        &self,
        invite: &Invite,
        expected: Expected<'_>,
        underway: impl FnOnce(PairingMailboxes, Pairing) -> Underway,
    ) -> Result<(Underway, Vec<Outgoing>), Error> {
        let account = self.account;
        let relay = self.own_relay_or(&invite.address().relay)?;
        let made = PairingMailboxes::new(&*relay)?;
        made.register(self, &*relay, invite.expires())?;
        let card = account.card()?;
        let address = account.address(&made.letters);
        let own = OwnSide { identity: account.identity(), card: &card, address };
        let reply = made.meeting_address(self);
        let step = Pairing::join(invite, expected, &own, reply, account.now())?;
        Ok((underway(made, step.state), step.send))
    }

    /// Gives up the pairings of a name or id that have led to nothing yet. Returns them.
    pub(crate) fn give_up_pairings(&self, name: &str) -> Result<Vec<Underway>, Error> {
        let pairs = self.account.pairs()?;
        let found: Vec<_> =
            pairs.underway().iter().filter(|one| is_pending(one) && is_named(one, name)).collect();
        self.end_pairings(&found)?;
        Ok(found.into_iter().cloned().collect())
    }

    /// Withdraws an invite by its id or name.
    ///
    /// # Errors
    ///
    /// [`Error::InvitesNamed`] unless there is exactly one.
    pub fn withdraw_invite(&self, id: &str) -> Result<(), Error> {
        let pairs = self.account.pairs()?;
        let found = pairs.underway().iter().filter(|one| is_invite(one) && is_named(one, id));
        let found: Vec<_> = found.collect();
        match found[..] {
            [one] => self.end_pairings(&[one]),
            _ => Err(Error::InvitesNamed { id: id.to_owned(), count: found.len() }),
        }
    }
}

/// What the user expects of an invite that they take up.
#[derive(Debug)]
pub enum Expectation {
    /// It came over a channel that no one else can read or change.
    Secret,
    /// Digits are compared.
    Digits,
    /// The inviter told these words.
    Words(Words),
}

impl Expectation {
    fn as_expected(&self) -> Expected<'_> {
        match self {
            Self::Secret => Expected::Secret,
            Self::Digits => Expected::Digits,
            Self::Words(words) => Expected::Words(words),
        }
    }
}

/// Returns the method of an invite, while no one has taken it up.
pub fn method(one: &Underway) -> Option<Method> {
    if !one.purpose.is_contact() {
        return Some(Method::Device);
    }
    one.pairing.invite().map(|invite| match invite.kind() {
        Kind::Secret(_) => Method::Secret,
        Kind::Public(_) => Method::Digits,
        Kind::Words => Method::Words,
    })
}

/// Returns whether a pairing has led to nothing yet.
fn is_pending(one: &Underway) -> bool {
    one.purpose.is_contact()
        || one.purpose == Purpose::Machine
            && !matches!(one.pairing.waits_for(), Waits::Done | Waits::Over(_))
}

/// Returns whether a pairing is by an invite made here that no one has paired by yet.
pub fn is_invite(one: &Underway) -> bool {
    is_pending(one) && one.introduced.is_none() && one.pairing.role() == Role::Inviter
}

fn is_named(one: &Underway, name: &str) -> bool {
    let is = |other: &str| other.to_lowercase() == name.to_lowercase();
    is(&id(one)) || one.name.as_deref().is_some_and(is)
}

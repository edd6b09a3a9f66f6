//! Pairing as a value: one side of the handshake, from the invite to its end.

use std::fmt;
use std::sync::Arc;

use crate::contact::pairing::address::{Address, Outgoing};
use crate::contact::pairing::digits::Digits;
use crate::contact::pairing::error::Error;
use crate::contact::pairing::invite::{Invite, Kind};
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message;
use crate::contact::pairing::side::{Own, Party, Role, Seed};
use crate::contact::pairing::state::{Called, Joined, Move, Offered, Said, State};
use crate::contact::pairing::step::{End, Event, Waits};
use crate::contact::pairing::words::Words;
use crate::crypto;
use crate::identity::Fingerprint;
use crate::wire::{Decode, Encode, Record};

/// How long a pairing is kept after its last step or its invite's end: as long as relays keep
/// messages, 30 days in seconds.
pub(super) const KEPT: u64 = 30 * 24 * 3600;

/// Outcome of a step. `state` is durable, and what `event` brings too, before anything of `send`
/// leaves and before the relay may forget the message that was received.
#[derive(Debug)]
#[must_use]
pub(crate) struct Step {
    /// The pairing from here on.
    pub state: Pairing,
    /// What to push, in any order.
    pub send: Vec<Outgoing>,
    /// What happened.
    pub event: Event,
}

/// A pairing under way or over, one side of it. A value: every step gives the next one.
#[derive(Clone, Encode, Decode)]
pub struct Pairing {
    head: Head,
    state: State,
}

/// What stays the same from the first step to the last.
#[derive(Clone, Encode, Decode)]
struct Head {
    role: Role,
    /// The invite's mailbox, which names the pairing.
    invite: [u8; 32],
    /// Where the other side's messages come.
    mailbox: [u8; 32],
    expires: u64,
}

/// The method that the joiner expects an invite to be for, from the inviter and not from the line:
/// a line that came over a channel that others can change says what they want it to say.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// The invite came over a private channel, which no one else can read or change.
    Secret,
    /// The two sides will compare digits.
    Digits,
    /// The inviter told the joiner these words.
    Words(&'a Words),
}

impl Expected<'_> {
    /// Checks that an invite is for this method.
    fn check(&self, invite: &Invite) -> Result<(), Error> {
        match (self, invite.kind()) {
            (Self::Secret, Kind::Secret(_))
            | (Self::Digits, Kind::Public(_))
            | (Self::Words(_), Kind::Words) => Ok(()),
            _ => Err(Error::OtherMethod),
        }
    }
}

/// How an invite is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Secret,
    Public,
    Words,
}

impl Record for Pairing {
    const NAME: &'static str = "pairing";
    const VERSION: u8 = 1;
    const MAX: usize = 96 << 10;
}

impl Pairing {
    /// Makes a secret invite: who sees the line can pair, so it goes a way that is private.
    ///
    /// `meeting` is a fresh mailbox of the inviter's for the joiner's messages; `expires` is in
    /// seconds of Unix time.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::OneMailbox`], [`Error::NotTheOwner`], or of an address.
    pub(crate) fn offer_secret(
        own: &Own<'_>,
        meeting: Address,
        expires: u64,
        now: u64,
    ) -> Result<(Self, Invite), Error> {
        let seed = Seed::random()?;
        Self::offer(seed, Way::Secret, own, meeting, expires, now)
    }

    /// Makes a public invite: others may see or change the line, so the two compare digits.
    /// As [`Pairing::offer_secret`] otherwise.
    pub(crate) fn offer_public(
        own: &Own<'_>,
        meeting: Address,
        expires: u64,
        now: u64,
    ) -> Result<(Self, Invite), Error> {
        Self::offer(Seed::random()?, Way::Public, own, meeting, expires, now)
    }

    /// Makes an invite that others may see or change, and the words that the inviter says to whom
    /// he means: by telephone, face to face, any way that those others do not hear. As
    /// [`Pairing::offer_secret`] otherwise.
    pub(crate) fn offer_words(
        own: &Own<'_>,
        meeting: Address,
        expires: u64,
        now: u64,
    ) -> Result<(Self, Invite, Words), Error> {
        let seed = Seed::random()?;
        let words = seed.words();
        let (pairing, invite) = Self::offer(seed, Way::Words, own, meeting, expires, now)?;
        Ok((pairing, invite, words))
    }

    pub(super) fn offer(
        seed: Seed,
        way: Way,
        own: &Own<'_>,
        meeting: Address,
        expires: u64,
        now: u64,
    ) -> Result<(Self, Invite), Error> {
        if meeting.mailbox == own.address.mailbox {
            return Err(Error::OneMailbox);
        }
        let kind = match way {
            Way::Secret => Kind::Secret(Arc::new(seed.invite())),
            Way::Public => {
                let opening = message::encode(&seed.opening(own.card))?;
                Kind::Public(Invite::commitment(&opening))
            }
            Way::Words => Kind::Words,
        };
        let invite = Invite::new(kind, meeting, expires)?;
        invite.check_time(now)?;
        let party = Party::new(seed, own, Role::Inviter, Chain::begin(&invite)?.hash())?;
        let mailbox = invite.address().mailbox;
        let head = Head { role: Role::Inviter, invite: mailbox, mailbox, expires };
        let state = State::Offered(Offered::new(invite.clone(), party));
        Ok((Self { head, state }, invite))
    }

    /// Takes up an invite. `reply` is a fresh mailbox of the joiner's for the inviter's messages.
    /// For a secret invite it may be the one in `own`; for one that others read, it is another.
    /// Wrong words end the pairing on both sides.
    ///
    /// # Errors
    ///
    /// [`Error::OtherMethod`], [`Error::Expired`], [`Error::OneMailbox`], [`Error::NotTheOwner`],
    /// or of an address.
    pub(crate) fn join(
        invite: &Invite,
        expected: Expected<'_>,
        own: &Own<'_>,
        reply: Address,
        now: u64,
    ) -> Result<Step, Error> {
        Self::join_from(Seed::random()?, invite, expected, own, reply, now)
    }

    pub(super) fn join_from(
        seed: Seed,
        invite: &Invite,
        expected: Expected<'_>,
        own: &Own<'_>,
        reply: Address,
        now: u64,
    ) -> Result<Step, Error> {
        expected.check(invite)?;
        invite.check_time(now)?;
        reply.check()?;
        if !invite.is_secret() && reply.mailbox == own.address.mailbox {
            return Err(Error::OneMailbox);
        }
        let party = Party::new(seed, own, Role::Joiner, Chain::begin(invite)?.hash())?;
        let head = Head {
            role: Role::Joiner,
            invite: invite.address().mailbox,
            mailbox: reply.mailbox,
            expires: invite.expires(),
        };
        Ok(head.step(match expected {
            Expected::Words(words) => Called::begin(invite.clone(), words, party, reply)?,
            _ => Joined::begin(invite.clone(), party, reply)?,
        }))
    }

    /// Takes a message from [`Pairing::mailbox`].
    ///
    /// `None`: it is not for this pairing, or not yet. A message that overtook another is
    /// understood after that one: it is left on the relay until the pairing is over.
    ///
    /// # Errors
    ///
    /// The message is from somebody who has the invite and breaks a rule. The pairing stays as it
    /// is, and the message can be dropped.
    pub(crate) fn receive(&self, bytes: &[u8], now: u64) -> Result<Option<Step>, Error> {
        if bytes.len() != message::MESSAGE {
            return Ok(None);
        }
        let name = message::name(bytes);
        if let Some(send) = self.said().again(&name) {
            return Ok(Some(Step { state: self.clone(), send, event: Event::Repeated }));
        }
        let step = match self.state.clone() {
            State::Offered(offered) => offered.receive(bytes, now),
            State::Answered(answered) => answered.receive(bytes, now),
            State::Joined(joined) => joined.receive(bytes, now),
            State::Comparing(comparing) => comparing.receive(bytes, now),
            State::Settled(settled) => settled.receive(bytes, now),
            State::Closed(_) => Ok(None),
            State::Called(called) => called.receive(bytes, now),
            State::Heard(heard) => heard.receive(bytes, now),
            State::Proved(proved) => proved.receive(bytes, now),
        };
        Ok(step?.map(|step| self.head.clone().step(step)))
    }

    /// Takes the digits that the other side shows. Wrong ones end the pairing on both sides.
    ///
    /// # Errors
    ///
    /// [`Error::NoDigits`], [`Error::OwnDigits`] and [`Error::Confirmed`]; the pairing stays as
    /// it is.
    pub(crate) fn confirm(&self, typed: Digits, now: u64) -> Result<Step, Error> {
        match self.state.clone() {
            State::Comparing(comparing) => {
                Ok(self.head.clone().step(comparing.confirm(typed, now)?))
            }
            _ => Err(Error::NoDigits),
        }
    }

    /// What was pushed and is not known to have come, to be pushed again byte for byte.
    pub(crate) fn resend(&self) -> &[Outgoing] {
        &self.said().pending
    }

    /// What the pairing waits for.
    pub fn waits_for(&self) -> Waits {
        match &self.state {
            State::Offered(_) => Waits::Joiner,
            State::Answered(_) | State::Heard(_) | State::Proved(_) => Waits::Confirmation,
            State::Joined(_) | State::Called(_) => Waits::Answer,
            State::Comparing(comparing) => comparing.waits_for(),
            State::Settled(settled) => settled.waits_for(),
            State::Closed(closed) => Waits::Over(closed.end),
        }
    }

    /// Who one is.
    pub(crate) fn role(&self) -> Role {
        self.head.role
    }

    /// One's own mailbox in which this pairing's messages come.
    #[cfg(test)]
    pub(crate) fn mailbox(&self) -> &[u8; 32] {
        &self.head.mailbox
    }

    /// Whether this is a side of the pairing that an invite begins. One who has such a pairing as
    /// [`Role::Inviter`] was given his own invite; as [`Role::Joiner`], one he took up already.
    pub(crate) fn is_of(&self, invite: &Invite) -> bool {
        crypto::equal(&self.head.invite, &invite.address().mailbox)
    }

    /// The invite, while nobody has taken it up.
    pub(crate) fn invite(&self) -> Option<&Invite> {
        match &self.state {
            State::Offered(offered) => Some(&offered.invite),
            _ => None,
        }
    }

    /// Returns whether someone in between had a try at the digits or words of this pairing, which
    /// brought no contact: the attempt was taken up, and has not succeeded.
    pub(crate) fn was_tried(&self) -> bool {
        match &self.state {
            State::Offered(_) | State::Settled(_) => false,
            State::Joined(joined) => !joined.invite.is_secret(),
            State::Answered(answered) => !answered.secret,
            State::Comparing(_) | State::Called(_) | State::Heard(_) | State::Proved(_) => true,
            State::Closed(closed) => matches!(
                closed.end,
                End::BurntHere | End::BurntThere | End::WordsHere | End::WordsThere
            ),
        }
    }

    /// Returns the fingerprint of the card that the other side handed over, while digits are still
    /// to be typed here.
    pub(crate) fn their_fingerprint(&self) -> Option<Fingerprint> {
        match &self.state {
            State::Comparing(comparing) => comparing.their_fingerprint(),
            _ => None,
        }
    }

    /// When the invite ends, in seconds of Unix time. A pairing that has begun goes on.
    pub fn expires(&self) -> u64 {
        self.head.expires
    }

    /// When the pairing may be forgotten and its [`Pairing::mailbox`] closed: until then the other
    /// side may ask again for what it was told last.
    pub(crate) fn forget_after(&self) -> u64 {
        let last = match &self.state {
            State::Settled(settled) => settled.since,
            State::Closed(closed) => closed.since,
            _ => 0,
        };
        last.max(self.head.expires).saturating_add(KEPT)
    }

    fn said(&self) -> &Said {
        match &self.state {
            State::Offered(offered) => &offered.said,
            State::Answered(answered) => &answered.said,
            State::Joined(joined) => &joined.said,
            State::Comparing(comparing) => &comparing.said,
            State::Settled(settled) => &settled.said,
            State::Closed(closed) => &closed.said,
            State::Called(called) => &called.said,
            State::Heard(heard) => &heard.said,
            State::Proved(proved) => &proved.said,
        }
    }
}

impl Head {
    fn step(self, step: Move) -> Step {
        let Move { state, send, event } = step;
        Step { state: Pairing { head: self, state }, send, event }
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairing")
            .field("role", &self.head.role)
            .field("expires", &self.head.expires)
            .field("waits_for", &self.waits_for())
            .finish_non_exhaustive()
    }
}

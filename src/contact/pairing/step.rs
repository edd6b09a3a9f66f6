//! Outcome of a pairing step.

use crate::contact::pairing::address::Address;
use crate::contact::pairing::digits::Digits;
use crate::contact::pairing::message::Refusal;
use crate::contact::pairing::side::Role;
use crate::contact::trust::Trust;
use crate::identity::Card;
use crate::kem::PUBLIC_KEY;
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// What happened in a step.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The invite was taken up.
    Joined,
    /// Somebody took up the invite and was answered.
    Answered,
    /// The keys are agreed: these digits are shown, and the other side's four are to be typed.
    Digits(Digits),
    /// The other side typed the right digits.
    TheyConfirmed,
    /// The digits typed here were right; the other side has not confirmed yet.
    WeConfirmed,
    /// The other side is a contact now.
    Paired(Box<Paired>),
    /// The other side has everything: the pairing is over.
    Done,
    /// Another joiner was told no; the pairing stays as it was.
    TurnedAway(Refusal),
    /// The pairing ended without a contact, or was never to begin.
    Ended(End),
    /// A message came again and is answered as before; the pairing stays as it was.
    Repeated,
}

/// What a pairing brings, the same on both sides: what a ratchet starts from.
#[derive(Debug)]
pub struct Paired {
    /// The other side's card, which it owns.
    pub(crate) card: Card,
    /// The mailbox it made for letters from here.
    pub(crate) address: Address,
    /// What only the two know.
    pub(crate) pairwise: Secret<32>,
    /// Hash of everything that was said.
    pub(crate) transcript: [u8; 32],
    /// Who one was.
    pub(crate) role: Role,
    /// Their X-Wing public key, fresh for this pairing.
    pub(crate) their_key: Box<[u8; PUBLIC_KEY]>,
    /// The seed of one's own X-Wing key, fresh for this pairing.
    pub(crate) own_seed: Secret<32>,
    /// How trust came.
    pub(crate) trust: Trust,
    /// When, in seconds of Unix time.
    pub(crate) since: u64,
}

/// What a pairing waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waits {
    /// Somebody to take up the invite.
    Joiner,
    /// The inviter's answer.
    Answer,
    /// The joiner's answer to the answer.
    Confirmation,
    /// The digits the other side shows, to be typed here; these are shown here.
    OurDigits(Digits),
    /// The digits shown here, to be typed on the other side.
    TheirDigits(Digits),
    /// Word that the other side has everything. It is a contact already.
    Done,
    /// Nothing: it is over.
    Over(End),
}

/// How a pairing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum End {
    /// With a contact, who knows it.
    Paired,
    /// Wrong digits were typed here.
    BurntHere,
    /// Wrong digits were typed on the other side.
    BurntThere,
    /// The inviter refused.
    Refused(Refusal),
    /// Both sides are one identity.
    Oneself,
    /// The words given here are not those of whoever answered.
    WordsHere,
    /// The joiner says that he has other words.
    WordsThere,
}

//! State of a pairing as it is stored. The steps between these states are in files of their own.

use std::sync::Arc;

use crate::contact::pairing::address::{Address, Outgoing};
use crate::contact::pairing::digits::Code;
use crate::contact::pairing::invite::Invite;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{Hand, Opening};
use crate::contact::pairing::side::{Party, Role};
use crate::contact::pairing::step::{End, Event};
use crate::pake::Share;
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// Typestates: each is consumed by its step. New ones are added at the end.
#[derive(Clone, Encode, Decode)]
pub(super) enum State {
    Offered(Offered),
    Answered(Answered),
    Joined(Joined),
    Comparing(Box<Comparing>),
    Settled(Settled),
    Closed(Closed),
    Called(Box<Called>),
    Heard(Box<Heard>),
    Proved(Box<Proved>),
}

/// A step of one state, before it is joined with the head of its pairing.
pub(super) struct Move {
    pub(super) state: State,
    pub(super) send: Vec<Outgoing>,
    pub(super) event: Event,
}

/// What a state remembers to say the same again.
#[derive(Clone, Default, Encode, Decode)]
pub(super) struct Said {
    /// Pushed, and not known to have come.
    pub(super) pending: Vec<Outgoing>,
    /// What only answers the message last heard.
    pub(super) answer: Option<Outgoing>,
    /// Names of the messages heard, the last one last.
    pub(super) heard: Vec<[u8; 32]>,
}

impl Said {
    /// What is pushed when a message heard comes again: nothing, unless it is the last one.
    pub(super) fn again(&self, name: &[u8; 32]) -> Option<Vec<Outgoing>> {
        if self.heard.last() == Some(name) {
            Some(self.pending.iter().chain(&self.answer).cloned().collect())
        } else {
            self.heard.contains(name).then(Vec::new)
        }
    }
}

/// Keys are shared where a state is copied, never copied.
pub(super) type Key = Arc<Secret<32>>;

/// The invite was made; nobody has taken it up.
#[derive(Clone, Encode, Decode)]
pub(super) struct Offered {
    pub(super) invite: Invite,
    pub(super) party: Party,
    pub(super) said: Said,
}

/// A joiner was answered; whether they can read it is to be seen.
#[derive(Clone, Encode, Decode)]
pub(super) struct Answered {
    /// What others know who have the invite.
    pub(super) invite: Chain,
    pub(super) secret: bool,
    pub(super) party: Party,
    pub(super) theirs: Opening,
    pub(super) reply: Address,
    pub(super) code: Code,
    pub(super) chain: Chain,
    pub(super) said: Said,
}

/// The invite was taken up; the inviter has not answered.
#[derive(Clone, Encode, Decode)]
pub(super) struct Joined {
    pub(super) invite: Invite,
    pub(super) party: Party,
    /// The transcript after the first message.
    pub(super) chain: Chain,
    pub(super) said: Said,
}

/// The keys are agreed; the digits say with whom.
#[derive(Clone, Encode, Decode)]
pub(super) struct Comparing {
    pub(super) agreed: Agreed,
    pub(super) code: Code,
    /// What was said when the right digits were typed here.
    pub(super) confirmed: Option<Outgoing>,
    /// What the other side handed over when its digits were right.
    pub(super) theirs: Option<Hand>,
    pub(super) said: Said,
}

/// Keys are agreed in both directions.
#[derive(Clone, Encode, Decode)]
pub(super) struct Agreed {
    pub(super) role: Role,
    pub(super) invite: Chain,
    pub(super) party: Party,
    pub(super) theirs: Opening,
    /// The other side's mailbox for this pairing.
    pub(super) to: Address,
    pub(super) chain: Chain,
}

/// The other side is a contact.
#[derive(Clone, Encode, Decode)]
pub(super) struct Settled {
    /// Of the other side's later messages, until its last has come.
    pub(super) later: Option<Key>,
    /// Of a secret invite, to tell others that it is used.
    pub(super) invite: Option<Chain>,
    pub(super) said: Said,
    pub(super) since: u64,
}

/// There is no contact.
#[derive(Clone, Encode, Decode)]
pub(super) struct Closed {
    pub(super) end: End,
    pub(super) said: Said,
    pub(super) since: u64,
}

/// The joiner has spoken; the inviter has not answered.
#[derive(Clone, Encode, Decode)]
pub(super) struct Called {
    pub(super) invite: Invite,
    pub(super) party: Party,
    pub(super) session: [u8; 32],
    pub(super) share: Share,
    /// The transcript after the first message.
    pub(super) chain: Chain,
    pub(super) said: Said,
}

/// The inviter has answered and shown that they know the words; the joiner has not.
#[derive(Clone, Encode, Decode)]
pub(super) struct Heard {
    pub(super) invite: Chain,
    pub(super) party: Party,
    pub(super) theirs: Opening,
    pub(super) reply: Address,
    /// Of the joiner's message that these are not the words given there.
    pub(super) torn: Key,
    pub(super) chain: Chain,
    pub(super) said: Said,
}

/// The joiner knows that the inviter has the words, and has shown that they have them too.
#[derive(Clone, Encode, Decode)]
pub(super) struct Proved {
    pub(super) agreed: Agreed,
    pub(super) said: Said,
}

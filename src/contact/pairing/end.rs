//! The end of a pairing, with a contact or without.

use std::sync::Arc;

use crate::contact::Trust;
use crate::contact::pairing::Address;
use crate::contact::pairing::Error;
use crate::contact::pairing::Outgoing;
use crate::contact::pairing::Paired;
use crate::contact::pairing::Refusal;
use crate::contact::pairing::Role;
use crate::contact::pairing::Waits;
use crate::contact::pairing::chain::Chain;
use crate::contact::pairing::inviter::turn_away;
use crate::contact::pairing::message;
use crate::contact::pairing::message::Hand;
use crate::contact::pairing::message::Later;
use crate::contact::pairing::message::Opening;
use crate::contact::pairing::message::Sort;
use crate::contact::pairing::party::Party;
use crate::contact::pairing::state::State;
use crate::contact::pairing::step::End;
use crate::contact::pairing::step::Event;
use crate::contact::pairing::step::Key;
use crate::contact::pairing::step::Move;
use crate::contact::pairing::step::Said;
use crate::identity::Card;
use crate::secret::Secret;
use crate::wire;
use crate::wire::Decode;
use crate::wire::Encode;

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
    later: Option<Key>,
    /// Of a secret invite, to tell others that it is used.
    invite: Option<Chain>,
    said: Said,
    since: u64,
}

/// There is no contact.
#[derive(Clone, Encode, Decode)]
pub(super) struct Closed {
    end: End,
    said: Said,
    since: u64,
}

impl Agreed {
    /// The other side's card, when it is its own and the one it committed to.
    pub(super) fn verify(&self, hand: &Hand) -> Result<Card, Error> {
        hand.verify(self.role.other(), self.invite.hash(), &self.theirs)
    }

    /// The key of a side's messages from here on.
    pub(super) fn later(&self, from: Role) -> Secret<32> {
        self.chain.later(from)
    }

    /// By a secret invite: the joiner has confirmed, and is told that all has come.
    pub(super) fn settle_inviter(
        self,
        hand: &Hand,
        heard: Vec<[u8; 32]>,
        now: u64,
    ) -> Result<Move, Error> {
        let done = message::send(&self.to, &self.later(self.role), Sort::Later, &Later::Done)?;
        let said = Said { pending: Vec::new(), answer: Some(done.clone()), heard };
        let settled = Settled::new(None, Some(self.invite.clone()), said, now);
        self.settle(hand, Trust::SecretInvite, settled, vec![done])
    }

    /// By a secret invite: the inviter has answered, and is sent the confirmation.
    pub(super) fn settle_joiner(self, hand: &Hand, said: Said, now: u64) -> Result<Move, Error> {
        let send = said.pending.clone();
        let settled = Settled::new(Some(self.later(self.role.other())), None, said, now);
        self.settle(hand, Trust::SecretInvite, settled, send)
    }

    /// Both hands are given: what comes of it all.
    pub(super) fn settle(
        self,
        hand: &Hand,
        trust: Trust,
        settled: Settled,
        send: Vec<Outgoing>,
    ) -> Result<Move, Error> {
        let card = self.verify(hand)?;
        if card.fingerprint() == self.party.card()?.fingerprint() {
            return Ok(Closed::because(End::Oneself, settled.since));
        }
        let (inviters, joiners) = match self.role {
            Role::Inviter => (&self.party.hand, hand),
            Role::Joiner => (hand, &self.party.hand),
        };
        let mut chain = self.chain;
        chain.mix(&message::encode(inviters)?);
        chain.mix(&message::encode(joiners)?);
        let paired = Paired {
            card,
            address: hand.address.clone(),
            pairwise: chain.pairwise(),
            transcript: *chain.hash(),
            role: self.role,
            their_key: self.theirs.key,
            own_seed: self.party.seed.kem_seed(),
            trust,
            since: settled.since,
        };
        let event = Event::Paired(Box::new(paired));
        Ok(Move { state: State::Settled(settled), send, event })
    }
}

impl Settled {
    /// `later` is the key of the word that is still to come; `invite` lets others be turned away.
    pub(super) fn new(
        later: Option<Secret<32>>,
        invite: Option<Chain>,
        said: Said,
        since: u64,
    ) -> Self {
        Self { later: later.map(Arc::new), invite, said, since }
    }

    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    pub(super) fn since(&self) -> u64 {
        self.since
    }

    pub(super) fn waits_for(&self) -> Waits {
        match self.later {
            Some(_) => Waits::Done,
            None => Waits::Over(End::Paired),
        }
    }

    /// The other side's word that it has everything, or another joiner's first message.
    pub(super) fn receive(mut self, bytes: &[u8], _now: u64) -> Result<Option<Move>, Error> {
        if let Some(key) = &self.later {
            let Some(later) = message::open(key, Sort::Later, bytes) else { return Ok(None) };
            if !matches!(wire::decode(&later)?, Later::Done) {
                return Ok(None);
            }
            self.later = None;
            self.said.pending.clear();
            // First, since what came before is what may be asked for again.
            self.said.heard.insert(0, message::name(bytes));
            let state = State::Settled(self);
            return Ok(Some(Move { state, send: Vec::new(), event: Event::Done }));
        }
        let refused = self.invite.as_ref().map(|invite| turn_away(invite, bytes)).transpose()?;
        Ok(refused.flatten().map(|refusal| Move {
            state: State::Settled(self),
            send: vec![refusal],
            event: Event::TurnedAway(Refusal::Used),
        }))
    }
}

impl Closed {
    pub(super) fn because(end: End, now: u64) -> Move {
        let state = State::Closed(Self { end, said: Said::default(), since: now });
        Move { state, send: Vec::new(), event: Event::Ended(end) }
    }

    /// Wrong digits or words were typed here, and the other side is told.
    pub(super) fn burn(end: End, said: Said, word: Outgoing, now: u64) -> Move {
        let state = State::Closed(Self { end, said, since: now });
        Move { state, send: vec![word], event: Event::Ended(end) }
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    pub(super) fn since(&self) -> u64 {
        self.since
    }
}

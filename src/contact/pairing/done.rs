//! The end of a pairing, with a contact or without.

use std::sync::Arc;

use crate::contact::pairing::address::Outgoing;
use crate::contact::pairing::error::Error;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{self, Hand, Later, Refusal, Sort};
use crate::contact::pairing::refusal::turn_away;
use crate::contact::pairing::side::Role;
use crate::contact::pairing::state::{Agreed, Closed, Move, Said, Settled, State};
use crate::contact::pairing::step::{End, Event, Paired, Waits};
use crate::contact::trust::Trust;
use crate::identity::Card;
use crate::secret::Secret;
use crate::wire;

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
}

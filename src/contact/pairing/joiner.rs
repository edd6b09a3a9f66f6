//! The joiner, until the keys are agreed.

use crate::contact::pairing::address::Address;
use crate::contact::pairing::digits::Code;
use crate::contact::pairing::error::Error;
use crate::contact::pairing::invite::{Invite, Kind};
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{self, Exchange, Finish, Join, Refusal, Reveal, Sort};
use crate::contact::pairing::side::{Party, Role};
use crate::contact::pairing::state::{Agreed, Closed, Comparing, Joined, Move, Said, State};
use crate::contact::pairing::step::{End, Event};
use crate::crypto;
use crate::kem::{self, PublicKey};
use crate::wire;

impl Joined {
    pub(super) fn begin(invite: Invite, party: Party, reply: Address) -> Result<Move, Error> {
        let begin = Chain::begin(&invite)?;
        let join = Join { opening: party.opening()?, reply };
        let sent = message::send(invite.address(), &begin.outer(), Sort::Join, &join)?;
        let mut chain = begin;
        chain.mix(&message::encode(&join)?);
        let said = Said { pending: vec![sent.clone()], ..Said::default() };
        let state = State::Joined(Self { invite, party, chain, said });
        Ok(Move { state, send: vec![sent], event: Event::Joined })
    }

    /// The inviter's answer, or his refusal.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        let outer = self.chain.outer();
        let Some(exchange) = message::open(&outer, Sort::Answer, bytes) else {
            // Everybody who reads a public invite could make one.
            if !self.invite.is_secret() {
                return Ok(None);
            }
            let Some(refusal) = message::open(&outer, Sort::Refusal, bytes) else {
                return Ok(None);
            };
            let refusal: Refusal = wire::decode(&refusal)?;
            return Ok(Some(Closed::because(End::Refused(refusal), now)));
        };
        let exchange: Exchange = wire::decode(&exchange)?;
        let joined = *self.chain.hash();
        let mut chain = self.chain;
        let shared = self.party.seed.kem().decapsulate(&exchange.encapsulated)?;
        chain.mix(&exchange.encapsulated);
        chain.agree(&shared);
        let reveal: Reveal = wire::decode(&chain.open(&exchange.sealed)?)?;
        let opening = message::encode(&reveal.opening)?;
        let begin = Chain::begin(&self.invite)?;
        // Checked before a word is said under what this key agrees.
        let met = match (self.invite.kind(), &reveal.hand) {
            (Kind::Secret(_), Some(hand)) => {
                Some(hand.verify(Role::Inviter, begin.hash(), &reveal.opening)?)
            }
            (Kind::Public(commitment), None) => {
                if !crypto::equal(commitment, &Invite::commitment(&opening)) {
                    return Err(Error::Commitment);
                }
                None
            }
            _ => {
                return Err(Error::Malformed(
                    "a card comes with a secret invite, and with no other",
                ));
            }
        };
        if let Some(card) = met
            && card.fingerprint() == self.party.card()?.fingerprint()
        {
            return Ok(Some(Closed::because(End::Oneself, now)));
        }
        let theirs = PublicKey::from_bytes(&reveal.opening.key)?;
        let outer = chain.outer();
        let coins = self.party.seed.encapsulation(chain.hash());
        let (encapsulated, shared) = kem::encapsulate_from(&theirs, &coins);
        chain.mix(&encapsulated);
        chain.agree(&shared);
        let hand = reveal.hand.is_some().then(|| self.party.hand.clone());
        let sealed = chain.seal(&message::encode(&Finish { hand })?);
        let exchange = Exchange { encapsulated, sealed };
        let to = self.invite.address().clone();
        let sent = message::send(&to, &outer, Sort::Finish, &exchange)?;
        let said = Said { pending: vec![sent], answer: None, heard: vec![message::name(bytes)] };
        let agreed = Agreed {
            role: Role::Joiner,
            invite: begin,
            party: self.party,
            theirs: reveal.opening.clone(),
            to,
            chain,
        };
        match reveal.hand {
            Some(hand) => agreed.settle_joiner(&hand, said, now).map(Some),
            None => {
                let code = Code::of(&joined, &reveal.opening)?;
                Ok(Some(Comparing::begin(agreed, code, said)))
            }
        }
    }
}

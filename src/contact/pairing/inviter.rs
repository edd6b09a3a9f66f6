//! The inviter, until the keys are agreed.

use crate::contact::pairing::digits::Code;
use crate::contact::pairing::error::Error;
use crate::contact::pairing::invite::{Invite, Kind};
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{self, Exchange, Finish, Refusal, Reveal, Sort};
use crate::contact::pairing::pake;
use crate::contact::pairing::refusal::{read_join, refuse, turn_away};
use crate::contact::pairing::side::{Party, Role};
use crate::contact::pairing::state::{Agreed, Answered, Comparing, Move, Offered, Said, State};
use crate::contact::pairing::step::Event;
use crate::kem::{self, PublicKey};
use crate::wire;

impl Offered {
    pub(super) fn new(invite: Invite, party: Party) -> Self {
        Self { invite, party, said: Said::default() }
    }

    /// The first joiner's first message.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        if matches!(self.invite.kind(), Kind::Words) {
            let words = self.party.seed.words();
            return pake::answer(&self.invite, self.party, &words, bytes, now);
        }
        let begin = Chain::begin(&self.invite)?;
        let secret = self.invite.is_secret();
        let Some((join, joined)) = read_join(&begin, bytes)? else { return Ok(None) };
        if let Err(expired) = self.invite.check_time(now) {
            if !secret {
                return Err(expired);
            }
            let send = vec![refuse(&joined, &join.reply, Refusal::Expired)?];
            let event = Event::TurnedAway(Refusal::Expired);
            return Ok(Some(Move { state: State::Offered(self), send, event }));
        }
        let opening = self.party.opening()?;
        let code = Code::of(joined.hash(), &opening)?;
        let theirs = PublicKey::from_bytes(&join.opening.key)?;
        let coins = self.party.seed.encapsulation(joined.hash());
        let (encapsulated, shared) = kem::encapsulate_from(&theirs, &coins);
        let mut chain = joined.clone();
        chain.mix(&encapsulated);
        chain.agree(&shared);
        let hand = secret.then(|| self.party.hand.clone());
        let sealed = chain.seal(&message::encode(&Reveal { opening, hand })?);
        let exchange = Exchange { encapsulated, sealed };
        let answer = message::send(&join.reply, &joined.outer(), Sort::Answer, &exchange)?;
        let said =
            Said { pending: vec![answer.clone()], answer: None, heard: vec![message::name(bytes)] };
        let state = State::Answered(Answered {
            invite: begin,
            secret,
            party: self.party,
            theirs: join.opening,
            reply: join.reply,
            code,
            chain,
            said,
        });
        Ok(Some(Move { state, send: vec![answer], event: Event::Answered }))
    }
}

impl Answered {
    /// The joiner's second message, or another joiner's first.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        let Some(exchange) = message::open(&self.chain.outer(), Sort::Finish, bytes) else {
            let refused = if self.secret { turn_away(&self.invite, bytes)? } else { None };
            return Ok(refused.map(|refusal| Move {
                state: State::Answered(self),
                send: vec![refusal],
                event: Event::TurnedAway(Refusal::Used),
            }));
        };
        let exchange: Exchange = wire::decode(&exchange)?;
        let mut chain = self.chain;
        let shared = self.party.seed.kem().decapsulate(&exchange.encapsulated)?;
        chain.mix(&exchange.encapsulated);
        chain.agree(&shared);
        let finish: Finish = wire::decode(&chain.open(&exchange.sealed)?)?;
        let mut heard = self.said.heard;
        heard.push(message::name(bytes));
        let agreed = Agreed {
            role: Role::Inviter,
            invite: self.invite,
            party: self.party,
            theirs: self.theirs,
            to: self.reply,
            chain,
        };
        match (finish.hand, self.secret) {
            (Some(hand), true) => agreed.settle_inviter(&hand, heard, now).map(Some),
            (None, false) => {
                let said = Said { heard, ..Said::default() };
                Ok(Some(Comparing::begin(agreed, self.code, said)))
            }
            _ => Err(Error::Malformed("a card comes with a secret invite, and with no other")),
        }
    }
}

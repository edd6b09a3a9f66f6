//! The inviter, until the keys are agreed.

use crate::contact::pairing::Address;
use crate::contact::pairing::Error;
use crate::contact::pairing::Invite;
use crate::contact::pairing::Kind;
use crate::contact::pairing::Outgoing;
use crate::contact::pairing::Refusal;
use crate::contact::pairing::Role;
use crate::contact::pairing::chain::Chain;
use crate::contact::pairing::compare::Comparing;
use crate::contact::pairing::digits::Code;
use crate::contact::pairing::end;
use crate::contact::pairing::message;
use crate::contact::pairing::message::Exchange;
use crate::contact::pairing::message::Finish;
use crate::contact::pairing::message::Join;
use crate::contact::pairing::message::Opening;
use crate::contact::pairing::message::Reveal;
use crate::contact::pairing::message::Sort;
use crate::contact::pairing::party::Party;
use crate::contact::pairing::spoken;
use crate::contact::pairing::state::State;
use crate::contact::pairing::step::Event;
use crate::contact::pairing::step::Move;
use crate::contact::pairing::step::Said;
use crate::kem;
use crate::kem::PublicKey;
use crate::wire;
use crate::wire::Decode;
use crate::wire::Encode;

/// The invite was made; nobody has taken it up.
#[derive(Clone, Encode, Decode)]
pub(super) struct Offered {
    invite: Invite,
    party: Party,
    said: Said,
}

/// A joiner was answered; whether he can read it is to be seen.
#[derive(Clone, Encode, Decode)]
pub(super) struct Answered {
    /// What others know who have the invite.
    invite: Chain,
    secret: bool,
    party: Party,
    theirs: Opening,
    reply: Address,
    code: Code,
    chain: Chain,
    said: Said,
}

impl Offered {
    pub(super) fn new(invite: Invite, party: Party) -> Self {
        Self { invite, party, said: Said::default() }
    }

    pub(super) fn invite(&self) -> &Invite {
        &self.invite
    }

    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    /// The first joiner's first message.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        if matches!(self.invite.kind(), Kind::Words) {
            let words = self.party.seed.words();
            return spoken::answer(&self.invite, self.party, &words, bytes, now);
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
    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }

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
        let agreed = end::Agreed {
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

/// A joiner's first message, and the transcript after it.
fn read_join(begin: &Chain, bytes: &[u8]) -> Result<Option<(Join, Chain)>, Error> {
    let Some(record) = message::open(&begin.outer(), Sort::Join, bytes) else { return Ok(None) };
    let join: Join = wire::decode(&record)?;
    join.reply.check()?;
    let mut joined = begin.clone();
    joined.mix(&record);
    Ok(Some((join, joined)))
}

fn refuse(joined: &Chain, to: &Address, why: Refusal) -> Result<Outgoing, Error> {
    message::send(to, &joined.outer(), Sort::Refusal, &why)
}

/// What a joiner is told who comes too late with a secret invite. The answer to a public one
/// would let everybody who reads it have messages pushed wherever he likes.
pub(super) fn turn_away(begin: &Chain, bytes: &[u8]) -> Result<Option<Outgoing>, Error> {
    let Some((join, joined)) = read_join(begin, bytes)? else { return Ok(None) };
    refuse(&joined, &join.reply, Refusal::Used).map(Some)
}

//! Both sides of an invite whose words are spoken, until each knows that the other has them.
//!
//! CPace (draft-irtf-cfrg-cpace) runs inside the first two messages; the joiner speaks first. Its
//! key goes into the chain behind the first X-Wing secret, so a recorded transcript gives nothing
//! to whoever breaks only one of the two.

use std::sync::Arc;

use crate::contact::pairing::address::Address;
use crate::contact::pairing::error::Error;
use crate::contact::pairing::invite::Invite;
use crate::contact::pairing::key_schedule::Chain;
use crate::contact::pairing::message::{
    self, Call, Exchange, Finish, Join, Later, Proof, Refusal, Reveal, Sort,
};
use crate::contact::pairing::side::{Party, Role};
use crate::contact::pairing::state::{
    Agreed, Called, Closed, Heard, Move, Proved, Said, Settled, State,
};
use crate::contact::pairing::step::{End, Event};
use crate::contact::pairing::words::Words;
use crate::contact::trust::Trust;
use crate::crypto::{self, label};
use crate::kem::{self, PublicKey};
use crate::pake::{self, Context, Ephemeral, Run, Share};
use crate::secret::Secret;
use crate::wire;

impl Called {
    pub(super) fn begin(
        invite: Invite,
        words: &Words,
        party: Party,
        reply: Address,
    ) -> Result<Move, Error> {
        let mut chain = Chain::begin(&invite)?;
        let outer = chain.outer();
        let join = Join { opening: party.opening()?, reply };
        chain.mix(&message::encode(&join)?);
        let session = *chain.hash();
        let share = speak(words, &session, &party.seed.scalar(&session));
        chain.mix(&share);
        let sent = message::send(invite.address(), &outer, Sort::Join, &Call { join, share })?;
        let said = Said { pending: vec![sent.clone()], ..Said::default() };
        let state = State::Called(Box::new(Self { invite, party, session, share, chain, said }));
        Ok(Move { state, send: vec![sent], event: Event::Joined })
    }

    /// The inviter's answer. One whose share is one may be a guess, and is the only one.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        let Some(proof) = message::open(&self.chain.outer(), Sort::Answer, bytes) else {
            return Ok(None);
        };
        let proof: Proof = wire::decode(&proof)?;
        let mut chain = self.chain;
        let shared = self.party.seed.kem().decapsulate(&proof.encapsulated)?;
        chain.mix(&proof.encapsulated);
        chain.agree(&shared);
        let torn = chain.later(Role::Joiner);
        let scalar = Ephemeral::from_random(&self.party.seed.scalar(&self.session));
        let key = scalar.key_of_first(&Run {
            session: &self.session,
            first: pake::Said { share: &self.share, data: &[] },
            second: pake::Said { share: &proof.share, data: chain.hash() },
        })?;
        chain.mix(&proof.share);
        chain.agree(&key);
        let to = self.invite.address().clone();
        if !crypto::equal(&proof.proof, chain.proof().expose()) {
            let word = message::send(&to, &torn, Sort::Later, &Later::Burnt)?;
            let heard = vec![message::name(bytes)];
            let said = Said { pending: vec![word.clone()], answer: None, heard };
            return Ok(Some(Closed::burn(End::WordsHere, said, word, now)));
        }
        let reveal: Reveal = wire::decode(&chain.open(&proof.sealed)?)?;
        if reveal.hand.is_some() {
            return Err(Error::Malformed("a card comes when the words were right"));
        }
        let theirs = PublicKey::from_bytes(&reveal.opening.key)?;
        let outer = chain.outer();
        let coins = self.party.seed.encapsulation(chain.hash());
        let (encapsulated, shared) = kem::encapsulate_from(&theirs, &coins);
        chain.mix(&encapsulated);
        chain.agree(&shared);
        let hand = Some(self.party.hand.clone());
        let sealed = chain.seal(&message::encode(&Finish { hand })?);
        let exchange = Exchange { encapsulated, sealed };
        let sent = message::send(&to, &outer, Sort::Finish, &exchange)?;
        let heard = vec![message::name(bytes)];
        let said = Said { pending: vec![sent.clone()], answer: None, heard };
        let agreed = Agreed {
            role: Role::Joiner,
            invite: Chain::begin(&self.invite)?,
            party: self.party,
            theirs: reveal.opening,
            to,
            chain,
        };
        let state = State::Proved(Box::new(Proved { agreed, said }));
        Ok(Some(Move { state, send: vec![sent], event: Event::Answered }))
    }
}

/// The inviter's answer to the first joiner: the one chance this joiner has.
pub(super) fn answer(
    invite: &Invite,
    party: Party,
    words: &Words,
    bytes: &[u8],
    now: u64,
) -> Result<Option<Move>, Error> {
    let begin = Chain::begin(invite)?;
    let Some(call) = read_call(&begin, bytes)? else { return Ok(None) };
    invite.check_time(now)?;
    let Call { join, share: theirs } = call;
    let mut chain = begin.clone();
    chain.mix(&message::encode(&join)?);
    let session = *chain.hash();
    chain.mix(&theirs);
    let outer = chain.outer();
    let key = PublicKey::from_bytes(&join.opening.key)?;
    let (encapsulated, shared) =
        kem::encapsulate_from(&key, &party.seed.encapsulation(chain.hash()));
    chain.mix(&encapsulated);
    chain.agree(&shared);
    let torn = Arc::new(chain.later(Role::Joiner));
    let random = party.seed.scalar(chain.hash());
    let share = speak(words, &session, &random);
    let key = Ephemeral::from_random(&random).key_of_second(&Run {
        session: &session,
        first: pake::Said { share: &theirs, data: &[] },
        second: pake::Said { share: &share, data: chain.hash() },
    })?;
    chain.mix(&share);
    chain.agree(&key);
    let proof = *chain.proof().expose();
    let sealed = chain.seal(&message::encode(&Reveal { opening: party.opening()?, hand: None })?);
    let proof = Proof { encapsulated, share, proof, sealed };
    let sent = message::send(&join.reply, &outer, Sort::Answer, &proof)?;
    let heard = vec![message::name(bytes)];
    let said = Said { pending: vec![sent.clone()], answer: None, heard };
    let (theirs, reply) = (join.opening, join.reply);
    let heard = Heard { invite: begin, party, theirs, reply, torn, chain, said };
    Ok(Some(Move {
        state: State::Heard(Box::new(heard)),
        send: vec![sent],
        event: Event::Answered,
    }))
}

impl Heard {
    /// The joiner's proof, or his word that the words are others, or another joiner's first message.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        let Some(exchange) = message::open(&self.chain.outer(), Sort::Finish, bytes) else {
            return self.turn_down(bytes, now);
        };
        let exchange: Exchange = wire::decode(&exchange)?;
        let mut chain = self.chain;
        let shared = self.party.seed.kem().decapsulate(&exchange.encapsulated)?;
        chain.mix(&exchange.encapsulated);
        chain.agree(&shared);
        let finish: Finish = wire::decode(&chain.open(&exchange.sealed)?)?;
        let hand = finish.hand.ok_or(Error::Malformed("a card comes when the words were right"))?;
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
        let ours = Later::Hand(agreed.party.hand.clone());
        let word = message::send(&agreed.to, &agreed.later(Role::Inviter), Sort::Later, &ours)?;
        let said = Said { pending: vec![word.clone()], answer: None, heard };
        let settled = Settled::new(Some(agreed.later(Role::Joiner)), None, said, now);
        agreed.settle(&hand, Trust::Words, settled, vec![word]).map(Some)
    }

    fn turn_down(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        if let Some(later) = message::open(&self.torn, Sort::Later, bytes) {
            let burnt = matches!(wire::decode(&later)?, Later::Burnt);
            return Ok(burnt.then(|| Closed::because(End::WordsThere, now)));
        }
        // Told here and not to him: everybody who reads the invite would have messages pushed
        // wherever he likes.
        Ok(read_call(&self.invite, bytes)?.map(|_| Move {
            state: State::Heard(Box::new(self)),
            send: Vec::new(),
            event: Event::TurnedAway(Refusal::Used),
        }))
    }
}

impl Proved {
    /// The inviter's hand.
    pub(super) fn receive(self, bytes: &[u8], now: u64) -> Result<Option<Move>, Error> {
        let Self { agreed, mut said } = self;
        let key = agreed.later(Role::Inviter);
        let Some(later) = message::open(&key, Sort::Later, bytes) else { return Ok(None) };
        let Later::Hand(hand) = wire::decode(&later)? else { return Ok(None) };
        let ours = agreed.later(Role::Joiner);
        let done = message::send(&agreed.to, &ours, Sort::Later, &Later::Done)?;
        said.heard.push(message::name(bytes));
        let said = Said { pending: Vec::new(), answer: Some(done.clone()), heard: said.heard };
        let settled = Settled::new(None, None, said, now);
        agreed.settle(&hand, Trust::Words, settled, vec![done]).map(Some)
    }
}

/// A joiner's first message.
fn read_call(begin: &Chain, bytes: &[u8]) -> Result<Option<Call>, Error> {
    let Some(record) = message::open(&begin.outer(), Sort::Join, bytes) else { return Ok(None) };
    let call: Call = wire::decode(&record)?;
    call.join.reply.check()?;
    Ok(Some(call))
}

/// One side's share.
fn speak(words: &Words, session: &[u8; 32], random: &Secret<32>) -> Share {
    let text = words.to_text();
    let context = Context { password: text.as_bytes(), channel: label::PAIRING_WORDS, session };
    Ephemeral::from_random(random).share(&context)
}

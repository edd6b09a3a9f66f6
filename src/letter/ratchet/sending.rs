//! The line of letters we write.

use crate::kem::{self, PublicKey};
use crate::letter::ratchet::chain::{Agreed, Chain, HeaderKeys, Line, Position, short};
use crate::letter::ratchet::error::Error;
use crate::letter::ratchet::stanza::{Ack, Header, LetterKey, Random};
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

#[derive(Encode, Decode)]
pub(super) struct Sending {
    line: Line,
    /// Epochs begun.
    epoch: u32,
    current: Option<Outgoing>,
    /// A key to begin the next epoch with, and the letter that brought it.
    theirs: Option<Box<[u8; kem::PUBLIC_KEY]>>,
    brought: Position,
}

/// The epoch we are in.
#[derive(Encode, Decode)]
struct Outgoing {
    keys: HeaderKeys,
    chain: Chain,
    /// Of the next letter.
    number: u32,
    ciphertext: Box<kem::Ciphertext>,
    answered: [u8; 8],
    /// Letters in the epoch before.
    previous: u32,
    /// The other has had a letter of this epoch: he can follow into the next.
    acked: bool,
}

impl Sending {
    pub(super) fn new(line: Line, theirs: Option<Box<[u8; kem::PUBLIC_KEY]>>) -> Self {
        Self { line, epoch: 0, current: None, theirs, brought: (0, 0) }
    }

    /// Begins an epoch if the other can follow and has offered a key; returns what it is made of.
    pub(super) fn turn(&mut self, random: &mut Random<'_>) -> Result<Option<Agreed>, Error> {
        if self.current.as_ref().is_some_and(|current| !current.acked) {
            return Ok(None);
        }
        let Some(key) = &self.theirs else {
            return if self.current.is_some() { Ok(None) } else { Err(Error::Unanswered) };
        };
        let epoch = self.epoch.checked_add(1).ok_or(Error::Exhausted)?;
        let randomness = Secret::build(|out: &mut [u8; 64]| random(out))?;
        let (ciphertext, shared) = kem::encapsulate_from(&PublicKey::from_bytes(key)?, &randomness);
        let agreed = Agreed::new(&shared, key, &ciphertext);
        let (line, chain) = self.line.step(&agreed);
        let keys = std::mem::replace(&mut self.line, line).next;
        self.current = Some(Outgoing {
            keys,
            chain,
            number: 0,
            ciphertext: Box::new(ciphertext),
            answered: short(key.as_slice()),
            previous: self.current.as_ref().map_or(0, |current| current.number),
            acked: false,
        });
        self.epoch = epoch;
        self.theirs = None;
        Ok(Some(agreed))
    }

    /// Mixes the first answer to an offer of ours in, before anything is sealed.
    pub(super) fn bind(&mut self, answer: &Agreed) {
        self.line = self.line.step(answer).0;
    }

    /// The key of the next letter; the chain is past it.
    pub(super) fn next(
        &mut self,
        ack: Ack,
        offered: Box<[u8; kem::PUBLIC_KEY]>,
    ) -> Result<LetterKey, Error> {
        let current = self.current.as_mut().ok_or(Error::Unanswered)?;
        let following = current.number.checked_add(1).ok_or(Error::Exhausted)?;
        let (chain, key) = current.chain.step();
        let number = std::mem::replace(&mut current.number, following);
        current.chain = chain;
        let header = Header {
            previous: current.previous.to_be_bytes(),
            ack,
            answered: current.answered,
            ciphertext: current.ciphertext.clone(),
            offered,
        };
        Ok(LetterKey { number, keys: current.keys.copy(), header, key })
    }

    /// Whether the other has had letters that this state has not written: it was restored from a
    /// backup, or copied.
    pub(super) fn is_behind(&self, ack: &Ack) -> bool {
        let epoch = u32::from_be_bytes(ack.epoch);
        let last = self.current.as_ref().filter(|_| epoch == self.epoch);
        epoch > self.epoch
            || last.is_some_and(|current| {
                short(current.ciphertext.as_slice()) != ack.id
                    || u32::from_be_bytes(ack.next) > current.number
            })
    }

    /// Takes what a verified letter says. Keys that come late are older than the one we have, and
    /// may be gone.
    pub(super) fn hear(&mut self, at: Position, ack: &Ack, offered: Box<[u8; kem::PUBLIC_KEY]>) {
        let known = u32::from_be_bytes(ack.epoch) == self.epoch;
        if let Some(current) = self.current.as_mut().filter(|_| known) {
            current.acked |= short(current.ciphertext.as_slice()) == ack.id;
        }
        if at > self.brought {
            self.theirs = Some(offered);
            self.brought = at;
        }
    }

    /// Takes what a thief of the sender's state reads with: the line, and the epoch it is in.
    #[cfg(test)]
    #[expect(clippy::type_complexity, reason = "one test takes it apart")]
    pub(super) fn stolen(self) -> (Line, Option<(u32, [u8; 8], HeaderKeys, Chain, u32)>) {
        let epoch = self.epoch;
        let current = self.current.map(|current| {
            let id = short(current.ciphertext.as_slice());
            (epoch, id, current.keys, current.chain, current.number)
        });
        (self.line, current)
    }
}

//! The line of letters we read.

use std::collections::VecDeque;
use std::ops::Range;

use crate::crypto;
use crate::kem::{self, SecretKey};
use crate::letter::ratchet::chain::{
    Agreed, Chain, HeaderKeys, LetterSecret, Line, Position, SALT, TAG, short,
};
use crate::letter::ratchet::error::Error;
use crate::letter::ratchet::stanza::{Ack, Header, Random};
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// How far ahead of the last letter a letter is found.
pub(crate) const WINDOW: u32 = 2_048;
/// Hours for which keys of letters that have not come, and a session that was replaced, are kept.
pub(crate) const KEEP: u32 = 30 * 24;
/// Keys offered and not answered; when there are so many, letters repeat the last.
const MAX_OFFERED: usize = 64;
/// Epochs kept, whether anything of them is missing or not: a replay is known for what it is, and so
/// is a sender who was restored from a backup.
const MAX_EPOCHS: usize = 64;
/// Numbers of the last epoch, and of each before, whose salts are remembered.
const USED: usize = 256;
const USED_BEFORE: usize = 32;
/// How far ahead a tag is looked for before those that were overtaken.
const NEAR: u32 = 8;

#[derive(Encode, Decode)]
pub(super) struct Receiving {
    line: Line,
    /// The one the other is in is last.
    epochs: VecDeque<Epoch>,
    /// The last offered is last.
    offered: VecDeque<Offered>,
}

/// A key of ours that waits for its answer.
#[derive(Encode, Decode)]
struct Offered {
    name: [u8; 8],
    seed: Secret<32>,
}

#[derive(Encode, Decode)]
struct Epoch {
    number: u32,
    /// Of its ciphertext.
    id: [u8; 8],
    keys: HeaderKeys,
    /// Until the next epoch begins.
    chain: Option<Chain>,
    /// The number of `chain`.
    next: u32,
    skipped: VecDeque<Skipped>,
    used: VecDeque<(u32, Mark)>,
}

/// A letter that has not come.
#[derive(Encode, Decode)]
struct Skipped {
    number: u32,
    key: LetterSecret,
    /// Hour of Unix time at which it was missed.
    since: u32,
}

/// Tells two salts of one number apart.
type Mark = [u8; 4];

/// Where a tag belongs.
pub(super) struct Found {
    number: u32,
    place: Place,
}

enum Place {
    /// In the epoch after the last.
    Next,
    /// In the last epoch, not come yet and not missed.
    Ahead,
    /// Missed, in the epoch of this index.
    Skipped(usize),
    /// Opened before.
    Used(usize, Mark),
    /// Beyond what was ever written in the epoch of this index, which is over.
    Beyond(usize),
}

/// The epoch that a letter begins.
struct Begun {
    line: Line,
    chain: Chain,
    agreed: Agreed,
    /// Which of our keys it answers.
    at: usize,
}

/// What a letter can be, once its header was opened.
pub(super) enum Verdict {
    /// Its key is there.
    Open(LetterSecret),
    Replay,
    Conflict,
    /// It answers a key that this state does not have.
    Lost,
}

impl Receiving {
    pub(super) fn new(line: Line) -> Self {
        Self { line, epochs: VecDeque::new(), offered: VecDeque::new() }
    }

    /// What a thief of the sender's state reads with: the sender's line, and no key to follow it by.
    #[cfg(test)]
    pub(super) fn stolen(
        line: Line,
        epoch: Option<(u32, [u8; 8], HeaderKeys, Chain, u32)>,
    ) -> Self {
        let epochs = epoch.into_iter().map(|(number, id, keys, chain, next)| Epoch {
            number,
            id,
            keys,
            chain: Some(chain),
            next,
            skipped: VecDeque::new(),
            used: VecDeque::new(),
        });
        Self { line, epochs: epochs.collect(), offered: VecDeque::new() }
    }

    /// Adds a key that the other knows already.
    pub(super) fn offer_seed(&mut self, seed: Secret<32>) -> Box<[u8; kem::PUBLIC_KEY]> {
        let key = Box::new(SecretKey::from_seed(&seed).public().to_bytes());
        self.offered.push_back(Offered { name: short(key.as_slice()), seed });
        key
    }

    /// The key to put into the next letter.
    pub(super) fn offer(
        &mut self,
        random: &mut Random<'_>,
    ) -> Result<Box<[u8; kem::PUBLIC_KEY]>, Error> {
        match self.offered.back() {
            // Each of them may be answered still, so none may go.
            Some(last) if self.offered.len() >= MAX_OFFERED => {
                Ok(Box::new(SecretKey::from_seed(&last.seed).public().to_bytes()))
            }
            _ => Ok(self.offer_seed(Secret::build(|out| random(out))?)),
        }
    }

    /// The last key offered.
    pub(super) fn last_offered(&self) -> Option<Box<[u8; kem::PUBLIC_KEY]>> {
        let last = self.offered.back()?;
        Some(Box::new(SecretKey::from_seed(&last.seed).public().to_bytes()))
    }

    pub(super) fn ack(&self) -> Ack {
        let last = self.epochs.back();
        Ack {
            epoch: last.map_or(0, |epoch| epoch.number).to_be_bytes(),
            id: last.map_or([0; 8], |epoch| epoch.id),
            next: last.map_or(0, |epoch| epoch.next).to_be_bytes(),
        }
    }

    /// Finds a tag, the likely places first: a letter in order is found at the first step or the
    /// second.
    pub(super) fn locate(&self, tag: &[u8; TAG]) -> Option<Found> {
        self.ahead(0..NEAR, tag)
            .or_else(|| self.behind(tag))
            .or_else(|| self.ahead(NEAR..WINDOW, tag))
    }

    /// Whether [`Receiving::locate`] finds a tag at once.
    pub(super) fn expects(&self, tag: &[u8; TAG]) -> bool {
        self.ahead(0..NEAR, tag).is_some()
    }

    /// So many numbers further on in the last epoch, and as many into the next.
    fn ahead(&self, mut range: Range<u32>, tag: &[u8; TAG]) -> Option<Found> {
        let last = self.epochs.back();
        range.find_map(|ahead| {
            let here = last.and_then(|last| {
                let number = last.next.checked_add(ahead)?;
                let found = Found { number, place: Place::Ahead };
                last.keys.is_tag(number, tag).then_some(found)
            });
            let next = || !self.is_silent() && self.line.next.is_tag(ahead, tag);
            here.or_else(|| next().then_some(Found { number: ahead, place: Place::Next }))
        })
    }

    /// Returns whether nothing can have come: no key was offered yet that a letter could answer. Until then
    /// the line of a session that answers an offer is known to every reader of the offer.
    pub(super) fn is_silent(&self) -> bool {
        self.epochs.is_empty() && self.offered.is_empty()
    }

    /// Mixes our first answer to an offer in, before a key is offered.
    pub(super) fn bind(&mut self, answer: &Agreed) {
        self.line = self.line.step(answer).0;
    }

    fn behind(&self, tag: &[u8; TAG]) -> Option<Found> {
        self.epochs.iter().enumerate().rev().find_map(|(at, epoch)| {
            let skipped = epoch.skipped.iter().map(|old| (old.number, Place::Skipped(at)));
            let used = epoch.used.iter().map(|&(number, mark)| (number, Place::Used(at, mark)));
            let beyond = (epoch.chain.is_none().then_some(epoch.next).into_iter())
                .flat_map(|next| next..next.saturating_add(NEAR))
                .map(|number| (number, Place::Beyond(at)));
            let (number, place) = skipped
                .chain(used)
                .chain(beyond)
                .find(|(number, _)| epoch.keys.is_tag(*number, tag))?;
            Some(Found { number, place })
        })
    }

    /// The keys of the epoch that a tag belongs to.
    pub(super) fn keys(&self, found: &Found) -> Option<&HeaderKeys> {
        self.epoch(found)
            .map_or(matches!(found.place, Place::Next).then_some(&self.line.next), |epoch| {
                Some(&epoch.keys)
            })
    }

    fn epoch(&self, found: &Found) -> Option<&Epoch> {
        match found.place {
            Place::Next => None,
            Place::Ahead => self.epochs.back(),
            Place::Skipped(at) | Place::Used(at, _) | Place::Beyond(at) => self.epochs.get(at),
        }
    }

    /// Judges a letter and derives its key; nothing changes.
    pub(super) fn judge(
        &self,
        found: &Found,
        salt: &[u8; SALT],
        header: &Header,
    ) -> Result<Verdict, Error> {
        if let Place::Used(_, seen) = found.place
            && seen == mark(salt)
        {
            return Ok(Verdict::Replay);
        }
        let epoch = self.epoch(found);
        if epoch.is_some_and(|epoch| epoch.id != short(header.ciphertext.as_slice())) {
            return Ok(Verdict::Conflict);
        }
        Ok(match (&found.place, epoch) {
            (Place::Next, _) => match self.begin(header)? {
                Some(begun) => Verdict::Open(begun.chain.peek(found.number)),
                None => Verdict::Lost,
            },
            (Place::Ahead, Some(Epoch { chain: Some(chain), next, .. })) => {
                Verdict::Open(chain.peek(found.number.saturating_sub(*next)))
            }
            (Place::Skipped(_), Some(epoch)) => {
                match epoch.skipped.iter().find(|skipped| skipped.number == found.number) {
                    Some(skipped) => Verdict::Open(skipped.key.copy()),
                    None => Verdict::Conflict,
                }
            }
            _ => Verdict::Conflict,
        })
    }

    /// Derives the epoch that a header begins, if it answers a key of ours.
    fn begin(&self, header: &Header) -> Result<Option<Begun>, Error> {
        let Some(at) = self.offered.iter().position(|key| key.name == header.answered) else {
            return Ok(None);
        };
        let Some(offered) = self.offered.get(at) else { return Ok(None) };
        let key = SecretKey::from_seed(&offered.seed);
        let shared = key.decapsulate(&header.ciphertext)?;
        let agreed = Agreed::new(&shared, &key.public().to_bytes(), &header.ciphertext);
        let (line, chain) = self.line.step(&agreed);
        Ok(Some(Begun { line, chain, agreed, at }))
    }

    /// Erases the key of a letter that was opened, and keeps those of the letters it overtook. Returns
    /// where it stands, and what the epoch is made of if the letter begins one.
    pub(super) fn take(
        &mut self,
        found: &Found,
        salt: &[u8; SALT],
        header: &Header,
        hour: u32,
    ) -> Result<(Position, Option<Agreed>), Error> {
        let mut agreed = None;
        let at = match found.place {
            Place::Used(..) | Place::Beyond(_) => return Err(Error::Spent),
            Place::Skipped(at) => at,
            Place::Ahead => self.epochs.len().saturating_sub(1),
            Place::Next => {
                agreed = Some(self.follow(header, hour)?);
                self.epochs.len().saturating_sub(1)
            }
        };
        let epoch = self.epochs.get_mut(at).ok_or(Error::Spent)?;
        if epoch.id != short(header.ciphertext.as_slice()) {
            return Err(Error::Spent);
        }
        if let Place::Skipped(_) = found.place {
            epoch.skipped.retain(|skipped| skipped.number != found.number);
        } else {
            epoch.skip_to(found.number, hour);
            epoch.chain = epoch.chain.take().map(|chain| chain.step().0);
            epoch.next = found.number.saturating_add(1);
        }
        epoch.used.push_back((found.number, mark(salt)));
        Ok(((epoch.number, found.number), agreed))
    }

    /// Goes on into the next epoch.
    fn follow(&mut self, header: &Header, hour: u32) -> Result<Agreed, Error> {
        let Begun { line, chain, agreed, at } = self.begin(header)?.ok_or(Error::Spent)?;
        if let Some(last) = self.epochs.back_mut() {
            // What lies further on could not have been found before either.
            let previous = u32::from_be_bytes(header.previous);
            last.skip_to(previous.min(last.next.saturating_add(WINDOW)), hour);
            last.chain = None;
        }
        self.offered.drain(..=at);
        let number = self.epochs.back().map_or(0, |epoch| epoch.number).saturating_add(1);
        self.epochs.push_back(Epoch {
            number,
            id: short(header.ciphertext.as_slice()),
            keys: std::mem::replace(&mut self.line, line).next,
            chain: Some(chain),
            next: 0,
            skipped: VecDeque::new(),
            used: VecDeque::new(),
        });
        Ok(agreed)
    }

    /// Forgets what is too old, and what is too much.
    pub(super) fn prune(&mut self, hour: u32) {
        let last = self.epochs.len().saturating_sub(1);
        for (at, epoch) in self.epochs.iter_mut().enumerate() {
            epoch.skipped.retain(|skipped| hour.saturating_sub(skipped.since) <= KEEP);
            let keep = if at == last { USED } else { USED_BEFORE };
            epoch.used.drain(..epoch.used.len().saturating_sub(keep));
        }
        self.epochs.drain(..self.epochs.len().saturating_sub(MAX_EPOCHS));
    }

    /// Keys kept of letters that have not come.
    pub(super) fn skipped(&self) -> usize {
        self.epochs.iter().map(|epoch| epoch.skipped.len()).sum()
    }

    /// Forgets so many of them, the oldest first.
    pub(super) fn forget(&mut self, mut count: usize) {
        for epoch in &mut self.epochs {
            let some = count.min(epoch.skipped.len());
            epoch.skipped.drain(..some);
            count -= some;
        }
    }
}

impl Epoch {
    fn skip_to(&mut self, number: u32, since: u32) {
        while self.next < number
            && let Some(chain) = self.chain.take()
        {
            let (chain, key) = chain.step();
            self.skipped.push_back(Skipped { number: self.next, key, since });
            self.chain = Some(chain);
            self.next += 1;
        }
    }
}

fn mark(salt: &[u8; SALT]) -> Mark {
    crypto::truncate(&crypto::sha256(&[salt]))
}

//! State of letters with one contact: the session in use, and those it replaced.

use std::collections::VecDeque;
use std::fmt;

use crate::age;
use crate::crypto;
use crate::kem::PublicKey;
use crate::letter::ratchet::chain::{SALT, TAG, short};
use crate::letter::ratchet::error::Error;
use crate::letter::ratchet::receiving::{Found, KEEP, Verdict};
use crate::letter::ratchet::session::{Offer, Session, Start};
use crate::letter::ratchet::stanza::{Header, LetterKey, Parsed, Random};
use crate::secret::Secret;
use crate::wire::{Decode, Encode, Record};

/// Keys kept of letters that have not come, over all sessions.
pub(crate) const MAX_SKIPPED: usize = 4_096;
/// Sessions kept for opening beside the one in use.
const MAX_REPLACED: usize = 4;
/// Names of sessions that are remembered: an offer of one of them is no news.
const MAX_STARTS: usize = 64;
/// Letters remembered because a new start was offered on account of them: each is a reason once.
const MAX_FAULTS: usize = 256;

/// The state of letters with one contact, one device of each.
///
/// It is a value: the caller keeps [`Ratchet::encode`] sealed at rest, and under a lock from
/// reading it to writing it.
#[derive(Encode, Decode)]
pub(crate) struct Ratchet {
    current: Session,
    /// For opening only; the last replaced is last.
    replaced: VecDeque<Session>,
    /// Of all sessions so far, the last is last.
    starts: VecDeque<[u8; 32]>,
    faults: VecDeque<[u8; 8]>,
}

impl Record for Ratchet {
    const NAME: &'static str = "ratchet state";
    const VERSION: u8 = 1;
    const MAX: usize = 384 << 10;
}

/// What a stanza of ours turned out to be.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its key was there.
    Opened(Box<Opened>),
    /// This very letter was opened before: its key is gone.
    Replay,
    /// The contact sealed another letter under a number that was used: his state was restored from
    /// a backup, or copied. This letter cannot be opened any more; after `Ratchet::resync` the
    /// next one can.
    Conflict(Fault),
    /// The contact answers a key that this state does not have: it was restored from a backup, or
    /// copied. This letter cannot be opened any more; after `Ratchet::resync` the next one can.
    Lost(Fault),
}

/// A letter whose key was there.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Opens the file.
    pub file_key: Secret<16>,
    /// For [`Ratchet::apply`].
    pub pending: Pending,
}

/// What a letter changes, once all of it was verified and is safely out.
#[derive(Clone, Encode, Decode)]
#[must_use = "the key of the letter stays until this is applied"]
pub(crate) struct Pending {
    tag: [u8; TAG],
    salt: [u8; SALT],
    header: Header,
}

/// A session whose two sides do not agree, and by what letter that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    session: [u8; 32],
    letter: Option<[u8; 8]>,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// It is the session in use now.
    New,
    /// It was before: offers are repeated until they are answered.
    Known,
    /// There is a later start, of either side. If it is not an offer of ours that waits already,
    /// there is one now: the clocks may disagree, and the contact has no other session.
    Older,
}

impl Ratchet {
    /// After pairing.
    pub(crate) fn new(start: Start<'_>) -> Self {
        Self::of(Session::paired(start))
    }

    /// With the pairwise secret alone, when the state is lost: letters are sealed to the contact's
    /// card, with [`Ratchet::offer`] inside, until he answers. `now` is Unix time in seconds, here
    /// and below.
    pub(crate) fn recover(secret: &Secret<32>, now: u64) -> Result<Self, Error> {
        Ok(Self::of(Session::offering(secret, now, &mut crypto::fill_random)?))
    }

    /// From the contact's offer, when there is no state.
    pub(crate) fn answer(offer: &Offer, secret: &Secret<32>, now: u64) -> Result<Self, Error> {
        Ok(Self::of(Session::answering(offer, secret, now)?))
    }

    fn of(current: Session) -> Self {
        let starts = VecDeque::from([current.id]);
        Self { current, replaced: VecDeque::new(), starts, faults: VecDeque::new() }
    }

    /// Our offer, if it was not answered yet.
    pub(crate) fn offer(&self) -> Option<Offer> {
        self.current.offer()
    }

    /// Takes the contact's offer, from a letter that was verified to be his and is no replay. The
    /// session in use so far still opens what is on its way.
    pub(crate) fn adopt(
        &mut self,
        offer: &Offer,
        secret: &Secret<32>,
        now: u64,
    ) -> Result<Adopted, Error> {
        let session = Session::answering(offer, secret, now)?;
        if self.starts.contains(&session.id) {
            return Ok(Adopted::Known);
        }
        if session.rank() < self.current.rank() {
            self.know(session.id);
            if self.offer().is_none() {
                self.restart(secret, now)?;
            }
            return Ok(Adopted::Older);
        }
        self.replace(session, now);
        Ok(Adopted::New)
    }

    /// For a new start because the user wants one: letters of the contact come that no state opens,
    /// since more than `WINDOW` before them were lost. Nothing unauthenticated may lead to it: it
    /// costs the forward secrecy of the letters until the answer.
    pub(crate) fn in_use(&self) -> Fault {
        Fault { session: self.current.id, letter: None }
    }

    /// Offers a new start because of a fault, unless an offer waits for its answer already, or the
    /// same letter was a reason before. Says whether it did: then the user is to be warned.
    ///
    /// A fault in a session that was replaced counts too: a contact who is restored from one backup
    /// twice goes on in it.
    pub(crate) fn resync(
        &mut self,
        fault: &Fault,
        secret: &Secret<32>,
        now: u64,
    ) -> Result<bool, Error> {
        if let Some(letter) = fault.letter {
            if self.faults.contains(&letter) {
                return Ok(false);
            }
            self.faults.drain(..(self.faults.len() + 1).saturating_sub(MAX_FAULTS));
            self.faults.push_back(letter);
        }
        let known = self.sessions().any(|session| session.id == fault.session);
        let due = known && self.offer().is_none();
        if due {
            self.restart(secret, now)?;
        }
        Ok(due)
    }

    /// The offer is later than what it replaces, whatever the clock says.
    fn restart(&mut self, secret: &Secret<32>, now: u64) -> Result<(), Error> {
        let created = now.max(self.current.created.saturating_add(1));
        let session = Session::offering(secret, created, &mut crypto::fill_random)?;
        self.replace(session, now);
        Ok(())
    }

    fn replace(&mut self, session: Session, now: u64) {
        self.know(session.id);
        let mut old = std::mem::replace(&mut self.current, session);
        old.replaced = Some(hour(now));
        self.replaced.push_back(old);
        self.prune(now);
    }

    /// Keeps what is there for opening only, as if a new start had replaced it.
    pub(super) fn retire(&mut self, now: u64) {
        self.current.replaced.get_or_insert(hour(now));
    }

    /// Returns whether it was retired, longer ago than such a session is kept.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.current.replaced.is_some_and(|at| hour(now).saturating_sub(at) > KEEP)
    }

    /// Remembers a start: brought again by a relay, it is no reason for anything.
    fn know(&mut self, start: [u8; 32]) {
        self.starts.drain(..(self.starts.len() + 1).saturating_sub(MAX_STARTS));
        self.starts.push_back(start);
    }

    /// Returns the key of the next letter, for one file. The caller makes the state durable before it
    /// hands the key out, so that a number whose letter left is never used again.
    ///
    /// # Errors
    ///
    /// [`Error::Unanswered`]: nothing changed, and the letter is to be sealed to the card.
    pub(crate) fn seal(&mut self, now: u64) -> Result<LetterKey, Error> {
        self.seal_from(now, &mut crypto::fill_random)
    }

    fn seal_from(&mut self, now: u64, random: &mut Random<'_>) -> Result<LetterKey, Error> {
        let key = self.current.seal(random)?;
        self.prune(now);
        Ok(key)
    }

    /// Whether a stanza is one of the next few that are due, which is told fast.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`].
    pub(crate) fn expects(&self, stanza: &age::Stanza) -> Result<bool, Error> {
        let Some(parsed) = Parsed::read(stanza)? else { return Ok(false) };
        Ok(self.sessions().any(|session| session.receiving.expects(&parsed.tag)))
    }

    /// Opens a stanza and changes nothing. `None`: it is of another type, or for somebody else, or
    /// its key has been forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] before anything is tried; [`Error::Damaged`], [`Error::Record`] and
    /// [`Error::Key`] when the tag is one of ours and the rest is not what its sender wrote.
    pub(crate) fn open(&self, stanza: &age::Stanza) -> Result<Option<Outcome>, Error> {
        let Some(parsed) = Parsed::read(stanza)? else { return Ok(None) };
        let Some((session, found)) = self.locate(&parsed.tag) else { return Ok(None) };
        let Some(keys) = session.receiving.keys(&found) else { return Ok(None) };
        let header = parsed.header(keys)?;
        let fault = Fault { session: session.id, letter: Some(short(&parsed.salt)) };
        let key = match session.receiving.judge(&found, &parsed.salt, &header)? {
            Verdict::Open(key) => key,
            Verdict::Replay => return Ok(Some(Outcome::Replay)),
            Verdict::Conflict => return Ok(Some(Outcome::Conflict(fault))),
            Verdict::Lost => return Ok(Some(Outcome::Lost(fault))),
        };
        let file_key = parsed.file_key(&key)?;
        PublicKey::from_bytes(&header.offered)?;
        Ok(Some(Outcome::Opened(Box::new(Opened {
            file_key,
            pending: Pending { tag: parsed.tag, salt: parsed.salt, header },
        }))))
    }

    /// Erases the letter's key, and takes what the letter said. To be called when the whole letter
    /// was verified and its bytes are safely out; what comes of it is to be made durable then.
    /// `written` is when its sender says that he wrote it.
    ///
    /// A fault says that one of the two was restored from a backup, or copied: the contact has had
    /// letters that this state has not written, or he writes in a session that he had left. See
    /// `Ratchet::resync`.
    ///
    /// # Errors
    ///
    /// [`Error::Spent`]: somebody else was faster, and nothing changed.
    pub(crate) fn apply(
        &mut self,
        pending: Pending,
        written: u64,
        now: u64,
    ) -> Result<Option<Fault>, Error> {
        let Pending { tag, salt, header } = pending;
        let in_use = (self.current.id, self.current.heard);
        let taken = self.sessions_mut().find_map(|session| {
            let found = session.receiving.locate(&tag)?;
            let position = session.receiving.take(&found, &salt, &header, hour(now));
            Some(position.map(|(position, agreed)| (session, position, agreed)))
        });
        let (session, position, agreed) = taken.ok_or(Error::Spent)??;
        let left = session.id != in_use.0
            && in_use.1.is_some_and(|heard| hour(written.min(now)) > heard.saturating_add(1));
        let behind = session.sending.is_behind(&header.ack);
        session.sending.hear(position, &header.ack, header.offered);
        session.answered(agreed.as_ref());
        session.heard.get_or_insert(hour(now));
        let fault = Fault { session: session.id, letter: Some(short(&salt)) };
        self.prune(now);
        Ok((left || behind).then_some(fault))
    }

    fn locate(&self, tag: &[u8; TAG]) -> Option<(&Session, Found)> {
        self.sessions().find_map(|session| Some((session, session.receiving.locate(tag)?)))
    }

    /// The one in use first.
    fn sessions(&self) -> impl Iterator<Item = &Session> {
        std::iter::once(&self.current).chain(self.replaced.iter().rev())
    }

    fn sessions_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        std::iter::once(&mut self.current).chain(self.replaced.iter_mut().rev())
    }

    /// Forgets what is too old, and what is too much, the oldest first.
    fn prune(&mut self, now: u64) {
        let hour = hour(now);
        self.replaced.retain(|old| old.replaced.is_none_or(|at| hour.saturating_sub(at) <= KEEP));
        self.replaced.drain(..self.replaced.len().saturating_sub(MAX_REPLACED));
        self.sessions_mut().for_each(|session| session.receiving.prune(hour));
        let kept: usize = self.sessions().map(|session| session.receiving.skipped()).sum();
        let mut surplus = kept.saturating_sub(MAX_SKIPPED);
        for session in self.replaced.iter_mut().chain(std::iter::once(&mut self.current)) {
            let some = surplus.min(session.receiving.skipped());
            session.receiving.forget(some);
            surplus -= some;
        }
    }
}

fn hour(now: u64) -> u32 {
    u32::try_from(now / 3600).unwrap_or(u32::MAX)
}

impl fmt::Debug for Ratchet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ratchet(..)")
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending(..)")
    }
}

#[cfg(test)]
mod tests;

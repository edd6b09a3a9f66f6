//! Taking what is in a mailbox: list, spool, deliver, mark, acknowledge. Small messages go through
//! each of these together, a long one alone and, when the line breaks, on from where it was.
//!
//! One order serves every way of delivering, be it a file, a command or a pipe:
//!
//! 1. **Spool.** The bytes are fetched, their hash is checked, they are synced here.
//! 2. **Deliver.** The caller's function gets them, and says that it is through with them.
//! 3. **Mark.** The message is marked as delivered in the spool, by one rename.
//! 4. **Acknowledge.** The marks are synced, and the relay deletes what they name.
//!
//! A reader behind a pipe may say nothing of what it did. What is given to it is marked as given
//! and acknowledged, and its bytes stay in the spool until the reader leaves word that they are safe
//! ([`Word::Opened`](crate::relay::spool::Word)), or for a week: [`pull_again`] gives them out once
//! more. A reader that takes one message, or refuses some, leaves word of that too, and the next
//! pull gives out again what was not taken. Those that were refused come after all others, new ones
//! included: however many there are, and however small the limit, they keep no other from coming.
//!
//! What a crash does, by where it comes:
//!
//! | after | next time |
//! |---|---|
//! | 1 | delivered from the spool, not fetched again |
//! | 2 | delivered **again**: the one place, see below |
//! | 3 | the relay lists it again; it is only acknowledged (after a power cut, as after 2) |
//! | 4 | nothing |
//!
//! So nothing is deleted at the relay that was not delivered, and delivery happens at least
//! once. It happens once to the user when the receiving end tells a message that came before:
//! between its success and the mark no order can help, for two systems cannot commit in one
//! step. A file named after the id and created exclusively does it; so does the memory of
//! letters that opening them keeps.

mod follow;
mod many;

use std::collections::HashSet;
use std::fs::File;
use std::time::{Duration, Instant};

use crate::crypto::SigningSecret;
use crate::relay::client::{Client, LONGEST};
use crate::relay::error::Error;
use crate::relay::frame;
use crate::relay::protocol::{Entry, Id, MAX_BATCH_BYTES, MAX_FRAME, MAX_LIST};
use crate::relay::spool::{Spool, Word};

pub use self::follow::follow;
pub use self::many::{Owned, follow_all, pull_all};

/// Most messages one pull deals with, so that a relay that lists without end is left.
const MAX_SEEN: usize = 1 << 16;
/// Most messages taken together: each is an open file until all are durable.
const TAKE_BATCH: usize = 256;
/// Messages delivered before they are acknowledged together.
const ACK_BATCH: usize = 256;
/// Longest time between acknowledgements while messages are delivered.
const ACK_EVERY: Duration = Duration::from_secs(2);
/// Answers that may break off without anything having come.
const BROKEN: u32 = 2;

/// What the caller did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is where it should be, and safe there: mark and acknowledge it.
    Yes,
    /// It went to a reader of whom nothing is known: acknowledge it, and keep it in the spool
    /// until its reader leaves word, for [`pull_again`].
    GivenOut,
    /// Not this time: it stays in the spool and at the relay, and comes again.
    Later,
}

/// How to pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How long to wait for a first message when there is none.
    pub wait: Duration,
    /// Most messages to deliver.
    pub limit: usize,
    /// Deliver without marking or acknowledging: everything comes again next time.
    pub peek: bool,
    /// Greatest message that is fetched, in bytes; longer ones stay at the relay.
    pub message_bytes: u64,
}

impl Default for Options {
    /// No waiting, all there is, 16 GiB.
    fn default() -> Self {
        Self { wait: Duration::ZERO, limit: usize::MAX, peek: false, message_bytes: 16 << 30 }
    }
}

/// What a pull did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Messages delivered.
    pub delivered: u64,
    /// Messages put off by the caller.
    pub later: u64,
    /// Messages the relay deleted, also such as were delivered another time.
    pub acknowledged: u64,
    /// Messages that were too long, or whose bytes at the relay are not what their id says.
    pub refused: u64,
    /// The mailboxes that their relay does not have, by their place among those that were given to
    /// [`pull_all`] or [`follow_all`].
    pub gone: Vec<usize>,
}

/// Why a pull stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped<E> {
    /// The relay, the line or the spool.
    #[error(transparent)]
    Relay(#[from] Error),
    /// The caller's function. The message is in the spool and comes again.
    #[error("{0}")]
    Deliver(E),
}

/// Delivers what waits in the spool from before, then what is in the mailbox of `key`.
///
/// Returns when the mailbox shows nothing new, or `limit` messages were delivered.
/// Stops at the first error; what was delivered before it is marked, and acknowledged if the
/// relay can be reached.
pub fn pull<E>(
    client: &Client,
    key: &SigningSecret,
    spool: &mut Spool,
    options: Options,
    deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let mut pull = Pull::new(client, key, spool, options, deliver);
    let outcome = pull.deliver_waiting().and_then(|()| pull.rounds(deadline(options.wait)));
    let outcome = outcome.and_then(|()| pull.deliver_deferred());
    pull.spool.settle().map_err(Error::from)?;
    outcome.map(|()| pull.report)
}

/// Delivers again, from the spool alone, what was given out and not opened since.
pub fn pull_again<E>(
    spool: &mut Spool,
    limit: usize,
    mut deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let mut report = Report::default();
    let mut given = spool.given().into_iter().take(limit);
    let outcome = given.try_for_each(|id| hand_over(spool, id, &mut deliver, false, &mut report));
    spool.settle().map_err(Error::from)?;
    outcome.map(|()| report)
}

struct Pull<'a, F> {
    client: &'a Client,
    key: &'a SigningSecret,
    spool: &'a mut Spool,
    options: Options,
    deliver: F,
    report: Report,
    /// What was dealt with in this pull.
    seen: HashSet<Id>,
    /// What was acknowledged in this pull.
    acked: HashSet<Id>,
}

/// When a wait that begins now is over.
fn deadline(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait.min(LONGEST)).unwrap_or(now)
}

impl<'a, F> Pull<'a, F> {
    fn new(
        client: &'a Client,
        key: &'a SigningSecret,
        spool: &'a mut Spool,
        options: Options,
        deliver: F,
    ) -> Self {
        let (report, seen, acked) = (Report::default(), HashSet::new(), HashSet::new());
        Self { client, key, spool, options, deliver, report, seen, acked }
    }

    fn handed(&self) -> usize {
        usize::try_from(self.report.delivered + self.report.later).unwrap_or(usize::MAX)
    }

    fn delivered(&self) -> usize {
        usize::try_from(self.report.delivered).unwrap_or(usize::MAX)
    }

    fn is_enough(&self) -> bool {
        // What was put off does not count, or a first message that fails would stop all others.
        self.report.delivered >= self.options.limit as u64
    }

    /// Delivers what waits in the spool.
    fn deliver_waiting<E>(&mut self) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let waiting = self.spool.waiting();
        self.deliver(waiting)
    }

    /// Delivers what readers refused before, when all others were delivered.
    fn deliver_deferred<E>(&mut self) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let deferred = self.spool.deferred();
        self.deliver(deferred)
    }

    fn deliver<E>(&mut self, ids: Vec<Id>) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let mut delivered = Vec::new();
        for id in ids {
            if self.is_enough() {
                break;
            }
            self.seen.insert(id);
            self.hand_over(id)?;
            delivered.push(id);
        }
        // The relay may have them still, and a small limit ends this before they are listed.
        delivered.retain(|id| self.spool.is_done(id));
        if self.is_enough() { Ok(self.acknowledge(&mut delivered)?) } else { Ok(()) }
    }

    /// Lists and deals with what is listed, until there is nothing new; waits for something to be
    /// there.
    fn rounds<E>(&mut self, until: Instant) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let handed = self.handed();
        while !self.is_enough() && self.seen.len() < MAX_SEEN {
            let wait = match self.handed() == handed {
                true => until.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            // Messages put off and refused stay in the list: it must reach beyond them.
            let left = self.options.limit.saturating_sub(self.delivered());
            let page = left.saturating_add(self.seen.len()).min(MAX_LIST);
            let listed = self.client.list(self.key, wait, page)?;
            let before = self.seen.len() + self.acked.len();
            self.page(&listed)?;
            let idle = self.seen.len() + self.acked.len() == before;
            let waits = listed.is_empty() && self.handed() == handed && Instant::now() < until;
            if idle && !waits {
                break;
            }
        }
        Ok(())
    }

    /// Deals with a list. What was delivered is acknowledged every now and then, and what
    /// earlier pulls delivered first of all: however often a pull is killed, the mailbox empties.
    fn page<E>(&mut self, listed: &[Entry]) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        let ids = listed.iter().map(|entry| entry.id);
        let mut done: Vec<Id> = ids.filter(|id| self.spool.is_done(id)).collect();
        self.acknowledge(&mut done)?;
        let mut last = Instant::now();
        let mut rest = listed.iter().copied();
        while !self.is_enough() {
            let batch = self.batch(&mut rest);
            if batch.is_empty() {
                break;
            }
            if let Err(stopped) = self.deal_with(&batch, &mut done, &mut last) {
                // What was delivered before need not come again, if that can be helped; what
                // did not come is as new as before.
                let _ = self.acknowledge(&mut done);
                let missing = batch.iter().filter(|entry| !self.spool.knows(&entry.id));
                missing.for_each(|entry| {
                    self.seen.remove(&entry.id);
                });
                return Err(stopped);
            }
        }
        Ok(self.acknowledge(&mut done)?)
    }

    /// The next messages of a list that are dealt with together.
    fn batch(&mut self, rest: &mut (impl Iterator<Item = Entry> + Clone)) -> Vec<Entry> {
        let most = TAKE_BATCH.min(self.options.limit.saturating_sub(self.delivered()));
        let mut batch: Vec<Entry> = Vec::new();
        let mut room = MAX_BATCH_BYTES as u64;
        while batch.len() < most {
            let before = rest.clone();
            let Some(entry) = rest.next() else { break };
            if self.spool.is_done(&entry.id) || self.seen.contains(&entry.id) {
                continue;
            }
            let long = entry.size > MAX_FRAME;
            if !batch.is_empty() && (long || entry.size + frame::HEAD as u64 > room) {
                *rest = before;
                break;
            }
            self.seen.insert(entry.id);
            if entry.size > self.options.message_bytes {
                self.report.refused += 1;
                continue;
            }
            batch.push(entry);
            if long {
                break;
            }
            room -= entry.size + frame::HEAD as u64;
        }
        batch
    }

    fn deal_with<E>(
        &mut self,
        batch: &[Entry],
        done: &mut Vec<Id>,
        last: &mut Instant,
    ) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        self.take_in(batch)?;
        for entry in batch {
            if !self.spool.is_waiting(&entry.id) {
                continue;
            }
            self.hand_over(entry.id)?;
            if self.spool.is_done(&entry.id) {
                done.push(entry.id);
            }
            if done.len() >= ACK_BATCH || last.elapsed() >= ACK_EVERY {
                self.acknowledge(done)?;
                *last = Instant::now();
            }
        }
        Ok(())
    }

    /// Step 1.
    fn take_in(&mut self, batch: &[Entry]) -> Result<(), Error> {
        let mut damaged = Vec::new();
        if batch.iter().all(|entry| entry.size <= MAX_FRAME) {
            let taken = self.take_in_small(batch);
            // What came before a break is as good as any.
            self.spool.settle()?;
            damaged = taken?;
        }
        self.report.refused += damaged.len() as u64;
        for entry in batch {
            if self.spool.knows(&entry.id) || damaged.contains(&entry.id) {
                continue;
            }
            match self.take_in_alone(entry) {
                // Expired, or taken by another machine of the same owner.
                Ok(()) | Err(Error::NoMessage(_)) => {}
                Err(Error::WrongHash(_)) => self.report.refused += 1,
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn take_in_small(&mut self, batch: &[Entry]) -> Result<Vec<Id>, Error> {
        let mut broken = 0;
        let mut wanted: Vec<Entry> = batch.to_vec();
        wanted.retain(|entry| !self.spool.knows(&entry.id));
        while !wanted.is_empty() {
            let mut came = HashSet::new();
            let put = |id, bytes: &[u8]| {
                came.insert(id);
                self.spool.put(id, bytes)
            };
            match self.client.take(self.key, &wanted, put) {
                Err(Error::Temporary { .. }) if broken < BROKEN => {
                    broken = if came.is_empty() { broken + 1 } else { 0 };
                    wanted.retain(|entry| !came.contains(&entry.id));
                }
                outcome => return outcome,
            }
        }
        Ok(Vec::new())
    }

    /// The client begins a request again, but not a body that broke off.
    fn take_in_alone(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut partial = self.spool.partial(entry.id)?;
        let mut broken = 0;
        while partial.length() < entry.size {
            let before = partial.length();
            match self.client.fetch_from(self.key, entry, before, &mut partial) {
                // It ended before its size: the hash will not be right.
                Ok(()) => break,
                Err(Error::Temporary { .. }) if broken < BROKEN => {
                    broken = if partial.length() == before { broken + 1 } else { 0 };
                }
                Err(error) => return Err(error),
            }
        }
        self.spool.complete(partial)
    }

    fn hand_over<E>(&mut self, id: Id) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        hand_over(self.spool, id, &mut self.deliver, self.options.peek, &mut self.report)
    }

    /// Step 4.
    fn acknowledge(&mut self, done: &mut Vec<Id>) -> Result<(), Error> {
        let ids = std::mem::take(done);
        if self.options.peek || ids.is_empty() {
            return Ok(());
        }
        self.spool.settle()?;
        self.report.acknowledged += self.client.ack(self.key, &ids)?;
        self.acked.extend(ids);
        Ok(())
    }
}

/// Steps 2 and 3.
fn hand_over<E>(
    spool: &mut Spool,
    id: Id,
    deliver: &mut impl FnMut(Id, &mut File) -> Result<Delivered, E>,
    peek: bool,
    report: &mut Report,
) -> Result<(), Stopped<E>> {
    let Some(mut file) = spool.open_message(&id).map_err(Error::from)? else {
        return Ok(());
    };
    let delivered = deliver(id, &mut file).map_err(Stopped::Deliver)?;
    match delivered {
        Delivered::Later => {
            // What opened it was part of work that failed.
            Word::Opened.retract(spool.folder(), &id).map_err(Error::from)?;
            report.later += 1;
        }
        Delivered::Yes | Delivered::GivenOut => report.delivered += 1,
    }
    match delivered {
        Delivered::Yes if !peek => spool.done(&id),
        Delivered::GivenOut if !peek => spool.give(&id),
        _ => Ok(()),
    }
    .map_err(|error| Error::from(error).into())
}

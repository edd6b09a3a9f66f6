//! Taking what is in a mailbox: list, spool, deliver, mark, acknowledge.
//!
//! One order serves every way of delivering, be it a file, a command or a pipe:
//!
//! 1. **Spool.** The bytes are fetched, their hash is checked, they are synced here.
//! 2. **Deliver.** The caller's function gets them, and says that it is through with them.
//! 3. **Mark.** The message is marked as delivered in the spool, durably, by one rename.
//! 4. **Acknowledge.** The relay deletes it.
//!
//! A reader behind a pipe says nothing of what he did. What is given to him is marked as given and
//! acknowledged, and its bytes stay in the spool until [`Spool::confirm`] or for a week:
//! [`pull_again`] gives them out once more.
//!
//! What a crash does, by where it comes:
//!
//! | after | next time |
//! |---|---|
//! | 1 | delivered from the spool, not fetched again |
//! | 2 | delivered **again**: the one place, see below |
//! | 3 | the relay lists it again; it is only acknowledged |
//! | 4 | nothing |
//!
//! So nothing is deleted at the relay that was not delivered, and delivery happens at least
//! once. It happens once to the user when the receiving end tells a message that came before:
//! between its success and the mark no order can help, for two systems cannot commit in one
//! step. A file named after the id and created exclusively does it; so does the memory of
//! letters that opening them keeps.

use std::collections::HashSet;
use std::fs::File;
use std::time::{Duration, Instant};

use crate::crypto::SigningSecret;
use crate::relay::client::Client;
use crate::relay::error::Error;
use crate::relay::protocol::{Entry, Id, MAX_LIST};
use crate::relay::spool::Spool;

/// Most messages one pull deals with, so that a relay that lists without end is left.
const MAX_SEEN: usize = 1 << 16;
/// Messages delivered before they are acknowledged together.
const ACK_BATCH: usize = 32;
/// Longest time between acknowledgements while messages are delivered.
const ACK_EVERY: Duration = Duration::from_secs(2);
/// Bodies of one message that may break off.
const BROKEN_BODIES: u32 = 2;

/// What the caller did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is where it should be, and safe there: mark and acknowledge it.
    Yes,
    /// It went to a reader of whom nothing is known: acknowledge it, and keep it in the spool
    /// until [`Spool::confirm`], for [`pull_again`].
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    let mut pull = Pull {
        client,
        key,
        spool,
        options,
        deliver,
        report: Report::default(),
        seen: HashSet::new(),
        acked: HashSet::new(),
    };
    let mut delivered = Vec::new();
    for id in pull.spool.waiting() {
        if pull.is_enough() {
            break;
        }
        pull.seen.insert(id);
        pull.hand_over(id)?;
        delivered.push(id);
    }
    // The relay may have them still, and a small limit ends this before they are listed.
    delivered.retain(|id| !options.peek && pull.spool.is_done(id));
    if !delivered.is_empty() && pull.is_enough() {
        pull.report.acknowledged += client.ack(key, &delivered)?;
    }
    let until = Instant::now() + options.wait;
    while !pull.is_enough() && pull.seen.len() < MAX_SEEN {
        let wait = match pull.handed() {
            0 => until.saturating_duration_since(Instant::now()),
            _ => Duration::ZERO,
        };
        // Messages put off and refused stay in the list: it must reach beyond them.
        let left = options.limit.saturating_sub(pull.delivered());
        let page = left.saturating_add(pull.seen.len()).min(MAX_LIST);
        let listed = client.list(key, wait, page)?;
        let before = pull.seen.len() + pull.acked.len();
        pull.page(&listed)?;
        let idle = pull.seen.len() + pull.acked.len() == before;
        let waits = listed.is_empty() && pull.handed() == 0 && Instant::now() < until;
        if idle && !waits {
            break;
        }
    }
    Ok(pull.report)
}

/// Delivers again, from the spool alone, what was given out and not opened since.
pub fn pull_again<E>(
    spool: &mut Spool,
    limit: usize,
    mut deliver: impl FnMut(Id, &mut File) -> Result<Delivered, E>,
) -> Result<Report, Stopped<E>> {
    let mut report = Report::default();
    for id in spool.given().into_iter().take(limit) {
        hand_over(spool, id, &mut deliver, false, &mut report)?;
    }
    Ok(report)
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

impl<F> Pull<'_, F> {
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
        for entry in listed {
            if self.is_enough() {
                break;
            }
            if self.spool.is_done(&entry.id) || !self.seen.insert(entry.id) {
                continue;
            }
            if let Err(stopped) = self.deal_with(entry) {
                // What was delivered before need not come again, if that can be helped.
                let _ = self.acknowledge(&mut done);
                return Err(stopped);
            }
            if self.spool.is_done(&entry.id) {
                done.push(entry.id);
            }
            if done.len() >= ACK_BATCH || last.elapsed() >= ACK_EVERY {
                self.acknowledge(&mut done)?;
                last = Instant::now();
            }
        }
        Ok(self.acknowledge(&mut done)?)
    }

    fn deal_with<E>(&mut self, entry: &Entry) -> Result<(), Stopped<E>>
    where
        F: FnMut(Id, &mut File) -> Result<Delivered, E>,
    {
        if entry.size > self.options.message_bytes {
            self.report.refused += 1;
            return Ok(());
        }
        match self.take_in(entry) {
            Ok(()) => self.hand_over(entry.id),
            // Expired, or taken by another machine of the same owner.
            Err(Error::NoMessage(_)) => Ok(()),
            Err(Error::WrongHash(_)) => {
                self.report.refused += 1;
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Step 1. The client begins a request again, but not a body that broke off.
    fn take_in(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut broken = 0;
        loop {
            let fill = |file: &mut _| self.client.fetch(self.key, entry, file);
            match self.spool.receive(entry.id, fill) {
                Err(Error::Temporary { .. }) if broken < BROKEN_BODIES => broken += 1,
                outcome => return outcome,
            }
        }
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
            // Whatever opened it was part of work that failed.
            spool.retract(&id).map_err(Error::from)?;
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

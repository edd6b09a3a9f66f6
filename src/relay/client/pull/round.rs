//! One visit to one mailbox: list, spool, deliver, mark, acknowledge.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::relay::client::error::Error;
use crate::relay::client::pull::types::{Delivered, Options, Owned, Report, Stopped};
use crate::relay::client::spool::Spool;
use crate::relay::protocol::{Entry, Id, MAX_BATCH_BYTES, MAX_FRAME, MAX_LIST, frame};

/// Most messages one visit deals with, so that a relay that lists without end is left.
const MAX_SEEN: usize = 1 << 16;
/// Most messages taken together: each is an open file until all are durable.
const TAKE_BATCH: usize = 256;
/// Messages delivered before they are acknowledged together.
const ACK_BATCH: usize = 256;
/// Longest time between acknowledgements while messages are delivered.
const ACK_EVERY: Duration = Duration::from_secs(2);
/// Answers that may break off without anything having come.
const BROKEN: u32 = 2;
/// An empty list that came sooner than this did not wait for a message.
const AT_ONCE: Duration = Duration::from_secs(1);
/// First pause after such a list.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause after such a list.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Outcome of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    Done,
    /// There may be more, and other mailboxes come first.
    TurnOver,
    /// The report says why.
    Failed,
}

/// Function of the caller that gets each message.
pub(super) type Deliver<'a, E> = dyn FnMut(Id, &mut File) -> Result<Delivered, E> + 'a;

/// A pull under way, at one of the mailboxes.
pub(super) struct Pull<'a, E> {
    pub(super) boxes: &'a [Owned],
    /// The mailbox that is asked now.
    mailbox: &'a Owned,
    pub(super) spool: &'a mut Spool,
    pub(super) options: Options,
    deliver: &'a mut Deliver<'a, E>,
    pub(super) report: Report,
    /// Messages seen in this visit that need not be looked at again.
    seen: HashSet<Id>,
    /// Messages acknowledged in this visit.
    acked: HashSet<Id>,
    /// End of this visit, where other mailboxes have not been visited.
    turn: Option<Instant>,
    /// Time at which something came last in this visit.
    came: Instant,
}

impl<'a, E> Pull<'a, E> {
    /// Begins a pull; `None` without mailboxes.
    pub(super) fn new(
        boxes: &'a [Owned],
        spool: &'a mut Spool,
        options: Options,
        deliver: &'a mut Deliver<'a, E>,
    ) -> Option<Self> {
        let mailbox = boxes.first()?;
        let (report, seen, acked) = (Report::default(), HashSet::new(), HashSet::new());
        let (turn, came) = (None, Instant::now());
        Some(Self { boxes, mailbox, spool, options, deliver, report, seen, acked, turn, came })
    }

    pub(super) fn handed(&self) -> usize {
        usize::try_from(self.report.delivered + self.report.later).unwrap_or(usize::MAX)
    }

    fn delivered(&self) -> usize {
        usize::try_from(self.report.delivered).unwrap_or(usize::MAX)
    }

    pub(super) fn is_enough(&self) -> bool {
        // What was put off does not count, or a first message that fails would stop all others.
        self.report.delivered >= self.options.limit as u64
    }

    /// Delivers what waits in the spool.
    pub(super) fn deliver_waiting(&mut self) -> Result<(), Stopped<E>> {
        let waiting = self.spool.waiting();
        self.deliver(waiting)
    }

    /// Delivers what readers refused before, when all others were delivered.
    pub(super) fn deliver_deferred(&mut self) -> Result<(), Stopped<E>> {
        let deferred = self.spool.deferred();
        self.deliver(deferred)
    }

    fn deliver(&mut self, ids: Vec<Id>) -> Result<(), Stopped<E>> {
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
        if self.is_enough() {
            let acked = self.acknowledge(&mut delivered);
            self.note(0, acked.map_err(Stopped::from))?;
        }
        Ok(())
    }

    /// Deals with what is in one of the mailboxes, of which `listed` is the first list. Waits until
    /// `until` for something to be there. Returns whether the visit ended because its turn was over;
    /// a failure of the relay is noted in the report.
    pub(super) fn visit(
        &mut self,
        at: usize,
        listed: Option<Vec<Entry>>,
        until: Instant,
        others_wait: bool,
    ) -> Result<Visit, Stopped<E>> {
        self.begin(at, others_wait);
        let outcome = self.rounds(listed, until);
        self.end(at, outcome)
    }

    /// Deals with messages that one of the mailboxes announced.
    pub(super) fn visit_announced(
        &mut self,
        at: usize,
        announced: &[Entry],
    ) -> Result<Visit, Stopped<E>> {
        self.begin(at, true);
        let outcome = self.page(announced);
        self.end(at, outcome)
    }

    fn begin(&mut self, at: usize, others_wait: bool) {
        self.mailbox = self.boxes.get(at).unwrap_or(self.mailbox);
        self.came = Instant::now();
        self.turn = others_wait.then(|| self.came.checked_add(self.options.turn)).flatten();
    }

    fn end(&mut self, at: usize, outcome: Result<(), Stopped<E>>) -> Result<Visit, Stopped<E>> {
        self.seen.retain(|id| !self.spool.is_done(id));
        self.acked.clear();
        let over = self.is_turn_over();
        self.turn = None;
        match self.note(at, outcome)? {
            Visit::Done if over => Ok(Visit::TurnOver),
            visit => Ok(visit),
        }
    }

    /// Notes the outcome of a visit in the report. What failed on this machine ends the pull.
    pub(super) fn note(
        &mut self,
        at: usize,
        outcome: Result<(), Stopped<E>>,
    ) -> Result<Visit, Stopped<E>> {
        match outcome {
            Ok(()) => {
                self.report.failed.retain(|(failed, _)| *failed != at);
                Ok(Visit::Done)
            }
            Err(Stopped::Relay(error)) if !error.is_local() => {
                self.report.failed.retain(|(failed, _)| *failed != at);
                if matches!(error, Error::NoMailbox) {
                    if !self.is_gone(at) {
                        self.report.gone.push(at);
                    }
                } else {
                    self.report.failed.push((at, error));
                }
                Ok(Visit::Failed)
            }
            Err(stopped) => Err(stopped),
        }
    }

    /// Returns whether the relay does not have the mailbox.
    pub(super) fn is_gone(&self, at: usize) -> bool {
        self.report.gone.contains(&at)
    }

    /// Returns why the last visit to the mailbox failed, if it did.
    pub(super) fn failure(&self, at: usize) -> Option<&Error> {
        self.report.failed.iter().find(|(failed, _)| *failed == at).map(|(_, error)| error)
    }

    /// Fails when nothing came for too long, though the relay answers.
    fn check_progress(&self) -> Result<(), Error> {
        if self.came.elapsed() <= self.options.turn.saturating_mul(2) {
            return Ok(());
        }
        let why = "it lists messages and does not hand them out".into();
        Err(Error::Temporary { why, retry_after: None })
    }

    fn is_turn_over(&self) -> bool {
        self.turn.is_some_and(|turn| turn <= Instant::now())
    }

    /// Returns whether a message is neither delivered nor put off.
    pub(super) fn is_new(&self, id: &Id) -> bool {
        !self.seen.contains(id) && !self.spool.is_done(id)
    }

    /// Lists and deals with what is listed, until there is nothing new; waits for something to be
    /// there. `listed` stands for the first list.
    fn rounds(&mut self, mut listed: Option<Vec<Entry>>, until: Instant) -> Result<(), Stopped<E>> {
        let (handed, seen) = (self.handed(), self.seen.len());
        let mut pause = FIRST_PAUSE;
        while !self.is_enough()
            && self.seen.len().saturating_sub(seen) < MAX_SEEN
            && !self.is_turn_over()
        {
            let asked = Instant::now();
            let wait = match self.handed() == handed {
                true => until.saturating_duration_since(asked),
                false => Duration::ZERO,
            };
            let page = match listed.take() {
                Some(listed) => listed,
                None => self.list(wait)?,
            };
            let before = self.seen.len() + self.acked.len();
            if page.is_empty() {
                self.came = Instant::now();
            }
            self.check_progress()?;
            self.page(&page)?;
            let idle = self.seen.len() + self.acked.len() == before;
            let waits = page.is_empty() && self.handed() == handed && Instant::now() < until;
            if idle && !waits {
                break;
            }
            if idle && asked.elapsed() < AT_ONCE {
                // It was asked to wait and did not.
                std::thread::sleep(pause.min(until.saturating_duration_since(Instant::now())));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        Ok(())
    }

    fn list(&self, wait: Duration) -> Result<Vec<Entry>, Error> {
        self.mailbox.relay.list(&self.mailbox.key, wait, self.page_size())
    }

    /// Returns how many messages a list must show: those that were put off and refused stay in it.
    pub(super) fn page_size(&self) -> usize {
        let left = self.options.limit.saturating_sub(self.delivered());
        left.saturating_add(self.seen.len()).min(MAX_LIST)
    }

    /// Deals with a list. What was delivered is acknowledged every now and then, and what
    /// earlier pulls delivered first of all: however often a pull is killed, the mailbox empties.
    fn page(&mut self, listed: &[Entry]) -> Result<(), Stopped<E>> {
        let ids = listed.iter().map(|entry| entry.id);
        let mut done: Vec<Id> = ids.filter(|id| self.spool.is_done(id)).collect();
        self.acknowledge(&mut done)?;
        let mut last = Instant::now();
        let mut rest = listed.iter().copied();
        while !self.is_enough() && !self.is_turn_over() {
            let batch = self.batch(&mut rest);
            if batch.is_empty() {
                break;
            }
            let dealt = self.deal_with(&batch, &mut done, &mut last);
            if dealt.is_err() || self.is_turn_over() {
                // What did not come is as new as before.
                let missing = batch.iter().filter(|entry| !self.spool.knows(&entry.id));
                missing.for_each(|entry| {
                    self.seen.remove(&entry.id);
                });
            }
            if let Err(stopped) = dealt {
                // What was delivered before need not come again, if that can be helped.
                let _ = self.acknowledge(&mut done);
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
                self.report.too_long += 1;
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

    fn deal_with(
        &mut self,
        batch: &[Entry],
        done: &mut Vec<Id>,
        last: &mut Instant,
    ) -> Result<(), Stopped<E>> {
        let taken = self.take_in(batch);
        if taken.as_ref().is_err_and(Error::is_local) {
            return Ok(taken?);
        }
        // What came before the connection broke is as good as any.
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
        Ok(taken?)
    }

    /// Step 1.
    fn take_in(&mut self, batch: &[Entry]) -> Result<(), Error> {
        let mut damaged = Vec::new();
        if batch.iter().all(|entry| entry.size <= MAX_FRAME) {
            let taken = self.take_in_small(batch);
            self.spool.settle()?;
            damaged = taken?;
        }
        self.report.refused += damaged.len() as u64;
        for entry in batch {
            if self.spool.knows(&entry.id) || damaged.contains(&entry.id) {
                continue;
            }
            if self.is_turn_over() {
                break;
            }
            self.check_progress()?;
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
        let (turn, last) = (self.turn, &mut self.came);
        while !wanted.is_empty() {
            let (mut came, mut over) = (HashSet::new(), false);
            let mut put = |id, bytes: &[u8]| {
                came.insert(id);
                self.spool.put(id, bytes)?;
                *last = Instant::now();
                over = turn.is_some_and(|turn| turn <= Instant::now());
                if over { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
            };
            match self.mailbox.relay.take(&self.mailbox.key, &wanted, &mut put) {
                Err(Error::Io(_)) if over => return Ok(Vec::new()),
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
            let mut out = InTurn { out: &mut partial, turn: self.turn, over: false };
            let fetched = self.mailbox.relay.fetch_from(&self.mailbox.key, entry, before, &mut out);
            match fetched {
                // What came is kept, and continued after the other mailboxes.
                Err(Error::Io(_)) if out.over => return Ok(()),
                // It ended before its size: the hash will not be right.
                Ok(()) => break,
                Err(Error::Temporary { .. }) if broken < BROKEN => {
                    broken = if partial.length() == before { broken + 1 } else { 0 };
                }
                Err(error) => return Err(error),
            }
        }
        self.spool.complete(partial)?;
        self.came = Instant::now();
        Ok(())
    }

    fn hand_over(&mut self, id: Id) -> Result<(), Stopped<E>> {
        let handed = hand_over(self.spool, id, self.deliver, self.options, &mut self.report);
        self.came = Instant::now();
        handed
    }

    /// Step 4.
    fn acknowledge(&mut self, done: &mut Vec<Id>) -> Result<(), Error> {
        let ids = std::mem::take(done);
        if self.options.peek || ids.is_empty() {
            return Ok(());
        }
        self.spool.settle()?;
        self.report.acknowledged += self.mailbox.relay.ack(&self.mailbox.key, &ids)?;
        self.acked.extend(ids);
        Ok(())
    }
}

/// Takes bytes until the turn of a mailbox is over.
struct InTurn<'a, W> {
    out: &'a mut W,
    turn: Option<Instant>,
    over: bool,
}

impl<W: Write> Write for InTurn<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.over = self.turn.is_some_and(|turn| turn <= Instant::now());
        if self.over { Err(io::ErrorKind::TimedOut.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Steps 2 and 3.
pub(super) fn hand_over<E>(
    spool: &mut Spool,
    id: Id,
    deliver: &mut Deliver<'_, E>,
    options: Options,
    report: &mut Report,
) -> Result<(), Stopped<E>> {
    let Some(mut file) = spool.open_message(&id).map_err(Error::from)? else {
        return Ok(());
    };
    let delivered = deliver(id, &mut file).map_err(Stopped::Deliver)?;
    match delivered {
        Delivered::Later => {
            // What opened it was part of work that failed.
            spool.retract_opened(&id).map_err(Error::from)?;
            report.later += 1;
        }
        Delivered::Yes | Delivered::Once | Delivered::GivenOut => report.delivered += 1,
    }
    match delivered {
        _ if options.peek => Ok(()),
        Delivered::GivenOut if !options.keep.is_zero() => spool.give(&id, options.keep),
        Delivered::Once => spool.done(&id).and_then(|()| spool.settle()),
        Delivered::Yes | Delivered::GivenOut => spool.done(&id),
        Delivered::Later => Ok(()),
    }
    .map_err(|error| Error::from(error).into())
}

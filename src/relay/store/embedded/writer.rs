//! The one thread that writes: it takes all that is queued, writes it as one group with one
//! sync, and only then answers.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::files::disk::Disk;
use crate::relay::protocol::Mailbox;
use crate::relay::store::Error;
use crate::relay::store::embedded::body;
use crate::relay::store::embedded::index::{Effects, Index, Kept};
use crate::relay::store::embedded::log::{Log, Turn};
use crate::relay::store::embedded::mover::{self, Mover, Step};
use crate::relay::store::embedded::segment::Place;
use crate::relay::store::embedded::shared::Shared;

/// Most jobs of one group.
const GROUP: usize = 1024;
/// Most bytes of one group.
const GROUP_BYTES: u64 = 1 << 20;

/// Something to be decided in order, written, and answered.
pub(super) trait Job: Send {
    /// Most bytes of its records.
    fn room(&self) -> u64;
    /// Whether it makes the store hold more, so that a full disk refuses it.
    fn grows(&self) -> bool;
    /// Decides it. What is known changes at once, so that the next job sees it.
    fn decide(&mut self, turn: &mut Turn<'_>);
    /// Refuses it undecided.
    fn refuse(&mut self);
    /// Says what became of it, after the commit.
    fn answer(self: Box<Self>);
}

/// A job made of a function.
pub(super) struct Ask<T, F> {
    pub(super) work: Option<F>,
    pub(super) room: u64,
    pub(super) grows: bool,
    pub(super) outcome: Option<Result<T, Error>>,
    pub(super) reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Ask<T, F>
where
    T: Send,
    F: FnOnce(&mut Turn<'_>) -> Result<T, Error> + Send,
{
    fn room(&self) -> u64 {
        self.room
    }

    fn grows(&self) -> bool {
        self.grows
    }

    fn decide(&mut self, turn: &mut Turn<'_>) {
        self.outcome = self.work.take().map(|work| work(turn));
    }

    fn refuse(&mut self) {
        self.work = None;
        self.outcome = Some(Err(Error::RelayFull));
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            // Whoever asked may have hung up.
            let _ = self.reply.send(outcome);
        }
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    log: Log,
    bodies: Arc<dyn Disk>,
    mover: Option<Mover>,
}

type Queue = mpsc::Receiver<Box<dyn Job>>;

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, log: Log, bodies: Arc<dyn Disk>) -> Self {
        Self { shared, log, bodies, mover: None }
    }

    /// Works until every sender is gone, or until a write fails: then the reason goes to
    /// [`Shared::fail`], and whoever waits or comes later is refused because the receiving end
    /// is dropped. After a failed sync nobody knows what is on the disk.
    pub(super) fn run(mut self, mut queue: Queue) {
        let work = |writer: &mut Self, queue: &mut Queue| -> io::Result<()> {
            let mut carried = None;
            loop {
                let first = match carried.take().map_or_else(|| queue.try_recv(), Ok) {
                    Ok(job) => Some(job),
                    Err(TryRecvError::Empty) if writer.is_idle() => match queue.blocking_recv() {
                        Some(job) => Some(job),
                        None => break,
                    },
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => break,
                };
                carried = writer.group(first, queue)?;
            }
            writer.log.sealed(true)
        };
        if let Err(why) = work(&mut self, &mut queue) {
            self.shared.fail(&why);
        }
    }

    /// Whether there is nothing to do but what is asked.
    fn is_idle(&self) -> bool {
        let index = self.shared.index();
        let moving = self.mover.is_some() || index.ripe(&self.log).is_some();
        !(moving && self.can_move(&index))
    }

    /// Whether the oldest segment can be gone through. Without another segment to go on in, what
    /// room there is, is for acks, unless more comes of it.
    fn can_move(&self, index: &Index) -> bool {
        let live = index.segments.first_key_value().map_or(0, |(_, kept)| kept.live);
        self.log.room() >= mover::room(self.log.size())
            && (!self.log.is_low() || live < self.log.room() / 2)
    }

    /// Does one group; gives back a job that did not fit any more.
    fn group(
        &mut self,
        first: Option<Box<dyn Job>>,
        queue: &mut Queue,
    ) -> io::Result<Option<Box<dyn Job>>> {
        let wanted = first.as_ref().map_or(0, |job| job.room()) + mover::room(self.log.size());
        self.make_room(wanted)?;
        let step = self.next_step()?;
        let left = if step.is_some() { mover::room(self.log.size()) } else { 0 };
        let (jobs, refused, carried) = self.gather(first, queue, left);
        let mut jobs = jobs;
        let mut effects = Effects::default();
        let ended = step.as_ref().is_some_and(|step| step.end);
        {
            let mut index = self.shared.index();
            let mut turn = Turn { index: &mut index, log: &mut self.log, effects: &mut effects };
            jobs.iter_mut().for_each(|job| job.decide(&mut turn));
            if let Some(step) = step {
                let damaged = step.say(&mut turn).map_err(io::Error::other)?;
                self.shared.damaged.fetch_add(damaged, Ordering::Relaxed);
            }
        }
        self.commit(effects)?;
        refused.into_iter().chain(jobs).for_each(Job::answer);
        if ended && let Some(mover) = self.mover.take() {
            self.shared.index().segments.remove(&mover.segment);
            self.log.drop_segment(mover.segment)?;
        }
        Ok(carried)
    }

    /// Takes jobs until the group is full.
    #[allow(clippy::type_complexity)]
    fn gather(
        &mut self,
        first: Option<Box<dyn Job>>,
        queue: &mut Queue,
        left: u64,
    ) -> (Vec<Box<dyn Job>>, Vec<Box<dyn Job>>, Option<Box<dyn Job>>) {
        let (mut jobs, mut refused) = (Vec::new(), Vec::new());
        let most = self.log.room().saturating_sub(left);
        let mut room = most.min(GROUP_BYTES.max(first.as_ref().map_or(0, |job| job.room())));
        let mut next = first;
        while let Some(mut job) = next.take() {
            if self.log.is_low() && (job.grows() || job.room() > most) {
                job.refuse();
                refused.push(job);
            } else if let Some(left) = room.checked_sub(job.room()) {
                room = left;
                jobs.push(job);
            } else {
                next = Some(job);
                break;
            }
            if jobs.len() + refused.len() == GROUP {
                break;
            }
            next = queue.try_recv().ok();
        }
        (jobs, refused, next)
    }

    /// Goes on in the next segment when this one has no room, or is old.
    fn make_room(&mut self, wanted: u64) -> io::Result<()> {
        self.log.sealed(false)?;
        let (now, old) = {
            let index = self.shared.index();
            (index.clock, index.is_old(&self.log.active()))
        };
        self.log.prepare(false, now)?;
        if self.log.room() >= wanted && !(old && self.log.has_much()) {
            return Ok(());
        }
        self.log.prepare(true, now)?;
        let mut index = self.shared.index();
        let (full, length) = (self.log.active().number, self.log.length());
        if self.log.roll(now)? {
            if let Some(kept) = index.segments.get_mut(&full) {
                kept.length = length;
            }
            let active = self.log.active();
            index.segments.insert(active.number, Kept::new(active));
        }
        Ok(())
    }

    /// The next step of making room, read without a lock.
    fn next_step(&mut self) -> io::Result<Option<Step>> {
        if !self.can_move(&self.shared.index()) {
            return Ok(None);
        }
        if self.mover.is_none() {
            let ripe = self.shared.index().ripe(&self.log);
            if let Some(number) = ripe {
                self.log.sealed(true)?;
                self.mover = Mover::start(&*self.log.disk, number)?;
            }
        }
        let Some(mover) = &mut self.mover else { return Ok(None) };
        let mut step = mover.find(&self.shared.index(), mover::room(self.log.size()));
        step.read()?;
        Ok(Some(step))
    }

    /// Files first, then the records that name them. Bodies are overwritten last: before it is
    /// durable that they are gone, nothing may touch them.
    fn commit(&mut self, effects: Effects) -> io::Result<()> {
        if effects.named {
            self.bodies.sync()?;
        }
        self.log.commit()?;
        let arrived = self.publish(&effects.added);
        self.erase(effects.erased)?;
        for file in effects.files {
            body::remove(&*self.bodies, file)?;
        }
        arrived.iter().for_each(|mailbox| self.shared.arrivals.tell(mailbox));
        Ok(())
    }

    /// Shows messages that are durable.
    fn publish(&self, added: &[u32]) -> BTreeSet<Mailbox> {
        let mut index = self.shared.index();
        let mut arrived = BTreeSet::new();
        for number in added {
            let Some(entry) = index.messages.get_mut(*number) else { continue };
            entry.pending = false;
            let mailbox = entry.mailbox;
            arrived.extend(index.inboxes.get(mailbox).map(|inbox| inbox.name));
        }
        arrived
    }

    fn erase(&mut self, mut bodies: Vec<(Place, u32)>) -> io::Result<()> {
        bodies.sort_unstable_by_key(|(place, _)| (place.segment, place.offset));
        for bodies in bodies.chunk_by(|(one, _), (other, _)| one.segment == other.segment) {
            let Some((place, _)) = bodies.first() else { continue };
            let kept = self.shared.index().segments.get(&place.segment).map(|k| k.segment.clone());
            let Some(segment) = kept else { continue };
            for (place, length) in bodies {
                segment.file.erase(place.offset.into(), (*length).into())?;
            }
            self.log.erased(segment);
        }
        Ok(())
    }
}

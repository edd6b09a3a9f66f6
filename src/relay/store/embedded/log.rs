//! The end of the log, where it grows.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::files::disk::{self, Disk};
use crate::relay::store::Error;
use crate::relay::store::embedded::index::{Effects, Index};
use crate::relay::store::embedded::keeper::{self, Keeper, Outcome};
use crate::relay::store::embedded::record::{self, Fact, HEAD, MARK};
use crate::relay::store::embedded::segment::{self, HEADER, Place, Segment};

/// The segment that is written, and the one after it.
pub(super) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    keeper: Keeper,
    /// Bytes of a segment.
    size: u64,
    active: Arc<Segment>,
    /// End of what is durable in it.
    at: u64,
    /// What is to be written next.
    buffer: Vec<u8>,
    /// What its hint will say.
    heads: Vec<u8>,
    /// The segment after it, made beforehand: with it, what makes room has room on a full disk.
    spare: Option<Segment>,
    making: Option<Outcome<Option<Segment>>>,
    sealing: Vec<Outcome<()>>,
    /// Segments in which bodies were overwritten since their last sync.
    erased: Erased,
    next: u32,
}

type Erased = Arc<Mutex<BTreeMap<u32, Arc<Segment>>>>;

/// Where a log ended.
pub(super) struct Last {
    /// The segment that was written.
    pub(super) active: Option<Arc<Segment>>,
    /// Where its last record ends.
    pub(super) at: u64,
    /// What its hint will say.
    pub(super) heads: Vec<u8>,
    /// One after it, that holds nothing yet.
    pub(super) spare: Option<Segment>,
    /// The number of the next one that is made.
    pub(super) next: u32,
}

impl Log {
    /// Goes on after what was read: in the last segment, or in a new one.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        keeper: Keeper,
        size: u64,
        last: Last,
        now: u64,
    ) -> io::Result<Self> {
        let Last { active, at, heads, spare, mut next } = last;
        let active = match active {
            Some(active) => active,
            None => {
                next += 1;
                Arc::new(Segment::create(&*disk, next - 1, size, now)?)
            }
        };
        let (buffer, making, sealing, erased) = Default::default();
        let mut log = Self {
            disk,
            keeper,
            size,
            active,
            at,
            buffer,
            heads,
            spare,
            making,
            sealing,
            erased,
            next,
        };
        log.prepare(true, now)?;
        Ok(log)
    }

    pub(super) fn active(&self) -> Arc<Segment> {
        self.active.clone()
    }

    /// Bytes that are written in it.
    pub(super) fn length(&self) -> u64 {
        self.at
    }

    /// Bytes of a segment.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that fit before the next segment must begin.
    pub(super) fn room(&self) -> u64 {
        self.size.saturating_sub(self.at + self.buffer.len() as u64)
    }

    /// Whether it is worth going on in another segment only because this one is old.
    pub(super) fn has_much(&self) -> bool {
        self.at > HEADER as u64
    }

    /// Whether there is no segment to go on in, so that only what makes room may be written.
    pub(super) fn is_low(&self) -> bool {
        self.spare.is_none() && self.making.is_none()
    }

    /// Has the next segment made, if it is not; waits for it when `wait`.
    pub(super) fn prepare(&mut self, wait: bool, now: u64) -> io::Result<()> {
        if self.spare.is_none() && self.making.is_none() {
            let (disk, number, size) = (self.disk.clone(), self.next, self.size);
            self.making =
                Some(self.keeper.run(move || match Segment::create(&*disk, number, size, now) {
                    Ok(segment) => Ok(Some(segment)),
                    Err(error) if disk::is_full(&error) => Ok(None),
                    Err(error) => Err(error),
                }));
        }
        if let Some(making) = &self.making
            && let Some(made) = keeper::outcome(making, wait)?
        {
            self.making = None;
            self.next += u32::from(made.is_some());
            self.spare = made;
        }
        Ok(())
    }

    /// Goes on in the next segment; `false` when there is none. All that was added is durable
    /// before.
    pub(super) fn roll(&mut self, now: u64) -> io::Result<bool> {
        let Some(spare) = self.spare.take() else { return Ok(false) };
        let full = std::mem::replace(&mut self.active, Arc::new(spare));
        let (length, heads) = (self.at, std::mem::take(&mut self.heads));
        self.at = HEADER as u64;
        let disk = self.disk.clone();
        self.sealing.push(self.keeper.run(move || {
            full.file.set_length(length)?;
            full.file.sync_data()?;
            // What it says is gone was overwritten durably: that was queued before.
            full.write_hint(&*disk, &heads)
        }));
        self.prepare(false, now)?;
        Ok(true)
    }

    /// Has it made durable that bodies in a segment were overwritten; soon, and many at once.
    pub(super) fn erased(&mut self, segment: Arc<Segment>) {
        let mut erased = self.erased.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = !erased.is_empty();
        erased.insert(segment.number, segment);
        drop(erased);
        if !waits {
            let erased = self.erased.clone();
            self.sealing.push(self.keeper.run(move || sync(&erased)));
        }
    }

    /// Drops the oldest segment. It is gone for good before the next one may go: what is said
    /// to be gone in a later one must not outlive the saying.
    pub(super) fn drop_segment(&mut self, number: u32) -> io::Result<()> {
        // Its hint may still be written.
        self.sealed(true)?;
        self.disk.remove(&segment::name(number))?;
        segment::remove_hint(&*self.disk, number)?;
        self.disk.sync()
    }

    /// Fails when the sealing of a segment did.
    pub(super) fn sealed(&mut self, wait: bool) -> io::Result<()> {
        for outcome in std::mem::take(&mut self.sealing) {
            if keeper::outcome(&outcome, wait)?.is_none() {
                self.sealing.push(outcome);
            }
        }
        Ok(())
    }

    /// Adds a record to what is written next.
    fn push(&mut self, record: &[u8], body: usize) -> Place {
        let offset = self.at + self.buffer.len() as u64;
        // In range: a segment is shorter than 4 GiB.
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(&self.active.mark);
        self.buffer.extend_from_slice(record.get(MARK..).unwrap_or_default());
        segment::hint_of(&mut self.heads, offset, record, body);
        Place { segment: self.active.number, offset }
    }

    /// Makes everything durable that was added.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.active.file.write_at(&self.buffer, self.at)?;
            self.active.file.sync_data()?;
            self.at += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }
}

fn sync(erased: &Erased) -> io::Result<()> {
    let segments = std::mem::take(&mut *erased.lock().unwrap_or_else(PoisonError::into_inner));
    segments.values().try_for_each(|segment| segment.file.sync_data())
}

/// What a job of the writer may do: change what is known, and say so in the log.
pub(super) struct Turn<'a> {
    pub(super) index: &'a mut Index,
    pub(super) log: &'a mut Log,
    pub(super) effects: &'a mut Effects,
}

impl Turn<'_> {
    /// Says a fact and makes it so.
    pub(super) fn say(&mut self, fact: &Fact) -> Result<(), Error> {
        let record = record::encode(fact, &[]).map_err(|e| Error::Unavailable(e.to_string()))?;
        self.put(fact, &record);
        Ok(())
    }

    /// The same with a record that was made beforehand.
    pub(super) fn put(&mut self, fact: &Fact, record: &[u8]) {
        let body = usize::try_from(fact.body()).unwrap_or_default();
        let place = self.log.push(record, body);
        // In range: the codec bounds it.
        let length = u16::try_from(record.len().saturating_sub(HEAD + body)).unwrap_or(u16::MAX);
        self.index.apply(fact, place, length, self.effects);
    }
}

//! What is done at start: the log is read, and what a crash left half done is put in order.
//! Doing it twice does no more than doing it once, so a crash in the middle does not matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::files::disk::Disk;
use crate::relay::protocol::{Id, Mailbox};
use crate::relay::store::embedded::body;
use crate::relay::store::embedded::index::{Effects, Index, Kept};
use crate::relay::store::embedded::keeper::Keeper;
use crate::relay::store::embedded::log::{Last, Log};
use crate::relay::store::embedded::record::Fact;
use crate::relay::store::embedded::segment::{self, HEADER, Met, Place, Records, Segment};

/// What was found, and where the log goes on.
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) log: Log,
    /// The next number of a body's file.
    pub(super) next_file: u64,
    /// Stretches of the log and messages that were damaged.
    pub(super) damaged: u64,
}

/// Reads the log.
pub(super) fn recover(
    disk: &Arc<dyn Disk>,
    bodies: &dyn Disk,
    keeper: Keeper,
    size: u64,
    remembered: usize,
) -> io::Result<Recovered> {
    let names = disk.list()?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    let mut replay = Replay::new(remembered);
    for number in &numbers {
        replay.segment(&**disk, *number)?;
    }
    let Replay {
        mut index,
        order,
        mut effects,
        broken,
        mut lost,
        mut damaged,
        last_damaged,
        scanned,
        empty,
    } = replay;
    let unsealed = index.segments.last_key_value().map(|(number, _)| *number);
    let unsealed = unsealed.filter(|number| scanned.last() == Some(number));
    damaged += if unsealed.is_none() { last_damaged } else { 0 };
    for (number, place) in broken {
        if index.remove(number, &mut effects) {
            lost.insert((place.segment, place.offset));
            // One that was never answered, at the end of the log, is no damage.
            damaged += u64::from(Some(place.segment) != unsealed);
        }
    }
    index.settle(&order, &mut effects);
    erase(&index, &effects)?;

    // What was read record by record gets its hint; the last one goes on to be written.
    let full = scanned.iter().filter(|number| Some(**number) != unsealed);
    for number in full {
        let Scanned { heads, .. } = scan(&**disk, *number, &lost)?;
        if let Some(kept) = index.segments.get(number) {
            kept.segment.file.sync_data()?;
            kept.segment.write_hint(&**disk, &heads)?;
        }
    }
    let next = numbers.last().map_or(1, |last| last + 1);
    let mut log = Last { active: None, at: HEADER as u64, heads: Vec::new(), spare: None, next };
    if let Some(number) = unsealed
        && let Some(kept) = index.segments.get_mut(&number)
    {
        let segment = kept.segment.clone();
        let (heads, at) = cut(&**disk, &segment, &lost)?;
        kept.length = 0;
        log = Last { active: Some(segment), at, heads, ..log };
    }
    let newest = index.segments.last_key_value().map_or(0, |(number, _)| *number);
    for segment in empty {
        // The last one was made beforehand; others were left over.
        if segment.number <= newest || Some(&segment.number) != numbers.last() {
            disk.remove(&segment::name(segment.number))?;
            continue;
        }
        cut(&**disk, &segment, &lost)?;
        match log.active {
            None => log.active = Some(Arc::new(segment)),
            Some(_) => log.spare = Some(segment),
        }
    }
    remove_stale_hints(&**disk, &names, &index)?;
    let next_file = remove_orphans(bodies, &index)?;
    let log = Log::new(disk.clone(), keeper, size, log, index.clock)?;
    let active = log.active();
    index.segments.entry(active.number).or_insert_with(|| Kept::new(active));
    Ok(Recovered { index, log, next_file, damaged })
}

struct Replay {
    index: Index,
    /// Places in the order of arrival of messages that were copied.
    order: HashMap<u32, u64>,
    effects: Effects,
    /// Messages whose bodies are not as they were written.
    broken: BTreeMap<u32, Place>,
    /// Records that count for nothing.
    lost: BTreeSet<(u32, u32)>,
    damaged: u64,
    /// The same in the last segment without a hint.
    last_damaged: u64,
    /// Segments that had no hint.
    scanned: Vec<u32>,
    /// Segments that hold nothing.
    empty: Vec<Segment>,
}

impl Replay {
    fn new(remembered: usize) -> Self {
        let index = Index::new(remembered);
        let (order, effects, broken, lost, scanned, empty) = Default::default();
        Self { index, order, effects, broken, lost, damaged: 0, last_damaged: 0, scanned, empty }
    }

    fn segment(&mut self, disk: &dyn Disk, number: u32) -> io::Result<()> {
        let Some((segment, mut records)) = Segment::read(disk, number)? else {
            // A crash came before it was made.
            disk.remove(&segment::name(number))?;
            return Ok(());
        };
        let segment = Arc::new(segment);
        let length = segment.file.length()?;
        self.index.segments.insert(number, Kept { length, ..Kept::new(segment) });
        let mut empty = true;
        for met in &mut records {
            empty = false;
            self.record(number, &met);
        }
        match records {
            // What its facts say is gone was overwritten before the hint was made.
            Records::Hint { .. } => self.effects.erased.clear(),
            Records::Scan(_) if empty => {
                let kept = self.index.segments.remove(&number);
                self.empty.extend(kept.and_then(|kept| Arc::into_inner(kept.segment)));
            }
            Records::Scan(scan) => {
                self.scanned.push(number);
                // Of the last one they are torn writes, which nobody was answered.
                self.damaged += std::mem::replace(&mut self.last_damaged, scan.damaged);
            }
        }
        Ok(())
    }

    fn record(&mut self, segment: u32, met: &Met) {
        let place = Place { segment, offset: met.offset };
        if let Fact::Put(message) = &met.fact
            && !met.sound
            && let Some(inbox) = self.index.any(&Mailbox(message.mailbox))
            && self.index.message(inbox, &Id(message.id)).is_some()
        {
            // A copy that was cut off must not stand for what it was to be a copy of.
            self.lost.insert((segment, met.offset));
            return;
        }
        self.index.apply(&met.fact, place, met.head.fact, &mut self.effects);
        for number in self.effects.added.drain(..) {
            self.order.remove(&number);
            self.broken.remove(&number);
            if let Some(entry) = self.index.messages.get_mut(number) {
                entry.pending = false;
            }
        }
        if let Fact::Put(message) = &met.fact
            && (message.order.is_some() || !met.sound || !self.broken.is_empty())
        {
            let inbox = self.index.any(&Mailbox(message.mailbox));
            let number = inbox.and_then(|inbox| self.index.message(inbox, &Id(message.id)));
            let Some(number) = number else { return };
            self.order.extend(message.order.map(|order| (number, order)));
            if met.sound {
                self.broken.remove(&number);
            } else {
                self.broken.insert(number, place);
            }
        }
    }
}

/// Overwrites again what is gone: a crash may have come before it was overwritten.
fn erase(index: &Index, effects: &Effects) -> io::Result<()> {
    let mut erased = BTreeMap::new();
    for (place, length) in &effects.erased {
        if let Some(kept) = index.segments.get(&place.segment) {
            let end = u64::from(place.offset) + u64::from(*length);
            // A torn body may not be there to its end.
            if end <= kept.segment.file.length()? {
                kept.segment.file.erase(place.offset.into(), (*length).into())?;
                erased.insert(place.segment, &kept.segment);
            }
        }
    }
    erased.values().try_for_each(|segment| segment.file.sync_data())
}

/// A segment that was gone through again, without what counts for nothing.
struct Scanned {
    /// What its hint says.
    heads: Vec<u8>,
    /// Where its last record ends.
    at: u64,
    /// Stretches that are no records, and bodies of records that count for nothing.
    torn: Vec<Range<u64>>,
}

fn scan(disk: &dyn Disk, number: u32, lost: &BTreeSet<(u32, u32)>) -> io::Result<Scanned> {
    let mut scanned = Scanned { heads: Vec::new(), at: HEADER as u64, torn: Vec::new() };
    let Some((_, Records::Scan(mut scan))) = Segment::read(disk, number)? else {
        return Ok(scanned);
    };
    while let Some(met) = scan.next() {
        let offset = u64::from(met.offset);
        scanned.torn.push(scanned.at..offset);
        scanned.at = scan.at();
        if lost.contains(&(number, met.offset)) {
            scanned.torn.push(offset + met.head.body_at()..scanned.at);
        } else {
            scan.hint_of(&mut scanned.heads, &met);
        }
    }
    scanned.torn.push(scanned.at..scan.used());
    scanned.torn.retain(|torn| !torn.is_empty());
    Ok(scanned)
}

/// Overwrites what a power cut left of the last group in a segment that goes on to be written:
/// nothing of it was answered. Bodies in it may be copies of messages that are there, or be sent again,
/// and would outlive their acknowledgement.
fn cut(
    disk: &dyn Disk,
    segment: &Segment,
    lost: &BTreeSet<(u32, u32)>,
) -> io::Result<(Vec<u8>, u64)> {
    let Scanned { heads, at, torn } = scan(disk, segment.number, lost)?;
    for torn in torn {
        let length = usize::try_from(torn.end - torn.start).unwrap_or(0);
        segment.file.write_at(&vec![0; length], torn.start)?;
    }
    segment.file.sync_data()?;
    Ok((heads, at))
}

fn remove_stale_hints(disk: &dyn Disk, names: &[String], index: &Index) -> io::Result<()> {
    let known: BTreeSet<String> = index.segments.keys().map(|n| segment::hint_name(*n)).collect();
    let hints = names.iter().filter(|name| name.ends_with(".hint"));
    hints.filter(|name| !known.contains(*name)).try_for_each(|name| disk.remove(name))
}

/// Removes files that no record names. Says the number after the greatest in use.
fn remove_orphans(bodies: &dyn Disk, index: &Index) -> io::Result<u64> {
    let named: BTreeSet<u64> = index.files().collect();
    let mut next = named.last().map_or(0, |last| last + 1);
    for name in bodies.list()? {
        let number = body::number(&name);
        next = next.max(number.map_or(0, |number| number + 1));
        if !number.is_some_and(|number| named.contains(&number)) {
            bodies.remove(&name)?;
        }
    }
    bodies.sync()?;
    Ok(next)
}

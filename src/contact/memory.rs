//! What is remembered of letters that came, in bounded memory whatever a sender does.
//!
//! A sender numbers his letters to one recipient from 1 in a *stream*, which has a random id
//! and ends with the state it lives in: who loses his state begins a new stream. Letters of
//! senders without state have no number and are remembered by their ids.
//!
//! What is forgotten, and what follows:
//!
//! - of a sender, all but the [`STREAMS`] streams last used: a letter of a forgotten stream
//!   looks like the beginning of a new one;
//! - of a stream, all but the [`RANGES`] highest runs of numbers: a letter that fills a gap
//!   below them is [old](Receipt::Old), since it cannot be told from a replay;
//! - of the numbers seen, all but the last [`RECENT`] ids: an older number that comes again
//!   is old whatever its id;
//! - of letters without a number, all but the last [`LOOSE`] ids of each sender.
//!
//! What is old is refused, unless the key it opened with is used once: then no replay opens. The
//! relay cannot make letters in a contact's name, but it may keep some back until they are old.
//! Strangers share one memory, and so do anonymous letters: enough new ones push
//! the oldest out, and a letter that was pushed out looks fresh when it comes again.

use std::collections::VecDeque;

use crate::wire::{Decode, Encode};

/// Streams remembered of one sender.
const STREAMS: usize = 8;
/// Runs of consecutive numbers remembered of one stream.
const RANGES: usize = 32;
/// Numbers of one stream whose letter ids are remembered.
const RECENT: usize = 32;
/// Ids of letters without a number remembered of one sender.
const LOOSE: usize = 256;

/// A letter's place in what its sender sent to this recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Place {
    /// Random id of the stream.
    pub stream: [u8; 16],
    /// Number in the stream, from 1.
    pub seq: u64,
}

/// What the memory says of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Receipt {
    /// Not seen before.
    Fresh {
        /// Letters between this one and the last that have not come: newly missing ones.
        missed: u64,
        /// It fills a gap that was counted as missed before.
        late: bool,
    },
    /// It was received before.
    Replay,
    /// Its number was received before, or is too old to be told from those, and its id is not
    /// known any more: it may have been received, unless it is known otherwise that it was not.
    Old,
    /// Another letter had its number: the sender restored a backup, or runs a copy.
    Conflict,
}

/// What was received of one sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Received {
    /// The stream last used is last.
    streams: Vec<Stream>,
    loose: Ids,
}

impl Received {
    /// What [`Received::record`] would say, with nothing changed.
    pub(crate) fn check(&self, id: &[u8; 16], place: Option<Place>) -> Receipt {
        match place {
            None => self.loose.check(id),
            Some(Place { stream, seq }) => match self.streams.iter().find(|s| s.id == stream) {
                Some(known) => known.check(id, seq),
                None => Stream::new(stream).check(id, seq),
            },
        }
    }

    /// Remembers a letter, unless it is refused.
    pub(crate) fn record(&mut self, id: &[u8; 16], place: Option<Place>) -> Receipt {
        let receipt = self.check(id, place);
        match place {
            _ if receipt == Receipt::Replay => {}
            None => self.loose.push(id, LOOSE),
            Some(Place { stream, seq }) => {
                let found = self.streams.iter().position(|known| known.id == stream);
                let mut stream =
                    found.map_or_else(|| Stream::new(stream), |at| self.streams.remove(at));
                stream.record(id, seq);
                if self.streams.len() >= STREAMS {
                    self.streams.remove(0);
                }
                self.streams.push(stream);
            }
        }
        receipt
    }

    /// Takes what another memory of the same sender has besides, as the older of the two. Where
    /// the bounds bite, it is forgotten first.
    pub(crate) fn merge(&mut self, older: Self) {
        let mut streams = Vec::new();
        for theirs in older.streams.into_iter().rev().take(STREAMS).rev() {
            match self.streams.iter_mut().find(|ours| ours.id == theirs.id) {
                Some(ours) => ours.merge(theirs),
                None => {
                    let mut stream = Stream::new(theirs.id);
                    stream.merge(theirs);
                    streams.push(stream);
                }
            }
        }
        streams.append(&mut self.streams);
        streams.drain(..streams.len().saturating_sub(STREAMS));
        self.streams = streams;
        self.loose.merge(older.loose, LOOSE);
    }
}

/// Letter ids, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Ids(VecDeque<[u8; 16]>);

impl Ids {
    pub(crate) fn check(&self, id: &[u8; 16]) -> Receipt {
        if self.0.contains(id) {
            Receipt::Replay
        } else {
            Receipt::Fresh { missed: 0, late: false }
        }
    }

    pub(crate) fn push(&mut self, id: &[u8; 16], limit: usize) {
        while self.0.len() >= limit {
            self.0.pop_front();
        }
        self.0.push_back(*id);
    }

    /// Takes the ids of an older list that are not here.
    pub(crate) fn merge(&mut self, older: Self, limit: usize) {
        let mut ids = older.0;
        ids.drain(..ids.len().saturating_sub(limit));
        ids.retain(|id| !self.0.contains(id));
        ids.append(&mut self.0);
        ids.drain(..ids.len().saturating_sub(limit));
        self.0 = ids;
    }
}

/// The numbers seen of one stream: `ranges` are runs, both ends included, in rising order,
/// never touching; everything up to `floor` counts as seen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Stream {
    id: [u8; 16],
    floor: u64,
    ranges: Vec<(u64, u64)>,
    recent: VecDeque<(u64, [u8; 16])>,
}

impl Stream {
    fn new(id: [u8; 16]) -> Self {
        Self { id, floor: 0, ranges: Vec::new(), recent: VecDeque::new() }
    }

    fn highest(&self) -> u64 {
        self.ranges.last().map_or(self.floor, |&(_, last)| last)
    }

    fn check(&self, id: &[u8; 16], seq: u64) -> Receipt {
        let highest = self.highest();
        if seq > highest {
            return Receipt::Fresh { missed: seq - highest - 1, late: false };
        }
        let mut known = self.recent.iter().filter(|(number, _)| *number == seq).peekable();
        if known.peek().is_some() {
            let this = known.any(|(_, known)| known == id);
            return if this { Receipt::Replay } else { Receipt::Conflict };
        }
        if self.saw(seq) { Receipt::Old } else { Receipt::Fresh { missed: 0, late: true } }
    }

    fn saw(&self, seq: u64) -> bool {
        seq <= self.floor || self.ranges.iter().any(|&(first, last)| first <= seq && seq <= last)
    }

    /// Adds a number, and the id of its letter.
    fn record(&mut self, id: &[u8; 16], seq: u64) {
        if !self.saw(seq) {
            self.record_number(seq);
        }
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((seq, *id));
    }

    fn record_number(&mut self, seq: u64) {
        let at = self.ranges.partition_point(|&(first, _)| first < seq);
        self.ranges.insert(at, (seq, seq));
        self.ranges.dedup_by(|next, run| {
            let touching = run.1.checked_add(1) == Some(next.0);
            if touching {
                run.1 = next.1;
            }
            touching
        });
        while self.ranges.len() > RANGES
            || self.ranges.first().is_some_and(|run| run.0.checked_sub(1) == Some(self.floor))
        {
            self.floor = self.ranges.remove(0).1;
        }
    }

    /// Takes the numbers that an older memory of this stream has seen. Runs that are none, as
    /// no writer of ours makes them, are left out.
    fn merge(&mut self, older: Self) {
        self.floor = self.floor.max(older.floor);
        let mut runs = std::mem::take(&mut self.ranges);
        runs.extend(older.ranges);
        runs.retain(|&(first, last)| first <= last && last > self.floor);
        runs.sort_unstable();
        for (first, last) in runs {
            match self.ranges.last_mut() {
                Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
                _ => self.ranges.push((first, last)),
            }
        }
        while self.ranges.len() > RANGES
            || self.ranges.first().is_some_and(|run| run.0 <= self.floor.saturating_add(1))
        {
            self.floor = self.ranges.remove(0).1;
        }
        let mut recent = older.recent;
        recent.retain(|(seq, _)| !self.recent.iter().any(|(known, _)| known == seq));
        recent.append(&mut self.recent);
        recent.drain(..recent.len().saturating_sub(RECENT));
        self.recent = recent;
    }
}

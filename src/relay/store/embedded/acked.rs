//! Ids that were taken out lately, so that a late repetition of their push brings nothing back.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::crypto;
use crate::relay::protocol::Id;

/// The first half of an id: nobody finds another message with the same one.
type Short = [u8; 16];

struct Acked {
    /// Serial number of the mailbox.
    mailbox: u32,
    id: Short,
    /// Unix time in seconds; from 2106 on they are kept as long as there is room.
    until: u32,
}

/// A queue in the order of their acks, with a table to find them by.
pub(super) struct Remembered {
    queue: VecDeque<Acked>,
    /// Positions in the queue, counted from the first that ever was in it, modulo 2^32.
    table: HashTable<u32>,
    /// Position of the front of the queue.
    front: u32,
    most: usize,
    hasher: RandomState,
}

fn short(id: &Id) -> Short {
    crypto::truncate(&id.0)
}

impl Remembered {
    /// Keeps at most `most` ids; the oldest go first.
    pub(super) fn new(most: usize) -> Self {
        let (queue, table, hasher) = Default::default();
        Self { queue, table, front: 0, most, hasher }
    }

    /// Remembers an id of the mailbox with this serial number until `until`, in Unix seconds.
    pub(super) fn insert(&mut self, mailbox: u32, id: &Id, until: u64) {
        let acked = Acked { mailbox, id: short(id), until: seconds(until) };
        if let Some(known) = self.position(mailbox, id).and_then(|at| self.queue.get_mut(at)) {
            known.until = acked.until;
            return;
        }
        if self.queue.len() >= self.most {
            self.forget_oldest();
        }
        let Self { queue, table, front, hasher, .. } = self;
        let at = front.wrapping_add(queue.len() as u32);
        let hash = hasher.hash_one((mailbox, acked.id));
        queue.push_back(acked);
        table.insert_unique(hash, at, |at| {
            let acked = queue.get(at.wrapping_sub(*front) as usize);
            acked.map_or(0, |acked| hasher.hash_one((acked.mailbox, acked.id)))
        });
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> u64 {
        self.queue.len() as u64
    }

    /// Until when an id is remembered, in Unix seconds.
    pub(super) fn until(&self, mailbox: u32, id: &Id) -> Option<u64> {
        let acked = self.queue.get(self.position(mailbox, id)?)?;
        Some(u64::from(acked.until))
    }

    /// Forgets those at the front whose time has passed by `now`.
    pub(super) fn expire(&mut self, now: u64) {
        while self.queue.front().is_some_and(|acked| u64::from(acked.until) <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(acked) = self.queue.pop_front() else { return };
        let hash = self.hasher.hash_one((acked.mailbox, acked.id));
        let front = self.front;
        if let Ok(entry) = self.table.find_entry(hash, |at| *at == front) {
            entry.remove();
        }
        self.front = front.wrapping_add(1);
    }

    fn position(&self, mailbox: u32, id: &Id) -> Option<usize> {
        let id = short(id);
        let place = |at: &u32| at.wrapping_sub(self.front) as usize;
        let same = |at: &u32| {
            self.queue.get(place(at)).is_some_and(|a| (a.mailbox, a.id) == (mailbox, id))
        };
        self.table.find(self.hasher.hash_one((mailbox, id)), same).map(place)
    }
}

fn seconds(time: u64) -> u32 {
    u32::try_from(time).unwrap_or(u32::MAX)
}

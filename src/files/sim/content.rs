//! Files and names as they are seen, and as a power cut leaves them.

use std::collections::BTreeMap;

const SECTOR: usize = 512;

#[derive(Default)]
pub(super) struct SimFile {
    /// How often it is open.
    pub(super) open: u32,
    pub(super) seen: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Change>,
}

pub(super) enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default)]
pub(super) struct SimFolder {
    pub(super) seen: BTreeMap<String, u64>,
    pub(super) durable: BTreeMap<String, u64>,
    pub(super) pending: Vec<NameChange>,
}

/// Each happens as a whole, or not at all.
pub(super) enum NameChange {
    Given(String, u64),
    Renamed(String, u64),
    Removed(String),
}

/// splitmix64 (Steele, Lea, Flood 2014): the same numbers for the same seed.
#[derive(Default, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn chance(&mut self, of_hundred: u64) -> bool {
        self.below(100) < of_hundred
    }
}

fn write(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if to.len() < at + bytes.len() {
        to.resize(at + bytes.len(), 0);
    }
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Change {
    pub(super) fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Bytes(at, bytes) => write(to, *at, bytes),
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

impl NameChange {
    pub(super) fn apply(&self, to: &mut BTreeMap<String, u64>) {
        match self {
            Self::Given(name, number) => {
                to.insert(name.clone(), *number);
            }
            Self::Renamed(name, number) => {
                to.retain(|_, named| named != number);
                to.insert(name.clone(), *number);
            }
            Self::Removed(name) => {
                to.remove(name);
            }
        }
    }
}

impl SimFile {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        self.pending.drain(..).for_each(|change| change.apply(&mut self.durable));
    }

    /// Leaves what a power cut leaves: of each change some sectors, in any order.
    pub(super) fn cut(&mut self, random: &mut Random) {
        let keep = [0, 30, 70, 95, 100][random.below(5) as usize];
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Length(_) if random.chance(keep) => change.apply(&mut self.durable),
                Change::Length(_) => {}
                Change::Bytes(at, bytes) => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let end = bytes.len().min((at + from) / SECTOR * SECTOR + SECTOR - at);
                        if random.chance(keep) {
                            write(&mut self.durable, at + from, &bytes[from..end]);
                        }
                        from = end;
                    }
                }
            }
        }
        self.seen = self.durable.clone();
        // Those who had it open are gone with the power.
        self.open = 0;
    }
}

impl SimFolder {
    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    /// Leaves what a power cut leaves: some of the changes.
    pub(super) fn cut(&mut self, random: &mut Random) {
        let keep = [0, 50, 100][random.below(3) as usize];
        for change in std::mem::take(&mut self.pending) {
            if random.chance(keep) {
                change.apply(&mut self.durable);
            }
        }
        self.seen = self.durable.clone();
    }

    pub(super) fn names(&self, number: u64) -> bool {
        let mut named = self.seen.values().chain(self.durable.values());
        named.any(|named| *named == number)
    }
}

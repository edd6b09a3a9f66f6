//! A disk that does what disks may: it forgets what was not synced, keeps some sectors of it and
//! not others, in any order, and loses names that were not synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::super::disk::{Disk, Handle};

const SECTOR: usize = 512;

/// A machine with a disk, whose power may fail.
#[derive(Clone, Default)]
pub(super) struct Machine(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<u64, SimFile>,
    folders: BTreeMap<&'static str, SimFolder>,
    next: u64,
    operations: u64,
    crash_at: Option<u64>,
    off: bool,
    capacity: Option<u64>,
    /// How long bytes are under way before they can be read.
    lag: Duration,
    random: Random,
}

#[derive(Default)]
struct SimFile {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default, Clone)]
struct SimFolder {
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<(String, Option<u64>)>,
}

/// splitmix64 (Steele, Lea, Flood 2014): the same numbers for the same seed.
#[derive(Default, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, of_hundred: u64) -> bool {
        self.below(100) < of_hundred
    }
}

fn write(to: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if to.len() < at + bytes.len() {
        to.resize(at + bytes.len(), 0);
    }
    to[at..at + bytes.len()].copy_from_slice(bytes);
}

impl SimFile {
    fn change(&mut self, change: Change) {
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// What a power cut leaves: of each change some sectors, in any order.
    fn cut(&mut self, random: &mut Random) {
        let keep = [0, 30, 70, 95, 100][random.below(5) as usize];
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Length(_) if random.chance(keep) => apply(&mut self.durable, &change),
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
    }
}

fn apply(to: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Bytes(at, bytes) => write(to, *at, bytes),
        Change::Length(length) => to.resize(*length, 0),
    }
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        let machine = Self::default();
        machine.state().random = Random(seed);
        machine
    }

    pub(super) fn folder(&self, name: &'static str) -> Arc<dyn Disk> {
        self.state().folders.entry(name).or_default();
        Arc::new(Folder(self.clone(), name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Cuts the power at an operation that is so far ahead.
    pub(super) fn crash_in(&self, operations: Option<u64>) {
        let mut state = self.state();
        state.crash_at = operations.map(|n| state.operations + n);
    }

    pub(super) fn is_off(&self) -> bool {
        self.state().off
    }

    pub(super) fn capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    pub(super) fn lag(&self, lag: Duration) {
        self.state().lag = lag;
    }

    /// Cuts the power, if it is not off already, and switches it on again.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        let State { files, folders, random, .. } = &mut *state;
        for file in files.values_mut() {
            file.cut(random);
        }
        for folder in folders.values_mut() {
            let keep = [0, 50, 100][random.below(3) as usize];
            for (name, number) in std::mem::take(&mut folder.pending) {
                if random.chance(keep) {
                    match number {
                        Some(number) => folder.durable.insert(name, number),
                        None => folder.durable.remove(&name),
                    };
                }
            }
            folder.seen = folder.durable.clone();
        }
        let named: Vec<u64> = folders.values().flat_map(|f| f.seen.values().copied()).collect();
        files.retain(|number, _| named.contains(number));
        (state.off, state.crash_at) = (false, None);
    }

    /// The bytes of all files, as they are seen.
    pub(super) fn all(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        let named = state.folders.iter().flat_map(|(folder, f)| {
            f.seen.iter().map(move |(name, number)| (format!("{folder}/{name}"), *number))
        });
        named.map(|(name, number)| (name, state.files[&number].seen.clone())).collect()
    }

    /// Changes bytes behind everybody's back.
    pub(super) fn rot(&self, folder: &str, name: &str, at: usize, length: usize) {
        let mut state = self.state();
        let number = state.folders[folder].seen[name];
        let file = state.files.get_mut(&number).unwrap();
        for byte in &mut file.seen[at..at + length] {
            *byte ^= 0x55;
        }
        file.durable = file.seen.clone();
    }
}

impl State {
    fn operation(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.crash_at.is_some_and(|at| self.operations >= at) {
            self.off = true;
        }
        self.on()
    }

    fn on(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn grow(&self, file: u64, length: usize) -> io::Result<()> {
        let named = self.folders.values().flat_map(|folder| folder.seen.values());
        let used: usize = named.filter(|n| **n != file).map(|n| self.files[n].seen.len()).sum();
        match self.capacity {
            Some(capacity) if (used + length) as u64 > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

struct Folder(Machine, &'static str);

struct Open(Machine, u64);

impl Disk for Folder {
    fn create(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        let mut state = self.0.state();
        state.operation()?;
        state.next += 1;
        let number = state.next;
        let folder = state.folders.get_mut(self.1).unwrap();
        if folder.seen.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        folder.seen.insert(name.into(), number);
        folder.pending.push((name.into(), Some(number)));
        state.files.insert(number, SimFile::default());
        Ok(Arc::new(Open(self.0.clone(), number)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        let state = self.0.state();
        state.on()?;
        let number = state.folders[self.1].seen.get(name).copied();
        let number = number.ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Open(self.0.clone(), number)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.0.state();
        state.on()?;
        Ok(state.folders[self.1].seen.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.state();
        state.operation()?;
        let folder = state.folders.get_mut(self.1).unwrap();
        folder.seen.remove(name).ok_or(io::ErrorKind::NotFound)?;
        folder.pending.push((name.into(), None));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.state();
        state.operation()?;
        let folder = state.folders.get_mut(self.1).unwrap();
        folder.durable = folder.seen.clone();
        folder.pending.clear();
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl Open {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.state();
        let end = match &change {
            Change::Bytes(at, bytes) => at + bytes.len(),
            Change::Length(length) => *length,
        };
        let was_on = state.on();
        let alive = state.operation();
        was_on?;
        let now = state.files.get(&self.1).map_or(0, |file| file.seen.len());
        if end > now {
            state.grow(self.1, end)?;
        }
        // What was under way when the power went may have got there in part.
        if let Some(file) = state.files.get_mut(&self.1) {
            file.change(change);
        }
        alive
    }
}

impl Handle for Open {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let state = self.0.state();
        state.on()?;
        let file = state.files.get(&self.1).ok_or(io::ErrorKind::NotFound)?;
        let found = file.seen.get(at as usize..at as usize + bytes.len());
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let lag = self.0.state().lag;
        std::thread::sleep(lag);
        self.change(Change::Bytes(at as usize, bytes.to_vec()))
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.0.state();
        state.on()?;
        Ok(state.files[&self.1].seen.len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length as usize))
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length as usize))
    }

    fn erase(&self, at: u64, length: u64) -> io::Result<()> {
        self.change(Change::Bytes(at as usize, vec![0; length as usize]))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.state();
        state.operation()?;
        if let Some(file) = state.files.get_mut(&self.1) {
            file.sync();
        }
        Ok(())
    }
}

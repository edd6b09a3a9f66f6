//! A disk that does what disks may: it forgets what was not synced, keeps some sectors of it and
//! not others, in any order, and loses names that were not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::index::storage::disk::{Disk, Handle, Held, Unnamed};

const SECTOR: usize = 512;

/// A folder on a machine whose power may fail.
#[derive(Clone, Default)]
pub(super) struct Machine(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<u64, SimFile>,
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<(String, Option<u64>)>,
    locks: BTreeSet<String>,
    next: u64,
    operations: u64,
    crash_at: Option<u64>,
    off: bool,
    capacity: Option<u64>,
    random: Random,
}

#[derive(Default)]
struct SimFile {
    /// How often it is open.
    open: u32,
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
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
    /// What a power cut leaves: of each change some sectors, in any order.
    fn cut(&mut self, random: &mut Random) {
        let keep = [0, 30, 70, 95, 100][random.below(5) as usize];
        for (at, bytes) in std::mem::take(&mut self.pending) {
            let mut from = 0;
            while from < bytes.len() {
                let end = bytes.len().min((at + from) / SECTOR * SECTOR + SECTOR - at);
                if random.chance(keep) {
                    write(&mut self.durable, at + from, &bytes[from..end]);
                }
                from = end;
            }
        }
        self.seen = self.durable.clone();
    }
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        let machine = Self::default();
        machine.state().random = Random(seed);
        machine
    }

    pub(super) fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Cuts the power at an operation that is so far ahead.
    pub(super) fn crash_in(&self, operations: Option<u64>) {
        let mut state = self.state();
        state.crash_at = operations.map(|n| state.operations + n);
    }

    pub(super) fn is_off(&self) -> bool {
        self.state().off
    }

    /// Operations so far.
    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(super) fn capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes of all files.
    pub(super) fn used(&self) -> u64 {
        let state = self.state();
        state.seen.values().map(|number| state.files[number].seen.len() as u64).sum()
    }

    /// Every file there is.
    pub(super) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let named = state.seen.iter();
        named.map(|(name, number)| (name.clone(), state.files[number].seen.clone())).collect()
    }

    /// Cuts the power, if it is not off already, and switches it on again.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        let State { files, seen, durable, pending, random, .. } = &mut *state;
        files.values_mut().for_each(|file| file.cut(random));
        let keep = [0, 50, 100][random.below(3) as usize];
        for (name, number) in std::mem::take(pending) {
            if random.chance(keep) {
                match number {
                    Some(number) => durable.insert(name, number),
                    None => durable.remove(&name),
                };
            }
        }
        *seen = durable.clone();
        files.retain(|number, file| {
            // Those who had it open are gone with the power.
            file.open = 0;
            seen.values().any(|named| named == number)
        });
        (state.off, state.crash_at) = (false, None);
        state.locks.clear();
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

    fn named(&self, name: &str) -> io::Result<u64> {
        self.on()?;
        self.seen.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}

struct Open(Machine, u64);

impl Open {
    fn new(machine: &Machine, state: &mut State, number: u64) -> Self {
        state.files.entry(number).or_default().open += 1;
        Self(machine.clone(), number)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let named = state.seen.values().any(|number| *number == self.1);
        let named = named || state.durable.values().any(|number| *number == self.1);
        if let Some(file) = state.files.get_mut(&self.1) {
            file.open = file.open.saturating_sub(1);
            if file.open == 0 && !named {
                state.files.remove(&self.1);
            }
        }
    }
}

struct Lock(Machine, String);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locks.remove(&self.1);
    }
}

impl Disk for Machine {
    /// Every read may be one that is waited for.
    fn waited(&self) -> bool {
        true
    }

    fn begin(&self) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)> {
        let mut state = self.state();
        state.operation()?;
        state.next += 1;
        let number = state.next;
        let one = Open::new(self, &mut state, number);
        Ok((Arc::new(one), Box::new(Open::new(self, &mut state, number))))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        let mut state = self.state();
        let number = state.named(name)?;
        Ok(Arc::new(Open::new(self, &mut state, number)))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        self.open(name)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.state().on()?;
        Ok(self.all().into_iter().map(|(name, bytes)| (name, bytes.len() as u64)).collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        state.seen.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.pending.push((name.into(), None));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        state.durable = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>> {
        loop {
            if self.state().locks.insert(name.into()) {
                return Ok(Some(Box::new(Lock(self.clone(), name.into()))));
            }
            if !wait {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
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
        let mut state = self.0.state();
        let was_on = state.on();
        let alive = state.operation();
        was_on?;
        // What is seen no more and not open takes up no room.
        let State { files, seen, .. } = &mut *state;
        let uses = |(number, file): (&u64, &SimFile)| {
            let there = file.open > 0 || seen.values().any(|named| named == number);
            if there { file.seen.len() } else { 0 }
        };
        let used: usize = files.iter().map(uses).sum();
        if state.capacity.is_some_and(|capacity| (used + bytes.len()) as u64 > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // What was under way when the power went may have got there in part.
        if let Some(file) = state.files.get_mut(&self.1) {
            write(&mut file.seen, at as usize, bytes);
            file.pending.push((at as usize, bytes.to_vec()));
        }
        alive
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.0.state();
        state.on()?;
        Ok(state.files.get(&self.1).map_or(0, |file| file.seen.len() as u64))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.state();
        state.operation()?;
        if let Some(file) = state.files.get_mut(&self.1) {
            file.pending.clear();
            file.durable = file.seen.clone();
        }
        Ok(())
    }
}

impl Unnamed for Open {
    fn name(self: Box<Self>, name: &str) -> io::Result<()> {
        let mut state = self.0.state();
        state.operation()?;
        state.seen.insert(name.into(), self.1);
        state.pending.push((name.into(), Some(self.1)));
        Ok(())
    }
}

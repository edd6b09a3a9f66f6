//! A simulated disk that does what disks may: it forgets what was not synced, keeps some sectors of
//! it and not others, in any order, and loses names that were not synced.

mod content;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

pub(crate) use self::content::Random;
use self::content::{Change, NameChange, SimFile, SimFolder};
use crate::files::disk::{Access, Disk, Existing, Handle, Held, Metadata, Unnamed};

/// The disk of a machine whose power may fail. Its root is there from the beginning.
#[derive(Clone)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<u64, SimFile>,
    /// By their paths from the root, which is the empty one.
    folders: BTreeMap<String, SimFolder>,
    /// Numbers of files whose locks are held.
    locks: BTreeSet<u64>,
    next: u64,
    operations: u64,
    crash_at: Option<u64>,
    off: bool,
    capacity: Option<u64>,
    /// How long bytes are under way before they can be read.
    lag: Duration,
    random: Random,
}

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = State { random: Random(seed), ..State::default() };
        state.folders.insert(String::new(), SimFolder::default());
        Self(Arc::new(Mutex::new(state)))
    }

    /// Returns the root.
    pub(crate) fn root(&self) -> Arc<dyn Disk> {
        self.at(String::new())
    }

    /// Returns a folder below the root, which is there from the beginning.
    pub(crate) fn folder(&self, name: &str) -> Arc<dyn Disk> {
        self.state().folders.entry(name.into()).or_default();
        self.at(name.into())
    }

    fn at(&self, folder: String) -> Arc<dyn Disk> {
        let path = Path::new("/simulated").join(&folder);
        Arc::new(Folder { disk: self.clone(), folder, path })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Cuts the power at an operation that is so far ahead.
    pub(crate) fn crash_in(&self, operations: Option<u64>) {
        let mut state = self.state();
        state.crash_at = operations.map(|n| state.operations + n);
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state().off
    }

    /// Returns how many operations there were so far.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    pub(crate) fn lag(&self, lag: Duration) {
        self.state().lag = lag;
    }

    /// Returns the bytes of all files together.
    pub(crate) fn used(&self) -> u64 {
        self.all().values().map(|bytes| bytes.len() as u64).sum()
    }

    /// Returns every file there is, by its path.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let mut all = BTreeMap::new();
        for (path, folder) in &state.folders {
            for (name, number) in &folder.seen {
                let name = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                all.insert(name, state.files[number].seen.clone());
            }
        }
        all
    }

    /// Cuts the power, if it is not off already, and switches it on again. What was opened before
    /// must not be used any more.
    pub(crate) fn restart(&self) {
        let mut state = self.state();
        let State { files, folders, random, .. } = &mut *state;
        files.values_mut().for_each(|file| file.cut(random));
        folders.values_mut().for_each(|folder| folder.cut(random));
        files.retain(|number, _| folders.values().any(|folder| folder.names(*number)));
        (state.off, state.crash_at) = (false, None);
        state.locks.clear();
    }

    /// Changes bytes without a trace.
    pub(crate) fn rot(&self, folder: &str, name: &str, at: usize, length: usize) {
        let mut state = self.state();
        let number = state.folders[folder].seen[name];
        let file = state.files.get_mut(&number).unwrap();
        for byte in &mut file.seen[at..at + length] {
            *byte ^= 0x55;
        }
        file.durable = file.seen.clone();
    }
}

/// Cuts the power at every operation of `work` in turn, and once behind the last, on disks that
/// `prepare` filled. What the machine finds after that is for `check`, with the outcome of `work`.
pub(crate) fn cut_everywhere<P, T>(
    prepare: impl Fn(&SimDisk) -> P,
    work: impl Fn(&SimDisk, &mut P) -> T,
    check: impl Fn(&SimDisk, P, T),
) {
    for operation in 1.. {
        let mut cut = false;
        for seed in 0..8 {
            let disk = SimDisk::new(seed << 32 | operation);
            let mut prepared = prepare(&disk);
            disk.crash_in(Some(operation));
            let outcome = work(&disk, &mut prepared);
            cut |= disk.is_off();
            disk.restart();
            check(&disk, prepared, outcome);
        }
        if !cut {
            return;
        }
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

    fn folder(&mut self, path: &str) -> io::Result<&mut SimFolder> {
        self.folders.get_mut(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn named(&mut self, folder: &str, name: &str) -> io::Result<u64> {
        self.on()?;
        self.folder(folder)?.seen.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Adds a file without a name.
    fn add(&mut self) -> u64 {
        self.next += 1;
        self.files.insert(self.next, SimFile::default());
        self.next
    }

    /// Returns whether a file may grow to such a length. Files that are seen no more and not open
    /// take up no room.
    fn has_room(&self, number: u64, length: usize) -> bool {
        let Some(capacity) = self.capacity else { return true };
        let seen = |number| self.folders.values().any(|f| f.seen.values().any(|n| *n == number));
        let others = self.files.iter().filter(|(other, _)| **other != number);
        let used = others.filter(|(other, file)| file.open > 0 || seen(**other));
        (used.map(|(_, file)| file.seen.len()).sum::<usize>() + length) as u64 <= capacity
    }
}

/// A folder of the disk.
struct Folder {
    disk: SimDisk,
    folder: String,
    path: PathBuf,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Folder({})", self.path.display())
    }
}

impl Folder {
    fn opened(&self, state: &mut State, number: u64) -> Arc<Open> {
        Arc::new(Open::new(&self.disk, state, number))
    }
}

impl Disk for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self, name: &str) -> Arc<dyn Disk> {
        let Self { disk, folder, .. } = self;
        disk.at(if folder.is_empty() { name.into() } else { format!("{folder}/{name}") })
    }

    fn make(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.on()?;
        if !state.folders.contains_key(&self.folder) {
            state.operation()?;
            state.folders.insert(self.folder.clone(), SimFolder::default());
        }
        Ok(())
    }

    fn begin(&self, _: Access) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)> {
        let mut state = self.disk.state();
        state.operation()?;
        state.folder(&self.folder)?;
        let number = state.add();
        let handle = self.opened(&mut state, number);
        let unnamed = Open::new(&self.disk, &mut state, number);
        Ok((handle, Box::new(Under { open: unnamed, folder: self.folder.clone() })))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        let mut state = self.disk.state();
        state.operation()?;
        if state.folder(&self.folder)?.seen.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.add();
        state.folder(&self.folder)?.change(NameChange::Given(name.into(), number));
        Ok(self.opened(&mut state, number))
    }

    fn open_or_create(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        match self.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(name),
            opened => opened,
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        let mut state = self.disk.state();
        let number = state.named(&self.folder, name)?;
        Ok(self.opened(&mut state, number))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        self.open(name)
    }

    fn open_file(&self, name: &str) -> io::Result<File> {
        let mut state = self.disk.state();
        let number = state.named(&self.folder, name)?;
        let mut file = tempfile::tempfile()?;
        file.write_all(&state.files[&number].seen)?;
        file.rewind()?;
        Ok(file)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.disk.state();
        state.on()?;
        Ok(state.folder(&self.folder)?.seen.keys().cloned().collect())
    }

    fn metadata(&self, name: &str) -> io::Result<Metadata> {
        let mut state = self.disk.state();
        let number = state.named(&self.folder, name)?;
        let length = state.files[&number].seen.len() as u64;
        Ok(Metadata { length, modified: SystemTime::now() })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operation()?;
        let number = state.named(&self.folder, from)?;
        state.folder(&self.folder)?.change(NameChange::Renamed(to.into(), number));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operation()?;
        state.named(&self.folder, name)?;
        state.folder(&self.folder)?.change(NameChange::Removed(name.into()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operation()?;
        let folder = state.folder(&self.folder)?;
        folder.durable = folder.seen.clone();
        folder.pending.clear();
        Ok(())
    }

    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>> {
        loop {
            let file = self.open_or_create(name)?;
            let mut state = self.disk.state();
            let number = state.named(&self.folder, name)?;
            if state.locks.insert(number) {
                return Ok(Some(Box::new(Lock(self.disk.clone(), number))));
            }
            drop(state);
            drop(file);
            if !wait {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn free(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    /// Every read may be one that is waited for.
    fn waited(&self) -> bool {
        true
    }
}

struct Lock(SimDisk, u64);

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lock({})", self.1)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locks.remove(&self.1);
    }
}

/// An open file.
struct Open(SimDisk, u64);

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Open({})", self.1)
    }
}

impl Open {
    fn new(disk: &SimDisk, state: &mut State, number: u64) -> Self {
        state.files.entry(number).or_default().open += 1;
        Self(disk.clone(), number)
    }

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
        if end > now && !state.has_room(self.1, end) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // What was under way when the power went may have got there in part.
        if let Some(file) = state.files.get_mut(&self.1) {
            file.change(change);
        }
        alive
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let named = state.folders.values().any(|folder| folder.names(self.1));
        if let Some(file) = state.files.get_mut(&self.1) {
            file.open = file.open.saturating_sub(1);
            if file.open == 0 && !named {
                state.files.remove(&self.1);
            }
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
        let lag = self.0.state().lag;
        if !lag.is_zero() {
            std::thread::sleep(lag);
        }
        self.change(Change::Bytes(at as usize, bytes.to_vec()))
    }

    fn length(&self) -> io::Result<u64> {
        let state = self.0.state();
        state.on()?;
        Ok(state.files.get(&self.1).map_or(0, |file| file.seen.len() as u64))
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

/// A file under way, and the folder it gets its name in.
#[derive(Debug)]
struct Under {
    open: Open,
    folder: String,
}

impl Unnamed for Under {
    fn name(self: Box<Self>, name: &OsStr, existing: Existing) -> io::Result<Option<PathBuf>> {
        let Open(disk, number) = &self.open;
        let name = name.to_string_lossy().into_owned();
        let mut state = disk.state();
        state.operation()?;
        let folder = state.folder(&self.folder)?;
        if existing == Existing::Keep && folder.seen.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        folder.change(NameChange::Given(name, *number));
        Ok(None)
    }
}

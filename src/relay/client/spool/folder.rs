//! An open spool: messages put, handed out, marked and handed back.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::crypto;
use crate::files::disk::{self, Access, Disk, Existing, Handle, Held, Unnamed};
use crate::files::local::Folder;
use crate::files::lock::holder;
use crate::relay::client::error::Error;
use crate::relay::client::spool::state::{State, parse_name};
use crate::relay::client::spool::word::{self, Word};
use crate::relay::protocol::Id;
use crate::text::printable;

/// Delivered ids that are remembered: more than any relay's list is long, and each is needed
/// only until the relay has heard of its ack.
const REMEMBERED: usize = 16_384;
/// How long a message is kept whose reader was never heard of again, at most, and a part of one that
/// was never completed.
pub(crate) const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Files that are synced at once.
const SYNCS: usize = 8;
/// Ending of what came so far of a long message.
const PARTIAL: &str = ".partial";

/// An open spool, which no other process has.
#[derive(Debug)]
pub struct Spool {
    disk: Arc<dyn Disk>,
    next: u64,
    /// Turn of the next message that is given out.
    turn: u64,
    messages: BTreeMap<u64, (Id, State)>,
    numbers: HashMap<Id, u64>,
    /// Written, and neither synced nor named yet.
    arriving: Vec<Arriving>,
    /// Renamed since the last [`Spool::settle`].
    moved: bool,
    /// Delivered, their bytes still here.
    full: Vec<String>,
    _lock: Held,
}

/// A message that is written, and neither synced nor named yet.
#[derive(Debug)]
struct Arriving {
    number: u64,
    id: Id,
    file: Arc<dyn Handle>,
    unnamed: Box<dyn Unnamed>,
}

impl Spool {
    /// Opens the spool in a folder of any disk, or makes it.
    ///
    /// # Errors
    ///
    /// [`Error::SpoolInUse`] when another process has it, [`Error::Io`].
    pub(crate) fn on(disk: Arc<dyn Disk>) -> Result<Self, Error> {
        disk.make()?;
        let lock = disk.lock_with_children("lock")?;
        let lock = lock.ok_or_else(|| {
            let folder = disk.path().to_owned();
            let holder = holder(&folder.join("lock"));
            // The name is the other program's own.
            let named =
                |(number, name): (u32, String)| format!("process {number} ({})", printable(&name));
            Error::SpoolInUse { folder, holder: holder.map(named) }
        })?;
        let mut spool = Self {
            disk,
            next: 0,
            turn: 0,
            messages: BTreeMap::new(),
            numbers: HashMap::new(),
            arriving: Vec::new(),
            moved: false,
            full: Vec::new(),
            _lock: lock,
        };
        spool.scan()?;
        Ok(spool)
    }

    fn scan(&mut self) -> io::Result<()> {
        let now = SystemTime::now();
        let mut words = Vec::new();
        let mut stale = Vec::new();
        for file in self.disk.list()? {
            if disk::is_under_way(&file) {
                self.disk.remove(&file)?;
            } else if is_partial(&file) {
                if self.age(&file)? > KEPT {
                    self.disk.remove(&file)?;
                }
            } else if let Some(word) = word::parse(&file) {
                words.push(word);
            } else if let Some((number, id, state)) = parse_name(&file) {
                let (length, age) = (self.disk.metadata(&file)?.length, self.age(&file)?);
                let name = name(number, &id, state);
                // What was given out before turns were counted.
                if name != file {
                    self.disk.rename(&file, &name)?;
                    self.moved = true;
                }
                // A crash may have come between the rename and the emptying, before the sync.
                if state == State::Done && length > 0 {
                    self.full.push(name);
                    self.moved = true;
                }
                if let State::Given(turn, until) = state {
                    self.turn = self.turn.max(turn.saturating_add(1));
                    let is_over = if until == 0 { age > KEPT } else { unix_time(now) >= until };
                    if is_over {
                        stale.push(id);
                    }
                }
                self.messages.insert(number, (id, state));
                self.numbers.insert(id, number);
                self.next = self.next.max(number.saturating_add(1));
            }
        }
        self.heed(&words)?;
        for id in &stale {
            if matches!(self.state(id), Some(State::Given(..))) {
                self.done(id)?;
            }
        }
        self.settle()
    }

    fn age(&self, name: &str) -> io::Result<Duration> {
        Ok(self.disk.metadata(name)?.modified.elapsed().unwrap_or_default())
    }

    fn state(&self, id: &Id) -> Option<State> {
        self.numbers.get(id).and_then(|number| self.messages.get(number)).map(|(_, state)| *state)
    }

    /// Whether the message was delivered or given out, as far as is remembered.
    pub(crate) fn is_done(&self, id: &Id) -> bool {
        matches!(self.state(id), Some(State::Given(..) | State::Done))
    }

    /// Whether the message waits to be delivered.
    pub(crate) fn is_waiting(&self, id: &Id) -> bool {
        matches!(self.state(id), Some(State::Waiting | State::Deferred))
    }

    /// Messages that wait, in order of arrival, but for those that [`Spool::deferred`] lists.
    pub(crate) fn waiting(&self) -> Vec<Id> {
        self.all(|state| state == State::Waiting)
    }

    /// Messages that wait and were refused by the reader they were given to, in order of arrival.
    /// They are given out after all others, so that they keep none from coming.
    pub(crate) fn deferred(&self) -> Vec<Id> {
        self.all(|state| state == State::Deferred)
    }

    /// Messages that were given out and not opened since, in order of arrival.
    pub(crate) fn given(&self) -> Vec<Id> {
        self.all(|state| matches!(state, State::Given(..)))
    }

    fn all(&self, wanted: impl Fn(State) -> bool) -> Vec<Id> {
        let found = self.messages.values().filter(|(_, state)| wanted(*state));
        found.map(|(id, _)| *id).collect()
    }

    /// Whether the message is here or was delivered: it need not be fetched.
    pub(crate) fn knows(&self, id: &Id) -> bool {
        self.numbers.contains_key(id)
    }

    /// Takes in a message whose hash was checked. It is here, durably, after [`Spool::settle`].
    /// One that is here or was delivered already is left as it is.
    pub(crate) fn put(&mut self, id: Id, bytes: &[u8]) -> io::Result<()> {
        if self.knows(&id) || self.arriving.iter().any(|other| other.id == id) {
            return Ok(());
        }
        let (file, unnamed) = self.disk.begin(Access::Private)?;
        file.write_at(bytes, 0)?;
        self.arriving.push(Arriving { number: self.next, id, file, unnamed });
        self.next += 1;
        Ok(())
    }

    /// Makes durable what was put and marked, with one sync of the folder, and lets the bytes of
    /// delivered messages go.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        let arriving = std::mem::take(&mut self.arriving);
        sync(&arriving)?;
        for Arriving { number, id, unnamed, .. } in arriving {
            unnamed.name(name(number, &id, State::Waiting).as_ref(), Existing::Keep)?;
            self.add(number, id);
        }
        // Until it succeeds: a sync that failed makes nothing durable that a later call could rely on.
        if self.moved {
            self.disk.sync()?;
            self.moved = false;
        }
        // Only the names are needed from here on. The next start repeats this if it is lost.
        for name in std::mem::take(&mut self.full) {
            self.disk.open_writable(&name)?.set_length(0)?;
        }
        self.prune()
    }

    fn add(&mut self, number: u64, id: Id) {
        self.moved = true;
        self.messages.insert(number, (id, State::Waiting));
        self.numbers.insert(id, number);
    }

    /// Begins to take in a long message, or goes on with one of which a part came before. Of others
    /// the parts are dropped: a relay that breaks off every message fills no disk.
    pub(crate) fn partial(&mut self, id: Id) -> io::Result<Partial> {
        let name = format!("{id}{PARTIAL}");
        for other in self.disk.list()? {
            if other.ends_with(PARTIAL) && other != name {
                self.disk.remove(&other)?;
            }
        }
        let file = self.disk.open_or_create(&name)?;
        let length = file.length()?;
        let mut partial = Partial { id, name, file, length: 0, hash: crypto::Hash::default() };
        let mut piece = vec![0; 64 << 10];
        while partial.length < length {
            let left = usize::try_from(length - partial.length).unwrap_or(usize::MAX);
            let most = piece.len().min(left);
            let piece = piece.get_mut(..most).unwrap_or_default();
            partial.file.read_at(piece, partial.length)?;
            partial.count(piece);
        }
        Ok(partial)
    }

    /// Takes a long message in, of which all came. After this returns it survives a power cut.
    ///
    /// # Errors
    ///
    /// [`Error::WrongHash`], with which all of it is dropped.
    pub(crate) fn complete(&mut self, partial: Partial) -> Result<(), Error> {
        let id = partial.id;
        if partial.hash.finish() != id.0 {
            self.disk.remove(&partial.name)?;
            return Err(Error::WrongHash(id));
        }
        partial.file.sync()?;
        if self.knows(&id) {
            return Ok(self.disk.remove(&partial.name)?);
        }
        let number = self.next;
        self.disk.rename(&partial.name, &name(number, &id, State::Waiting))?;
        self.next += 1;
        self.add(number, id);
        Ok(self.settle()?)
    }

    /// Opens a message that waits or was given out; `None` when there is none of that id.
    pub(crate) fn open_message(&self, id: &Id) -> io::Result<Option<File>> {
        match (self.numbers.get(id), self.state(id)) {
            (None, _) | (_, None | Some(State::Done)) => Ok(None),
            (Some(number), Some(state)) => self.disk.open_file(&name(*number, id, state)).map(Some),
        }
    }

    /// Marks a message as given to a reader who may lose it: its bytes are kept so long, or
    /// until a reader leaves word that it was opened ([`Word::Opened`]). A crash before [`Spool::settle`] may
    /// undo this.
    pub(crate) fn give(&mut self, id: &Id, keep: Duration) -> io::Result<()> {
        let turn = self.turn;
        let until = unix_time(SystemTime::now() + keep.min(KEPT));
        if self.change(id, State::Given(turn, until))?.is_some() {
            self.turn = turn.saturating_add(1);
        }
        Ok(())
    }

    /// Marks a message as delivered. A crash before [`Spool::settle`] may undo this, and only
    /// then its bytes go: a mark that is undone must find them.
    pub(crate) fn done(&mut self, id: &Id) -> io::Result<()> {
        let name = self.change(id, State::Done)?;
        self.full.extend(name);
        Ok(())
    }

    /// Moves a message on to a later state; one that is there or beyond is left as it is.
    fn change(&mut self, id: &Id, state: State) -> io::Result<Option<String>> {
        let Some(&number) = self.numbers.get(id) else { return Ok(None) };
        let Some(before) = self.state(id).filter(|before| *before < state) else { return Ok(None) };
        self.rename(number, id, before, state).map(Some)
    }

    fn rename(&mut self, number: u64, id: &Id, from: State, to: State) -> io::Result<String> {
        let new = name(number, id, to);
        self.disk.rename(&name(number, id, from), &new)?;
        self.moved = true;
        self.messages.insert(number, (*id, to));
        Ok(new)
    }

    fn prune(&mut self) -> io::Result<()> {
        let done = self.messages.iter().filter(|(_, (_, state))| *state == State::Done);
        let excess = done.clone().count().saturating_sub(REMEMBERED);
        let oldest: Vec<(u64, Id)> =
            done.take(excess).map(|(number, (id, _))| (*number, *id)).collect();
        for (number, id) in oldest {
            self.messages.remove(&number);
            self.numbers.remove(&id);
            self.disk.remove(&name(number, &id, State::Done))?;
        }
        Ok(())
    }

    /// Takes back the word that a message was opened.
    pub(crate) fn retract_opened(&self, id: &Id) -> io::Result<()> {
        Word::Opened.retract(&*self.disk, id)
    }
}

impl Spool {
    /// Returns whether the spool in `folder` gives out a message, or did so and can do it again.
    pub fn keeps(folder: &Path, id: &Id) -> bool {
        let kept = |name: &str| {
            parse_name(name).is_some_and(|(_, of, state)| of == *id && state != State::Done)
        };
        Folder::new(folder).list().is_ok_and(|names| names.iter().any(|name| kept(name)))
    }

    /// Heeds the word that readers left. Each step is durable before the word of it goes.
    fn heed(&mut self, words: &[(Word, Id)]) -> io::Result<()> {
        let of = |wanted| words.iter().filter(move |(word, _)| *word == wanted).map(|(_, id)| id);
        // Where several readers handed back, the earliest turn stands for all.
        let turns = of(Word::Untaken).filter_map(|id| match self.state(id) {
            Some(State::Given(turn, _)) => Some(turn),
            _ => None,
        });
        let first = turns.min();
        for id in of(Word::Refused) {
            self.hand_back(id, State::Deferred)?;
        }
        if let Some(first) = first {
            // The first goes last: killed in between, its turn still tells which the others are.
            for id in self.all(|state| matches!(state, State::Given(turn, _) if turn > first)) {
                self.hand_back(&id, State::Waiting)?;
            }
            self.settle()?;
            for id in self.all(|state| matches!(state, State::Given(turn, _) if turn == first)) {
                self.hand_back(&id, State::Waiting)?;
            }
        }
        for id in of(Word::Opened) {
            self.done(id)?;
        }
        self.settle()?;
        for (word, id) in words {
            self.disk.remove(&word.file(id))?;
        }
        Ok(())
    }

    /// Lets a message wait again that was given out.
    fn hand_back(&mut self, id: &Id, state: State) -> io::Result<()> {
        let Some(&number) = self.numbers.get(id) else { return Ok(()) };
        match self.state(id) {
            Some(given @ State::Given(..)) => self.rename(number, id, given, state).map(drop),
            Some(State::Waiting) if state == State::Deferred => {
                self.rename(number, id, State::Waiting, state).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// Returns a time in seconds of Unix time, and at least 1.
fn unix_time(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs().max(1))
}

/// Returns the name of the file that keeps a message in a state.
fn name(number: u64, id: &Id, state: State) -> String {
    format!("{number:016x}-{id}.{}", state.extension())
}

/// Returns whether a name is that of a part of a long message.
fn is_partial(name: &str) -> bool {
    name.strip_suffix(PARTIAL).is_some_and(|id| id.parse::<Id>().is_ok())
}

/// Syncs files side by side: what waits together is written together.
fn sync(files: &[Arriving]) -> io::Result<()> {
    thread::scope(|scope| {
        let share = files.len().div_ceil(SYNCS).max(1);
        let syncing: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(|| files.iter().try_for_each(|one| one.file.sync())))
            .collect();
        let died = |_| Err(io::Error::other("a thread died"));
        syncing.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(died))
    })
}

/// A long message on its way: append to it what comes.
#[derive(Debug)]
pub(crate) struct Partial {
    id: Id,
    name: String,
    file: Arc<dyn Handle>,
    length: u64,
    hash: crypto::Hash,
}

impl Partial {
    /// How many bytes of it are here.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn count(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hash.update(bytes);
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.length)?;
        self.count(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

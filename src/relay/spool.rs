//! A folder on this machine that makes a message safe before the relay may forget it, and
//! remembers what was delivered after.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held by the one process that uses the spool |
//! | `{number:016x}-{id}.waiting` | the sealed bytes of a message that is to be delivered |
//! | `{number:016x}-{id}.given` | the same, given to a reader of whom nothing is known since |
//! | `{number:016x}-{id}.done` | empty: the message was delivered |
//! | `{id}.opened` | empty: somebody opened what he was given; counted at the next start |
//! | `.bulla-….part` | a message on its way; removed at the next start |
//!
//! A message goes from one state to the next by one rename, so a crash leaves it in one of them.
//! The names tell a thief what the relay knew: ids and sizes of sealed bytes, and the order of
//! arrival. Not the mailbox, not the relay.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::files;
use crate::files::{Access, AtomicFile, Existing};
use crate::relay::error::Error;
use crate::relay::protocol::Id;

/// Delivered ids that are remembered: more than any relay's list is long, and each is needed
/// only until the relay has heard of its ack.
const REMEMBERED: usize = 16_384;
/// How long a message is kept whose reader was never heard of again.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Ending of a mark that [`Spool::confirm`] leaves.
const OPENED: &str = ".opened";

/// An open spool, which no other process has.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    next: u64,
    messages: BTreeMap<u64, (Id, State)>,
    numbers: HashMap<Id, u64>,
    _lock: files::Lock,
}

impl Spool {
    /// Opens the spool in `folder`, or makes it.
    ///
    /// # Errors
    ///
    /// [`Error::SpoolInUse`] when another process has it, [`Error::Io`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        files::create_private_folder(&folder)?;
        let lock = files::Lock::try_acquire(&folder.join("lock"))?
            .ok_or_else(|| Error::SpoolInUse(folder.clone()))?;
        let mut spool = Self {
            folder,
            next: 0,
            messages: BTreeMap::new(),
            numbers: HashMap::new(),
            _lock: lock,
        };
        spool.scan()?;
        Ok(spool)
    }

    /// Leaves word that a message was opened, for whoever opens the spool next. Takes no lock:
    /// the pull that gave the message out may not have ended.
    pub fn confirm(folder: &Path, id: &Id) -> io::Result<()> {
        File::create(folder.join(format!("{id}{OPENED}"))).map(drop)
    }

    /// Takes such word back, when the work that opening was part of failed.
    pub fn retract(&self, id: &Id) -> io::Result<()> {
        match fs::remove_file(self.folder.join(format!("{id}{OPENED}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn scan(&mut self) -> io::Result<()> {
        let mut opened = Vec::new();
        let mut stale = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(".bulla-") && name.ends_with(".part") {
                fs::remove_file(file.path())?;
            } else if let Some(id) = name.strip_suffix(OPENED).and_then(|id| id.parse().ok()) {
                opened.push(id);
            } else if let Some((number, id, state)) = parse_name(name) {
                let metadata = file.metadata()?;
                // A crash may have come between the rename and the emptying.
                if state == State::Done && metadata.len() > 0 {
                    File::create(file.path())?;
                }
                let age = metadata.modified()?.elapsed().unwrap_or_default();
                if state == State::Given && age > KEPT {
                    stale.push(id);
                }
                self.messages.insert(number, (id, state));
                self.numbers.insert(id, number);
                self.next = self.next.max(number.saturating_add(1));
            }
        }
        for id in opened.iter().chain(&stale) {
            self.done(id)?;
        }
        for id in &opened {
            fs::remove_file(self.folder.join(format!("{id}{OPENED}")))?;
        }
        self.prune()
    }

    fn state(&self, id: &Id) -> Option<State> {
        self.numbers.get(id).and_then(|number| self.messages.get(number)).map(|(_, state)| *state)
    }

    /// Whether the message was delivered or given out, as far as is remembered.
    pub fn is_done(&self, id: &Id) -> bool {
        matches!(self.state(id), Some(State::Given | State::Done))
    }

    /// Whether the message waits to be delivered.
    pub fn is_waiting(&self, id: &Id) -> bool {
        self.state(id) == Some(State::Waiting)
    }

    /// Messages that wait, in order of arrival.
    pub fn waiting(&self) -> Vec<Id> {
        self.all(State::Waiting)
    }

    /// Messages that were given out and not opened since, in order of arrival.
    pub fn given(&self) -> Vec<Id> {
        self.all(State::Given)
    }

    fn all(&self, wanted: State) -> Vec<Id> {
        let found = self.messages.values().filter(|(_, state)| *state == wanted);
        found.map(|(id, _)| *id).collect()
    }

    /// Takes a message in: `fill` writes its bytes and has checked them when it returns. After
    /// this returns the message survives a power cut. A message that is here or was delivered
    /// already is not asked for again.
    pub fn receive<E: From<io::Error>>(
        &mut self,
        id: Id,
        fill: impl FnOnce(&mut AtomicFile) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.numbers.contains_key(&id) {
            return Ok(());
        }
        let number = self.next;
        let path = self.path(number, &id, State::Waiting);
        let mut file = AtomicFile::create(&path, Existing::Keep, Access::Private)?;
        fill(&mut file)?;
        file.commit()?;
        self.next += 1;
        self.messages.insert(number, (id, State::Waiting));
        self.numbers.insert(id, number);
        Ok(())
    }

    /// Opens a message that waits or was given out; `None` when there is none of that id.
    pub fn open_message(&self, id: &Id) -> io::Result<Option<File>> {
        match (self.numbers.get(id), self.state(id)) {
            (Some(number), Some(state @ (State::Waiting | State::Given))) => {
                File::open(self.path(*number, id, state)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Marks a message as given to a reader who may lose it, durably: its bytes are kept for a
    /// week, or until [`Spool::confirm`] says that it was opened.
    pub fn give(&mut self, id: &Id) -> io::Result<()> {
        if let Some(path) = self.change(id, State::Given)? {
            // The week begins now, not when it arrived.
            File::options().write(true).open(path)?.set_modified(SystemTime::now())?;
        }
        Ok(())
    }

    /// Marks a message as delivered, durably, and lets its bytes go.
    pub fn done(&mut self, id: &Id) -> io::Result<()> {
        if let Some(path) = self.change(id, State::Done)? {
            // Only the name is needed from here on. The next start repeats this if it is lost.
            File::create(path)?;
        }
        self.prune()
    }

    /// Moves a message on to a later state; one that is there or beyond is left as it is.
    fn change(&mut self, id: &Id, state: State) -> io::Result<Option<PathBuf>> {
        let Some(&number) = self.numbers.get(id) else { return Ok(None) };
        let Some(before) = self.state(id).filter(|before| *before < state) else { return Ok(None) };
        let path = self.path(number, id, state);
        fs::rename(self.path(number, id, before), &path)?;
        files::sync_folder(&self.folder)?;
        self.messages.insert(number, (*id, state));
        Ok(Some(path))
    }

    fn prune(&mut self) -> io::Result<()> {
        let done = self.messages.iter().filter(|(_, (_, state))| *state == State::Done);
        let excess = done.clone().count().saturating_sub(REMEMBERED);
        let oldest: Vec<(u64, Id)> =
            done.take(excess).map(|(number, (id, _))| (*number, *id)).collect();
        for (number, id) in oldest {
            self.messages.remove(&number);
            self.numbers.remove(&id);
            fs::remove_file(self.path(number, &id, State::Done))?;
        }
        Ok(())
    }

    fn path(&self, number: u64, id: &Id, state: State) -> PathBuf {
        self.folder.join(format!("{number:016x}-{id}.{}", state.extension()))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What became of a message, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Waiting,
    Given,
    Done,
}

impl State {
    const ALL: [Self; 3] = [Self::Waiting, Self::Given, Self::Done];

    fn extension(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Given => "given",
            Self::Done => "done",
        }
    }
}

fn parse_name(name: &str) -> Option<(u64, Id, State)> {
    let (name, extension) = name.split_once('.')?;
    let (number, id) = name.split_once('-')?;
    let state = State::ALL.into_iter().find(|state| state.extension() == extension)?;
    let number = (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok()).flatten()?;
    Some((number, id.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    fn put(spool: &mut Spool, byte: u8) -> Id {
        let id = Id([byte; 32]);
        spool.receive::<io::Error>(id, |file| file.write_all(&[byte; 5])).unwrap();
        id
    }

    #[test]
    fn messages_wait_in_order_and_are_done_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let ids: Vec<Id> = [9, 3, 7].map(|byte| put(&mut spool, byte)).to_vec();
        assert_eq!(spool.waiting(), ids);
        assert!(matches!(Spool::open(folder.path()), Err(Error::SpoolInUse(_))));
        spool.done(&ids[1]).unwrap();
        drop(spool);

        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.waiting(), [ids[0], ids[2]]);
        assert!(spool.is_done(&ids[1]) && spool.open_message(&ids[1]).unwrap().is_none());
        spool.receive::<io::Error>(ids[1], |_| panic!("it was delivered")).unwrap();
        assert_eq!(put(&mut spool, 1), Id([1; 32]));
        assert_eq!(spool.waiting(), [ids[0], ids[2], Id([1; 32])]);
        let mut bytes = Vec::new();
        spool.open_message(&ids[0]).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [9; 5]);
    }

    #[test]
    fn what_a_crash_leaves_is_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let failed = spool.receive(Id([1; 32]), |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the line broke"))
        });
        assert!(failed.is_err() && spool.waiting().is_empty());
        let id = put(&mut spool, 2);
        drop(spool);
        // Killed while a message came in, and between the rename and the emptying.
        fs::write(folder.path().join(".bulla-abc.part"), "half").unwrap();
        let waiting = folder.path().join(format!("{:016x}-{id}.waiting", 0));
        let done = waiting.with_extension("done");
        fs::rename(waiting, &done).unwrap();
        fs::write(folder.path().join("stranger.txt"), "kept").unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        assert!(spool.is_done(&id));
        assert_eq!(fs::metadata(done).unwrap().len(), 0);
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names.len(), 3, "{names:?}");
    }

    #[test]
    fn what_is_given_out_is_kept_until_it_is_opened_or_a_week_old() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let ids = [1, 2, 3].map(|byte| put(&mut spool, byte));
        ids.iter().for_each(|id| spool.give(id).unwrap());
        assert!(spool.waiting().is_empty() && spool.is_done(&ids[0]));
        Spool::confirm(folder.path(), &ids[0]).unwrap();
        Spool::confirm(folder.path(), &Id([9; 32])).unwrap();
        assert_eq!(spool.given(), ids);
        drop(spool);
        let week_old = std::time::SystemTime::now() - KEPT - Duration::from_secs(60);
        let third = folder.path().join(format!("{:016x}-{}.given", 2, ids[2]));
        File::open(third).unwrap().set_modified(week_old).unwrap();

        let mut spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.given(), [ids[1]]);
        assert!(spool.open_message(&ids[0]).unwrap().is_none());
        assert!(spool.open_message(&ids[1]).unwrap().is_some());
        let left = fs::read_dir(folder.path()).unwrap();
        assert_eq!(left.filter(|f| f.as_ref().unwrap().metadata().unwrap().len() > 0).count(), 1);
        spool.done(&ids[1]).unwrap();
        spool.give(&ids[1]).unwrap();
        assert!(spool.given().is_empty());
    }

    #[test]
    fn the_memory_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..REMEMBERED as u64 + 3 {
            let id = Id(crate::crypto::sha256(&[&number.to_be_bytes()]));
            File::create(folder.path().join(format!("{number:016x}-{id}.done"))).unwrap();
        }
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.messages.len(), REMEMBERED);
        assert_eq!(spool.messages.first_key_value().unwrap().0, &3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), REMEMBERED + 1);
    }
}

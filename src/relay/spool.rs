//! A folder on this machine that makes a message safe before the relay may forget it, and
//! remembers what was delivered after.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held by the one process that uses the spool |
//! | `{number:016x}-{id}.waiting` | the sealed bytes of a message that is to be delivered |
//! | `{number:016x}-{id}.done` | empty: the message was delivered |
//! | `.bulla-….part` | a message on its way; removed at the next start |
//!
//! A message goes from waiting to done by one rename, so a crash leaves it one or the other.
//! The names tell a thief what the relay knew: ids and sizes of sealed bytes, and the order of
//! arrival. Not the mailbox, not the relay.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::files::{Access, AtomicFile, Existing};
use crate::relay::error::Error;
use crate::relay::protocol::Id;

/// Delivered ids that are remembered: more than any relay's list is long, and each is needed
/// only until the relay has heard of its ack.
const REMEMBERED: usize = 16_384;

/// An open spool, which no other process has.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    next: u64,
    waiting: BTreeMap<u64, Id>,
    done: BTreeMap<u64, Id>,
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
            waiting: BTreeMap::new(),
            done: BTreeMap::new(),
            numbers: HashMap::new(),
            _lock: lock,
        };
        spool.scan()?;
        Ok(spool)
    }

    fn scan(&mut self) -> io::Result<()> {
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(".bulla-") && name.ends_with(".part") {
                fs::remove_file(file.path())?;
            } else if let Some((number, id, state)) = parse_name(name) {
                match state {
                    State::Waiting => self.waiting.insert(number, id),
                    State::Done => {
                        // A crash may have come between the rename and the emptying.
                        if file.metadata()?.len() > 0 {
                            File::create(file.path())?;
                        }
                        self.done.insert(number, id)
                    }
                };
                self.numbers.insert(id, number);
                self.next = self.next.max(number.saturating_add(1));
            }
        }
        self.prune()
    }

    /// Whether the message was delivered, as far as is remembered.
    pub fn is_done(&self, id: &Id) -> bool {
        self.numbers.get(id).is_some_and(|number| self.done.contains_key(number))
    }

    /// Whether the message waits to be delivered.
    pub fn is_waiting(&self, id: &Id) -> bool {
        self.numbers.get(id).is_some_and(|number| self.waiting.contains_key(number))
    }

    /// Messages that wait, in order of arrival.
    pub fn waiting(&self) -> Vec<Id> {
        self.waiting.values().copied().collect()
    }

    /// Takes a message in: `fill` writes its bytes and has checked them when it returns. After
    /// this returns the message survives a power cut. A message that waits or is done already
    /// is not asked for again.
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
        self.waiting.insert(number, id);
        self.numbers.insert(id, number);
        Ok(())
    }

    /// Opens a message that waits; `None` when there is none of that id.
    pub fn open_message(&self, id: &Id) -> io::Result<Option<File>> {
        let number = self.numbers.get(id).filter(|number| self.waiting.contains_key(number));
        number.map(|number| File::open(self.path(*number, id, State::Waiting))).transpose()
    }

    /// Marks a message as delivered, durably. One that does not wait is left as it is.
    pub fn done(&mut self, id: &Id) -> io::Result<()> {
        let Some(&number) = self.numbers.get(id) else { return Ok(()) };
        if !self.waiting.contains_key(&number) {
            return Ok(());
        }
        let done = self.path(number, id, State::Done);
        fs::rename(self.path(number, id, State::Waiting), &done)?;
        files::sync_folder(&self.folder)?;
        self.waiting.remove(&number);
        self.done.insert(number, *id);
        // Only the name is needed from here on. The next start repeats this if it is lost.
        File::create(done)?;
        self.prune()
    }

    fn prune(&mut self) -> io::Result<()> {
        while self.done.len() > REMEMBERED {
            let Some((number, id)) = self.done.pop_first() else { break };
            self.numbers.remove(&id);
            fs::remove_file(self.path(number, &id, State::Done))?;
        }
        Ok(())
    }

    fn path(&self, number: u64, id: &Id, state: State) -> PathBuf {
        let extension = match state {
            State::Waiting => "waiting",
            State::Done => "done",
        };
        self.folder.join(format!("{number:016x}-{id}.{extension}"))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Done,
}

fn parse_name(name: &str) -> Option<(u64, Id, State)> {
    let (name, extension) = name.split_once('.')?;
    let (number, id) = name.split_once('-')?;
    let state = match extension {
        "waiting" => State::Waiting,
        "done" => State::Done,
        _ => return None,
    };
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
    fn the_memory_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..REMEMBERED as u64 + 3 {
            let id = Id(crate::crypto::sha256(&[&number.to_be_bytes()]));
            File::create(folder.path().join(format!("{number:016x}-{id}.done"))).unwrap();
        }
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.done.len(), REMEMBERED);
        assert_eq!(spool.done.first_key_value().unwrap().0, &3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), REMEMBERED + 1);
    }
}

//! Word that readers of messages leave for the next start of the spool.
//!
//! A reader takes no lock: the pull that gave it the messages may not have ended, and may mark as
//! given out what its reader has handed back already. So word is heeded at the next start alone,
//! when that pull is over, and what it marked meanwhile makes no difference.

use std::io;
use std::path::Path;

use crate::files::disk::Disk;
use crate::files::local::Folder;
use crate::relay::protocol::Id;

/// Word of a reader on a message that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It was opened and is safe: its bytes may go.
    Opened,
    /// It was not taken, nor was any that was given out after it: all of them wait again, in the
    /// order in which they came.
    Untaken,
    /// It alone was not taken: it waits again, behind all others.
    Refused,
}

impl Word {
    const ALL: [Self; 3] = [Self::Opened, Self::Untaken, Self::Refused];

    fn extension(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Untaken => "untaken",
            Self::Refused => "refused",
        }
    }

    pub(super) fn file(self, id: &Id) -> String {
        format!("{id}.{}", self.extension())
    }

    /// Leaves this word in the spool in `folder`. Word that a message is to come again is durable
    /// when this returns.
    pub fn leave(self, folder: &Path, id: &Id) -> io::Result<()> {
        self.leave_on(&Folder::new(folder), id)
    }

    /// Leaves this word in the spool in a folder of any disk.
    pub(crate) fn leave_on(self, spool: &dyn Disk, id: &Id) -> io::Result<()> {
        spool.open_or_create(&self.file(id))?;
        if self == Self::Opened { Ok(()) } else { spool.sync() }
    }

    /// Takes this word back.
    pub(crate) fn retract(self, spool: &dyn Disk, id: &Id) -> io::Result<()> {
        match spool.remove(&self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// The word in a file of this name.
pub(super) fn parse(name: &str) -> Option<(Word, Id)> {
    let (id, extension) = name.split_once('.')?;
    let word = Word::ALL.into_iter().find(|word| word.extension() == extension)?;
    Some((word, id.parse().ok()?))
}

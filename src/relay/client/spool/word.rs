//! Word that readers of messages leave for the next start of the spool.
//!
//! A reader takes no lock: the pull that gave it the messages may not have ended, and may mark as
//! given out what its reader has handed back already. So word is heeded at the next start alone,
//! when that pull is over, and what it marked meanwhile makes no difference.

use std::fs;
use std::io;
use std::path::Path;

use super::{Spool, State};
use crate::files;
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

    fn file(self, id: &Id) -> String {
        format!("{id}.{}", self.extension())
    }

    /// Leaves this word in the spool in `folder`. Word that a message is to come again is durable
    /// when this returns.
    pub fn leave(self, folder: &Path, id: &Id) -> io::Result<()> {
        files::create_private_mark(&folder.join(self.file(id)))?;
        if self == Self::Opened { Ok(()) } else { files::sync_folder(folder) }
    }

    /// Takes this word back.
    pub fn retract(self, folder: &Path, id: &Id) -> io::Result<()> {
        match fs::remove_file(folder.join(self.file(id))) {
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

impl Spool {
    /// Returns whether the spool in `folder` gives out a message, or did so and can do it again.
    pub fn keeps(folder: &Path, id: &Id) -> bool {
        let kept = |name: &str| {
            super::parse_name(name).is_some_and(|(_, of, state)| of == *id && state != State::Done)
        };
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.into_iter().any(|file| file.file_name().to_str().is_some_and(kept))
    }

    /// Does what readers left word of. Each step is durable before the word of it goes.
    pub(super) fn heed(&mut self, words: &[(Word, Id)]) -> io::Result<()> {
        let of = |wanted| words.iter().filter(move |(word, _)| *word == wanted).map(|(_, id)| id);
        // Where several readers handed back, the earliest turn stands for all.
        let turns = of(Word::Untaken).filter_map(|id| match self.state(id) {
            Some(State::Given(turn)) => Some(turn),
            _ => None,
        });
        let first = turns.min();
        for id in of(Word::Refused) {
            self.hand_back(id, State::Deferred)?;
        }
        if let Some(first) = first {
            // The first goes last: killed in between, its turn still tells which the others are.
            for id in self.all(|state| matches!(state, State::Given(turn) if turn > first)) {
                self.hand_back(&id, State::Waiting)?;
            }
            self.settle()?;
            for id in self.all(|state| state == State::Given(first)) {
                self.hand_back(&id, State::Waiting)?;
            }
        }
        for id in of(Word::Opened) {
            self.done(id)?;
        }
        self.settle()?;
        for (word, id) in words {
            fs::remove_file(self.folder.join(word.file(id)))?;
        }
        Ok(())
    }

    /// Lets a message wait again that was given out.
    fn hand_back(&mut self, id: &Id, state: State) -> io::Result<()> {
        let Some(&number) = self.numbers.get(id) else { return Ok(()) };
        match self.state(id) {
            Some(given @ State::Given(_)) => self.rename(number, id, given, state).map(drop),
            Some(State::Waiting) if state == State::Deferred => {
                self.rename(number, id, State::Waiting, state).map(drop)
            }
            _ => Ok(()),
        }
    }
}

//! Word to the source of a letter that is not written: the spool that gave it out, or `relay pull
//! --exec`.

use std::io;
use std::path::PathBuf;

use anyhow::Result;
use bulla::files;
use bulla::letter::{self, EnvelopeReader};
use bulla::relay::client::spool::{Spool, Word};
use bulla::relay::protocol::Id;

use crate::cli;
use crate::input::Input;
use crate::unlock::Unlock;

/// Leaves word that the letters of a stream were not taken, none of them.
pub(crate) fn hand_back(args: &cli::Open, unlock: &Unlock<'_>) -> Result<()> {
    let (kind, input) = letter::sniff(Input::open(args.file.as_deref(), "something sealed")?)?;
    if kind != letter::Input::Envelopes {
        return Ok(());
    }
    if let Some(first) = EnvelopeReader::new(input).next()? {
        let id = Id(first.finish()?);
        unlock.prepare()?;
        leave_word(unlock, Word::Untaken, &id)?;
    }
    Ok(())
}

/// Leaves word of a letter with the spool that gave it out. Says whether there is one, and the
/// letter comes again.
pub(crate) fn leave_word(unlock: &Unlock<'_>, word: Word, id: &Id) -> io::Result<bool> {
    let mut left = false;
    // A command of --exec says by its status that its letter is to come again.
    let accounts = unlock.accounts().filter(|_| !is_given(id));
    for spool in accounts.filter_map(|account| account.spool_folder().ok()) {
        if Spool::keeps(&spool, id) {
            word.leave(&spool, id)?;
            left = true;
        }
    }
    Ok(left)
}

/// Says to `relay pull --exec` that the letter it gave has nothing to it that is not done.
pub(crate) fn tell_of_replay(unlock: &Unlock<'_>, id: &Id) {
    if is_given(id) {
        for account in unlock.accounts() {
            // Where this fails the letter is given again.
            let _ = account.spool_folder().and_then(|spool| {
                Ok(files::create_private_mark(&spool.join(format!("{id}.replay")))?)
            });
        }
    }
}

/// Returns the hint for a run that wrote one letter when more follow.
pub(crate) fn hint_of_more(comes_again: bool) -> &'static str {
    if comes_again {
        "the next: bulla relay pull | bulla open\n\
         all of them: bulla relay pull | bulla open --output-dir DIR"
    } else {
        "all of them: bulla open --output-dir DIR, or --json"
    }
}

/// Whether a command of `relay pull --exec` is given its letter once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is not known to be.
    No,
    /// It was given it before, and what became of it is not known: something was killed.
    Perhaps,
    /// It was given it before, and failed.
    Failed,
}

impl Again {
    pub(crate) fn of_command() -> Self {
        match std::env::var("BULLA_AGAIN").as_deref() {
            Ok("1") => Self::Failed,
            Ok("perhaps") => Self::Perhaps,
            _ => Self::No,
        }
    }
}

/// Variable with a folder in which each `open` of a command leaves a mark while it has not opened the
/// letter that the command was given.
pub(crate) const OUTCOME: &str = "BULLA_OUTCOME";

/// The mark of an `open` in a command of `relay pull --exec`: while it is there, the letter does not count
/// as delivered, whatever status the shell makes of it.
pub(crate) struct Unopened(Option<PathBuf>);

impl Unopened {
    /// Leaves the mark, where this run is in such a command.
    pub(crate) fn begin() -> io::Result<Self> {
        let Some(folder) = std::env::var_os(OUTCOME).filter(|path| !path.is_empty()) else {
            return Ok(Self(None));
        };
        let path = PathBuf::from(folder).join(std::process::id().to_string());
        match files::create_private_mark(&path) {
            // The pull that asked has ended.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            mark => mark.map(|()| Self(Some(path))),
        }
    }

    /// Takes the mark back.
    pub(crate) fn opened(self) -> io::Result<()> {
        self.0.map_or(Ok(()), std::fs::remove_file)
    }
}

/// Whether `relay pull --exec` gave this letter to the command that runs here, and says itself what
/// becomes of it.
pub(crate) fn is_given(id: &Id) -> bool {
    std::env::var("BULLA_ID").is_ok_and(|given| given == id.to_string())
}

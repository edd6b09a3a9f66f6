//! Standard input, which only one thing can have, and files to read.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Seek as _, StdinLock};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use rustix::pipe::{SpliceFlags, tee};

use crate::exit::{Exit, Fail};

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Standard input for `what`; a second taker is a mistake in the command.
pub(crate) fn stdin(what: &str) -> Result<StdinLock<'static>> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(Fail::usage(format!("standard input is asked for twice, last by {what}"))
            .hint("give one of them as a file, @ENV:NAME or @FD:N")
            .into());
    }
    Ok(io::stdin().lock())
}

/// The first bytes of standard input, which stay there: nothing of a terminal or another device.
/// Waits for something to come, so long and no longer.
pub(crate) fn peek_stdin(length: usize, patience: Duration) -> Result<Vec<u8>> {
    let stdin = io::stdin().lock();
    let file = File::from(stdin.as_fd().try_clone_to_owned()?);
    let kind = file.metadata()?.file_type();
    let mut bytes = vec![0; length];
    let read = if kind.is_file() {
        file.read_at(&mut bytes, (&file).stream_position()?)?
    } else if kind.is_fifo() || kind.is_socket() {
        let time = Timespec::try_from(patience)?;
        if poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&time))? == 0 {
            return Err(Fail::new(Exit::InputMissing, "nothing comes on standard input")
                .hint("close it, when there is nothing to come: < /dev/null")
                .into());
        }
        if kind.is_fifo() {
            let (mut copy, copied) = io::pipe()?;
            tee(&file, &copied, length, SpliceFlags::empty())?;
            drop(copied);
            copy.read(&mut bytes)?
        } else {
            // As some ssh servers give it to what they run.
            recv(&file, &mut bytes, RecvFlags::PEEK)?.0
        }
    } else {
        0
    };
    bytes.truncate(read);
    Ok(bytes)
}

/// What a verb reads: a file, or standard input.
pub(crate) enum Input {
    File(File),
    Stdin(File),
}

impl Input {
    /// Opens `path`; nothing or `-` is standard input, which must not be a terminal.
    pub(crate) fn open(path: Option<&Path>, what: &str) -> Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => {
                let file = File::open(path)
                    .with_context(|| format!("cannot read {what} from {}", path.display()))?;
                if file.metadata()?.is_dir() {
                    let message = format!("{} is a folder, expected {what}", path.display());
                    return Err(Fail::new(Exit::InputMissing, message).into());
                }
                Ok(Self::File(file))
            }
            _ => {
                let stdin = stdin(what)?;
                if stdin.is_terminal() {
                    return Err(Fail::usage(format!("expected {what} on standard input"))
                        .hint("name a file, or pipe something in; see --help")
                        .into());
                }
                // Unbuffered: large reads go straight to their place.
                Ok(Self::Stdin(File::from(stdin.as_fd().try_clone_to_owned()?)))
            }
        }
    }

    /// Returns what tells whether more of it is there.
    pub(crate) fn watch(&self) -> io::Result<Watch> {
        let (Self::File(file) | Self::Stdin(file)) = self;
        file.try_clone().map(Watch)
    }

    /// Whether it has a name, and can be opened again.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Its length in bytes, where that is known: 0 elsewhere.
    pub(crate) fn length(&self) -> u64 {
        let (Self::File(file) | Self::Stdin(file)) = self;
        file.metadata().map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 })
    }
}

/// What tells whether more of an input is there.
pub(crate) struct Watch(File);

impl Watch {
    /// Returns whether a read would not wait.
    pub(crate) fn is_ready(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) | Self::Stdin(file) => file.read(buf),
        }
    }
}

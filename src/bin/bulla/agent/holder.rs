//! The process that holds the keys.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bulla::files::{self, Lock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, setrlimit, umask};
use zeroize::Zeroizing;

use crate::cli::time::deadline;

use super::protocol::{Ask, HELD, Held, NAME, NO, PATIENCE, YES, is_ours};

/// Most identities that are held at once.
const MOST: usize = 64;

struct Holder {
    held: Vec<(Held, Instant)>,
    locked_memory: bool,
}

/// The socket, which goes when its holder does.
struct Socket(PathBuf, #[allow(dead_code)] Lock);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Keeps the process's memory out of core dumps for good and, where the system lets it, out of
/// swap; returns whether it does. Debuggers are kept out by [`crate::harden`].
fn harden() -> bool {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).is_ok()
}

/// Holds something, and whatever else is given, until the last of it is forgotten. `ready` is
/// called when it can be asked. `None` when another process holds keys already.
pub(crate) fn hold(
    path: &Path,
    first: Held,
    ready: impl FnOnce() -> io::Result<()>,
) -> io::Result<Option<()>> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    files::create_private_folder(folder)?;
    let Some(lock) = Lock::try_acquire(&path.with_extension("lock"))? else { return Ok(None) };
    let locked_memory = harden();
    // What a killed one left.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path)?;
    let _socket = Socket(path.to_owned(), lock);
    listener.set_nonblocking(true)?;
    let mut holder = Holder { held: Vec::new(), locked_memory };
    holder.put(first);
    ready()?;
    loop {
        let now = Instant::now();
        holder.held.retain(|(_, end)| *end > now);
        let Some(end) = holder.held.iter().map(|(_, end)| *end).max() else { return Ok(Some(())) };
        // Each at its own end, at most a second late.
        let wait = (end - now).clamp(Duration::from_millis(1), Duration::from_secs(1));
        let wait = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(1),
            tv_nsec: wait.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        match listener.accept() {
            Ok((stream, _)) => {
                // Whoever breaks off harms himself alone.
                if matches!(holder.answer(stream), Ok(Ask::Lock)) {
                    return Ok(Some(()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

impl Holder {
    fn put(&mut self, held: Held) {
        let end = deadline(held.time);
        self.held.retain(|(other, _)| other.name != held.name);
        if self.held.len() < MOST {
            self.held.push((held, end));
        }
    }

    fn answer(&mut self, mut stream: UnixStream) -> io::Result<Ask> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if !is_ours(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (mut ask, mut name) = ([0], [0; NAME]);
        stream.read_exact(&mut ask)?;
        stream.read_exact(&mut name)?;
        let all = [Ask::Get, Ask::Put, Ask::Lock, Ask::Status];
        let asked = all.into_iter().find(|known| [*known as u8] == ask);
        let asked = asked.ok_or(io::ErrorKind::InvalidData)?;
        let now = Instant::now();
        match asked {
            Ask::Get => {
                match self.held.iter().find(|(held, end)| held.name == name && *end > now) {
                    Some((held, _)) => {
                        let answer = held.encode();
                        stream.write_all(&[YES])?;
                        stream.write_all(&answer)?;
                    }
                    None => stream.write_all(&[NO])?,
                }
            }
            Ask::Put => {
                let mut bytes = Zeroizing::new([0; HELD]);
                stream.read_exact(&mut *bytes)?;
                let held = Held::decode(name, &bytes).ok_or(io::ErrorKind::InvalidData)?;
                self.put(held);
                stream.write_all(&[YES])?;
            }
            Ask::Lock => {
                self.held.clear();
                stream.write_all(&[YES])?;
            }
            Ask::Status => {
                let seconds = self.held.iter().map(|(_, end)| *end - now).max().unwrap_or_default();
                stream.write_all(&[YES])?;
                stream.write_all(&(self.held.len() as u64).to_be_bytes())?;
                stream.write_all(&seconds.as_secs().to_be_bytes())?;
                stream.write_all(&[self.locked_memory.into()])?;
            }
        }
        Ok(asked)
    }
}

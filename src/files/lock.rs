//! Exclusive lock between processes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// An exclusive lock between processes, held until dropped. The lock file holds no data.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] File);

impl Lock {
    /// Waits for the lock at `path` and takes it.
    pub fn acquire(path: &Path) -> io::Result<Self> {
        loop {
            let file = Self::open(path)?;
            file.lock()?;
            if is_at(&file, path)? {
                return Ok(Self(file));
            }
        }
    }

    /// Takes the lock, or `None` when another process holds it.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = Self::open(path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path)? => return Ok(Some(Self(file))),
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(e)) => return Err(e),
            }
        }
    }

    /// Lets programs that this one starts hold the lock too, until the last of them ends.
    pub(super) fn with_children(self) -> io::Result<Self> {
        rustix::io::fcntl_setfd(&self.0, rustix::io::FdFlags::empty())?;
        Ok(self)
    }

    fn open(path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        options.open(path)
    }
}

/// Returns the number and name of a process that has the file at a path open, where the system tells.
pub(crate) fn holder(path: &Path) -> Option<(u32, String)> {
    let path = path.canonicalize().ok()?;
    let own = std::process::id();
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok());
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut others: Vec<u32> = numbers.filter(|number| *number != own).collect();
    others.sort_unstable();
    let has_it = |number: &u32| {
        let files = fs::read_dir(format!("/proc/{number}/fd")).into_iter().flatten();
        files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link == path))
    };
    let number = others.into_iter().find(has_it)?;
    let name = fs::read_to_string(format!("/proc/{number}/comm")).unwrap_or_default();
    Some((number, name.trim().to_owned()))
}

/// Whether an open file is still what lies at a path: whoever held its lock may have removed it, and
/// somebody else made it anew.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_removed_while_it_was_held_is_taken_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let inside = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::acquire(&path).unwrap();
                        assert!(!inside.swap(true, std::sync::atomic::Ordering::SeqCst));
                        std::thread::yield_now();
                        inside.store(false, std::sync::atomic::Ordering::SeqCst);
                        fs::remove_file(&path).unwrap();
                    }
                });
            }
        });
    }
}

//! Files that are complete or absent: written beside their place, synced, renamed.
//!
//! A secret key is not lost by that: [`Existing::Replace`] keeps it under another name.

mod atomic;
mod kept;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

pub use self::atomic::Access;
pub use self::atomic::AtomicFile;
pub use self::atomic::Existing;
pub use self::atomic::replace_private;
pub use self::kept::holds_key;

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens a private file to be read from its beginning and written at its end, and makes it if it is
/// not there.
pub fn open_private_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Creates a folder and its parents for the owner alone (0700).
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Creates a folder that is for this program's state alone, and its parents (0700). One that is
/// there and belongs to this user is closed to all others.
pub fn create_state_folder(path: &Path) -> io::Result<()> {
    create_private_folder(path)?;
    restrict_folder(path)
}

/// Closes a folder of this user to all others (0700).
pub fn restrict_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let there = fs::metadata(path)?;
        let ours = there.uid() == rustix::process::geteuid().as_raw();
        if ours && there.mode() & 0o077 != 0 {
            // A file system that knows no modes, or is read-only, is no reason to refuse the state.
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
        }
    }
    Ok(())
}

/// Creates an empty file for the owner alone (0600), or leaves the one that is there.
pub fn create_private_mark(path: &Path) -> io::Result<()> {
    open_private_append(path).map(drop)
}

/// Reads a file that must not be longer than `max` bytes.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    read_to_limit(File::open(path)?, max)
}

/// Reads to the end of `input`, or fails with [`io::ErrorKind::FileTooLarge`] past `max` bytes.
pub fn read_to_limit(input: impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {max} bytes"),
        ));
    }
    Ok(bytes)
}

/// Whether two paths name one file, by way of links too. A path without a file is nobody's.
pub fn same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Whether anybody but the owner may read or write a file (Unix modes).
pub fn is_exposed(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = file.metadata()?;
        Ok(metadata.is_file() && metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        file.metadata().map(|_| false)
    }
}

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

/// The folder a path lies in; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
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

    #[test]
    fn reads_are_bounded() {
        assert_eq!(read_to_limit(&b"1234"[..], 4).unwrap(), b"1234");
        let kind = read_to_limit(&b"12345"[..], 4).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn links_are_seen_through() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::write(&real, "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(same_file(&real, &link));
        assert!(!same_file(&real, &folder.path().join("none")));
    }
}

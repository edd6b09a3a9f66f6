//! A folder of files, so thin that tests can put a disk below it that forgets what was not synced.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Suffix of a file under way where the system knows no files without a name.
const UNDER_WAY: &str = ".part";

/// Treatment of a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Fail with [`io::ErrorKind::AlreadyExists`], atomically.
    Keep,
    /// Take its place. A secret key in it that the new file does not hold is kept beside it.
    Replace,
    /// Take its place, which is one of secret keys: what was there is kept, whatever it looks like.
    ReplacePrecious,
    /// Take its place, and nothing of it stays: for files of the program's own, and for the same
    /// secret under another lock.
    Overwrite,
}

/// Permissions of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The owner alone (0600).
    Private,
    /// As the process's umask says.
    Umask,
}

/// A lock that is held until it is dropped.
pub(crate) type Held = Box<dyn fmt::Debug + Send + Sync>;

/// One folder of files.
pub(crate) trait Disk: fmt::Debug + Send + Sync {
    /// Returns its path, for messages.
    fn path(&self) -> &Path;
    /// Returns a folder in this one, which need not be there.
    fn folder(&self, name: &str) -> Arc<dyn Disk>;
    /// Creates this folder, if it is not there, durably and for the owner alone.
    fn make(&self) -> io::Result<()>;
    /// Begins a file that has no name yet and is gone when it never gets one.
    fn begin(&self, access: Access) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)>;
    /// Creates a private file that is not there.
    #[cfg_attr(not(feature = "serve"), allow(dead_code))]
    fn create(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// Opens a file to read and write, and creates a private one if it is not there.
    fn open_or_create(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// Opens a file to read it.
    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// Opens a file to read and write.
    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// Opens a file to read it from its beginning, as another process can inherit it.
    fn open_file(&self, name: &str) -> io::Result<File>;
    /// Returns the names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Returns the length of a file, and when it was modified.
    fn metadata(&self, name: &str) -> io::Result<Metadata>;
    /// Renames a file, in place of what had the name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; those who have it open can still read it.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable, given and removed ones.
    fn sync(&self) -> io::Result<()>;
    /// Takes the lock of that name, if it is free or `wait` is set.
    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>>;
    /// Takes the lock of that name, if it is free. Programs that this one starts hold it too, until
    /// the last of them ends.
    fn lock_with_children(&self, name: &str) -> io::Result<Option<Held>> {
        self.lock(name, false)
    }
    /// Returns how many bytes may still be allocated.
    #[cfg_attr(not(feature = "serve"), allow(dead_code))]
    fn free(&self) -> io::Result<u64>;
    /// Whether something had to be waited for that was not in memory: then it is worth telling
    /// beforehand what will be read.
    #[cfg_attr(not(feature = "index"), allow(dead_code, reason = "the index alone asks"))]
    fn waited(&self) -> bool {
        false
    }
}

/// Length of a file, and when it was modified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metadata {
    pub(crate) length: u64,
    pub(crate) modified: SystemTime,
}

/// An open file.
pub(crate) trait Handle: fmt::Debug + Send + Sync {
    /// Fills all of `bytes` from `at` on.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `at`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns the length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Changes the length, by zeros or by cutting.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Changes the length and keeps room on the disk for all of it.
    #[cfg_attr(not(feature = "serve"), allow(dead_code))]
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Makes `length` bytes from `at` on read as zeros and gives their blocks back where it can.
    #[cfg_attr(not(feature = "serve"), allow(dead_code))]
    fn erase(&self, at: u64, length: u64) -> io::Result<()>;
    /// Makes its bytes, its length and its times durable.
    fn sync(&self) -> io::Result<()>;
    /// Makes its bytes and its length durable.
    #[cfg_attr(not(feature = "serve"), allow(dead_code))]
    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }
    /// Tells the system that so many bytes from `at` on will be read before long.
    #[cfg_attr(not(feature = "index"), allow(dead_code, reason = "the index alone asks"))]
    fn ahead(&self, _at: u64, _length: u64) {}
}

/// The right to give a file under way its name.
pub(crate) trait Unnamed: fmt::Debug + Send + Sync {
    /// Gives it a name, which is durable after [`Disk::sync`]. Returns where the secret key is kept
    /// that was there, durably.
    fn name(self: Box<Self>, name: &OsStr, existing: Existing) -> io::Result<Option<PathBuf>>;
}

/// Makes a file durable, then its name: after a crash the name never stands for half of the bytes.
pub(crate) fn publish<T>(
    file: &dyn Handle,
    name: impl FnOnce() -> io::Result<T>,
    disk: &dyn Disk,
) -> io::Result<T> {
    file.sync()?;
    let named = name()?;
    disk.sync()?;
    Ok(named)
}

/// Writes a whole file in one atomic step, durably, in place of what was there.
pub(crate) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (file, unnamed) = disk.begin(Access::Private)?;
    file.write_at(bytes, 0)?;
    publish(&*file, || unnamed.name(name.as_ref(), Existing::Overwrite), disk).map(drop)
}

/// Overwrites an open file with zeros, durably, whatever name it has by now.
#[cfg_attr(not(feature = "index"), allow(dead_code, reason = "the index alone wipes"))]
pub(crate) fn wipe(file: &dyn Handle) -> io::Result<()> {
    write_zeros(file, 0, file.length()?)?;
    file.sync()
}

/// Writes so many zeros from `at` on.
pub(crate) fn write_zeros(file: &dyn Handle, at: u64, length: u64) -> io::Result<()> {
    let zeros = [0; 16 << 10];
    let mut done = 0;
    while done < length {
        let piece = usize::try_from(length - done).unwrap_or(usize::MAX).min(zeros.len());
        file.write_at(zeros.get(..piece).unwrap_or_default(), at + done)?;
        done += piece as u64;
    }
    Ok(())
}

/// Reads a whole file that is at most `max` bytes long.
pub(crate) fn read(disk: &dyn Disk, name: &str, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let length = file.length()?;
    if length > max {
        let text = format!("longer than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Returns the names of all files with their lengths, without those that are removed meanwhile.
#[cfg_attr(not(feature = "index"), allow(dead_code, reason = "the index alone asks"))]
pub(crate) fn list_with_lengths(disk: &dyn Disk) -> io::Result<Vec<(String, u64)>> {
    let mut all = Vec::new();
    for name in disk.list()? {
        match disk.metadata(&name) {
            Ok(metadata) => all.push((name, metadata.length)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Returns whether a name is that of a file under way.
pub(crate) fn is_under_way(name: &str) -> bool {
    name.starts_with(".bulla-") && name.ends_with(UNDER_WAY)
}

/// Returns whether the disk has no room, which loses nothing that was written.
#[cfg(feature = "serve")]
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

//! The layer of files below the index, so thin that a test can put a disk below it that forgets
//! what was not synced.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{self, Access, AtomicFile, Existing};

/// Suffix of a file under way where the system knows no files without a name.
const UNDER_WAY: &str = ".part";

/// Whatever holds a lock until it is dropped.
pub(super) type Held = Box<dyn Send + Sync>;

/// One folder of files.
pub(super) trait Disk: fmt::Debug + Send + Sync {
    /// Begins a file that has no name yet and is gone when it never gets one.
    fn begin(&self) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)>;
    /// Opens a file to read it.
    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// The names of all files, with their lengths.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// Removes a file; whoever has it open goes on reading.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Opens a file to overwrite it.
    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// Makes names durable, given and removed ones.
    fn sync(&self) -> io::Result<()>;
    /// Takes the lock of that name, if it is free or `wait` is set.
    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>>;
}

/// An open file.
pub(super) trait Handle: Send + Sync {
    /// Fills all of `bytes` from `at` on.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `at`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Makes its bytes and its length durable.
    fn sync(&self) -> io::Result<()>;
}

/// The right to give a file under way its name.
pub(super) trait Unnamed: Send + Sync {
    /// Gives it a name, in place of what had it. The name is durable after [`Disk::sync`].
    fn name(self: Box<Self>, name: &str) -> io::Result<()>;
}

/// Writes a whole file in one atomic step, durably, in place of what was there.
pub(super) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (file, unnamed) = disk.begin()?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    unnamed.name(name)?;
    disk.sync()
}

/// Overwrites an open file with zeros, durably, whatever name it has by now.
pub(super) fn wipe(file: &dyn Handle) -> io::Result<()> {
    let (mut at, length) = (0, file.length()?);
    let zeros = [0; 4096];
    while at < length {
        let piece = usize::try_from(length - at).unwrap_or(usize::MAX).min(zeros.len());
        file.write_at(zeros.get(..piece).unwrap_or_default(), at)?;
        at += piece as u64;
    }
    file.sync()
}

/// Reads a whole file that is at most `max` bytes long.
pub(super) fn read(disk: &dyn Disk, name: &str, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let length = file.length()?;
    if length > max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Whether a name is that of a file under way.
pub(super) fn is_under_way(name: &str) -> bool {
    name.starts_with(".bulla-") && name.ends_with(UNDER_WAY)
}

/// A folder of the file system.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Disk for Folder {
    fn begin(&self) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)> {
        let file = AtomicFile::create(&self.0.join("new"), Existing::Replace, Access::Private)?;
        Ok((Arc::new(file.handle()?), Box::new(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(File::open(self.0.join(name))?))
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            match entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?.len()))) {
                Ok((name, length)) => all.push((name.to_string_lossy().into_owned(), length)),
                // A writer at work removes files.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(File::options().write(true).open(self.0.join(name))?))
    }

    fn sync(&self) -> io::Result<()> {
        files::sync_folder(&self.0)
    }

    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>> {
        let path = self.0.join(name);
        let held = match wait {
            true => files::Lock::acquire(&path).map(Some)?,
            false => files::Lock::try_acquire(&path)?,
        };
        Ok(held.map(|held| Box::new(held) as Held))
    }
}

impl Handle for File {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Unnamed for AtomicFile {
    fn name(self: Box<Self>, name: &str) -> io::Result<()> {
        self.name_beside(name)
    }
}

//! The layer of files below the index, so thin that a test can put a disk below it that forgets
//! what was not synced.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::{self, Access, AtomicFile, Existing};

/// Suffix of a file under way where the system knows no files without a name.
const UNDER_WAY: &str = ".part";

/// Whatever holds a lock until it is dropped.
pub(crate) type Held = Box<dyn Send + Sync>;

/// One folder of files.
pub(crate) trait Disk: fmt::Debug + Send + Sync {
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
    /// Whether something had to be waited for that was not in memory: then it is worth telling
    /// beforehand what will be read.
    fn waited(&self) -> bool {
        false
    }
}

/// An open file.
pub(crate) trait Handle: Send + Sync {
    /// Fills all of `bytes` from `at` on.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `at`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Makes its bytes and its length durable.
    fn sync(&self) -> io::Result<()>;
    /// Tells the system that so many bytes from `at` on will be read before long.
    fn ahead(&self, _at: u64, _length: u64) {}
}

/// The right to give a file under way its name.
pub(crate) trait Unnamed: Send + Sync {
    /// Gives it a name, in place of what had it. The name is durable after [`Disk::sync`].
    fn name(self: Box<Self>, name: &str) -> io::Result<()>;
}

/// Writes a whole file in one atomic step, durably, in place of what was there.
pub(crate) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (file, unnamed) = disk.begin()?;
    file.write_at(bytes, 0)?;
    file.sync()?;
    unnamed.name(name)?;
    disk.sync()
}

/// Overwrites an open file with zeros, durably, whatever name it has by now.
pub(crate) fn wipe(file: &dyn Handle) -> io::Result<()> {
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
pub(crate) fn read(disk: &dyn Disk, name: &str, max: u64) -> io::Result<Vec<u8>> {
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
pub(crate) fn is_under_way(name: &str) -> bool {
    name.starts_with(".bulla-") && name.ends_with(UNDER_WAY)
}

/// A folder of the file system.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    waited: Arc<AtomicBool>,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), waited: Arc::default() }
    }

    fn handle(&self, file: File) -> Arc<dyn Handle> {
        Arc::new(Open { file, waited: Arc::clone(&self.waited) })
    }
}

impl Disk for Folder {
    fn begin(&self) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)> {
        let file =
            AtomicFile::create(&self.path.join("new"), Existing::Overwrite, Access::Private)?;
        Ok((self.handle(file.handle()?), Box::new(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(self.handle(File::open(self.path.join(name))?))
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
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
        std::fs::remove_file(self.path.join(name))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(self.handle(File::options().write(true).open(self.path.join(name))?))
    }

    fn sync(&self) -> io::Result<()> {
        files::sync_folder(&self.path)
    }

    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>> {
        let path = self.path.join(name);
        let held = match wait {
            true => files::Lock::acquire(&path).map(Some)?,
            false => files::Lock::try_acquire(&path)?,
        };
        Ok(held.map(|held| Box::new(held) as Held))
    }

    fn waited(&self) -> bool {
        self.waited.load(Ordering::Relaxed)
    }
}

/// An open file of a folder.
pub(crate) struct Open {
    file: File,
    waited: Arc<AtomicBool>,
}

#[cfg(test)]
impl Open {
    pub(crate) fn new(file: File) -> Self {
        Self { file, waited: Arc::default() }
    }
}

impl Handle for Open {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        if memory::read(&self.file, bytes, at) {
            return Ok(());
        }
        self.waited.store(true, Ordering::Relaxed);
        self.file.read_exact_at(bytes, at)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn ahead(&self, at: u64, length: u64) {
        memory::ahead(&self.file, at, length);
    }
}

/// What the system has of a file in memory.
#[cfg(target_os = "linux")]
mod memory {
    use std::fs::File;
    use std::io::IoSliceMut;
    use std::num::NonZero;

    use rustix::fs::{Advice, fadvise};
    use rustix::io::{ReadWriteFlags, preadv2};

    /// Fills all of `bytes`, if that needs no waiting.
    pub(crate) fn read(file: &File, bytes: &mut [u8], at: u64) -> bool {
        let wanted = bytes.len();
        let read = preadv2(file, &mut [IoSliceMut::new(bytes)], at, ReadWriteFlags::NOWAIT);
        read.is_ok_and(|read| read == wanted)
    }

    /// Begins to bring it into memory.
    pub(crate) fn ahead(file: &File, at: u64, length: u64) {
        // It is advice: whoever reads it will see what is wrong.
        let _ = fadvise(file, at, NonZero::new(length), Advice::WillNeed);
    }
}

#[cfg(not(target_os = "linux"))]
mod memory {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    /// Nobody says what is in memory, so all is taken to be.
    pub(crate) fn read(file: &File, bytes: &mut [u8], at: u64) -> bool {
        file.read_exact_at(bytes, at).is_ok()
    }

    pub(crate) fn ahead(_: &File, _: u64, _: u64) {}
}

impl Unnamed for AtomicFile {
    fn name(self: Box<Self>, name: &str) -> io::Result<()> {
        self.name_beside(name).map(drop)
    }
}

//! The layer of files below the store, so thin that a test can put a disk below it that forgets
//! what was not synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::FallocateFlags;

use crate::files;

/// From this length on bytes are erased by taking their blocks away, not by writing zeros.
const PUNCH: u64 = 64 << 10;

/// One folder of files.
pub(super) trait Disk: Send + Sync {
    /// Creates a file that is not there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// Opens a file to read and write.
    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Removes a file; whoever has it open goes on reading.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations and removals durable.
    fn sync(&self) -> io::Result<()>;
    /// Bytes that may still be allocated on this file system.
    fn free(&self) -> io::Result<u64>;
}

/// An open file.
pub(super) trait Handle: Send + Sync {
    /// Fills all of `bytes` from `at` on.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `at`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Makes it so long, by zeros or by cutting.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes it so long and keeps room on the disk for all of it.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Makes `length` bytes from `at` on read as zeros and gives their blocks back where it can.
    fn erase(&self, at: u64, length: u64) -> io::Result<()>;
    /// Makes its bytes and its length durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

/// Whether the disk has no room, which loses nothing that was written.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A folder of the file system.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, or makes it.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        files::create_state_folder(&path)?;
        Ok(Self(path))
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        options
    }
}

impl Disk for Folder {
    fn create(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        let file = Self::options().create_new(true).open(self.0.join(name))?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(Self::options().open(self.0.join(name))?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.0)?;
        names.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        files::sync_folder(&self.0)
    }

    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.0)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
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

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, FallocateFlags::empty(), 0, length) {
            Err(rustix::io::Errno::OPNOTSUPP) => self.set_len(length),
            done => Ok(done?),
        }
    }

    fn erase(&self, at: u64, length: u64) -> io::Result<()> {
        if length >= PUNCH {
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match rustix::fs::fallocate(self, how, at, length) {
                Err(rustix::io::Errno::OPNOTSUPP) => {}
                done => return Ok(done?),
            }
        }
        let zeros = [0; 16 << 10];
        let mut done = 0;
        while done < length {
            let piece = usize::try_from(length - done).unwrap_or(usize::MAX).min(zeros.len());
            self.write_all_at(zeros.get(..piece).unwrap_or_default(), at + done)?;
            done += piece as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

//! A folder of the file system.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::files::disk::{Access, Disk, Existing, Handle, Held, Metadata, Unnamed, write_zeros};
use crate::files::folder::{create_state_folder, folder_of, sync_folder};
use crate::files::lock::Lock;
use crate::files::naming;
use crate::files::temporary::Temporary;

/// From this length on bytes are erased by taking their blocks away, not by writing zeros.
#[cfg(target_os = "linux")]
const PUNCH: u64 = 64 << 10;

/// A folder of the file system.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    waited: Arc<AtomicBool>,
}

impl Folder {
    /// Returns the folder at `path`, which need not be there.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), waited: Arc::default() }
    }

    fn handle(&self, file: impl Into<Arc<File>>) -> Arc<dyn Handle> {
        Arc::new(Open { file: file.into(), waited: Arc::clone(&self.waited) })
    }

    fn begun(&self, temporary: Temporary) -> (Arc<dyn Handle>, Box<dyn Unnamed>) {
        let file = self.handle(Arc::clone(temporary.file()));
        (file, Box::new(Beside { temporary, folder: self.path.clone() }))
    }
}

#[cfg(test)]
impl Folder {
    /// Begins a file as on a system that knows no files without a name.
    pub(crate) fn begin_named(
        &self,
        access: Access,
    ) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)> {
        Ok(self.begun(Temporary::create_named(&self.path, access)?))
    }
}

/// Options of a private file that is read and written.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

impl Disk for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn folder(&self, name: &str) -> Arc<dyn Disk> {
        Arc::new(Self::new(&self.path.join(name)))
    }

    fn make(&self) -> io::Result<()> {
        let new = !self.path.is_dir();
        create_state_folder(&self.path)?;
        if new { sync_folder(folder_of(&self.path)) } else { Ok(()) }
    }

    fn begin(&self, access: Access) -> io::Result<(Arc<dyn Handle>, Box<dyn Unnamed>)> {
        Ok(self.begun(Temporary::create(&self.path, access)?))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(self.handle(private().create_new(true).open(self.path.join(name))?))
    }

    fn open_or_create(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(self.handle(private().create(true).open(self.path.join(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(self.handle(self.open_file(name)?))
    }

    fn open_writable(&self, name: &str) -> io::Result<Arc<dyn Handle>> {
        Ok(self.handle(private().open(self.path.join(name))?))
    }

    fn open_file(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?;
        names.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn metadata(&self, name: &str) -> io::Result<Metadata> {
        let metadata = fs::symlink_metadata(self.path.join(name))?;
        Ok(Metadata { length: metadata.len(), modified: metadata.modified()? })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        sync_folder(&self.path)
    }

    fn lock(&self, name: &str, wait: bool) -> io::Result<Option<Held>> {
        let path = self.path.join(name);
        let held = match wait {
            true => Lock::acquire(&path).map(Some)?,
            false => Lock::try_acquire(&path)?,
        };
        Ok(held.map(|held| Box::new(held) as Held))
    }

    fn lock_with_children(&self, name: &str) -> io::Result<Option<Held>> {
        let held = Lock::try_acquire(&self.path.join(name))?;
        held.map(|held| Ok(Box::new(held.with_children()?) as Held)).transpose()
    }

    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn waited(&self) -> bool {
        self.waited.load(Ordering::Relaxed)
    }
}

/// A file under way, and the folder it gets its name in.
#[derive(Debug)]
struct Beside {
    temporary: Temporary,
    folder: PathBuf,
}

impl Unnamed for Beside {
    fn name(self: Box<Self>, name: &OsStr, existing: Existing) -> io::Result<Option<PathBuf>> {
        naming::name(self.temporary, &self.folder.join(name), existing)
    }
}

/// An open file of a folder.
#[derive(Debug)]
pub(crate) struct Open {
    file: Arc<File>,
    waited: Arc<AtomicBool>,
}

#[cfg(test)]
impl Open {
    pub(crate) fn new(file: File) -> Self {
        Self { file: Arc::new(file), waited: Arc::default() }
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

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&*self.file, rustix::fs::FallocateFlags::empty(), 0, length) {
            Err(rustix::io::Errno::OPNOTSUPP) => self.file.set_len(length),
            done => Ok(done?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn erase(&self, at: u64, length: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if length >= PUNCH {
            use rustix::fs::FallocateFlags;
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match rustix::fs::fallocate(&*self.file, how, at, length) {
                Err(rustix::io::Errno::OPNOTSUPP) => {}
                done => return Ok(done?),
            }
        }
        write_zeros(self, at, length)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn ahead(&self, at: u64, length: u64) {
        memory::ahead(&self.file, at, length);
    }
}

/// Content of files that the system has in memory.
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
        // It is advice: the read that follows reports what is wrong.
        let _ = fadvise(file, at, NonZero::new(length), Advice::WillNeed);
    }
}

#[cfg(not(target_os = "linux"))]
mod memory {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    /// Reads: the system does not tell what is in memory, so all is taken to be.
    pub(crate) fn read(file: &File, bytes: &mut [u8], at: u64) -> bool {
        file.read_exact_at(bytes, at).is_ok()
    }

    pub(crate) fn ahead(_: &File, _: u64, _: u64) {}
}

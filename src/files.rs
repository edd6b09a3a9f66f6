//! Files that are complete or absent: written beside their place, synced, renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What a finished file may do to one that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Fail with [`io::ErrorKind::AlreadyExists`], atomically.
    Keep,
    /// Take its place.
    Replace,
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The owner alone (0600).
    Private,
    /// As the process's umask says.
    Umask,
}

impl Access {
    /// What a file is created with; the umask takes from it.
    #[cfg(unix)]
    fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Umask => 0o666,
        }
    }
}

/// A file under way: it has no name, or where the system knows no such files a random one beside
/// its place, and goes away when dropped. [`AtomicFile::commit`] makes it durable and gives it its
/// name.
#[derive(Debug)]
pub struct AtomicFile {
    temporary: Temporary,
    path: PathBuf,
    existing: Existing,
}

#[derive(Debug)]
enum Temporary {
    /// Whatever ends the process, a signal or a power cut, leaves nothing of it in the folder.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Unnamed(File),
    /// Goes away when dropped, and is left when the process is killed.
    Named(NamedTempFile),
}

impl AtomicFile {
    /// Begins a file that is to appear at `path`, in a folder that exists.
    pub fn create(path: &Path, existing: Existing, access: Access) -> io::Result<Self> {
        if existing == Existing::Keep && fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let temporary = match unnamed::create(folder_of(path), access) {
            Some(file) => Temporary::Unnamed(file),
            None => Temporary::Named(named(access).tempfile_in(folder_of(path))?),
        };
        Ok(Self { temporary, path: path.to_owned(), existing })
    }

    /// Syncs the bytes, gives the file its name, syncs the folder.
    pub fn commit(self) -> io::Result<()> {
        let folder = folder_of(&self.path).to_owned();
        self.sync()?;
        self.name()?;
        sync_folder(&folder)
    }

    /// Syncs the bytes.
    pub fn sync(&self) -> io::Result<()> {
        match &self.temporary {
            Temporary::Unnamed(file) => file.sync_all(),
            Temporary::Named(file) => file.as_file().sync_all(),
        }
    }

    /// Another handle of the file, to write and read it anywhere while it is under way.
    pub fn handle(&self) -> io::Result<File> {
        match &self.temporary {
            Temporary::Unnamed(file) => file.try_clone(),
            Temporary::Named(file) => file.as_file().try_clone(),
        }
    }

    /// The same as [`name`](Self::name), with another last component than it was begun with.
    pub fn name_beside(mut self, name: &str) -> io::Result<()> {
        self.path.set_file_name(name);
        self.name()
    }

    /// Gives a file its name that was [synced](Self::sync). The name is durable when the caller
    /// has called [`sync_folder`], once for as many files as he likes.
    pub fn name(self) -> io::Result<()> {
        let file = match self.temporary {
            Temporary::Unnamed(file) => file,
            Temporary::Named(file) => {
                return match self.existing {
                    Existing::Keep => file.persist_noclobber(&self.path),
                    Existing::Replace => file.persist(&self.path),
                }
                .map(drop)
                .map_err(|e| e.error);
            }
        };
        match unnamed::link(&file, &self.path) {
            // A link takes nobody's place, a rename does.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists
                    && self.existing == Existing::Replace =>
            {
                let beside = named(Access::Private);
                let beside =
                    beside.make_in(folder_of(&self.path), |path| unnamed::link(&file, path))?;
                beside.persist(&self.path).map(drop).map_err(|e| e.error)
            }
            outcome => outcome,
        }
    }
}

/// How temporary files are named.
fn named(access: Access) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bulla-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(access.mode()));
    }
    #[cfg(not(unix))]
    let _ = access;
    builder
}

/// Files without a name (Linux, `O_TMPFILE`), where the file system has them.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags};

    /// The one way to name such a file without a privilege: by its link in `/proc`.
    const OWN: &str = "/proc/self/fd";

    /// A new file for `folder`, or `None` where there are none: another way may work, or fail
    /// with an error that says more.
    pub(super) fn create(folder: &Path, access: super::Access) -> Option<File> {
        if !Path::new(OWN).is_dir() {
            return None;
        }
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(access.mode());
        rustix::fs::open(folder, flags, mode).ok().map(File::from)
    }

    /// Gives the file a name that no other has.
    pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
        let own = format!("{OWN}/{}", file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

/// Elsewhere there are none.
#[cfg(not(target_os = "linux"))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn create(_: &Path, _: super::Access) -> Option<File> {
        None
    }

    pub(super) fn link(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.temporary {
            Temporary::Unnamed(file) => file.write(buf),
            Temporary::Named(file) => file.as_file_mut().write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a whole private file in one atomic step, in place of what was there.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path, Existing::Replace, Access::Private)?;
    file.write_all(bytes)?;
    file.commit()
}

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
    fn a_dropped_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = AtomicFile::create(&path, Existing::Keep, Access::Umask).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_file_is_kept_even_when_it_appears_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut file = AtomicFile::create(&path, Existing::Keep, Access::Umask).unwrap();
        file.write_all(b"new").unwrap();
        fs::write(&path, "old").unwrap();
        assert_eq!(file.commit().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        replace_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!is_exposed(&File::open(&path).unwrap()).unwrap());
    }

    /// Both kinds of temporary files, whatever this system has.
    #[test]
    fn named_and_unnamed_files_appear_alike() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |name: &str, existing, access, unnamed: bool| {
            let path = folder.path().join(name);
            let mut file = AtomicFile::create(&path, existing, access).unwrap();
            if !unnamed {
                let named = named(access).tempfile_in(folder.path()).unwrap();
                file.temporary = Temporary::Named(named);
            }
            file.write_all(name.as_bytes()).unwrap();
            (file, path)
        };
        for (unnamed, name) in [(true, "one"), (false, "two")] {
            let (file, path) = begin(name, Existing::Keep, Access::Private, unnamed);
            assert!(!path.exists());
            file.commit().unwrap();
            assert_eq!(fs::read(&path).unwrap(), name.as_bytes());
            assert!(!is_exposed(&File::open(&path).unwrap()).unwrap());
            let (file, path) = begin(name, Existing::Replace, Access::Umask, unnamed);
            file.commit().unwrap();
            let umask = fs::metadata(folder.path().join("umask")).map(|m| m.permissions());
            let umask = umask.or_else(|_| {
                File::create(folder.path().join("umask"))?.metadata().map(|m| m.permissions())
            });
            assert_eq!(fs::metadata(&path).unwrap().permissions(), umask.unwrap());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
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

//! Files without their name yet: unnamed where the system knows such files, else beside their place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

use crate::files::folder::folder_of;

/// Permissions of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The owner alone (0600).
    Private,
    /// As the process's umask says.
    Umask,
}

impl Access {
    /// Returns the mode a file is created with; the umask takes from it.
    #[cfg(unix)]
    fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Umask => 0o666,
        }
    }
}

/// A file that has no name, or where the system knows no such files a random one beside its place.
#[derive(Debug)]
pub(super) enum Temporary {
    /// Whatever ends the process, a signal or a power cut, leaves nothing of it in the folder.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    Unnamed(File),
    /// Goes away when dropped, and is left when the process is killed.
    Named(NamedTempFile),
}

impl Temporary {
    /// Begins a file that is to get its name in the folder of `path`.
    pub(super) fn create(path: &Path, access: Access) -> io::Result<Self> {
        match unnamed::create(folder_of(path), access) {
            Some(file) => Ok(Self::Unnamed(file)),
            None => Self::create_named(path, access),
        }
    }

    /// Begins a file with a random name beside `path`.
    pub(super) fn create_named(path: &Path, access: Access) -> io::Result<Self> {
        named(access).tempfile_in(folder_of(path)).map(Self::Named)
    }

    /// Returns the open file.
    pub(super) fn file(&self) -> &File {
        match self {
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// Gives the file the name `path`, or fails with [`io::ErrorKind::AlreadyExists`], atomically.
    pub(super) fn name(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Unnamed(file) => unnamed::link(&file, path),
            Self::Named(file) => file.persist_noclobber(path).map(drop).map_err(|e| e.error),
        }
    }

    /// Gives the file the name `path`, or returns it under a random name beside `path` for a rename
    /// to take the place: a link replaces no file.
    pub(super) fn name_or_beside(self, path: &Path) -> io::Result<Option<(File, TempPath)>> {
        let file = match self {
            Self::Named(file) => return Ok(Some(file.into_parts())),
            Self::Unnamed(file) => file,
        };
        match unnamed::link(&file, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let beside = named(Access::Private);
                let beside = beside.make_in(folder_of(path), |path| unnamed::link(&file, path))?;
                Ok(Some((file, beside.into_temp_path())))
            }
            outcome => outcome.map(|()| None),
        }
    }
}

impl Write for Temporary {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

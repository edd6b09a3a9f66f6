//! Files without their name yet: unnamed where the system knows such files, else beside their place.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempPath;

use crate::files::disk::Access;
use crate::files::folder::folder_of;

/// A file that has no name, or where the system knows no such files a random one beside its place.
#[derive(Debug)]
pub(super) struct Temporary {
    file: Arc<File>,
    /// The random name. It goes away when dropped, and is left when the process is killed; of a
    /// file without one nothing is left in the folder, whatever ends the process.
    beside: Option<TempPath>,
}

impl Temporary {
    /// Begins a file that is to get its name in `folder`.
    pub(super) fn create(folder: &Path, access: Access) -> io::Result<Self> {
        match unnamed::create(folder, mode(access)) {
            Some(file) => Ok(Self { file: Arc::new(file), beside: None }),
            None => Self::create_named(folder, access),
        }
    }

    /// Begins a file with a random name in `folder`.
    pub(super) fn create_named(folder: &Path, access: Access) -> io::Result<Self> {
        let (file, beside) = named(access).tempfile_in(folder)?.into_parts();
        Ok(Self { file: Arc::new(file), beside: Some(beside) })
    }

    /// Returns the open file.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Gives the file the name `path`, or fails with [`io::ErrorKind::AlreadyExists`], atomically.
    pub(super) fn name(self, path: &Path) -> io::Result<()> {
        match self.beside {
            None => unnamed::link(&self.file, path),
            Some(beside) => beside.persist_noclobber(path).map_err(|e| e.error),
        }
    }

    /// Gives the file the name `path`, or returns it under a random name beside `path` for a rename
    /// to take the place: a link replaces no file.
    pub(super) fn name_or_beside(self, path: &Path) -> io::Result<Option<(Arc<File>, TempPath)>> {
        let Self { file, beside } = self;
        if let Some(beside) = beside {
            return Ok(Some((file, beside)));
        }
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

/// Returns the mode a file is created with; the umask takes from it.
fn mode(access: Access) -> u32 {
    match access {
        Access::Private => 0o600,
        Access::Umask => 0o666,
    }
}

/// How temporary files are named.
fn named(access: Access) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bulla-").suffix(".part");
    builder.permissions(fs::Permissions::from_mode(mode(access)));
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
    pub(super) fn create(folder: &Path, mode: u32) -> Option<File> {
        if !Path::new(OWN).is_dir() {
            return None;
        }
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
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

    pub(super) fn create(_: &Path, _: u32) -> Option<File> {
        None
    }

    pub(super) fn link(_: &File, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

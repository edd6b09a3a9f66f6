//! The engine's files, each a cell file under an opaque name.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, TerminatingWrite, WatchCallback,
    WatchCallbackList, WatchHandle, WritePtr,
};

use super::cells::{CellFile, CellWriter, Opened};
use crate::crypto::{self, label};
use crate::files::{self, Access, AtomicFile, Existing};
use crate::secret::Secret;
use crate::text;

/// The engine's name for its commit point.
pub(super) const META: &str = "meta.json";
/// The engine's name for its list of files.
pub(super) const MANAGED: &str = ".managed.json";
/// Suffix of a file under way ([`AtomicFile`]).
const UNDER_WAY: &str = ".part";
/// Greatest file that is read whole.
const ATOMIC_MAX: usize = 64 << 20;

/// A folder of cell files that the engine sees as its directory.
#[derive(Clone)]
pub(super) struct CellDirectory(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    index_key: Secret<32>,
    name_key: Secret<32>,
    opened: Arc<Opened>,
    watchers: WatchCallbackList,
}

impl CellDirectory {
    pub(super) fn new(folder: &Path, index_key: Secret<32>) -> Self {
        Self(Arc::new(Inner {
            folder: folder.to_owned(),
            name_key: crypto::hkdf(index_key.expose(), &[], label::INDEX_NAME),
            index_key,
            opened: Opened::new(),
            watchers: WatchCallbackList::default(),
        }))
    }

    /// Counters and damage of every file opened through this directory.
    pub(super) fn opened(&self) -> &Arc<Opened> {
        &self.0.opened
    }

    /// The folder the files lie in.
    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// What a file is called on the disk: it tells neither its part nor its segment.
    pub(super) fn name_on_disk(&self, path: &Path) -> String {
        let logical = path.to_string_lossy();
        let mac = crypto::hmac_sha256(self.0.name_key.expose(), &[logical.as_bytes()]);
        text::hex_encode(mac.first_chunk::<16>().unwrap_or(&[0; 16]))
    }

    fn place(&self, path: &Path) -> PathBuf {
        self.0.folder.join(self.name_on_disk(path))
    }

    /// Opens the cell file behind one of the engine's names.
    pub(super) fn open_cells(&self, path: &Path) -> Result<CellFile, OpenReadError> {
        let open = || {
            let file = File::open(self.place(path))?;
            let (name, on_disk) = (path.to_string_lossy(), self.name_on_disk(path));
            CellFile::open(file, &self.0.index_key, &name, &on_disk, &self.0.opened)
        };
        open().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
            _ => OpenReadError::wrap_io_error(error, path.to_owned()),
        })
    }

    /// Removes what killed writers left under way. Only for the holder of the writer's lock.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(UNDER_WAY) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn begin(&self, path: &Path, existing: Existing) -> io::Result<CellWriter<AtomicFile>> {
        let file = AtomicFile::create(&self.place(path), existing, Access::Private)?;
        CellWriter::new(file, &self.0.index_key, &path.to_string_lossy())
    }
}

impl fmt::Debug for CellDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CellDirectory({})", self.0.folder.display())
    }
}

/// A write-once file under way: it gets its name when the engine terminates it, durable.
struct Once {
    writer: Option<CellWriter<AtomicFile>>,
    opened: Arc<Opened>,
}

impl Write for Once {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let writer = self.writer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writer.write(buf).map_err(|error| self.opened.failed(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Once {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        let writer = self.writer.take().ok_or(io::ErrorKind::BrokenPipe)?;
        writer.finish().and_then(AtomicFile::commit).map_err(|error| self.opened.failed(error))
    }
}

impl Directory for CellDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.open_cells(path)?))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        fs::remove_file(self.place(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.place(path)
            .try_exists()
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        match self.begin(path, Existing::Keep) {
            Ok(writer) => {
                let opened = Arc::clone(&self.0.opened);
                Ok(BufWriter::new(Box::new(Once { writer: Some(writer), opened })))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(OpenWriteError::FileAlreadyExists(path.to_owned()))
            }
            Err(error) => {
                let error = self.0.opened.failed(error);
                Err(OpenWriteError::wrap_io_error(error, path.to_owned()))
            }
        }
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let file = self.open_cells(path)?;
        let length = tantivy::HasLen::len(&file);
        let whole = if length > ATOMIC_MAX {
            Err(io::Error::from(io::ErrorKind::FileTooLarge))
        } else {
            file.read(0..length)
        };
        let mut bytes = Vec::new();
        whole
            .and_then(|mut whole| whole.read_to_end(&mut bytes))
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))?;
        Ok(bytes)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let write = || {
            let mut writer = self.begin(path, Existing::Replace)?;
            writer.write_all(data)?;
            writer.finish()?.commit()
        };
        write().map_err(|error| self.0.opened.failed(error))?;
        if path == Path::new(META) {
            drop(self.0.watchers.broadcast());
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        files::sync_folder(&self.0.folder)
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        let path = self.0.folder.join(if lock.is_blocking { READERS } else { WRITER });
        let held = if lock.is_blocking {
            files::Lock::acquire(&path).map(Some)
        } else {
            files::Lock::try_acquire(&path)
        };
        match held {
            Ok(Some(held)) => Ok(DirectoryLock::from(Box::new(held))),
            Ok(None) => Err(LockError::LockBusy),
            Err(error) => Err(LockError::wrap_io_error(error)),
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(self.0.watchers.subscribe(callback))
    }
}

/// Lock file of the one writer.
pub(super) const WRITER: &str = "writer.lock";
/// Lock file held while a reader opens segments, so that a writer does not remove them then.
pub(super) const READERS: &str = "readers.lock";

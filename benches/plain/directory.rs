//! The engine's files in clear, read by `pread` and never mapped; written with the syncs that the
//! program's own are written with.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::files::{self, Access, AtomicFile, Existing};
use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite,
    WatchCallback, WatchCallbackList, WatchHandle, WritePtr,
};

/// A folder of plain files.
#[derive(Clone)]
pub(super) struct Plain {
    folder: PathBuf,
    watchers: Arc<WatchCallbackList>,
}

impl Plain {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), watchers: Arc::default() }
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plain({})", self.folder.display())
    }
}

/// A file that is read where the engine asks, and nowhere else.
#[derive(Debug)]
struct Pread {
    file: File,
    length: usize,
}

impl HasLen for Pread {
    fn len(&self) -> usize {
        self.length
    }
}

impl FileHandle for Pread {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let mut bytes = vec![0; range.len()];
        self.file.read_exact_at(&mut bytes, range.start as u64)?;
        Ok(OwnedBytes::new(bytes))
    }
}

/// A file under way.
struct Once(Option<AtomicFile>);

impl Write for Once {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Once {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.take().ok_or(io::ErrorKind::BrokenPipe)?.commit().map(drop)
    }
}

impl Directory for Plain {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let open = || {
            let file = File::open(self.folder.join(path))?;
            let length = file.metadata()?.len() as usize;
            Ok(Pread { file, length })
        };
        open()
            .map(|file| Arc::new(file) as Arc<dyn FileHandle>)
            .map_err(|error| not_read(error, path))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        fs::remove_file(self.folder.join(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(path.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: path.to_owned() },
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.folder.join(path).try_exists().map_err(|error| not_read(error, path))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        match AtomicFile::create(&self.folder.join(path), Existing::Keep, Access::Private) {
            Ok(file) => Ok(BufWriter::new(Box::new(Once(Some(file))))),
            Err(error) => Err(OpenWriteError::wrap_io_error(error, path.to_owned())),
        }
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        fs::read(self.folder.join(path)).map_err(|error| not_read(error, path))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let mut file =
            AtomicFile::create(&self.folder.join(path), Existing::Replace, Access::Private)?;
        file.write_all(data)?;
        file.commit()?;
        if path == Path::new("meta.json") {
            drop(self.watchers.broadcast());
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        files::sync_folder(&self.folder)
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        let path = self.folder.join(&lock.filepath);
        match files::Lock::acquire(&path) {
            Ok(held) => Ok(DirectoryLock::from(Box::new(held))),
            Err(error) => Err(LockError::wrap_io_error(error)),
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(self.watchers.subscribe(callback))
    }
}

fn not_read(error: io::Error, path: &Path) -> OpenReadError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
        _ => OpenReadError::wrap_io_error(error, path.to_owned()),
    }
}

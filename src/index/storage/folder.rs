//! The folder of an index: its key, its names, its end.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::crypto;
use crate::files;
use crate::files::disk::{self, Disk};
use crate::index::error::Error;
use crate::index::storage::manifest::SLOTS;
use crate::secret::Secret;

/// Version of everything in the folder; it stands before the index key.
const FORMAT: u8 = 1;
/// Lock file of the one writer.
pub(crate) const WRITER: &str = "writer.lock";
/// Lock file held while a reader opens packs, and while a writer commits and removes some.
pub(crate) const READERS: &str = "readers.lock";
/// File of the wrapped index key.
const KEY: &str = "key";
/// Kind of the record that wraps the index key.
const KEY_KIND: &str = "index key";
/// Greatest length of the key's file, in bytes.
const KEY_MAX: u64 = 1024;

/// The index key; while it is being changed, the one before and the one to come.
pub(crate) struct Keys(Vec<Secret<32>>);

impl Keys {
    /// One index key.
    pub(crate) fn one(key: Secret<32>) -> Self {
        Self(vec![key])
    }

    /// The key of now and the one to come.
    pub(crate) fn changing(now: Secret<32>, to_come: Secret<32>) -> Self {
        Self(vec![now, to_come])
    }

    /// All of them, the one to come last.
    pub(crate) fn all(&self) -> &[Secret<32>] {
        &self.0
    }

    /// The key that manifests are sealed with.
    pub(crate) fn newest(&self) -> Option<&Secret<32>> {
        self.0.last()
    }

    /// Writes them, wrapped, in place of those before, which are overwritten.
    pub(crate) fn write(
        &self,
        disk: &dyn Disk,
        folder: &Path,
        wrapping: &Secret<32>,
    ) -> Result<(), Error> {
        let mut record = Zeroizing::new(Vec::with_capacity(1 + 2 * 32));
        record.push(FORMAT);
        self.0.iter().for_each(|key| record.extend_from_slice(key.expose()));
        let wrapped = crypto::seal_record(wrapping, KEY_KIND, &record)?;
        let before = disk.open_writable(KEY).ok();
        let written = disk::replace(disk, KEY, &wrapped);
        written
            .and_then(|()| before.map_or(Ok(()), |before| disk::wipe(&*before)))
            .map_err(Error::io(folder.join(KEY)))
    }
}

/// Another copy of a key.
pub(crate) fn copied(key: &Secret<32>) -> Result<Secret<32>, Error> {
    let copy = Secret::build(|bytes| {
        *bytes = *key.expose();
        Ok::<(), crypto::Error>(())
    });
    Ok(copy?)
}

/// Writes a fresh index key, wrapped, into a folder.
pub(crate) fn new_key(
    disk: &dyn Disk,
    folder: &Path,
    wrapping: &Secret<32>,
) -> Result<Keys, Error> {
    let keys = Keys::one(crypto::random_secret::<32>()?);
    keys.write(disk, folder, wrapping)?;
    Ok(keys)
}

/// Whether a folder has a file where the key belongs.
pub(crate) fn has_key(folder: &Path) -> bool {
    folder.join(KEY).is_file()
}

/// Opens the index key, and checks the version before it.
pub(crate) fn unwrap_key(
    disk: &dyn Disk,
    folder: &Path,
    wrapping: &Secret<32>,
) -> Result<Keys, Error> {
    let foreign = || Error::Foreign(folder.into());
    let wrapped = match disk::read(disk, KEY, KEY_MAX) {
        Ok(wrapped) => wrapped,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(foreign()),
        Err(error) => {
            return Err(match disk.list() {
                Ok(names) if names.is_empty() => Error::Missing(folder.into()),
                Err(list) if list.kind() == io::ErrorKind::NotFound => {
                    Error::Missing(folder.into())
                }
                Ok(_) if error.kind() == io::ErrorKind::NotFound => foreign(),
                _ => Error::io(folder.join(KEY))(error),
            });
        }
    };
    let record =
        crypto::open_record(wrapping, KEY_KIND, &wrapped).map_err(|_| Error::Key(folder.into()))?;
    match record.split_first() {
        Some((&FORMAT, keys)) if matches!(keys.len(), 32 | 64) => {
            let keys = keys.chunks_exact(32).map(Secret::from_slice).collect::<Option<_>>();
            Ok(Keys(keys.ok_or_else(foreign)?))
        }
        Some((&FORMAT, _)) | None => Err(foreign()),
        Some((&got, _)) => Err(Error::Version { path: folder.into(), expected: FORMAT, got }),
    }
}

/// Whether there is nothing in a folder, or no folder.
pub(crate) fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The names that are not of cell files.
pub(crate) fn is_plain_name(name: &str) -> bool {
    matches!(name, KEY | WRITER | READERS) || SLOTS.contains(&name) || disk::is_under_way(name)
}

/// Whether a name is that of a pack.
pub(crate) fn is_cell_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Destroys an index: the key first, overwritten and removed for good, then the rest. It needs
/// no key, touches no file that is not of an index, and goes on where a killed run stopped.
pub fn destroy(folder: &Path) -> Result<(), Error> {
    let io = |error| Error::io(folder)(error);
    if !folder.is_dir() || is_empty(folder).map_err(io)? {
        return Err(Error::Missing(folder.into()));
    }
    let names = || -> io::Result<Vec<String>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let known = |name: &String| is_plain_name(name) || is_cell_name(name);
    if !folder.join(KEY).is_file() && !names().map_err(io)?.iter().all(known) {
        return Err(Error::Foreign(folder.into()));
    }
    let _lock = files::Lock::try_acquire(&folder.join(WRITER))
        .map_err(io)?
        .ok_or_else(|| Error::Busy(folder.into()))?;
    let remove_all = || -> io::Result<()> {
        let key = folder.join(KEY);
        if key.exists() {
            let mut file = fs::OpenOptions::new().write(true).open(&key)?;
            let length = usize::try_from(file.metadata()?.len().min(KEY_MAX)).unwrap_or_default();
            file.write_all(&vec![0; length])?;
            file.sync_all()?;
            fs::remove_file(&key)?;
            files::sync_folder(folder)?;
        }
        let mut others = false;
        for name in names()? {
            if known(&name) {
                fs::remove_file(folder.join(name))?;
            } else {
                others = true;
            }
        }
        if others { Ok(()) } else { fs::remove_dir(folder) }
    };
    remove_all().map_err(io)
}

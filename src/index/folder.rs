//! The folder of an index: its key, its names, its end.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::Error;
use super::directory::{READERS, WRITER};
use crate::crypto;
use crate::files;
use crate::secret::Secret;

/// Version of everything in the folder; it stands before the index key.
const FORMAT: u8 = 2;
/// File of the wrapped index key.
const KEY: &str = "key";
/// Kind of the record that wraps the index key.
const KEY_KIND: &str = "index key";
/// Greatest length of the key's file, in bytes.
const KEY_MAX: u64 = 1024;
/// What is said of a file that the engine's list names and the folder lacks.
pub(super) const MISSING: &str = "it is missing";

/// Writes a fresh index key, wrapped, into a folder.
pub(super) fn new_key(folder: &Path, wrapping: &Secret<32>) -> Result<Secret<32>, Error> {
    let index_key = crypto::random_secret::<32>()?;
    let record = Zeroizing::new([&[FORMAT][..], index_key.expose()].concat());
    let wrapped = crypto::seal_record(wrapping, KEY_KIND, &record)?;
    files::replace_private(&folder.join(KEY), &wrapped).map_err(Error::io(folder))?;
    Ok(index_key)
}

/// Whether a folder has a file where the key belongs.
pub(super) fn has_key(folder: &Path) -> bool {
    folder.join(KEY).is_file()
}

/// Opens the index key, and checks the version before it.
pub(super) fn unwrap_key(folder: &Path, wrapping: &Secret<32>) -> Result<Secret<32>, Error> {
    let path = folder.join(KEY);
    let wrapped = match files::read_bounded(&path, KEY_MAX) {
        Ok(wrapped) => wrapped,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(Error::Foreign(folder.into()));
        }
        Err(error) => {
            return Err(match is_empty(folder) {
                Ok(true) => Error::Missing(folder.into()),
                Ok(false) if error.kind() == io::ErrorKind::NotFound => {
                    Error::Foreign(folder.into())
                }
                _ => Error::io(path)(error),
            });
        }
    };
    let record =
        crypto::open_record(wrapping, KEY_KIND, &wrapped).map_err(|_| Error::Key(folder.into()))?;
    match record.split_first() {
        Some((&FORMAT, key)) => {
            Secret::from_slice(key).ok_or_else(|| Error::Foreign(folder.into()))
        }
        Some((&got, _)) => Err(Error::Version { path: folder.into(), expected: FORMAT, got }),
        None => Err(Error::Foreign(folder.into())),
    }
}

/// Whether there is nothing in a folder, or no folder.
pub(super) fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The names that are not of cell files.
pub(super) fn is_plain_name(name: &str) -> bool {
    matches!(name, KEY | WRITER | READERS) || is_under_way(name)
}

fn is_under_way(name: &str) -> bool {
    name.starts_with(".bulla-") && name.ends_with(".part")
}

fn is_cell_name(name: &str) -> bool {
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

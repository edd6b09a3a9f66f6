//! State on the disk: one sealed file of each kind, replaced as a whole under a lock.

use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto;
use crate::files::disk::{self, Disk, Held};
use crate::secret::Secret;
use crate::wire::{self, Record};

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is damaged, or it belongs to another identity. It is never overwritten.
    #[error("the {what} cannot be opened: {why}")]
    Damaged {
        /// What is in it.
        what: &'static str,
        /// What its seal says.
        #[source]
        why: crypto::Error,
    },
    /// The file opened, but holds nothing this program knows.
    #[error("state that cannot be read: {0}")]
    Record(#[source] wire::Error),
    /// No random bytes, or sealing failed.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
    /// The file system failed.
    #[error("state cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
}

/// A record that is kept in a file of its own name.
pub trait Kept: Record + Default {
    /// Name of the file.
    const FILE: &'static str;
}

/// A record in a folder of the owner's state.
///
/// The file is one record at rest (`crypto::seal_record`), bound to its [`Record::NAME`], and
/// shows nothing but its padded size and when it changed. It is replaced atomically and durably; a
/// missing file is an empty record; a damaged one is an error and stays as it is.
#[derive(Debug)]
pub struct StateFile<R> {
    disk: Arc<dyn Disk>,
    name: String,
    key: Secret<32>,
    record: PhantomData<fn() -> R>,
}

impl<R: Kept> StateFile<R> {
    /// The file in a folder of any disk.
    pub(crate) fn on(disk: Arc<dyn Disk>, key: Secret<32>) -> Self {
        Self::named_on(disk, R::FILE, key)
    }
}

impl<R: Record + Default> StateFile<R> {
    /// Greatest length of the file: the record, an eighth of padding, salt and tag.
    const MOST: u64 = (R::MAX as u64 / 8) * 9 + 1024;

    /// One of several files of a kind in a folder of any disk, each under a key of its own. Touches no
    /// file.
    pub(crate) fn named_on(disk: Arc<dyn Disk>, name: &str, key: Secret<32>) -> Self {
        Self { disk, name: name.to_owned(), key, record: PhantomData }
    }

    /// The record as it is now. Takes no lock: it is replaced as a whole.
    pub fn read(&self) -> Result<R, Error> {
        match disk::read(&*self.disk, &self.name, Self::MOST) {
            Ok(sealed) => {
                let record = crypto::open_record(&self.key, R::NAME, &sealed)
                    .map_err(|why| Error::Damaged { what: R::NAME, why })?;
                wire::decode(&record).map_err(Error::Record)
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(R::default()),
            Err(other) => Err(other.into()),
        }
    }

    /// Returns the SHA-256 of the file as it is now, by which a change of it is seen.
    pub(crate) fn digest(&self) -> Result<[u8; 32], Error> {
        match disk::read(&*self.disk, &self.name, Self::MOST) {
            Ok(sealed) => Ok(crypto::sha256(&[&sealed])),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok([0; 32]),
            Err(other) => Err(other.into()),
        }
    }

    /// Changes the record: lock, read, change, and when something changed and `change` is
    /// content, write durably. The folder is created for the owner alone.
    pub fn update<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut R) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = self.lock().map_err(Error::Io)?;
        let mut record = self.read()?;
        let before = Self::encode(&record)?;
        let result = change(&mut record)?;
        let after = Self::encode(&record)?;
        if after != before {
            self.write(&after)?;
        }
        Ok(result)
    }

    /// Puts a record in the place of one that cannot be read, which stays under the name that is
    /// returned: another version of the program may read it.
    pub(crate) fn replace(&self, record: &R) -> Result<PathBuf, Error> {
        let _lock = self.lock()?;
        let beside = |number: u32| format!("{}.unreadable-{number}", self.name);
        let free = (1..).map(beside).find(|name| self.disk.metadata(name).is_err());
        let kept = free.unwrap_or_else(|| beside(0));
        self.disk.rename(&self.name, &kept)?;
        self.write(&Self::encode(record)?)?;
        Ok(self.disk.path().join(kept))
    }

    fn write(&self, record: &[u8]) -> Result<(), Error> {
        let sealed = crypto::seal_record(&self.key, R::NAME, record)?;
        Ok(disk::replace(&*self.disk, &self.name, &sealed)?)
    }

    fn encode(record: &R) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(Zeroizing::new(wire::encode(record).map_err(Error::Record)?))
    }

    /// Removes the file for good, if it is there.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let _lock = self.lock()?;
        match self.disk.remove(&self.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => self.disk.remove(&self.lock_name())?,
        }
        Ok(self.disk.sync()?)
    }

    /// Takes the lock of the file, in a folder that is created if it is not there.
    fn lock(&self) -> io::Result<Held> {
        self.disk.make()?;
        let held = self.disk.lock(&self.lock_name(), true)?;
        held.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn lock_name(&self) -> String {
        format!("{}.lock", self.name)
    }
}

#[cfg(test)]
mod tests;

//! Sealed cells: fixed-size AEAD units of write-once files. `FORMAT.md` draws them.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use tantivy::directory::OwnedBytes;

use crate::crypto::{self, Aead, TAG, label};
use crate::files::disk::Handle;
use crate::padding::padme;
use crate::secret::Secret;

/// Plaintext bytes of a cell.
pub(crate) const CELL: usize = 4 << 10;
/// What lengths of files are whole multiples of, before [`padme`] rounds them: 16 KiB.
pub(crate) const GRAIN: usize = 16 << 10;
/// Bytes of a cell on the disk.
pub(crate) const SEALED: usize = CELL + TAG;
/// First bytes of every cell file; the last of them is the format version.
const MAGIC: [u8; 8] = *b"bullaix\x01";
/// Random bytes after the magic.
pub(crate) const SALT: usize = 32;
/// Magic and salt.
pub(crate) const HEADER: usize = MAGIC.len() + SALT;
/// Opened cells kept for all files of an index together: 8 MiB.
const KEPT: NonZeroUsize = NonZeroUsize::new((8 << 20) / CELL).unwrap();
/// So many cells in a row are read past the cache: they are read once, and would fill it.
pub(crate) const MANY: u64 = 16;
/// Most cells that are read at once: 1 MiB.
const AT_ONCE: usize = (1 << 20) / CELL;

/// Which file is damaged, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Name of the file in the index folder.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

impl std::error::Error for Damage {}

/// Opened cells by number of the opened file and of the cell.
type Cache = LruCache<(u64, u64), OwnedBytes>;

/// What the open files of one index share: the cache of opened cells, counters, and the first
/// damage met and the first write that failed (the engine above reports some of its threads'
/// errors as something else).
pub(crate) struct Opened {
    cache: Mutex<Cache>,
    files: AtomicU64,
    cells: AtomicU64,
    damage: Mutex<Option<Damage>>,
    failure: Mutex<Option<io::Error>>,
}

/// Nothing below panics while it holds a lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Opened {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            cache: Mutex::new(LruCache::new(KEPT)),
            files: AtomicU64::new(0),
            cells: AtomicU64::new(0),
            damage: Mutex::new(None),
            failure: Mutex::new(None),
        })
    }

    /// Cells decrypted so far.
    pub(crate) fn cells(&self) -> u64 {
        self.cells.load(Ordering::Relaxed)
    }

    /// The first damage met since the last call.
    pub(crate) fn take_damage(&self) -> Option<Damage> {
        lock(&self.damage).take()
    }

    /// The first write that failed since the last call.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        lock(&self.failure).take()
    }

    /// Remembers a write that failed: a full disk, say.
    pub(crate) fn failed(&self, error: io::Error) -> io::Error {
        lock(&self.failure).get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        error
    }

    /// Remembers damage and makes the error the engine gets.
    pub(crate) fn damaged(&self, file: &str, what: impl Into<String>) -> io::Error {
        let damage = Damage { file: file.into(), what: what.into() };
        lock(&self.damage).get_or_insert_with(|| damage.clone());
        io::Error::new(io::ErrorKind::InvalidData, damage)
    }
}

/// The key of one file, and the name every cell of it is bound to.
pub(crate) struct Cipher {
    aead: Aead,
    name: Vec<u8>,
}

impl Cipher {
    pub(crate) fn new(secret: &Secret<32>, salt: &[u8; SALT], name: &str) -> Self {
        let key = crypto::hkdf(secret.expose(), salt, label::INDEX_FILE);
        Self { aead: Aead::new(&key), name: name.as_bytes().to_vec() }
    }

    /// The key is of one write-once file, so the cell number is a nonce used once.
    fn nonce(cell: u64) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = cell.to_be_bytes();
        [0, 0, 0, 0, a, b, c, d, e, f, g, h]
    }

    fn associated(&self, last: bool) -> Vec<u8> {
        [&MAGIC[..], &[last.into()], &self.name].concat()
    }

    /// Seals a cell, filled up with zeros.
    pub(crate) fn seal(&self, cell: u64, last: bool, data: &mut Vec<u8>) {
        data.resize(CELL, 0);
        let tag = self.aead.seal(&Self::nonce(cell), &self.associated(last), data);
        data.extend_from_slice(&tag);
    }

    /// Opens a cell with its tag behind it, in place.
    pub(crate) fn open<'a>(
        &self,
        cell: u64,
        last: bool,
        data: &'a mut [u8],
    ) -> Result<&'a [u8], crypto::Error> {
        let (body, tag) =
            data.split_last_chunk_mut::<TAG>().ok_or(crypto::Error::Damaged("cell"))?;
        self.aead.open(&Self::nonce(cell), &self.associated(last), body, tag)?;
        Ok(body)
    }
}

/// Cells of a file that needs so many: Padmé of their bytes, rounded up to whole grains.
pub(crate) fn padded(cells: u64) -> u64 {
    let grains = padme(cells * CELL as u64).div_ceil(GRAIN as u64).max(1);
    grains * (GRAIN / CELL) as u64
}

/// Where a cell stands in its file.
pub(crate) fn place(cell: u64) -> u64 {
    HEADER as u64 + cell * SEALED as u64
}

/// What a file begins with.
pub(crate) fn header(salt: &[u8; SALT]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (magic, rest) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    rest.copy_from_slice(salt);
    header
}

/// A cell file: finished, or under way.
pub(crate) struct CellFile {
    file: Arc<dyn Handle>,
    cipher: Cipher,
    pub(crate) name: String,
    /// 0 while it is under way.
    cells: AtomicU64,
    number: u64,
    pub(crate) opened: Arc<Opened>,
}

impl CellFile {
    /// A file under way.
    pub(crate) fn begin(
        file: Arc<dyn Handle>,
        cipher: Cipher,
        name: String,
        opened: &Arc<Opened>,
    ) -> Self {
        let number = opened.files.fetch_add(1, Ordering::Relaxed);
        Self { file, cipher, name, cells: AtomicU64::new(0), number, opened: Arc::clone(opened) }
    }

    /// Opens a finished file of so many cells.
    pub(crate) fn open(
        file: Arc<dyn Handle>,
        secret: &Secret<32>,
        salt: &[u8; SALT],
        name: String,
        cells: u64,
        opened: &Arc<Opened>,
    ) -> io::Result<Self> {
        let length = file.length()?;
        if length != place(cells) {
            let what = format!("expected {} bytes, got {length} (cut or foreign)", place(cells));
            return Err(opened.damaged(&name, what));
        }
        let mut begin = [0; HEADER];
        file.read_at(&mut begin, 0)?;
        if begin != header(salt) {
            let what = "it does not begin as the file that was written (changed, old or foreign)";
            return Err(opened.damaged(&name, what));
        }
        let source = Self::begin(file, Cipher::new(secret, salt, &name), name, opened);
        source.finished(cells);
        Ok(source)
    }

    /// Makes its bytes durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// From now on it has so many cells.
    pub(crate) fn finished(&self, cells: u64) {
        self.cells.store(cells, Ordering::Release);
    }

    /// Cells of the file, padding included; 0 while it is under way.
    pub(crate) fn cells(&self) -> u64 {
        self.cells.load(Ordering::Acquire)
    }

    /// Some cells in a row, from the cache if they are there.
    pub(crate) fn read(&self, first: u64, count: u64) -> io::Result<Vec<OwnedBytes>> {
        let mut found = Vec::new();
        let mut at = first;
        while at < first + count {
            if let Some(kept) = self.kept(at) {
                found.push(kept);
                at += 1;
                continue;
            }
            let missing = (at..first + count).take(AT_ONCE);
            let missing = missing.take_while(|cell| *cell == at || self.kept(*cell).is_none());
            let missing = missing.count() as u64;
            let opened = OwnedBytes::new(self.open_cells(at, missing)?);
            for (cell, place) in (at..at + missing).zip((0..).step_by(SEALED)) {
                let plain = opened.slice(place..place + CELL);
                if missing < MANY {
                    lock(&self.opened.cache).put((self.number, cell), plain.clone());
                }
                found.push(plain);
            }
            at += missing;
        }
        Ok(found)
    }

    /// The bytes of [`MANY`] cells in a row, past the cache.
    pub(crate) fn read_many(&self, first: u64, count: u64) -> io::Result<Vec<u8>> {
        let mut data = self.open_cells(first, count)?;
        // The tags go.
        for cell in 1..data.len() / SEALED {
            data.copy_within(cell * SEALED..cell * SEALED + CELL, cell * CELL);
        }
        data.truncate(data.len() / SEALED * CELL);
        Ok(data)
    }

    /// Tells the system that some cells will be read, unless they are opened already.
    pub(crate) fn ahead(&self, first: u64, count: u64) {
        if (first..first + count).any(|cell| self.kept(cell).is_none()) {
            self.file.ahead(place(first), count * SEALED as u64);
        }
    }

    /// One cell.
    #[cfg(test)]
    pub(crate) fn cell(&self, cell: u64) -> io::Result<OwnedBytes> {
        self.read(cell, 1)?.pop().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn kept(&self, cell: u64) -> Option<OwnedBytes> {
        lock(&self.opened.cache).get(&(self.number, cell)).cloned()
    }

    /// Some cells in a row, each with its tag behind it.
    fn open_cells(&self, first: u64, count: u64) -> io::Result<Vec<u8>> {
        let mut data = vec![0; usize::try_from(count).unwrap_or(0) * SEALED];
        self.file.read_at(&mut data, place(first)).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.opened.damaged(&self.name, "it was cut"),
            _ => error,
        })?;
        let end = self.cells();
        for (cell, data) in (first..).zip(data.chunks_exact_mut(SEALED)) {
            self.cipher.open(cell, cell + 1 == end, data).map_err(|_| {
                let what = format!("cell {cell} does not open (changed, or of another place)");
                self.opened.damaged(&self.name, what)
            })?;
        }
        self.opened.cells.fetch_add(count, Ordering::Relaxed);
        Ok(data)
    }

    /// Opens every cell in turn, past the cache, for those who need them all once.
    pub(crate) fn each(&self, mut visit: impl FnMut(u64, io::Result<&[u8]>) -> bool) {
        let end = self.cells();
        let mut data = vec![0; SEALED];
        for cell in 0..end {
            let read = self.file.read_at(&mut data, place(cell));
            let opened = read.and_then(|()| {
                self.cipher.open(cell, cell + 1 == end, &mut data).map_err(|_| {
                    let what = format!("cell {cell} does not open (changed, or of another place)");
                    self.opened.damaged(&self.name, what)
                })
            });
            if !visit(cell, opened) {
                return;
            }
        }
    }

    /// Writes a cell where no other was written.
    pub(crate) fn write(&self, cell: u64, last: bool, data: &mut Vec<u8>) -> io::Result<()> {
        self.cipher.seal(cell, last, data);
        let written = self.file.write_at(data, place(cell));
        data.clear();
        written
    }
}

impl fmt::Debug for CellFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CellFile({})", self.name)
    }
}

#[cfg(test)]
mod tests;

//! Sealed cell files: write-once, fixed-size AEAD cells, random access. `FORMAT.md` draws them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tantivy::HasLen;
use tantivy::directory::{FileHandle, OwnedBytes};

use crate::crypto::{self, Aead, TAG, label};
use crate::padding::padme;
use crate::secret::Secret;

/// Plaintext bytes of a cell. On 17,885 messages a rare word opens 135 cells of 4 KiB, 65 of 16 or
/// 41 of 64: 0.5, 1.1 or 2.7 MB; small cells cost more calls, large ones more bytes.
pub(super) const CELL: usize = 16 << 10;
/// Bytes of a cell on the disk.
const SEALED: u64 = (CELL + TAG) as u64;
/// First bytes of every cell file; the last of them is the format version.
const MAGIC: [u8; 8] = *b"bullaix\x01";
/// Random bytes after the magic.
const SALT: usize = 32;
/// Magic and salt.
const HEADER: u64 = (MAGIC.len() + SALT) as u64;
/// The closing cell: a sealed `u64`.
const CLOSING: usize = 8 + TAG;
/// Opened cells kept for all files of an index together: 8 MiB.
const KEPT: NonZeroUsize = NonZeroUsize::new(512).unwrap();

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
type Cache = LruCache<(u64, u64), Arc<[u8]>>;

/// What the open files of one index share: the cache of opened cells, counters, and the first
/// damage met and the first write that failed (the engine above reports some of its threads'
/// errors as something else).
pub(super) struct Opened {
    cache: Mutex<Cache>,
    files: AtomicU64,
    cells: AtomicU64,
    damage: Mutex<Option<Damage>>,
    failure: Mutex<Option<io::Error>>,
}

impl Opened {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            cache: Mutex::new(LruCache::new(KEPT)),
            files: AtomicU64::new(0),
            cells: AtomicU64::new(0),
            damage: Mutex::new(None),
            failure: Mutex::new(None),
        })
    }

    /// Cells decrypted so far.
    pub(super) fn cells(&self) -> u64 {
        self.cells.load(Ordering::Relaxed)
    }

    /// The first damage met since the last call.
    pub(super) fn take_damage(&self) -> Option<Damage> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The first write that failed since the last call.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers a write that failed: a full disk, say.
    pub(super) fn failed(&self, error: io::Error) -> io::Error {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        error
    }

    /// Remembers damage and makes the error the engine gets.
    pub(super) fn damaged(&self, file: &str, what: impl Into<String>) -> io::Error {
        let damage = Damage { file: file.into(), what: what.into() };
        let mut first = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| damage.clone());
        io::Error::new(io::ErrorKind::InvalidData, damage)
    }
}

/// The key of one file, and the name every cell of it is bound to.
struct Cipher {
    aead: Aead,
    name: Vec<u8>,
}

impl Cipher {
    fn new(index_key: &Secret<32>, salt: &[u8; SALT], name: &str) -> Self {
        let key = crypto::hkdf(index_key.expose(), salt, label::INDEX_FILE);
        Self { aead: Aead::new(&key), name: name.as_bytes().to_vec() }
    }

    /// The key is of one write-once file, so the cell number is a nonce used once.
    fn nonce(cell: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        if let Some(low) = nonce.last_chunk_mut() {
            *low = cell.to_be_bytes();
        }
        nonce
    }

    fn associated(&self, last: bool) -> Vec<u8> {
        [&MAGIC[..], &[last.into()], &self.name].concat()
    }

    fn seal(&self, cell: u64, last: bool, data: &mut Vec<u8>) {
        let tag = self.aead.seal(&Self::nonce(cell), &self.associated(last), data);
        data.extend_from_slice(&tag);
    }

    /// Opens a cell with its tag behind it; `data` becomes the plaintext.
    fn open(&self, cell: u64, last: bool, data: &mut Vec<u8>) -> Result<(), crypto::Error> {
        let (body, tag) =
            data.split_last_chunk_mut::<TAG>().ok_or(crypto::Error::Damaged("cell"))?;
        self.aead.open(&Self::nonce(cell), &self.associated(last), body, tag)?;
        data.truncate(data.len() - TAG);
        Ok(())
    }
}

/// Whole cells that `length` bytes take: Padmé of the length, rounded up, at least one.
fn cells_of(length: u64) -> u64 {
    padme(length).div_ceil(CELL as u64).max(1)
}

/// Seals what is written to it. Nothing is readable until [`CellWriter::finish`].
pub(super) struct CellWriter<W: Write> {
    out: W,
    cipher: Cipher,
    cell: Vec<u8>,
    cells: u64,
    length: u64,
}

impl<W: Write> CellWriter<W> {
    /// Begins a file that is called `name` by those who read it back.
    pub(super) fn new(out: W, index_key: &Secret<32>, name: &str) -> io::Result<Self> {
        let salt = crypto::random::<SALT>().map_err(io::Error::other)?;
        Self::with_salt(out, index_key, name, salt)
    }

    /// The salt must be new for every file: it makes the key.
    fn with_salt(
        mut out: W,
        index_key: &Secret<32>,
        name: &str,
        salt: [u8; SALT],
    ) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&salt)?;
        let cipher = Cipher::new(index_key, &salt, name);
        Ok(Self { out, cipher, cell: Vec::with_capacity(CELL + TAG), cells: 0, length: 0 })
    }

    /// Pads, and writes the closing cell.
    pub(super) fn finish(mut self) -> io::Result<W> {
        while self.cells < cells_of(self.length) {
            self.write_cell()?;
        }
        let mut closing = self.length.to_be_bytes().to_vec();
        self.cipher.seal(self.cells, true, &mut closing);
        self.out.write_all(&closing)?;
        Ok(self.out)
    }

    /// Seals the cell under way, filled up with zeros.
    fn write_cell(&mut self) -> io::Result<()> {
        self.cell.resize(CELL, 0);
        self.cipher.seal(self.cells, false, &mut self.cell);
        self.out.write_all(&self.cell)?;
        self.cell.clear();
        self.cells += 1;
        Ok(())
    }
}

impl<W: Write> Write for CellWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let room = buf.len().min(CELL - self.cell.len());
        self.cell.extend(buf.iter().take(room));
        self.length += room as u64;
        if self.cell.len() == CELL {
            self.write_cell()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A finished cell file, opened for reading anywhere.
pub(super) struct CellFile {
    file: Mutex<File>,
    cipher: Cipher,
    on_disk: String,
    cells: u64,
    length: usize,
    number: u64,
    opened: Arc<Opened>,
}

impl CellFile {
    /// Opens a file that was written under `name`; `on_disk` is what errors call it.
    pub(super) fn open(
        mut file: File,
        index_key: &Secret<32>,
        name: &str,
        on_disk: &str,
        opened: &Arc<Opened>,
    ) -> io::Result<Self> {
        let damaged = |what: &str| opened.damaged(on_disk, what);
        let size = file.metadata()?.len();
        let sealed = size.checked_sub(HEADER + CLOSING as u64).unwrap_or(1);
        if sealed % SEALED != 0 {
            return Err(damaged("its length is not that of whole cells (truncated)"));
        }
        let cells = sealed / SEALED;
        let mut magic = [0; MAGIC.len()];
        let mut salt = [0; SALT];
        file.read_exact(&mut magic)?;
        file.read_exact(&mut salt)?;
        if magic != MAGIC {
            return Err(damaged("it does not begin as a cell file of this version"));
        }
        let cipher = Cipher::new(index_key, &salt, name);
        let mut closing = vec![0; CLOSING];
        file.seek(SeekFrom::Start(HEADER + sealed))?;
        file.read_exact(&mut closing)?;
        let length = cipher
            .open(cells, true, &mut closing)
            .ok()
            .and_then(|()| closing.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)))
            .filter(|length| cells_of(*length) == cells)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or_else(|| damaged("its closing cell does not open (changed, cut or moved)"))?;
        let number = opened.files.fetch_add(1, Ordering::Relaxed);
        let (file, on_disk) = (Mutex::new(file), on_disk.to_owned());
        Ok(Self { file, cipher, on_disk, cells, length, number, opened: Arc::clone(opened) })
    }

    /// Cells of the file, padding included.
    pub(super) fn cells(&self) -> u64 {
        self.cells
    }

    /// One opened cell, from the cache if it is there.
    pub(super) fn cell(&self, cell: u64) -> io::Result<Arc<[u8]>> {
        let place = (self.number, cell);
        let lock = || self.opened.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = lock().get(&place) {
            return Ok(Arc::clone(kept));
        }
        let mut data = vec![0; CELL + TAG];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(HEADER + cell * SEALED))?;
            file.read_exact(&mut data)?;
        }
        self.cipher.open(cell, false, &mut data).map_err(|_| {
            let what = format!("cell {cell} does not open (changed, or of another place)");
            self.opened.damaged(&self.on_disk, what)
        })?;
        self.opened.cells.fetch_add(1, Ordering::Relaxed);
        let data: Arc<[u8]> = data.into();
        lock().put(place, Arc::clone(&data));
        Ok(data)
    }

    /// The bytes of a range, of which only the touched cells are opened.
    pub(super) fn read(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let outside = || io::Error::new(io::ErrorKind::UnexpectedEof, "read past the end");
        if range.start > range.end || range.end > self.length {
            return Err(outside());
        }
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        let (first, last) = (range.start / CELL, (range.end - 1) / CELL);
        if first == last {
            let cell = OwnedBytes::new(self.cell(first as u64)?);
            return Ok(cell.slice(range.start - first * CELL..range.end - first * CELL));
        }
        let mut bytes = Vec::with_capacity(range.len());
        for number in first..=last {
            let cell = self.cell(number as u64)?;
            let from = range.start.saturating_sub(number * CELL);
            let to = (range.end - number * CELL).min(CELL);
            bytes.extend_from_slice(cell.get(from..to).ok_or_else(outside)?);
        }
        Ok(OwnedBytes::new(bytes))
    }
}

impl fmt::Debug for CellFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CellFile({})", self.on_disk)
    }
}

impl HasLen for CellFile {
    fn len(&self) -> usize {
        self.length
    }
}

impl FileHandle for CellFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.read(range)
    }
}

#[cfg(test)]
mod tests;

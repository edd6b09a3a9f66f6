//! A pack: all streams of one segment in one cell file, so that the folder tells neither how many
//! parts a segment has nor how long each is. `FORMAT.md` draws it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use tantivy::HasLen;
use tantivy::directory::{AntiCallToken, FileHandle, OwnedBytes, TerminatingWrite};

use super::cells::{CELL, CellFile, Cipher, Opened, SALT, header, lock, padded};
use super::disk::{Disk, Unnamed};
use super::manifest::{Entry, StreamEntry};
use crate::crypto;
use crate::secret::Secret;
use crate::text;

/// Most cells in a row that a stream takes at once: 1 MiB.
const RUN: u64 = 64;

/// Where the bytes behind the last whole cell of a stream are.
#[derive(Clone)]
enum Tail {
    /// In memory, while the pack is under way.
    Kept(Arc<[u8]>),
    /// At this byte of the pack.
    At(u64),
}

/// One of the engine's files, somewhere in a pack.
#[derive(Clone)]
pub(super) struct Stream {
    length: u64,
    /// Runs of whole cells: number of the first, and how many.
    runs: Vec<(u64, u64)>,
    tail: Tail,
}

/// The streams of a finished pack, open for reading.
pub(super) struct Pack {
    pub(super) file: Arc<CellFile>,
    streams: BTreeMap<String, Arc<Stream>>,
}

impl Pack {
    /// Opens the pack of an entry of the manifest.
    pub(super) fn open(disk: &dyn Disk, entry: &Entry, opened: &Arc<Opened>) -> io::Result<Self> {
        let name = entry.name();
        let file = disk.open(&name).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => opened.damaged(&name, "it is missing"),
            _ => error,
        })?;
        let file = CellFile::open(file, &entry.secret, &entry.salt, name, entry.cells, opened)?;
        let streams = entry.streams.iter().map(|stream| {
            let StreamEntry { path, length, runs, tail } = stream.clone();
            (path, Arc::new(Stream { length, runs, tail: Tail::At(tail) }))
        });
        Ok(Self { file: Arc::new(file), streams: streams.collect() })
    }

    /// One of its streams.
    pub(super) fn stream(self: &Arc<Self>, path: &str) -> Option<StreamReader> {
        let (file, stream) = (Arc::clone(&self.file), Arc::clone(self.streams.get(path)?));
        Some(StreamReader { file, stream, _pack: Some(Arc::clone(self)) })
    }
}

/// A pack under way.
pub(super) struct NewPack {
    file: Arc<CellFile>,
    secret: Secret<32>,
    salt: [u8; SALT],
    id: [u8; 16],
    state: Mutex<State>,
    opened: Arc<Opened>,
}

struct State {
    unnamed: Option<Box<dyn Unnamed>>,
    /// The first cell that nobody took.
    next: u64,
    /// Cells that were taken and not used.
    free: Vec<Range<u64>>,
    streams: BTreeMap<String, Arc<Stream>>,
}

impl NewPack {
    /// Begins a pack under a secret, a salt and a name of its own.
    pub(super) fn begin(disk: &dyn Disk, opened: &Arc<Opened>) -> io::Result<Arc<Self>> {
        let secret = crypto::random_secret().map_err(io::Error::other)?;
        let salt = crypto::random::<SALT>().map_err(io::Error::other)?;
        let id = crypto::random().map_err(io::Error::other)?;
        let (file, unnamed) = disk.begin()?;
        file.write_at(&header(&salt), 0)?;
        let name = text::hex_encode(&id);
        let cipher = Cipher::new(&secret, &salt, &name);
        let file = Arc::new(CellFile::begin(file, cipher, name, opened));
        let state =
            State { unnamed: Some(unnamed), next: 0, free: Vec::new(), streams: BTreeMap::new() };
        let opened = Arc::clone(opened);
        Ok(Arc::new(Self { file, secret, salt, id, state: Mutex::new(state), opened }))
    }

    /// Begins a stream of it.
    pub(super) fn stream_writer(self: &Arc<Self>, path: &str) -> StreamWriter {
        StreamWriter {
            pack: Arc::clone(self),
            path: path.to_owned(),
            cell: Vec::with_capacity(CELL),
            run: 0..0,
            runs: Vec::new(),
            length: 0,
            broken: false,
        }
    }

    /// A stream that was written to its end.
    pub(super) fn stream(&self, path: &str) -> Option<StreamReader> {
        let stream = Arc::clone(lock(&self.state).streams.get(path)?);
        Some(StreamReader { file: Arc::clone(&self.file), stream, _pack: None })
    }

    /// Forgets a stream, and returns whether that was the last.
    pub(super) fn forget(&self, path: &str) -> bool {
        let mut state = lock(&self.state);
        state.streams.remove(path);
        state.streams.is_empty()
    }

    /// Writes what is left, makes all durable, and gives the file its name, which is durable
    /// after [`Disk::sync`].
    pub(super) fn finish(&self) -> io::Result<(Entry, Pack)> {
        let mut state = lock(&self.state);
        // Taken first: a pack that could not be finished is never begun to finish again, so no
        // cell is written twice.
        let unnamed = state.unnamed.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let first = state.next;
        let mut tails = Vec::new();
        let (mut entries, mut streams) = (Vec::new(), BTreeMap::new());
        for (path, stream) in &state.streams {
            let tail = first * CELL as u64 + tails.len() as u64;
            if let Tail::Kept(bytes) = &stream.tail {
                tails.extend_from_slice(bytes);
            }
            let Stream { length, runs, .. } = &**stream;
            let (length, runs) = (*length, runs.clone());
            entries.push(StreamEntry { path: path.clone(), length, runs: runs.clone(), tail });
            streams.insert(path.clone(), Arc::new(Stream { length, runs, tail: Tail::At(tail) }));
        }
        // At least one cell, which is the last and says so.
        let end = padded(first + tails.len().div_ceil(CELL).max(1) as u64);
        let mut cell = Vec::with_capacity(CELL + crypto::TAG);
        for number in std::mem::take(&mut state.free).into_iter().flatten() {
            self.file.write(number, false, &mut cell)?;
        }
        let mut rest = tails.chunks(CELL);
        for number in first..end {
            cell.extend_from_slice(rest.next().unwrap_or_default());
            self.file.write(number, number + 1 == end, &mut cell)?;
        }
        self.file.sync()?;
        unnamed.name(&self.file.name)?;
        self.file.finished(end);
        let secret = Secret::from_slice(self.secret.expose()).ok_or(io::ErrorKind::InvalidData)?;
        let entry = Entry { id: self.id, secret, salt: self.salt, cells: end, streams: entries };
        Ok((entry, Pack { file: Arc::clone(&self.file), streams }))
    }

    /// Cells in a row for a stream that has so many.
    fn take(&self, have: u64) -> Range<u64> {
        let mut state = lock(&self.state);
        let want = have.clamp(1, RUN);
        if let Some(mut free) = state.free.pop() {
            let taken = free.start..free.end.min(free.start + want);
            free.start = taken.end;
            if !free.is_empty() {
                state.free.push(free);
            }
            return taken;
        }
        let taken = state.next..state.next + want;
        state.next = taken.end;
        taken
    }
}

/// A copy of a finished pack under a secret, a salt and a name of its own, cell by cell.
pub(super) fn resealed(disk: &dyn Disk, entry: &Entry, pack: &Pack) -> io::Result<Entry> {
    let copy = NewPack::begin(disk, &pack.file.opened)?;
    let mut outcome = Ok(());
    let mut cell = Vec::with_capacity(CELL + crypto::TAG);
    pack.file.each(|number, opened| {
        outcome = opened.and_then(|plain| {
            cell.extend_from_slice(plain);
            copy.file.write(number, number + 1 == entry.cells, &mut cell)
        });
        outcome.is_ok()
    });
    outcome?;
    let unnamed = lock(&copy.state).unnamed.take().ok_or(io::ErrorKind::BrokenPipe)?;
    copy.file.sync()?;
    unnamed.name(&copy.file.name)?;
    let secret = Secret::from_slice(copy.secret.expose()).ok_or(io::ErrorKind::InvalidData)?;
    let (cells, streams) = (entry.cells, entry.streams.clone());
    Ok(Entry { id: copy.id, secret, salt: copy.salt, cells, streams })
}

/// Writes one stream into a pack. Nothing of it is readable until it is terminated.
pub(super) struct StreamWriter {
    pack: Arc<NewPack>,
    path: String,
    cell: Vec<u8>,
    /// Cells taken and not used yet.
    run: Range<u64>,
    runs: Vec<(u64, u64)>,
    length: u64,
    /// A write failed: there will be no such stream.
    broken: bool,
}

impl StreamWriter {
    fn write_cell(&mut self) -> io::Result<()> {
        if self.run.is_empty() {
            self.run = self.pack.take(self.length / CELL as u64);
        }
        let Some(number) = self.run.next() else { return Err(io::ErrorKind::StorageFull.into()) };
        match self.runs.last_mut() {
            Some((first, count)) if *first + *count == number => *count += 1,
            _ => self.runs.push((number, 1)),
        }
        let written = self.pack.file.write(number, false, &mut self.cell);
        self.broken = written.is_err();
        written.map_err(|error| self.pack.opened.failed(error))
    }
}

impl Write for StreamWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = buf.len().min(CELL - self.cell.len());
        self.cell.extend(buf.iter().take(room));
        self.length += room as u64;
        if self.cell.len() == CELL {
            self.write_cell()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for StreamWriter {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let tail = Tail::Kept(std::mem::take(&mut self.cell).into());
        let runs = std::mem::take(&mut self.runs);
        let stream = Arc::new(Stream { length: self.length, runs, tail });
        lock(&self.pack.state).streams.insert(std::mem::take(&mut self.path), stream);
        Ok(())
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        if !self.run.is_empty() {
            lock(&self.pack.state).free.push(self.run.clone());
        }
    }
}

/// Reads one stream, of which only the touched cells are opened.
pub(super) struct StreamReader {
    file: Arc<CellFile>,
    stream: Arc<Stream>,
    /// While one stream of a pack is read, the others can be asked for.
    _pack: Option<Arc<Pack>>,
}

impl StreamReader {
    /// The bytes of a range.
    pub(super) fn read(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let (start, end) = (range.start as u64, range.end as u64);
        if start > end || end > self.stream.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "read past the end"));
        }
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        let mut bytes = Bytes { wanted: range.len(), one: None, many: Vec::new() };
        let cell = CELL as u64;
        // Cells of the stream before the run looked at.
        let mut before = 0;
        for (first, count) in &self.stream.runs {
            let (from, to) = ((start / cell).max(before), end.div_ceil(cell).min(before + count));
            if from < to {
                let cells = self.file.read(first + from - before, to - from)?;
                for (number, data) in (from..).zip(cells) {
                    let skip = start.saturating_sub(number * cell);
                    let upto = (end - number * cell).min(cell);
                    bytes.add(data, skip as usize..upto as usize)?;
                }
            }
            before += count;
        }
        let whole = before * cell;
        if end > whole {
            let part = start.max(whole) - whole..end - whole;
            match &self.stream.tail {
                Tail::Kept(tail) => {
                    bytes.add(Arc::clone(tail), part.start as usize..part.end as usize)?;
                }
                Tail::At(at) => {
                    let (start, end) = (at + part.start, at + part.end);
                    let first = start / cell;
                    let cells = self.file.read(first, end.div_ceil(cell) - first)?;
                    for (number, data) in (first..).zip(cells) {
                        let skip = start.saturating_sub(number * cell);
                        let upto = (end - number * cell).min(cell);
                        bytes.add(data, skip as usize..upto as usize)?;
                    }
                }
            }
        }
        bytes.finish()
    }
}

/// Puts pieces of cells together; what lies in one cell is not copied.
struct Bytes {
    wanted: usize,
    one: Option<OwnedBytes>,
    many: Vec<u8>,
}

impl Bytes {
    fn add(&mut self, cell: Arc<[u8]>, range: Range<usize>) -> io::Result<()> {
        let piece = cell.get(range.clone()).ok_or(io::ErrorKind::UnexpectedEof)?;
        if piece.len() == self.wanted {
            self.one = Some(OwnedBytes::new(cell).slice(range));
        } else {
            self.many.reserve(self.wanted);
            self.many.extend_from_slice(piece);
        }
        Ok(())
    }

    fn finish(self) -> io::Result<OwnedBytes> {
        let bytes = self.one.unwrap_or_else(|| OwnedBytes::new(self.many));
        if bytes.len() == self.wanted {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamReader({})", self.file.name)
    }
}

impl HasLen for StreamReader {
    fn len(&self) -> usize {
        usize::try_from(self.stream.length).unwrap_or(usize::MAX)
    }
}

impl FileHandle for StreamReader {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.read(range)
    }
}

#[cfg(test)]
mod tests;

//! A pack: all streams of one segment in one cell file, so that the folder tells neither how many
//! parts a segment has nor how long each is. `FORMAT.md` draws it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tantivy::HasLen;
use tantivy::directory::{AntiCallToken, FileHandle, OwnedBytes, TerminatingWrite};

use crate::crypto;
use crate::files::disk::{Access, Disk, Existing, Unnamed};
use crate::index::storage::cells::{
    CELL, CellFile, Cipher, HEADER, MANY, Opened, SALT, header, lock, padded, place,
};
use crate::index::storage::manifest::{Entry, StreamEntry};
use crate::secret::Secret;
use crate::text;

/// Most cells in a row that a stream takes at once: 1 MiB.
const RUN: u64 = (1 << 20) / CELL as u64;

/// Most bytes of the ends of streams that are read ahead.
const ENDS: u64 = 64 << 10;

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
pub(crate) struct Stream {
    length: u64,
    /// Runs of whole cells: number of the first, and how many.
    runs: Vec<(u64, u64)>,
    tail: Tail,
}

/// The streams of a finished pack, open for reading.
pub(crate) struct Pack {
    pub(crate) file: Arc<CellFile>,
    streams: BTreeMap<String, Arc<Stream>>,
}

impl Entry {
    /// Tells the system that the beginning and the ends of the streams of its pack will be read.
    pub(crate) fn ahead(&self, disk: &dyn Disk) {
        // Whoever opens it sees what is wrong.
        let Ok(file) = disk.open(&self.name()) else { return };
        file.ahead(0, HEADER as u64);
        let ends = self.streams.iter().map(|stream| stream.tail / CELL as u64);
        if let Some(first) = ends.min() {
            file.ahead(place(first), place(self.cells).saturating_sub(place(first)).min(ENDS));
        }
    }
}

impl Pack {
    /// Opens the pack of an entry of the manifest.
    pub(crate) fn open(disk: &dyn Disk, entry: &Entry, opened: &Arc<Opened>) -> io::Result<Self> {
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
    pub(crate) fn stream(self: &Arc<Self>, path: &str) -> Option<StreamReader> {
        let (file, stream) = (Arc::clone(&self.file), Arc::clone(self.streams.get(path)?));
        Some(StreamReader { file, stream, _pack: Some(Arc::clone(self)) })
    }
}

/// A pack under way.
pub(crate) struct NewPack {
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
    pub(crate) fn begin(disk: &dyn Disk, opened: &Arc<Opened>) -> io::Result<Arc<Self>> {
        let secret = crypto::random_secret().map_err(io::Error::other)?;
        let salt = crypto::random::<SALT>().map_err(io::Error::other)?;
        let id = crypto::random().map_err(io::Error::other)?;
        let (file, unnamed) = disk.begin(Access::Private)?;
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
    pub(crate) fn stream_writer(self: &Arc<Self>, path: &str) -> StreamWriter {
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
    pub(crate) fn stream(&self, path: &str) -> Option<StreamReader> {
        let stream = Arc::clone(lock(&self.state).streams.get(path)?);
        Some(StreamReader { file: Arc::clone(&self.file), stream, _pack: None })
    }

    /// Forgets a stream, and returns whether that was the last.
    pub(crate) fn forget(&self, path: &str) -> bool {
        let mut state = lock(&self.state);
        state.streams.remove(path);
        state.streams.is_empty()
    }

    /// Writes what is left, makes all durable, and gives the file its name, which is durable
    /// after [`Disk::sync`].
    pub(crate) fn finish(&self) -> io::Result<(Entry, Pack)> {
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
        unnamed.name(self.file.name.as_ref(), Existing::Overwrite)?;
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
pub(crate) fn resealed(disk: &dyn Disk, entry: &Entry, pack: &Pack) -> io::Result<Entry> {
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
    unnamed.name(copy.file.name.as_ref(), Existing::Overwrite)?;
    let secret = Secret::from_slice(copy.secret.expose()).ok_or(io::ErrorKind::InvalidData)?;
    let (cells, streams) = (entry.cells, entry.streams.clone());
    Ok(Entry { id: copy.id, secret, salt: copy.salt, cells, streams })
}

/// Writes one stream into a pack. Nothing of it is readable until it is terminated.
pub(crate) struct StreamWriter {
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

/// Cells in a row, and what is wanted of their bytes.
struct Piece {
    first: u64,
    count: u64,
    skip: usize,
    length: usize,
}

impl Piece {
    /// So many bytes from a byte of the pack on.
    fn new(at: u64, length: u64) -> Self {
        let cell = CELL as u64;
        let first = at / cell;
        let count = (at + length).div_ceil(cell) - first;
        Self { first, count, skip: (at - first * cell) as usize, length: length as usize }
    }
}

impl Stream {
    /// Where in the pack a range of its bytes stands; of a kept tail nothing.
    fn pieces(&self, start: u64, end: u64) -> Vec<Piece> {
        let cell = CELL as u64;
        let mut pieces = Vec::new();
        let mut low = 0;
        for (first, count) in &self.runs {
            let high = low + count * cell;
            let (from, to) = (start.max(low), end.min(high));
            if from < to {
                pieces.push(Piece::new(first * cell + from - low, to - from));
            }
            low = high;
        }
        if let Tail::At(at) = self.tail
            && end > low
        {
            let from = start.max(low);
            pieces.push(Piece::new(at + from - low, end - from));
        }
        pieces
    }
}

/// Reads one stream, of which only the touched cells are opened.
pub(crate) struct StreamReader {
    file: Arc<CellFile>,
    stream: Arc<Stream>,
    /// While one stream of a pack is read, the others can be asked for.
    _pack: Option<Arc<Pack>>,
}

impl StreamReader {
    /// The bytes of a range.
    pub(crate) fn read(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let (start, end) = (range.start as u64, range.end as u64);
        if start > end || end > self.stream.length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "read past the end"));
        }
        let pieces = self.stream.pieces(start, end);
        if let [Piece { first, count, skip, length }] = *pieces
            && length == range.len()
            && count >= MANY
        {
            let data = self.file.read_many(first, count)?;
            return Ok(OwnedBytes::new(data).slice(skip..skip + length));
        }
        let mut bytes = Bytes { wanted: range.len(), one: None, many: Vec::new() };
        for Piece { first, count, mut skip, mut length } in pieces {
            for cell in self.file.read(first, count)? {
                let upto = CELL.min(skip + length);
                length -= upto - skip;
                bytes.add(&cell, skip..upto)?;
                skip = 0;
            }
        }
        if let Tail::Kept(tail) = &self.stream.tail {
            let whole = self.stream.length - tail.len() as u64;
            let from = start.max(whole);
            if from < end {
                let part = (from - whole) as usize..(end - whole) as usize;
                bytes.add(&OwnedBytes::new(Arc::clone(tail)), part)?;
            }
        }
        bytes.finish()
    }

    /// Tells the system that a range will be read.
    fn ahead(&self, range: &Range<usize>) {
        for piece in self.stream.pieces(range.start as u64, range.end as u64) {
            self.file.ahead(piece.first, piece.count);
        }
    }
}

/// Puts pieces of cells together; what lies in one cell is not copied.
struct Bytes {
    wanted: usize,
    one: Option<OwnedBytes>,
    many: Vec<u8>,
}

impl Bytes {
    fn add(&mut self, cell: &OwnedBytes, range: Range<usize>) -> io::Result<()> {
        let piece = cell.get(range.clone()).ok_or(io::ErrorKind::UnexpectedEof)?;
        if piece.len() == self.wanted {
            self.one = Some(cell.slice(range));
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

    /// The first poll tells the system what will be read, the second reads it.
    fn read_bytes_async<'a, 'b>(
        &'a self,
        range: Range<usize>,
    ) -> Pin<Box<dyn Future<Output = io::Result<OwnedBytes>> + Send + 'b>>
    where
        'a: 'b,
    {
        let mut told = false;
        Box::pin(poll_fn(move |context| {
            if told {
                return Poll::Ready(self.read(range.clone()));
            }
            told = true;
            self.ahead(&range);
            context.waker().wake_by_ref();
            Poll::Pending
        }))
    }
}

#[cfg(test)]
mod tests;

//! A file of the log: a header, then records, then zeros up to its length.

use std::io;
use std::sync::Arc;

use crate::crypto;
use crate::files::disk::{Disk, Handle};
use crate::relay::store::embedded::record::{Fact, HEAD, Head, MARK, MAX_FACT};

/// First bytes of a segment.
const MAGIC: [u8; 8] = *b"\x8bbulla R";
/// Version of the format.
const VERSION: u8 = 1;
/// First bytes of a hint.
const HINT: [u8; 8] = *b"\x8bbulla H";
/// Bytes written at once to a new segment.
const PIECE: usize = 1 << 20;
/// Bytes of the header.
pub(super) const HEADER: usize = 44;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) offset: u32,
}

/// An open segment.
pub(super) struct Segment {
    pub(super) number: u32,
    /// Random bytes before each record, so that no body can hold what looks like one.
    pub(super) mark: [u8; MARK],
    /// The time the store believed when it was made, in Unix seconds.
    pub(super) created: u64,
    pub(super) file: Arc<dyn Handle>,
}

/// A record met in a segment.
pub(super) struct Met {
    pub(super) offset: u32,
    pub(super) head: Head,
    pub(super) fact: Fact,
    /// Its body is as it was written.
    pub(super) sound: bool,
}

/// The file name of a segment.
pub(super) fn name(number: u32) -> String {
    format!("{number:016x}.log")
}

/// The file name of its hint.
pub(super) fn hint_name(number: u32) -> String {
    format!("{number:016x}.hint")
}

/// The number in a segment's file name.
pub(super) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 16)?;
    u32::from_str_radix(digits, 16).ok()
}

impl Segment {
    /// Makes a segment of `length` bytes, durable with its name. Leaves nothing when it cannot.
    pub(super) fn create(
        disk: &dyn Disk,
        number: u32,
        length: u64,
        created: u64,
    ) -> io::Result<Self> {
        let mark = crypto::random().map_err(io::Error::other)?;
        let file = disk.create(&name(number))?;
        let prepare = || {
            file.allocate(length)?;
            // Blocks that were written once are written again without a change to the file's
            // map, which halves the time of a sync.
            let zeros = vec![0; PIECE];
            let mut at = 0;
            while at < length {
                let piece = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
                file.write_at(zeros.get(..piece).unwrap_or_default(), at)?;
                at += piece as u64;
            }
            file.write_at(&header(MAGIC, number, mark, created), 0)?;
            file.sync_data()?;
            disk.sync()
        };
        if let Err(error) = prepare() {
            disk.remove(&name(number))?;
            return Err(error);
        }
        Ok(Self { number, mark, created, file })
    }

    /// Reads a segment by its hint, or record by record when there is none that is whole.
    /// `None` when it never came to hold anything.
    pub(super) fn read(disk: &dyn Disk, number: u32) -> io::Result<Option<(Self, Records)>> {
        let file = disk.open_writable(&name(number))?;
        if let Some((header, bytes)) = read_hint(disk, number)? {
            let Header { mark, created } = header;
            let records = Records::Hint { at: HEADER, bytes };
            return Ok(Some((Self { number, mark, created, file }, records)));
        }
        let bytes = read_all(&*file)?;
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let header = match bytes.first_chunk::<HEADER>() {
            Some(found) => match read_header(MAGIC, found, number)? {
                Some(header) => Some(header),
                // The header is damaged: the first record has the mark too.
                None => bytes
                    .get(HEADER..)
                    .and_then(|rest| rest.first_chunk())
                    .map(|mark| Header { mark: *mark, created: 0 }),
            },
            None => None,
        };
        let Some(Header { mark, created }) = header.filter(|header| header.mark != [0; MARK])
        else {
            return Ok(None);
        };
        let scan = Scan { bytes, at: HEADER, end: used, mark, damaged: 0 };
        Ok(Some((Self { number, mark, created, file }, Records::Scan(scan))))
    }

    /// Writes the hint of a segment that is full: the heads of its records. It says that
    /// whatever they say is gone was overwritten durably.
    pub(super) fn write_hint(&self, disk: &dyn Disk, heads: &[u8]) -> io::Result<()> {
        let mut bytes = header(HINT, self.number, self.mark, self.created).to_vec();
        bytes.extend_from_slice(heads);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        // One that is not whole, of a start that was cut off.
        remove_hint(disk, self.number)?;
        let file = disk.create(&hint_name(self.number))?;
        file.write_at(&bytes, 0)?;
        file.sync_data()?;
        disk.sync()
    }
}

/// Removes the hint of a segment, if it has one.
pub(super) fn remove_hint(disk: &dyn Disk, number: u32) -> io::Result<()> {
    match disk.remove(&hint_name(number)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read_all(file: &dyn Handle) -> io::Result<Vec<u8>> {
    let length = usize::try_from(file.length()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// A hint that is whole, or `None`.
fn read_hint(disk: &dyn Disk, number: u32) -> io::Result<Option<(Header, Vec<u8>)>> {
    let file = match disk.open_writable(&hint_name(number)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = read_all(&*file)?;
    let Some((content, sum)) = bytes.split_last_chunk::<4>() else { return Ok(None) };
    let Some(found) = content.first_chunk::<HEADER>() else { return Ok(None) };
    if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
        return Ok(None);
    }
    let header = read_header(HINT, found, number)?;
    bytes.truncate(bytes.len().saturating_sub(4));
    Ok(header.map(|header| (header, bytes)))
}

struct Header {
    mark: [u8; MARK],
    created: u64,
}

fn header(magic: [u8; 8], number: u32, mark: [u8; MARK], created: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let (fields, sum) = header.split_at_mut(HEADER - 4);
    let (number, created) = (u64::from(number).to_le_bytes(), created.to_le_bytes());
    let parts: [&[u8]; 6] = [&magic, &[VERSION], &[0; 7], &number, &mark, &created];
    for (place, byte) in fields.iter_mut().zip(parts.concat()) {
        *place = byte;
    }
    sum.copy_from_slice(&crc32fast::hash(fields).to_le_bytes());
    header
}

/// The fields, or `None` when the header is damaged. Another version is an error.
fn read_header(magic: [u8; 8], header: &[u8; HEADER], number: u32) -> io::Result<Option<Header>> {
    let (fields, sum) = header.split_at(HEADER - 4);
    if crc32fast::hash(fields).to_le_bytes() != sum {
        return Ok(None);
    }
    let version = fields.get(8).copied().unwrap_or_default();
    if !fields.starts_with(&magic) || version != VERSION {
        let name = name(number);
        let why = format!("{name} has version {version}, this program knows version {VERSION}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mark = fields.get(24..32).and_then(|mark| mark.first_chunk()).copied();
    let created = fields.get(32..).and_then(|created| created.first_chunk()).copied();
    Ok(mark
        .zip(created)
        .map(|(mark, created)| Header { mark, created: u64::from_le_bytes(created) }))
}

/// The records of a segment, in order.
pub(super) enum Records {
    /// From its hint.
    Hint {
        /// The whole hint without its sum.
        bytes: Vec<u8>,
        /// Where the next head is.
        at: usize,
    },
    /// From itself.
    Scan(Scan),
}

impl Iterator for Records {
    type Item = Met;

    fn next(&mut self) -> Option<Met> {
        match self {
            Self::Scan(scan) => scan.next(),
            Self::Hint { bytes, at } => {
                let (offset, rest) = bytes.get(*at..)?.split_first_chunk::<4>()?;
                let (head, fact) = Head::read(rest)?;
                *at += 4 + HEAD - MARK + usize::from(head.fact);
                Some(Met { offset: u32::from_le_bytes(*offset), head, fact, sound: true })
            }
        }
    }
}

/// What a hint says of one record: where it is, and its head and fact without the mark.
pub(super) fn hint_of(heads: &mut Vec<u8>, offset: u32, record: &[u8], body: usize) {
    heads.extend_from_slice(&offset.to_le_bytes());
    heads.extend_from_slice(record.get(MARK..record.len() - body).unwrap_or_default());
}

/// Goes through a segment itself. What is damaged is passed over up to the next mark.
pub(super) struct Scan {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
    mark: [u8; MARK],
    /// Stretches that are no records.
    pub(super) damaged: u64,
}

impl Scan {
    /// Where the last record so far ends.
    pub(super) fn at(&self) -> u64 {
        self.at as u64
    }

    /// Where the last byte that is not zero is, and one.
    pub(super) fn used(&self) -> u64 {
        self.end as u64
    }

    /// What a hint says of a record that was met.
    pub(super) fn hint_of(&self, heads: &mut Vec<u8>, met: &Met) {
        let at = met.offset as usize;
        let head = self.bytes.get(at..at + HEAD + usize::from(met.head.fact));
        hint_of(heads, met.offset, head.unwrap_or_default(), 0);
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Option<Met> {
        let mut from = self.at;
        while from < self.end {
            let rest = self.bytes.get(from..)?;
            let marked = rest.strip_prefix(&self.mark);
            let window = marked.map(|rest| rest.get(..HEAD - MARK + MAX_FACT).unwrap_or(rest));
            if let Some((head, fact)) = window.and_then(Head::read)
                && let Some(offset) = u32::try_from(from).ok()
            {
                let length = usize::try_from(head.length()).ok()?;
                let body = rest.get(head.body_at() as usize..length);
                let sound = body.is_some_and(|body| crc32fast::hash(body) == head.body_sum);
                self.damaged += u64::from(from != self.at);
                self.at = from + rest.len().min(length);
                return Some(Met { offset, head, fact, sound });
            }
            let next = rest.get(1..)?.windows(MARK).position(|bytes| bytes == self.mark)?;
            from += 1 + next;
        }
        None
    }
}

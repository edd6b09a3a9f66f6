//! A file as it is read: unpacked, told by its first bytes, and recognised again when it grew.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::index::document::hashed;
use crate::index::ingest::formats::detect::{self, Form, detect};
use crate::index::ingest::formats::mbox::Messages;
use crate::index::ingest::formats::unpack;
use crate::index::ingest::sources::catalogue::{Entry, Shape, Stat};
use crate::index::ingest::sources::walk::Found;

/// A file changed so shortly before it is read may be changed again in the same tick of its clock.
const TICK: Duration = Duration::from_secs(2);
/// Bytes read at a time, and judged at the beginning.
const BUFFER: usize = 64 << 10;
/// Bytes of a sample, and samples of a file besides its beginning and its end.
const SAMPLE: u64 = 4 << 10;
const SAMPLES: u64 = 14;
/// Bytes looked at for the beginning of the next message where a file ended before.
const NEXT: usize = 1 << 10;

/// A file that was opened.
pub(crate) struct Source {
    pub(crate) form: Form,
    pub(crate) stat: Stat,
    pub(crate) fresh: bool,
    pub(crate) packed: bool,
    /// Where reading begins: where it ended, of a file that only grew.
    pub(crate) begin: u64,
    input: Box<dyn BufRead>,
}

impl Source {
    /// Opens a file; `old` is what is known of it.
    pub(crate) fn open(found: &Found, old: Option<&Entry>) -> io::Result<Self> {
        let mut file = File::open(&found.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let stat = Stat::of(&metadata);
        let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let fresh = SystemTime::now().duration_since(changed).map_or(true, |since| since < TICK);
        if let Some(old) = old
            && let Some(begin) = grown(&mut file, &stat, old)?
        {
            file.seek(SeekFrom::Start(begin))?;
            let form = if old.shape == Shape::Lines { Form::Lines } else { Form::Mbox };
            let input = Box::new(BufReader::with_capacity(BUFFER, file));
            return Ok(Self { form, stat, fresh, packed: false, begin, input });
        }
        file.seek(SeekFrom::Start(0))?;
        let mut input = BufReader::with_capacity(BUFFER, file);
        let packed = unpack::is_packed(input.fill_buf()?);
        let mut input: Box<dyn BufRead> = match packed {
            true => unpack::unpack(input, stat.size)?,
            false => Box::new(input),
        };
        let form = detect(input.fill_buf()?, &found.path);
        Ok(Self { form, stat, fresh, packed, begin: 0, input })
    }

    /// All of it, as one.
    pub(crate) fn whole(&mut self, most: u64) -> io::Result<Vec<u8>> {
        crate::files::read_to_limit(&mut self.input, most.min(u64::MAX - 1))
    }

    /// Its messages.
    pub(crate) fn messages(self, most: u64) -> Messages<Box<dyn BufRead>> {
        Messages::new(self.input, most)
    }

    /// Its next line into `line`, without the end of line, and how many bytes were read; a line
    /// longer than `most` is read over, and empty. 0 at the end.
    pub(crate) fn line(&mut self, line: &mut Vec<u8>, most: u64) -> io::Result<u64> {
        line.clear();
        let limit = most.min(u64::MAX - 1) + 1;
        let mut read = self.input.by_ref().take(limit).read_until(b'\n', line)? as u64;
        if read == limit && !line.ends_with(b"\n") {
            line.clear();
            read += self.input.skip_until(b'\n')? as u64;
        }
        Ok(read)
    }
}

/// Where to go on in a file that was read before and only has more behind that; `None` when it
/// has to be read again.
fn grown(file: &mut File, stat: &Stat, old: &Entry) -> io::Result<Option<u64>> {
    let same = (stat.device, stat.inode) == (old.stat.device, old.stat.inode);
    if !same || old.end == 0 || stat.size <= old.end || sample(file, old.end)? != old.content {
        return Ok(None);
    }
    let mut next = vec![0; NEXT];
    let read = read_at(file, old.end, &mut next)?;
    let next = next.get(..read).unwrap_or_default();
    // A line of JSON begins where another ended, a message behind an empty line.
    let mut last = [0];
    read_at(file, old.end - 1, &mut last)?;
    let blanks = next.iter().take_while(|b| matches!(**b, b'\n' | b'\r')).count();
    let begins = next.get(blanks..).unwrap_or_default();
    let continues = old.shape == Shape::Lines || detect::is_from_line(begins);
    Ok((last == *b"\n" && continues).then_some(old.end + blanks as u64))
}

/// A hash of parts of a file up to `end`: who changes it within, and leaves these alone, its length
/// and its number, is not found out. An mbox is only appended to, or written anew.
pub(crate) fn sample(file: &mut File, end: u64) -> io::Result<u128> {
    let mut parts = vec![end.to_be_bytes().to_vec()];
    for number in 0..=SAMPLES + 1 {
        let at = end.saturating_sub(SAMPLE) / (SAMPLES + 1) * number;
        let at = if number > SAMPLES { end.saturating_sub(SAMPLE) } else { at };
        let length = usize::try_from(SAMPLE.min(end - at)).unwrap_or_default();
        let mut part = vec![0; length];
        let read = read_at(file, at, &mut part)?;
        part.truncate(read);
        parts.push(part);
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Ok(hashed(&parts))
}

/// The same of a file by its path, if it is still the one that was read.
pub(crate) fn sample_of(path: &Path, stat: &Stat, end: u64) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let now = Stat::of(&file.metadata()?);
    if (now.device, now.inode) != (stat.device, stat.inode) || now.size < end {
        return Ok(0);
    }
    sample(&mut file, end)
}

/// A hash of a file that is one document.
pub(crate) fn content(bytes: &[u8]) -> u128 {
    hashed(&[b"content\0", bytes])
}

fn read_at(file: &mut File, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut read = 0;
    while let Some(rest) = buf.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

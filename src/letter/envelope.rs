//! The envelope stream: sealed letters on their way, each with where it goes.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::age;
use crate::identity;
use crate::letter::Error;
use crate::letter::plaintext::BLOCK;
use crate::secret::Secret;
use crate::wire::{self, Decode, Encode, Record};

/// First bytes of an envelope stream. Read as the length of a record they are too long for
/// one, so a second stream may follow the first (`cat a b`).
pub(super) const MAGIC: [u8; 8] = *b"\x8bbulla E";
/// In place of the next envelope: the stream is complete.
const END: [u8; 4] = [0; 4];
/// In place of the next envelope: those that follow were given out before.
const AGAIN: [u8; 4] = [0xff, 0xff, 0xfe, 0];
/// In place of the next envelope or block, followed by a status that is not zero: what wrote the
/// stream failed. No length is as great as that of these marks.
const FAILED: &[u8] = &[0xff; 3];

/// Where a letter goes. It is on the outside: not sealed, not signed, for the sender's own
/// `push` only, which strips it off.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Routing {
    /// The relay's URL, or `None`: the one the user names.
    pub relay: Option<String>,
    /// The mailbox's id.
    pub mailbox: [u8; 32],
    /// The capability to push there, or `None`: the mailbox is open to all.
    pub capability: Option<Arc<Secret<32>>>,
}

impl Record for Routing {
    const NAME: &'static str = "envelope routing";
    const VERSION: u8 = 1;
    const MAX: usize = 1024;
}

impl Routing {
    pub(super) fn check(&self) -> Result<(), Error> {
        let relay = self.relay.as_deref().map_or(Ok(()), identity::check_relay);
        relay.map_err(|_| malformed("the relay's address is no URL"))
    }
}

/// Writes an envelope stream. It must be [finished](EnvelopeWriter::finish): a stream without
/// its end is taken for truncated, one without envelopes says that there were none.
#[derive(Debug)]
pub struct EnvelopeWriter<W> {
    output: W,
    /// An envelope was begun and not finished.
    begun: bool,
}

impl<W: Write> EnvelopeWriter<W> {
    /// Begins a stream.
    pub fn new(mut output: W) -> Result<Self, Error> {
        output.write_all(&MAGIC)?;
        Ok(Self { output, begun: false })
    }

    /// Begins an envelope: write the sealed letter to what this returns, and finish it.
    ///
    /// # Errors
    ///
    /// [`Error::Unfinished`] when the envelope before was not finished: the stream is lost.
    pub fn begin(&mut self, routing: &Routing) -> Result<EnvelopeSink<'_, W>, Error> {
        self.check()?;
        routing.check()?;
        self.begun = true;
        wire::write_framed(&mut self.output, routing)?;
        Ok(EnvelopeSink { writer: self, block: Vec::with_capacity(BLOCK), hash: Sha256::new() })
    }

    /// Marks what follows as given out before: its reader may have opened it, and lost it.
    pub fn again(&mut self) -> Result<(), Error> {
        self.check()?;
        Ok(self.output.write_all(&AGAIN)?)
    }

    /// Ends the stream and gives the output back, flushed.
    pub fn finish(mut self) -> Result<W, Error> {
        self.check()?;
        self.output.write_all(&END)?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn check(&self) -> Result<(), Error> {
        if self.begun { Err(Error::Unfinished) } else { Ok(()) }
    }
}

/// Tells the reader of an envelope stream that its writer failed, with the writer's exit status:
/// in a stream that was `begun`, if need be in the middle of an envelope, or else in one without
/// envelopes. A status of zero, which is no failure, is told as 1.
pub fn write_failure(mut output: impl Write, begun: bool, status: u8) -> io::Result<()> {
    let mut mark = if begun { Vec::new() } else { MAGIC.to_vec() };
    mark.extend(FAILED);
    mark.push(status.max(1));
    output.write_all(&mark)?;
    output.flush()
}

/// Takes the sealed bytes of one envelope.
#[derive(Debug)]
pub struct EnvelopeSink<'a, W> {
    writer: &'a mut EnvelopeWriter<W>,
    block: Vec<u8>,
    hash: Sha256,
}

impl<W: Write> EnvelopeSink<'_, W> {
    /// Ends the envelope. Returns the SHA-256 of its sealed bytes: its idempotency key, by
    /// which a relay knows a letter that is pushed again.
    pub fn finish(mut self) -> Result<[u8; 32], Error> {
        self.flush_block()?;
        let hash: [u8; 32] = self.hash.finalize().into();
        self.writer.output.write_all(&[0; 4])?;
        self.writer.output.write_all(&hash)?;
        self.writer.begun = false;
        Ok(hash)
    }

    fn flush_block(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.hash.update(&self.block);
            // At most BLOCK, which fits.
            self.writer.output.write_all(&(self.block.len() as u32).to_be_bytes())?;
            self.writer.output.write_all(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }
}

impl<W: Write> Write for EnvelopeSink<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK {
            self.flush_block()?;
        }
        let (taken, _) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
        self.block.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Does nothing: blocks are full but the last, however the letter is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads an envelope stream of any length, one envelope after another.
#[derive(Debug)]
pub struct EnvelopeReader<R> {
    input: BufReader<R>,
    position: Position,
    /// Hash of the last envelope that was read to its end.
    last: [u8; 32],
    /// What is read now was given out before.
    again: bool,
}

/// Where a reader stands.
#[derive(Debug)]
enum Position {
    /// Before the first stream.
    Start,
    /// Before an envelope or the end.
    Between,
    /// In a block of an envelope, with so many bytes of it left.
    Inside { left: usize, hash: Sha256 },
    /// After the end of a stream: there may be another.
    After,
    /// In bytes that make no sense: nothing after them is read.
    Lost,
    /// Where what wrote the stream says that it failed, with its status.
    Failed(u8),
}

impl<R: Read> EnvelopeReader<R> {
    /// Reads nothing yet.
    pub fn new(input: R) -> Self {
        let input = BufReader::with_capacity(BLOCK, input);
        Self { input, position: Position::Start, last: [0; 32], again: false }
    }

    /// The next envelope, or `None` when the stream ended as it should. What was not read of
    /// the envelope before is read and verified first.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], [`Error::Malformed`], [`Error::Record`], [`Error::Io`],
    /// [`Error::Source`]; nothing is read past these. After [`Error::Hash`] the next call gives the next envelope.
    #[allow(clippy::should_implement_trait, reason = "an envelope borrows its reader")]
    pub fn next(&mut self) -> Result<Option<Envelope<'_, R>>, Error> {
        self.drain()?;
        let routing = self.routing().map_err(|error| self.lose(error))?;
        Ok(routing.map(|routing| Envelope { routing, reader: self }))
    }

    /// Returns whether bytes of the stream wait in memory.
    pub fn has_buffered(&self) -> bool {
        !self.input.buffer().is_empty()
    }

    fn routing(&mut self) -> Result<Option<Routing>, Error> {
        loop {
            match self.position {
                Position::Start | Position::After => {
                    let mut magic = Vec::new();
                    self.input.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
                    if magic.is_empty() && matches!(self.position, Position::After) {
                        return Ok(None);
                    }
                    check_magic(&magic)?;
                    (self.position, self.again) = (Position::Between, false);
                }
                Position::Between => {
                    let length = self.length()?;
                    if length == END {
                        self.position = Position::After;
                        continue;
                    }
                    if length == AGAIN {
                        self.again = true;
                        continue;
                    }
                    let mut frame = length.chain(&mut self.input);
                    let routing: Routing = wire::read_framed(&mut frame).map_err(truncated)?;
                    routing.check()?;
                    self.position = Position::Inside { left: 0, hash: Sha256::new() };
                    return Ok(Some(routing));
                }
                Position::Inside { .. } | Position::Lost => {
                    return Err(malformed("what came before makes no sense"));
                }
                Position::Failed(status) => return Err(Error::Source { status }),
            }
        }
    }

    /// Sealed bytes of the envelope under way; 0 when it ended and its hash was right.
    fn sealed(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if matches!(self.position, Position::Inside { left: 0, .. }) {
            let wanted = u32::from_be_bytes(self.length()?) as usize;
            if wanted > BLOCK {
                return Err(malformed("a block is longer than 64 KiB"));
            } else if wanted == 0 {
                self.end()?;
            } else if let Position::Inside { left, .. } = &mut self.position {
                *left = wanted;
            }
        }
        let Position::Inside { left, hash } = &mut self.position else { return Ok(0) };
        let most = out.len().min(*left);
        let room = out.get_mut(..most).unwrap_or_default();
        let got = self.input.read(room)?;
        if got == 0 && most > 0 {
            return Err(Error::Truncated(STREAM));
        }
        hash.update(room.get(..got).unwrap_or_default());
        *left -= got;
        Ok(got)
    }

    /// Reads the hash after the last block and compares.
    fn end(&mut self) -> Result<(), Error> {
        let mut expected = [0; 32];
        self.input.read_exact(&mut expected).map_err(truncated)?;
        if let Position::Inside { hash, .. } =
            std::mem::replace(&mut self.position, Position::Between)
        {
            self.last = hash.finalize().into();
        }
        if self.last == expected { Ok(()) } else { Err(Error::Hash) }
    }

    fn length(&mut self) -> Result<[u8; 4], Error> {
        let mut length = [0; 4];
        self.input.read_exact(&mut length).map_err(truncated)?;
        match length.split_last() {
            Some((status, mark)) if mark == FAILED => Err(Error::Source { status: *status }),
            _ => Ok(length),
        }
    }

    fn drain(&mut self) -> Result<(), Error> {
        io::copy(&mut Sealed(self), &mut io::sink())?;
        Ok(())
    }

    /// Notes that the place in the stream is lost, unless the error says otherwise.
    fn lose(&mut self, error: Error) -> Error {
        match &error {
            Error::Hash => {}
            Error::Source { status } => self.position = Position::Failed(*status),
            Error::Io(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.position = Position::Lost,
        }
        error
    }
}

/// One envelope. Reading it gives the sealed letter; its end is reported only after its hash
/// was verified: a wrong one is an [`io::Error`] that holds [`Error::Hash`].
#[derive(Debug)]
pub struct Envelope<'a, R> {
    routing: Routing,
    reader: &'a mut EnvelopeReader<R>,
}

impl<R: Read> Envelope<'_, R> {
    /// Returns whether it was given out before: its reader may have opened it, and lost it.
    pub fn is_again(&self) -> bool {
        self.reader.again
    }

    /// Where it goes.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Reads what is left and returns the SHA-256 of the sealed bytes, verified: the
    /// idempotency key.
    pub fn finish(self) -> Result<[u8; 32], Error> {
        self.reader.drain()?;
        Ok(self.reader.last)
    }

    /// What anybody can see of the sealed letter, and its idempotency key.
    pub fn inspect(mut self) -> Result<(age::Inspection, [u8; 32]), Error> {
        let inspection = age::inspect(&mut self)?;
        Ok((inspection, self.finish()?))
    }
}

impl<R: Read> Read for Envelope<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Sealed(self.reader).read(out)
    }
}

/// The sealed bytes of the envelope under way.
struct Sealed<'a, R>(&'a mut EnvelopeReader<R>);

impl<R: Read> Read for Sealed<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.sealed(out).map_err(|error| self.0.lose(error).into())
    }
}

const STREAM: &str = "envelope stream";

fn malformed(why: &'static str) -> Error {
    Error::Malformed { what: STREAM, why }
}

fn check_magic(magic: &[u8]) -> Result<(), Error> {
    if magic == MAGIC {
        Ok(())
    } else if MAGIC.starts_with(magic) {
        Err(Error::Truncated(STREAM))
    } else {
        Err(malformed("it does not begin with the mark of one"))
    }
}

/// An end where there should be none is a truncated stream.
fn truncated(error: impl Into<Error>) -> Error {
    match error.into() {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Truncated(STREAM)
        }
        other => other,
    }
}

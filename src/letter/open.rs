//! Opening a letter, or a sealed file that holds none.

use std::io::{self, Read, Write};

use crate::age;
use crate::identity::Fingerprint;
use crate::letter::Error;
use crate::letter::header::{Header, Letter};
use crate::letter::plaintext::{BLOCK, MAGIC, padded};
use crate::letter::proof::{Authenticator, Pairwise, SignedBody, TRAILER, Unpaired};
use crate::wire::Record;

/// What a sealed file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes, sealed by whoever knew the recipient's public key.
    Plain,
    /// A letter, its header verified.
    Letter(Box<Letter>),
}

/// Opens a sealed file in constant memory, letter or not.
///
/// `me` are the fingerprints of the identities that `opener` may have been unlocked with. As
/// soon as it is known what the file holds, and when it is a letter, after its signature and
/// its address were verified, `accept` is asked where the body goes: it may still refuse (a
/// replay, another sender than the one wanted) and then nothing was let out. Its error comes
/// back as it is.
///
/// The sink gets authenticated bytes only, in order; it is given back when everything to the
/// last byte of padding was there, and the signature after the body, if it has one, was verified.
/// On an error the sink may hold the beginning of a body, or one that its sender did not sign: what
/// it has is to be thrown away.
///
/// # Errors
///
/// As `E`: what `accept` said, or an [`Error`]: [`Error::Forged`], [`Error::Unproven`],
/// [`Error::ForgedBody`], [`Error::SenderCard`], [`Error::Readdressed`] when the sender is not
/// proven, [`Error::Truncated`],
/// [`Error::Malformed`], [`Error::Age`], [`Error::Output`] when the sink failed.
pub fn open<R, W, E>(
    opener: age::Opener<R>,
    me: &[Fingerprint],
    accept: impl FnMut(&Content) -> Result<W, E> + Send,
) -> Result<(Content, W), E>
where
    R: Read + Send,
    W: Write + Send,
    E: From<Error> + Send,
{
    open_paired(opener, me, &Unpaired, accept)
}

/// Does what [`open`] does for somebody who paired with others, whose letters a MAC proves.
pub(crate) fn open_paired<R, W, E>(
    opener: age::Opener<R>,
    me: &[Fingerprint],
    pairwise: &dyn Pairwise,
    accept: impl FnMut(&Content) -> Result<W, E> + Send,
) -> Result<(Content, W), E>
where
    R: Read + Send,
    W: Write + Send,
    E: From<Error> + Send,
{
    let age_header = opener.header().to_vec();
    let mut parser = Parser {
        age_header: &age_header,
        me,
        pairwise,
        accept,
        step: Step::Magic,
        gathered: Vec::new(),
        header: Vec::new(),
        length: 0,
        signed: None,
        accepted: None,
        stopped: None,
    };
    let opened = opener.open(&mut parser);
    // Our own reason for stopping comes back through the opener as an I/O error.
    match (parser.stopped.take(), opened) {
        (Some(reason), _) => Err(reason),
        (None, Err(error)) => Err(Error::from(error).into()),
        (None, Ok(_)) => parser.finish(),
    }
}

/// What the next bytes are.
enum Step {
    Magic,
    HeaderLength,
    Header(usize),
    AuthenticatorLength,
    Authenticator(usize),
    BlockLength,
    Block(usize),
    Trailer,
    Padding(u64),
    Plain,
}

/// Takes the plaintext as it comes, in pieces of any size.
struct Parser<'a, F, W, E> {
    age_header: &'a [u8],
    me: &'a [Fingerprint],
    pairwise: &'a dyn Pairwise,
    accept: F,
    step: Step,
    /// A field of known length, as far as it came.
    gathered: Vec<u8>,
    header: Vec<u8>,
    /// Bytes before the padding.
    length: u64,
    /// The body so far, when a signature follows it.
    signed: Option<SignedBody>,
    accepted: Option<(Content, W)>,
    stopped: Option<E>,
}

impl<F, W, E> Parser<'_, F, W, E>
where
    F: FnMut(&Content) -> Result<W, E>,
    W: Write,
    E: From<Error>,
{
    /// Takes some of `input`, at least a byte, and returns the rest.
    fn take<'i>(&mut self, input: &'i [u8]) -> Result<&'i [u8], E> {
        match self.step {
            Step::Magic => self.gather(MAGIC.len(), input, Self::magic),
            Step::HeaderLength => self.gather(4, input, |this, bytes| {
                this.step = Step::Header(length(bytes, Header::MAX, "its header is too long")?);
                Ok(())
            }),
            Step::Header(wanted) => self.gather(wanted, input, |this, bytes| {
                this.header = bytes;
                this.step = Step::AuthenticatorLength;
                Ok(())
            }),
            Step::AuthenticatorLength => self.gather(4, input, |this, bytes| {
                let length = length(bytes, Authenticator::MAX, "its authenticator is too long")?;
                this.step = Step::Authenticator(length);
                Ok(())
            }),
            Step::Authenticator(wanted) => self.gather(wanted, input, Self::verify),
            Step::BlockLength => self.gather(4, input, |this, bytes| {
                this.step = match length(bytes, BLOCK, "a block is longer than 64 KiB")? {
                    0 if this.signed.is_some() => Step::Trailer,
                    0 => this.padding(),
                    length => Step::Block(length),
                };
                Ok(())
            }),
            Step::Block(left) => {
                let (ours, rest) = input.split_at(left.min(input.len()));
                if let Some(signed) = &mut self.signed {
                    signed.update(ours);
                }
                self.release(ours)?;
                self.length += ours.len() as u64;
                self.step = match left - ours.len() {
                    0 => Step::BlockLength,
                    left => Step::Block(left),
                };
                Ok(rest)
            }
            Step::Trailer => self.gather(TRAILER, input, |this, bytes| {
                let (Some(signed), Some(signature)) = (this.signed.take(), bytes.first_chunk())
                else {
                    return Err(Error::ForgedBody.into());
                };
                signed.verify(signature)?;
                this.step = this.padding();
                Ok(())
            }),
            Step::Padding(left) => {
                if input.iter().any(|byte| *byte != 0) {
                    return Err(malformed("its padding is not zero").into());
                }
                let left = left.checked_sub(input.len() as u64);
                self.step = Step::Padding(left.ok_or(malformed("its padding is too long"))?);
                Ok(&[])
            }
            Step::Plain => {
                self.release(input)?;
                Ok(&[])
            }
        }
    }

    /// Collects a field of `wanted` bytes and passes it on when it is whole.
    fn gather<'i>(
        &mut self,
        wanted: usize,
        input: &'i [u8],
        whole: impl FnOnce(&mut Self, Vec<u8>) -> Result<(), E>,
    ) -> Result<&'i [u8], E> {
        let missing = wanted.saturating_sub(self.gathered.len());
        let (ours, rest) = input.split_at(missing.min(input.len()));
        self.gathered.extend_from_slice(ours);
        self.length += ours.len() as u64;
        if self.gathered.len() == wanted {
            let field = std::mem::take(&mut self.gathered);
            whole(self, field)?;
        }
        Ok(rest)
    }

    fn magic(&mut self, bytes: Vec<u8>) -> Result<(), E> {
        if bytes == MAGIC {
            self.step = Step::HeaderLength;
            Ok(())
        } else {
            self.plain(&bytes)
        }
    }

    fn plain(&mut self, start: &[u8]) -> Result<(), E> {
        self.step = Step::Plain;
        self.ask(Content::Plain)?;
        self.release(start)
    }

    fn verify(&mut self, authenticator: Vec<u8>) -> Result<(), E> {
        let (letter, signed) =
            Letter::verify(self.age_header, &self.header, &authenticator, self.me, self.pairwise)?;
        self.signed = signed;
        self.step = Step::BlockLength;
        self.ask(Content::Letter(Box::new(letter)))
    }

    /// The step after the last byte that is not padding.
    fn padding(&self) -> Step {
        Step::Padding(padded(self.length) - self.length)
    }

    fn ask(&mut self, content: Content) -> Result<(), E> {
        let sink = (self.accept)(&content)?;
        self.accepted = Some((content, sink));
        Ok(())
    }

    fn release(&mut self, bytes: &[u8]) -> Result<(), E> {
        if let Some((_, sink)) = &mut self.accepted {
            sink.write_all(bytes).map_err(Error::Output)?;
        }
        Ok(())
    }

    /// Everything was authenticated and taken: was it all?
    fn finish(mut self) -> Result<(Content, W), E> {
        match self.step {
            Step::Magic => {
                let start = std::mem::take(&mut self.gathered);
                self.plain(&start)?;
            }
            Step::Plain | Step::Padding(0) => {}
            _ => return Err(Error::Truncated("letter").into()),
        }
        self.accepted.ok_or_else(|| Error::Truncated("letter").into())
    }
}

impl<F, W, E> Write for Parser<'_, F, W, E>
where
    F: FnMut(&Content) -> Result<W, E>,
    W: Write,
    E: From<Error>,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.take(rest).map_err(|reason| {
                self.stopped = Some(reason);
                io::Error::other("stopped")
            })?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed { what: "letter", why }
}

/// A big-endian length that is at most `max`.
fn length(bytes: Vec<u8>, max: usize, why: &'static str) -> Result<usize, Error> {
    let length = bytes.first_chunk().map_or(u32::MAX, |bytes| u32::from_be_bytes(*bytes));
    usize::try_from(length).ok().filter(|length| *length <= max).ok_or(malformed(why))
}

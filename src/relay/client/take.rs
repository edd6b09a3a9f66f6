//! Taking: a message from any place on, several small ones at once.

use std::io;
use std::io::{Read, Write};

use ureq::http::header::CONTENT_RANGE;
use ureq::http::{Method, StatusCode};

use super::pace::Paced;
use super::{Call, Client, answer, encode};
use crate::crypto;
use crate::crypto::SigningSecret;
use crate::relay::error::Error;
use crate::relay::frame;
use crate::relay::protocol::{Entry, Id, Ids, MAX_FRAME};

impl Client {
    /// Writes the body of a message to `out`. What `out` holds is good only after `Ok`: the
    /// hash is known at the end. A body that breaks off is [`Error::Temporary`]; the caller
    /// begins again with an empty `out`.
    ///
    /// # Errors
    ///
    /// [`Error::NoMessage`], [`Error::WrongHash`], [`Error::Io`] when `out` cannot be written.
    pub fn fetch(
        &self,
        key: &SigningSecret,
        message: &Entry,
        out: &mut impl Write,
    ) -> Result<(), Error> {
        let mut out = Hashed { out, hash: crypto::Hash::default() };
        self.fetch_from(key, message, 0, &mut out)?;
        let id = message.id;
        if out.hash.finish() == id.0 { Ok(()) } else { Err(Error::WrongHash(id)) }
    }

    /// Writes the bytes of a message from byte `from` on to `out`, at most one more than its size.
    /// The caller checks the hash of the whole. After [`Error::Temporary`] he goes on behind what
    /// `out` got.
    ///
    /// # Errors
    ///
    /// [`Error::NoMessage`], [`Error::Io`] when `out` cannot be written.
    pub fn fetch_from(
        &self,
        key: &SigningSecret,
        message: &Entry,
        from: u64,
        out: &mut impl Write,
    ) -> Result<(), Error> {
        let id = message.id;
        let header = (from > 0).then(|| ("range", format!("bytes={from}-")));
        let call = Call { header, ..Call::owner(Method::GET, key, &format!("/{id}")) };
        let mut response = self.call(&call).map_err(|error| match error {
            Error::Refused { code, .. } if code == "no_message" => Error::NoMessage(id),
            other => other,
        })?;
        if from > 0 {
            let range = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
            let begins = range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")));
            if response.status() != StatusCode::PARTIAL_CONTENT || !begins {
                return Err(Error::Protocol("it sends another part than was asked for".into()));
            }
        }
        let most = message.size.saturating_sub(from).saturating_add(1);
        let body = response.body_mut().as_reader();
        let mut body = Paced::new(body, self.options.timeout).take(most);
        let mut piece = vec![0; 64 << 10];
        loop {
            match body.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => out.write_all(piece.get(..read).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(answer::transport(error.into())),
            }
        }
    }

    /// Takes several messages in one request, each of at most [`MAX_FRAME`] bytes. Each goes to
    /// `each` as soon as all of it came and its hash was right; what is not there, or no longer,
    /// or more than goes in one answer, is left out. Returns those whose bytes do not hash to
    /// their id.
    ///
    /// # Errors
    ///
    /// [`Error::Temporary`] when the answer breaks off: what `each` got before is good.
    pub fn take(
        &self,
        key: &SigningSecret,
        messages: &[Entry],
        mut each: impl FnMut(Id, &[u8]) -> io::Result<()>,
    ) -> Result<Vec<Id>, Error> {
        let ids = messages.iter().map(|message| message.id).collect();
        let json = Some(encode(&Ids { ids })?);
        let mut response = self.call(&Call { json, ..Call::owner(Method::POST, key, "/take") })?;
        let mut input = Paced::new(response.body_mut().as_reader(), self.options.timeout);
        let mut expected = messages.iter();
        let mut damaged = Vec::new();
        let mut body = Vec::new();
        while let Some((id, size)) = read_head(&mut input)? {
            // In the order asked, so that none comes twice.
            let asked = expected.any(|message| message.id == id);
            if !asked || size > MAX_FRAME {
                return Err(Error::Protocol("it sends other messages than were asked for".into()));
            }
            read_body(&mut input, size, &mut body)?;
            if crypto::sha256(&[&body]) == id.0 {
                each(id, &body)?;
            } else {
                damaged.push(id);
            }
        }
        Ok(damaged)
    }
}

/// Reads what stands before a message, or `None` at the end.
fn read_head(input: &mut impl Read) -> Result<Option<(Id, u64)>, Error> {
    let mut head = Vec::new();
    input.take(frame::HEAD as u64).read_to_end(&mut head).map_err(broken)?;
    if head.is_empty() {
        return Ok(None);
    }
    match head.split_first_chunk().map(|(id, size)| (id, <[u8; 8]>::try_from(size))) {
        Some((id, Ok(size))) => Ok(Some((Id(*id), u64::from_be_bytes(size)))),
        _ => Err(broken(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Reads `size` bytes, which the caller has found to be few.
fn read_body(input: &mut impl Read, size: u64, out: &mut Vec<u8>) -> Result<(), Error> {
    out.clear();
    input.take(size).read_to_end(out).map_err(broken)?;
    if out.len() as u64 == size { Ok(()) } else { Err(broken(io::ErrorKind::UnexpectedEof.into())) }
}

/// An answer that broke off: the same request may bring all of it.
fn broken(error: io::Error) -> Error {
    answer::transport(error.into())
}

/// Hashes what is written through it.
struct Hashed<W> {
    out: W,
    hash: crypto::Hash,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! Taking: a message from any place on, several small ones at once.

use std::io::{self, Read, Write};

use ureq::http::header::CONTENT_RANGE;
use ureq::http::{Method, StatusCode};

use crate::crypto::{self, SigningSecret};
use crate::relay::client::error::Error;
use crate::relay::client::http::answer;
use crate::relay::client::http::client::{Call, Client, encode};
use crate::relay::client::http::pace::Paced;
use crate::relay::protocol::{Entry, Id, Ids, MAX_FRAME, frame};

impl Client {
    /// Writes the bytes of a message from byte `from` on to `out`.
    pub(super) fn get_message(
        &self,
        key: &SigningSecret,
        message: &Entry,
        from: u64,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let id = message.id;
        let header = (from > 0).then(|| ("range", format!("bytes={from}-")));
        let call = Call::owner(Method::GET, key, &format!("/{id}"));
        let call = Call { header, is_long: true, ..call };
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

    /// Gives several messages of one answer to `each`.
    pub(super) fn post_take(
        &self,
        key: &SigningSecret,
        messages: &[Entry],
        each: &mut dyn FnMut(Id, &[u8]) -> io::Result<()>,
    ) -> Result<Vec<Id>, Error> {
        let ids = messages.iter().map(|message| message.id).collect();
        let json = Some(encode(&Ids { ids })?);
        let call = Call { json, is_long: true, ..Call::owner(Method::POST, key, "/take") };
        let mut response = self.call(&call)?;
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

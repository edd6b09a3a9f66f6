//! The header: a version line, stanzas, and a MAC over all of it (C2SP age.md, "Header").

use std::io::{BufRead, Read as _};

use crate::crypto;
use crate::text::{base64_decode_unpadded, base64_encode_unpadded};

use super::error::Error;
use super::key::FileKey;
use super::recipient::{Class, Identity};
use super::stanza::{COLUMNS, Stanza};

/// Greatest header read or written, in bytes: room for 10,000 classic or 650 post-quantum
/// recipients. The format names no limit; without one a hostile file could fill the memory.
pub(super) const HEADER_MAX: usize = 1 << 20;

const VERSION: &[u8] = b"age-encryption.org/v1";
const ANY_VERSION: &[u8] = b"age-encryption.org/";
/// What the MAC covers ends with this.
const FOOTER: &[u8] = b"---";
/// What the MAC does not cover: a space, 32 bytes of base64, a line feed.
const MAC_LINE: usize = 1 + 43 + 1;

/// A parsed header and the very bytes it was parsed from.
#[derive(Debug)]
pub(super) struct Header {
    stanzas: Vec<Stanza>,
    bytes: Vec<u8>,
    mac: [u8; 32],
}

impl Header {
    /// Writes the header of a new file.
    pub(super) fn build(stanzas: Vec<Stanza>, key: &FileKey) -> Result<Self, Error> {
        let mut bytes = [VERSION, b"\n"].concat();
        for stanza in &stanzas {
            stanza.write(&mut bytes)?;
        }
        bytes.extend_from_slice(FOOTER);
        let mac = key.header_mac(&bytes);
        bytes.push(b' ');
        bytes.extend_from_slice(base64_encode_unpadded(&mac).as_bytes());
        bytes.push(b'\n');
        if bytes.len() > HEADER_MAX {
            return Err(Error::HeaderTooLong { max: HEADER_MAX });
        }
        Ok(Self { stanzas, bytes, mac })
    }

    /// Reads a header and not a byte more.
    pub(super) fn read(input: &mut impl BufRead) -> Result<Self, Error> {
        let mut lines = Lines { input, bytes: Vec::new() };
        check_version(lines.next()?)?;
        let mut stanzas = Vec::new();
        let mac = loop {
            let line = lines.next()?;
            if let Some(words) = line.strip_prefix(b"-> ") {
                let mut stanza = Stanza::parse_words(words)?;
                stanza.body = lines.body()?;
                stanzas.push(stanza);
            } else if let Some(mac) = line.strip_prefix(FOOTER) {
                break parse_mac(mac)?;
            } else {
                return Err(Error::Header("a line is neither a stanza nor the MAC"));
            }
        };
        let bytes = lines.bytes;
        match stanzas.as_slice() {
            [] => Err(Error::Header("it has no stanza")),
            [_, _, ..] if stanzas.iter().any(is_passphrase) => {
                Err(Error::Header("a scrypt stanza is not the only one"))
            }
            _ => Ok(Self { stanzas, bytes, mac }),
        }
    }

    /// The file key, from the first identity that finds one. There is no other way to it: a key
    /// that does not authenticate the header is not handed on.
    pub(super) fn unlock(&self, identities: &[&dyn Identity]) -> Result<FileKey, Error> {
        for identity in identities {
            if let Some(key) = identity.unwrap(&self.stanzas)? {
                let covered = self.bytes.split_last_chunk::<MAC_LINE>().map(|(covered, _)| covered);
                let mac = covered.map(|covered| key.header_mac(covered));
                return match mac {
                    Some(mac) if crypto::equal(&mac, &self.mac) => Ok(key),
                    _ => Err(Error::HeaderMac),
                };
            }
        }
        let tried = identities.iter().any(|identity| identity.class() == Class::Passphrase);
        if tried && self.stanzas.iter().any(is_passphrase) {
            Err(Error::WrongPassphrase)
        } else {
            Err(Error::NoMatch)
        }
    }

    pub(super) fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }

    /// All bytes, from the version to the line feed after the MAC.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn is_passphrase(stanza: &Stanza) -> bool {
    stanza.kind == super::passphrase::KIND
}

fn check_version(line: &[u8]) -> Result<(), Error> {
    match line {
        VERSION => Ok(()),
        _ if line.strip_suffix(b"\r") == Some(VERSION) => {
            Err(Error::Mangled("its line ends are CR LF"))
        }
        _ if line.starts_with(ANY_VERSION) => Err(Error::Version),
        _ => Err(Error::Header("it does not begin with age-encryption.org/v1")),
    }
}

fn parse_mac(text: &[u8]) -> Result<[u8; 32], Error> {
    text.strip_prefix(b" ")
        .and_then(|text| base64_decode_unpadded(text).ok())
        .and_then(|mac| mac.try_into().ok())
        .ok_or(Error::Header("its MAC is not 32 bytes of canonical base64 after one space"))
}

/// Lines of a header, gathered while they are read.
struct Lines<'a, R> {
    input: &'a mut R,
    bytes: Vec<u8>,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line, without its line feed.
    fn next(&mut self) -> Result<&[u8], Error> {
        let start = self.bytes.len();
        let room = HEADER_MAX.saturating_sub(start);
        // A first line that is no version can be told from its first bytes, so a large file of
        // another kind is not read to its first line feed.
        let most = if start == 0 { VERSION.len() + 2 } else { room };
        let got = self.input.take(most as u64).read_until(b'\n', &mut self.bytes)?;
        let line = self.bytes.get(start..).unwrap_or_default();
        match line.split_last() {
            Some((b'\n', line)) => Ok(line),
            _ if start == 0 => Err(not_a_header(line)),
            _ if got == room => Err(Error::HeaderTooLong { max: HEADER_MAX }),
            _ => Err(Error::Header("it ends in the middle")),
        }
    }

    /// A stanza's body: full lines, then a short one.
    fn body(&mut self) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        loop {
            let line = self.next()?;
            if line.len() > COLUMNS {
                return Err(Error::Header("a line of a stanza's body is longer than 64 columns"));
            }
            text.extend_from_slice(line);
            if line.len() < COLUMNS {
                return base64_decode_unpadded(&text)
                    .map_err(|_| Error::Header("the body of a stanza is not canonical base64"));
            }
        }
    }
}

/// Says what a file is that has no first line of ours.
fn not_a_header(start: &[u8]) -> Error {
    match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Error::Mangled("it is UTF-16"),
        [0xef, 0xbb, 0xbf, ..] => Error::Mangled("it begins with a byte order mark"),
        _ if start.starts_with(ANY_VERSION) => Error::Version,
        [] => Error::Header("it is empty"),
        _ => Error::Header("it does not begin with age-encryption.org/v1"),
    }
}

#[cfg(test)]
mod tests;

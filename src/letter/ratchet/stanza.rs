//! The stanza: `-> bulla-ratchet-v1 tag salt`, and a body of one length.

use crate::age;
use crate::crypto;
use crate::kem;
use crate::letter::ratchet::chain::{HeaderKeys, LetterSecret, SALT, TAG};
use crate::letter::ratchet::error::Error;
use crate::secret::Secret;
use crate::text::{base64_decode_unpadded, base64_encode_unpadded};
use crate::wire::{self, Decode, Encode, Record};

/// The stanza type.
pub const KIND: &str = "bulla-ratchet-v1";
/// Bytes of a file key, wrapped.
const WRAPPED: usize = 16 + crypto::TAG;
/// Bytes of a header, sealed.
const SEALED_HEADER: usize = Header::MAX + crypto::TAG;

/// Source of random bytes: the operating system, except in tests.
pub(super) type Random<'a> = dyn FnMut(&mut [u8]) -> Result<(), crypto::Error> + 'a;

/// What its recipient has had of the sender's letters in the other direction. Integers are
/// big-endian, so that every header has one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Ack {
    pub(super) epoch: [u8; 4],
    /// Of its ciphertext.
    pub(super) id: [u8; 8],
    /// The number after the highest that came.
    pub(super) next: [u8; 4],
}

/// What travels sealed beside the file key.
#[derive(Clone, Encode, Decode)]
pub(super) struct Header {
    /// Letters in the epoch before.
    pub(super) previous: [u8; 4],
    pub(super) ack: Ack,
    /// Name of the key that `ciphertext` is for.
    pub(super) answered: [u8; 8],
    /// Of the epoch: the same in each of its letters.
    pub(super) ciphertext: Box<kem::Ciphertext>,
    /// A key for the answer.
    pub(super) offered: Box<[u8; kem::PUBLIC_KEY]>,
}

impl Record for Header {
    const NAME: &'static str = "ratchet header";
    const VERSION: u8 = 1;
    const MAX: usize = 1 + 4 + 16 + 8 + kem::CIPHERTEXT + kem::PUBLIC_KEY;
}

/// A stanza of ours, its parts of the right lengths.
pub(super) struct Parsed<'a> {
    pub(super) tag: [u8; TAG],
    pub(super) salt: [u8; SALT],
    header: &'a [u8; SEALED_HEADER],
    wrapped: &'a [u8; WRAPPED],
}

impl<'a> Parsed<'a> {
    /// `None` when it is of another type.
    pub(super) fn read(stanza: &'a age::Stanza) -> Result<Option<Self>, Error> {
        if stanza.kind != KIND {
            return Ok(None);
        }
        let [tag, salt] = stanza.args.as_slice() else {
            return Err(Error::Malformed("it has not two arguments"));
        };
        let body = stanza.body.split_first_chunk().and_then(|(header, wrapped)| {
            Some((header, <&[u8; WRAPPED]>::try_from(wrapped).ok()?))
        });
        let (header, wrapped) = body.ok_or(Error::Malformed("its body has another length"))?;
        Ok(Some(Self { tag: argument(tag)?, salt: argument(salt)?, header, wrapped }))
    }

    /// The header, by the keys that its tag was found with.
    pub(super) fn header(&self, keys: &HeaderKeys) -> Result<Header, Error> {
        let (bytes, tag) = self.header.split_last_chunk().ok_or(Error::Damaged)?;
        let mut bytes = bytes.to_vec();
        keys.aead(&self.salt)
            .open(&[0; 12], &self.tag, &mut bytes, tag)
            .map_err(|_| Error::Damaged)?;
        wire::decode(&bytes).map_err(Error::Record)
    }

    pub(super) fn file_key(&self, key: &LetterSecret) -> Result<Secret<16>, Error> {
        let (bytes, tag) = self.wrapped.split_last_chunk().ok_or(Error::Damaged)?;
        let opened = Secret::build(|out: &mut [u8; 16]| {
            out.copy_from_slice(bytes);
            key.aead(&self.salt).open(&[0; 12], &bound(&self.tag, self.header), out, tag)
        });
        opened.map_err(|_| Error::Damaged)
    }
}

fn argument<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let bytes = base64_decode_unpadded(text.as_bytes()).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Error::Malformed("an argument is not canonical base64 of its length"))
}

/// The key of one letter. It is an age recipient, for the one stanza of the letter's header.
pub(crate) struct LetterKey {
    pub(super) number: u32,
    pub(super) keys: HeaderKeys,
    pub(super) header: Header,
    pub(super) key: LetterSecret,
}

impl LetterKey {
    pub(super) fn stanza(
        &self,
        file_key: &[u8; 16],
        random: &mut Random<'_>,
    ) -> Result<age::Stanza, Error> {
        let tag = self.keys.tag(self.number);
        let mut salt = [0; SALT];
        random(&mut salt)?;
        let mut header = wire::encode(&self.header).map_err(Error::Record)?;
        let mac = self.keys.aead(&salt).seal(&[0; 12], &tag, &mut header);
        header.extend_from_slice(&mac);
        let mut wrapped = *file_key;
        let mac = self.key.aead(&salt).seal(&[0; 12], &bound(&tag, &header), &mut wrapped);
        Ok(age::Stanza {
            kind: KIND.to_owned(),
            args: vec![base64_encode_unpadded(&tag), base64_encode_unpadded(&salt)],
            body: [&*header, &wrapped, &mac].concat(),
        })
    }
}

/// What a wrapped file key is bound to, beside the salt.
fn bound(tag: &[u8; TAG], sealed_header: &[u8]) -> Vec<u8> {
    [tag, sealed_header].concat()
}

impl age::Recipient for LetterKey {
    /// With a salt of its own each time, so a second stanza has another key.
    fn wrap(&self, file_key: &age::FileKey) -> Result<Vec<age::Stanza>, age::Error> {
        let stanza = self.stanza(file_key.expose(), &mut crypto::fill_random);
        stanza.map(|stanza| vec![stanza]).map_err(|error| match error {
            Error::Crypto(error) => error.into(),
            _ => age::Error::Header("a stanza cannot be written"),
        })
    }

    fn class(&self) -> age::Class {
        age::Class::PostQuantum
    }
}

impl std::fmt::Debug for LetterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LetterKey(..)")
    }
}

//! Key schedule of one direction of the ratchet.

use zeroize::Zeroizing;

use crate::crypto::{self, Aead, label};
use crate::kem;
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// Bytes of a tag.
pub(super) const TAG: usize = 16;
/// Bytes of the salt of a letter.
pub(super) const SALT: usize = 32;

/// Epoch of a letter in its direction, from 1, and number in the epoch, from 0.
pub(super) type Position = (u32, u32);

/// One direction of a session: who is to begin its next epoch, and what that one is found by.
#[derive(Encode, Decode)]
pub(super) struct Line {
    root: Secret<32>,
    pub(super) next: HeaderKeys,
}

impl Line {
    /// Of letters from whoever made the invite or the offer (`from_first`), or of those to him.
    pub(super) fn start(secret: &Secret<32>, transcript: &[u8; 32], from_first: bool) -> Self {
        let label = [label::RATCHET_START, &[u8::from(from_first)]].concat();
        let material: Secret<32> = crypto::hkdf(secret.expose(), transcript, &label);
        Self {
            root: crypto::hkdf(material.expose(), transcript, label::RATCHET_ROOT),
            next: HeaderKeys::derive(material.expose(), transcript),
        }
    }

    /// Steps into the next epoch: returns the line after it, and its first chain key.
    pub(super) fn step(&self, agreed: &Agreed) -> (Self, Chain) {
        let (material, salt) = (agreed.0.as_slice(), self.root.expose());
        let line = Self {
            root: crypto::hkdf(material, salt, label::RATCHET_ROOT),
            next: HeaderKeys::derive(material, salt),
        };
        (line, Chain(crypto::hkdf(material, salt, label::RATCHET_CHAIN)))
    }
}

/// Material of a step. The secret is bound to key and ciphertext; the key travelled sealed, so
/// it adds what its owner drew.
pub(super) struct Agreed(Zeroizing<[u8; 64]>);

impl Agreed {
    pub(super) fn new(
        shared: &Secret<32>,
        key: &[u8; kem::PUBLIC_KEY],
        ciphertext: &kem::Ciphertext,
    ) -> Self {
        let mut material = Zeroizing::new([0; 64]);
        let (secret, bound) = material.split_at_mut(32);
        secret.copy_from_slice(shared.expose());
        bound.copy_from_slice(&crypto::sha256(&[key, ciphertext]));
        Self(material)
    }
}

/// What finds the letters of one epoch, and opens their headers.
#[derive(Encode, Decode)]
pub(super) struct HeaderKeys {
    tag: Secret<32>,
    header: Secret<32>,
}

impl HeaderKeys {
    fn derive(material: &[u8], salt: &[u8]) -> Self {
        Self {
            tag: crypto::hkdf(material, salt, label::RATCHET_TAG),
            header: crypto::hkdf(material, salt, label::RATCHET_HEADER),
        }
    }

    /// The tag of a letter: nobody without the key can tell it from random bytes.
    pub(super) fn tag(&self, number: u32) -> [u8; TAG] {
        let mac =
            crypto::hmac_sha256(self.tag.expose(), &[label::RATCHET_TAG, &number.to_be_bytes()]);
        crypto::truncate(&mac)
    }

    /// Compares in constant time: a stranger's guess must not learn a tag that is still to come.
    pub(super) fn is_tag(&self, number: u32, tag: &[u8; TAG]) -> bool {
        crypto::equal(&self.tag(number), tag)
    }

    /// Seals one header: the salt is drawn for it, so the zero nonce is used once.
    pub(super) fn aead(&self, salt: &[u8; SALT]) -> Aead {
        Aead::new(&crypto::hkdf(self.header.expose(), salt, label::RATCHET_HEADER))
    }

    /// A second copy, for a letter about to be sealed.
    pub(super) fn copy(&self) -> Self {
        Self { tag: copy(&self.tag), header: copy(&self.header) }
    }
}

/// A chain key: those before it are not to be had from it.
#[derive(Encode, Decode)]
pub(super) struct Chain(Secret<32>);

impl Chain {
    /// The chain key after it, and the key of its own number.
    pub(super) fn step(&self) -> (Self, LetterSecret) {
        let derive = |label| Secret::take(&mut crypto::hmac_sha256(self.0.expose(), &[label]));
        (Self(derive(label::RATCHET_CHAIN)), LetterSecret(derive(label::RATCHET_LETTER)))
    }

    /// The key so many numbers further on.
    pub(super) fn peek(&self, ahead: u32) -> LetterSecret {
        let (mut chain, mut key) = self.step();
        for _ in 0..ahead {
            (chain, key) = chain.step();
        }
        key
    }
}

/// The key of one number.
#[derive(Encode, Decode)]
pub(super) struct LetterSecret(Secret<32>);

impl LetterSecret {
    /// Wraps one file key. The salt is fresh randomness, so that a copy of the state that uses the
    /// number again has another key.
    pub(super) fn aead(&self, salt: &[u8; SALT]) -> Aead {
        Aead::new(&crypto::hkdf(self.0.expose(), salt, label::RATCHET_LETTER))
    }

    /// A second copy, for a letter about to be opened: the first stays until that is done.
    pub(super) fn copy(&self) -> Self {
        Self(copy(&self.0))
    }
}

fn copy(secret: &Secret<32>) -> Secret<32> {
    Secret::take(&mut { *secret.expose() })
}

/// Eight bytes that name a key or a ciphertext where its owner knows which there are.
pub(super) fn short(bytes: &[u8]) -> [u8; 8] {
    crypto::truncate(&crypto::sha256(&[bytes]))
}

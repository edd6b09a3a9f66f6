//! The file key, and what is derived from it (C2SP age.md, "File key").

use crate::crypto::{self, Aead};
use crate::secret::Secret;

use super::error::Error;

/// Bytes of a file key.
pub(super) const FILE_KEY: usize = 16;
/// Bytes of a file key as every native stanza carries it: with the tag.
pub(super) const WRAPPED: usize = FILE_KEY + crypto::TAG;
/// Bytes of the nonce before the payload.
pub(super) const NONCE: usize = 16;

/// The 16 random bytes a file is sealed under: one file, one key.
#[derive(Debug)]
pub struct FileKey(Secret<FILE_KEY>);

impl FileKey {
    /// A fresh one.
    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self(crypto::random_secret()?))
    }

    /// For an [`super::Identity`] that found the key by its own means.
    pub fn new(key: Secret<FILE_KEY>) -> Self {
        Self(key)
    }

    /// Lends the bytes, to a [`super::Recipient`] that wraps them by its own means.
    pub fn expose(&self) -> &[u8; FILE_KEY] {
        self.0.expose()
    }

    /// The MAC over the header, up to and including its `---`.
    pub(super) fn header_mac(&self, covered: &[u8]) -> [u8; 32] {
        let key = crypto::hkdf::<32>(self.expose(), &[], b"header");
        crypto::hmac_sha256(key.expose(), &[covered])
    }

    /// The cipher of the payload.
    pub(super) fn payload(&self, nonce: &[u8; NONCE]) -> Aead {
        Aead::new(&crypto::hkdf(self.expose(), nonce, b"payload"))
    }

    /// Seals the key for one stanza. The nonce is zero: every caller derives `key` from fresh
    /// randomness (an ephemeral share, a salt), so it seals this one message.
    pub(super) fn wrap(&self, key: &Secret<32>) -> Vec<u8> {
        let mut body = self.expose().to_vec();
        let tag = Aead::new(key).seal(&[0; 12], &[], &mut body);
        body.extend_from_slice(&tag);
        body
    }

    /// Opens what [`FileKey::wrap`] sealed, or `None` when it was sealed under another key.
    /// The length is fixed by the type: a longer body could be made to open under many keys
    /// (Len, Grubbs, Ristenpart: "Partitioning Oracle Attacks", USENIX Security 2021).
    pub(super) fn unwrap(key: &Secret<32>, body: &[u8; WRAPPED]) -> Option<Self> {
        let (sealed, tag) = body.split_last_chunk::<{ crypto::TAG }>()?;
        let opened = Secret::build(|out: &mut [u8; FILE_KEY]| {
            out.copy_from_slice(sealed);
            Aead::new(key).open(&[0; 12], &[], out, tag)
        });
        opened.ok().map(Self)
    }
}

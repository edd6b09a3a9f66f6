//! The name of somebody's public keys.

use std::fmt;

use crate::crypto::{self, label};
use crate::identity::error::Error;
use crate::text;

/// Human-readable part of a fingerprint.
const PREFIX: &str = "bulla";
/// Which public keys are hashed, and in what order.
const VERSION: u8 = 1;

/// SHA-256 over a label, a version byte and the public keys; printed whole as `bulla1…`
/// (Bech32). Two cards with one fingerprint have the same keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of an X-Wing and an Ed25519 public key. Their lengths are fixed, so
    /// their concatenation is unambiguous.
    pub(crate) fn of(xwing: &[u8; 1216], ed25519: &[u8; 32]) -> Self {
        Self(crypto::sha256(&[label::FINGERPRINT, &[VERSION], xwing, ed25519]))
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Reads `bulla1…`.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let bytes = text::bech32_decode(PREFIX, line)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Self)
            .map_err(|_| Error::Length { expected: 32, got: bytes.len() })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::bech32_encode(PREFIX, &self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

//! The `X25519` recipient type (C2SP age.md, "The X25519 recipient type").

use std::fmt;

use crate::crypto;
use crate::secret::{Secret, SecretString};
use crate::text::{base64_encode_unpadded, bech32_decode, bech32_encode};

use super::error::{Error, KeyError};
use super::key::FileKey;
use super::recipient::{Class, Identity, Recipient};
use super::stanza::{BAD_COUNT, Stanza, decode_argument};

pub(super) const KIND: &str = "X25519";
pub(super) const SECRET_PREFIX: &str = "AGE-SECRET-KEY-";
const PREFIX: &str = "age";
const INFO: &[u8] = b"age-encryption.org/v1/X25519";

/// A classic public key, `age1…`.
#[derive(Clone, PartialEq, Eq)]
pub struct X25519Recipient([u8; 32]);

/// A classic secret key, `AGE-SECRET-KEY-1…`.
#[derive(Debug)]
pub struct X25519Identity {
    secret: Secret<32>,
    recipient: X25519Recipient,
}

impl X25519Recipient {
    /// From the 32 bytes of the public key; those of low order are refused.
    pub(crate) fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        check_share(bytes).map_err(|_| KeyError::Invalid)?;
        Ok(Self(*bytes))
    }

    /// Reads `age1…`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&exact(&bech32_decode(PREFIX, text).map_err(KeyError::from)?)?)
    }

    /// The 32 bytes of the public key.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl X25519Identity {
    /// A new random one.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self::new(crypto::random_secret()?))
    }

    /// From the 32 bytes of the secret scalar.
    pub(crate) fn new(secret: Secret<32>) -> Self {
        let recipient = X25519Recipient(crypto::x25519_public(&secret));
        Self { secret, recipient }
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = bech32_decode(SECRET_PREFIX, text).map_err(KeyError::from)?;
        Ok(Self::new(exact_secret(&bytes)?))
    }

    /// Prints `AGE-SECRET-KEY-1…`.
    pub fn to_text(&self) -> SecretString {
        bech32_encode(SECRET_PREFIX, self.secret.expose())
    }

    /// The public half.
    pub fn recipient(&self) -> &X25519Recipient {
        &self.recipient
    }

    fn open(&self, stanza: &Stanza) -> Result<Option<FileKey>, Error> {
        let [share] = stanza.args.as_slice() else { return Err(BAD_COUNT) };
        let share = decode_argument(share)?;
        let body = stanza.body_of()?;
        let shared = crypto::x25519(&self.secret, &share).map_err(|_| LOW_ORDER)?;
        Ok(FileKey::unwrap(&wrap_key(&shared, &share, &self.recipient), body))
    }
}

impl Recipient for X25519Recipient {
    fn wrap(&self, file_key: &FileKey) -> Result<Vec<Stanza>, Error> {
        let ephemeral = crypto::random_secret()?;
        let share = crypto::x25519_public(&ephemeral);
        let shared = crypto::x25519(&ephemeral, &self.0)?;
        Ok(vec![Stanza {
            kind: KIND.to_owned(),
            args: vec![base64_encode_unpadded(&share)],
            body: file_key.wrap(&wrap_key(&shared, &share, self)),
        }])
    }

    fn class(&self) -> Class {
        Class::Classic
    }
}

impl Identity for X25519Identity {
    fn recipient_text(&self) -> Option<String> {
        Some(self.recipient().to_string())
    }

    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, Error> {
        let mut ours = stanzas.iter().filter(|stanza| stanza.kind == KIND);
        ours.find_map(|stanza| self.open(stanza).transpose()).transpose()
    }

    fn class(&self) -> Class {
        Class::Classic
    }
}

impl fmt::Display for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32_encode(PREFIX, &self.0))
    }
}

impl fmt::Debug for X25519Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// For a share that makes the shared secret zero, whoever's key it meets.
pub(super) const LOW_ORDER: Error = Error::Header("the share of a stanza is a point of low order");

/// Refuses points of low order (RFC 7748, section 6.1). Whether the shared secret is zero
/// depends on the share alone: a clamped scalar is a multiple of the cofactors of the curve and
/// its twist, and this one is no multiple of either's large prime order, so a constant tells.
pub(super) fn check_share(share: &[u8; 32]) -> Result<(), crypto::Error> {
    Secret::build(|scalar: &mut [u8; 32]| {
        scalar.fill(1);
        Ok(())
    })
    .and_then(|scalar| crypto::x25519(&scalar, share))
    .map(drop)
}

/// Bytes of a key, when there are as many as there must be.
pub(super) fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], KeyError> {
    bytes.try_into().map_err(|_| KeyError::Length { expected: N, got: bytes.len() })
}

/// [`exact`] for secrets.
pub(super) fn exact_secret<const N: usize>(bytes: &[u8]) -> Result<Secret<N>, KeyError> {
    Secret::from_slice(bytes).ok_or(KeyError::Length { expected: N, got: bytes.len() })
}

fn wrap_key(shared: &Secret<32>, share: &[u8; 32], recipient: &X25519Recipient) -> Secret<32> {
    crypto::hkdf(shared.expose(), &[*share, recipient.0].concat(), INFO)
}

//! The `mlkem768x25519` recipient type (C2SP age.md, "The mlkem768x25519 recipient type"):
//! HPKE (RFC 9180) in base mode with X-Wing (KEM 0x647a), HKDF-SHA256 and ChaCha20-Poly1305.

use std::convert::Infallible;
use std::fmt;
use std::sync::OnceLock;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use zeroize::Zeroizing;

use crate::crypto;
use crate::secret::{Secret, SecretString};
use crate::text::{base64_encode_unpadded, bech32_decode, bech32_encode};

use super::error::{Error, KeyError};
use super::key::{FileKey, WRAPPED};
use super::recipient::{Class, Identity, Recipient};
use super::stanza::{BAD_COUNT, Stanza, decode_argument};
use super::x25519::{LOW_ORDER, check_share, exact, exact_secret};

pub(super) const KIND: &str = "mlkem768x25519";
pub(super) const SECRET_PREFIX: &str = "AGE-SECRET-KEY-PQ-";
const PREFIX: &str = "age1pq";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";

/// Bytes of an X-Wing public key.
pub(crate) const HYBRID_RECIPIENT: usize = 1216;
/// Bytes of an X-Wing encapsulated key.
const ENCAPSULATED: usize = 1120;

type PublicKey = <XWing as hpke::Kem>::PublicKey;
type PrivateKey = <XWing as hpke::Kem>::PrivateKey;
type EncappedKey = <XWing as hpke::Kem>::EncappedKey;

/// A post-quantum public key, `age1pq1…`.
#[derive(Clone, PartialEq, Eq)]
pub struct HybridRecipient(Box<PublicKey>);

/// A post-quantum secret key, `AGE-SECRET-KEY-PQ-1…`.
pub struct HybridIdentity {
    seed: Secret<32>,
    /// Expanded by the first use: it takes a tenth of a millisecond.
    key: OnceLock<Box<PrivateKey>>,
}

impl HybridRecipient {
    /// From the 1,216 bytes of an X-Wing public key: one with coefficients out of range (FIPS
    /// 203, section 7.2) or an X25519 share of low order is refused.
    pub(crate) fn from_bytes(bytes: &[u8; HYBRID_RECIPIENT]) -> Result<Self, Error> {
        check_last_share(bytes).map_err(|_| KeyError::Invalid)?;
        let key = PublicKey::from_bytes(bytes).map_err(|_| KeyError::Invalid)?;
        Ok(Self(Box::new(key)))
    }

    /// Reads `age1pq1…`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&exact(&bech32_decode(PREFIX, text).map_err(KeyError::from)?)?)
    }

    /// The 1,216 bytes of the X-Wing public key.
    pub fn to_bytes(&self) -> [u8; HYBRID_RECIPIENT] {
        self.0.to_bytes().into()
    }
}

impl HybridIdentity {
    /// A new random one.
    pub fn generate() -> Result<Self, Error> {
        Self::from_seed(&crypto::random_secret()?)
    }

    /// From the 32 bytes that X-Wing expands into both secret keys.
    pub fn from_seed(seed: &Secret<32>) -> Result<Self, Error> {
        Ok(Self { seed: exact_secret(seed.expose())?, key: OnceLock::new() })
    }

    fn key(&self) -> &PrivateKey {
        self.key.get_or_init(|| {
            let seed = self.seed.expose();
            #[expect(
                clippy::expect_used,
                reason = "another key in place of this one opens nothing"
            )]
            let key = PrivateKey::from_bytes(seed).expect("any 32 bytes are an X-Wing secret key");
            Box::new(key)
        })
    }

    /// Reads `AGE-SECRET-KEY-PQ-1…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = bech32_decode(SECRET_PREFIX, text).map_err(KeyError::from)?;
        Self::from_seed(&exact_secret(&bytes)?)
    }

    /// Prints `AGE-SECRET-KEY-PQ-1…`.
    pub fn to_text(&self) -> SecretString {
        bech32_encode(SECRET_PREFIX, self.seed.expose())
    }

    /// The public half.
    pub fn recipient(&self) -> HybridRecipient {
        HybridRecipient(Box::new(XWing::sk_to_pk(self.key())))
    }

    fn open(&self, stanza: &Stanza) -> Result<Option<FileKey>, Error> {
        let [encapsulated] = stanza.args.as_slice() else { return Err(BAD_COUNT) };
        let encapsulated: [u8; ENCAPSULATED] = decode_argument(encapsulated)?;
        let body = stanza.body_of::<WRAPPED>()?;
        // X-Wing itself takes such shares; the format does not.
        check_last_share(&encapsulated).map_err(|_| LOW_ORDER)?;
        let encapsulated = EncappedKey::from_bytes(&encapsulated).map_err(|_| LOW_ORDER)?;
        let mode = OpModeR::Base;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &mode,
            self.key(),
            &encapsulated,
            INFO,
            body,
            &[],
        );
        let opened = opened.ok().map(Zeroizing::new);
        Ok(opened.and_then(|key| Secret::from_slice(&key)).map(FileKey::new))
    }
}

impl Recipient for HybridRecipient {
    fn wrap(&self, file_key: &FileKey) -> Result<Vec<Stanza>, Error> {
        let mut random = System(Ok(()));
        let sealed = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &self.0,
            INFO,
            file_key.expose(),
            &[],
            &mut random,
        );
        random.0?;
        // Base mode to a key that was read can only fail on lengths, which are constant here.
        let (encapsulated, body) = sealed.map_err(|_| KeyError::Invalid)?;
        Ok(vec![Stanza {
            kind: KIND.to_owned(),
            args: vec![base64_encode_unpadded(&encapsulated.to_bytes())],
            body,
        }])
    }

    fn class(&self) -> Class {
        Class::PostQuantum
    }
}

impl Identity for HybridIdentity {
    fn recipient_text(&self) -> Option<String> {
        Some(self.recipient().to_string())
    }

    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>, Error> {
        let mut ours = stanzas.iter().filter(|stanza| stanza.kind == KIND);
        ours.find_map(|stanza| self.open(stanza).transpose()).transpose()
    }

    fn class(&self) -> Class {
        Class::PostQuantum
    }
}

impl fmt::Display for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32_encode(PREFIX, &self.to_bytes()))
    }
}

impl fmt::Debug for HybridRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for HybridIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HybridIdentity(..)")
    }
}

/// The X25519 share is the end of both the public and the encapsulated key.
fn check_last_share(bytes: &[u8]) -> Result<(), crypto::Error> {
    bytes.last_chunk().map_or(Err(crypto::Error::LowOrder), check_share)
}

/// The operating system's generator as `hpke` asks for it: without errors. A failure is kept,
/// and what was made of the missing bytes is thrown away.
struct System(Result<(), crypto::Error>);

impl TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        if let Err(error) = crypto::fill_random(out) {
            self.0 = Err(error);
        }
        Ok(())
    }
}

impl TryCryptoRng for System {}

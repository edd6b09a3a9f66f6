//! X-Wing (draft-connolly-cfrg-xwing-kem, KEM 0x647a of HPKE): ML-KEM-768 with X25519, a shared
//! secret for whoever holds the secret key to a public one. It holds while either of the two does.
//!
//! X25519 shares of low order are refused on both sides (RFC 7748, section 6.1), which X-Wing
//! itself does not ask for: a peer cannot take the classic half out.

use std::fmt;

use x_wing::{Decapsulator as _, KeyExport as _, TryDecapsulate as _, TryKeyInit as _};

use crate::crypto;
use crate::secret::Secret;

/// Bytes of a public key.
pub(crate) const PUBLIC_KEY: usize = x_wing::ENCAPSULATION_KEY_SIZE;
/// Bytes of a ciphertext.
pub(crate) const CIPHERTEXT: usize = x_wing::CIPHERTEXT_SIZE;
/// Random bytes an encapsulation uses.
const RANDOMNESS: usize = x_wing::ENCAPSULATION_RANDOMNESS_SIZE;

/// A shared secret, encapsulated: 1,088 bytes of ML-KEM-768, then an X25519 share.
pub(crate) type Ciphertext = [u8; CIPHERTEXT];

/// Why a key or a ciphertext was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the encoding of a public key: coefficients out of range (FIPS 203, section 7.2), or an
    /// X25519 share of low order.
    #[error("the X-Wing public key is invalid")]
    PublicKey,
    /// The X25519 share of a ciphertext is of low order.
    #[error("the X-Wing ciphertext has a share of low order")]
    Ciphertext,
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

/// A public key that was checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(Box<x_wing::EncapsulationKey>);

/// A secret key, expanded from its seed whenever it is used.
pub(crate) struct SecretKey(x_wing::DecapsulationKeyRejectNonContrib);

impl PublicKey {
    /// From its 1,216 bytes.
    pub(crate) fn from_bytes(bytes: &[u8; PUBLIC_KEY]) -> Result<Self, Error> {
        // Whether a shared secret is zero depends on the share alone, so a constant scalar tells.
        let share = bytes.last_chunk().ok_or(Error::PublicKey)?;
        let one = Secret::take(&mut [1; 32]);
        crypto::x25519(&one, share).map_err(|_| Error::PublicKey)?;
        let key = x_wing::EncapsulationKey::new(bytes.into()).map_err(|_| Error::PublicKey)?;
        Ok(Self(Box::new(key)))
    }

    /// Its 1,216 bytes.
    pub(crate) fn to_bytes(&self) -> [u8; PUBLIC_KEY] {
        self.0.to_bytes().into()
    }
}

impl SecretKey {
    /// From the 32 bytes that X-Wing expands into both secret keys.
    pub(crate) fn from_seed(seed: &Secret<32>) -> Self {
        Self((*seed.expose()).into())
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(Box::new(self.0.encapsulation_key().clone()))
    }

    /// The shared secret. A ciphertext that was changed gives another secret, not an error
    /// (implicit rejection, FIPS 203, section 6.3).
    pub(crate) fn decapsulate(&self, ciphertext: &Ciphertext) -> Result<Secret<32>, Error> {
        let shared = self.0.try_decapsulate(ciphertext.into());
        Ok(Secret::take(&mut shared.map_err(|_| Error::Ciphertext)?.0))
    }
}

/// A new shared secret, and what its owner opens it from.
#[cfg(test)]
pub(crate) fn encapsulate(to: &PublicKey) -> Result<(Ciphertext, Secret<32>), Error> {
    Ok(encapsulate_from(to, &crypto::random_secret()?))
}

/// [`encapsulate`] with its random bytes given: 32 for ML-KEM, 32 for X25519.
pub(crate) fn encapsulate_from(
    to: &PublicKey,
    randomness: &Secret<RANDOMNESS>,
) -> (Ciphertext, Secret<32>) {
    let (ciphertext, mut shared) = to.0.encapsulate_deterministic(randomness.expose().into());
    (ciphertext.into(), Secret::take(&mut shared.0))
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sha256;
    use crate::text::hex_encode;

    fn secret(byte: u8) -> SecretKey {
        SecretKey::from_seed(&Secret::take(&mut [byte; 32]))
    }

    /// The first vector of draft-connolly-cfrg-xwing-kem, appendix C; key and ciphertext by hash.
    #[test]
    fn published_vector() {
        let mut seed = *b"\x7f\x9c\x2b\xa4\xe8\x8f\x82\x7d\x61\x60\x45\x50\x76\x05\x85\x3e\
            \xd7\x3b\x80\x93\xf6\xef\xbc\x88\xeb\x1a\x6e\xac\xfa\x66\xef\x26";
        let mut random = *b"\x3c\xb1\xee\xa9\x88\x00\x4b\x93\x10\x3c\xfb\x0a\xee\xfd\x2a\x68\
            \x6e\x01\xfa\x4a\x58\xe8\xa3\x63\x9c\xa8\xa1\xe3\xf9\xae\x57\xe2\
            \x35\xb8\xcc\x87\x3c\x23\xdc\x62\xb8\xd2\x60\x16\x9a\xfa\x2f\x75\
            \xab\x91\x6a\x58\xd9\x74\x91\x88\x35\xd2\x5e\x6a\x43\x50\x85\xb2";
        let key = SecretKey::from_seed(&Secret::take(&mut seed));
        assert_eq!(
            hex_encode(&sha256(&[&key.public().to_bytes()])),
            "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb"
        );
        let (ciphertext, shared) = encapsulate_from(&key.public(), &Secret::take(&mut random));
        assert_eq!(
            hex_encode(&sha256(&[&ciphertext])),
            "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33"
        );
        assert_eq!(
            hex_encode(shared.expose()),
            "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384"
        );
        assert_eq!(key.decapsulate(&ciphertext).unwrap(), shared);
    }

    #[test]
    fn both_sides_agree_and_others_do_not() {
        let (ciphertext, shared) = encapsulate(&secret(1).public()).unwrap();
        assert_eq!(secret(1).decapsulate(&ciphertext).unwrap(), shared);
        assert!(secret(2).decapsulate(&ciphertext).unwrap() != shared);
        let mut changed = ciphertext;
        changed[0] ^= 1;
        assert!(secret(1).decapsulate(&changed).unwrap() != shared);
        assert!(encapsulate(&secret(1).public()).unwrap().0 != ciphertext);
        assert_eq!(
            format!("{:?}{:?}", secret(1), secret(1).public()),
            "SecretKey(..)PublicKey(..)"
        );
    }

    #[test]
    fn invalid_keys_and_shares_of_low_order_are_refused() {
        let good = secret(1).public().to_bytes();
        assert_eq!(PublicKey::from_bytes(&good).unwrap(), secret(1).public());
        let mut out_of_range = good;
        out_of_range[..2].fill(0xff);
        assert!(matches!(PublicKey::from_bytes(&out_of_range), Err(Error::PublicKey)));
        let (mut ciphertext, _) = encapsulate(&secret(1).public()).unwrap();
        for first in [0, 1] {
            let mut low = good;
            low[1184..].fill(0);
            low[1184] = first;
            assert!(matches!(PublicKey::from_bytes(&low), Err(Error::PublicKey)));
            ciphertext[1088..].fill(0);
            ciphertext[1088] = first;
            assert!(matches!(secret(1).decapsulate(&ciphertext), Err(Error::Ciphertext)));
        }
    }
}

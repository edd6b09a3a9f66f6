//! Proof of a letter's sender: the authenticator, the signature of the body, and the rules by
//! which a reader accepts them.

use std::sync::Arc;

use crate::crypto::{self, SigningSecret, label};
use crate::identity::{Card, Fingerprint};
use crate::letter::Error;
use crate::secret::Secret;
use crate::wire::{Decode, Encode, Record};

/// Bytes of the signature that follows the body of a signed letter.
pub(super) const TRAILER: usize = 64;

/// The authenticator record. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum Authenticator {
    /// Proves nothing: the letter is anonymous.
    None,
    /// RFC 8032, by the signing key on the sender's card. The body's signature follows the body.
    Ed25519([u8; 64]),
    /// HMAC-SHA256 under a key of the pairwise secret, for letters under the ratchet alone.
    Pairwise([u8; 32]),
    /// Both, over one message and under labels of their own. The body's signature follows the
    /// body.
    Signed {
        /// As in `Ed25519`.
        signature: [u8; 64],
        /// As in `Pairwise`.
        mac: [u8; 32],
    },
}

impl Record for Authenticator {
    const NAME: &'static str = "letter authenticator";
    const VERSION: u8 = 1;
    const MAX: usize = 128;
}

/// Proof of a letter's sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Not at all: the letter is anonymous.
    None,
    /// By an Ed25519 signature of the whole letter, which the recipient could show to others.
    Signature,
    /// By the ratchet and a MAC under the secret of a pairing, which the recipient could have
    /// made.
    Pairwise,
    /// By both. A thief of the recipient's keys cannot make the signature, and a quantum computer
    /// cannot make the MAC.
    SignedPairwise,
}

/// Secrets of the reader's pairings.
pub trait Pairwise: Sync {
    /// Returns those that the reader `to` has with the sender `from`, the likeliest first.
    fn secrets(&self, to: &Fingerprint, from: &Fingerprint) -> Vec<Arc<Secret<32>>>;
}

/// A reader who paired with no contact.
pub(super) struct Unpaired;

impl Pairwise for Unpaired {
    fn secrets(&self, _: &Fingerprint, _: &Fingerprint) -> Vec<Arc<Secret<32>>> {
        Vec::new()
    }
}

/// Message of an authenticator: the hash of the age header, then the hash of the letter header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message([u8; 64]);

impl Message {
    pub(super) fn new(age_header: &[u8], header: &[u8]) -> Self {
        let mut message = [0; 64];
        let (age, letter) = message.split_at_mut(32);
        age.copy_from_slice(&crypto::sha256(&[age_header]));
        letter.copy_from_slice(&crypto::sha256(&[header]));
        Self(message)
    }

    fn sign(&self, signer: &SigningSecret, label: &[u8]) -> [u8; 64] {
        signer.sign_labelled(label, &[&self.0])
    }

    fn verify(&self, card: &Card, label: &[u8], signature: &[u8; 64]) -> Result<(), Error> {
        crypto::verify_labelled(card.signer(), label, &[&self.0], signature)
            .map_err(|_| Error::Forged)
    }

    fn mac(&self, secret: &Secret<32>, label: &[u8]) -> [u8; 32] {
        let key: Secret<32> = crypto::hkdf(secret.expose(), &[], label);
        crypto::hmac_sha256(key.expose(), &[&self.0])
    }

    /// Finds the pairing whose MAC it is.
    fn find(
        &self,
        secrets: Vec<Arc<Secret<32>>>,
        label: &[u8],
        tag: &[u8; 32],
    ) -> Option<Arc<Secret<32>>> {
        secrets.into_iter().find(|secret| crypto::equal(&self.mac(secret, label), tag))
    }
}

/// Facts that decide which proof a letter needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// It is sealed under a key of the ratchet, not to the key on a card.
    pub(super) ratchet: bool,
    /// It has a postscript: it changes keys, machines or contacts at the recipient.
    pub(super) postscript: bool,
}

impl Authenticator {
    /// Proves a letter by the weakest kind that [`Authenticator::verify`] accepts for it.
    pub(super) fn new(
        message: &Message,
        needs: Needs,
        signer: &SigningSecret,
        pairwise: Option<&Secret<32>>,
    ) -> Result<Self, Error> {
        Ok(match pairwise {
            None if needs.ratchet => return Err(Error::Unproven(NO_SECRET)),
            None => Self::Ed25519(message.sign(signer, label::LETTER_SIGNATURE)),
            Some(secret) if needs.ratchet && !needs.postscript => {
                Self::Pairwise(message.mac(secret, label::LETTER_PAIRWISE))
            }
            Some(secret) => Self::Signed {
                signature: message.sign(signer, label::LETTER_SIGNATURE_PAIRED),
                mac: message.mac(secret, label::LETTER_PAIRWISE_SIGNED),
            },
        })
    }

    /// Verifies a proof, and that it is strong enough for the letter. `secrets` are those shared
    /// with the sender. Returns the one that the MAC was made with.
    pub(super) fn verify(
        &self,
        message: &Message,
        needs: Needs,
        from: Option<&Card>,
        secrets: impl FnOnce(&Card) -> Vec<Arc<Secret<32>>>,
    ) -> Result<(Proof, Option<Arc<Secret<32>>>), Error> {
        let Some(card) = from else {
            return match self {
                Self::None if needs.ratchet => Err(Error::Unproven(NO_SENDER)),
                Self::None => Ok((Proof::None, None)),
                _ => Err(Error::Forged),
            };
        };
        match self {
            Self::None => Err(Error::Forged),
            Self::Ed25519(signature) => {
                message.verify(card, label::LETTER_SIGNATURE, signature)?;
                if needs.ratchet || (needs.postscript && !secrets(card).is_empty()) {
                    return Err(Error::Unproven(NO_MAC));
                }
                Ok((Proof::Signature, None))
            }
            Self::Pairwise(tag) => {
                let secret = message.find(secrets(card), label::LETTER_PAIRWISE, tag);
                let secret = secret.ok_or(Error::Forged)?;
                match needs {
                    Needs { ratchet: false, .. } => Err(Error::Unproven(TO_CARD)),
                    Needs { postscript: true, .. } => Err(Error::Unproven(POSTSCRIPT)),
                    _ => Ok((Proof::Pairwise, Some(secret))),
                }
            }
            Self::Signed { signature, mac } => {
                message.verify(card, label::LETTER_SIGNATURE_PAIRED, signature)?;
                let secret = message.find(secrets(card), label::LETTER_PAIRWISE_SIGNED, mac);
                let secret = secret.ok_or(Error::Unproven(UNKNOWN_PAIRING))?;
                Ok((Proof::SignedPairwise, Some(secret)))
            }
        }
    }

    /// Returns whether the body's signature follows the body.
    pub(super) fn signs_body(&self) -> bool {
        matches!(self, Self::Ed25519(_) | Self::Signed { .. })
    }
}

const TO_CARD: &str = "a MAC alone proves no letter to a card: the sender's signature is missing";
const POSTSCRIPT: &str =
    "it changes keys, machines or contacts, and the sender's signature is missing";
const NO_MAC: &str = "the MAC of the pairing with its sender is missing";
const NO_SECRET: &str = "a letter under ratchet keys needs the secret of the pairing";
const NO_SENDER: &str = "it is sealed under the keys of a pairing and names no sender";
const UNKNOWN_PAIRING: &str =
    "its sender signed it, but the pairing that it names is not known here";

/// The body of a signed letter as it streams, and what its signature covers before it.
#[derive(Debug)]
pub(super) struct SignedBody {
    message: Message,
    /// The sender's key.
    public: [u8; 32],
    hash: crypto::Hash,
}

impl SignedBody {
    pub(super) fn new(message: Message, card: &Card) -> Self {
        Self { message, public: *card.signer(), hash: crypto::Hash::default() }
    }

    pub(super) fn update(&mut self, body: &[u8]) {
        self.hash.update(body);
    }

    /// Signs the body that came, as the letter of `message` and no other.
    pub(super) fn sign(self, signer: &SigningSecret) -> [u8; TRAILER] {
        signer.sign_labelled(label::LETTER_BODY, &[&self.message.0, &self.hash.finish()])
    }

    /// Verifies that the body that came is the one that was signed.
    pub(super) fn verify(self, signature: &[u8; TRAILER]) -> Result<(), Error> {
        let parts: [&[u8]; 2] = [&self.message.0, &self.hash.finish()];
        crypto::verify_labelled(&self.public, label::LETTER_BODY, &parts, signature)
            .map_err(|_| Error::ForgedBody)
    }
}

//! Primitives with the checks they need on the only path to them, and the one table of
//! domain labels.

use std::fmt;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, Tag};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::padding::padme;
use crate::secret::Secret;

/// Bytes an AEAD tag adds.
pub(crate) const TAG: usize = 16;

/// Every domain label of the project. Labels of other standards (age, HPKE) stand with the
/// code of that standard. A label is used for one thing and never reused.
pub mod label {
    /// Identity seed to the seed of its X-Wing age identity.
    pub(crate) const IDENTITY_AGE: &[u8] = b"bulla/v1/identity/age";
    /// Identity seed to its Ed25519 signing key.
    pub(crate) const IDENTITY_SIGN: &[u8] = b"bulla/v1/identity/sign";
    /// Identity seed to the mailbox root.
    pub(crate) const IDENTITY_MAILBOX: &[u8] = b"bulla/v1/identity/mailbox";
    /// Identity seed to the storage root.
    pub(crate) const IDENTITY_STORAGE: &[u8] = b"bulla/v1/identity/storage";
    /// Mailbox root to the key of the mailbox for first letters, named on the card.
    pub(crate) const MAILBOX_CARD: &[u8] = b"bulla/v1/mailbox/card";
    /// Mailbox root to the capability for first letters, named on the card. Its generation, a
    /// big-endian `u32`, follows the label.
    pub(crate) const MAILBOX_CAPABILITY: &[u8] = b"bulla/v1/mailbox/capability";
    /// Mailbox root to the key of one contact's mailbox. Its random index, 16 bytes, follows.
    pub(crate) const MAILBOX_CONTACT: &[u8] = b"bulla/v1/mailbox/contact/key";
    /// Mailbox root to a capability for that mailbox. Index and generation follow.
    pub(crate) const MAILBOX_CONTACT_CAPABILITY: &[u8] = b"bulla/v1/mailbox/contact/capability";
    /// Mailbox root to the key of a mailbox where one pairing meets. Its index follows.
    pub(crate) const MAILBOX_MEETING: &[u8] = b"bulla/v1/mailbox/meeting/key";
    /// Mailbox root to the capability for that mailbox. Its index follows.
    pub(crate) const MAILBOX_MEETING_CAPABILITY: &[u8] = b"bulla/v1/mailbox/meeting/capability";
    /// Mailbox root to the index of a mailbox on another machine of the same owner. What the mailbox
    /// is for follows the label; the salt is the machine's id.
    pub(crate) const MAILBOX_MACHINE: &[u8] = b"bulla/v1/mailbox/machine";
    /// Secret of an introduction to the capability that the invite is pushed with. The joiner's
    /// fingerprint is the salt.
    pub(crate) const INTRODUCTION_CAPABILITY: &[u8] = b"bulla/v1/introduction/capability";
    /// Storage root to the key of the contact book and of what is remembered of letters.
    pub(crate) const STORAGE_BOOK: &[u8] = b"bulla/v1/storage/book";
    /// Key of what pairings leave.
    pub(crate) const STORAGE_PAIRS: &[u8] = b"bulla/v1/storage/pairs";
    /// Key of what is still to be told of a new identity.
    pub(crate) const STORAGE_UNTOLD: &[u8] = b"bulla/v1/storage/untold";
    /// Key of which new identity was announced by which old one.
    pub(crate) const STORAGE_SUCCESSORS: &[u8] = b"bulla/v1/storage/successors";
    /// Key of what a new machine remembers until it is in use.
    pub(crate) const STORAGE_TAKEOVER: &[u8] = b"bulla/v1/storage/takeover";
    /// Storage root to the key of the ratchets with one contact, whose fingerprint is the salt.
    pub(crate) const STORAGE_RATCHET: &[u8] = b"bulla/v1/storage/ratchet/key";
    /// Storage root to the name of their file, in the same way.
    pub(crate) const STORAGE_RATCHET_NAME: &[u8] = b"bulla/v1/storage/ratchet/name";
    /// Storage root to the key of what is kept of a letter that a command was given, whose id is the
    /// salt.
    pub(crate) const STORAGE_OWED: &[u8] = b"bulla/v1/storage/owed";
    /// Storage root to the key of letters that went to a pipe, by the name of their file, which is the
    /// salt.
    pub(crate) const STORAGE_KEPT: &[u8] = b"bulla/v1/storage/kept";
    /// Storage root to the key that wraps index keys.
    pub const STORAGE_INDEX: &[u8] = b"bulla/v1/storage/index";
    /// Storage root to the name of the folder of one identity's state.
    pub const STORAGE_FOLDER: &[u8] = b"bulla/v1/storage/folder";
    /// What a fingerprint hashes before the public keys.
    pub(crate) const FINGERPRINT: &[u8] = b"bulla/v1/fingerprint";
    /// What a card's self-signature signs before the card.
    pub(crate) const CARD_SIGNATURE: &[u8] = b"bulla/v1/card";
    /// Prefix of the message of a letter's signature, when it proves the sender
    /// alone.
    pub(crate) const LETTER_SIGNATURE: &[u8] = b"bulla/v1/letter/signature";
    /// The same, when it proves the sender together with the MAC of a pairing.
    pub(crate) const LETTER_SIGNATURE_PAIRED: &[u8] = b"bulla/v1/letter/paired";
    /// Prefix of the message of the signature after a letter's body.
    pub(crate) const LETTER_BODY: &[u8] = b"bulla/v1/letter/body";
    /// Pairwise secret to the key of the MAC that alone proves letters under the ratchet.
    pub(crate) const LETTER_PAIRWISE: &[u8] = b"bulla/v1/pairwise/letter";
    /// Pairwise secret to the key of the MAC that proves a letter together with a signature.
    pub(crate) const LETTER_PAIRWISE_SIGNED: &[u8] = b"bulla/v1/pairwise/signed";
    /// The seed of one side of a pairing to what it draws; one byte says what.
    pub(crate) const PAIRING_SEED: &[u8] = b"bulla/v1/pairing/seed";
    /// What the transcript of a pairing hashes first, before the invite.
    pub(crate) const PAIRING_INVITE: &[u8] = b"bulla/v1/pairing/invite";
    /// What the transcript of a pairing hashes before each of its next parts.
    pub(crate) const PAIRING_TRANSCRIPT: &[u8] = b"bulla/v1/pairing/transcript";
    /// Chaining key of a pairing from the one before and what was agreed.
    pub(crate) const PAIRING_CHAIN: &[u8] = b"bulla/v1/pairing/chain";
    /// Chaining key to the key of messages as a relay sees them.
    pub(crate) const PAIRING_OUTER: &[u8] = b"bulla/v1/pairing/outer";
    /// Chaining key to the key of what is inside a message.
    pub(crate) const PAIRING_INNER: &[u8] = b"bulla/v1/pairing/inner";
    /// Chaining key to the key of one side's later messages; its role, a byte, follows.
    pub(crate) const PAIRING_LATER: &[u8] = b"bulla/v1/pairing/later";
    /// Chaining key to the secret that two contacts share.
    pub(crate) const PAIRING_PAIRWISE: &[u8] = b"bulla/v1/pairing/pairwise";
    /// Key of messages to that of one message, by its kind and salt.
    pub(crate) const PAIRING_FRAME: &[u8] = b"bulla/v1/pairing/frame";
    /// Key of messages to the salt of one message, by its kind and content.
    pub(crate) const PAIRING_SALT: &[u8] = b"bulla/v1/pairing/salt";
    /// What a public invite's commitment hashes before the opening.
    pub(crate) const PAIRING_COMMITMENT: &[u8] = b"bulla/v1/pairing/commitment";
    /// What the commitment to a card hashes before blind and card.
    pub(crate) const PAIRING_CARD: &[u8] = b"bulla/v1/pairing/card";
    /// What is hashed into the digits two people compare.
    pub(crate) const PAIRING_DIGITS: &[u8] = b"bulla/v1/pairing/digits";
    /// What CPace binds words that two people speak to.
    pub(crate) const PAIRING_WORDS: &[u8] = b"bulla/v1/pairing/words";
    /// Chaining key to the proof that the inviter knows the words.
    pub(crate) const PAIRING_PROOF: &[u8] = b"bulla/v1/pairing/proof";
    /// What a card's owner signs before the keys he pairs with.
    pub(crate) const PAIRING_HAND: &[u8] = b"bulla/v1/pairing/hand";
    /// Two fingerprints to the salt of the digits that their owners compare at any time.
    pub(crate) const CONTACT_FINGERPRINTS: &[u8] = b"bulla/v1/contact/fingerprints";
    /// Pairwise secret, under that salt, to these digits.
    pub(crate) const CONTACT_DIGITS_PAIRED: &[u8] = b"bulla/v1/contact/digits/paired";
    /// That salt alone to these digits, for a contact by a card.
    pub(crate) const CONTACT_DIGITS_CARD: &[u8] = b"bulla/v1/contact/digits/card";
    /// Pairwise secret and transcript to the first root of a ratchet's line. A direction, one byte,
    /// follows the label.
    pub(crate) const RATCHET_START: &[u8] = b"bulla/v1/ratchet/start";
    /// What the name of a ratchet's start hashes before the offer.
    pub(crate) const RATCHET_OFFER: &[u8] = b"bulla/v1/ratchet/offer";
    /// Root and an X-Wing secret to the next root.
    pub(crate) const RATCHET_ROOT: &[u8] = b"bulla/v1/ratchet/root";
    /// Root and an X-Wing secret to the first chain key of an epoch; chain key to the next one.
    pub(crate) const RATCHET_CHAIN: &[u8] = b"bulla/v1/ratchet/chain";
    /// To the key of an epoch's tags; that key and a number to a tag.
    pub(crate) const RATCHET_TAG: &[u8] = b"bulla/v1/ratchet/tag";
    /// To the key of an epoch's headers; that key and a salt to the key of one header.
    pub(crate) const RATCHET_HEADER: &[u8] = b"bulla/v1/ratchet/header";
    /// Chain key to the key of its number; that key and a salt to the key that wraps a file key.
    pub(crate) const RATCHET_LETTER: &[u8] = b"bulla/v1/ratchet/letter";
    /// A record at rest: key of one writing from the storage key and a random salt.
    pub(crate) const RECORD: &[u8] = b"bulla/v1/record";
    /// A pack of the index: key of its file from its secret and a random salt.
    #[cfg_attr(not(feature = "index"), allow(dead_code, reason = "the table names every label"))]
    pub(crate) const INDEX_FILE: &[u8] = b"bulla/v1/index/file";
}

/// Why a primitive refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// An X25519 share of low order: the shared secret would be all zero (RFC 7748, section 6.1).
    #[error("the key share is a point of low order")]
    LowOrder,
    /// A signature or public key that does not verify (RFC 8032).
    #[error("the signature does not verify")]
    Signature,
    /// Ciphertext, tag, key or associated data were changed.
    #[error("{0} is damaged, or sealed under another key")]
    Damaged(&'static str),
}

/// Fills a slice with random bytes.
pub(crate) fn fill_random(out: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(out).map_err(Error::Random)
}

/// Random bytes that are public: nonces, ids, salts.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// A random secret, filled in place.
pub fn random_secret<const N: usize>() -> Result<Secret<N>, Error> {
    Secret::build(|bytes| fill_random(bytes))
}

/// SHA-256 (FIPS 180-4) of the parts, one after another.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hash(Sha256);

impl Hash {
    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all of them.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// HKDF-SHA256 (RFC 5869): `N` bytes, at most 255 * 32, from key material, salt and label.
pub(crate) fn hkdf<const N: usize>(material: &[u8], salt: &[u8], label: &[u8]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    let expander = Hkdf::<Sha256>::new(Some(salt), material);
    #[expect(clippy::expect_used, reason = "zero bytes in place of a key would be used as one")]
    Secret::build(|out| expander.expand(label, out))
        .expect("HKDF expands to at most 255 blocks, which the assertion above checks")
}

/// HMAC-SHA256 (RFC 2104) of the parts, one after another.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "anyone can make a constant in place of a MAC")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Returns the first `N` bytes, at most 32, of a hash, a MAC or a derived key.
pub fn truncate<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    #[expect(clippy::expect_used, reason = "a constant in place of a tag or name would match all")]
    *bytes.first_chunk().expect("32 bytes have N of them, which the assertion above checks")
}

/// Compares in time that depends on the lengths only.
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// X25519 (RFC 7748): the shared secret, unless the other share is of low order.
pub(crate) fn x25519(ours: &Secret<32>, theirs: &[u8; 32]) -> Result<Secret<32>, Error> {
    let shared = x25519_dalek::StaticSecret::from(*ours.expose())
        .diffie_hellman(&x25519_dalek::PublicKey::from(*theirs));
    if !shared.was_contributory() {
        return Err(Error::LowOrder);
    }
    Secret::from_slice(shared.as_bytes()).ok_or(Error::LowOrder)
}

/// The X25519 public share of a secret.
pub(crate) fn x25519_public(ours: &Secret<32>) -> [u8; 32] {
    x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*ours.expose())).to_bytes()
}

/// An Ed25519 key that signs (RFC 8032).
pub struct SigningSecret(SigningKey);

impl SigningSecret {
    /// From its 32-byte seed.
    pub fn from_seed(seed: &Secret<32>) -> Self {
        Self(SigningKey::from_bytes(seed.expose()))
    }

    /// The 32-byte public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a message that a standard has framed already (RFC 9421 requests). A key that
    /// signs such messages must never sign labelled ones.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// Signs `label ‖ 0x00 ‖ parts`.
    pub(crate) fn sign_labelled(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 64] {
        self.sign(&labelled(label, parts))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Verifies a bare Ed25519 signature strictly: no key of low order, no malleable signature.
pub(crate) fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), Error> {
    VerifyingKey::from_bytes(public)
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .map_err(|_| Error::Signature)
}

/// Checks that 32 bytes are an Ed25519 public key somebody can own: a point on the curve, not
/// of low order.
pub(crate) fn check_signing_key(public: &[u8; 32]) -> Result<(), Error> {
    match VerifyingKey::from_bytes(public) {
        Ok(key) if !key.is_weak() => Ok(()),
        _ => Err(Error::Signature),
    }
}

/// Verifies what [`SigningSecret::sign_labelled`] signed.
pub(crate) fn verify_labelled(
    public: &[u8; 32],
    label: &[u8],
    parts: &[&[u8]],
    signature: &[u8; 64],
) -> Result<(), Error> {
    verify(public, &labelled(label, parts), signature)
}

fn labelled(label: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut message = label.to_vec();
    message.push(0);
    parts.iter().for_each(|part| message.extend_from_slice(part));
    message
}

/// A ChaCha20-Poly1305 key (RFC 8439) set up once, for many chunks.
pub(crate) struct Aead(ChaCha20Poly1305);

impl Aead {
    /// Sets the cipher up.
    pub(crate) fn new(key: &Secret<32>) -> Self {
        Self(ChaCha20Poly1305::new(key.expose().into()))
    }

    /// Encrypts in place and returns the tag. The caller never uses a nonce twice.
    pub(crate) fn seal(&self, nonce: &[u8; 12], associated: &[u8], data: &mut [u8]) -> [u8; TAG] {
        #[expect(clippy::expect_used, reason = "what was not encrypted must not be given out")]
        self.0
            .encrypt_inout_detached(&Nonce::from(*nonce), associated, data.into())
            .expect("ChaCha20-Poly1305 fails past 256 GiB, and no caller has such a chunk")
            .into()
    }

    /// Decrypts in place. On failure `data` holds nothing of the plaintext.
    pub(crate) fn open(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Error> {
        self.0
            .decrypt_inout_detached(&Nonce::from(*nonce), associated, data.into(), &Tag::from(*tag))
            .map_err(|_| Error::Damaged("data"))
    }
}

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Version byte of a record at rest.
const RECORD_VERSION: u8 = 1;
/// Random salt of a record at rest, in bytes.
const RECORD_SALT: usize = 32;
/// Shortest padded plaintext of a record at rest, in bytes.
const RECORD_FLOOR: u64 = 256;

/// Seals a record at rest: `version (1) ‖ salt (32) ‖ ciphertext ‖ tag (16)`.
///
/// The key of each writing is HKDF(key, salt, label ‖ kind), so the zero nonce is used once.
/// The plaintext is `length (u64, big-endian) ‖ record ‖ zeros` up to a Padmé length.
pub(crate) fn seal_record(
    key: &Secret<32>,
    kind: &'static str,
    record: &[u8],
) -> Result<Vec<u8>, Error> {
    let salt = random::<RECORD_SALT>()?;
    let length = record.len() as u64;
    let padded = padme((length + 8).max(RECORD_FLOOR));
    let mut plain = Zeroizing::new(Vec::with_capacity(padded as usize));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(record);
    plain.resize(padded as usize, 0);
    let tag = record_aead(key, &salt, kind).seal(&[0; 12], &[RECORD_VERSION], &mut plain);
    Ok([&[RECORD_VERSION][..], &salt, &plain, &tag].concat())
}

/// Opens what [`seal_record`] sealed with the same key and kind.
pub(crate) fn open_record(
    key: &Secret<32>,
    kind: &'static str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let damaged = || Error::Damaged(kind);
    let (&version, rest) = sealed.split_first().ok_or_else(damaged)?;
    let (salt, rest) = rest.split_first_chunk::<RECORD_SALT>().ok_or_else(damaged)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or_else(damaged)?;
    let mut plain = Zeroizing::new(body.to_vec());
    record_aead(key, salt, kind)
        .open(&[0; 12], &[version], &mut plain, tag)
        .map_err(|_| damaged())?;
    let (length, record) = plain.split_first_chunk::<8>().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| damaged())?;
    if version != RECORD_VERSION {
        return Err(damaged());
    }
    Ok(Zeroizing::new(record.get(..length).ok_or_else(damaged)?.to_vec()))
}

fn record_aead(key: &Secret<32>, salt: &[u8], kind: &str) -> Aead {
    Aead::new(&hkdf(key.expose(), salt, &[label::RECORD, b"\0", kind.as_bytes()].concat()))
}

#[cfg(test)]
mod tests {
    mod wycheproof;

    use super::*;

    fn key(byte: u8) -> Secret<32> {
        Secret::from_slice(&[byte; 32]).unwrap()
    }

    #[test]
    fn labels_are_distinct_and_no_prefix_of_each_other() {
        use label::*;
        let all = [
            IDENTITY_AGE,
            IDENTITY_SIGN,
            IDENTITY_MAILBOX,
            IDENTITY_STORAGE,
            MAILBOX_CARD,
            MAILBOX_CAPABILITY,
            MAILBOX_CONTACT,
            MAILBOX_CONTACT_CAPABILITY,
            MAILBOX_MEETING,
            MAILBOX_MEETING_CAPABILITY,
            MAILBOX_MACHINE,
            INTRODUCTION_CAPABILITY,
            PAIRING_SEED,
            PAIRING_INVITE,
            PAIRING_TRANSCRIPT,
            PAIRING_CHAIN,
            PAIRING_OUTER,
            PAIRING_INNER,
            PAIRING_LATER,
            PAIRING_PAIRWISE,
            PAIRING_FRAME,
            PAIRING_SALT,
            PAIRING_COMMITMENT,
            PAIRING_CARD,
            PAIRING_DIGITS,
            PAIRING_WORDS,
            PAIRING_PROOF,
            PAIRING_HAND,
            CONTACT_FINGERPRINTS,
            CONTACT_DIGITS_PAIRED,
            CONTACT_DIGITS_CARD,
            STORAGE_BOOK,
            STORAGE_INDEX,
            STORAGE_FOLDER,
            FINGERPRINT,
            CARD_SIGNATURE,
            LETTER_SIGNATURE,
            LETTER_SIGNATURE_PAIRED,
            LETTER_BODY,
            LETTER_PAIRWISE,
            LETTER_PAIRWISE_SIGNED,
            STORAGE_PAIRS,
            STORAGE_TAKEOVER,
            STORAGE_UNTOLD,
            STORAGE_SUCCESSORS,
            STORAGE_RATCHET,
            STORAGE_RATCHET_NAME,
            STORAGE_OWED,
            STORAGE_KEPT,
            RATCHET_START,
            RATCHET_OFFER,
            RATCHET_ROOT,
            RATCHET_CHAIN,
            RATCHET_TAG,
            RATCHET_HEADER,
            RATCHET_LETTER,
            RECORD,
            INDEX_FILE,
        ];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert!(i == j || !other.starts_with(one));
            }
        }
    }

    #[test]
    fn low_order_shares_are_refused() {
        for share in [[0u8; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            assert!(matches!(x25519(&key(9), &share), Err(Error::LowOrder)));
        }
    }

    #[test]
    fn records_at_rest() {
        let sealed = seal_record(&key(1), "book", b"hello").unwrap();
        assert_eq!(sealed.len(), 1 + 32 + 256 + 16);
        assert_eq!(open_record(&key(1), "book", &sealed).unwrap().as_slice(), b"hello");
        assert!(open_record(&key(2), "book", &sealed).is_err());
        assert!(open_record(&key(1), "index", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(open_record(&key(1), "book", &flipped).is_err(), "byte {at}");
            assert!(open_record(&key(1), "book", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_ne!(sealed, seal_record(&key(1), "book", b"hello").unwrap());
    }

    #[test]
    fn signatures_are_bound_to_their_label() {
        let signer = SigningSecret::from_seed(&key(3));
        let signature = signer.sign_labelled(b"one", &[b"a", b"b"]);
        assert!(verify_labelled(&signer.public(), b"one", &[b"ab"], &signature).is_ok());
        assert!(verify_labelled(&signer.public(), b"two", &[b"ab"], &signature).is_err());
        assert!(verify_labelled(&signer.public(), b"one", &[b"ac"], &signature).is_err());
        assert_eq!(format!("{signer:?}"), "..");
    }
}

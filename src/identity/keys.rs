//! One secret seed, and the keys derived from it.

use std::fmt;
use std::sync::OnceLock;

use crate::age;
use crate::crypto::{self, SigningSecret, label};
use crate::identity::error::Error;
use crate::identity::fingerprint::Fingerprint;
use crate::secret::{Secret, SecretString};
use crate::text;

/// Machines that one person may have at once; the one longest known makes room.
pub(crate) const MAX_MACHINES: usize = 8;

/// Human-readable part of a secret identity.
pub(super) const SECRET_PREFIX: &str = "BULLA-SECRET-KEY-";

/// A secret identity: 32 random bytes from which every key of its owner is derived
/// (HKDF-SHA256, RFC 5869, labels in [`crypto::label`]).
pub struct Identity {
    seed: Secret<32>,
    age: age::HybridIdentity,
    recipient: OnceLock<age::HybridRecipient>,
}

impl Identity {
    /// A new one, from the operating system's randomness.
    pub fn generate() -> Result<Self, Error> {
        Self::from_seed(crypto::random_secret()?)
    }

    /// The identity of a seed. Its X-Wing key is expanded by the first use of it, which a search
    /// never makes.
    pub fn from_seed(seed: Secret<32>) -> Result<Self, Error> {
        let age = age::HybridIdentity::from_seed(&derive(&seed, label::IDENTITY_AGE))
            .map_err(Error::Age)?;
        Ok(Self { seed, age, recipient: OnceLock::new() })
    }

    /// Reads a line `BULLA-SECRET-KEY-1…` (Bech32, BIP 173 without its length limit).
    pub fn parse(line: &str) -> Result<Self, Error> {
        let bytes = text::bech32_decode(SECRET_PREFIX, line)?;
        let seed =
            Secret::from_slice(&bytes).ok_or(Error::Length { expected: 32, got: bytes.len() })?;
        Self::from_seed(seed)
    }

    /// The line [`Identity::parse`] reads, without a line feed.
    pub fn to_line(&self) -> SecretString {
        text::bech32_encode(SECRET_PREFIX, self.seed.expose())
    }

    /// The recipient that `age` and everybody else can seal to: `age1pq1…`.
    pub fn age_recipient(&self) -> &age::HybridRecipient {
        self.recipient.get_or_init(|| self.age.recipient())
    }

    /// The Ed25519 key that signs cards and letters, and labelled messages only.
    pub(crate) fn signer(&self) -> SigningSecret {
        SigningSecret::from_seed(&derive(&self.seed, label::IDENTITY_SIGN))
    }

    /// The name of the public keys, whole.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.age_recipient().to_bytes(), &self.signer().public())
    }

    /// The key of the mailbox on the card, where first letters go. It signs requests to the
    /// relay and nothing else; its public half is the mailbox's id.
    pub fn card_mailbox(&self) -> SigningSecret {
        SigningSecret::from_seed(&self.mailbox_secret(&[label::MAILBOX_CARD]))
    }

    /// The capability on the card, to push to [`Identity::card_mailbox`]. Of each `generation`
    /// there is one, the same wherever this identity is; the next takes the place of one that
    /// got into the wrong hands.
    pub(crate) fn card_capability(&self, generation: u32) -> Secret<32> {
        self.mailbox_secret(&[label::MAILBOX_CAPABILITY, &generation.to_be_bytes()])
    }

    /// The key of one contact's mailbox. Indices are random: nobody without the identity can tell
    /// that two such mailboxes belong to one person.
    pub(crate) fn contact_mailbox(&self, index: &[u8; 16]) -> SigningSecret {
        SigningSecret::from_seed(&self.mailbox_secret(&[label::MAILBOX_CONTACT, index]))
    }

    /// The capability to push to [`Identity::contact_mailbox`]; generations as on the
    /// [card](Self::card_capability).
    pub(crate) fn contact_capability(&self, index: &[u8; 16], generation: u32) -> Secret<32> {
        let generation = generation.to_be_bytes();
        self.mailbox_secret(&[label::MAILBOX_CONTACT_CAPABILITY, index, &generation])
    }

    /// The key of a mailbox where one pairing meets, an invite's or that for the answer to one,
    /// by a random index.
    pub(crate) fn meeting_mailbox(&self, index: &[u8; 16]) -> SigningSecret {
        SigningSecret::from_seed(&self.mailbox_secret(&[label::MAILBOX_MEETING, index]))
    }

    /// The capability to push to [`Identity::meeting_mailbox`].
    pub(crate) fn meeting_capability(&self, index: &[u8; 16]) -> Secret<32> {
        self.mailbox_secret(&[label::MAILBOX_MEETING_CAPABILITY, index])
    }

    /// Derives the index of a mailbox that a machine of the owner makes, from the machine's id and
    /// what the mailbox is for: each machine knows the mailboxes of the others, and can close them.
    pub(crate) fn machine_index(&self, machine: &[u8; 32], purpose: &[u8]) -> [u8; 16] {
        let root: Secret<32> = derive(&self.seed, label::IDENTITY_MAILBOX);
        let info = [label::MAILBOX_MACHINE, purpose].concat();
        *crypto::hkdf(root.expose(), machine, &info).expose()
    }

    fn mailbox_secret(&self, info: &[&[u8]]) -> Secret<32> {
        let root: Secret<32> = derive(&self.seed, label::IDENTITY_MAILBOX);
        crypto::hkdf(root.expose(), &[], &info.concat())
    }

    /// The key of one kind of state at rest; `label` is one of the `STORAGE_` labels.
    pub fn storage_key(&self, label: &'static [u8]) -> Secret<32> {
        self.storage_key_for(label, &[])
    }

    /// The key of what is kept of its kind for one contact, whose fingerprint is `salt`.
    pub(crate) fn storage_key_for(&self, label: &'static [u8], salt: &[u8]) -> Secret<32> {
        let root: Secret<32> = derive(&self.seed, label::IDENTITY_STORAGE);
        crypto::hkdf(root.expose(), salt, label)
    }
}

fn derive(seed: &Secret<32>, label: &[u8]) -> Secret<32> {
    crypto::hkdf(seed.expose(), &[], label)
}

impl age::Identity for Identity {
    fn unwrap(&self, stanzas: &[age::Stanza]) -> Result<Option<age::FileKey>, age::Error> {
        age::Identity::unwrap(&self.age, stanzas)
    }

    fn class(&self) -> age::Class {
        age::Identity::class(&self.age)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

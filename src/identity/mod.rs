//! Who somebody is: one secret seed, the keys derived from it, the card handed out, and the
//! fingerprint that names it all.
//!
//! ```
//! use bulla::identity::{Card, Identity};
//!
//! let identity = Identity::generate()?;
//! let card = identity.card("ops", Some("https://relay.example"), 0, 1_767_225_600)?;
//! let received = Card::parse_text(&card.to_text())?;
//! assert_eq!(received.fingerprint(), identity.fingerprint());
//! # Ok::<(), bulla::identity::Error>(())
//! ```

mod card;
mod fingerprint;
mod keyfile;

use std::fmt;
use std::sync::OnceLock;

pub use card::Card;
pub use card::check_own_name;
pub(crate) use card::check_relay;
pub use fingerprint::Fingerprint;
pub use keyfile::Key;
pub use keyfile::Keyfile;
pub use keyfile::Locked;
pub use keyfile::protect;
pub use keyfile::render;

use crate::age;
use crate::crypto;
use crate::crypto::SigningSecret;
use crate::crypto::label;
use crate::secret::Secret;
use crate::secret::SecretString;
use crate::text;
use crate::wire;

/// Machines that one person may have at once; the one longest known makes room.
pub const MAX_MACHINES: usize = 8;

/// Human-readable part of a secret identity.
const SECRET_PREFIX: &str = "BULLA-SECRET-KEY-";

/// Why an identity, a card or a key file was refused. No message repeats a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the text of an identity, a card or a fingerprint.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A card whose record is malformed or of another version.
    #[error(transparent)]
    Record(#[from] wire::Error),
    /// A decoded key of the wrong length.
    #[error("expected {expected} bytes of key, got {got}")]
    Length {
        /// Bytes wanted.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// A card whose self-signature fails: it was changed after it was made.
    #[error("the card's own signature does not verify: it was changed on its way")]
    CardSignature,
    /// A card with a public key nobody can own: of low order, or not in its field.
    #[error("the card's {0} key is no usable public key")]
    CardKey(&'static str),
    /// A card whose record is encoded in another way than ours.
    #[error("the card is not in its canonical encoding")]
    CardEncoding,
    /// A name that no card may bear.
    #[error("a name on a card has at most {max} characters, none invisible: {why}")]
    CardName {
        /// Limit in characters.
        max: usize,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A relay address that no card may bear.
    #[error(
        "a relay address begins with https://, http:// or relay+https:// and has no blanks: {why}"
    )]
    CardRelay {
        /// The rule it breaks.
        why: &'static str,
    },
    /// A key file longer than allowed.
    #[error("a key file of {got} bytes, at most {max} are allowed")]
    KeyfileLength {
        /// Limit in bytes.
        max: usize,
        /// What came, in bytes.
        got: usize,
    },
    /// A key file that is neither text nor sealed.
    #[error("the key file is not text")]
    KeyfileText,
    /// A key file with no identity in it.
    #[error("no identity in the key file")]
    KeyfileEmpty,
    /// A line of a key file that is no identity. The line may be secret: only its number is told.
    #[error("line {line} of the key file: {why}")]
    KeyfileLine {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The passphrase does not open the key file.
    #[error("wrong passphrase for the key file")]
    WrongPassphrase,
    /// A key file that is sealed, but damaged or not to a passphrase.
    #[error("the locked key file cannot be opened: {0}")]
    Locked(#[source] age::Error),
    /// The sealed-file layer refused.
    #[error(transparent)]
    Age(age::Error),
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

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

    /// The age identity that opens what is sealed to this one (`mlkem768x25519`).
    pub fn age_identity(&self) -> &age::HybridIdentity {
        &self.age
    }

    /// The recipient that `age` and everybody else can seal to: `age1pq1…`.
    pub fn age_recipient(&self) -> &age::HybridRecipient {
        self.recipient.get_or_init(|| self.age.recipient())
    }

    /// The Ed25519 key that signs cards and letters, and labelled messages only.
    pub fn signer(&self) -> SigningSecret {
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
    pub fn card_capability(&self, generation: u32) -> Secret<32> {
        self.mailbox_secret(&[label::MAILBOX_CAPABILITY, &generation.to_be_bytes()])
    }

    /// The key of one contact's mailbox. Indices are random: nobody without the identity can tell
    /// that two such mailboxes belong to one person.
    pub fn contact_mailbox(&self, index: &[u8; 16]) -> SigningSecret {
        SigningSecret::from_seed(&self.mailbox_secret(&[label::MAILBOX_CONTACT, index]))
    }

    /// The capability to push to [`Identity::contact_mailbox`]; generations as on the
    /// [card](Self::card_capability).
    pub fn contact_capability(&self, index: &[u8; 16], generation: u32) -> Secret<32> {
        let generation = generation.to_be_bytes();
        self.mailbox_secret(&[label::MAILBOX_CONTACT_CAPABILITY, index, &generation])
    }

    /// The key of a mailbox where one pairing meets, an invite's or that for the answer to one,
    /// by a random index.
    pub fn meeting_mailbox(&self, index: &[u8; 16]) -> SigningSecret {
        SigningSecret::from_seed(&self.mailbox_secret(&[label::MAILBOX_MEETING, index]))
    }

    /// The capability to push to [`Identity::meeting_mailbox`].
    pub fn meeting_capability(&self, index: &[u8; 16]) -> Secret<32> {
        self.mailbox_secret(&[label::MAILBOX_MEETING_CAPABILITY, index])
    }

    /// Derives the index of a mailbox that a machine of the owner makes, from the machine's id and
    /// what the mailbox is for: each machine knows the mailboxes of the others, and can close them.
    pub fn machine_index(&self, machine: &[u8; 32], purpose: &[u8]) -> [u8; 16] {
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
    pub fn storage_key_for(&self, label: &'static [u8], salt: &[u8]) -> Secret<32> {
        let root: Secret<32> = derive(&self.seed, label::IDENTITY_STORAGE);
        crypto::hkdf(root.expose(), salt, label)
    }

    /// The card to hand out.
    ///
    /// `name` is what the owner calls himself (at most 64 characters, may be empty), `relay`
    /// where letters are pushed, `generation` that of the [capability](Self::card_capability),
    /// `created` the Unix time in seconds at which these were settled: of two cards with the same
    /// keys the later holds. The same arguments give the same card.
    pub fn card(
        &self,
        name: &str,
        relay: Option<&str>,
        generation: u32,
        created: u64,
    ) -> Result<Card, Error> {
        Card::issue(self, name, relay, Some(generation), created)
    }

    /// Makes the same card without a capability: for pairings and inside letters. It proves the
    /// keys, and does not allow to push.
    pub fn card_without_capability(
        &self,
        name: &str,
        relay: Option<&str>,
        created: u64,
    ) -> Result<Card, Error> {
        Card::issue(self, name, relay, None, created)
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

#[cfg(test)]
mod tests;

//! Cards: signed public keys, name, relay and mailbox of an identity.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::age;
use crate::crypto::{self, SigningSecret, label};
use crate::identity::error::Error;
use crate::identity::fingerprint::Fingerprint;
use crate::identity::keys::Identity;
use crate::secret::Secret;
use crate::text;
use crate::wire::{self, Decode, Encode, Record};

/// Label of the armored block.
const ARMOR: &str = "BULLA CARD";
/// Characters of a name.
const MAX_NAME: usize = 64;
/// Bytes of a relay address.
const MAX_RELAY: usize = 512;
/// Bytes of the signature at the end of the record.
const SIGNATURE: usize = 64;

/// A card on the wire. The signature is last and covers every byte before it, the version
/// byte included. Version 1 has a capability; version 2 is the same layout without one.
#[derive(Encode, Decode)]
struct Layout<C> {
    name: String,
    xwing: [u8; 1216],
    ed25519: [u8; 32],
    relay: Option<String>,
    mailbox: [u8; 32],
    capability: C,
    created: u64,
    signature: [u8; SIGNATURE],
}

type WithCapability = Layout<Arc<Secret<32>>>;
type WithoutCapability = Layout<()>;

impl Record for WithCapability {
    const NAME: &'static str = "card";
    const VERSION: u8 = 1;
    const MAX: usize = 2560;
}

impl Record for WithoutCapability {
    const NAME: &'static str = "card";
    const VERSION: u8 = 2;
    const MAX: usize = 2560;
}

impl<C> Layout<C> {
    /// Replaces the capability.
    fn with<D>(self, capability: D) -> Layout<D> {
        let Self { name, xwing, ed25519, relay, mailbox, created, signature, .. } = self;
        Layout { name, xwing, ed25519, relay, mailbox, capability, created, signature }
    }

    fn sign(&mut self, signer: &SigningSecret) -> Result<(), Error>
    where
        Self: Record,
    {
        let unsigned = Zeroizing::new(wire::encode(self)?);
        let (signed, _) = unsigned.split_last_chunk::<SIGNATURE>().ok_or(Error::CardEncoding)?;
        self.signature = signer.sign_labelled(label::CARD_SIGNATURE, &[signed]);
        Ok(())
    }

    /// Reads a record of this version in its canonical encoding.
    fn read(bytes: &[u8]) -> Result<Self, Error>
    where
        Self: Record,
    {
        let layout: Self = wire::decode(bytes)?;
        if *Zeroizing::new(wire::encode(&layout)?) != bytes {
            return Err(Error::CardEncoding);
        }
        Ok(layout)
    }
}

/// A card whose own signature held: there is no other way to get one.
///
/// The name is what its owner calls himself and proves nothing; who stands behind the keys is
/// for the reader to find out, by comparing the [`Fingerprint`] on a way he trusts.
#[derive(Clone)]
pub struct Card {
    bytes: Zeroizing<Vec<u8>>,
    recipient: age::HybridRecipient,
    fingerprint: Fingerprint,
    name: String,
    signer: [u8; 32],
    relay: Option<String>,
    mailbox: [u8; 32],
    capability: Option<Arc<Secret<32>>>,
    created: u64,
}

impl Identity {
    /// Returns the card to hand out.
    ///
    /// `name` is what the owners call themselves (at most 64 characters, may be empty), `relay`
    /// where letters are pushed, `generation` that of the capability,
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
    pub(crate) fn card_without_capability(
        &self,
        name: &str,
        relay: Option<&str>,
        created: u64,
    ) -> Result<Card, Error> {
        Card::issue(self, name, relay, None, created)
    }
}

impl Card {
    /// Makes the card of an identity, with the capability of a generation or without any.
    fn issue(
        identity: &Identity,
        name: &str,
        relay: Option<&str>,
        generation: Option<u32>,
        created: u64,
    ) -> Result<Self, Error> {
        let signer = identity.signer();
        let mut layout = Layout {
            name: name.to_owned(),
            xwing: identity.age_recipient().to_bytes(),
            ed25519: signer.public(),
            relay: relay.map(str::to_owned),
            mailbox: identity.card_mailbox().public(),
            capability: (),
            created,
            signature: [0; SIGNATURE],
        };
        let bytes = match generation {
            Some(generation) => {
                let capability = Arc::new(identity.card_capability(generation));
                let mut layout: WithCapability = layout.with(capability);
                layout.sign(&signer)?;
                wire::encode(&layout)?
            }
            None => {
                layout.sign(&signer)?;
                wire::encode(&layout)?
            }
        };
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// Reads a card and checks its signature, its keys and its texts.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut capability = None;
        let layout = if bytes.first() == Some(&WithoutCapability::VERSION) {
            WithoutCapability::read(bytes)?
        } else {
            let layout = WithCapability::read(bytes)?;
            capability = Some(layout.capability.clone());
            layout.with(())
        };
        let (signed, signature) =
            bytes.split_last_chunk::<SIGNATURE>().ok_or(Error::CardEncoding)?;
        // Strict verification also refuses a signing key of low order.
        crypto::verify_labelled(&layout.ed25519, label::CARD_SIGNATURE, &[signed], signature)
            .map_err(|_| Error::CardSignature)?;
        check_name(&layout.name)?;
        layout.relay.as_deref().map_or(Ok(()), check_relay)?;
        crypto::check_signing_key(&layout.mailbox).map_err(|_| Error::CardKey("mailbox"))?;
        Ok(Self {
            bytes: Zeroizing::new(bytes.to_vec()),
            recipient: age::HybridRecipient::from_bytes(&layout.xwing)
                .map_err(|_| Error::CardKey("X-Wing"))?,
            fingerprint: Fingerprint::of(&layout.xwing, &layout.ed25519),
            name: layout.name,
            signer: layout.ed25519,
            relay: layout.relay,
            mailbox: layout.mailbox,
            capability,
            created: layout.created,
        })
    }

    /// Reads an armored card. `#` lines before it are skipped: they are not signed.
    pub fn parse_text(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&Zeroizing::new(text::armor_decode(ARMOR, text)?))
    }

    /// Returns the armored card. It has no comments: everything in it is signed. With a
    /// capability on it, every reader may push first letters: it is for those who are to write,
    /// and not for the public.
    pub fn to_text(&self) -> String {
        text::armor_encode(ARMOR, &self.bytes)
    }

    /// The record, as [`Card::from_bytes`] reads it.
    pub(crate) fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the owner calls himself; may be empty, has nothing that moves a cursor.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the public keys.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The age recipient letters are sealed to.
    pub fn recipient(&self) -> &age::HybridRecipient {
        &self.recipient
    }

    /// The Ed25519 public key that signs the owner's letters.
    pub(crate) fn signer(&self) -> &[u8; 32] {
        &self.signer
    }

    /// The relay letters are pushed to.
    pub fn relay(&self) -> Option<&str> {
        self.relay.as_deref()
    }

    /// The mailbox for first letters: an Ed25519 public key.
    pub fn mailbox(&self) -> &[u8; 32] {
        &self.mailbox
    }

    /// Returns the capability to push first letters to that mailbox, which the relay knows by its
    /// hash. Only a card handed out by hand has one.
    pub fn capability(&self) -> Option<&Arc<Secret<32>>> {
        self.capability.as_ref()
    }

    /// When name, relay and capability were settled, in seconds of Unix time, as the owner says.
    pub(crate) fn created(&self) -> u64 {
        self.created
    }
}

impl PartialEq for Card {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Card {}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("name", &self.name)
            .field("fingerprint", &self.fingerprint)
            .field("relay", &self.relay)
            .field("mailbox", &text::hex_encode(&self.mailbox))
            .field("capability", &self.capability)
            .field("created", &self.created)
            .finish()
    }
}

/// Checks a name that its owner puts on a card. Cards that bear another are read all the same, as
/// some may be known already; it is escaped where it is shown.
///
/// # Errors
///
/// [`Error::CardName`].
pub fn check_own_name(name: &str) -> Result<(), Error> {
    check_name(name)?;
    text::name_fault(name).map_or(Ok(()), |why| Err(Error::CardName { max: MAX_NAME, why }))
}

fn check_name(name: &str) -> Result<(), Error> {
    let wrong = |why| Err(Error::CardName { max: MAX_NAME, why });
    if name.chars().count() > MAX_NAME {
        wrong("it is longer")
    } else if name.chars().any(text::is_hostile) {
        wrong("it has a control character")
    } else if name.trim() != name {
        wrong("it begins or ends with a blank")
    } else {
        Ok(())
    }
}

/// What a relay address must look like, on a card and on an envelope.
pub(crate) fn check_relay(relay: &str) -> Result<(), Error> {
    let wrong = |why| Err(Error::CardRelay { why });
    let host = ["https://", "http://", "relay+https://"]
        .iter()
        .find_map(|scheme| relay.strip_prefix(scheme));
    if relay.len() > MAX_RELAY {
        wrong("it is too long")
    } else if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        wrong("it has another scheme or no host")
    } else if !relay.bytes().all(|b| b.is_ascii_graphic()) {
        wrong("it has a character that belongs to no URL")
    } else {
        Ok(())
    }
}

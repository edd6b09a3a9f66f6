//! One side: what it brings, and everything it draws from one seed.

use std::sync::Arc;

use crate::contact::pairing::address::Address;
use crate::contact::pairing::error::Error;
use crate::contact::pairing::message::{Bytes, Hand, Opening, Signed, encode};
use crate::contact::pairing::words::Words;
use crate::crypto::{self, label};
use crate::identity::{Card, Identity};
use crate::kem::SecretKey;
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

/// What one side brings to a pairing.
#[derive(Debug)]
pub(crate) struct Own<'a> {
    /// Signs the keys of this pairing, so that nobody hands over another's card.
    pub identity: &'a Identity,
    /// The card to hand over, which has no capability: what the other side may push to is the
    /// mailbox made for it alone.
    pub card: &'a Card,
    /// The mailbox made for the other side, where letters will go.
    pub address: Address,
}

/// Who one is in a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Role {
    /// The one who made the invite.
    Inviter,
    /// The one who was given it.
    Joiner,
}

impl Role {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Inviter => Self::Joiner,
            Self::Joiner => Self::Inviter,
        }
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Inviter => 1,
            Self::Joiner => 2,
        }
    }
}

/// The seed of one side of one pairing. What is drawn from it depends on the transcript where it
/// must be fresh: who takes a step again, from a state that was restored, says the same again, or
/// something unrelated to another message.
#[derive(Clone, Encode, Decode)]
pub(super) struct Seed(pub(super) Arc<Secret<32>>);

impl Seed {
    pub(super) fn random() -> Result<Self, Error> {
        Ok(Self(Arc::new(crypto::random_secret()?)))
    }

    /// The secret of a secret invite.
    pub(super) fn invite(&self) -> Secret<32> {
        self.draw(1, &[])
    }

    /// The X-Wing key of this pairing, as its seed.
    pub(super) fn kem_seed(&self) -> Secret<32> {
        self.draw(2, &[])
    }

    pub(super) fn kem(&self) -> SecretKey {
        SecretKey::from_seed(&self.kem_seed())
    }

    /// The random bytes of an encapsulation at one place of the transcript.
    pub(super) fn encapsulation(&self, transcript: &[u8; 32]) -> Secret<64> {
        self.draw(5, transcript)
    }

    /// The words of an invite.
    pub(super) fn words(&self) -> Words {
        Words::from_random(&self.draw(6, &[]))
    }

    /// The scalar of a run of CPace that begins at one place of the transcript.
    pub(super) fn scalar(&self, transcript: &[u8; 32]) -> Secret<32> {
        self.draw(7, transcript)
    }

    pub(super) fn opening(&self, card: &Card) -> Opening {
        Opening {
            key: Box::new(self.kem().public().to_bytes()),
            nonce: *self.draw(3, &[]).expose(),
            card: card_commitment(&self.draw(4, &[]), card.to_bytes()),
        }
    }

    fn hand(&self, own: &Own<'_>, role: Role, invite: &[u8; 32]) -> Result<Hand, Error> {
        if own.card.fingerprint() != own.identity.fingerprint() {
            return Err(Error::NotTheOwner);
        }
        if own.card.capability().is_some() {
            return Err(Error::CardCapability);
        }
        own.address.check()?;
        let signed = Signed {
            role: role.byte(),
            invite: *invite,
            opening: self.opening(own.card),
            address: own.address.clone(),
        };
        let signature =
            own.identity.signer().sign_labelled(label::PAIRING_HAND, &[&encode(&signed)?]);
        Ok(Hand {
            card: Bytes(own.card.to_bytes().to_vec()),
            blind: Arc::new(self.draw(4, &[])),
            address: own.address.clone(),
            signature,
        })
    }

    fn draw<const N: usize>(&self, what: u8, transcript: &[u8]) -> Secret<N> {
        crypto::hkdf(self.0.expose(), transcript, &[label::PAIRING_SEED, &[what]].concat())
    }
}

/// One side of a pairing under way.
#[derive(Clone, Encode, Decode)]
pub(super) struct Party {
    pub(super) seed: Seed,
    pub(super) hand: Hand,
}

impl Party {
    /// `invite` is the transcript's beginning, which is what the signature binds the keys to.
    pub(super) fn new(
        seed: Seed,
        own: &Own<'_>,
        role: Role,
        invite: &[u8; 32],
    ) -> Result<Self, Error> {
        let hand = seed.hand(own, role, invite)?;
        Ok(Self { seed, hand })
    }

    pub(super) fn card(&self) -> Result<Card, Error> {
        Card::from_bytes(&self.hand.card.0).map_err(Error::Card)
    }

    pub(super) fn opening(&self) -> Result<Opening, Error> {
        Ok(self.seed.opening(&self.card()?))
    }
}

impl Hand {
    /// The card, once it is sure that its owner made this opening for this pairing.
    pub(super) fn verify(
        &self,
        role: Role,
        invite: &[u8; 32],
        opening: &Opening,
    ) -> Result<Card, Error> {
        if !crypto::equal(&card_commitment(&self.blind, &self.card.0), &opening.card) {
            return Err(Error::CardChanged);
        }
        let card = Card::from_bytes(&self.card.0).map_err(Error::Card)?;
        self.address.check()?;
        let signed = Signed {
            role: role.byte(),
            invite: *invite,
            opening: opening.clone(),
            address: self.address.clone(),
        };
        let signed = encode(&signed)?;
        crypto::verify_labelled(card.signer(), label::PAIRING_HAND, &[&signed], &self.signature)
            .map_err(|_| Error::CardBorrowed)?;
        Ok(card)
    }
}

fn card_commitment(blind: &Secret<32>, card: &[u8]) -> [u8; 32] {
    crypto::sha256(&[label::PAIRING_CARD, blind.expose(), card])
}

//! A session: what came of one start, two lines in opposite directions.

use std::fmt;

use crate::crypto::{self, label};
use crate::kem::{self, PublicKey, SecretKey};
use crate::letter::ratchet::chain::{Agreed, Line};
use crate::letter::ratchet::error::Error;
use crate::letter::ratchet::receiving::Receiving;
use crate::letter::ratchet::sending::Sending;
use crate::letter::ratchet::stanza::{LetterKey, Random};
use crate::secret::Secret;
use crate::wire::{self, Decode, Encode, Record};

/// What both sides hold after pairing.
pub(crate) struct Start<'a> {
    /// The pairwise secret.
    pub secret: &'a Secret<32>,
    /// Hash of the whole transcript.
    pub transcript: [u8; 32],
    /// Whether this side made the invite.
    pub inviter: bool,
    /// Seed of the X-Wing key this side offered in pairing. It is for this ratchet alone: whoever
    /// keeps it elsewhere keeps the key to the first letters.
    pub ours: Secret<32>,
    /// The X-Wing key that the other offered.
    pub theirs: PublicKey,
}

/// A new start, for a letter sealed to the contact's card: the sender has lost his state, or has
/// reason to think that one of the two is a copy.
#[derive(Encode, Decode)]
pub(crate) struct Offer {
    pub(super) created: u64,
    pub(super) fresh: Secret<32>,
    pub(super) key: Box<[u8; kem::PUBLIC_KEY]>,
}

impl Record for Offer {
    const NAME: &'static str = "ratchet offer";
    const VERSION: u8 = 1;
    const MAX: usize = 1 + 9 + 32 + kem::PUBLIC_KEY;
}

impl Offer {
    /// As bytes, for a letter.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        wire::encode(self).map_err(Error::Record)
    }

    /// Reads what [`Offer::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Record`], and [`Error::Key`] when its key is none.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let offer: Self = wire::decode(bytes).map_err(Error::Record)?;
        PublicKey::from_bytes(&offer.key)?;
        Ok(offer)
    }

    /// The hash of the whole offer: transcript and name of what it starts.
    fn id(&self) -> Result<[u8; 32], Error> {
        Ok(crypto::sha256(&[label::RATCHET_OFFER, &wire::encode(self).map_err(Error::Record)?]))
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offer(..)")
    }
}

impl fmt::Debug for Start<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Start(..)")
    }
}

#[derive(Encode, Decode)]
pub(super) struct Session {
    pub(super) id: [u8; 32],
    /// Seconds of Unix time, zero after pairing; the later of two starts is the one in use.
    pub(super) created: u64,
    /// The secret of an offer of ours that was not answered.
    fresh: Option<Secret<32>>,
    /// Hour of Unix time since which it is kept for opening only.
    pub(super) replaced: Option<u32>,
    /// Hour in which the first letter under it came.
    pub(super) heard: Option<u32>,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
}

impl Session {
    pub(super) fn paired(start: Start<'_>) -> Self {
        let key = Box::new(start.theirs.to_bytes());
        let mut session = Self::new(start.transcript, 0, start.secret, start.inviter, Some(key));
        session.receiving.offer_seed(start.ours);
        session
    }

    /// Offers a new start.
    pub(super) fn offering(
        secret: &Secret<32>,
        now: u64,
        random: &mut Random<'_>,
    ) -> Result<Self, Error> {
        let seed = Secret::build(|out| random(out))?;
        let fresh = Secret::build(|out| random(out))?;
        let key = Box::new(SecretKey::from_seed(&seed).public().to_bytes());
        let offer = Offer { created: now, fresh, key };
        let mut session = Self::new(offer.id()?, now, secret, true, None);
        session.receiving.offer_seed(seed);
        session.fresh = Some(offer.fresh);
        Ok(session)
    }

    /// Answers one. A date in the future counts as now: it would keep every later start out.
    pub(super) fn answering(offer: &Offer, secret: &Secret<32>, now: u64) -> Result<Self, Error> {
        PublicKey::from_bytes(&offer.key)?;
        let created = offer.created.min(now);
        Ok(Self::new(offer.id()?, created, secret, false, Some(offer.key.clone())))
    }

    fn new(
        id: [u8; 32],
        created: u64,
        secret: &Secret<32>,
        first: bool,
        theirs: Option<Box<[u8; kem::PUBLIC_KEY]>>,
    ) -> Self {
        Self {
            id,
            created,
            fresh: None,
            replaced: None,
            heard: None,
            sending: Sending::new(Line::start(secret, &id, first), theirs),
            receiving: Receiving::new(Line::start(secret, &id, !first)),
        }
    }

    /// Our offer, until it was answered.
    pub(super) fn offer(&self) -> Option<Offer> {
        let fresh = Secret::take(&mut { *self.fresh.as_ref()?.expose() });
        Some(Offer { created: self.created, fresh, key: self.receiving.last_offered()? })
    }

    /// Takes the other side's answer to an offer of ours, if this letter is the first.
    pub(super) fn answered(&mut self, agreed: Option<&Agreed>) {
        if let (Some(_), Some(agreed)) = (self.fresh.take(), agreed) {
            self.sending.bind(agreed);
        }
    }

    pub(super) fn rank(&self) -> (u64, [u8; 32]) {
        (self.created, self.id)
    }

    pub(super) fn seal(&mut self, random: &mut Random<'_>) -> Result<LetterKey, Error> {
        let agreed = self.sending.turn(random)?;
        // Our first answer to an offer; after a pairing a key was offered before.
        if let Some(agreed) = agreed.filter(|_| self.receiving.is_silent()) {
            self.receiving.bind(&agreed);
        }
        let offered = self.receiving.offer(random)?;
        self.sending.next(self.receiving.ack(), offered)
    }
}

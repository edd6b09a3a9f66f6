//! The key schedule: a transcript of everything said, and a key of everything agreed, each
//! step's from the one before (as `h` and `ck` in the Noise Protocol Framework, section 5.2).

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::contact::pairing::error::Error;
use crate::contact::pairing::invite::{Invite, Kind};
use crate::contact::pairing::side::Role;
use crate::crypto::{self, Aead, TAG, label};
use crate::secret::Secret;
use crate::wire::{Decode, Encode};

#[derive(Clone, Encode, Decode)]
pub(super) struct Chain {
    key: Arc<Secret<32>>,
    hash: [u8; 32],
}

impl Chain {
    /// What everybody knows who has the invite.
    pub(super) fn begin(invite: &Invite) -> Result<Self, Error> {
        let hash = crypto::sha256(&[label::PAIRING_INVITE, &invite.record()?]);
        let key = match invite.kind() {
            Kind::Secret(secret) => crypto::hkdf(secret.expose(), &hash, label::PAIRING_CHAIN),
            Kind::Public(_) | Kind::Words => crypto::hkdf(&hash, &hash, label::PAIRING_CHAIN),
        };
        Ok(Self { key: Arc::new(key), hash })
    }

    /// The transcript so far.
    pub(super) fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Something was said.
    pub(super) fn mix(&mut self, said: &[u8]) {
        self.hash = crypto::sha256(&[label::PAIRING_TRANSCRIPT, &self.hash, said]);
    }

    /// Something was agreed.
    pub(super) fn agree<const N: usize>(&mut self, shared: &Secret<N>) {
        let both = Zeroizing::new([self.key.expose().as_slice(), shared.expose()].concat());
        self.key = Arc::new(crypto::hkdf(&both, &self.hash, label::PAIRING_CHAIN));
    }

    /// The key of a message as a relay sees it.
    pub(super) fn outer(&self) -> Secret<32> {
        self.derive(label::PAIRING_OUTER)
    }

    /// The key of one side's messages after the keys are agreed.
    pub(super) fn later(&self, from: Role) -> Secret<32> {
        self.derive(&[label::PAIRING_LATER, &[from.byte()]].concat())
    }

    /// Shows that the inviter has what was agreed so far: no other key has the same.
    pub(super) fn proof(&self) -> Secret<32> {
        self.derive(label::PAIRING_PROOF)
    }

    /// What the two share, after both hands are in the transcript.
    pub(super) fn pairwise(&self) -> Secret<32> {
        self.derive(label::PAIRING_PAIRWISE)
    }

    /// Seals what is inside a message, and puts it into the transcript. The tag is the MAC over
    /// the transcript: the key is made of it. The key seals once, since what went into the
    /// transcript before is drawn from the same seed as what is sealed, so the nonce is zero.
    pub(super) fn seal(&mut self, record: &[u8]) -> Vec<u8> {
        let mut sealed = record.to_vec();
        let tag = Aead::new(&self.derive(label::PAIRING_INNER)).seal(&[0; 12], &[], &mut sealed);
        sealed.extend_from_slice(&tag);
        self.mix(record);
        sealed
    }

    /// Opens what [`Chain::seal`] sealed at the same place, and puts it into the transcript.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or(Error::Forged)?;
        let mut record = Zeroizing::new(body.to_vec());
        Aead::new(&self.derive(label::PAIRING_INNER))
            .open(&[0; 12], &[], &mut record, tag)
            .map_err(|_| Error::Forged)?;
        self.mix(&record);
        Ok(record)
    }

    fn derive<const N: usize>(&self, label: &[u8]) -> Secret<N> {
        crypto::hkdf(self.key.expose(), &self.hash, label)
    }
}

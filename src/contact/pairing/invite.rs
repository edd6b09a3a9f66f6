//! The invite: one line that says where to meet, and how the two will know each other.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::contact::pairing::address::Address;
use crate::contact::pairing::error::Error;
use crate::crypto;
use crate::secret::{Secret, SecretString};
use crate::text;
use crate::wire::{self, Decode, Encode, Record};

/// Human-readable part of the line.
const PREFIX: &str = "bulla-invite-";

/// How the two will know each other. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// By a secret of 32 random bytes, which only the two may see.
    Secret(Arc<Secret<32>>),
    /// By digits. The invite commits to what the inviter will show, and may be read by anybody.
    Public([u8; 32]),
    /// By words that the inviter says to the other: the invite may be read by anybody.
    Words,
}

/// An invite: good for one other side, once, until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Invite {
    kind: Kind,
    address: Address,
    expires: u64,
}

impl Record for Invite {
    const NAME: &'static str = "invite";
    const VERSION: u8 = 1;
    const MAX: usize = 640;
}

impl Invite {
    pub(super) fn new(kind: Kind, address: Address, expires: u64) -> Result<Self, Error> {
        address.check()?;
        Ok(Self { kind, address, expires })
    }

    /// Reads a line `bulla-invite-1…` (Bech32, BIP 173 without its length limit), also in upper
    /// case, as QR codes have it.
    pub(crate) fn parse(line: &str) -> Result<Self, Error> {
        let line = line.trim();
        let lower = line.bytes().any(|byte| byte.is_ascii_lowercase());
        let line = Zeroizing::new(if lower { line.into() } else { line.to_ascii_lowercase() });
        let bytes = text::bech32_decode(PREFIX, &line).map_err(Error::Line)?;
        let invite: Self = wire::decode(&bytes)?;
        if *invite.record()? != *bytes {
            return Err(Error::Encoding);
        }
        invite.address.check()?;
        Ok(invite)
    }

    /// Whether what begins with these bytes may be an invite.
    pub(crate) fn may_begin(bytes: &[u8]) -> bool {
        let bytes = bytes.trim_ascii_start();
        bytes.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX.as_bytes()))
    }

    /// The line [`Invite::parse`] reads, without a line feed. A secret invite is a secret.
    pub(crate) fn to_line(&self) -> Result<SecretString, Error> {
        Ok(text::bech32_encode(PREFIX, &self.record()?))
    }

    /// How the two will know each other.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The inviter's mailbox for this pairing.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The second of Unix time at which it is no longer good.
    pub(crate) fn expires(&self) -> u64 {
        self.expires
    }

    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }

    pub(super) fn check_time(&self, now: u64) -> Result<(), Error> {
        if now < self.expires { Ok(()) } else { Err(Error::Expired { until: self.expires }) }
    }

    pub(super) fn record(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        Ok(Zeroizing::new(wire::encode(self)?))
    }

    /// What a public invite commits to.
    pub(super) fn commitment(opening: &[u8]) -> [u8; 32] {
        crypto::sha256(&[crypto::label::PAIRING_COMMITMENT, opening])
    }
}

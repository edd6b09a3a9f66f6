//! Digits that two people compare.

use std::fmt;
use std::str::FromStr;

use crate::contact::pairing::error::Error;
use crate::contact::pairing::message::{Opening, encode};
use crate::contact::pairing::side::Role;
use crate::crypto::{self, label};
use crate::wire::{Decode, Encode};

/// Digits each side shows.
const DIGITS: u32 = 4;

/// Four digits that one side shows and the other types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Digits(u16);

impl FromStr for Digits {
    type Err = Error;

    /// Reads exactly four digits; blank space around them is allowed.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() != DIGITS as usize || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::Digits);
        }
        text.parse().map(Self).map_err(|_| Error::Digits)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// The digits of one pairing.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Code {
    inviter: Digits,
    joiner: Digits,
}

impl Code {
    /// From the transcript up to the joiner's first message, and what the inviter showed then. All
    /// of it was settled before the last part was known: the ciphertexts, which come later and
    /// which somebody in the middle chooses, are left out.
    pub(super) fn of(joined: &[u8; 32], inviter: &Opening) -> Result<Self, Error> {
        let (inviter, joiner) = split(&hash(joined, inviter)?, DIGITS);
        Ok(Self { inviter: Digits(inviter), joiner: Digits(joiner) })
    }

    /// What this side shows.
    pub(super) fn shown(self, by: Role) -> Digits {
        match by {
            Role::Inviter => self.inviter,
            Role::Joiner => self.joiner,
        }
    }
}

pub(super) fn hash(joined: &[u8; 32], inviter: &Opening) -> Result<[u8; 32], Error> {
    Ok(crypto::sha256(&[label::PAIRING_DIGITS, joined, &encode(inviter)?]))
}

/// Twice so many digits of a hash, for the inviter and the joiner. The hash has 64 bits here, so
/// no digits are likelier than others by more than 1 in 10^11.
pub(super) fn split(hash: &[u8; 32], digits: u32) -> (u16, u16) {
    let one = 10u64.pow(digits.min(DIGITS));
    let number = u64::from_be_bytes(crypto::truncate(hash)) % (one * one);
    ((number / one) as u16, (number % one) as u16)
}

//! Proof of work for a public inbox under load: `Bulla-Work` both ways.
//!
//! The relay names a challenge and a number of bits. The sender looks for a nonce such that
//! SHA-256 of challenge, mailbox, message id and nonce begins with so many zero bits. So work
//! for one message is good for no other, and the relay keeps nothing.

use std::fmt;
use std::str::FromStr;

use crate::crypto;
use crate::relay::protocol::field;
use crate::relay::protocol::types::{Id, Mailbox};
use crate::text;

/// The header's name.
pub(crate) const HEADER: &str = "bulla-work";
/// Most bits a relay asks for; a client does no more work than this for anybody.
pub(crate) const MAX_BITS: u32 = 24;
/// Bytes of a challenge.
pub(crate) const CHALLENGE: usize = 24;

/// What a relay asks for: `bits=N, challenge=HEX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Zero bits wanted.
    pub bits: u32,
    /// Bytes that mean something to the relay alone.
    pub challenge: [u8; CHALLENGE],
}

/// What a sender shows: `challenge=HEX, nonce=HEX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The relay's.
    pub challenge: [u8; CHALLENGE],
    /// What makes the hash begin with zeros.
    pub nonce: [u8; 8],
}

/// Not of the form above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the header Bulla-Work in its one form")]
pub struct Malformed;

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bits={}, challenge={}", self.bits, text::hex_encode(&self.challenge))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let challenge = text::hex_encode(&self.challenge);
        write!(f, "challenge={challenge}, nonce={}", text::hex_encode(&self.nonce))
    }
}

/// The values of `first=…, second=…`.
fn pair<'a>(text: &'a str, first: &str, second: &str) -> Option<(&'a str, &'a str)> {
    let (one, other) = text.split_once(", ")?;
    let one = one.strip_prefix(first)?.strip_prefix('=')?;
    Some((one, other.strip_prefix(second)?.strip_prefix('=')?))
}

impl FromStr for Task {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (bits, challenge) = pair(text, "bits", "challenge").ok_or(Malformed)?;
        let bits = field::integer(bits).and_then(|bits| u32::try_from(bits).ok());
        let challenge = text::hex_decode(challenge).map_err(|_| Malformed)?;
        Ok(Self { bits: bits.ok_or(Malformed)?, challenge })
    }
}

impl FromStr for Proof {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (challenge, nonce) = pair(text, "challenge", "nonce").ok_or(Malformed)?;
        let challenge = text::hex_decode(challenge).map_err(|_| Malformed)?;
        Ok(Self { challenge, nonce: text::hex_decode(nonce).map_err(|_| Malformed)? })
    }
}

impl Task {
    /// Does the work for one message: some `2^bits` hashes. `None` when that is more than
    /// `MAX_BITS` allow.
    pub(crate) fn solve(&self, mailbox: &Mailbox, id: &Id) -> Option<Proof> {
        if self.bits > MAX_BITS {
            return None;
        }
        (0..u64::MAX)
            .map(|nonce| Proof { challenge: self.challenge, nonce: nonce.to_be_bytes() })
            .find(|proof| proof.bits(mailbox, id) >= self.bits)
    }
}

impl Proof {
    /// Zero bits its hash begins with.
    pub(crate) fn bits(&self, mailbox: &Mailbox, id: &Id) -> u32 {
        let hash = crypto::sha256(&[&self.challenge, &mailbox.0, &id.0, &self.nonce]);
        let zeros = hash.iter().take_while(|byte| **byte == 0).count();
        let rest = hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
        // At most 32 bytes.
        8 * zeros as u32 + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn work_is_for_one_message() {
        let (mailbox, id) = (Mailbox([1; 32]), Id([2; 32]));
        let task = Task { bits: 12, challenge: [3; CHALLENGE] };
        let proof = task.solve(&mailbox, &id).unwrap();
        assert!(proof.bits(&mailbox, &id) >= 12);
        assert!(proof.bits(&Mailbox([9; 32]), &id) < 12 && proof.bits(&mailbox, &Id([9; 32])) < 12);
        assert!(Task { bits: MAX_BITS + 1, ..task }.solve(&mailbox, &id).is_none());
    }

    proptest! {
        #[test]
        fn headers_round_trip(bits: u32, challenge: [u8; CHALLENGE], nonce: [u8; 8]) {
            let task = Task { bits, challenge };
            prop_assert_eq!(task.to_string().parse(), Ok(task));
            let proof = Proof { challenge, nonce };
            prop_assert_eq!(proof.to_string().parse(), Ok(proof));
        }

        #[test]
        fn any_text_is_survived(text in "\\PC*") {
            let _ = (text.parse::<Task>(), text.parse::<Proof>());
        }
    }
}

//! Reasons why an invite, a message or an input of a pairing is refused.

use crate::crypto;
use crate::identity;
use crate::kem;
use crate::pake;
use crate::text;
use crate::wire;

/// Why an invite, a message or an input of a pairing was refused. The pairing stays as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The line is no invite.
    #[error("not an invite, which is one line that begins with bulla-invite-1: {0}")]
    Line(#[source] text::Error),
    /// An invite, a message or a stored pairing whose record is malformed or of another version.
    #[error(transparent)]
    Record(#[from] wire::Error),
    /// An invite that is encoded in another way than ours.
    #[error("the invite is not in its canonical encoding")]
    Encoding,
    /// A relay that nobody can reach.
    #[error("the address has no usable relay: {0}")]
    Relay(#[source] identity::Error),
    /// A mailbox nobody can own.
    #[error("the address has no usable mailbox: its id is no Ed25519 public key")]
    Mailbox,
    /// The time of the invite is over.
    #[error("the invite expired: it was good until {}", date(*.until))]
    Expired {
        /// Its last second, in Unix time.
        until: u64,
    },
    /// The card that is to be handed over belongs to another identity.
    #[error("the card to hand over belongs to another identity")]
    NotTheOwner,
    /// A mailbox that must be apart from another is the same.
    #[error("a pairing does not meet in the mailbox that it hands over")]
    OneMailbox,
    /// The other side's X-Wing key or ciphertext is invalid.
    #[error("the other side's key is refused: {0}")]
    Key(#[from] kem::Error),
    /// The other side's share of CPace is invalid. Nothing was learnt of the words, on either side.
    #[error("the other side's share is refused: {0}")]
    Share(#[from] pake::Error),
    /// The inviter's key is not the one the public invite commits to.
    #[error("the answer does not open the invite's commitment: somebody changed one of them")]
    Commitment,
    /// The outside of a message opens, the inside does not.
    #[error("the message was made up or changed by somebody who has the invite")]
    Forged,
    /// A message that does not follow the kind of its invite.
    #[error("malformed pairing message: {0}")]
    Malformed(&'static str),
    /// The card that is to be handed over has a capability, which outlives the contact.
    #[error("the card to hand over has a capability, expected one without")]
    CardCapability,
    /// The other side's card is none.
    #[error("the other side shows a card that is refused: {0}")]
    Card(#[source] identity::Error),
    /// The card is not the one its owner committed to.
    #[error("the other side shows another card than the one it committed to")]
    CardChanged,
    /// The other side does not own its card.
    #[error("the other side shows a card that it does not own")]
    CardBorrowed,
    /// Not four digits.
    #[error("expected the four digits that the other side shows, such as 0417")]
    Digits,
    /// The pairing compares no digits, or none yet.
    #[error("the pairing waits for no digits")]
    NoDigits,
    /// The owner's own digits were typed.
    #[error("these are the digits shown here: type the four that the other side shows")]
    OwnDigits,
    /// Not sixty digits.
    #[error("expected the 60 digits that the other side shows, with any blanks between them")]
    SafetyNumber,
    /// The digits were typed before, and other ones.
    #[error("the digits were confirmed already")]
    Confirmed,
    /// A word that no invite has.
    #[error("{got:?} is no word of an invite")]
    Word {
        /// What was typed, made safe to print, 24 characters at most.
        got: String,
        /// The word that is most like it.
        nearest: &'static str,
    },
    /// More words than an invite has, or fewer.
    #[error("expected the {expected} words of the invite, got {got}")]
    WordCount {
        /// Words of an invite.
        expected: usize,
        /// Words that were typed.
        got: usize,
    },
    /// The invite is not for the method that the joiner expects. Which one it is for is left out:
    /// it is what an attacker who replaced the line would have the joiner accept.
    #[error("this invite is for another method, or was changed on the way")]
    OtherMethod,
    /// No random bytes.
    #[error(transparent)]
    Crypto(#[from] crypto::Error),
}

/// Formats seconds of Unix time as RFC 3339.
fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.unwrap_or(jiff::Timestamp::MAX).to_string()
}

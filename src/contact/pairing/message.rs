//! Messages: what the relay carries, and what is in it.

use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::contact::pairing::address::{Address, Outgoing};
use crate::contact::pairing::error::Error;
use crate::crypto::{self, Aead, TAG, label};
use crate::kem::{CIPHERTEXT, PUBLIC_KEY};
use crate::pake::Share;
use crate::secret::Secret;
use crate::wire::{self, Decode, Encode, Record};

/// Bytes of every message of every pairing.
pub(crate) const MESSAGE: usize = 8192;
/// Bytes of the salt a message begins with.
const SALT: usize = 32;
/// Bytes of what is sealed: length (big-endian `u16`), record, zeros.
const PLAIN: usize = MESSAGE - SALT - TAG;

/// What a message is. The number is part of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Sort {
    Join = 1,
    Answer = 2,
    Finish = 3,
    Later = 4,
    Refusal = 5,
}

/// Bytes that are wiped.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// What one side shows of itself before anything is agreed, fresh for this pairing.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Opening {
    pub(super) key: Box<[u8; PUBLIC_KEY]>,
    pub(super) nonce: [u8; 32],
    /// Commitment to the card.
    pub(super) card: [u8; 32],
}

impl Record for Opening {
    const NAME: &'static str = "pairing key";
    const VERSION: u8 = 1;
    const MAX: usize = 1 + PUBLIC_KEY + 64;
}

/// The joiner's first message.
#[derive(Clone, Encode, Decode)]
pub(super) struct Join {
    pub(super) opening: Opening,
    /// Where the inviter's messages are to go.
    pub(super) reply: Address,
}

impl Record for Join {
    const NAME: &'static str = "pairing request";
    const VERSION: u8 = 1;
    const MAX: usize = 2048;
}

/// The joiner's first message when words are spoken.
#[derive(Clone, Encode, Decode)]
pub(super) struct Call {
    pub(super) join: Join,
    pub(super) share: Share,
}

impl Record for Call {
    const NAME: &'static str = "pairing request by words";
    const VERSION: u8 = 1;
    const MAX: usize = Join::MAX + 32;
}

/// The inviter's answer when words are spoken.
#[derive(Encode, Decode)]
pub(super) struct Proof {
    pub(super) encapsulated: [u8; CIPHERTEXT],
    pub(super) share: Share,
    /// That the inviter has the words. The tag of what is sealed would not do: one ciphertext can
    /// have the right tag under many keys, and try many words at once.
    pub(super) proof: [u8; 32],
    /// A [`Reveal`].
    pub(super) sealed: Vec<u8>,
}

impl Record for Proof {
    const NAME: &'static str = "pairing answer by words";
    const VERSION: u8 = 1;
    const MAX: usize = PLAIN - 2;
}

/// A shared secret for the other side, and what is sealed under it: [`Reveal`] or [`Finish`].
#[derive(Encode, Decode)]
pub(super) struct Exchange {
    pub(super) encapsulated: [u8; CIPHERTEXT],
    pub(super) sealed: Vec<u8>,
}

impl Record for Exchange {
    const NAME: &'static str = "pairing answer";
    const VERSION: u8 = 1;
    const MAX: usize = PLAIN - 2;
}

/// Inside the inviter's answer.
#[derive(Encode, Decode)]
pub(super) struct Reveal {
    pub(super) opening: Opening,
    pub(super) hand: Option<Hand>,
}

impl Record for Reveal {
    const NAME: &'static str = "pairing answer's inside";
    const VERSION: u8 = 1;
    const MAX: usize = 6144;
}

/// Inside the joiner's second message.
#[derive(Encode, Decode)]
pub(super) struct Finish {
    pub(super) hand: Option<Hand>,
}

impl Record for Finish {
    const NAME: &'static str = "pairing confirmation";
    const VERSION: u8 = 1;
    const MAX: usize = 4096;
}

/// What one side hands to the other to keep.
#[derive(Clone, Encode, Decode)]
pub(super) struct Hand {
    pub(super) card: Bytes,
    /// What hides the card in the [`Opening`]'s commitment.
    pub(super) blind: Arc<Secret<32>>,
    /// The mailbox made for the other side.
    pub(super) address: Address,
    /// Of the card's owner, over [`Signed`].
    pub(super) signature: [u8; 64],
}

impl Record for Hand {
    const NAME: &'static str = "pairing card";
    const VERSION: u8 = 1;
    const MAX: usize = 4096;
}

/// What the card's owner signs: these keys are mine, in this pairing.
#[derive(Encode, Decode)]
pub(super) struct Signed {
    pub(super) role: u8,
    pub(super) invite: [u8; 32],
    pub(super) opening: Opening,
    pub(super) address: Address,
}

impl Record for Signed {
    const NAME: &'static str = "pairing signature";
    const VERSION: u8 = 1;
    const MAX: usize = 4096;
}

/// What either side says once the keys are agreed. New words are added at the end.
#[derive(Encode, Decode)]
pub(super) enum Later {
    /// The digits are right.
    Hand(Hand),
    /// The digits or the words were wrong.
    Burnt,
    /// Everything has come.
    Done,
}

impl Record for Later {
    const NAME: &'static str = "pairing message";
    const VERSION: u8 = 1;
    const MAX: usize = 4096;
}

/// Why an inviter does not answer a joiner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Refusal {
    /// Somebody else used the invite.
    Used,
    /// The invite expired.
    Expired,
}

impl Record for Refusal {
    const NAME: &'static str = "pairing refusal";
    const VERSION: u8 = 1;
    const MAX: usize = 8;
}

/// Encodes a record that may be secret.
pub(super) fn encode<T: Record>(record: &T) -> Result<Zeroizing<Vec<u8>>, Error> {
    Ok(Zeroizing::new(wire::encode(record)?))
}

/// Makes a message of [`MESSAGE`] bytes: `salt ‖ ciphertext ‖ tag`.
///
/// The salt is a pseudorandom function of the content, so the same content is the same bytes
/// whenever it is made, and no other content has its key; the zero nonce is used once.
pub(super) fn seal(key: &Secret<32>, sort: Sort, record: &[u8]) -> Result<Vec<u8>, Error> {
    let too_long = || Error::Malformed("longer than a message");
    let length = u16::try_from(record.len()).map_err(|_| too_long())?;
    if record.len() > PLAIN - 2 {
        return Err(too_long());
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(record);
    plain.resize(PLAIN, 0);
    let salt = salt(key, sort, &plain);
    let tag = Aead::new(&frame_key(key, sort, &salt)).seal(&[0; 12], &[], &mut plain);
    Ok([&salt[..], &plain, &tag].concat())
}

/// [`seal`], to an address.
pub(super) fn send<T: Record>(
    to: &Address,
    key: &Secret<32>,
    sort: Sort,
    record: &T,
) -> Result<Outgoing, Error> {
    Ok(Outgoing { address: to.clone(), bytes: seal(key, sort, &encode(record)?)? })
}

/// The record in a message, or `None`: it is another's, or for another time.
pub(super) fn open(key: &Secret<32>, sort: Sort, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes: &[u8; MESSAGE] = bytes.try_into().ok()?;
    let (begin, rest) = bytes.split_first_chunk::<SALT>()?;
    let (body, tag) = rest.split_last_chunk::<TAG>()?;
    let mut plain = Zeroizing::new(body.to_vec());
    Aead::new(&frame_key(key, sort, begin)).open(&[0; 12], &[], &mut plain, tag).ok()?;
    // Which also says that no other key opens these bytes: the salt commits to it.
    if !crypto::equal(begin, &salt(key, sort, &plain)) {
        return None;
    }
    let (length, record) = plain.split_first_chunk::<2>()?;
    let record = record.get(..u16::from_be_bytes(*length).into())?;
    Some(Zeroizing::new(record.to_vec()))
}

/// The name a message is remembered by.
pub(super) fn name(bytes: &[u8]) -> [u8; 32] {
    crypto::sha256(&[bytes])
}

fn salt(key: &Secret<32>, sort: Sort, plain: &[u8]) -> [u8; SALT] {
    crypto::hmac_sha256(key.expose(), &[label::PAIRING_SALT, &[sort as u8], plain])
}

fn frame_key(key: &Secret<32>, sort: Sort, salt: &[u8; SALT]) -> Secret<32> {
    crypto::hkdf(key.expose(), salt, &[label::PAIRING_FRAME, &[sort as u8]].concat())
}

//! Sealing a letter.

use std::io::{Read, Write};

use crate::age;
use crate::crypto;
use crate::identity::{Card, Identity};
use crate::letter::Error;
use crate::letter::header::{Header, Heading, Postscript};
use crate::letter::plaintext::{MAGIC, Plaintext};
use crate::letter::proof::{Authenticator, Message, Needs, SignedBody};
use crate::letter::ratchet::LetterKey;
use crate::secret::Secret;
use crate::wire;

/// The sender of a letter, with the card that answers are sealed to.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// Signs.
    pub identity: &'a Identity,
    /// Of this identity.
    pub card: &'a Card,
    /// The secret of the pairing with the recipient. Its MAC alone proves a letter under the
    /// ratchet; any other letter, and one with a postscript, is signed too.
    pub pairwise: Option<&'a Secret<32>>,
}

/// A letter that is to be sealed.
#[derive(Debug)]
pub struct Draft<'a> {
    /// Random; the same in each copy, when the recipient has several machines.
    pub(crate) id: [u8; 16],
    /// The recipient.
    pub(crate) to: &'a Card,
    /// Without a sender the letter is anonymous and says so.
    pub(crate) sender: Option<Sender<'a>>,
    /// What the sender writes on top.
    pub(crate) heading: Heading,
    /// What his program adds.
    pub(crate) postscript: Postscript,
    /// The key of the ratchet that it is sealed under; without one it is sealed to the key on the
    /// recipient's card.
    pub(crate) key: Option<LetterKey>,
}

impl<'a> Draft<'a> {
    /// A letter with a random id, to the key on a card.
    pub(crate) fn new(
        heading: Heading,
        to: &'a Card,
        sender: Option<Sender<'a>>,
    ) -> Result<Self, crypto::Error> {
        let id = crypto::random()?;
        Ok(Self { id, to, sender, heading, postscript: Postscript::default(), key: None })
    }

    /// Seals the letter: an age file with one recipient.
    ///
    /// Reads `body` to its end in constant memory. When this fails, what went to `output` is to be
    /// thrown away.
    ///
    /// # Errors
    ///
    /// [`Error::Heading`], [`Error::NotTheSender`], and [`Error::Unproven`] for a ratchet's key
    /// without the secret of the pairing, before anything is read or written;
    /// [`Error::Io`] is that of `body` or `output`.
    pub fn seal(self, body: impl Read + Send, output: impl Write + Send) -> Result<(), Error> {
        let header = Header {
            id: self.id,
            to: self.to.fingerprint().to_bytes(),
            from: self.sender.map(|sender| sender.card.to_bytes().to_vec()),
            heading: self.heading,
            postscript: self.postscript,
        };
        header.check()?;
        let bytes = wire::encode(&header)?;
        let recipient: &dyn age::Recipient = match &self.key {
            Some(key) => key,
            None => self.to.recipient(),
        };
        let sealer = age::Sealer::new(&[recipient])?;
        let needs =
            Needs { ratchet: self.key.is_some(), postscript: !header.postscript.is_empty() };
        let (authenticator, trailer) = match self.sender {
            None if needs.ratchet => return Err(Error::NotTheSender),
            None => (Authenticator::None, None),
            Some(Sender { identity, card, pairwise }) => {
                let signer = identity.signer();
                if signer.public() != *card.signer() {
                    return Err(Error::NotTheSender);
                }
                let message = Message::new(sealer.header(), &bytes);
                let authenticator = Authenticator::new(&message, needs, &signer, pairwise)?;
                let signs_body = authenticator.signs_body();
                (authenticator, signs_body.then(|| (SignedBody::new(message, card), signer)))
            }
        };
        let mut front = MAGIC.to_vec();
        wire::write_framed(&mut front, &header)?;
        wire::write_framed(&mut front, &authenticator)?;
        sealer.seal(Plaintext::new(front, body, trailer), output)?;
        Ok(())
    }
}

/// Seals a letter to the owner of a card, as [`Draft::seal`] does. Returns its random id.
pub fn seal(
    heading: &Heading,
    to: &Card,
    sender: Option<Sender<'_>>,
    body: impl Read + Send,
    output: impl Write + Send,
) -> Result<[u8; 16], Error> {
    let draft = Draft::new(heading.clone(), to, sender)?;
    let id = draft.id;
    draft.seal(body, output)?;
    Ok(id)
}

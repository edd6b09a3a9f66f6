//! Sealing a letter.

use std::io::Read;
use std::io::Write;

use crate::age;
use crate::crypto;
use crate::crypto::label;
use crate::identity::Card;
use crate::identity::Identity;
use crate::letter::Error;
use crate::letter::header::Authenticator;
use crate::letter::header::Header;
use crate::letter::header::Heading;
use crate::letter::header::signed;
use crate::letter::plaintext::MAGIC;
use crate::letter::plaintext::Plaintext;
use crate::wire;

/// Who signs a letter, and the card he shows so that he can be answered.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// Signs.
    pub identity: &'a Identity,
    /// Of this identity.
    pub card: &'a Card,
}

/// Seals a letter to the owner of a card: an age file with one recipient. Returns the
/// letter's random id. Without a sender the letter is anonymous and says so.
///
/// Reads `body` to its end in constant memory. When this fails, what went to `output` is to be
/// thrown away.
///
/// # Errors
///
/// [`Error::Heading`] and [`Error::NotTheSender`] before anything is read or written;
/// [`Error::Io`] is that of `body` or `output`.
pub fn seal(
    heading: &Heading,
    to: &Card,
    sender: Option<Sender<'_>>,
    body: impl Read + Send,
    output: impl Write + Send,
) -> Result<[u8; 16], Error> {
    let header = Header {
        id: crypto::random()?,
        to: to.fingerprint().to_bytes(),
        from: sender.map(|sender| sender.card.to_bytes().to_vec()),
        heading: heading.clone(),
    };
    header.check()?;
    let bytes = wire::encode(&header)?;
    let sealer = age::Sealer::new(&[to.recipient()])?;
    let authenticator = match sender {
        None => Authenticator::None,
        Some(Sender { identity, card }) => {
            let signer = identity.signer();
            if signer.public() != *card.signer() {
                return Err(Error::NotTheSender);
            }
            let message = signed(sealer.header(), &bytes);
            Authenticator::Ed25519(signer.sign_labelled(label::LETTER_SIGNATURE, &[&message]))
        }
    };
    let mut front = MAGIC.to_vec();
    wire::write_framed(&mut front, &header)?;
    wire::write_framed(&mut front, &authenticator)?;
    sealer.seal(Plaintext::new(front, body), output)?;
    Ok(header.id)
}

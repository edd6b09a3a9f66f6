//! The letter's header: who, to whom, and what the sender wrote on top.

use std::fmt;
use std::sync::Arc;

use crate::identity::{Card, Fingerprint};
use crate::letter::proof::{Authenticator, Message, Needs, Pairwise, Proof, SignedBody};
use crate::letter::ratchet::{self, Offer};
use crate::letter::{Error, Routing};
use crate::secret::Secret;
use crate::wire::{self, Decode, Encode, Record};

/// Bytes of a subject.
const MAX_SUBJECT: usize = 1024;
/// Bytes of a file name.
const MAX_FILE_NAME: usize = 255;
/// Bytes of a content type.
const MAX_CONTENT_TYPE: usize = 255;
/// Pairs of the sender's own.
const MAX_PAIRS: usize = 64;
/// Bytes of the key of a pair.
const MAX_KEY: usize = 64;
/// Bytes of the value of a pair.
const MAX_VALUE: usize = 1024;
/// Bytes of a notice.
const MAX_NOTICE: usize = 16 << 10;

/// What a sender writes on top of a letter. It is the sender's word: print it through
/// [`text::printable`](crate::text::printable), and save under
/// [`text::file_name`](crate::text::file_name).
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Heading {
    /// Random id of the stream and number in it, from 1, when the sender keeps state: a gap
    /// or a repetition is noticed. Anonymous letters have none.
    pub place: Option<([u8; 16], u64)>,
    /// Seconds of Unix time.
    pub date: u64,
    /// At most 1,024 bytes.
    pub subject: Option<String>,
    /// Of the body, at most 255 bytes.
    pub file_name: Option<String>,
    /// Of the body, such as `text/plain; charset=utf-8`: at most 255 bytes of printable ASCII.
    pub content_type: Option<String>,
    /// At most 64 pairs: keys of 1 to 64 of `a-z A-Z 0-9 - _ .`, none twice, values of at
    /// most 1,024 bytes.
    pub pairs: Vec<(String, String)>,
}

impl Heading {
    fn check(&self) -> Result<(), Error> {
        let refuse = |field, why| Err(Error::Heading { field, why });
        let length = |text: &Option<String>| text.as_deref().map_or(0, str::len);
        if self.place.is_some_and(|(_, seq)| seq == 0) {
            refuse("sequence number", "it is zero, numbers begin with 1")
        } else if length(&self.subject) > MAX_SUBJECT {
            refuse("subject", "longer than 1024 bytes")
        } else if length(&self.file_name) > MAX_FILE_NAME {
            refuse("file name", "longer than 255 bytes")
        } else if length(&self.content_type) > MAX_CONTENT_TYPE {
            refuse("content type", "longer than 255 bytes")
        } else if !self.content_type.iter().all(|t| t.bytes().all(|b| matches!(b, b' '..=b'~'))) {
            refuse("content type", "not printable ASCII")
        } else if self.pairs.len() > MAX_PAIRS {
            refuse("headers", "more than 64")
        } else if !self.pairs.iter().all(|(key, _)| is_key(key)) {
            refuse("header", "a key is not 1 to 64 of a-z A-Z 0-9 - _ .")
        } else if self.pairs.iter().any(|(_, value)| value.len() > MAX_VALUE) {
            refuse("header", "a value is longer than 1024 bytes")
        } else if has_twins(&self.pairs) {
            refuse("header", "a key stands twice")
        } else {
            Ok(())
        }
    }
}

fn is_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn has_twins(pairs: &[(String, String)]) -> bool {
    let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
}

/// What the sender's program tells the recipient's, beside what people write. Anonymous letters
/// have none of it.
#[derive(Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Postscript {
    /// The mailbox of the recipient's machine that this copy is for: what stands below is not for
    /// another one, to which a relay may have given it.
    pub machine: Option<[u8; 32]>,
    /// Where this machine of the sender's wants letters from this recipient.
    pub reply: Option<Routing>,
    /// A new start of the ratchet, an [`Offer`] as [`Offer::encode`] writes it.
    pub offer: Option<Vec<u8>>,
    /// Something else.
    pub notice: Option<Notice>,
}

/// A message from program to program. The letter around it has an empty body.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Notice {
    /// What it is about, not zero. A reader that does not know the kind says so and goes on.
    pub kind: u16,
    /// At most 16 KiB, as the kind has them.
    pub content: Vec<u8>,
}

impl fmt::Debug for Postscript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Postscript");
        all.field("reply", &self.reply).field("offer", &self.offer.as_ref().map(|_| ".."));
        all.field("notice", &self.notice.as_ref().map(|notice| notice.kind)).finish()
    }
}

impl Postscript {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |field, why| Err(Error::Heading { field, why });
        if let Some(reply) = &self.reply {
            if reply.relay.is_none() {
                return refuse("reply address", "it names no relay");
            }
            reply.check()?;
        }
        if let Some(offer) = &self.offer
            && Offer::decode(offer).is_err()
        {
            return refuse("offer", "it is none");
        }
        match &self.notice {
            Some(notice) if notice.kind == 0 => refuse("notice", "its kind is zero"),
            Some(notice) if notice.content.len() > MAX_NOTICE => {
                refuse("notice", "longer than 16384 bytes")
            }
            _ => Ok(()),
        }
    }
}

/// The record at the head of a letter; its bytes as they stand are what the sender signs.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Header {
    pub(super) id: [u8; 16],
    pub(super) to: [u8; 32],
    pub(super) from: Option<Vec<u8>>,
    pub(super) heading: Heading,
    pub(super) postscript: Postscript,
}

impl Record for Header {
    const NAME: &'static str = "letter header";
    const VERSION: u8 = 1;
    const MAX: usize = 96 << 10;
}

impl Header {
    /// The rules that hold for what is sealed and for what is opened.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.from.is_none() && self.heading.place.is_some() {
            return Err(Error::Heading {
                field: "sequence number",
                why: "an anonymous letter has none",
            });
        }
        if self.from.is_none() && !self.postscript.is_empty() {
            return Err(Error::Heading {
                field: "postscript",
                why: "an anonymous letter has none",
            });
        }
        self.heading.check()?;
        self.postscript.check()
    }
}

/// A letter whose header was verified: addressed to its reader, and by `from` when it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Random id, the same whenever this letter comes.
    pub id: [u8; 16],
    /// The proven sender's card, or `None`: the letter is anonymous. That somebody owns this
    /// card is proven; who that is, the card itself cannot prove.
    pub from: Option<Card>,
    /// How that is proven.
    pub proof: Proof,
    /// The secret of the pairing whose MAC is in the proof, if there is one in it.
    pub pairwise: Option<Arc<Secret<32>>>,
    /// Its recipient: one of the reader's own fingerprints.
    pub to: Fingerprint,
    /// What the sender wrote on top.
    pub heading: Heading,
    /// What the sender's program adds.
    pub(crate) postscript: Postscript,
}

impl Letter {
    /// Returns whether it is a control message for the program, which has no body.
    pub fn is_control(&self) -> bool {
        self.postscript.notice.is_some()
    }

    /// Decodes and verifies a header before anything of the letter is let out. Of a signed letter
    /// it also returns what the body's signature is verified with, when the body has come.
    pub(super) fn verify(
        age_header: &[u8],
        header: &[u8],
        authenticator: &[u8],
        me: &[Fingerprint],
        pairwise: &dyn Pairwise,
    ) -> Result<(Self, Option<SignedBody>), Error> {
        let Some(stanza) = only_stanza(age_header) else {
            return Err(Error::Malformed { what: "letter", why: "it is sealed to several" });
        };
        let decoded: Header = wire::decode(header)?;
        decoded.check()?;
        let from = decoded.from.as_deref().map(Card::from_bytes).transpose();
        let from = from.map_err(Error::SenderCard)?;
        let to = Fingerprint::from_bytes(decoded.to);
        let message = Message::new(age_header, header);
        let needs = Needs {
            ratchet: stanza == ratchet::KIND.as_bytes(),
            postscript: !decoded.postscript.is_empty(),
        };
        let secrets = |card: &Card| pairwise.secrets(&to, &card.fingerprint());
        let authenticator: Authenticator = wire::decode(authenticator)?;
        let (proof, pairwise) = authenticator.verify(&message, needs, from.as_ref(), secrets)?;
        let signed = from.as_ref().filter(|_| authenticator.signs_body());
        let body = signed.map(|card| SignedBody::new(message, card));
        if !me.contains(&to) {
            return Err(Error::Readdressed { to });
        }
        let Header { id, heading, postscript, .. } = decoded;
        Ok((Self { id, from, proof, pairwise, to, heading, postscript }, body))
    }
}

/// Returns the type of the only stanza: another recipient would have the file key, and could put
/// another body under the header. Stanzas begin with an arrow, and no other line of an age header
/// does.
fn only_stanza(age_header: &[u8]) -> Option<&[u8]> {
    let mut stanzas =
        age_header.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"-> "));
    let only = stanzas.next().filter(|_| stanzas.next().is_none())?;
    only.split(|byte| *byte == b' ').next()
}

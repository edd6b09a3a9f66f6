//! What the log says, and the bytes it says it in.

use crate::relay::protocol::{Id, Mailbox, Terms, TokenId};
use crate::relay::store::{Push, Token};
use crate::wire::{self, Decode, Encode};

/// Bytes of a record's head.
pub(super) const HEAD: usize = 24;
/// Where in the head the mark of its segment stands.
pub(super) const MARK: usize = 8;
/// Greatest fact in bytes; its length has two bytes.
pub(super) const MAX_FACT: usize = 65_535;
/// Most ids of one fact.
pub(super) const MAX_IDS: usize = 1024;

/// One thing that is so from here on. The numbers of the variants are the format.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum Fact {
    /// A mailbox is registered.
    Register { mailbox: [u8; 32], token: Option<[u8; 32]> },
    /// It is not any more, nor is anything in it.
    Close { mailbox: [u8; 32] },
    /// What a capability allows and has used.
    Allow { mailbox: [u8; 32], capability: [u8; 32], terms: Limits, pushed: u64, hourly: Hourly },
    /// A capability is gone.
    Revoke { mailbox: [u8; 32], capability: [u8; 32] },
    /// A message, whose body follows or lies in a file.
    Put(Box<Message>),
    /// Messages are gone; until `remember` they are not taken again.
    Gone { mailbox: [u8; 32], remember: u64, ids: Vec<[u8; 32]> },
    /// Messages that went before are not taken again until then.
    Remember { mailbox: [u8; 32], remember: u64, ids: Vec<[u8; 32]> },
    /// A token is good.
    Token { id: [u8; 32], mailboxes: u64, bytes: Option<u64>, expires: Option<u64> },
    /// It is not any more.
    NoToken { id: [u8; 32] },
    /// An upload in parts, and how far it has come.
    Upload(Box<Upload>),
    /// It is gone.
    NoUpload { mailbox: [u8; 32], id: [u8; 32] },
    /// A time the store has come to believe, in Unix seconds.
    Clock { now: u64 },
}

/// Stands in a record for a capability that was revoked since the message or upload came. No hash of
/// a capability is this.
pub(super) const REVOKED: [u8; 32] = [0; 32];

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Message {
    pub(super) mailbox: [u8; 32],
    pub(super) capability: [u8; 32],
    pub(super) id: [u8; 32],
    /// Bytes of the body.
    pub(super) size: u64,
    /// When it is deleted, in Unix seconds.
    pub(super) expires: u64,
    /// Hours of Unix time when it came.
    pub(super) hour: u32,
    /// Number of the file its body is in.
    pub(super) file: Option<u64>,
    /// For a copy: its place in the order of arrival. It was counted when it came.
    pub(super) order: Option<u64>,
}

/// An upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Upload {
    pub(super) mailbox: [u8; 32],
    pub(super) capability: [u8; 32],
    pub(super) id: [u8; 32],
    /// Bytes of the whole.
    pub(super) size: u64,
    /// When it is swept unless it is complete, in Unix seconds.
    pub(super) deadline: u64,
    /// Number of its file.
    pub(super) file: u64,
    /// Bytes that are durable in it.
    pub(super) offset: u64,
}

/// [`Terms`] on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Limits {
    expires: Option<u64>,
    messages: Option<u64>,
    bytes: Option<u64>,
    hourly: Option<u64>,
    total: Option<u64>,
}

/// Pushes in one hour of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Hourly {
    /// Hours of Unix time.
    pub(super) hour: u32,
    pub(super) pushed: u64,
}

impl From<Terms> for Limits {
    fn from(terms: Terms) -> Self {
        let Terms { expires, messages, bytes, hourly, total } = terms;
        Self { expires, messages, bytes, hourly, total }
    }
}

impl From<Limits> for Terms {
    fn from(limits: Limits) -> Self {
        let Limits { expires, messages, bytes, hourly, total } = limits;
        Self { expires, messages, bytes, hourly, total }
    }
}

impl wire::Record for Fact {
    const NAME: &'static str = "fact of the log";
    const VERSION: u8 = 1;
    const MAX: usize = MAX_FACT;
}

impl Fact {
    pub(super) fn token(token: &Token) -> Self {
        let Token { id: TokenId(id), mailboxes, bytes, expires, .. } = *token;
        Self::Token { id, mailboxes, bytes, expires }
    }

    /// Messages that are gone, in as many facts as it takes.
    pub(super) fn gone(mailbox: Mailbox, remember: u64, ids: &[Id]) -> impl Iterator<Item = Self> {
        ids.chunks(MAX_IDS).map(move |ids| Self::Gone {
            mailbox: mailbox.0,
            remember,
            ids: ids.iter().map(|id| id.0).collect(),
        })
    }

    /// Bytes of the body that follows it in the log.
    pub(super) fn body(&self) -> u64 {
        match self {
            Self::Put(message) if message.file.is_none() => message.size,
            _ => 0,
        }
    }
}

/// The fixed part of a record, the mark left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of the fact.
    pub(super) fact: u16,
    /// Bytes of the body.
    pub(super) body: u32,
    /// CRC-32 of the body.
    pub(super) body_sum: u32,
}

impl Head {
    /// Bytes of the record.
    pub(super) fn length(&self) -> u64 {
        HEAD as u64 + u64::from(self.fact) + u64::from(self.body)
    }

    /// Where in the record the body begins.
    pub(super) fn body_at(&self) -> u64 {
        HEAD as u64 + u64::from(self.fact)
    }

    /// Reads head and fact from the first bytes of a record without its mark, which may be
    /// longer; `None` when they are not whole and unharmed.
    pub(super) fn read(record: &[u8]) -> Option<(Self, Fact)> {
        let (sum, rest) = record.split_first_chunk::<4>()?;
        let (fact, after) = rest.split_first_chunk::<2>()?;
        let (_zero, after) = after.split_first_chunk::<2>()?;
        let (body, after) = after.split_first_chunk::<4>()?;
        let (body_sum, bytes) = after.split_first_chunk::<4>()?;
        let head = Self {
            fact: u16::from_le_bytes(*fact),
            body: u32::from_le_bytes(*body),
            body_sum: u32::from_le_bytes(*body_sum),
        };
        let summed = rest.get(..HEAD - MARK - 4 + usize::from(head.fact))?;
        if crc32fast::hash(summed) != u32::from_le_bytes(*sum) {
            return None;
        }
        let fact: Fact = wire::decode(bytes.get(..usize::from(head.fact))?).ok()?;
        (fact.body() == u64::from(head.body)).then_some((head, fact))
    }
}

/// A record without the mark of a segment, which is put in where it is written.
pub(super) fn encode(fact: &Fact, body: &[u8]) -> Result<Vec<u8>, wire::Error> {
    let bytes = wire::encode(fact)?;
    let mut record = Vec::with_capacity(HEAD + bytes.len() + body.len());
    record.extend_from_slice(&[0; MARK + 4]);
    // In range: `wire` bounds the fact, and the fact its body.
    record.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or_default().to_le_bytes());
    record.extend_from_slice(&[0; 2]);
    record.extend_from_slice(&u32::try_from(body.len()).unwrap_or_default().to_le_bytes());
    record.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    record.extend_from_slice(&bytes);
    let sum = crc32fast::hash(record.get(MARK + 4..).unwrap_or_default()).to_le_bytes();
    if let Some(place) = record.get_mut(MARK..MARK + 4) {
        place.copy_from_slice(&sum);
    }
    record.extend_from_slice(body);
    Ok(record)
}

/// Returns the fact of a push.
pub(super) fn message(push: &Push, file: Option<u64>) -> Fact {
    Fact::Put(Box::new(Message {
        mailbox: push.mailbox.0,
        capability: push.capability.0,
        id: push.message.id.0,
        size: push.message.size,
        expires: push.message.expires,
        hour: u32::try_from(push.now / 3600).unwrap_or(u32::MAX),
        file,
        order: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;
    use proptest::prelude::*;

    /// The record in FORMAT.md, and one with all a message has.
    #[test]
    fn golden_bytes() {
        let fact = Fact::Register { mailbox: [0x42; 32], token: None };
        let record = encode(&fact, &[]).unwrap();
        let page: String = include_str!("FORMAT.md").split_whitespace().collect();
        let head = text::hex_encode(&record[MARK..HEAD]);
        assert!(page.contains(&head), "{head}");
        assert_eq!(record[HEAD..HEAD + 2], [1, 0]);
        let message = Message {
            mailbox: [1; 32],
            capability: [2; 32],
            id: [3; 32],
            size: 5,
            expires: 3600,
            hour: 1,
            file: None,
            order: Some(7),
        };
        let record = encode(&Fact::Put(Box::new(message)), b"hello").unwrap();
        let fields = [251, 16, 14, 1, 0, 1, 7];
        let fact = [&[1, 4][..], &[1; 32], &[2; 32], &[3; 32], &[5], &fields].concat();
        assert_eq!(record[HEAD..], [&fact[..], b"hello"].concat());
    }

    fn facts() -> impl Strategy<Value = Fact> {
        let name = any::<[u8; 32]>;
        let ids = || proptest::collection::vec(name(), 0..20);
        let register = |(mailbox, token)| Fact::Register { mailbox, token };
        let gone = |(mailbox, remember, ids)| Fact::Gone { mailbox, remember, ids };
        let put = |(mailbox, capability, id, (expires, hour), (file, order)): (
            [u8; 32],
            _,
            _,
            _,
            (u64, _),
        )| {
            let file = Some(file);
            let size = 9;
            Fact::Put(Box::new(Message {
                mailbox,
                capability,
                id,
                size,
                expires,
                hour,
                file,
                order,
            }))
        };
        prop_oneof![
            (name(), any::<Option<[u8; 32]>>()).prop_map(register),
            (name(), any::<u64>(), ids()).prop_map(gone),
            (name(), name(), name(), any::<(u64, u32)>(), any::<(u64, Option<u64>)>())
                .prop_map(put),
            any::<u64>().prop_map(|now| Fact::Clock { now }),
        ]
    }

    proptest! {
        #[test]
        fn records_round_trip_and_every_bit_counts(fact in facts(), bit in 0usize..4096) {
            let record = encode(&fact, &[]).unwrap();
            let read = Head::read(&record[MARK..]).unwrap();
            prop_assert_eq!(&read.1, &fact);
            prop_assert_eq!(read.0.length() as usize, record.len());
            let mut flipped = record[MARK..].to_vec();
            let at = bit % (flipped.len() * 8);
            flipped[at / 8] ^= 1 << (at % 8);
            prop_assert!(Head::read(&flipped).is_none());
            prop_assert!(Head::read(&record[MARK..record.len() - 1]).is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Head::read(&bytes);
        }
    }
}
